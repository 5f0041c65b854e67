"""Makes the pictures that come of no photo. Run from the repository's root:

    python tools/samples.py             style_nb/data/*.jpg, and nbs/images/guitar.png and harbour.png of the lessons
    python tools/samples.py -o FOLDER   all of them into one folder, to compare
"""
import argparse
from pathlib import Path
import numpy as np
from PIL import Image
from style_nb.painting import paint_scene
import scenes

ROOT = Path(__file__).parent.parent
SCENES = dict(
    swirls=scenes.night,
    dots=scenes.harbour,
    woodcut=scenes.waves,
    facets=scenes.table,
    ink=scenes.harbour,
    mosaic=scenes.fishes,
)


def made_up(kind, size=(704, 528), seed=0):
    "A scene of the hand's own, painted by it"
    scene = SCENES[kind](*size, np.random.default_rng([seed, 2]))
    return paint_scene(kind, scene, seed)


def unpainted(scene):
    return Image.fromarray((scene.rgb.clip(0, 1)*255).astype(np.uint8))


def guitar(ground=(.55, .66, .68), cx=.42, cy=.58, size=1.12, angle=-.75):
    "A guitar on a plain ground, for lesson 4"
    scene = scenes.Collage(300, 300)
    scene.rgb = scene.rgb + ground
    scenes.guitar(scene, cx, cy, size, angle)
    return unpainted(scene)


def harbour():
    "A harbour, for lesson 8"
    return unpainted(scenes.harbour(512, 384, np.random.default_rng(0)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('-o', '--output', type=Path, help='a folder for all of them')
    args = parser.parse_args()
    paintings, plain = args.output or ROOT/'style_nb/data', args.output or ROOT/'nbs/images'
    paintings.mkdir(parents=True, exist_ok=True)
    for kind in SCENES:
        made_up(kind).save(paintings/f'{kind}.jpg', quality=88, subsampling=0, optimize=True)
    guitar().save(plain/'guitar.png', optimize=True)
    harbour().save(plain/'harbour.png', optimize=True)


if __name__ == '__main__':
    main()
