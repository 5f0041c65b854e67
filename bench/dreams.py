"""Does a dream excite the channel it was told to? Run from the repository's root:

    python bench/dreams.py --photos FOLDER                     ten channels of texnet, and of VGG-16 where it is at hand
    options: --n 1000 --channels 10 --layer relu5_1 --size 432 --seed 0 --encoders texnet vgg16 --out FOLDER

A channel's mean, before its ReLU, over a dream of a bundled photo and over its picture from noise, beside the 99.9th
percentile of its mean over the photos of a folder, at their own size. Which channels, the seed says. CPU
seconds are this process's, on as many threads as torch has.
"""
import argparse
import time
import warnings
from pathlib import Path
import numpy as np
import torch
from style_nb.all import dream, encoder, load_picture, sample
from style_nb.batches import SUFFIXES, with_bar
from style_nb.callbacks import PRECISIONS, best_precision
from style_nb.dreams import feature_picture
from style_nb.encoders import at_hand
from style_nb.wishes import before_relu


def channel_means(enc, layer, x):
    "The mean of each channel of a picture"
    with torch.inference_mode(): return enc(x, layer)[layer].float().mean((0, 2, 3)).numpy()


def of_photos(enc, layer, files):
    "A row a photo"
    return np.stack([channel_means(enc, layer, load_picture(f)) for f in with_bar(files, 'photos', 'photo', True)])


def timed(make):
    "What is made, and the CPU seconds it took"
    start = time.process_time()
    return make(), time.process_time() - start


def one(enc, name, photos, args, channel):
    "Figures of one channel: the photos' percentile, its mean in a dream and in its own picture, CPU seconds"
    how = dict(encoder=name, seed=args.seed, progress=False)
    made, seconds = timed(lambda: dream(sample('astronaut'), args.layer, channel, size=args.size, **how))
    own = feature_picture(args.layer, channel, **how)
    if args.out:
        for kind, result in dict(dream=made, own=own).items(): result.save(args.out/f'{name}_{channel}_{kind}.png')
    layer = before_relu(args.layer)
    loud = [channel_means(enc, layer, load_picture(r))[channel] for r in (sample('astronaut'), made, own)]
    return [np.percentile(photos[:, channel], 99.9), *loud, seconds]


def measure(name, args, files):
    "All channels of an encoder"
    kind = PRECISIONS[best_precision()]
    enc = encoder(name, padding='reflect').to(kind, memory_format=torch.channels_last)
    photos = of_photos(enc, before_relu(args.layer), files)
    channels = np.random.default_rng(args.seed).choice(photos.shape[1], args.channels, replace=False)
    rows = [one(enc, name, photos, args, int(c)) for c in channels]
    print(f'\n{name}, {args.layer}, {len(files)} photos\n\n'
          '| channel | 99.9th percentile | photo | dream | own picture | CPU s |')
    print('|---|---|---|---|---|---|')
    for c, row in zip(channels, rows): print(f'| {c} | ' + ' | '.join(f'{v:.3g}' for v in row) + ' |')
    wins = [sum(row[i] > row[0] for row in rows) for i in (2, 3)]
    seconds = [row[-1] for row in rows]
    print(f'\n{name}: above it in {wins[0]} of {len(rows)} dreams and {wins[1]} pictures from noise; '
          f'{np.median(seconds):.1f} CPU s, at most {max(seconds):.1f}', flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--photos', type=Path, required=True)
    parser.add_argument('--n', type=int, default=1000)
    parser.add_argument('--channels', type=int, default=10)
    parser.add_argument('--layer', default='relu5_1')
    parser.add_argument('--size', type=int, default=432)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--encoders', nargs='+', default=['texnet', 'vgg16'])
    parser.add_argument('--out', type=Path)
    args = parser.parse_args()
    warnings.filterwarnings('ignore', category=FutureWarning)
    if args.out: args.out.mkdir(parents=True, exist_ok=True)
    files = sorted(f for f in args.photos.iterdir() if f.suffix.lower() in SUFFIXES)[:args.n]
    for name in args.encoders:
        if at_hand(name): measure(name, args, files)
        else: print(f'{name} is not at hand: put its file into the folder STYLE_NB_WEIGHTS names.')


if __name__ == '__main__': main()
