"The zoo of losses: against formulas written again in NumPy and SciPy, and by their properties"
import itertools
import numpy as np, pytest, scipy.linalg, scipy.stats, torch
from hypothesis import given, settings, strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from style_nb.encoders import encoder
from style_nb.learner import ContentLoss, StyleLoss, picture_learner
from style_nb.losses import STYLE_NORMS, CONTENT_NORMS, gram, style_loss
from style_nb.recipe import Recipe, from_json, to_json
from style_nb.transfer import Shared, stylize
from style_nb.zoo import *
from style_nb.zoo import _axes

def maps(*shape, seed=0, dtype=torch.float64):
    return torch.randn((1, *shape), generator=torch.Generator().manual_seed(seed), dtype=dtype).add(.3).relu().add(.01)
def points(m): return m[0].flatten(1).T.numpy()
def rel(a, b): return float((a - b).norm()/(b.norm() + 1e-30))
def loss(kind, x, *ys, **kw): return float(STYLE_KINDS[kind](x, STYLE_KINDS[kind].target(*ys, **kw)).detach())
def raw(kind, x, y): return float(STYLE_KINDS[kind].distance(x, STYLE_KINDS[kind].target(y)))

FORGET = [k for k in STYLE_KINDS if k != 'patch']       # kinds that forget places
CARRY = ['histogram', 'wasserstein', 'w2', 'moments']   # squared ways in feature space
all_kinds, seeds = pytest.mark.parametrize('kind', STYLE_KINDS), st.integers(0, 999)
few = settings(max_examples=8, deadline=None)
shapes = st.tuples(st.integers(2, 6), st.integers(4, 9), st.integers(4, 9))

def test_the_table():
    eight = {'gram', 'covariance', 'moments', 'histogram', 'wasserstein', 'w2', 'patch', 'remd'}
    assert {*STYLE_KINDS} >= eight and {*CONTENT_KINDS} >= {'features', 'self-similarity'}
    assert all(k.about and k.source and k.strength > 0 for k in (*STYLE_KINDS.values(), *CONTENT_KINDS.values()))

# ---- properties

@all_kinds
@few
@given(shapes, seeds)
def test_nothing_at_itself_and_more_elsewhere(kind, shape, seed):
    x = maps(*shape, seed=seed)
    assert abs(loss(kind, x, x)) < 1e-9
    assert loss(kind, maps(*shape, seed=seed + 1), x) > 1e-6

@pytest.mark.parametrize('kind', ['gram', 'covariance', 'moments', 'histogram', 'wasserstein', 'w2'])
@few
@given(shapes, seeds)
def test_there_and_back_is_as_far(kind, shape, seed):
    "The widths added for safety are the target's: a thousandth of difference is theirs"
    x, y = maps(*shape, seed=seed), maps(*shape, seed=seed + 1)
    assert raw(kind, x, y) == pytest.approx(raw(kind, y, x), rel=1e-9 if kind not in ('moments', 'w2') else 1e-2)

@few
@given(st.integers(2, 30), st.integers(2, 30), seeds)
def test_relaxed_emd_is_symmetric_and_patch_is_not(n, m, seed):
    x, y = (torch.nn.functional.normalize(maps(3, 1, k, seed=seed + k)[0, :, 0].T) for k in (n, m))
    assert float(relaxed_emd(x, y)) == pytest.approx(float(relaxed_emd(y, x)), rel=1e-9)
    one = maps(3, 3, 3)
    both = torch.cat([one, maps(3, 3, 3, seed=1)], 3)
    assert raw('patch', one, both) < 1e-9 < raw('patch', both, one)

@pytest.mark.parametrize('kind', FORGET)
@few
@given(shapes, seeds)
def test_places_are_forgotten(kind, shape, seed):
    x, y = maps(*shape, seed=seed), maps(*shape, seed=seed + 1)
    order = torch.randperm(shape[1]*shape[2], generator=torch.Generator().manual_seed(seed))
    mix = lambda m: m.flatten(2)[..., order].view_as(m)
    want = pytest.approx(loss(kind, x, y), rel=1e-6)
    assert (loss(kind, mix(x), y) == want and loss(kind, x, mix(y)) == want
        and loss(kind, x.roll((2, 1), (2, 3)), y) == want)

