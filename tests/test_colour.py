"Colour: brightness, and the colours of another picture"
import pytest, torch
from fastai.callback.core import Callback
from hypothesis import given, settings, strategies as st
from style_nb.colour import (COLOUR_METHODS, colour_statistics, finish_colours, from_oklab, lend_colours, luminance,
    match_colours, to_oklab)
from style_nb.gallery import sample
from style_nb.pictures import load_picture, resize
from style_nb.transfer import stylize

@pytest.fixture(scope='module')
def pics(): return [.3 + .3*load_picture(sample(n), 64) for n in ('astronaut', 'swirls', 'dots')]

def test_luminance():
    assert torch.allclose(luminance(torch.tensor([1., .5, 0]).view(1, 3, 1, 1)).flatten(), torch.tensor([.299 + .2935]))

def test_mean_and_covariance_arrive(pics):
    photo, a, b = pics
    for like, w in ((a, None), ([a, b], None), ([a, b], [3, 1])):
        like_ = .4 + .2*a if like is a else [.4 + .2*o for o in like]
        got, want = (colour_statistics([match_colours(photo, like_, w)]),
            colour_statistics(like_ if isinstance(like_, list) else [like_], w))
        for g, v in zip(got, want): assert torch.allclose(g, v, atol=1e-3)

def test_statistics_of_several_are_those_of_all_their_pixels(pics):
    a, b = (p[..., :40, :40] for p in pics[1:])
    for g, v in zip(colour_statistics([a, b]), colour_statistics([torch.cat([a, b], -1)])):
        assert torch.allclose(g, v, atol=1e-9)

def test_its_own_colours_change_nothing(pics):
    assert torch.allclose(match_colours(pics[0], pics[0]), pics[0], atol=1e-3)

def test_places_stay_and_grey_or_flat_pictures_pass(pics):
    photo, style, _ = pics
    out = match_colours(photo, style)
    assert out.shape == photo.shape and out.dtype == photo.dtype
    corr = torch.corrcoef(torch.stack([luminance(o).flatten() for o in (out, photo)]))[0, 1]
    assert corr > .8
    for odd in (luminance(photo).expand(-1, 3, -1, -1), photo*0 + .5):
        assert torch.isfinite(match_colours(odd, style)).all() and torch.isfinite(match_colours(style, odd)).all()

def test_runs_start_from_it(pics):
    photo, style, _ = pics
    r = stylize(photo, style, size=64, steps=1, levels=1, style_weight=1e-9, lr=1e-6, tv_weight=0, progress=False)
    same = lambda x: (load_picture(r.image) - x).abs().mean() < .01
    assert r.recipe.init == 'recoloured' and same(match_colours(photo, style)) and not same(photo)
    r = stylize(photo, style, size=64, steps=1, levels=1, style_weight=0, lr=1e-6, tv_weight=0, progress=False)
    assert same(photo), 'without style there is no colour to take'
    r = stylize(photo, style, size=64, steps=1, levels=1, init='content', style_weight=1e-9, lr=1e-6, tv_weight=0,
        progress=False)
    assert same(photo)

# ---- which map, whose colours, when

LINEAR = [m for m in COLOUR_METHODS if m != 'histogram']

def odd(photo):
    return dict(grey=luminance(photo).expand(-1, 3, -1, -1), flat=photo*0 + .5, black=photo*0, white=photo*0 + 1)

@pytest.mark.parametrize('method', LINEAR)
def test_every_linear_map_brings_mean_and_covariance(pics, method):
    photo, a, b = pics
    for like in (.4 + .2*a, [.4 + .2*a, .45 + .1*b]):
        got, want = (colour_statistics([match_colours(photo, like, method=method)]),
            colour_statistics(like if isinstance(like, list) else [like]))
        for g, v in zip(got, want): assert (g - v).abs().max() < 1e-3

