"""Statistics of pictures that took no part in any fit or tuning, to tell how near two pictures are in texture.
Frozen, as bench/judge.py is.

Two of them, neither a relative of the encoders: a steerable pyramid (Simoncelli and Freeman 1995; the statistics are
a choice of those of Portilla and Simoncelli 2000) and histograms of oriented gradients (Dalal and Triggs 2005). Both
see luminance, at its own mean and contrast; a distance is a mean of differences, each over what is typical of that
figure among photos, and 0 for the same picture.
"""
import numpy as np
from skimage.feature import hog
from style_nb.colour import luminance
from style_nb.pictures import load_picture, resize

SCALES, ANGLES, SIDE = 4, 4, 256


def grey(picture):
    "Luminance at SIDE px, as an array of even height and width"
    x = resize(luminance(load_picture(picture)), SIDE)[0, 0].double().numpy()
    return x[:x.shape[0]//16*16, :x.shape[1]//16*16]


def steerable(y):
    "Complex bands [scale][angle] of a steerable pyramid, by FFT; the low-pass rest last"
    spectrum, bands = np.fft.fft2(y), []
    h, w = y.shape
    v, u = np.meshgrid(np.fft.fftfreq(h)*2, np.fft.fftfreq(w)*2, indexing='ij')
    octave = np.log2(np.maximum(np.hypot(u, v), 1e-9))
    angle = np.arctan2(v, u)
    low = lambda edge: np.cos(np.pi/2*np.clip(octave - edge + 1, 0, 1))   # 1 below edge - 1, 0 above edge
    high = lambda edge: np.sqrt(1 - low(edge)**2)
    for s in range(SCALES):
        ring = low(-s)*high(-s - 1)
        row = []
        for a in range(ANGLES):
            turn = (angle - np.pi*a/ANGLES + np.pi) % (2*np.pi) - np.pi
            wedge = np.where(np.abs(turn) < np.pi/2, 2*np.abs(np.cos(turn))**(ANGLES - 1), 0)
            row.append(np.fft.ifft2(spectrum*ring*wedge))
        bands.append(row)
    return bands, np.real(np.fft.ifft2(spectrum*low(-SCALES)))


def pyramid_statistics(picture):
    "Figures of a steerable pyramid: strength, peakedness and correlation of its bands"
    y = grey(picture)
    bands, rest = steerable(y - y.mean())
    sizes = [[np.abs(b) for b in row] for row in bands]
    strength = [np.log2(b.std() + 1e-5) for row in sizes for b in row] + [np.log2(rest.std() + 1e-5)]
    real = [np.real(b).ravel() for row in bands for b in row]
    peaked = [np.log2((b**4).mean()/max((b**2).mean()**2, 1e-20) + 1e-3) for b in real]
    beside = [np.corrcoef([b.ravel() for b in row])[np.triu_indices(ANGLES, 1)] for row in sizes]
    above = [[np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(one, two)] for one, two in zip(sizes, sizes[1:])]
    return dict(strength=np.array(strength), peaked=np.array(peaked), beside=np.nan_to_num(np.concatenate(beside)),
        above=np.nan_to_num(np.concatenate(above)))


# a difference that is worth 1: an octave, an octave, .2 of correlation
TYPICAL = dict(strength=1., peaked=1., beside=.2, above=.2)


def pyramid_distance(a, b):
    "Distance of two pictures in a steerable pyramid's figures"
    one, two = pyramid_statistics(a), pyramid_statistics(b)
    return float(np.mean([np.abs(one[k] - two[k]).mean()/size for k, size in TYPICAL.items()]))


def hog_distance(a, b):
    "Distance of two pictures in how often and how strongly edges of each direction occur, in cells of 8 and 16 px"
    far = []
    for cell in (8, 16):
        parts = []
        for x in (grey(a), grey(b)):
            cells = hog(x, orientations=9, pixels_per_cell=(cell, cell), cells_per_block=(1, 1), feature_vector=False,
                block_norm='L2')
            cells = np.sort(cells.reshape(-1, 9), axis=1)       # how peaked a cell is, whichever way it points
            parts.append(np.sort(cells, axis=0)[np.linspace(0, len(cells) - 1, 64).astype(int)])
        far.append(np.abs(parts[0] - parts[1]).mean())
    return float(np.mean(far)/.05)


def heldout_distance(a, b):
    "The mean of both"
    return (pyramid_distance(a, b) + hog_distance(a, b))/2
