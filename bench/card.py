"""Does all of it run on a graphics card, and what does that bring? One script, a few minutes, for a machine with CUDA.

    python bench/card.py                  # checks, then speeds
    python bench/card.py --device cpu     # the same checks without a card: what the script itself does wrong
    python bench/card.py --vgg VGG.safetensors --only speeds

A check paints the same on the card and on the processor in fp32 and compares losses or pictures; one that differs or
fails ends the script with exit code 1. Speeds stand beside a plain fp32 loop on the same card, in the same run."""
import argparse, sys, tempfile, time, traceback
from pathlib import Path

root = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(root), str(root/'bench')]
import numpy as np, PIL, torch
import reference
from style_nb.all import Session, encoder, enlarge, instant, load_picture, resize, revert, sample, stylize, sweep
from style_nb.learner import StepCallback
from style_nb.painter import train_painter
from style_nb.recipe import named_recipe
from style_nb.zoo import CONTENT_KINDS, STYLE_KINDS

PHOTO, PAINTING = sample('astronaut'), sample('swirls')
CHECKS = {}

def check(f):
    CHECKS[f.__name__.replace('_', ' ')] = f
    return f

def both(device, call, **how):
    "(share by which the last losses differ, mean levels by which the pictures differ)"
    on_card, on_cpu = (call(device=d, precision='fp32', progress=False, **how) for d in (device, 'cpu'))
    a, b = on_card.history.loss.iloc[-1], on_cpu.history.loss.iloc[-1]
    pixels = [np.asarray(r.image, dtype=np.float64) for r in (on_card, on_cpu)]
    return abs(a - b)/abs(b), abs(pixels[0] - pixels[1]).mean()

def near(device, call=stylize, args=(PHOTO, PAINTING), within=.02, levels=3., **how):
    "Paint on both: the losses of few steps are near each other."
    how = dict(size=128, steps=8, levels=1) | how
    share, apart = both(device, lambda **k: call(*args, **k), **how)
    assert share < within and apart < levels, f'losses differ by {share:.2%}, pictures by {apart:.2f} levels'
    return f'{share:.1e} {apart:.2f} levels'

@check
def default(device): return near(device)

@check
def pyramid(device): return near(device, levels=3, steps=12, within=.06)  # L-BFGS magnifies the last bits

@check
def Adam(device): return near(device, optimizer='adam', lr=.02)

@check
def from_noise(device): return near(device, init='noise')

@check
def two_styles_and_colours(device):
    return near(device, args=(PHOTO, [PAINTING, sample('mosaic')]), style_blend=[2, 1], colours='content-oklab')

@check
def masks(device):
    half = torch.zeros(1, 1, 128, 128)
    half[..., :64] = 1
    return near(device, args=(PHOTO, [PAINTING, sample('mosaic')]), masks=[half, 1 - half])

@check
def average_and_history_of_one(device): return near(device, average=.9, history=1, optimizer='adam', lr=.01)

@check
def line_search(device): return near(device, line_search=True, steps=4)

@check
def in_tiles(device):
    whole = stylize(PHOTO, PAINTING, size=192, steps=4, levels=1, precision='fp32', device=device, progress=False)
    tiled = stylize(PHOTO, PAINTING, size=192, steps=4, levels=1, precision='fp32', device=device, tile=64,
        progress=False)
    share = abs(whole.history.loss.iloc[-1]/tiled.history.loss.iloc[-1] - 1)
    assert share < .005, f'losses differ by {share:.2%}'
    return f'{share:.1e}'

@check
def reversion(device): return near(device, revert, (PAINTING, PHOTO))

@check
def enlarging(device):
    small = stylize(PHOTO, PAINTING, size=96, steps=8, device=device, progress=False)
    return near(device, lambda **k: enlarge(small, PHOTO, PAINTING, **{n: v for n, v in k.items() if n != 'levels'}),
        (), size=192, steps=4)

@check
def every_encoder(device):
    return ', '.join(near(device, encoder=name, steps=4) for name in ('texnet', 'texnet-small', 'random'))

@check
def every_style_loss(device):
    how = dict(steps=3, within=.05)
    return '; '.join(f'{k} {near(device, style_kind=k, **how)}' for k in STYLE_KINDS)

@check
def every_content_loss(device):
    return '; '.join(f'{k} {near(device, content_kind=k, steps=3)}' for k in CONTENT_KINDS)

@check
def same_seed_same_picture(device):
    one, two = (stylize(PHOTO, PAINTING, size=160, steps=30, init='noise', seed=3, device=device, progress=False)
        for _ in range(2))
    assert one.image.tobytes() == two.image.tobytes(), 'two runs differ'

@check
def resumed(device):
    how = dict(size=96, levels=1, device=device, progress=False)
    whole, half = (stylize(PHOTO, PAINTING, steps=n, **how) for n in (12, 6))
    on = stylize(PHOTO, PAINTING, steps=12, resume=half, **how)
    apart = abs(np.asarray(on.image, dtype=float) - np.asarray(whole.image, dtype=float)).max()
    assert apart == 0, f'{apart} levels'

