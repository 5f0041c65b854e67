"""Does a very long run end in "grey goo"? As in Haslam's article: Adam, steps of 2/255 that do not shrink, from
noise, 25,000 of them, at 64 px. Run from the repository's root:

    python bench/goo.py                        all of it, hours on one core; "library", "mosaic", "no eps" and
                                               "damped" have not been run yet
    python bench/goo.py --only article damped  some of it; the others' figures in results/goo.json stay
"""
import argparse, json, time
from pathlib import Path
import numpy as np
from PIL import Image, ImageDraw
from fastai.callback.core import Callback
from style_nb.all import *

HERE = Path(__file__).parent

def breakout(side=256):
    "A game with flat bricks on black, as the article took for a style."
    im = Image.new('RGB', (side, side), (0, 0, 0))
    d, w, h = ImageDraw.Draw(im), side/8, side/20
    for row, colour in enumerate(((200, 72, 72), (198, 108, 58), (180, 122, 48), (162, 162, 42), (72, 160, 72),
            (66, 72, 200))):
        for col in range(8): d.rectangle([col*w + 1, (3 + row)*h + 1, (col + 1)*w - 2, (4 + row)*h - 2], fill=colour)
    d.rectangle([0, 0, side, h], fill=(142, 142, 142))
    d.rectangle([.45*side, 18.5*h, .6*side, 19*h], fill=(200, 72, 72))
    d.rectangle([.3*side, 13*h, .32*side, 13.5*h], fill=(200, 72, 72))
    return im

class Watch(Callback):
    "Set Adam's own constants, and note every `every` steps what the canvas does."
    order = 28
    def __init__(self, eps=1e-8, betas=(.9, .999), every=50):
        self.eps, self.betas, self.every, self.rows = eps, betas, every, []
    def before_fit(self):
        self.opt.opt.param_groups[0].update(eps=self.eps, betas=self.betas)
        self.step = 0
    def after_step(self):
        self.step += 1
        if self.step % self.every and self.step > 10: return
        x, g = self.model.canvas.detach(), self.model.canvas.grad
        y = x.clamp(0, 1)
        self.rows.append([self.step, *(float(f'{float(v):.4g}') for v in (self.learn.loss, y.std((-2, -1)).max(),
            ((x < 0) | (x > 1)).float().mean(), x.abs().max(), g.abs().mean()))])
COLUMNS = ['step', 'loss', 'deviation', 'outside', 'largest', 'gradient']

class Unguarded(Callback):
    "Takes the guard out of a run."
    order = 99
    def before_fit(self): self.learn.remove_cb(self.learn.guard)

CASES = {  # name: (settings, what `Watch` sets)
    'article': (dict(precision='fp32', clamp='end'), {}),                 # TensorFlow's Adam, nothing clipped
    # clipped at each step, in the precision of the machine
    'library': (dict(), dict(betas=(.9, .99))),
    'mosaic': (dict(style='mosaic'), dict(betas=(.9, .99))),
    'no eps': (dict(precision='fp32', clamp='end'), dict(eps=0.)),
    'damped': (dict(precision='fp32', clamp='end'), dict(eps=1e-3)),
    **{f'lr {lr:g}': (dict(precision='fp32', clamp='end', lr=lr, steps=5000), {}) for lr in (.03, .1, .3, 1., 3., 10.)},
    **{f'lr {lr:g}, clipped': (dict(lr=lr, steps=5000), dict(betas=(.9, .99))) for lr in (.1, .3, 1., 3., 10.)}}

def one(settings, watch, steps, size):
    how = dict(encoder='texnet', size=size, steps=steps, seed=0, progress=False) | settings
    style, frames, w = (how.pop('style', 'breakout'), [n for n in (100, 500, 1000, 2500, 5000, 10000, 25000)
        if n <= how['steps']], Watch(**watch))
    t, r = (time.perf_counter(), stylize(sample('astronaut'), breakout() if style == 'breakout' else sample(style),
        'haslam', cbs=[w, Unguarded()], snapshots=frames, **how))
    loss = np.array([row[1] for row in w.rows])
    return r, dict(settings={**settings, **watch}, steps=len(r.history), seconds=round(time.perf_counter() - t),
                   stopped=r.stopped, least=float(np.nanmin(loss)), at=w.rows[int(np.nanargmin(loss))][0],
                   last=float(loss[-1]), worst_after_1000=float(loss[[row[0] > 1000 for row in w.rows]].max())
                   if len(r.history) > 1000 else None,
                   fidelity=round(fidelity(r.image, sample('astronaut')), 3), columns=COLUMNS,
                   rows=w.rows[:10] + w.rows[10::max(1, len(w.rows)//250)])

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--steps', type=int, default=25000)
    p.add_argument('--size', type=int, default=64)
    p.add_argument('--only', nargs='+', choices=CASES)
    p.add_argument('--out', type=Path, default=HERE/'results')
    args = p.parse_args()
    path = args.out/'goo.json'
    for name in args.only or CASES:
        r, row = one(*CASES[name], args.steps, args.size)
        found = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(found | {name: row}))
        print(f"{name}: {row['steps']} steps, least {row['least']:.4g} at {row['at']}, last {row['last']:.4g}, "
              f"deviation {row['rows'][-1][2]:.3g}, fidelity {row['fidelity']}; {row['stopped']}", flush=True)
        if r.frames:
            show_pictures([im for _, im in r.frames], [f'{name}, {s}' for s, _ in r.frames],
                height=1.5).savefig(args.out/f"goo_{name.replace(' ', '_')}.png")
