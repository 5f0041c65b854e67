"Comparing: figures with known answers"
import pytest, torch
from style_nb.comparing import (at_fidelity, band_distances, colour_distance, fidelity, laplacian_bands, retrieval,
    sliced_wasserstein)
from style_nb.colour import luminance
from style_nb.encoders import encoder
from style_nb.gallery import sample, samples
from style_nb.pictures import load_picture, to_pil

@pytest.fixture(scope='module')
def cat(): return load_picture(sample('cat'), 160)

@pytest.fixture(scope='module')
def swirls(): return load_picture(sample('swirls'), 160)

def noise(like, s): return (like + s*torch.randn(like.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)

def test_luminance():
    assert torch.allclose(luminance(torch.tensor([1., .5, 0]).view(1, 3, 1, 1)).flatten(), torch.tensor([.299 + .2935]))

def test_fidelity(cat):
    assert fidelity(cat, cat) == pytest.approx(1, abs=1e-9)
    f = [fidelity(noise(cat, s), cat) for s in (.02, .1, .3)]
    assert 1 > f[0] > f[1] > f[2] > 0
    assert fidelity(to_pil(cat), to_pil(cat)) == pytest.approx(1, abs=1e-9)
    big = load_picture(sample('cat'), 320)
    assert fidelity(cat, big) > .97, 'the photo is brought to the size of the picture'
    swapped = cat.flip(1)
    assert fidelity(swapped, cat) > .8, 'colour is another question'

def test_bands_add_up(cat):
    "Octaves plus the rest give the picture back when each is enlarged by what made it smaller"
    y = luminance(cat)
    b = laplacian_bands(y, 3)
    assert len(b) == 4 and [o.shape[-1] for o in b] == [160, 80, 40, 20]
    assert abs(float(b[0].mean())) < 1e-2 and float(b[3].mean()) == pytest.approx(float(y.mean()), abs=.03)
    stripes = (torch.arange(160) % 2).float().expand(1, 1, 160, 160)*1.
    e = [float(o.square().mean()) for o in laplacian_bands(stripes, 3)[:3]]
    assert e[0] > .2 and max(e[1:]) < 1e-3, 'stripes of one pixel are all in the finest band'

def test_too_small_for_its_bands(refused):
    refused(lambda: laplacian_bands(torch.rand(1, 1, 40, 40), 5), '40x40', 'at least 96 px')

def test_sliced_wasserstein(cat):
    y = luminance(cat)
    assert sliced_wasserstein(y, y) == 0
    g = torch.Generator().manual_seed(0)
    shuffled = y.flatten()[torch.randperm(y.numel(), generator=g)].view_as(y)
    assert sliced_wasserstein(y, shuffled, patch=1) < 1e-6 < 1e-2 < sliced_wasserstein(y, shuffled, patch=5)
    assert (sliced_wasserstein(y, y + .25, patch=1) == pytest.approx(.25,
        abs=1e-5)), 'one dimension: the mean distance of sorted values'
    a, b = y, luminance(noise(cat, .1))
    assert sliced_wasserstein(a, b) == pytest.approx(sliced_wasserstein(b, a), rel=1e-5)

def test_band_distances(swirls, cat):
    near, veil, far = (band_distances(x, swirls, 4) for x in (swirls.flip(-1), .5 + .1*(swirls - .5), cat))
    assert all(a < b for a, b in zip(near, far)) and all(a < b for a, b in zip(near, veil)), 'a grey veil is no way out'
    fine = band_distances(noise(swirls, .2), swirls, 4)
    assert fine[0] > 3*fine[3]

def test_colour_distance(swirls):
    g = torch.Generator().manual_seed(0)
    p = torch.randperm(swirls[0, 0].numel(), generator=g)
    shuffled = swirls.flatten(2)[..., p].view_as(swirls)
    assert colour_distance(shuffled, swirls) < 1e-5 < .05 < colour_distance(1 - swirls, swirls)

def test_at_fidelity(cat):
    asked = []
    def run(w):
        asked.append(w)
        return noise(cat, min(1, w/100))
    for target in (.7, .3):
        asked.clear()
        r, w, f = at_fidelity(run, cat, target, .01, start=1)
        assert abs(f - target) <= .01 and fidelity(r, cat) == f and w == asked[-1] and len(asked) <= 12
    flat, _, f = at_fidelity(lambda w: cat, cat, .5, tries=3)
    assert f == pytest.approx(1), 'when it cannot be reached, the nearest'

def test_retrieval(refused):
    xs = [load_picture(sample(s.name), 160) for s in samples('photo')]
    got = {n: retrieval(encoder(n), xs) for n in ('random', 'texnet')}
    assert (set(got['texnet']) == {*(f'relu{i}_1' for i in range(1, 6)), 'all'}
        and got['texnet']['all'] >= got['random']['all'])
    one = retrieval(encoder('random'), xs, ['relu1_1'], grey=False)
    assert one['all'] == one['relu1_1']
    as_bytes = [(x[0]*255).round().byte() for x in xs]
    assert retrieval(encoder('random'), as_bytes, ['relu1_1']) == retrieval(encoder('random'), xs, ['relu1_1'])
    refused(lambda: retrieval(encoder('random'), xs, ['relu9_1']), 'relu9_1')
