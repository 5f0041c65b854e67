"""How much a painted film flickers, beside its frames painted one by one. Run from the repository's root:

    python bench/film.py                              a pan and zoom over a photo, whose flow is known
    python bench/film.py CLIP.mp4 --start 34          a clip; its flow is measured by the way that the film did not use
    python bench/film.py flow                         mean end-point error of flow on known motion
    options: --style FILE --size 320 --frames 12 --encoder texnet-small --steps 20 --first 200 --flow auto --out FOLDER

Added: the mean masked squared difference to the frame before carried along, less that of the plain film; then of ten
frames apart. Style: squared distance of Gram matrices, weighted as the recipe does. SSIM: of the brightness, to the
plain frame.
"""
import argparse
import time
from pathlib import Path
import imageio.v3 as iio
import numpy as np
import torch
from skimage import data
from skimage.metrics import structural_similarity
from style_nb.all import encoder, load_picture, sample, show_pictures
from style_nb.colour import luminance
from style_nb.film import RETOUCHED, film_frames
from style_nb.flicker import warping_error
from style_nb.house import store_style
from style_nb.instant import Atelier, instant
from style_nb.flow import carry, flow_method, optical_flow, window, window_flow
from style_nb.learner import picture_grams
from style_nb.pictures import resize
from style_nb.recipe import RECIPES

WEIGHTS = RECIPES['default'].style_weights


def view(i):
    "Centre and scale of frame `i` of the pan and zoom"
    return (236 + 1.7*i, 246 + .9*i), 1.25*.993**i


def pan(n, hw):
    "A pan and zoom over a photo, and its flow"
    return [window(data.astronaut(), *view(i), hw) for i in range(n)], lambda i, j: window_flow(view(i), view(j), hw)


def clip(path, start, n, size):
    "Frames of a clip"
    found = []
    for i, frame in enumerate(iio.imiter(path, plugin='FFMPEG')):
        if i >= start + n: break
        if i >= start: found.append(load_picture(np.asarray(frame), size))
    return found


def style_error(x, see, targets):
    "How far a picture is from the style"
    found = picture_grams(see, x, list(WEIGHTS))
    return sum(w*float((found[k] - targets[k]).square().sum()/targets[k].square().sum()) for k, w in WEIGHTS.items())


def likeness(x, y):
    "SSIM of the brightness"
    return structural_similarity(*(luminance(o)[0, 0].numpy() for o in (x, y)), data_range=1.)


def timed(frames):
    "Pictures, and CPU seconds for each"
    start = time.process_time()
    made = [load_picture(im) for im in frames]
    return made, (time.process_time() - start)/len(made)


def ways(frames, args, style):
    "{name: (painted frames, CPU seconds a frame)}"
    how = dict(size=args.size, progress=False)
    loop = how | dict(encoder=args.encoder, first_steps=args.first)
    name = store_style('style', style)
    atelier = Atelier()
    alone = (im for x in frames for im in film_frames([x], style, **loop))
    passes = (instant(x, name, size='own', retouch=RETOUCHED, atelier=atelier) for x in frames)
    yield 'each by itself', *timed(alone)
    yield f'film, {args.flow}', *timed(film_frames(frames, style, steps=args.steps, flow=args.flow, **loop))
    yield 'one pass each', *timed(passes)
    yield f'one pass, {args.flow}', *timed(film_frames(frames, style, one_pass=True, flow=args.flow, **how))


def measured(made, frames, flow, see, targets):
    "A row of the table"
    lags = [lag for lag in (1, 10) if lag < len(frames)]
    errors = [warping_error(made, frames, lag, flow) for lag in lags]
    style = np.mean([style_error(x, see, targets) for x in made[1:]])
    return errors, style, np.mean([likeness(x, y) for x, y in zip(made[1:], frames[1:])])


def table(args):
    "Print the table, and write sheets"
    hw = args.size*3//4, args.size
    frames, flow = pan(args.frames, hw) if args.clip is None else (
        clip(args.clip, args.start, args.frames, args.size), 'tvl1' if flow_method(args.flow) == 'dis' else 'dis')
    style = load_picture(args.style, enough=round(1.5*args.size)) if args.style else load_picture(sample('swirls'))
    see = encoder(args.encoder, pooling='avg', padding='reflect')
    targets = picture_grams(see, resize(style, min(max(style.shape[-2:]), round(1.5*args.size))), list(WEIGHTS))
    h, w = frames[0].shape[-2:]
    print(f"{args.clip or 'pan and zoom'}, {len(frames)} frames of {w}x{h} px, flow to measure: "
          f"{flow if isinstance(flow, str) else 'known'}; first frame {args.first} steps, the next {args.steps}")
    print(f"{'':22}{'added':>9}{'own':>9}{'10 apart':>10}{'own':>9}{'style':>8}{'SSIM':>7}{'CPU s':>7}")
    for name, made, seconds in ways(frames, args, style):
        errors, style_gap, like = measured(made, frames, flow, see, targets)
        cells = ''.join(f'{e.added:>{9 + i}.5f}{e.own:>9.5f}' for i, e in enumerate(errors))
        print(f'{name:22}{cells}{style_gap:8.3f}{like:7.3f}{seconds:7.2f}', flush=True)
        if args.out: sheet(args.out/f"{name.replace(', ', '_').replace(' ', '_')}.png", made, frames, args.flow)


def sheet(path, made, frames, flow):
    "Six frames, and what each differs from the one before carried along, three times as bright"
    shown = made[:6]
    apart = [(x - carry(y, optical_flow(a, b, flow))).abs().mul(3).clamp(0, 1)
             for x, y, a, b in zip(made[1:6], made, frames[1:], frames)]
    path.parent.mkdir(parents=True, exist_ok=True)
    show_pictures([*shown, *apart], ncols=3, height=2.4).savefig(path, dpi=110)


def known_motion(args):
    "Mean end-point error of both ways"
    frames, flow = pan(11, (args.size*3//4, args.size))
    for method in ('tvl1', 'dis'):
        for gap in (1, 4):
            pairs = [(i, i + gap) for i in range(0, 11 - gap, 3)]
            errors = [(optical_flow(frames[i], frames[j], method) - flow(i, j)).square().sum(1).sqrt().mean()
                      for i, j in pairs]
            motion = flow(0, gap).square().sum(1).sqrt().mean()
            start = time.process_time()
            optical_flow(frames[0], frames[gap], method)
            print(f'{method}: motion {motion:.1f} px, error {torch.stack(errors).mean():.3f} px, '
                  f'{time.process_time() - start:.2f} s')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('clip', nargs='?')
    parser.add_argument('--style')
    parser.add_argument('--encoder', default='texnet-small')
    parser.add_argument('--flow', default='auto')
    parser.add_argument('--out', type=Path)
    for name, usual in dict(size=320, frames=12, steps=20, first=200, start=0).items():
        parser.add_argument(f'--{name}', type=int, default=usual)
    args = parser.parse_args()
    args.flow = flow_method(args.flow)
    known_motion(args) if args.clip == 'flow' else table(args)


if __name__ == '__main__': main()
