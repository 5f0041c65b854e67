"""J against seconds: the textbook loop on VGG-16, and our ways of painting, judged by bench/judge.py.

    python bench/race.py --vgg FILE --works DIR [--size 384] [--evaluations 500] [--ways ...] [--pairs 4] [--out DIR]

The textbook loop (reference.py) minimises J itself, from the photo, at one size. Each other way is `stylize` with the
judge's own settings and the changes in WAYS. The pairs are the first of those that no tuning has seen. Every run is
written at once, so a stopped race goes on where it was.
Run it on an idle machine.
"""
import argparse
import json
import statistics
import time
from pathlib import Path
import matplotlib.pyplot as plt
import reference
from judge import PAIRS, SETTINGS, Judge, fit, open_named
from style_nb.encoders import encoder
from style_nb.pictures import load_picture, resize, to_pil, whole_file
from style_nb.recipe import named_recipe
from style_nb.transfer import stylize

WAYS = {
    'texnet': dict(encoder='texnet'),
    'texnet, 150 steps': dict(encoder='texnet', steps=150),
    'texnet-small': dict(encoder='texnet-small'),
    'small, then texnet': dict(encoder='texnet-small', steps=300, finish='texnet', finish_steps=80),
    'vgg16': dict(encoder='vgg16'),
    'vgg16, 100 steps': dict(encoder='vgg16', steps=100),
    'texnet, 260 steps': dict(encoder='texnet', steps=260),
    'ladder, 65 of vgg16': dict(encoder='texnet', steps=215, finish='vgg16', finish_steps=65),
}
TEXTBOOK = 'textbook on vgg16'


def textbook(photo, painting, args, judge):
    "The textbook loop: J on the way and at the end"
    recipe = named_recipe('default', encoder='vgg16', **SETTINGS)
    network = encoder('vgg16', 'avg', 'reflect', args.vgg)
    small, style = fit(photo, args.size), load_picture(painting)
    style = resize(style, min(max(style.shape[-2:]), round(recipe.style_scale*args.size)))
    objective = reference.Objective(network, recipe, load_picture(small), style)
    picture, seconds, losses = reference.paint(objective, load_picture(small), args.evaluations)
    made = to_pil(picture.clamp(0, 1))
    return made, dict(seconds=seconds, losses=losses, J=judge(made, photo, painting)['J'])


def ours(photo, painting, changes, args, judge):
    "One of WAYS"
    whose = dict(encoder_weights='encoder', finish_weights='finish')
    files = {k: args.vgg for k, who in whose.items() if changes.get(who) == 'vgg16'}
    start = time.perf_counter()
    made = stylize(photo, painting, size=args.size, progress=False, **SETTINGS | changes | files).image
    seconds = time.perf_counter() - start
    return made, dict(seconds=seconds, J=judge(made, photo, painting)['J'])


def table(rows):
    "Medians, and each way over the textbook loop"
    pairs = list(dict.fromkeys(r['pair'] for r in rows))
    book = {r['pair']: r for r in rows if r['who'] == TEXTBOOK}
    for who in dict.fromkeys(r['who'] for r in rows):
        mine = [r for r in rows if r['who'] == who and r['pair'] in book]
        if not mine:
            continue
        over = statistics.median(r['J']/book[r['pair']]['J'] for r in mine)
        faster = statistics.median(book[r['pair']]['seconds']/r['seconds'] for r in mine)
        judged, seconds = (statistics.median(r[k] for r in mine) for k in ('J', 'seconds'))
        print(f"{who:20} {len(mine)} of {len(pairs)} pairs: J {judged:.2f}, {over:.2f} times the textbook loop's, "
              f"{seconds:.0f} s, 1/{faster:.1f} of its time", flush=True)


def plot(rows, path):
    "J against seconds; the lines are the textbook loop's own loss, of pixels that may lie outside 0 to 1"
    fig, ax = plt.subplots(figsize=(8, 5), layout='constrained')
    for i, who in enumerate(dict.fromkeys(r['who'] for r in rows)):
        mine = [r for r in rows if r['who'] == who]
        color = 'k' if who == TEXTBOOK else f'C{i}'
        ax.plot([r['seconds'] for r in mine], [r['J'] for r in mine], 'o', label=who, color=color)
        for r in mine:
            losses = r.get('losses', [])
            ax.plot([r['seconds']*(j + 1)/len(losses) for j in range(len(losses))], losses, color='.75', lw=1, zorder=0)
    ax.set(xscale='log', yscale='log', xlim=(2, 1000), ylim=(.7, 60), xlabel='seconds', ylabel='J, judged by VGG-16')
    ax.set_yticks([1, 2, 5, 10, 20, 50], ['1', '2', '5', '10', '20', '50'])
    ax.set_xticks([3, 10, 30, 100, 300, 1000], ['3', '10', '30', '100', '300', '1000'])
    ax.legend(frameon=False, fontsize=8, loc='upper left', bbox_to_anchor=(1, 1))
    fig.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--vgg', required=True)
    parser.add_argument('--works', required=True)
    parser.add_argument('--size', type=int, default=384)
    parser.add_argument('--evaluations', type=int, default=500)
    parser.add_argument('--pairs', type=int, default=4)
    parser.add_argument('--ways', nargs='*', default=[*WAYS, TEXTBOOK], choices=[*WAYS, TEXTBOOK])
    parser.add_argument('--out', type=Path, default=Path(__file__).parent/'results')
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    path, judge = args.out/'race.json', Judge(args.vgg)
    rows = json.loads(path.read_text()) if path.exists() else []
    for who in args.ways:
        for pair in PAIRS['kept'][:args.pairs]:
            name = ' x '.join(pair)
            if any(r['pair'] == name and r['who'] == who for r in rows):
                continue
            photo, painting = (open_named(n, args.works) for n in pair)
            if who == TEXTBOOK:
                made, figures = textbook(photo, painting, args, judge)
            else:
                made, figures = ours(photo, painting, WAYS[who], args, judge)
            rows.append(dict(pair=name, who=who, **figures))
            with whole_file(path) as part:
                part.write_text(json.dumps(rows))
            made.save(args.out/f"{who.replace(' ', '_').replace(',', '')}_{name.replace(' ', '_')}.png")
            print(f"{name:44} {who:20} J {figures['J']:6.2f}  {figures['seconds']:6.1f} s", flush=True)
    table(rows)
    plot(rows, args.out/'race.png')


if __name__ == '__main__':
    main()