def test_patches_remember_their_places():
    x, y = maps(3, 8, 8), maps(3, 8, 8, seed=1)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    assert abs(loss('patch', x.flatten(2)[..., order].view_as(x), y)/loss('patch', x, y) - 1) > 1e-3
    assert loss('patch', x[..., 2:7, 1:6], x) < 1e-9, 'a part of the style costs nothing'

@pytest.mark.parametrize('kind', FORGET)
def test_a_picture_moved_in_a_circle_has_the_same_style(kind, photo, painting):
    enc = encoder('texnet', padding='circular')
    x, moved, y = (enc(p, 'relu3_1')['relu3_1'] for p in (photo, photo.roll((12, 20), (2, 3)), painting))
    assert loss(kind, moved, y) == pytest.approx(loss(kind, x, y), rel=1e-4)

def value_and_slope(kind, x, target):
    x = x.clone().requires_grad_()
    v = kind(x, target)
    v.backward()
    return float(v.detach()), x.grad

@pytest.mark.parametrize('kind', [*STYLE_KINDS, *CONTENT_KINDS])
@few
@given(shapes, seeds, st.sampled_from([7., .5]))
def test_units(kind, shape, seed, k):
    "Features times 7: the same loss, and the same gradient in their own scale"
    x, y = maps(*shape, seed=seed), maps(*shape, seed=seed + 1)
    one = STYLE_KINDS.get(kind) or CONTENT_KINDS[kind]
    (v, g), (w, h) = value_and_slope(one, x, one.target(y)), value_and_slope(one, k*x, one.target(k*y))
    assert w == pytest.approx(v, rel=1e-5) and rel(h*k, g) < 1e-5

@pytest.mark.parametrize('kind', ['covariance', *CARRY])
def test_one_is_what_a_flat_picture_scores(kind):
    y = maps(5, 9, 9)
    flat = y.mean((-2, -1), keepdim=True).expand_as(y).contiguous()
    assert loss(kind, flat, y)/STYLE_KINDS[kind].strength == pytest.approx(1, abs=.03)

@all_kinds
@few
@given(seeds, st.floats(.1, 50))
def test_blends(kind, seed, k):
    x, a, b = (maps(4, 6, 7, seed=seed + i) for i in range(3))
    assert loss(kind, x, a, b, blend=[1, 0]) == pytest.approx(loss(kind, x, a), rel=1e-6)
    assert loss(kind, x, a, b, blend=[0, 3]) == pytest.approx(loss(kind, x, b), rel=1e-6)
    assert loss(kind, x, a, b, blend=[2*k, k]) == pytest.approx(loss(kind, x, a, b, blend=[2, 1]), rel=1e-6)
    assert loss(kind, x, a, b) == pytest.approx(loss(kind, x, a, b, blend=[1, 1]), rel=1e-9)

@pytest.mark.parametrize('kind', ['gram', 'covariance', 'moments', 'w2'])
@few
@given(seeds)
def test_a_blend_is_places_pooled(kind, seed):
    x, a, b = (maps(4, 6, 7, seed=seed + i) for i in range(3))
    assert loss(kind, x, a, b, blend=[2, 1]) == pytest.approx(loss(kind, x, torch.cat([a, a, b], 3)), rel=1e-6)

@few
@given(st.lists(st.tuples(st.integers(1, 400), st.sampled_from([0., .25, 1., 3.])), min_size=1,
    max_size=4).filter(lambda l: any(w for _, w in l)))
def test_pooled_places_are_in_proportion(parts):
    got = pool_places([torch.full((n, 1), float(i)) for i, (n, _) in enumerate(parts)], [w for _, w in parts])
    total = sum(w for _, w in parts)
    for i, (_, w) in enumerate(parts):
        assert abs(int((got == i).sum()) - len(got)*w/total) <= 1 + len(parts)/2 and (w > 0 or not (got == i).any())
    assert (len(got) >= min(n*total/w for n, w in parts if w)*.99 - len(parts)
        or len(got) >= max(n for n, _ in parts) - len(parts))

# ---- formulas of our own

