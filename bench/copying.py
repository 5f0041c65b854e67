"""Painters learned from pairs of one hand, beside style transfer from one and from five of its paintings; and how
many pairs it takes.

    python bench/copying.py --photos DIR --work DIR [--hands swirls dots ink] [--pairs 300] [--steps 50]
    python bench/copying.py --photos DIR --work DIR --curve dots [--counts 10 30 100 300 1000] [--steps 20]

Photos of DIR are painted by each hand at 256 px, and a painter learns from these pairs. Then all paint the photos of
scikit-image, scikit-learn and matplotlib, which none has seen, and are compared with what the hand makes of these:
structural similarity, the statistics of bench/heldout.py, and Gram matrices of the encoder `random`, which took no part
in any of it. `foretold` is the package's network with what is foretold, taught nothing; `hand again` is the hand with
other strokes. Intervals: bootstrap over photos and hands, 95 %, of paired differences. For the curve each count has the
same number of steps; `--held` photos of DIR, which none learns from, are judged besides. What was made lies in
`--work`, and a run that was killed goes on.
"""
import argparse
import json
import random
from pathlib import Path
import numpy as np
from PIL import Image
from heldout import heldout_distance
from instant import photo_named
from style_nb.comparing import fidelity
from style_nb.copying import learn_painter
from style_nb.copyist import Copyist
from style_nb.encoders import encoder
from style_nb.onepass import read_onepass
from style_nb.painter import load_painter
from style_nb.painting import paint
from style_nb.paired import Pairs
from style_nb.pairs import hand_pairs
from style_nb.palettes import gram_errors
from style_nb.pictures import contact_sheet, save_picture
from style_nb.transfer import stylize

PHOTOS = 'astronaut', 'chelsea', 'coffee', 'rocket', 'china', 'hopper'
SHOWN = 'astronaut', 'coffee', 'rocket'
SIZE, HELD = 256, 12
BETTER = dict(ssim=1, heldout=-1, gram=-1)  # is more better?
RANDOM = encoder('random', padding='reflect')


def photo_files(folder):
    "(photos to learn from, photos held out) in an order by lot; very long ones are left out"
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in ('.jpg', '.jpeg', '.png'))
    def fits(path):
        with Image.open(path) as im: return max(im.size)/min(im.size) <= 1.9
    files = [path for path in files if fits(path)]
    random.Random(0).shuffle(files)
    return files[HELD:], files[:HELD]


def pairs_of(hand, n, args):
    "The first `n` pairs of a hand, made where they are not there"
    files = photo_files(args.photos)[0][:n]
    made = Pairs(args.work/hand) if (args.work/hand/'pairs.csv').exists() else None
    there = {note['photo'] for note in made.notes.values()} if made else set()
    if {f.name for f in files} - there: made = hand_pairs(hand, {f.name: f for f in files}, args.work/hand, size=SIZE)
    named = {note['photo']: name for name, note in made.notes.items()}
    made.names = [named[f.name] for f in files if f.name in named]
    made.notes = {name: made.notes[name] for name in made.names}
    return made


def truth(hand, name, photo, args):
    "What the hand makes of a photo that was not learned from, and the photo as large"
    path = args.work/'made'/f'{hand}_{name}_hand.png'
    if not path.exists(): save_picture(paint(hand, photo, SIZE, seed=1_000_003), path)
    painted = Image.open(path).convert('RGB')
    return painted, photo.convert('RGB').resize(painted.size, Image.LANCZOS)


def transferred(hand, name, photo, n, args):
    "Style transfer from `n` paintings of the hand, by lot"
    path = args.work/'made'/f'{hand}_{name}_transfer_{n}.png'
    if not path.exists():
        pairs = Pairs(args.work/hand)
        names = [note['photo'] for note in pairs.notes.values()]
        first = {f.name for f in photo_files(args.photos)[0][:100]}
        among = sorted((photo, i) for i, photo in enumerate(names) if photo in first)
        drawn = random.Random(f'{hand} {name}').sample(among, n)
        works = [pairs[i][0] for _, i in drawn]
        made = stylize(photo, works, size=SIZE, style_scale=1., steps=args.transfer_steps, progress=False)
        save_picture(made.image, path)
    return Image.open(path).convert('RGB')


def figures(made, wanted):
    "How far a picture is from the hand's"
    gram = float(np.mean(list(gram_errors(made, wanted, on=RANDOM).values())))
    return dict(ssim=fidelity(made, wanted), heldout=heldout_distance(made, wanted), gram=gram)


def interval(values, rounds=10_000):
    "Mean of paired differences and its 95 % bootstrap interval"
    values = np.asarray(values)
    draws = np.random.default_rng(0).integers(len(values), size=(rounds, len(values)))
    low, high = np.percentile(values[draws].mean(1), (2.5, 97.5))
    return float(values.mean()), float(low), float(high)


