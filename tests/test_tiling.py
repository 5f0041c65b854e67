"Tiles: sizes, exact repetition, seams, jitter; whether an object appears"
import pytest, torch
from PIL import Image
from hypothesis import given, settings, strategies as st
from style_nb.cli import main
from style_nb.recipe import Recipe
from style_nb.gallery import sample
from style_nb.pictures import fit_size, load_picture, to_pil
from style_nb.tiling import *

def photo(h=60, w=85, seed=0): return torch.rand(1, 3, h, w, generator=torch.Generator().manual_seed(seed))

@given(st.integers(40, 90), st.integers(40, 90), st.integers(1, 9))
def test_exact_repetition_and_size(h, w, n):
    x = photo(h, w)
    t, ph, pw = tile(x, n), round(h/n), round(w/n)
    assert t.shape == x.shape
    if n == 1: assert torch.equal(t, x)
    assert torch.equal(t[..., ph:, :], t[..., :h - ph, :]) and torch.equal(t[..., pw:], t[..., :w - pw])
    s = tile(x, n, seamless=True)
    assert tuple(s.shape[-2:]) == (n*ph, n*pw)
    if n > 1: assert torch.equal(s[..., ph:, :], s[..., :-ph, :]) and torch.equal(s[..., pw:], s[..., :-pw])

@given(st.sampled_from(['plain', 'mirror', 'blend']), st.floats(0, .5), st.floats(0, 1), st.floats(0, .3),
    st.floats(0, 40), st.floats(0, .5), st.floats(0, .2), st.integers(1, 5), st.integers(0, 9))
@settings(max_examples=40)
def test_whatever_is_asked_for(seams, gap, brick, place, turn, grow, recolour, n, seed):
    how = dict(seams=seams, gap=gap, brick=brick, place=place, turn=turn, grow=grow, recolour=recolour, seed=seed)
    a, b = tile(photo(), n, **how), tile(photo(), n, **how)
    assert (torch.equal(a, b) and a.shape == photo().shape and torch.isfinite(a).all() and 0 <= float(a.min())
        and float(a.max()) <= 1)

def test_mirror():
    t = tile(photo(64, 80), 4, seams='mirror')
    one = t[..., :16, :20]
    assert torch.equal(t[..., :16, 20:40], one.flip(-1)) and torch.equal(t[..., 16:32, :20], one.flip(-2))
    assert torch.equal(t[..., 40:], t[..., :40]) and torch.equal(t[..., 15, :], t[..., 16, :])

def test_brick():
    t = tile(photo(64, 80), 4, brick=.5)
    assert torch.equal(t[..., 16:32, :70], t[..., :16, 10:]) and torch.equal(t[..., 32:, :], t[..., :32, :])

def test_gap_is_ground():
    x = photo(80, 80)
    t, ground = tile(x, 4, gap=.4), x.mean((-2, -1))
    assert (torch.allclose(t[0, :, 0, 0], ground[0]) and torch.allclose(t[0, :, 10, 19], ground[0])
        and not torch.allclose(t[0, :, 10, 10], ground[0]))

def steepness(x, period, dim):
    d = (x.narrow(dim, 1, x.shape[dim] - 1) - x.narrow(dim, 0, x.shape[dim] - 1)).abs().transpose(dim,
        0).flatten(1).mean(1)
    at = torch.arange(len(d)) % period == period - 1
    return float(d[at].mean()/d[~at].median())

@pytest.mark.parametrize('name', ['astronaut', 'cat', 'coffee', 'rocket', 'galaxies', 'swirls', 'woodcut'])
@pytest.mark.parametrize('n', [2, 4, 8])
def test_blended_and_wrapped_seams_are_no_steeper_than_the_tile(name, n):
    x = load_picture(sample(name), 384)
    t = tile(x, n, seamless=True)
    for s in (tile(x, n, seams='blend'), torch.cat([torch.cat([t, t], -1)]*2, -2)):
        for d in (-2, -1): assert steepness(s, round(x.shape[d]/n), d) <= 1.2, (name, n, d)