@few
@given(shapes, seeds)
def test_moments_against_numpy(shape, seed):
    x, y = maps(*shape, seed=seed), maps(*shape, seed=seed + 1)
    p, q = points(x), points(y)
    C, D = (np.atleast_2d(np.cov(o.T, bias=True)) for o in (p, q))
    assert raw('covariance', x, y) == pytest.approx(((C - D)**2).sum(), rel=1e-9)
    assert (loss('covariance', x, y)/STYLE_KINDS['covariance'].strength == pytest.approx(((C -
        D)**2).sum()/(D**2).sum(), rel=1e-2))
    e = 1e-4*q.var(0).mean()
    want = ((p.mean(0) - q.mean(0))**2).sum() + ((np.sqrt(p.var(0) + e) - np.sqrt(q.var(0) + e))**2).sum()
    assert raw('moments', x, y) == pytest.approx(want, rel=1e-6)

@few
@given(shapes, seeds)
def test_w2_against_scipy(shape, seed):
    x, y = maps(*shape, seed=seed), maps(*shape, seed=seed + 1)
    (m, A), (n, B) = ([o.numpy() for o in mean_cov(t)] for t in (x, y))
    e = 1e-4*np.trace(B)/len(B)*np.eye(len(B))
    R = scipy.linalg.sqrtm(B + e)
    want = ((m - n)**2).sum() + np.trace(A + B + 2*e - 2*scipy.linalg.sqrtm(R@(A + e)@R)).real
    assert raw('w2', x, y) == pytest.approx(want, rel=1e-6, abs=1e-9)

def transport(p, q):
    "Exact transport by assignment: mean squared way"
    cost = cdist(p, q, 'sqeuclidean')
    return cost[linear_sum_assignment(cost)].mean()

@few
@given(shapes, seeds)
def test_lines_against_assignment(shape, seed):
    x, y = maps(*shape, seed=seed), maps(*shape, seed=seed + 1)
    p, q = points(x), points(y)
    axes = _axes(shape[0]).numpy()
    assert np.allclose(axes@axes.T, np.eye(shape[0]))
    for kind, (a, b) in dict(histogram=(p, q), wasserstein=(p@axes.T, q@axes.T)).items():
        assert raw(kind, x, y) == pytest.approx(sum(transport(a[:, [i]], b[:, [i]]) for i in range(shape[0])), rel=1e-9)
        assert (raw(kind, x, y) >= sum(scipy.stats.wasserstein_distance(a[:, i], b[:, i])**2
            for i in range(shape[0]))*(1 - 1e-9))

@few
@given(st.tuples(st.integers(2, 4), st.integers(3, 6), st.integers(3, 6)), seeds)
def test_none_is_farther_than_the_whole_transport(shape, seed):
    "Each leaves something out, so each is a lower bound; the relaxed distance too, of directions"
    x, y = maps(*shape, seed=seed), maps(*shape, seed=seed + 1)
    p, q = points(x), points(y)
    assert all(raw(k, x, y) <= transport(p, q)*1.01 for k in CARRY)
    p, q = (o/np.linalg.norm(o, axis=1, keepdims=True) for o in (p, q))
    assert float(relaxed_emd(torch.tensor(p), torch.tensor(q))) <= transport(p, q)/2*(1 + 1e-9)

@few
@given(shapes, seeds)
def test_remd_against_cosines(shape, seed):
    x, y = maps(*shape, seed=seed), maps(*shape, seed=seed + 1)[..., :3]
    p, q = points(x), points(y)
    cos = cdist(p, q, 'cosine')
    P, Q = (torch.tensor(o/np.linalg.norm(o, axis=1, keepdims=True)) for o in (p, q))
    assert float(relaxed_emd(P, Q)) == pytest.approx(max(cos.min(0).mean(), cos.min(1).mean()), rel=1e-6, abs=1e-12)
    e = 1e-4*(q**2).sum(1).mean()
    P, Q = (o/np.sqrt((o**2).sum(1, keepdims=True) + e) for o in (p, q))
    d, C, D = cdist(P, Q, 'sqeuclidean')/2, np.cov(p.T, bias=True), np.cov(q.T, bias=True)
    want = (max(d.min(0).mean(),
        d.min(1).mean())/(Q.var(0).sum()/2) + np.abs(p.mean(0) - q.mean(0)).sum()/q.std(0).sum() + np.abs(C -
        D).sum()/np.abs(D).sum())
    assert loss('remd', x, y)/STYLE_KINDS['remd'].strength == pytest.approx(want, rel=2e-2)

