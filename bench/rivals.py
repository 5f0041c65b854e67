"""Ways to paint any style in one pass, taught alike: same pictures, same losses, same number of steps.

    python bench/rivals.py --photos DIR --paintings DIR --cc0 DIR --vgg FILE --out DIR [--nets looks wct] [--steps 1500]

looks   the network of the package, in six looks
adain   features of four layers, each channel given the style's mean and deviation (Huang and Belongie 2017); a decoder
wct     the same with the style's mean and covariance (Li et al. 2017)
micro   a net of its own whose channels are steered by numbers of the style, as in MicroAST (Wang et al. 2023)

All are residual on the recoloured photo. Of --cc0 every fourth work by name is kept out, of --photos every 33rd.
Each is judged on the twelve pairs of bench/instant.py. What is stopped goes on when it is called again.
"""
import argparse
import statistics
import time
from pathlib import Path
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image
from instant import pairs as judged_pairs
from judge import Judge, fit as fit_size, row, tensor
from style_nb.batches import Crops, fitted_and_held
from style_nb.encoders import encoder
from style_nb.fitting import fit
from style_nb.footing import full_precision
from style_nb.onepass import COLOURS, ENCODER, FIELD, SEEN, OnePass, recoloured, style_moments
from style_nb.pupils import Pairs, paint_by_hand
from style_nb.schooling import deep_directions, pupil_learner


def conv(n_in, n_out, side=3, stride=1):
    return nn.Conv2d(n_in, n_out, side, stride, side//2, padding_mode='reflect')


def larger(x):
    return F.interpolate(x, scale_factor=2, mode='nearest')


def size_of(cov):
    "Mean variance, (B, 1, 1)"
    return cov.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]


def power(cov, exponent, more):
    "A covariance to a power, a little raised"
    values, vectors = torch.linalg.eigh(cov + more*size_of(cov)*torch.eye(cov.shape[1], device=cov.device))
    return (vectors*values.clamp_min(1e-8)[:, None]**exponent) @ vectors.mT


def moved_by_deviation(flat, cov, style):
    "AdaIN: each channel gets the style's deviation"
    own, wanted = (c.diagonal(dim1=1, dim2=2).clamp_min(0)[..., None] for c in (cov, style.covariance))
    return flat*((wanted + 1e-8).sqrt()/(own + 1e-4).sqrt())


def moved_by_covariance(flat, cov, style):
    "WCT: all channels together get the style's covariance"
    return power(style.covariance, .5, 1e-4) @ (power(cov, -.5, 2e-2) @ flat)


class Moved(nn.Module):
    "Features with the statistics of a style beside the photo's own, at four layers, and a decoder"
    def __init__(self, move, c2=144, c1=64, c0=32):
        super().__init__()
        self.move = move
        self.register_buffer('basis', torch.zeros(0))
        n1, n2, n3, n4 = (2*n for n in (16, 32, 48, 192))
        self.deep = conv(n4, c2)
        self.deeper = nn.ModuleList(conv(c2, c2) for _ in range(2))
        self.up = conv(c2, c1)
        self.middle = conv(c1 + n3, c1)
        self.more = nn.ModuleList(conv(c1, c1) for _ in range(2))
        self.up2 = conv(c1, c0)
        self.fine = conv(c0 + n2 + 12, c0)
        self.finer = conv(c0, c0)
        self.out = conv(c0, 12)
        self.pixels = conv(n1, 3)
        for last in (self.out, self.pixels):
            nn.init.normal_(last.weight, std=.001)
            nn.init.zeros_(last.bias)

    def maps_of(self, x, see):
        return see(x, list(SEEN))

    @full_precision()
    def moved(self, maps, style):
        flat = maps.float().flatten(2)
        flat = flat - flat.mean(2, keepdim=True)
        cov = flat @ flat.mT/flat.shape[2]
        moved = self.move(flat, cov, style) + style.mean[..., None]
        both = torch.cat([moved, maps.float().flatten(2)], 1)/(size_of(style.covariance).sqrt() + .01)
        return both.unflatten(2, maps.shape[2:]).clamp(-10, 10)

    def forward(self, photo, style, see, plan=None):
        photo = recoloured(photo, style[COLOURS])
        first, second, third, deep = (self.moved(m, style[1][l]) for l, m in self.maps_of(photo, see).items())
        y = F.relu(self.deep(deep))
        for layer in self.deeper:
            y = y + F.relu(layer(y))
        y = F.relu(self.middle(torch.cat([F.relu(self.up(larger(y))), third], 1)))
        for layer in self.more:
            y = y + F.relu(layer(y))
        y = F.relu(self.up2(larger(y)))
        y = F.relu(self.fine(torch.cat([y, second, F.pixel_unshuffle(photo - .5, 2)], 1)))
        y = y + F.relu(self.finer(y))
        return photo + (F.pixel_shuffle(self.out(y), 2) + self.pixels(first)).float()


