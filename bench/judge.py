"""The judge: how near a painted picture comes to its photo and its painting, seen by the real VGG-16. Frozen: never
changed to flatter a picture.

    python bench/judge.py paint  --vgg FILE --works DIR [--encoders texnet vgg16] [--pairs kept] [--size 384]
                                 [--out DIR]
    python bench/judge.py score  --vgg FILE --works DIR --made DIR [--pairs kept] [--size 384]
                                 DIR holds PAIR.png, made by any program
    python bench/judge.py inputs --works DIR --out DIR [--size 384]
                                 photos and paintings, for other programs

J = 40 x (3 s(relu1_1) + s(relu2_1) + s(relu3_1) + 2 s(relu4_1)) + c(relu2_2), with s = |G-A|^2/|A|^2 and c =
|F-P|^2/|P - mean P|^2. VGG-16 with average pooling and reflected borders, in fp32; the style picture at 1.5 times the
canvas, never enlarged; no total variation.

`--vgg`: VGG-16's convolutions as .safetensors, names conv1_1.weight and so on, for BGR of 0 to 255 minus the mean
(the Caffe file). `--works`: a folder with the CC0 works named in PAIRS. An encoder is a name, or a name and a file:
texnet=half.safetensors.
"""
import argparse
import json
import statistics
import time
from pathlib import Path
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from skimage import data

STYLE_WEIGHT = 40.
STYLE_LAYERS = {'relu1_1': 3., 'relu2_1': 1., 'relu3_1': 1., 'relu4_1': 2.}
CONTENT_LAYER = 'relu2_2'
STYLE_SCALE = 1.5
MEAN_BGR = (103.939, 116.779, 123.68)
CONVOLUTIONS = ('conv1_1', 'conv1_2', 'conv2_1', 'conv2_2', 'conv3_1', 'conv3_2', 'conv3_3', 'conv4_1')

# (photo or portrait, painting): a name of scikit-image's, a sample of ours, or the file of a CC0 work without its
# suffix
TUNING = [
    ('astronaut', 'metmuseum_436535'),               # Van Gogh, Wheat Field with Cypresses
    ('chelsea', 'artic_24645'),                      # Hokusai, Under the Wave off Kanagawa
    ('coffee', 'swirls'),
    ('rocket', 'nga_46523'),                         # Monet, The Houses of Parliament, Sunset
    # Leonardo, Ginevra de' Benci; Kandinsky, Landscape with Two Poplars
    ('nga_50724', 'artic_8980'),
    ('metmuseum_437879', 'mosaic'),                  # Vermeer, Study of a Young Woman
]
# never looked at while anything was tuned; their CC0 works are every 4th by name, which no fit has seen
KEPT = [
    ('astronaut', 'artic_9021'),                     # Marc, The Bewitched Mill
    ('chelsea', 'nga_46688'),                        # Rousseau, The Equatorial Jungle
    ('coffee', 'metmuseum_437658'),                  # Seurat, Study for A Sunday on La Grande Jatte
    ('rocket', 'woodcut'),
    ('clevelandart_1980.264', 'clevelandart_2020.106'),  # Gérôme, Head of an Italian Woman; Cross, The Pink Cloud
    ('metmuseum_436545', 'dots'),                    # Goya, Manuel Osorio Manrique de Zuñiga
]
PAIRS = {'tuning': TUNING, 'kept': KEPT, 'all': TUNING + KEPT}

# how `paint` makes a picture: the objective of the judge, every other choice said too, so that no default matters
SETTINGS = dict(
    content_weights={CONTENT_LAYER: 1.}, style_weights=STYLE_LAYERS, content_weight=1., style_weight=STYLE_WEIGHT,
    tv_weight=0.,
    style_scale=STYLE_SCALE, steps=300, levels=4, optimizer='lbfgs', lr=1., history=20, init='recoloured',
    colours='style',
    style_kind='gram', content_kind='features', style_norm='unit', content_norm='unit', pooling='avg',
    padding='reflect', seed=0)


