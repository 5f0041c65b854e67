"""How well a network takes paint off, where what lies under it is known. Run from the repository's root:

    python bench/unpainting.py fit --photos DIR      trains a network on hands drawn by lot
    python bench/unpainting.py truth --net FILE      36 paintings whose photo is known, against filters
    python bench/unpainting.py revert --net FILE --steps 200    the same, reverted, with and without the network
    python bench/unpainting.py sheet --net FILE --paintings DIR --steps 200    eight works, to look at

The 36 are those of `bench/reversion.py truth`: six photos, none of them trained on, by six hands with brush 1. With
--squares a network also learns from squares painted by the six, with other brushes and without those named by --but. So
six fits with a hand left out of each are the six folds, and `truth --net FILE --hands HAND` tests each on its hand; the
last one prints the table of all.
"""
import argparse, json
from pathlib import Path
import numpy as np, torch
from skimage.restoration import denoise_nl_means
from style_nb.all import *
from reversion import HANDS, OTHER, PHOTOS, SHEET, distances, filtered, photo_named
from style_nb.batches import read_pictures, split_pictures
from style_nb.pictures import open_picture, to_pil, whole_file
from style_nb.unpainters import couple, couples_by_lot, train_unpainter
from style_nb.unpainting import MEANS, read_unpainter, unpaint

HERE = Path(__file__).parent
MEASURES = ('wasserstein', 'heldout', 'ssim', 'gram')  # of SSIM more is better; Gram matrices are of `random`
FILTERS = ('painting', 'median', 'bilateral')
SIDE = 232  # of a painted square, px


def painted_squares(photos, n, but, seed):
    "{name: couple} of squares of photos, painted by each of our hands in turn; brush 1 is kept for the test"
    chance, found = np.random.default_rng(seed), {}
    photos = {name: photo for name, photo in photos.items() if min(photo.shape[1:]) >= SIDE}
    names = list(photos)
    for i in range(n):
        hand, name = HANDS[i % len(HANDS)], names[chance.integers(len(names))]
        photo = photos[name]
        top, left = (int(chance.integers(side - SIDE + 1)) for side in photo.shape[1:])
        brush = chance.choice([chance.uniform(.55, .88), chance.uniform(1.12, 1.9)])
        if hand in but:
            continue
        square = to_pil(photo[None, :, top:top + SIDE, left:left + SIDE].float()/255)
        painting = paint(hand, square, size=SIDE, brush=float(brush), seed=1_000_000*seed + i)
        found[f'{hand}/{i}/{name}'] = couple(painting, square)
    return found


def fit(args):
    "Couples from all photos but each tenth, kept in memory, then a fit"
    photos = split_pictures(read_pictures(args.photos), 10)[0]
    about = dict(data=args.data, but=list(args.but), tested_on='bench/unpainting.py truth')
    couples = couples_by_lot(photos, args.couples, seed=args.seed)
    couples |= painted_squares(photos, args.squares, args.but, args.seed)
    return train_unpainter(args.out/'unpainter.safetensors', couples, steps=args.steps, batch=8, lr=args.lr,
        weights=args.weights, start=args.start, seed=args.seed, about=about).card


def means(p, how):
    "Non-local means of a painting"
    a = denoise_nl_means(np.asarray(p)/255, fast_mode=True, channel_axis=-1, **how)
    return torch.from_numpy(a).float().permute(2, 0, 1)[None].clamp(0, 1)


def pictures(args, k, hand):
    "A painting and the photo that was painted"
    p = paint(hand, PHOTOS[k], size=args.size)
    return p, resize(load_picture(PHOTOS[k]), (p.height, p.width))


def kept(path, cases, make):
    "Rows {name: figures} of a file; what is missing is made, and written at once"
    rows = json.loads(path.read_text()) if path.exists() else {}
    for name, how in cases.items():
        if name not in rows:
            rows[name] = make(*how)
            with whole_file(path) as part:
                part.write_text(json.dumps(rows))
        print(name, {n: [round(d[m], 3) for m in MEASURES] for n, d in rows[name].items()}, flush=True)
    return rows


def cases(args):
    return {f'{k} in {hand}': (args, k, hand) for k in OTHER for hand in args.hands or HANDS}


def figures(x, true):
    d = distances(x, true)
    return {m: round(float(d[m]), 4) for m in (*MEASURES, 'colour', 'slope')}


def truth_case(args, k, hand):
    "{method: figures} of one painting"
    p, true = pictures(args, k, hand)
    made = {n: x for n, x in filtered(p, PHOTOS[OTHER[k]]).items() if n in FILTERS} | {
        n: means(p, how) for n, how in zip(('means', 'strong means'), MEANS)}
    made['unpainted'] = load_picture(unpaint(p, args.net, args.size))
    return {n: figures(x, true) for n, x in made.items()}


def nearer(rows, one, other, measure):
    "Gains of each case by a method over another; above 0 is better"
    sign = -1 if measure == 'ssim' else 1
    return np.array([sign*(r[other][measure] - r[one][measure]) for r in rows])


