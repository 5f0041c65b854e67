"Contrast: lowered, matched in all and by scale, histograms; tensors, batches, PIL"
import numpy as np, pytest, torch
from PIL import Image
from hypothesis import given, strategies as st
from style_nb.colour import luminance
from style_nb.contrast import *
from style_nb.gallery import sample
from style_nb.pictures import load_picture, to_pil

@pytest.fixture(scope='module')
def photo(): return .3 + .35*load_picture(sample('astronaut'), 64)  # nothing is clipped

@pytest.fixture(scope='module')
def other(): return .4 + .2*load_picture(sample('dots'), 64)

def deviation(x): return float(luminance(x).std(correction=0))

@given(st.floats(0, 1.5))
def test_lowering_is_about_the_mean(amount):
    x = .3 + .3*load_picture(sample('cat'), 48)
    for channels in ('all', 'luminance'):
        y = lower_contrast(x, amount, channels)
        assert torch.allclose(y.mean((-2, -1)), x.mean((-2, -1)), atol=1e-4)
        assert deviation(y) == pytest.approx(amount*deviation(x), abs=1e-3)

def test_luminance_leaves_colour_differences(photo):
    y = lower_contrast(photo, .3, 'luminance')
    for a, b in ((0, 1), (1, 2)): assert torch.allclose(y[:, a] - y[:, b], photo[:, a] - photo[:, b], atol=1e-5)

def test_an_amount_of_one_changes_nothing(photo):
    assert torch.equal(lower_contrast(photo, 1.), photo) or torch.allclose(lower_contrast(photo, 1.), photo, atol=1e-6)

@pytest.mark.parametrize('mean', [False, True])
def test_global_match(photo, other, mean):
    y = match_contrast(photo, other, mean=mean)
    assert deviation(y) == pytest.approx(deviation(other), rel=.01)
    assert float(luminance(y).mean()) == pytest.approx(float(luminance(other if mean else photo).mean()), abs=1e-3)

def test_match_by_scale_moves_each_octave_to_the_other(photo, other):
    from style_nb.contrast import _pyramid
    bands = lambda x: [float(b.std()) for b in _pyramid(luminance(x) - luminance(x).mean(), 3)]
    got, before, want = bands(match_contrast(photo, other, 'scale')), bands(photo), bands(other)
    assert all(abs(g - w) < .35*abs(b - w) + .1*w for g, b, w in zip(got, before, want)), (got, before, want)
    assert torch.allclose(match_contrast(photo, photo, 'scale'), photo, atol=1e-4)

def test_no_octave_is_blown_up(other):
    flat = torch.full((1, 3, 64, 64), .5) + 1e-5*torch.rand(1, 3, 64, 64)
    for by in ('global', 'scale'):
        y = match_contrast(flat, other, by)
        assert torch.isfinite(y).all() and deviation(y) < 1e-3

def test_histograms(photo, other):
    q = torch.linspace(.05, .95, 19)
    at = lambda x: torch.quantile(luminance(x).flatten(), q)
    assert (at(match_histogram(photo, other)) - at(other)).abs().max() < .02
    y = match_histogram(photo, other, 'all')
    for c in range(3):
        assert (torch.quantile(y[0, c].flatten(), q) - torch.quantile(other[0, c].flatten(), q)).abs().max() < .02

FUNCTIONS = dict(lower=lambda x, o: lower_contrast(x), light=lambda x, o: lower_contrast(x, .5, 'luminance'),
    match=lambda x, o: match_contrast(x, o), scale=lambda x, o: match_contrast(x, o, 'scale'),
    histogram=lambda x, o: match_histogram(x, o), local=lambda x, o: local_contrast(x),
    sigmoid=lambda x, o: sigmoid_contrast(x))

@pytest.mark.parametrize('name', FUNCTIONS)
def test_what_comes_goes(photo, other, name):
    f, batch = (FUNCTIONS[name], torch.cat([photo, photo.flip(-1), other[..., :64, :64].expand(1, 3, -1, -1)
        if other.shape == photo.shape else photo]))
    one, many, im = f(photo, other), f(batch, other), f(to_pil(photo), other)
    assert (many.shape == batch.shape and torch.allclose(many[:1], one, atol=1e-5) and 0 <= float(many.min())
        and float(many.max()) <= 1)
    assert (isinstance(im, Image.Image) and im.size == to_pil(photo).size
        and np.abs(np.asarray(im)/255. - np.asarray(to_pil(one))/255.).mean() < .02)
    assert f(photo.double(), other).dtype == torch.float32

def test_what_raises(photo):
    assert deviation(photo) < deviation(sigmoid_contrast(photo, 8.))
    assert deviation(local_contrast(photo)) > deviation(photo)

def test_tones():
    t = tones(torch.cat([torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 24)], -1))
    assert t == dict(mean=.75, deviation=pytest.approx(.433, abs=1e-3), dark=.25, light=.75)

def test_tones_of_a_batch(photo):
    assert (tones(torch.cat([photo, 1 - photo, photo*0])) == [tones(photo), tones(1 - photo), tones(photo*0)]
        and tones(photo[0]) == tones(photo))

def test_figure(photo, other):
    fig = show_contrast([photo, other], ['a', 'b'])
    assert len(fig.axes) == 4 and [ax.get_title() for ax in fig.axes[:2]] == ['a', 'b']

def test_figure_of_batches(photo, refused):
    batch = torch.cat([photo, 1 - photo, photo.flip(-1)])
    fig = show_contrast([batch, lower_contrast(batch)], ['before', 'after'])
    axs = np.array(fig.axes).reshape(6, 2)
    assert [ax.get_title() for ax in axs[0]] == ['before', 'after'] and not axs[2, 0].get_title()
    assert [ax.get_xlabel()[:4] for ax in axs[1::2, 0]] == [f"{t['mean']:.2f}" for t in tones(batch)]
    assert len(show_contrast(batch).axes) == 6
    refused(lambda: show_contrast([batch, photo]), '3, 1 pictures', 'one length')
    refused(lambda: show_contrast([]), 'no picture')
    refused(lambda: show_contrast(photo, 3, height=0), 'height is 0')
    assert show_contrast(photo, 'one').axes[0].get_title() == 'one'

@pytest.mark.parametrize('f,words', [(lambda x: lower_contrast(x, -.1), ['amount is -0.1']),
    (lambda x: lower_contrast(x, .5, 'lum'), ['all, luminance', "Did you mean 'luminance'?"]),
    (lambda x: match_contrast(x, x, 'octaves'), ['global, scale']),
    (lambda x: match_contrast(x, x, most=0), ['most is 0']), (lambda x: local_contrast(x, 2), ['limit is 2']),
    (lambda x: show_contrast([x], ['a', 'b']), ['one title for each']),
    (lambda x: lower_contrast('nothing.png'), ['There is no file'])])
def test_mistakes(photo, refused, f, words): refused(lambda: f(photo), *words)