@check
def half_precision(device):
    fp32, auto = (stylize(PHOTO, PAINTING, size=128, steps=40, levels=1, device=device, precision=p, progress=False)
        for p in ('fp32', 'auto'))
    share = auto.history.loss.iloc[-1]/fp32.history.loss.iloc[-1] - 1
    assert share < .1, f'the loss is {share:.1%} higher'
    return f'loss {share:+.1%}'

@check
def instant_picture(device):
    a, b = (np.asarray(instant(PHOTO, PAINTING, size=256, device=d), dtype=float) for d in (device, 'cpu'))
    assert abs(a - b).mean() < 4, f'{abs(a - b).mean():.2f} levels'
    return f'{abs(a - b).mean():.2f} levels'

@check
def sweeping(device):
    made = sweep(PHOTO, PAINTING, dict(style_weight=[3, 30]), size=96, steps=8, device=device, progress=False)
    assert len(made.items) == 2, made

@check
def a_session(device):
    session = Session(PHOTO, PAINTING, size=96, steps=30, device=device)
    try:
        session.start()
        session.set(style_weight=40.)
        session.wait()
        assert session.done == 30 and session.error is None, session.error
    finally: session.close()

@check
def a_painter(device):
    with tempfile.TemporaryDirectory() as folder:
        painter = train_painter(PAINTING, out=Path(folder)/'p.safetensors', canvas=64, steps=6, size=64, device=device,
            progress=False)
        assert painter(PHOTO).size[0] > 0

def checks(device):
    wrong = []
    for name, f in CHECKS.items():
        start = time.perf_counter()
        try: said = f(device) or ''
        except Exception as e:
            wrong.append(name)
            said = f'WRONG: {type(e).__name__}: {e}'
            if not isinstance(e, AssertionError): traceback.print_exc()
        print(f'{time.perf_counter() - start:6.1f} s  {name}: {said}', flush=True)
    return wrong

class Clock(StepCallback):
    "Seconds of the steps after the first ten, without what comes before and after a run."
    order, WARM = 90, 10

    def __init__(self): self.steps = 0

    def after_step(self):
        self.steps += 1
        if self.steps == self.WARM: self.start = now()

    def rate(self): return (self.steps - self.WARM)/(now() - self.start)

def now():
    torch.cuda.synchronize()
    return time.perf_counter()

def of_ours(size, content, style, recipe, precision, weights, steps, device):
    "Steps a second and peak of the card's memory, GB."
    clock = Clock()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    ended = []
    clock.after_fit = lambda: ended.append(clock.rate())
    stylize(content, style, recipe, size=size, steps=steps, levels=1, precision=precision, device=device,
        progress=False, encoder_weights=weights, cbs=[clock])
    return ended[0], torch.cuda.max_memory_allocated()/1e9

def of_plain(objective, there, steps):
    "The same of the plain loop."
    reference.paint(objective, there, 3)
    torch.cuda.reset_peak_memory_stats()
    start = now()
    reference.paint(objective, there, steps)
    return steps/(now() - start), torch.cuda.max_memory_allocated()/1e9

def speeds(name, weights, sizes, device):
    "A table: this library in its own precision and in fp32, and a plain loop."
    recipe = named_recipe('default', init='content', encoder=name)
    enc = encoder(name, weights=weights, padding='reflect') if weights else encoder(name, padding='reflect')
    print(f'\n{name}: steps/s (peak GB)')
    print('| px | style_nb | style_nb fp32 | plain loop fp32 |\n| --- | --- | --- | --- |')
    for size in sizes:
        content = resize(load_picture(PHOTO), (size, size))
        style = resize(load_picture(PAINTING), (size, size))
        steps = 70 if size <= 1024 else 25
        cells = [of_ours(size, content, style, recipe, o, weights, steps, device) for o in ('auto', 'fp32')]
        objective = reference.Objective(enc, recipe, content, style)
        for k in ('chain', 'mean', 'std'): setattr(objective, k, getattr(objective, k).to(device))
        objective.content = {l: (t.to(device), k.to(device)) for l, (t, k) in objective.content.items()}
        objective.style = {l: (t.to(device), k.to(device)) for l, (t, k) in objective.style.items()}
        there = content.to(device)
        try: cells.append(of_plain(objective, there, steps))
        except torch.cuda.OutOfMemoryError: cells.append((0., 0.))
        del objective, there
        print(f'| {size} | ' + ' | '.join(f'{r:.1f} ({m:.2f})' for r, m in cells) + ' |', flush=True)

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--device', default='cuda')
    p.add_argument('--vgg', help="a file of VGG-16's weights: its speeds too")
    p.add_argument('--only', choices=['checks', 'speeds'])
    p.add_argument('--sizes', type=int, nargs='+', default=[256, 512, 1024, 2048, 4096])
    args = p.parse_args()
    if args.device == 'cuda':
        print(torch.cuda.get_device_name(), 'torch', torch.__version__, 'Pillow', PIL.__version__, flush=True)
    wrong = [] if args.only == 'speeds' else checks(args.device)
    if args.only != 'checks' and args.device == 'cuda':
        speeds('texnet', None, args.sizes, args.device)
        if args.vgg: speeds('vgg16', args.vgg, args.sizes, args.device)
    if wrong: sys.exit('Wrong: ' + ', '.join(wrong))

if __name__ == '__main__': main()
