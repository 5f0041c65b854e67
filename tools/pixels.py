"""Do two commits paint the same pixels? Run from the repository's root, with the same threads on the same machine:

    python tools/pixels.py -o before.json           a digest of every picture, before a change
    python tools/pixels.py --compare before.json    after it: which pictures differ
"""
import argparse
import hashlib
import json
import tempfile
from pathlib import Path
import numpy as np
from PIL import Image
from style_nb.all import *
from style_nb.learner import StepCallback
from style_nb.zoo import CONTENT_KINDS, STYLE_KINDS

PHOTO, PAINTING, OTHER = sample('astronaut'), sample('swirls'), sample('mosaic')
SMALL = dict(size=96, steps=12, progress=False)


def kinds():
    "One picture for each kind of style and of content"
    made = {f'style {k}': stylize(PHOTO, PAINTING, style_kind=k, **SMALL).image for k in STYLE_KINDS}
    return made | {f'content {k}': stylize(PHOTO, PAINTING, content_kind=k, **SMALL).image for k in CONTENT_KINDS}


def masks():
    half = Image.fromarray(np.tile(np.linspace(0, 255, 64).astype('uint8'), (64, 1)))
    upside = Image.fromarray(255 - np.asarray(half))
    both = stylize(PHOTO, [PAINTING, OTHER], masks=[half, upside], style_masks=[upside.resize(PAINTING.size), None],
        **SMALL)
    return {'two regions': both.image, 'within': stylize(PHOTO, PAINTING, change_mask=half, content_mask=upside,
        **SMALL).image}


def colours():
    ways = ('content-luma', 'content-oklab', 'content-match', 'content-before')
    return {w: stylize(PHOTO, PAINTING, colours=w, **SMALL).image for w in ways}


def recipes():
    return {n: stylize(PHOTO, PAINTING, n, encoder='texnet', **SMALL | dict(levels=1)).image for n in RECIPES}


def starts():
    made = {n: stylize(PHOTO, PAINTING, init=n, **SMALL).image for n in ('content', 'noise', 'style')}
    return made | {'a picture, kept': stylize(PHOTO, PAINTING, init=OTHER, keep=10., noise_share=.2, **SMALL).image}


def ways():
    "Settings of the run itself"
    asked = dict(
        adam=dict(optimizer='adam', average=.9),
        line_search=dict(line_search=True),
        balance=dict(balance=True),
        barycentre=dict(style_mix='barycentre', style_blend=[1, 2]),
        levels=dict(levels=3, steps=24),
        finish=dict(finish='texnet-small', finish_steps=4),
        schedule=dict(schedule=[(4, 'style_weight', 30.), (8, 'content_weights', {'relu2_2': 0., 'relu3_1': 2.})]),
    )
    return {n: stylize(PHOTO, [PAINTING, OTHER], **SMALL | how).image for n, how in asked.items()}


def ideas():
    "The rooms over the front door"
    small = enlarge(stylize(PHOTO, PAINTING, **SMALL), PHOTO, PAINTING, 128, steps=8, progress=False)
    return {
        'revert': revert(PAINTING, PHOTO, **SMALL).image,
        'revert, bare': revert(PAINTING, PHOTO, keep=0., match=0., **SMALL).image,
        'palette': palette(PAINTING, seamless=True, **SMALL).image,
        'tile': tile(PHOTO, 4, place=.1, turn=5., seed=1),
        'in tiles': stylize(PHOTO, PAINTING, style_tiles=3, **SMALL).image,
        'style of maps': reconstruct(PHOTO, 'relu2_1', 'style', size=96, steps=12, progress=False).image,
        'enlarged': small.image,
    }


def sweeps():
    made = sweep(PHOTO, [PAINTING, OTHER], dict(style_weight=[3., 30.]), **SMALL)
    return {str(i): item.image for i, item in enumerate(made.items)}


def resume():
    with tempfile.TemporaryDirectory() as folder:
        first = stylize(PHOTO, PAINTING, snapshots=4, cbs=[StopAfter(7)], **SMALL)
        first.save_state(Path(folder)/'state.safetensors')
        return {'stopped': first.image, 'gone on': stylize(PHOTO, PAINTING, resume=Path(folder)/'state.safetensors',
            progress=False).image}


class StopAfter(StepCallback):
    "End a run after a step"
    order = 49  # before `Stop` looks

    def __init__(self, step): self.at = step

    def after_step(self):
        if self.learn.controls.step >= self.at: self.learn.stop.now()


def session():
    "Moves at fixed steps, a new objective, a pin and its code"
    s = Session('astronaut', 'swirls', size=96, steps=20)
    s.step(5).wait()
    s.set(style_weight=40., style_weights={'relu1_1': 0.})
    s.step(5).wait()
    first = s.pin()
    s.set(content='cat', tiles=2, contrast=.7)
    s.step(4).wait()
    again = {}
    exec(first.code, again)
    made = {'moved': first.image, 'another content': s.result.image, 'by its code': again['result'].image}
    s.close()
    return made


TASKS = [kinds, masks, colours, recipes, starts, ways, ideas, sweeps, resume, session]


def digests():
    found = {}
    for task in TASKS:
        for name, image in task().items():
            found[f'{task.__name__}: {name}'] = hashlib.sha256(
                np.asarray(to_pil(load_picture(image))).tobytes()).hexdigest()
            print(task.__name__, name, found[f'{task.__name__}: {name}'][:12], flush=True)
    return found


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('-o', '--output')
    parser.add_argument('--compare')
    args = parser.parse_args()
    now = digests()
    if args.output: Path(args.output).write_text(json.dumps(now, indent=1))
    if args.compare:
        before = json.loads(Path(args.compare).read_text())
        differ = [n for n in {**before, **now} if before.get(n) != now.get(n)]
        print(f'{len(differ)} of {len(now)} differ', *differ, sep='\n')
        raise SystemExit(bool(differ))