class Steered(nn.Module):
    "Instance norm whose gain and shift come from the style"
    def __init__(self, conv, n_style):
        super().__init__()
        self.conv = conv
        self.head = nn.Linear(n_style, 2*conv.out_channels)
        nn.init.normal_(self.head.weight, std=.05)
        nn.init.zeros_(self.head.bias)

    def forward(self, x, z):
        x = self.conv(x).float()
        gain, shift = self.head(z)[..., None, None].chunk(2, 1)
        mean = x.mean((2, 3), keepdim=True)
        off = (x - mean).square().mean((2, 3), keepdim=True)
        return (x - mean)*((1 + gain)*torch.rsqrt(off + 1e-3)) + shift


def style_numbers(style):
    "Logarithms of deviations, means beside them, correlations of the first three layers: (B, n)"
    numbers = []
    for found in style[1].values():
        n = found.mean.shape[1]
        deviation = found.covariance.diagonal(dim1=1, dim2=2).clamp_min(1e-8).sqrt()
        numbers += [(deviation + .01).log(), (found.mean + .01).clamp_min(1e-3).log()]
        if n > 64:
            continue
        correlation = found.covariance/((deviation[:, :, None] + 1e-3)*(deviation[:, None] + 1e-3))
        i, j = torch.triu_indices(n, n, 1)
        numbers.append(correlation[:, i, j])
    return torch.cat(numbers, 1)


class Micro(nn.Module):
    "A net of its own, steered by numbers of the style; of the encoder it has those numbers alone"
    def __init__(self, n_seen=128, n_style=160, c2=128, c1=64, c0=24, blocks=3):
        super().__init__()
        self.register_buffer('basis', torch.zeros(n_seen, 2320))
        self.register_buffer('mean', torch.zeros(2320))
        self.style = nn.Sequential(nn.Linear(n_seen, n_style), nn.ReLU(), nn.Linear(n_style, n_style), nn.ReLU())
        self.stem, self.down, self.up, self.middle, self.up2, self.fine = (
            Steered(layer, n_style) for layer in (conv(48, c1), conv(c1, c2, 3, 2), conv(c2, c1), conv(c1, c1),
                                                  conv(c1, c0), conv(c0 + 12, c0)))
        self.blocks = nn.ModuleList(
            nn.ModuleList(Steered(conv(c2, c2), n_style) for _ in range(2)) for _ in range(blocks))
        self.out = conv(c0, 12)
        nn.init.normal_(self.out.weight, std=.002)
        nn.init.zeros_(self.out.bias)

    def maps_of(self, x, see):
        return see(x, list(SEEN))

    @torch.no_grad()
    def look_at(self, see, paintings, n=64):
        "Take the directions along which numbers of paintings differ most"
        numbers = torch.cat([style_numbers(style_moments(self, paintings.at(i)[0], see, (1,))) for i in range(n)])
        self.mean.copy_(numbers.mean(0))
        directions = torch.linalg.svd(numbers - self.mean, full_matrices=False)[2][:len(self.basis)]
        spread = ((numbers - self.mean) @ directions.T).std(0)
        self.basis.copy_(directions/(spread*spread[0]).sqrt()[:, None])

    def forward(self, photo, style, see, plan=None):
        photo = recoloured(photo, style[COLOURS])
        see(photo[..., :64, :64], ['relu1_1'])  # for the Pupil, which takes the first look for the photo's
        z = self.style((style_numbers(style) - self.mean) @ self.basis.T)
        x = photo - .5
        first = F.relu(self.stem(F.pixel_unshuffle(x, 4), z))
        y = F.relu(self.down(first, z))
        for a, b in self.blocks:
            y = y + b(F.relu(a(y, z)), z)
        y = F.relu(self.up(larger(y), z)) + first
        y = F.relu(self.middle(y, z)) + y
        y = F.relu(self.up2(larger(y), z))
        y = F.relu(self.fine(torch.cat([y, F.pixel_unshuffle(x, 2)], 1), z))
        return photo + F.pixel_shuffle(self.out(y), 2).float()


