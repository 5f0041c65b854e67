"""Large pictures in tiles: are they what the whole would be, what do they cost, and what do they take?

Run from the repository's root, one task at a time:

    python bench/large.py gradient       tiled against whole, and against the textbook's own loss, by size of tile
    python bench/large.py pictures       after 20 steps, in 64 and in 32 bits
    python bench/large.py speed          seconds of a step for a million pixels
    python bench/large.py memory NAME    a run in a process of its own: 4k, 4k-top, vgg, 24m; peak above import

The plain reference is `reference.py`: autograd through the whole picture, the loss written out once more.
"""
import argparse, statistics, sys, time
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parent))
import torch
from fastai.callback.core import CancelFitException
from style_nb.gallery import sample
from style_nb.learner import StepCallback
from style_nb.pictures import load_picture, resize, to_pil
from style_nb.planning import settle
from style_nb.transfer import stylize, transfer_learner
from style_nb.windows import windows_of
import reference

ONE = dict(levels=1, device='cpu', precision='fp32', progress=False, history=5)

class Note(StepCallback):
    "Keeps the first gradient and the losses, and ends a run after so many steps."
    order = 15
    def __init__(self, steps=1): self.steps, self.losses, self.gradient = steps, [], None
    def before_step(self):
        if self.gradient is None: self.gradient = self.canvas.grad.clone()
        self.losses.append(float(self.loss))
        if len(self.losses) > self.steps: raise CancelFitException

