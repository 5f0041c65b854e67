"""TexNet against the others, the figures of bench/README.md.

    python bench/encoders.py cost                                        seconds, forward and backward, beside VGG-19
    python bench/encoders.py retrieval --photos FOLDER                   half photos find their other half
    python bench/encoders.py fidelity  --photos FOLDER --paintings FOLDER --out FOLDER   TexNet against random at equal fidelity: figures, blind sheet, key
    python bench/encoders.py choose    --out FOLDER A B A ...            what a person chose on the blind sheet, one letter a row; opens the key
    python bench/encoders.py sheet     --photos FOLDER --paintings FOLDER --out FOLDER   photos x styles with the default recipe

`--photos`: any folder of photos, sorted by name; every fifth is held out. `--paintings`: a folder with starry_night,
the_scream, wave_crop, vg_self and vg_wheat_field, .jpg or .png.
"""
import argparse, json, random, sys, time
from pathlib import Path
import torch
from style_nb.comparing import at_fidelity, band_distances, colour_distance, retrieval
from style_nb.encoders import ENCODERS, Encoder, encoder, random_weights
from style_nb.fitting import read_pictures, split_pictures
from style_nb.gallery import sample, samples
from style_nb.pictures import contact_sheet, load_picture, save_picture
from style_nb.recipe import RECIPES
from style_nb.transfer import stylize

def deepest(enc):
    "The deepest layer of the default recipe"
    r = RECIPES['default']
    return max({**r.content_weights, **r.style_weights}, key=enc.layers.index)

def seconds(encoders, hw, repeats):
    "Least seconds of forward and backward down to a layer, interleaved; {name: (encoder, layer)}"
    best = {n: 1e9 for n in encoders}
    for _ in range(repeats):
        for n, (enc, layer) in encoders.items():
            chain = enc.slice([layer])
            x = torch.rand(1, 3, *hw, requires_grad=True)
            t = time.perf_counter()
            chain(enc.normalise(x)).sum().backward()
            best[n] = min(best[n], time.perf_counter() - t)
    return best

def cost(args):
    "TexNet to its deepest default layer against VGG-19 to relu5_1, bf16, channels_last, 432x432"
    half = lambda enc: enc.to(torch.bfloat16, memory_format=torch.channels_last)
    for padding in ('zero', 'reflect'):
        tex, vgg = half(encoder('texnet', padding=padding)), half(random_weights(Encoder('vgg19', ENCODERS['vgg19'], padding=padding)))
        got = seconds({'texnet': (tex, deepest(tex)), 'vgg19': (vgg, 'relu5_1')}, (432, 432), args.repeats)
        print(f"padding {padding:8} texnet to {deepest(tex)} {got['texnet']*1e3:.0f} ms, vgg19 to relu5_1 {got['vgg19']*1e3:.0f} ms: 1/{got['vgg19']/got['texnet']:.2f}")

def held_out(folder): return split_pictures(read_pictures(folder))[1]

def test_retrieval(args):
    "Share of half photos that find their other half, grey and in colour"
    photos = list(held_out(args.photos).values())
    for name in ('random', 'texnet'):
        for grey in (True, False):
            got = retrieval(encoder(name, weights=args.weights if name == 'texnet' else None), photos, grey=grey)
            print(f"{name:7} {'grey' if grey else 'colour':7} " + '  '.join(f'{l} {v:.3f}' for l, v in got.items()), flush=True)

PAIRS = [('astronaut', 'starry_night'), ('cat', 'the_scream'), ('coffee', 'swirls'), ('rocket', 'wave_crop'), ('astronaut', 'woodcut'),
         ('cat', 'vg_wheat_field'), ('coffee', 'vg_self'), (3, 'dots'), (20, 'starry_night'), (61, 'the_scream')]

def pictures(args):
    "A function from the name of a bundled picture or a painting, or the number of a held-out photo, to a picture"
    held = list(held_out(args.photos).values())
    def get(name):
        if isinstance(name, int): return held[name][None]/255
        if name in [s.name for s in samples()]: return load_picture(sample(name))
        found = list(Path(args.paintings).glob(f'{name}.*'))
        if not found: sys.exit(f'there is no {name}.* in {args.paintings}')
        return load_picture(found[0])
    return get