def begun(name, paintings):
    "A net that knows nothing but where paintings differ"
    torch.manual_seed(0)
    see = encoder(**ENCODER)
    if name == 'looks':
        net = OnePass()
        net.basis.copy_(deep_directions(see, paintings))
        return net
    if name == 'micro':
        net = Micro()
        net.look_at(see, paintings)
        return net
    return Moved(moved_by_deviation if name == 'adain' else moved_by_covariance)


def lessons(args):
    "Pairs of squares, the same for all"
    photos, _ = fitted_and_held(str(args.photos), 33)
    paintings = {}
    for folder, share in ((args.paintings, 0), (args.cc0, 4)):
        paintings |= {f'{folder.name}/{n}': p for n, p in fitted_and_held(str(folder), share)[0].items()}
    paintings |= paint_by_hand(photos, 60)
    return Pairs(Crops(photos, args.batch, args.side), Crops(paintings, args.batch, 192, 1))


def taught(name, pairs, args):
    "A net after its lessons"
    learn = pupil_learner(begun(name, pairs.paintings), pairs)
    log = fit(learn, args.steps, args.out/f'{name}.checkpoint', lr=args.lr, warmup=min(.25, 200/args.steps))
    weights = sum(p.numel() for p in learn.model.parameters())
    print(f'{name}: {weights/1e6:.2f} M weights, {log.seconds.iloc[-1]/len(log):.2f} s a step')
    return learn.weight_average.net.eval()


@torch.no_grad()
def painted(net, photo, painting, see, size):
    "The picture of a pair, and the seconds it took"
    photo = fit_size(photo, size)
    photo = photo.resize(tuple(n//FIELD*FIELD for n in photo.size), Image.LANCZOS)
    painting = fit_size(painting, min(max(painting.size), round(1.5*size)))
    begin = time.perf_counter()
    made = net(tensor(photo), style_moments(net, tensor(painting), see), see).clamp(0, 1)
    seconds = time.perf_counter() - begin
    return Image.fromarray((made[0].permute(1, 2, 0)*255).round().byte().numpy()), seconds


def score(name, net, args):
    "A line for each of the twelve pairs, and medians"
    judge, see, rows = Judge(args.vgg), encoder(**ENCODER), []
    for photo, painting, pair in judged_pairs(args.cc0):
        made, seconds = painted(net, photo, painting, see, args.size)
        made.save(args.out/f'{name}_{pair}.png')
        rows.append(row(pair.split('_x_'), name, judge(made, photo, painting), seconds))
    print(name, {figure: round(statistics.median(r[figure] for r in rows), 3) for figure in ('J', 'ssim', 'seconds')})


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ('photos', 'paintings', 'cc0', 'out'):
        p.add_argument(f'--{name}', type=Path, required=True)
    p.add_argument('--vgg', required=True, help="VGG-16's weights file")
    p.add_argument('--nets', nargs='+', default=['looks', 'adain', 'wct', 'micro'])
    for name, value in dict(steps=1500, side=160, batch=3, size=432).items():
        p.add_argument(f'--{name}', type=int, default=value)
    p.add_argument('--lr', type=float, default=7e-4)
    args = p.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    pairs = lessons(args)
    for name in args.nets:
        score(name, taught(name, pairs, args), args)


if __name__ == '__main__':
    main()