def photo_of(w, h):
    "A bundled photo, filled up to that size"
    x = load_picture(sample('cat'))
    return resize(x[..., :x.shape[-1]*h//w, :], (h, w)) if w > h else resize(x[..., :x.shape[-2]*w//h], (h, w))

def learner(content, styles, steps=1, double=False, **how):
    "A Learner of `stylize`, in 64 bits if asked, and what it notes"
    how = {k: v for k, v in (ONE | how).items() if k != 'progress'}
    plan = settle(content, styles, steps=steps + 1, **how)
    learn, note = transfer_learner(plan), Note(steps)
    learn.add_cb(note)
    if double:
        learn.remove_cbs([learn.encoder_precision, learn.guard])
        learn.model.double()
        learn.encoder.double()
    return learn, note, plan

def run(*args, **how):
    learn, note, plan = learner(*args, **how)
    learn.fit(1)
    return learn.model.canvas.detach(), note

def far(a, b): return float((a - b).norm()/b.norm())

def regions(h, w):
    "Two soft masks that add up to one"
    m = torch.linspace(-2, 3, w).clamp(0, 1).expand(1, 1, h, w).contiguous()
    return [m, 1 - m]

def textbook(plan, content, style):
    "The content picture with its gradient by the textbook's own loss, in 64 bits"
    torch.set_default_dtype(torch.float64)
    try:
        x = content.double().requires_grad_()
        reference.Objective(plan.enc, plan.recipe, content.double(), style.double())(x).backward()
        return x
    finally: torch.set_default_dtype(torch.float32)

def gradient():
    style, other = load_picture(sample('swirls')), load_picture(sample('dots'))
    print(f'{"px":>10} {"tile":>5} {"halo work":>9} {"one style":>10} {"textbook":>10} {"masks, two styles":>18}')
    for w, h in ((512, 384), (509, 381), (512, 341)):
        content = photo_of(w, h)
        plain = dict(size=w, init='content', tv_weight=0.)
        masked = dict(size=w, masks=regions(h, w), init='content', tv_weight=0.)
        whole, two = run(content, style, tile=0, **plain)[1], run(content, [style, other], tile=0, **masked)[1]
        _, _, plan = learner(content, style, **plain)
        x = textbook(plan, content, resize(style, min(max(style.shape[-2:]), round(1.5*w))))
        for tile in (64, 128, 200, 256, 512):
            a, b = run(content, style, tile=tile, **plain)[1], run(content, [style, other], tile=tile, **masked)[1]
            cut = windows_of(plan.enc, ['relu4_1'], (h, w), tile)
            print(f'{w}x{h:<6} {tile:5} {cut.work:9.2f} {far(a.gradient, whole.gradient):10.1e} '
                  f'{far(a.gradient, x.grad):10.1e} {far(b.gradient, two.gradient):18.1e}', flush=True)
        print(f'{"":18} {"whole":>9} {"":10} {far(whole.gradient, x.grad):10.1e}')

def pictures():
    style = load_picture(sample('swirls'))
    for side, double in ((256, True), (512, False)):
        content = photo_of(side, side*3//4)
        whole, a = run(content, style, 20, double, size=side, tile=0)
        for tile in (64, 128) if double else (128, 256):
            tiled, b = run(content, style, 20, double, size=side, tile=tile)
            levels = (whole.clamp(0, 1) - tiled.clamp(0, 1)).abs()*255
            print(f'{"64" if double else "32"} bits, {side} px, tiles of {tile}: largest difference '
                  f'{levels.max():.3g} levels, mean {levels.mean():.3g}; '
                  f'loss {a.losses[-1]:.6g} and {b.losses[-1]:.6g}, '
                  f'{abs(b.losses[-1]/a.losses[-1] - 1):.2%} apart', flush=True)

def step_seconds(side, tile, name='texnet', n=3):
    "CPU seconds of a step for a million pixels: the least and the median of `n`, after a first"
    content, style = photo_of(side, side*9//16), load_picture(sample('swirls'))
    seconds = []
    class Clock(StepCallback):
        order = 61
        def before_batch(self): self.begun = time.process_time()
        def after_step(self): seconds.append((time.process_time() - self.begun)/(side*(side*9//16))*1e6)
    learn, _, _ = learner(content, style, n + 1, size=side, tile=tile, encoder=name)
    learn.add_cb(Clock())
    learn.fit(1)
    return seconds[1:]

def speed():
    rows = {}
    for _ in range(2):  # in turn, since a machine is faster at times
        for side, tile in ((512, 0), (512, 512), (512, 256), (1024, 0), (1024, 512), (2048, 512), (4096, 512)):
            rows.setdefault((side, tile), []).extend(step_seconds(side, tile, n=3 if side < 2000 else 1))
            found = rows[side, tile]
            print(f'{side:5} px, {"tiles of " + str(tile) if tile else "whole":>12}: {min(found):.2f} s for a million '
                  f'pixels (median {statistics.median(found):.2f})', flush=True)

RUNS = {
    '4k': dict(w=3840, h=2160, encoder='texnet', steps=20),
    '4k-top': dict(w=3840, h=2160, encoder='texnet', steps=20, levels=1),
    'vgg': dict(w=3840, h=2160, encoder='vgg16', steps=20),
    'vgg-top': dict(w=3840, h=2160, encoder='vgg16', steps=20, levels=1),
    '24m': dict(w=6000, h=4000, encoder='texnet-small', steps=5),
    '24m-top': dict(w=6000, h=4000, encoder='texnet-small', steps=5, levels=1),
    '2k': dict(w=2048, h=1152, encoder='texnet', steps=40, tile=512),
}

def peak():
    lines = Path('/proc/self/status').read_text().splitlines()
    return int(next(line for line in lines if line.startswith('VmHWM')).split()[1])/1e6

def memory(name, out=None, **more):
    how = RUNS[name] | more
    w, h = how.pop('w'), how.pop('h')
    base = peak()
    content = to_pil(photo_of(w, h))
    start, cpu = time.perf_counter(), time.process_time()
    how = dict(size=w, device='cpu', precision='fp32') | how
    r = stylize(content, sample('swirls'), **how)
    print(f'{name}: {w}x{h}, {how["encoder"]}, tile {r.recipe.tile}, {len(r.history)} steps, '
          f'{time.perf_counter() - start:.0f} s, {time.process_time() - cpu:.0f} s of CPU, '
          f'peak {peak() - base:.2f} GB above import ({base:.2f}), loss {r.history.loss.iloc[-1]:.4g}, '
          f'levels {r.history.groupby("level").width.agg(["first", "size"]).values.tolist()}', flush=True)
    if out: r.image.save(out)

if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('task', choices=('gradient', 'pictures', 'speed', 'memory'))
    parser.add_argument('name', nargs='?', choices=RUNS)
    parser.add_argument('--out')
    parser.add_argument('--optimizer')
    parser.add_argument('--threads', type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    more = {'optimizer': args.optimizer} if args.optimizer else {}
    if args.task == 'memory': memory(args.name, args.out, **more)
    else: globals()[args.task]()