@few
@given(st.tuples(st.integers(1, 4), st.integers(3, 7), st.integers(3, 7)), seeds)
def test_patch_against_loops(shape, seed):
    x, y = maps(*shape, seed=seed), maps(*shape, seed=seed + 1)
    cut = lambda m: np.lib.stride_tricks.sliding_window_view(m[0].numpy(), (3, 3), (1, 2)).transpose(1, 2, 0, 3,
        4).reshape(-1, shape[0]*9)
    p, q = cut(x), cut(y)
    near = [max(range(len(q)), key=lambda j: o@q[j]/np.linalg.norm(o)/np.linalg.norm(q[j])) for o in p]
    assert raw('patch', x, y) == pytest.approx(((p - q[near])**2).sum(1).mean(), rel=1e-6)

@few
@given(shapes, seeds)
def test_self_similarity_against_cosines(shape, seed):
    x, y = maps(*shape, seed=seed), maps(*shape, seed=seed + 1)
    near = lambda m: (lambda d: d/d.sum(0))(cdist(points(m), points(m), 'cosine'))
    kind = CONTENT_KINDS['self-similarity']
    t = kind.target(y)
    want = np.abs(near(x) - near(y)).sum()/np.abs(near(y) - 1/len(points(y))).sum()
    assert float(kind(x, t))/kind.strength == pytest.approx(want, rel=5e-2)
    assert float(kind(y, t)) < 1e-9

# ---- gradients

@pytest.mark.parametrize('kind', STYLE_KINDS)
@pytest.mark.parametrize('seed', range(3))
def test_gradients_against_finite_differences(kind, seed):
    "On maps without equal values, where ranks and neighbours do not change on the way"
    maps = (lambda *shape, seed: torch.rand(1, *shape, dtype=torch.float64,
        generator=torch.Generator().manual_seed(seed)))
    k, x = STYLE_KINDS[kind], maps(3, 4, 5, seed=seed).requires_grad_()
    t = k.target(maps(3, 5, 4, seed=seed + 10), maps(3, 4, 4, seed=seed + 20), blend=[2, 1])
    assert torch.autograd.gradcheck(lambda f: k(f, t), x, eps=1e-7, atol=1e-5, rtol=1e-4)

@pytest.mark.parametrize('seed', range(3))
def test_content_gradients_against_finite_differences(seed):
    for k in CONTENT_KINDS.values():
        t = k.target(maps(3, 4, 5, seed=seed + 10))
        assert torch.autograd.gradcheck(lambda f: k(f, t), maps(3, 4, 5, seed=seed).requires_grad_(), eps=1e-7,
            atol=1e-5, rtol=1e-4)

HARD = dict(flat=lambda x: torch.full_like(x, .5), black=torch.zeros_like, white=torch.ones_like,
    red=lambda x: torch.tensor([1., 0, 0]).view(1, 3, 1, 1).expand_as(x).contiguous(),
    saturated=lambda x: (x > .5).float(), photo=lambda x: x)

@pytest.mark.parametrize('net', ['texnet', 'random'])
@pytest.mark.parametrize('kind', [*STYLE_KINDS, *CONTENT_KINDS])
def test_gradients_are_finite(kind, net, photo, painting):
    enc, k = encoder(net), STYLE_KINDS.get(kind) or CONTENT_KINDS[kind]
    photo, painting = photo[..., :32, :32], painting[..., :32, :32]
    styles = [enc(o, ['relu1_1', 'relu3_1']) for o in (painting, *(HARD[n](photo)
        for n in ('flat', 'black', 'saturated')))]
    for name, canvas in HARD.items():
        x = canvas(photo).clone().requires_grad_()
        maps = enc(x, ['relu1_1', 'relu3_1'])
        for s, l in itertools.product(styles, maps):
            v = k(maps[l], k.target(s[l].detach()))
            g, = torch.autograd.grad(v, x, retain_graph=True)
            assert v.isfinite() and v >= 0 and g.isfinite().all(), (name, l)