def painter_of(hand, n, steps, args):
    "A painter of `n` pairs, learned where it is not there"
    path = args.work/f'{hand}_{n}_{steps}.safetensors'
    if path.exists() and load_painter(path).done: return load_painter(path)
    return learn_painter(pairs_of(hand, n, args), path, steps=steps, device='cpu')


def compared(hand, args):
    "{photo: {who: figures}} of a hand, and its rows of the sheet"
    painter = painter_of(hand, args.pairs, args.steps, args)
    found, rows = {}, []
    for name in PHOTOS:
        photo = photo_named(name)
        wanted, plain = truth(hand, name, photo, args)
        untaught = Copyist(read_onepass(), painter.lines, painter.card)
        made = {'photo': plain, 'foretold': untaught(plain), 'learned': painter(plain)}
        made |= {f'transfer {n}': transferred(hand, name, photo, n, args) for n in (1, 5)}
        made['hand again'] = paint(hand, photo, SIZE, seed=1_000_004)
        found[name] = {who: figures(im, wanted) for who, im in made.items()}
        save_picture(made['learned'], args.work/'made'/f'{hand}_{name}_learned.png')
        if name in SHOWN:
            rows.append([plain, wanted, made['learned'], made['transfer 1'], made['transfer 5']])
        print(hand, name, {who: {k: round(v, 3) for k, v in f.items()} for who, f in found[name].items()}, flush=True)
    return found, rows


def tell(found):
    "Print tables of {hand: {photo: {who: figures}}}, and give the intervals"
    told = {}
    for which in ([h] for h in found), [[*found]]:
        for hands in which:
            cases = [f for h in hands for f in found[h].values()]
            print('\n' + ' '.join(hands), f'({len(cases)} cases)')
            for who in cases[0]:
                print(f'  {who:12}', *(f'{k} {np.mean([c[who][k] for c in cases]):.3f}' for k in BETTER))
            for other in ('transfer 1', 'transfer 5'):
                for k, sign in BETTER.items():
                    mean, low, high = interval([sign*(c['learned'][k] - c[other][k]) for c in cases])
                    told['+'.join(hands) + f' {other} {k}'] = [round(v, 4) for v in (mean, low, high)]
                    print(f'  nearer than {other}, {k}: {mean:.3f} [{low:.3f}, {high:.3f}]')
    return told


def curve(hand, args):
    "{pairs: {figure: mean}} over photos that none has seen"
    held = {f.stem: Image.open(f).convert('RGB') for f in photo_files(args.photos)[1][:args.held]}
    unseen = {name: photo_named(name) for name in PHOTOS} | held
    found = {}
    for n in args.counts:
        painter = painter_of(hand, n, args.steps, args)
        rows = []
        for name, photo in unseen.items():
            wanted, plain = truth(hand, name, photo, args)
            rows.append(figures(painter(plain), wanted))
        found[n] = {k: [round(r[k], 4) for r in rows] for k in BETTER}
        cells = {k: '{:.3f} [{:.3f}, {:.3f}]'.format(*interval(v)) for k, v in found[n].items()}
        print(n, 'pairs,', len(rows), 'photos:', cells, flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--photos', type=Path, required=True, help='folder of photos')
    parser.add_argument('--work', type=Path, required=True, help='folder for pairs, painters and pictures')
    parser.add_argument('--hands', nargs='+', default=['swirls', 'dots', 'ink'])
    parser.add_argument('--pairs', type=int, default=300)
    parser.add_argument('--steps', type=int, default=50)
    parser.add_argument('--transfer-steps', type=int, default=150)
    parser.add_argument('--curve', metavar='HAND', help='the curve of this hand instead')
    parser.add_argument('--counts', type=int, nargs='+', default=[10, 30, 100, 300, 1000])
    parser.add_argument('--held', type=int, default=HELD, help='photos of the folder that are judged in the curve')
    parser.add_argument('--transfers', action='store_true', help='only the transfers')
    args = parser.parse_args()
    (args.work/'made').mkdir(parents=True, exist_ok=True)
    if args.transfers:
        for hand in args.hands:
            for name in PHOTOS:
                for n in (1, 5): transferred(hand, name, photo_named(name), n, args)
        return
    if args.curve:
        found = curve(args.curve, args)
        (args.work/'curve.json').write_text(json.dumps({args.curve: found}, indent=1))
        return
    found, sheet = {}, []
    for hand in args.hands:
        found[hand], rows = compared(hand, args)
        sheet += rows
    titles = ['photo', 'the hand', f'learned, {args.pairs} pairs', 'transfer from 1', 'from 5']
    sheet_file = args.work/f"copying_{'_'.join(args.hands)}.jpg"
    save_picture(contact_sheet(sheet, titles=titles, height=170), sheet_file)
    file = args.work/'copying.json'
    found = (json.loads(file.read_text())['figures'] if file.exists() else {}) | found  # of other hands, from before
    file.write_text(json.dumps(dict(figures=found, intervals=tell(found)), indent=1))


if __name__ == '__main__':
    main()
