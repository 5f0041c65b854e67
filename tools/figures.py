"""Tells from a stored figure whether its pictures were enlarged from fewer pixels than are shown.

Two signs, each measured on the pictures between a figure's white gutters. Enlarged by repeating pixels, columns come in
blocks: most steps from a column to the next are next to nothing beside the largest one near by. Enlarged smoothly, the
finest octave of brightness is nearly empty beside the next one. Both hold after JPEG; what has no texture, such as a
mask or a chart, is not judged.
"""
import numpy as np
from PIL import Image

LEAST = 56        # px, a side of the smallest picture that is judged
BLOCKS = .36      # share of columns, and of rows, that hardly differ from their neighbour: .05 as a rule, .5 if doubled
SHARP = .515      # finest octave over the next one: .8 as a rule, .3 to .5 when enlarged twice
TEXTURE = .3      # share of neighbours that differ, seen from afar: less is a mask or a chart
WHITE = 248
EDGE = 8          # px, left out at the border of a picture, where it rings


def spans(mask, least=LEAST):
    "Where `mask` is true for at least `least` places on end"
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False].astype(int)))
    return [(a, b) for a, b in zip(edges[::2], edges[1::2]) if b - a >= least]


def boxes(dark, top=0, left=0):
    "The boxes of a figure that white gutters part, each as (left, top, right, bottom)"
    rows, columns = spans(dark.mean(1) > .02), spans(dark.mean(0) > .02)
    if rows == [(0, dark.shape[0])] and columns == [(0, dark.shape[1])]:
        yield left, top, left + dark.shape[1], top + dark.shape[0]
        return
    for a, b in rows:
        for c, d in columns: yield from boxes(dark[a:b, c:d], top + a, left + c)


def pictures(figure):
    "The pictures in a figure, less their borders"
    figure = figure.convert('RGB')
    found = boxes(np.asarray(figure).min(2) < WHITE)
    return [figure.crop((a + EDGE, b + EDGE, c - EDGE, d - EDGE)) for a, b, c, d in found]


def shrunk(grey, by=2):
    "The mean of each `by` x `by` pixels"
    height, width = (side//by for side in grey.shape)
    return grey[:height*by, :width*by].reshape(height, by, width, by).mean((1, 3))


def texture(grey):
    "Share of neighbours that differ, below or beside, seen from four times as far"
    small = shrunk(grey, 4)
    return float(min((np.abs(np.diff(small, axis=axis)) > 3).mean() for axis in (0, 1)))


def blocks(grey):
    "Share of columns that hardly differ from the next, beside the largest difference around"
    steps = np.abs(np.diff(grey, axis=1)).mean(0)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(steps, 4, mode='edge'), 9)
    return float((steps < .35*around.max(1)).mean())


def octave(grey):
    "What one halving of the size takes away"
    grey = grey[:grey.shape[0]//2*2, :grey.shape[1]//2*2].astype('float32')
    back = Image.fromarray(shrunk(grey).astype('float32')).resize(grey.shape[::-1], Image.BICUBIC)
    return grey - np.asarray(back)


def sharpness(grey):
    "The finest octave over the next one"
    return float(octave(grey).std()/max(1e-6, octave(shrunk(grey)).std()))


def enlarged(picture):
    "How a picture was enlarged, as words, or an empty text"
    grey = np.asarray(picture.convert('L')).astype('float32')
    if min(grey.shape) < LEAST - 2*EDGE or texture(grey) < TEXTURE: return ''
    if min(blocks(grey), blocks(grey.T)) > BLOCKS: return 'in blocks'
    return 'smoothly' if sharpness(grey) < SHARP else ''


def enlarged_pictures(figure):
    "How each enlarged picture of a figure was enlarged"
    return [how for how in map(enlarged, pictures(figure)) if how]