@pytest.mark.parametrize('style', ['swirls', 'dots', 'woodcut', 'mosaic', 'facets', 'ink'])
@pytest.mark.parametrize('photo', ['astronaut', 'cat', 'coffee'])
def test_rounds_make_up_for_what_is_clipped(photo, style):
    "The bar of 1e-3 with pictures as they are, saturated ones too"
    x, y = load_picture(sample(photo), 96), load_picture(sample(style), 96)
    off = lambda p: max(float((g - v).abs().max()) for g, v in zip(colour_statistics([p]), colour_statistics([y])))
    out = match_colours(x, y)
    assert off(out) < 1e-3 and (off(match_colours(x, y, rounds=1)) > off(out) or off(out) < 1e-4)
    assert torch.corrcoef(torch.stack([luminance(o).flatten() for o in (out, x)]))[0, 1] > .7
    assert torch.equal(match_colours(x, y, within=x, rounds=3), match_colours(x, y, rounds=3))

def test_the_default_map_is_as_it_was(pics):
    photo, a, _ = pics
    assert torch.equal(match_colours(photo, a), match_colours(photo, a, method='symmetric'))
    moved = {m: (match_colours(photo, .4 + .2*a, method=m) - photo).square().sum().item() for m in LINEAR}
    assert moved['symmetric'] == min(moved.values()), 'the transport moves colours least'
    assert len({round(v, 3) for v in moved.values()}) == 3

def test_histogram_is_that_of_scikit_image(pics):
    from skimage.exposure import match_histograms
    photo, a, b = pics
    got, want = (match_colours(photo, a, method='histogram')[0].numpy(),
        match_histograms(photo[0].numpy(), a[0].numpy(), channel_axis=0))
    assert abs(got - want).mean() < 2e-3, abs(got - want).mean()
    two = match_colours(photo, [a, b], [1, 0], method='histogram')
    assert (two - match_colours(photo, a, method='histogram')).abs().max() < 2e-3

@pytest.mark.parametrize('method', COLOUR_METHODS)
def test_odd_pictures_pass_every_map(pics, method):
    photo, style, _ = pics
    for x in odd(photo).values():
        for y in (match_colours(x, style, method=method), match_colours(style, x, method=method)):
            assert torch.isfinite(y).all() and 0 <= y.min() and y.max() <= 1
    assert (match_colours(style, photo*0, method=method)).max() < .06, 'a black picture has black to give'

@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=25)
def test_luma_is_kept_exactly(seed, black, white):
    g = torch.Generator().manual_seed(seed)
    x, c = torch.rand(1, 3, 8, 8, generator=g), torch.rand(1, 3, 8, 8, generator=g)
    x, c = (x > black).float()*x, (c > white).float()
    y = lend_colours(x, c)
    assert (luminance(y) - luminance(x)).abs().max() < 1e-5 and 0 <= y.min() and y.max() <= 1
    same = (y - luminance(y)), (c - luminance(c))
    assert ((same[0]*same[1]).sum(1) >= -1e-5).all(), 'no colour turns into its opposite'

def test_luma_and_colour_where_there_is_room(pics):
    photo, style, _ = pics
    x, c = .45 + .1*resize(style, (64, 64)), .45 + .1*photo
    y = lend_colours(x, c)
    assert ((luminance(y) - luminance(x)).abs().max() < 1e-6
        and ((y - luminance(y)) - (c - luminance(c))).abs().max() < 1e-6)
    lab = lend_colours(x, c, 'oklab')
    assert ((to_oklab(lab)[:, :1] - to_oklab(x)[:, :1]).abs().max() < 1e-4
        and (to_oklab(lab)[:, 1:] - to_oklab(c)[:, 1:]).abs().max() < 1e-4)