def open_named(name, works):
    "A picture of PAIRS by its name"
    from style_nb.gallery import sample
    if name in ('astronaut', 'chelsea', 'coffee', 'rocket'):
        return Image.fromarray(getattr(data, name)())
    if '_' not in name:
        return sample(name).convert('RGB')
    return Image.open(Path(works)/f'{name}.jpg').convert('RGB')


def fit(image, side):
    "`image` with its longer side at `side` px"
    scale = side/max(image.size)
    return image.resize([max(1, round(n*scale)) for n in image.size], Image.LANCZOS)


def tensor(image):
    "A PIL picture as (1, 3, H, W) in [0, 1]"
    raw = torch.frombuffer(bytearray(image.convert('RGB').tobytes()), dtype=torch.uint8)
    return raw.view(1, image.height, image.width, 3).permute(0, 3, 1, 2).float()/255


def gram(maps):
    "Mean over places of products of channels"
    flat = maps.flatten(2)[0]
    return flat @ flat.T/flat.shape[1]


def ssim(a, b):
    "Structural similarity of two luminances in [0, 1]: Gaussian window of 11 px, deviation 1.5 (Wang et al. 2004)"
    at = torch.arange(11.) - 5
    line = torch.exp(-at**2/4.5)
    line = line/line.sum()
    window = (line[:, None]*line)[None, None]
    mean = lambda x: F.conv2d(x, window)
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a*a) - ma*ma, mean(b*b) - mb*mb, mean(a*b) - ma*mb
    return float((((2*ma*mb + 1e-4)*(2*cov + 9e-4))/((ma*ma + mb*mb + 1e-4)*(va + vb + 9e-4))).mean())


class Judge:
    "VGG-16 as a judge of pictures"
    def __init__(self, vgg):
        state = load_file(vgg)
        self.convolutions = [(n, state[f'{n}.weight'].float(), state[f'{n}.bias'].float()) for n in CONVOLUTIONS]

    @torch.no_grad()
    def features(self, x):
        "Maps of a picture (1, 3, H, W) in [0, 1] at every ReLU"
        x = x.flip(1)*255 - torch.tensor(MEAN_BGR).view(1, 3, 1, 1)
        maps = {}
        for name, weight, bias in self.convolutions:
            if name.endswith('_1') and name != 'conv1_1':
                x = F.avg_pool2d(x, 2)
            x = F.conv2d(F.pad(x, (1, 1, 1, 1), 'reflect'), weight, bias).relu()
            maps[name.replace('conv', 'relu')] = x
        return maps

    def __call__(self, made, photo, painting):
        """Figures of a picture, `made`, of a photo in the manner of a painting; PIL pictures. The photo is
        brought to the size of the picture."""
        x = tensor(made)
        content = tensor(photo.convert('RGB').resize(made.size, Image.LANCZOS))
        style = tensor(fit(painting.convert('RGB'), min(max(painting.size), round(STYLE_SCALE*max(made.size)))))
        f, p, a = self.features(x), self.features(content), self.features(style)
        apart = {}
        for layer in STYLE_LAYERS:
            g, t = gram(f[layer]), gram(a[layer])
            apart[layer] = float((g - t).square().sum()/t.square().sum())
        target = p[CONTENT_LAYER]
        c = float((f[CONTENT_LAYER] - target).square().sum()/(target -
            target.mean((2, 3), keepdim=True)).square().sum())
        s = STYLE_WEIGHT*sum(w*apart[layer] for layer, w in STYLE_LAYERS.items())
        light = torch.tensor([.299, .587, .114]).view(1, 3, 1, 1)
        similar = ssim((x*light).sum(1, keepdim=True), (content*light).sum(1, keepdim=True))
        return dict(J=s + c, style=s, content=c, ssim=similar, layers=apart)


def row(pair, who, figures, seconds=None):
    "One line of the table"
    took = '' if seconds is None else f'{seconds:6.1f} s'
    print(f"{' x '.join(pair):44} {who:14} J {figures['J']:7.2f}  style {figures['style']:7.2f}  content "
          f"{figures['content']:5.2f}  "
          f"SSIM {figures['ssim']:.3f} {took}", flush=True)
    return dict(pair=pair, who=who, seconds=seconds, **figures)