# what `random` was tuned to before TexNet: its best recipe, not TexNet's
OWN = {'random': dict(content_weights={'relu2_1': 1.}, style_weights={f'relu{i}_1': 1. for i in range(1, 5)}, tv_weight=20.), 'texnet': {}}

def test_fidelity(args):
    "Both encoders at SSIM .45, ten pairs: band distances to the style, and a blind sheet"
    get, out = pictures(args), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    sides, rows, key, sheet = random.Random(args.seed), [], [], []
    for c, s in PAIRS:
        content, style, made = get(c), get(s), {}
        for name in ('texnet', 'random'):
            run = lambda w: stylize(content, style, encoder=name, size=args.size or 288, steps=args.steps, style_weight=w, style_scale=1., progress=False, **OWN[name])
            r, w, f = at_fidelity(run, content, start=30.)
            made[name] = r.image
            rows.append(dict(pair=f'{c}+{s}', encoder=name, weight=round(w, 3), ssim=round(f, 3), bands=[round(v, 4) for v in band_distances(r.image, style)], colour=round(colour_distance(r.image, style), 4)))
            print(rows[-1], flush=True)
        order = sides.sample(['texnet', 'random'], 2)
        key.append(order)
        sheet.append([content, style, *(made[n] for n in order)])
        (out/'figures.json').write_text(json.dumps(rows, indent=1))
        (out/'key.json').write_text(json.dumps(key))
        save_picture(contact_sheet(sheet, titles=['photo', 'painting', 'A', 'B'], height=260), out/'blind.png')
    report(rows)

def report(rows):
    tex, ran = ([r for r in rows if r['encoder'] == n] for n in ('texnet', 'random'))
    for what, f in {'bands 2-4': lambda r: sum(r['bands'][1:4]), 'band 1': lambda r: r['bands'][0], 'band 5': lambda r: r['bands'][4], 'colour': lambda r: r['colour']}.items():
        print(f"{what:10} texnet nearer on {sum(f(a) < f(b) for a, b in zip(tex, ran))} of {len(tex)}; mean {sum(map(f, tex))/len(tex):.3f} against {sum(map(f, ran))/len(ran):.3f}")

def choose(args):
    "Write down the choices, then open the key"
    out = Path(args.out)
    key = json.loads((out/'key.json').read_text())
    if len(args.choices) != len(key) or set(args.choices) - set('AB'): sys.exit(f'give {len(key)} letters, A (left) or B (right)')
    (out/'choices.json').write_text(json.dumps(args.choices))
    won = [k['AB'.index(c)] for c, k in zip(args.choices, key)]
    print(f"texnet {won.count('texnet')} of {len(won)}: {' '.join(won)}")

def test_sheet(args):
    "Five photos in six styles with the default recipe"
    get, out = pictures(args), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    styles, contents, rows = ('starry_night', 'the_scream', 'wave_crop', 'swirls', 'dots', 'woodcut'), ('astronaut', 'cat', 'coffee', 20, 61), []
    for c in contents:
        content, t = get(c), time.perf_counter()
        rows.append([content] + [stylize(content, get(s), progress=False, size=args.size or 432).image for s in styles])
        print(c, f'{time.perf_counter() - t:.0f} s', flush=True)
        save_picture(contact_sheet([[None, *map(get, styles)], *rows], height=432), out/'sheet.png')

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('task', choices=['cost', 'retrieval', 'fidelity', 'choose', 'sheet'])
    p.add_argument('choices', nargs='*')
    p.add_argument('--photos'); p.add_argument('--paintings'); p.add_argument('--weights'); p.add_argument('--out', default='bench/out')
    p.add_argument('--size', type=int, help='px; 288 for fidelity, 432 for sheet'); p.add_argument('--steps', type=int, default=150)
    p.add_argument('--seed', type=int, default=0); p.add_argument('--repeats', type=int, default=10)
    args = p.parse_intermixed_args()
    if args.task in ('retrieval', 'fidelity', 'sheet') and not args.photos: p.error(f'{args.task} needs --photos FOLDER')
    if args.task in ('fidelity', 'sheet') and not args.paintings: p.error(f'{args.task} needs --paintings FOLDER')
    dict(cost=cost, retrieval=test_retrieval, fidelity=test_fidelity, choose=choose, sheet=test_sheet)[args.task](args)

if __name__ == '__main__': main()