def test_oklab_of_known_colours():
    "Red and white from Ottosson's table, and there and back"
    lab = to_oklab(torch.tensor([[1., 0, 0], [1, 1, 1], [0, 0, 0]]).view(3, 3, 1, 1)).flatten(1)
    assert torch.allclose(lab, torch.tensor([[.6280, .2249, .1258], [1, 0, 0], [0, 0, 0]]), atol=1e-3)
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(from_oklab(to_oklab(x)), x, atol=1e-4)

@pytest.mark.parametrize('space', ['luma', 'oklab'])
def test_odd_pictures_lend_and_borrow(pics, space):
    photo = pics[0]
    for x in odd(photo).values():
        assert torch.isfinite(lend_colours(x, photo, space)).all()
        y = lend_colours(photo, x, space)
        assert (y.amax(1) - y.amin(1)).max() < 5e-3, 'grey has no colour to lend'
        assert (lend_colours(x, x, space) - x).abs().max() < 5e-3
    for end in ('black', 'white'):
        assert (lend_colours(odd(photo)[end], photo, space) - odd(photo)[end]).abs().max() < 5e-3

FEW = dict(size=64, steps=3, levels=1, progress=False)

def test_a_recipe_says_whose_colours(pics, refused):
    photo, style = load_picture(sample('astronaut'), 64), load_picture(sample('swirls'), 64)
    base = stylize(photo, style, **FEW)
    y = luminance(load_picture(base.image))
    for c in ('content-luma', 'content-oklab', 'content-match'):
        r = stylize(photo, style, colours=c, snapshots=2, **FEW)
        assert torch.equal(r.state['canvas'], base.state['canvas']), 'the run is the same, only what is shown differs'
        assert r.recipe.colours == c and len(r.frames) == 1
        got = load_picture(r.image)
        assert (got - finish_colours(base.state['canvas'], photo, c)).abs().max() < .51/255 + 1e-4
        if c == 'content-luma': assert (luminance(got) - y).abs().max() < 1.1/255
    before = stylize(photo, style, colours='content-before', colour_method='cholesky', **FEW)
    by_hand = stylize(photo, match_colours(style, photo, method='cholesky'), **FEW)
    assert torch.equal(before.state['canvas'], by_hand.state['canvas']) and before.recipe.styles == base.recipe.styles
    alone = stylize(None, style, colours='content-luma', **FEW)
    assert torch.equal(load_picture(alone.image), load_picture(stylize(None, style,
        **FEW).image)), 'no content, nothing to keep'
    refused(lambda: stylize(photo, style, colours='luma', **FEW), 'Unknown colours', 'content-luma')

def test_a_run_in_the_contents_colours_goes_on_where_it_was(pics):
    photo, style, _ = pics
    whole = stylize(photo, style, colours='content-before', **FEW | dict(steps=6))
    half = stylize(photo, style, colours='content-before', cbs=[_StopAt(3)], **FEW | dict(steps=6))
    on = stylize(photo, style, resume=half, progress=False)
    assert half.state['step'] == 3 and torch.equal(on.state['canvas'], whole.state['canvas'])

class _StopAt(Callback):
    order = 49
    def __init__(self, n): self.n = n
    def after_step(self):
        self.n -= 1
        if self.n == 0: self.learn.stop.now()

@pytest.mark.parametrize('colours', ['style', 'content-luma', 'content-match'])
def test_a_run_is_watched_in_its_final_colours(photo, painting, monkeypatch, colours):
    from style_nb.callbacks import LiveView
    seen = []
    class Handle: update = staticmethod(seen.append)
    monkeypatch.setattr('IPython.display.display', lambda im, **kw: seen.append(im) or Handle())
    half = (torch.arange(64) < 32).float().expand(1, 1, 64, 64)
    for kw in (dict(), dict(change_mask=half)):
        r = stylize(photo, painting, size=64, steps=4, levels=1, colours=colours, cbs=[LiveView(0)], progress=False,
            content_weights='relu2_1', style_weights='relu1_1', **kw)
        assert seen[-1].tobytes() == r.image.tobytes() and len(seen) >= 4
