"""How small must the tiles be before an object becomes a brush stroke? Run from the repository's root:

    python bench/tiling.py      presence of three objects in palettes of 1, 2, 4, 8 and 16 tiles
"""
import argparse, json, sys
from pathlib import Path
from PIL import Image, ImageDraw
from style_nb.all import *
from style_nb.tiling import granularity_sweep, presence

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent/'tools'))
from samples import guitar

def controller(side=300):
    im = Image.new('RGB', (side, side), (196, 190, 178))
    d, k = ImageDraw.Draw(im), side/300
    box = lambda x, y, r, colour, q=None: d.ellipse([k*(x - r), k*(y - (q or r)), k*(x + r), k*(y + (q or r))],
        fill=colour)
    for x, tilt in ((75, 1), (225, -1)):
        d.polygon([(k*(x - 45), k*110), (k*(x + 45), k*110), (k*(x + 25 - 25*tilt), k*245),
            (k*(x - 25 - 25*tilt), k*245)], fill=(38, 40, 48))
    d.rounded_rectangle([k*35, k*85, k*265, k*185], radius=k*45, fill=(52, 54, 64))
    for x, y in ((95, 125), (195, 165)):
        box(x, y, 24, (20, 20, 24))
        box(x, y, 15, (92, 94, 104))
    d.rectangle([k*88, k*150, k*118, k*160], fill=(150, 150, 156))
    d.rectangle([k*98, k*140, k*108, k*170], fill=(150, 150, 156))
    for x, y, c in ((222, 108, (230, 190, 60)), (222, 146, (90, 180, 90)), (203, 127, (70, 110, 210)),
            (241, 127, (210, 70, 70))):
        box(x, y, 10, c)
    return im

OBJECTS = {'guitar': guitar((.55, .62, .66), .4, .6, 1.05, -.75), 'controller': controller(),
    'face': sample('astronaut').crop((160, 20, 290, 180))}
OTHER = {'guitar': sample('coffee'), 'controller': sample('cat'), 'face': sample('coffee')}

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--size', type=int, default=320)
    p.add_argument('--steps', type=int, default=200)
    p.add_argument('--out', type=Path, default=HERE/'results')
    args, rows, shown = p.parse_args(), {}, []
    for name, o in OBJECTS.items():
        g = granularity_sweep(o, None, (1, 2, 4, 8, 16), unrelated=OTHER[name], size=args.size, steps=args.steps,
            progress=False)
        rows[name] = {n: dict(score=round(g.scores[n], 4), tile=round(presence(g.tiles[n], o, OTHER[name]), 4))
            for n in g.tiles}
        best = max(g.scores, key=g.scores.get)
        print(f"{name}: " + ', '.join(f'{n}: {v:.2f}'
            for n, v in g.scores.items()) + f'; best {best}, {g.scores[best] - g.scores[1]:.2f} above one tile',
            flush=True)
        shown += [*g.tiles.values(), *[r.image for r in g.palettes.values()]]
    show_pictures(shown, [f'{n}, {k}' for n in OBJECTS for k in ('tiles', 'palette') for _ in range(5)], ncols=5,
        height=1.8).savefig(args.out/'tiling.jpg', dpi=90)
    (args.out/'tiling.json').write_text(json.dumps(rows, indent=1))