def test_the_check_of_seams_can_fail():
    assert (max(steepness(tile(load_picture(sample('rocket')), 4), round(s/4), d)
        for s, d in ((427, -2), (640, -1))) > 1.2)

def test_jitter_differs_from_tile_to_tile():
    t = tile(photo(80, 80), 4, turn=20., seed=1)
    assert (not torch.equal(t[..., :20, :20], t[..., :20, 20:40])
        and not torch.equal(t, tile(photo(80, 80), 4, turn=20., seed=2)))

def test_what_comes_goes():
    x = photo()
    assert isinstance(tile(to_pil(x), 3), Image.Image) and tile(to_pil(x), 3).size == (85, 60)
    assert tuple(tile(x, 3, size=170).shape[-2:]) == fit_size((60, 85), 170)

def test_what_is_transparent_is_white_in_tiles(tmp_path):
    clear = to_pil(photo())
    clear.putalpha(Image.linear_gradient('L').resize(clear.size))
    on_white = load_picture(clear)
    assert torch.equal(load_picture(tile(clear, 2)), load_picture(tile(to_pil(on_white), 2)))
    clear.save(tmp_path/'clear.png')
    assert main(['tile', str(tmp_path/'clear.png'), '-n', '1', '-o', str(tmp_path/'out.png')]) in (None, 0)
    assert torch.equal(load_picture(tmp_path/'out.png'), on_white) and Image.open(tmp_path/'out.png').mode == 'RGB'

@pytest.mark.parametrize('kw,words', [(dict(n=0), ['n is 0']), (dict(n=1.5), ['n is 1.5', 'whole']), (dict(n=40),
    ['2x2 px each', 'use fewer tiles']), (dict(n=3, seams='mirrored'), ["Did you mean 'mirror'?"]),
    (dict(n=3, seams='mirror', seamless=True), ['even n']), (dict(n=3, brick=.5, seamless=True), ['even n']),
    (dict(gap=1.), ['gap is 1.0']), (dict(n=15, gap=.9), ['nothing is left of tiles of 6x4 px', 'smaller gap']),
    (dict(turn=3, seed=-1), ['seed is -1']), (dict(turn=3, seed=1.5), ['seed is 1.5']),
    (dict(turn=3, seed=None), ['seed is None']), (dict(turn=3, seed='a'), ["seed is 'a'"]),
    (dict(turn=-1), ['turn is -1'])])
def test_mistakes(refused, kw, words): refused(lambda: tile(photo(), **kw), *words)

def test_presence():
    cat, other = load_picture(sample('cat'), 200), load_picture(sample('coffee'), 200)
    assert (best_match(cat, cat) == pytest.approx(1, abs=1e-2)
        and best_match(.2 + .5*cat, cat) == pytest.approx(1, abs=1e-2))
    assert presence(tile(cat, 4), cat, other) > .3 and presence(tile(other, 4), cat, other) < -.3
    assert abs(presence(torch.full((1, 3, 96, 96), .5), cat, other)) < .1

def test_granularity(painting):
    g = granularity_sweep(sample('cat'), painting, (1, 4), unrelated=sample('coffee'), size=48, steps=2, progress=False)
    assert list(g.tiles) == list(g.palettes) == list(g.results) == list(g.scores) == [1, 4]
    assert (len(g.show().axes) == 6 and 'presence' in repr(g)
        and g.results[4].recipe.styles[0]['size'] == list(g.tiles[4].size))
    assert granularity_sweep(sample('cat'), ns=[2], size=48, steps=2, progress=False).results == {}

@pytest.mark.parametrize('content', [None, 'rocket'])
def test_settings_of_a_sweep_reach_its_palettes(content):
    g = granularity_sweep(sample('cat'), content and sample(content), 2, size=48, steps=2, seed=3, encoder='random',
        style_scale=.9, progress=False)
    assert list(g.tiles) == [2]
    for r in (g.palettes[2], *g.results.values()):
        assert (r.recipe.seed, r.recipe.encoder, r.recipe.style_scale) == (3, 'random', .9)

