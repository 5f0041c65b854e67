"""Painters: networks that learnt one painting each, judged by bench/judge.py on photos that they have not seen.

    python bench/painters.py --vgg FILE --works DIR --painters PAINTING=FILE.safetensors [...] [--size 256] [--out DIR]

PAINTING is a picture's name in the folder `--works`, without its suffix. For each painting a line for the recoloured
photo, for 12 steps of L-BFGS from it (one level, the encoder `texnet`, and VGG-16 itself, which is the judge's), and
for the painter; then medians. Photos of scikit-image, scikit-learn and matplotlib; `--photos` names some of them.
Seconds are CPU seconds of this process.
"""
import argparse
import time
from pathlib import Path
from PIL import Image
from instant import photo_named
from judge import SETTINGS, Judge, fit, row, summary
from style_nb.colour import match_colours
from style_nb.painter import load_painter
from style_nb.pictures import load_picture, to_pil
from style_nb.transfer import stylize

PHOTOS = ('astronaut', 'chelsea', 'coffee', 'rocket', 'china', 'hopper', 'flower')


def recoloured(photo, painting, size):
    "The photo in the painting's colours: where L-BFGS begins"
    return to_pil(match_colours(load_picture(fit(photo, size)), load_picture(painting), rounds=1))


def optimised(photo, painting, size, encoder, weights=None, steps=12):
    "A few steps of L-BFGS from the recoloured photo, with the judge's own objective"
    settings = SETTINGS | dict(levels=1, steps=steps, encoder=encoder, encoder_weights=weights)
    return stylize(photo, painting, size=size, progress=False, **settings).image


def timed(work, *args):
    "What it makes, and its CPU seconds"
    begin = time.process_time()
    made = work(*args)
    return made, time.process_time() - begin


def pictures(photo, painting, painter, args):
    "{who: (picture, seconds)}"
    return {
        'recoloured': timed(recoloured, photo, painting, args.size),
        'texnet, 12': timed(optimised, photo, painting, args.size, 'texnet'),
        'vgg16, 12': timed(optimised, photo, painting, args.size, 'vgg16', args.vgg),
        'painter': timed(painter, photo, args.size),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--vgg', required=True, help="VGG-16's convolutions, .safetensors")
    parser.add_argument('--works', type=Path, required=True, help='folder of paintings')
    parser.add_argument('--painters', nargs='+', required=True, metavar='PAINTING=FILE', help='painters, by painting')
    parser.add_argument('--photos', nargs='+', choices=PHOTOS, default=PHOTOS)
    parser.add_argument('--size', type=int, default=256, help='longer side, px')
    parser.add_argument('--out', type=Path, help='folder for the pictures')
    args = parser.parse_args()
    judge = Judge(args.vgg)
    for name, _, file in (word.partition('=') for word in args.painters):
        painting = Image.open(args.works/f'{name}.jpg').convert('RGB')
        painter, rows = load_painter(file), []
        print(painter)
        painter(photo_named('coffee'), args.size)  # the first call of a process is slower
        for photo in args.photos:
            for who, (made, seconds) in pictures(photo_named(photo), painting, painter, args).items():
                rows.append(row((photo, name), who, judge(made, photo_named(photo), painting), seconds))
                if args.out:
                    args.out.mkdir(parents=True, exist_ok=True)
                    made.save(args.out/f"{photo}_x_{name}_{who.replace(', ', '_')}.png")
        summary(rows)


if __name__ == '__main__':
    main()
