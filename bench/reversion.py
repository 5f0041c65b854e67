"""How well a reversion finds what was under a painting. Run from the repository's root:

    python bench/reversion.py dark [--paintings DIR]    new dark: full contrast, six settings, and revert's defaults
    python bench/reversion.py truth                     36 paintings whose photo is known, against filters
    python bench/reversion.py calibrate --photos DIR    what a painting tells of its photo: fits `under_paint`
    python bench/reversion.py rank --photos DIR         is the first of 20 ranked photos nearer to the truth than most?
    python bench/reversion.py sheet --paintings DIR     twelve works in the public domain, each with a photo, to look at
"""
import argparse, json
from pathlib import Path
import matplotlib.cbook as cbook, numpy as np, torch, torch.nn.functional as F
from PIL import Image
from skimage import data
from skimage.filters import median
from skimage.restoration import denoise_bilateral
from style_nb.all import *
from heldout import heldout_distance
from style_nb.comparing import band_distances, colour_distance
from style_nb.contrast import match_histogram
from style_nb.encoders import DATA
from style_nb.palettes import gram_errors
from style_nb.pictures import open_picture, whole_file
from style_nb.planning import Shared
from style_nb.reversion import BARE, new_dark
from style_nb.sitters import OCTAVES, picture_statistics

HERE, RANDOM = Path(__file__).parent, encoder('random', padding='reflect')
HOPPER = open_picture(cbook.get_sample_data('grace_hopper.jpg', asfileobj=False))
PHOTOS = {**{n: sample(n) for n in ('astronaut', 'cat', 'coffee', 'rocket')}, 'hopper': HOPPER,
    'camera': Image.fromarray(data.camera()).convert('RGB')}
OTHER = {'astronaut': 'hopper', 'hopper': 'astronaut', 'cat': 'astronaut', 'coffee': 'cat', 'rocket': 'coffee',
    'camera': 'hopper'}
HANDS = ('swirls', 'dots', 'facets', 'ink', 'mosaic', 'woodcut')

def dark(args):
    "New dark: full contrast at two layers and up, three weights; then the defaults"
    pairs = {'cat in swirls, hopper': (paint('swirls', PHOTOS['cat'], size=432), HOPPER),
        'hopper in mosaic, camera': (paint('mosaic', HOPPER.crop((130, 40, 390, 370)), size=432), PHOTOS['camera'])}
    if args.paintings:
        pairs |= {f'Van Gogh, {n}': (open_picture(args.paintings/'vg_self.jpg'), PHOTOS[n])
            for n in ('astronaut', 'hopper', 'camera')}
    plain, shown, rows = BARE | dict(contrast=1.), [], {}
    for name, (p, s) in pairs.items():
        a = ablate(p, s, {'full contrast': plain, 'halved before': plain | dict(contrast=.5), 'reverted': {},
            **{f'{l} x{w}': plain | dict(content_weights=l, style_weight=float(w)) for l in ('relu2_1', 'relu3_1')
                for w in (10, 30, 100)}},
                   size=args.size, progress=False)
        t = a.table
        six = [t['new dark'][k] for k in t.index[3:]]
        veil = new_dark(lower_contrast(a.results['full contrast'].image, .5), p)['share']
        rows[name] = dict(full=t['new dark']['full contrast'], half=t['new dark']['halved before'],
            reverted=t['new dark']['reverted'], veil=veil, six=six, largest=[t['largest'][k] for k in t.index[:3]],
            gram=[t['gram error'][k] for k in t.index[:3]])
        print(f"{name}: full contrast {rows[name]['full']:.4f} (six settings {min(six):.4f} to {max(six):.4f}), "
              f"halved before {rows[name]['half']:.4f}, reverted {rows[name]['reverted']:.4f} = "
              f"{rows[name]['reverted']/rows[name]['full']:.0%}; halved after {veil/rows[name]['full']:.0%}; largest "
              f"patch {t['largest'].iloc[0]:.4f}, {t['largest'].iloc[2]:.4f}; Gram error "
              f"{t['gram error'].iloc[0]:.4f}, {t['gram error'].iloc[2]:.4f}", flush=True)
        shown += [a.results[k].image for k in t.index[:3]]
    show_pictures(shown, [f'{n}: {k}' for n in pairs for k in ('full contrast', 'halved', 'reverted')], ncols=3,
        height=2.6).savefig(args.out/'reversion_dark.jpg', dpi=110)
    return rows

def filtered(p, photo):
    "What anybody could do to a painting instead"
    x, a = load_picture(p), np.asarray(p)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    return {'painting': x, 'with noise': (x + .05*noise).clamp(0, 1),
        'blur': F.avg_pool2d(F.pad(x, (2, 2, 2, 2), 'reflect'), 5, 1),
        'bilateral': torch.from_numpy(denoise_bilateral(a/255, sigma_color=.1, sigma_spatial=4,
            channel_axis=-1)).float().permute(2, 0, 1)[None],
        'median': load_picture(Image.fromarray(np.stack([median(a[..., c], np.ones((5, 5))) for c in range(3)], -1))),
        'histogram': match_histogram(x, photo, 'all')}