def test_what_concerns_the_content_does_not_reach_the_palettes():
    g = granularity_sweep(sample('cat'), sample('rocket'), 2, size=48, steps=2, style_weight=7, tv_weight=2,
        init='content', content_weights='relu2_1', progress=False)
    assert (g.results[2].recipe.style_weight, g.results[2].recipe.init) == (7, 'content')
    assert ((g.palettes[2].recipe.style_weight, g.palettes[2].recipe.tv_weight, g.palettes[2].recipe.init) == (1, .2,
        'recoloured'))

@pytest.mark.parametrize('content', [None, 'rocket'])
@pytest.mark.parametrize('kw,words', [(dict(stylewt=3), ["Unknown setting 'stylewt'"]), (dict(style_weight=-3),
    ['style_weight is -3']), (dict(ns=[]), ['at least one']), (dict(ns=0), ['ns is 0']),
    (dict(how=3), ['how is an int', 'a dict']), (dict(how='blend'), ['how is a str']),
    (dict(how=dict(seam='blend')), ["Did you mean 'seams'?"]), (dict(how=dict(n=3)), ['Unknown', "'n'"]),
    (dict(style='swirls'), ['the tiled photo is the style'])])
def test_mistakes_in_a_sweep(refused, content, kw, words):
    refused(lambda: granularity_sweep(sample('cat'), content and sample(content),
        **dict(ns=2, size=48, steps=2, progress=False) | kw), *words)

def test_a_blended_gap_fades_into_the_ground():
    x = load_picture(sample('cat'), 160)
    plain, soft = (tile(x, 2, gap=.2, seams=s) for s in ('plain', 'blend'))
    ground = x.mean((-2, -1))
    assert not torch.equal(plain, soft) and torch.allclose(soft[0, :, 0, 0], ground[0])
    far = lambda t: float((t[..., 6:8, 20:60] - ground[..., None, None]).abs().mean())  # just inside the gap
    assert far(soft) < .5*far(plain)
    assert torch.equal(soft[..., 20:32, 30:48], plain[..., 20:32, 30:48])               # the middle stays
    assert (torch.equal(tile(x, 2, gap=.2, seamless=True), tile(x, 2, gap=.2)) and torch.equal(tile(x, 1), x)
        and not torch.equal(tile(x, 1, seamless=True), x))

@pytest.mark.parametrize('f,words', [(lambda x: best_match(x, x, patch=0), ['patch is 0']),
    (lambda x: best_match(x[..., :8, :8], x), ['smallest is 16', 'larger picture']),
    (lambda x: best_match(x, x, smallest=0), ['smallest is 0']),
    (lambda x: best_match(x, x, patch=1000), ['patch is 1000', 'at most 128'])])
def test_mistakes_in_a_match(refused, f, words): refused(lambda: f(photo()), *words)

def test_tiles_have_their_own_balance_unless_told():
    how = dict(size=48, steps=2, progress=False)
    sweep = lambda **kw: granularity_sweep(sample('cat'), sample('rocket'), 2, **how, **kw).results[2].recipe
    assert (list(sweep().content_weights), sweep().style_weight) == (['relu3_1'], 3.)
    assert sweep(style_weight=7.).style_weight == 7.
    assert sweep(recipe=Recipe(style_weight=50.)).style_weight == 50.

def test_a_masked_sweep_and_its_palettes_share_nothing_they_should_not():
    content = load_picture(sample('rocket'), 48)
    left = torch.zeros_like(content[:, :1])
    left[..., :24] = 1
    g = granularity_sweep(sample('cat'), content, 2, size=48, steps=2, progress=False, masks=[left])
    assert g.results[2].history.loss.notna().all() and g.palettes[2].history.loss.notna().all()
