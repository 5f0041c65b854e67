"Between styles, and where a run starts: barycentres, interpolation, noise kinds, shares of noise, scales, clipping"
import numpy as np, pytest, torch
from hypothesis import given, settings, strategies as st
from style_nb.blends import barycentre, blend_clouds
from style_nb.losses import blend_grams, gram
from style_nb.pictures import load_picture
from style_nb.recipe import Recipe
from style_nb.starts import NOISES, noise
from style_nb.sweeping import interpolate
from style_nb.transfer import stylize

QUICK = dict(size=48, steps=5, levels=1, content_weights='relu2_1', style_weights=['relu1_1', 'relu2_1'],
    precision='fp32', progress=False)
def go(content, style, **kw): return stylize(content, style, **(QUICK | kw))
def same(a, b): return a.image.tobytes() == b.image.tobytes() and torch.equal(a.state['canvas'], b.state['canvas'])
def cov(seed, c=4):
    x = torch.randn(c, 3*c, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (x @ x.T/(3*c))[None]
def root(m):
    e, u = np.linalg.eigh(m)
    return (u*np.sqrt(e.clip(0))) @ u.T
def w2(a, b):
    a, b = a[0].numpy(), b[0].numpy()
    r = root(a)
    return np.trace(a) + np.trace(b) - 2*np.trace(root(r @ b @ r))

seeds = st.integers(0, 999)

@settings(max_examples=25)
@given(seeds, st.lists(st.floats(.1, 5), min_size=3, max_size=3))
def test_a_barycentre_solves_its_equation_and_is_nearest(seed, w):
    cs = [cov(seed + i) for i in range(3)]
    s = barycentre(cs, w)
    r = root(s[0].numpy())
    assert np.allclose(sum(v/sum(w)*root(r @ c[0].numpy() @ r) for v, c in zip(w, cs)), s[0].numpy(), atol=1e-4)
    cost = lambda m: sum(v*w2(m, c) for v, c in zip(w, cs))
    assert all(cost(s) <= cost(o) + 1e-6 for o in (*cs, blend_grams(cs, w), s*1.05, s*.95))
    assert torch.equal(s, s.mT) and np.linalg.eigvalsh(s[0].numpy()).min() > -1e-6

@given(seeds)
def test_order_and_turning_do_not_matter(seed):
    a, b, q = (cov(seed), cov(seed + 1), torch.linalg.qr(torch.randn(4, 4,
        generator=torch.Generator().manual_seed(seed), dtype=torch.float64))[0])
    assert torch.allclose(barycentre([a, b], [1, 3]), barycentre([b, a], [3, 1]), atol=1e-5)
    assert torch.allclose(q @ barycentre([a, b]) @ q.T, barycentre([q @ a @ q.T, q @ b @ q.T]), atol=1e-4)

@given(seeds, st.floats(.1, 10))
def test_shifted_clouds_meet_half_way(seed, k):
    x = torch.randn(4, 60, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    shift = torch.randn(4, 1, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    clouds = [x, k*x + shift]
    g, m = [(o @ o.T/60)[None] for o in clouds], [o.mean(1)[None] for o in clouds]
    mid = (1 + k)/2*x + shift/2
    assert torch.allclose(blend_clouds(g, m), (mid @ mid.T/60)[None], rtol=1e-3, atol=1e-3*float(g[1].norm()))

def test_silent_channels_do_no_harm():
    a, b = cov(0), cov(1)
    a[:, 2] = a[:, :, 2] = b[:, 2] = b[:, :, 2] = 0
    got = barycentre([a, b])
    assert torch.isfinite(got).all() and got[0, 2].abs().max() < 1e-6
    assert torch.isfinite(barycentre([a*0, b*0])).all()

def test_a_barycentre_in_a_run(photo, painting, painting2):
    styles = [painting, painting2]
    a, b = go(photo, styles), go(photo, styles, style_mix='barycentre')
    assert not same(a, b) and b.recipe.style_mix == 'barycentre' and b.history.loss.iloc[-1] < b.history.loss.iloc[0]
    assert same(go(photo, painting, style_mix='barycentre'), go(photo, painting))

def test_a_way_from_style_to_style(photo, painting, painting2):
    way = interpolate(photo, painting, painting2, 3, **QUICK)
    ends = [go(photo, s) for s in (painting, painting2)]
    assert (way[0].image.tobytes() == ends[0].image.tobytes() and way[2].image.tobytes() == ends[1].image.tobytes()
        and len(way) == 3)

def test_uniform_noise_is_what_it_was():
    assert torch.equal(noise((5, 7), seed=3), torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(3))*.5 +
        .25)

@pytest.mark.parametrize('kind', NOISES)
@pytest.mark.parametrize('hw', [(4, 4), (5, 33), (64, 48)])
def test_noise_is_seeded_and_in_range(kind, hw):
    x = noise(hw, kind, 1)
    assert (x.shape == (1, 3, *hw) and x.is_contiguous() and torch.equal(x, noise(hw, kind, 1))
        and not torch.equal(x, noise(hw, kind, 2)))
    assert 0 <= x.min() and x.max() <= 1 and torch.isfinite(x).all()

def test_starts(photo, painting):
    first = lambda **kw: go(photo, painting, steps=1, lr=1e-9, style_scale=1., **kw).state['canvas']
    x, grain = load_picture(photo, 48), noise((48, 48), 'pink', 0)
    near = lambda a, b: float((a - b).abs().max()) < 1e-4
    assert near(first(init='content'), x) and near(first(init='noise', noise='pink'), grain)
    assert near(first(init='content', noise_share=.25, noise='pink'), x*.75 + grain*.25)
    assert near(first(init='content', noise_share=1., noise='pink'), grain)
    both = first(init='recoloured', noise_share=1., noise='pink')  # noise in the colours of the style
    assert ((both.mean((2, 3)) - painting.mean((2, 3))).abs().max() < .03
        and abs(torch.corrcoef(torch.stack([both.mean(1).flatten(), grain.mean(1).flatten()]))[0, 1]) > .5)

def test_a_scale_for_each_style(photo, painting, painting2):
    styles = [painting, painting2]
    assert same(go(photo, styles, style_scale=[1., 1.]), go(photo, styles, style_scale=1.))
    assert not same(go(photo, styles, style_scale=[1., .5]), go(photo, styles, style_scale=[.5, 1.]))

@pytest.mark.parametrize('optimizer', ['lbfgs', 'adam'])
def test_clipping(photo, painting, optimizer):
    kw = dict(optimizer=optimizer, style_weight=1000., steps=8, init='content')
    step, end, auto = (go(photo, painting, clamp=c, **kw) for c in ('step', 'end', 'auto'))
    assert step.state['canvas'].min() >= 0 and step.state['canvas'].max() <= 1 and end.state['canvas'].max() > 1
    assert (same(auto, step if optimizer == 'adam' else end)
        and auto.recipe.clamp == ('step' if optimizer == 'adam' else 'end'))

def test_bad_settings_are_refused(refused):
    refused(lambda: Recipe(noise='brown'), "'brown'", 'pink')
    refused(lambda: Recipe(noise_share=2), 'noise_share is 2')
    refused(lambda: Recipe(clamp='never'), "'never'", 'step')
    refused(lambda: Recipe(style_mix='median'), "'median'", 'barycentre')
    refused(lambda: Recipe(style_scale=[1, -1]), 'style_scale is -1')

@settings(max_examples=15)
@given(seeds, st.sampled_from([(1, 0), (0, 1), (1, 1), (3, 1)]))
def test_flat_and_nearly_singular_clouds(seed, w):
    "Few directions, 32-bit rounding: what a style of two colours gives"
    g = torch.Generator().manual_seed(seed)
    clouds = [torch.rand(24, 2, generator=g) @ torch.rand(2, 50, generator=g) + torch.rand(24, 1, generator=g)
        for _ in range(2)]
    grams, means = [gram(c.view(1, 24, 5, 10)) for c in clouds], [c.mean(1)[None] for c in clouds]
    got = blend_clouds(grams, means, list(w))
    assert torch.isfinite(got).all() and got.norm() < 2*max(o.norm() for o in grams)
    if 0 in w: assert torch.equal(got, grams[w.index(max(w))])