def summary(rows):
    "Medians of J, style, content, SSIM and seconds for each way of painting"
    for who in dict.fromkeys(r['who'] for r in rows):
        mine = [r for r in rows if r['who'] == who]
        middle = {k: statistics.median(r[k] for r in mine) for k in ('J', 'style', 'content', 'ssim')}
        took = [r['seconds'] for r in mine if r['seconds'] is not None]
        print(f"median of {len(mine):2} {who:14} " + '  '.join(f'{k} {v:.3f}' for k, v in middle.items())
              + (f'  seconds {statistics.median(took):.1f}' if took else ''), flush=True)


def paint(args):
    "The picture of each encoder with the judge's own settings, and the recoloured photo, judged"
    from style_nb.colour import match_colours
    from style_nb.pictures import load_picture, to_pil
    from style_nb.transfer import stylize
    judge, rows = Judge(args.vgg), []
    for pair in PAIRS[args.pairs]:
        photo, painting = (open_named(n, args.works) for n in pair)
        small = fit(photo, args.size)
        recoloured = to_pil(match_colours(load_picture(small), load_picture(painting), rounds=1))
        rows.append(row(pair, 'recoloured', judge(recoloured, photo, painting)))
        for who in args.encoders:
            name, _, weights = who.partition('=')
            if name == 'vgg16' and not weights:
                weights = args.vgg
            start = time.perf_counter()
            result = stylize(photo, painting, encoder=name, encoder_weights=weights or None, size=args.size,
                progress=False, **SETTINGS)
            seconds = time.perf_counter() - start
            rows.append(row(pair, who, judge(result.image, photo, painting), seconds))
            if args.out:
                folder = Path(args.out)/Path(who.replace('=', '_')).stem
                folder.mkdir(parents=True, exist_ok=True)
                result.image.save(folder/f"{'_x_'.join(pair)}.png")
    return rows


def score(args):
    "Pictures made by any program, judged"
    judge, rows = Judge(args.vgg), []
    for pair in PAIRS[args.pairs]:
        photo, painting = (open_named(n, args.works) for n in pair)
        made = fit(Image.open(Path(args.made)/f"{'_x_'.join(pair)}.png").convert('RGB'), args.size)
        rows.append(row(pair, Path(args.made).name, judge(made, photo, painting)))
    return rows


def inputs(args):
    "Photos at the size judged, paintings as they are: PAIR_photo.png and PAIR_painting.png"
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    for pair in PAIRS[args.pairs]:
        photo, painting = (open_named(n, args.works) for n in pair)
        fit(photo, args.size).save(folder/f"{'_x_'.join(pair)}_photo.png")
        painting.save(folder/f"{'_x_'.join(pair)}_painting.png")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('task', choices=['paint', 'score', 'inputs'])
    parser.add_argument('--vgg', help="VGG-16's convolutions, .safetensors")
    parser.add_argument('--works', required=True, help='folder of CC0 works')
    parser.add_argument('--encoders', nargs='+', default=['texnet', 'vgg16'])
    parser.add_argument('--pairs', choices=list(PAIRS), default='kept')
    parser.add_argument('--size', type=int, default=384, help='longer side, px')
    parser.add_argument('--made', help='folder of pictures to score')
    parser.add_argument('--out', help='folder for pictures')
    parser.add_argument('--json', help='file for all figures')
    args = parser.parse_args()
    if args.task != 'inputs' and not args.vgg:
        parser.error(f'{args.task} needs --vgg FILE')
    if args.task == 'score' and not args.made:
        parser.error('score needs --made DIR')
    if args.task == 'inputs' and not args.out:
        parser.error('inputs needs --out DIR')
    rows = dict(paint=paint, score=score, inputs=inputs)[args.task](args)
    if rows:
        summary(rows)
        if args.json:
            Path(args.json).write_text(json.dumps(rows, indent=1))


if __name__ == '__main__':
    main()
