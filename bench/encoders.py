"""The encoders in the package beside VGG-16 and `random`: the figures of bench/README.md.

    python bench/encoders.py cost     --vgg FILE                        seconds, forward and backward, by VGG-16
    python bench/encoders.py likeness --vgg FILE --photos DIR --works DIR   do they find the same pictures alike?
    python bench/encoders.py retrieval --photos DIR                         half photos find their other half
    python bench/encoders.py sheet    --works DIR --out DIR [--encoder NAME]   six photos in eight styles
    python bench/encoders.py recipes  --vgg FILE --works DIR --out DIR         every named recipe on the real VGG-16
    python bench/encoders.py load                                       seconds until an encoder is ready

`--photos` and `--works`: folders of pictures. `likeness` takes every 33rd photo and every 4th work by name, which no
fit has seen, and `retrieval` every 5th photo. `--works` for `sheet` and `recipes`: the CC0 works of bench/judge.py.
`--vgg`: VGG-16's weights file.
"""
import argparse
import sys
import time
from pathlib import Path
import torch
from PIL import Image
from skimage import data
from style_nb.callbacks import PRECISIONS, best_precision
from style_nb.comparing import retrieval
from style_nb.encoders import encoder, packaged
from style_nb.fitting import read_pictures, split_pictures
from style_nb.gallery import sample
from style_nb.pictures import contact_sheet, load_picture, save_picture, show_pictures
from style_nb.recipe import RECIPES, named_recipe
from style_nb.shrinking import likeness, style_layers
from style_nb.transfer import stylize

DEEPEST = 'relu4_1'  # of the default recipe


def seconds(encoders, hw, repeats):
    "Least seconds of forward and backward down to the deepest layer, interleaved; {name: seconds}"
    best = {n: float('inf') for n in encoders}
    chains = {n: enc.slice([DEEPEST]) for n, enc in encoders.items()}
    for _ in range(repeats):
        for name, enc in encoders.items():
            x = torch.rand(1, 3, *hw, requires_grad=True)
            start = time.perf_counter()
            chains[name](enc.normalise(x)).sum().backward()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def cost(args):
    "Forward and backward at 432x324, in the machine's best precision"
    kind = PRECISIONS[best_precision()]
    made = ({n: encoder(n, padding='reflect') for n in packaged()} | {'vgg16': encoder('vgg16', padding='reflect',
        weights=args.vgg)})
    made = {n: e.to(kind, memory_format=torch.channels_last) for n, e in made.items()}
    got = seconds(made, (324, 432), args.repeats)
    for name in packaged():
        print(f"{name:13} to {DEEPEST}, {best_precision()}: {got[name]*1e3:.0f} ms, VGG-16 {got['vgg16']*1e3:.0f} ms: "
              f"1/{got['vgg16']/got[name]:.2f}")


def test_likeness(args):
    "Rank correlation with VGG-16 of the distances of all pairs of pictures"
    files = sorted(args.photos.glob('*.[jJ]*'))[::33] + sorted(args.works.glob('*.jpg'))[::4]
    pictures = [load_picture(f, 192) for f in files]
    large = encoder('vgg16', 'avg', 'reflect', args.vgg)
    for name in (*packaged(), 'random'):
        weights = args.weights if args.weights and name == packaged()[0] else None
        enc = encoder(name, 'avg', 'reflect', weights)
        layers = [l for l in style_layers(enc) if l in large.layers]
        got = likeness(enc, large, pictures, layers)
        print(f'{name:13} ' + '  '.join(f'{l} {v:.3f}' for l, v in got.items()), flush=True)


def test_retrieval(args):
    "Share of half photos that find their other half, grey and in colour"
    photos = list(split_pictures(read_pictures(args.photos))[1].values())
    for name in ('random', *packaged()):
        for grey in (True, False):
            got = retrieval(encoder(name), photos, grey=grey)
            print(f"{name:13} {'grey' if grey else 'colour':7} " + '  '.join(f'{l} {v:.3f}' for l, v in got.items()),
                flush=True)


CONTENTS = ('astronaut', 'chelsea', 'coffee', 'rocket', 'metmuseum_437879', 'nga_61379')
STYLES = ('metmuseum_436535', 'artic_24645', 'nga_46523', 'artic_8980', 'nga_106382', 'swirls', 'mosaic', 'woodcut')


def named(name, works):
    "A photo of scikit-image's, a sample of ours, or a CC0 work"
    if hasattr(data, name): return Image.fromarray(getattr(data, name)())
    if '_' in name: return Image.open(works/f'{name}.jpg').convert('RGB')
    return sample(name)


def test_sheet(args):
    "Six contents in eight styles with the default recipe"
    args.out.mkdir(parents=True, exist_ok=True)
    styles = [named(n, args.works) for n in STYLES]
    rows = [[None, *styles]]
    for name in CONTENTS:
        content, start = named(name, args.works), time.perf_counter()
        rows.append([content, *(stylize(content, s, encoder=args.encoder, size=args.size, progress=False).image
            for s in styles)])
        print(name, f'{time.perf_counter() - start:.0f} s', flush=True)
        save_picture(contact_sheet(rows, height=324), args.out/'sheet.png')


def test_recipes(args):
    "Every named recipe on the real VGG-16, at its own size and steps; pictures that are there are not painted again"
    args.out.mkdir(parents=True, exist_ok=True)
    content, style = named('astronaut', args.works), named('metmuseum_436535', args.works)
    names = [name for name in RECIPES if name != 'default']
    for name in names:
        path = args.out/f'recipe_{name}.png'
        if not path.exists():
            start = time.perf_counter()
            recipe = named_recipe(name, encoder='vgg16', encoder_weights=args.vgg)
            save_picture(stylize(content, style, recipe, progress=False).image, path)
            print(f'{name}: {recipe.steps} steps, {time.perf_counter() - start:.0f} s', flush=True)
    pictures = [args.out/f'recipe_{name}.png' for name in names]
    show_pictures(pictures, names, ncols=5, height=3.2).savefig(args.out/'recipes_vgg16.jpg', dpi=80)


def load(args):
    "Seconds from the name of an encoder to an encoder, least of five"
    for name in packaged():
        best = float('inf')
        for _ in range(5):
            start = time.perf_counter()
            encoder(name)
            best = min(best, time.perf_counter() - start)
        print(f'{name}: {best:.3f} s')


def main():
    tasks = dict(
        cost=cost,
        likeness=test_likeness,
        retrieval=test_retrieval,
        sheet=test_sheet,
        recipes=test_recipes,
        load=load,
    )
    needs = dict(
        cost=['vgg'],
        likeness=['vgg', 'photos', 'works'],
        retrieval=['photos'],
        sheet=['works', 'out'],
        recipes=['vgg', 'works', 'out'],
        load=[],
    )
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('task', choices=list(tasks))
    for name in ('photos', 'works', 'out', 'weights'): p.add_argument(f'--{name}', type=Path)
    p.add_argument('--vgg', help="VGG-16's weights file")
    p.add_argument('--encoder', default=packaged()[0])
    p.add_argument('--size', type=int, default=432)
    p.add_argument('--repeats', type=int, default=20)
    args = p.parse_args()
    for name in needs[args.task]:
        if getattr(args, name) is None: p.error(f'{args.task} needs --{name}')
    tasks[args.task](args)


if __name__ == '__main__': sys.exit(main())