def distances(x, truth):
    "How far a picture is from the truth"
    y = luminance(load_picture(x))[0, 0].double().numpy()
    power = np.abs(np.fft.rfft2((y - y.mean())*np.outer(np.hanning(y.shape[0]), np.hanning(y.shape[1]))))**2
    f = np.hypot(np.fft.fftfreq(y.shape[0])[:, None], np.fft.rfftfreq(y.shape[1])[None])
    inside = (f > .03) & (f < .4)
    return dict(bands=band_distances(x, truth), wasserstein=float(np.mean(band_distances(x, truth))),
        heldout=heldout_distance(x, truth), gram=float(np.mean(list(gram_errors(x, truth, on=RANDOM).values()))),
        ssim=fidelity(x, truth), colour=colour_distance(x, truth),
        slope=float(np.polyfit(np.log(f[inside]), np.log(power[inside] + 1e-12), 1)[0]))

def truth_case(k, hand, args):
    "One painting whose photo is known: {method: figures}; its two pictures worth looking at are saved"
    p = paint(hand, PHOTOS[k], size=args.size)
    true = resize(load_picture(PHOTOS[k]), (p.height, p.width))
    reverted = revert(p, PHOTOS[OTHER[k]], size=args.size, progress=False).image
    made = filtered(p, PHOTOS[OTHER[k]]) | {'reverted': load_picture(reverted)}
    slope = distances(true, true)['slope']
    figures = {n: distances(x, true) for n, x in made.items()}
    p.save(args.out/f'truth_{k}_{hand}_painting.png')
    reverted.save(args.out/f'truth_{k}_{hand}_reverted.png')
    return {n: d | dict(slope=abs(d['slope'] - slope)) for n, d in figures.items()}


def truth(args):
    "Paint, revert with another photo, compare with the photo that was painted; a stopped run goes on where it was"
    begun, cases, shown = args.out/'truth.json', {}, []
    if begun.exists():
        cases = json.loads(begun.read_text())
    for k in OTHER:
        for hand in HANDS:
            name = f'{k} in {hand}'
            if name not in cases:
                cases[name] = truth_case(k, hand, args)
                with whole_file(begun) as part:
                    part.write_text(json.dumps(cases))
            shown += [PHOTOS[k], *(args.out/f'truth_{k}_{hand}_{n}.png' for n in ('painting', 'reverted'))]
            print(k, hand, {n: round(d['wasserstein'], 3) for n, d in cases[name].items()}, flush=True)
    pictures = show_pictures(shown, ['truth', 'painting', 'reverted']*len(cases), ncols=9, height=1.8)
    pictures.savefig(args.out/'reversion_truth.jpg', dpi=70)
    rng, rows = np.random.default_rng(0), list(cases.values())
    print('| | ' + ' | '.join(('Wasserstein', 'held out', 'Gram, random', 'SSIM', 'colour',
        'slope')) + ' | better than it by, Wasserstein | held out |\n|---|---|---|---|---|---|---|---|---|')
    for n in rows[0]:
        mean = [np.mean([r[n][m] for r in rows]) for m in ('wasserstein', 'heldout', 'gram', 'ssim', 'colour', 'slope')]
        gain = []
        for m in ('wasserstein', 'heldout'):
            d = np.array([r[n][m] - r['reverted'][m] for r in rows])
            lo, hi = np.percentile(rng.choice(d, (5000, len(d))).mean(1), [2.5, 97.5])
            gain.append(f'{d.mean():.3f} ({lo:.3f} to {hi:.3f})')
        print(f'| {n} | ' + ' | '.join(f'{v:.3f}' for v in mean) + ' | ' +
            (' | '.join(gain) if n != 'reverted' else ' | ') + ' |')
    return cases

# (CC0 work, photo), to be looked at
SHEET = [
    ('metmuseum_436532', 'hopper'),       # Van Gogh, Self-Portrait with a Straw Hat
    ('nga_106382', 'hopper'),             # Van Gogh, Self-Portrait
    ('nga_219555', 'astronaut'),          # Van Rysselberghe, Denise Maréchal
    ('nga_50724', 'astronaut'),           # Leonardo, Ginevra de' Benci
    ('metmuseum_437879', 'astronaut'),    # Vermeer, Study of a Young Woman
    ('clevelandart_1980.264', 'astronaut'),  # Gérôme, Head of an Italian Woman
    ('si_npg_NPG.2015.136', 'astronaut'),  # Pach, Frida Kahlo
    ('artic_62371', 'hopper'),            # Cézanne, Madame Cézanne in a Yellow Chair
    ('artic_210511', 'cat'),              # A Monumental Portrait of a Monkey
    ('nga_46523', 'china'),               # Monet, The Houses of Parliament, Sunset
    ('metmuseum_436535', 'china'),        # Van Gogh, Wheat Field with Cypresses
    ('metmuseum_437999', 'coffee'),       # Gauguin, Still Life with Teapot and Fruit
]


def photo_named(name):
    "A photo of SHEET: one of PHOTOS, or of scikit-learn's"
    if name in PHOTOS:
        return PHOTOS[name]
    from sklearn.datasets import load_sample_image
    return Image.fromarray(load_sample_image(f'{name}.jpg'))