@pytest.mark.parametrize('kind', STYLE_KINDS)
def test_16_bit_maps(kind):
    k, x, y = STYLE_KINDS[kind], maps(8, 12, 12, dtype=torch.float32), maps(8, 12, 12, seed=1, dtype=torch.float32)
    full, half = float(k(x, k.target(y))), k(z := x.bfloat16().requires_grad_(), k.target(y.bfloat16()))
    half.backward()
    assert (half.dtype == torch.float32 and float(half.detach()) == pytest.approx(full, rel=.05)
        and z.grad.dtype == torch.bfloat16 and z.grad.isfinite().all())

def test_large_maps_are_sampled():
    x = maps(3, 160, 160, dtype=torch.float32)
    assert (places(x).shape == (2**14, 3) and torch.equal(places(x), places(x))
        and not torch.equal(places(x), places(x, seed=1)))
    assert patches(x).shape[1] == 27 and len(patches(x)) <= 4096 and len(patches(x[..., :60, :60])) == 58*58
    for kind in FORGET: assert loss(kind, x, maps(3, 150, 170, seed=1, dtype=torch.float32)) < .3, 'drawn alike'

# ---- in a run

@all_kinds
def test_a_run_comes_nearer(kind, photo, painting, enc):
    style = StyleLoss([painting, photo.flip(2)], ['relu1_1', 'relu2_1'], 1., [3, 1], kind=kind)
    losses = []
    for steps in (1, 25):
        learn = picture_learner(torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0)), enc, style,
            lr=.03, steps=steps)
        learn.fit(1)
        losses.append(sum(float(v) for v in learn.terms.values()))
    assert set(learn.terms) == {'style/relu1_1', 'style/relu2_1'} and losses[1] < .7*losses[0]

def test_kinds_do_not_share_targets(photo, painting):
    shared, how = Shared(), dict(size=64, steps=2, progress=False)
    for kw in (dict(style_kind='w2'), dict(content_kind='self-similarity'), {}):
        assert (stylize(photo, painting, shared=shared, **how, **kw).image.tobytes() == stylize(photo, painting, **how,
            **kw).image.tobytes())
    assert (stylize(photo, painting, **how).image.tobytes() == stylize(photo, painting, style_kind='gram',
        content_kind='features', **how).image.tobytes())

def test_recipes_carry_their_kinds(refused, photo, painting):
    r = Recipe(style_kind='w2', content_kind='self-similarity')
    assert from_json(to_json(r)) == r != Recipe()
    assert stylize(photo, painting, r, size=64, steps=2, progress=False).recipe.style_kind == 'w2'
    refused(lambda: Recipe(style_kind='grm'), 'style_kind', "Did you mean 'gram'")
    refused(lambda: Recipe(content_kind='maps'), 'content_kind', 'features, self-similarity')
    refused(lambda: Recipe(style_kind='w2', style_norm='chw'), "'chw'", 'give one of unit')
    refused(lambda: Recipe(content_kind='self-similarity', content_norm='mse'), "'mse'", 'give one of unit')
    refused(lambda: StyleLoss(painting, kind='grm'), 'style kind',
        'gram'), refused(lambda: ContentLoss(photo, kind='maps'), 'content kind')
    refused(lambda: StyleLoss(painting, kind='remd', norm='hw'), "'hw'")

def test_refusals(refused):
    refused(lambda: mean_cov(torch.zeros(3, 4, 4)), '(3, 4, 4)', '(1, C, H, W)')
    refused(lambda: patches(torch.zeros(1, 3, 2, 9)), '9x2', '3x3')
    k = CONTENT_KINDS['self-similarity']
    refused(lambda: k(maps(3, 5, 5), k.target(maps(3, 4, 4))), '25', '16')
    for k in STYLE_KINDS.values():
        refused(lambda: k.target(maps(3, 4, 4), maps(3, 4, 4), blend=[1]), '1 blend weight for 2 styles')

@pytest.mark.parametrize('norm', STYLE_NORMS)
def test_gram_is_what_it_was(norm):
    x, y, k = maps(5, 6, 7), maps(5, 6, 7, seed=1), STYLE_KINDS['gram']
    assert torch.equal(k(x, k.target(y), norm), style_loss(x, gram(y), norm))
    assert set(CONTENT_KINDS['features'].norms) == set(CONTENT_NORMS)