def interval(values, seed=0):
    "95% of a mean, by bootstrap"
    chance = np.random.default_rng(seed)
    return np.percentile(chance.choice(values, (10000, len(values))).mean(1), [2.5, 97.5])


def by_group(values, names, part):
    "The same, whole groups drawn: photos (part 0) or hands (part 1)"
    groups = {}
    for name, v in zip(names, values):
        groups.setdefault(name.split(' in ')[part], []).append(v)
    return interval(np.array([np.mean(v) for v in groups.values()]))


def truth(args):
    "The table of the 36"
    path = args.out/'unpainting_truth.json'
    kept(path, cases(args), truth_case)
    found = json.loads(path.read_text())
    rows, names = list(found.values()), list(found)
    print('| |', ' | '.join(MEASURES), '| colour | nearer by,', ' | '.join(MEASURES), '|\n|' + '---|'*10)
    for n in rows[0]:
        mean = ' | '.join(f'{np.mean([r[n][m] for r in rows]):.3f}' for m in (*MEASURES, 'colour'))
        gains = [nearer(rows, 'unpainted', n, m) for m in MEASURES]
        said = [f'{g.mean():.3f} ({interval(g)[0]:.3f} to {interval(g)[1]:.3f})' for g in gains]
        print(f'| {n} | {mean} | ' + (' | '.join(said) if n != 'unpainted' else '| | |') + ' |')
        if n != 'unpainted':
            print(f'<!-- {n}: drawn by photo', *[by_group(g, names, 0).round(3) for g in gains], 'by hand',
                *[by_group(g, names, 1).round(3) for g in gains], 'won', *[int((g > 0).sum()) for g in gains], '-->')
    return found


def revert_case(args, k, hand):
    "{what the reversion begins with: figures} of one case"
    p, true = pictures(args, k, hand)
    starts = dict(painting='painting', unpainted=args.net)
    how = dict(size=args.size, steps=args.steps, progress=False)
    made = {name: revert(p, PHOTOS[OTHER[k]], start=start, **how) for name, start in starts.items()}
    return {name: figures(load_picture(r.image), true) for name, r in made.items()}


def revert_both(args):
    "Is a reversion that begins with the paint taken off nearer to the truth?"
    asked = cases(args)
    found = kept(args.out/f'unpainting_revert_{args.steps}.json', asked, revert_case)
    rows, names = [found[n] for n in asked], list(asked)
    for m in MEASURES:
        plain, off = (np.mean([r[start][m] for r in rows]) for start in ('painting', 'unpainted'))
        gain = nearer(rows, 'unpainted', 'painting', m)
        low, high = interval(gain)
        print(f"{m}: {plain:.3f} painted, {off:.3f} unpainted; nearer by {gain.mean():.3f} ({low:.3f} to "
            f"{high:.3f}), at worst {-low/plain:.1%} further; {(gain > 0).sum()} of {len(gain)}; drawn by photo "
            f"{by_group(gain, names, 0).round(3)}, by hand {by_group(gain, names, 1).round(3)}")
    return found


def sheet(args):
    "Eight works: the painting, unpainted, reverted, and the unpainted reverted"
    shown, titles = [], []
    for work, name in SHEET[:8]:
        painting = load_picture(open_picture(args.paintings/f'{work}.jpg'), args.size)
        photo = photo_named(name)
        how = dict(size=args.size, steps=args.steps, progress=False)
        shown += [painting, unpaint(painting, args.net, args.size)]
        shown += [revert(painting, photo, start=start, **how).image for start in ('painting', args.net)]
        titles += [work, 'unpainted', f'reverted with {name}', 'the same, from the unpainted']
        print(work, flush=True)
    show_pictures(shown, titles, ncols=8, height=2.6).savefig(args.out/'unpainting_sheet.jpg', dpi=90)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('task', choices=['fit', 'truth', 'revert', 'sheet'])
    p.add_argument('--size', type=int, default=432)
    p.add_argument('--net', type=read_unpainter)
    p.add_argument('--photos', type=Path)
    p.add_argument('--squares', type=int, default=0, help='painted by our hands, to learn from too')
    p.add_argument('--but', nargs='*', default=[], choices=HANDS, help='hands that are left out of them')
    p.add_argument('--lr', type=float, default=.0015, help='largest step size of a fit')
    p.add_argument('--paintings', type=Path)
    p.add_argument('--data', default='', help='what the photos are, for the card')
    p.add_argument('--couples', type=int, default=700)
    p.add_argument('--steps', type=int, default=5000, help='of a fit; 200 are usual for a reversion')
    p.add_argument('--hands', nargs='*', choices=HANDS, help='only paintings by these')
    p.add_argument('--weights', type=json.loads, help='of terms of a fit, JSON')
    p.add_argument('--start', type=Path)
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--out', type=Path, default=HERE/'results')
    args = p.parse_args()
    if args.task != 'fit' and not args.net:
        p.error(f'{args.task} needs --net, the file of a network')
    args.out.mkdir(parents=True, exist_ok=True)
    dict(fit=fit, truth=truth, revert=revert_both, sheet=sheet)[args.task](args)