def sheet(args):
    "Twelve reversions: painting, photo, picture"
    shown, titles, rows = [], [], {}
    for work, photo in SHEET:
        painting = open_picture(args.paintings/f'{work}.jpg')
        made = revert(painting, photo_named(photo), size=args.size, progress=False).image
        made.save(args.out/f'reverted_{work}.png')
        rows[work] = dict(photo=photo, **new_dark(made, painting))
        print(work, rows[work], flush=True)
        shown += [painting, photo_named(photo), made]
        titles += [work, photo, 'reverted']
    show_pictures(shown, titles, ncols=6, height=3.).savefig(args.out/'reversion_sheet.jpg', dpi=100)
    return rows


def rounded(figures):
    "Figures with four decimals, as far down as they go"
    if isinstance(figures, dict):
        return {k: rounded(v) for k, v in figures.items()}
    if isinstance(figures, (list, tuple)):
        return [rounded(v) for v in figures]
    return round(figures, 4) if isinstance(figures, float) else figures


def drawn(photos, seed):
    "The 32 photos that `rank` works on"
    files = sorted(photos.glob('*.jpg'))
    return [files[i] for i in np.random.default_rng(seed).choice(len(files), 32, replace=False)]

def calibrate(args):
    """Photos painted by any hand in any size, those of `rank` with seeds 0, 3 and 21 left out: ten figures of the
    painting to nine of its photo"""
    out = {f for seed in (0, 3, 21) for f in drawn(args.photos, seed)}
    rng, x, y = np.random.default_rng(0), [], []
    for i, f in enumerate(rng.permutation([f for f in sorted(args.photos.glob('*.jpg')) if f not in out])[:900]):
        photo = open_picture(f)
        p = load_picture(paint(('swirls', 'dots', 'facets', 'mosaic')[i % 4], photo,
            size=int(rng.choice([160, 288, 432])), brush=float(rng.uniform(.6, 1.7)), seed=i))
        x.append([*picture_statistics(p), float(luminance(p).mean()), 1])
        y.append(picture_statistics(resize(load_picture(photo), tuple(p.shape[-2:]))))
    x, y = np.array(x), np.array(y)
    fit = lambda a, b: np.linalg.solve(a.T @ a + len(a)*.01*np.diag([*a[:, :-1].var(0), 0]), a.T @ b).T  # ridge
    fifth = np.arange(len(x)) % 5
    rest = np.concatenate([y[fifth == k] - x[fifth == k] @ fit(x[fifth != k], y[fifth != k]).T for k in range(5)])
    print('left of the photo: deviation', rest.std(0).round(2), 'told nothing', y.std(0).round(2),
        'taken as equal to the painting', (y[:, :OCTAVES] - x[:, :OCTAVES]).std(0).round(2))
    line = dict(paintings=len(x), weights=fit(x, y).round(4).tolist(), spread=rest.std(0).round(4).tolist())
    (DATA/'under_paint.json').write_text(json.dumps(line))
    return line

def rank(args):
    "The first of 20 photos against the median one"
    chosen = drawn(args.photos, args.seed)
    candidates, under, won, rows, shared = {f.name: open_picture(f) for f in chosen[:20]}, chosen[20:], 0, {}, Shared()
    for i, f in enumerate(under):
        photo = open_picture(f)
        p = paint(HANDS[i % 3], photo, size=args.size)
        true = resize(load_picture(photo), (p.height, p.width))
        table = rank_photos(p, candidates)
        order = list(table.index)
        d = [distances(revert(p, candidates[n], size=args.size, steps=60, progress=False, shared=shared).image, true)
            for n in order]
        total = [x['wasserstein'] + x['gram'] for x in d]
        won += total[0] < np.median(total)
        rows[f.name] = dict(order=order, total=total,
            measures=table.drop(columns='words').astype(float).to_dict('list'),
            spearman=float(np.corrcoef(np.arange(20), np.argsort(np.argsort(total)))[0, 1]))
        print(f"{f.name} in {HANDS[i % 3]}: first {total[0]:.3f}, median {np.median(total):.3f}, best "
              f"{min(total):.3f}; rank correlation {rows[f.name]['spearman']:.2f}", flush=True)
    print(f'the first is nearer than the median on {won} of {len(under)}')
    return rows

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('task', choices=['dark', 'truth', 'calibrate', 'rank', 'sheet'])
    p.add_argument('--size', type=int, default=432)
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--paintings', type=Path)
    p.add_argument('--photos', type=Path)
    p.add_argument('--out', type=Path, default=HERE)
    args = p.parse_args()
    if args.task == 'sheet' and not args.paintings:
        p.error('sheet needs --paintings, the folder of CC0 works')
    args.out.mkdir(parents=True, exist_ok=True)
    got = dict(dark=dark, truth=truth, calibrate=calibrate, rank=rank, sheet=sheet)[args.task](args)
    if args.task != 'calibrate':
        (HERE/'results').mkdir(exist_ok=True)
        (HERE/f'results/reversion_{args.task}.json').write_text(json.dumps(rounded(got)))
