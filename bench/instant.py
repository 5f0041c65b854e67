"""A picture in a blink: `instant`, judged by bench/judge.py on twelve pairs that no tuning has seen.

    python bench/instant.py --vgg FILE --works DIR [--size 432] [--retouch 0] [--out DIR]
    python bench/instant.py --vgg FILE --works DIR --recipe instant    `stylize` with that recipe
    python bench/instant.py --vgg FILE --works DIR --made DIR    pictures of another program, PHOTO_x_PAINTING.png
    python bench/instant.py --works DIR --inputs DIR             photos and paintings for other programs

Photos of scikit-image, scikit-learn and matplotlib; CC0 works of which every fourth by name was kept out of every fit.
Seconds are after loading, from the second picture of a process on. Run it on an idle machine.
"""
import argparse
import statistics
import time
from pathlib import Path
import matplotlib.cbook as cbook
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image
from judge import Judge, fit, row
from style_nb.instant import Atelier, instant
from style_nb.transfer import stylize

PAIRS = [
    ('astronaut', 'artic_9021'),           # Marc, The Bewitched Mill
    ('chelsea', 'nga_46688'),              # Rousseau, The Equatorial Jungle
    ('coffee', 'metmuseum_437658'),        # Seurat, Study for A Sunday on La Grande Jatte
    ('rocket', 'si_saam_1909.10.2'),       # Moonlight
    ('china', 'clevelandart_2020.106'),    # Cross, The Pink Cloud
    ('hopper', 'nga_72012'),               # Toulouse-Lautrec, Marcelle Lender Dancing the Bolero
    ('flower', 'nga_61368'),               # Cassatt, Little Girl in a Blue Armchair
    ('astronaut', 'artic_60812'),          # Gauguin, Merahi metua no Tehamana
    ('chelsea', 'nga_46519'),              # Degas, Café Singer
    ('china', 'clevelandart_1964.282'),    # Guillaumin, Valley of the Sédelle
    ('coffee', 'metmuseum_435882'),        # Cézanne, Still Life with Apples and a Pot of Primroses
    ('hopper', 'metmuseum_438817'),        # Degas, The Dance Class
]


def photo_named(name):
    "A photo that comes with a package"
    if name in ('china', 'flower'):
        return Image.fromarray(load_sample_image(f'{name}.jpg'))
    if name == 'hopper':
        return Image.open(cbook.get_sample_data('grace_hopper.jpg', asfileobj=False)).convert('RGB')
    return Image.fromarray(getattr(data, name)()).convert('RGB')


def pairs(works):
    "(photo, painting, name of the picture made of them) for each pair"
    for photo, painting in PAIRS:
        yield photo_named(photo), Image.open(works/f'{painting}.jpg').convert('RGB'), f'{photo}_x_{painting}'


def write_inputs(args):
    "Photos at the size asked for, and paintings as they are"
    for photo, painting, name in pairs(args.works):
        fit(photo, args.size).save(args.inputs/f'{name}_photo.png')
        painting.save(args.inputs/f'{name}_painting.png')


def painted(photo, painting, args, atelier):
    "Our picture, and the seconds it took"
    begin = time.perf_counter()
    if args.recipe:
        made = stylize(photo, painting, args.recipe, size=args.size, progress=False).image
    else:
        made = instant(photo, painting, size=args.size, retouch=args.retouch, atelier=atelier)
    return made, time.perf_counter() - begin


def read(name, args):
    "Another program's picture"
    return fit(Image.open(args.made/f'{name}.png').convert('RGB'), args.size), None


def score(args):
    "A line for each pair, and medians"
    judge, rows = Judge(args.vgg), []
    who = args.made.name if args.made else args.recipe or 'one pass'
    atelier = Atelier()
    if not args.made:
        painted(*next(pairs(args.works))[:2], args, atelier)
    for photo, painting, name in pairs(args.works):
        made, seconds = read(name, args) if args.made else painted(photo, painting, args, atelier)
        if args.out:
            made.save(args.out/f'{name}.png')
        rows.append(row(name.split('_x_'), who, judge(made, photo, painting), seconds))
    for figure in ('J', 'ssim', 'seconds'):
        values = [r[figure] for r in rows if r[figure] is not None]
        if values:
            print(f'median {figure}: {statistics.median(values):.3f}')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--vgg', help="VGG-16's weights file")
    for name in ('works', 'out', 'made', 'inputs'):
        p.add_argument(f'--{name}', type=Path)
    p.add_argument('--recipe', default='')
    p.add_argument('--size', type=int, default=432)
    p.add_argument('--retouch', type=int, help='steps of the loop after the pass; 0 is the pass alone')
    args = p.parse_args()
    for folder in (args.out, args.inputs):
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
    if args.inputs:
        write_inputs(args)
    else:
        score(args)


if __name__ == '__main__':
    main()
