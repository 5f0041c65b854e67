"""Losses against formulas written again in float64 NumPy, gradients against finite differences, and the promises of
the units"""
import copy
import numpy as np, pytest, torch
from fastai.callback.core import Callback
from hypothesis import given, settings, strategies as st
from style_nb.encoders import *
from style_nb.learner import *
from style_nb.losses import *

def maps(*shape, seed=0, scale=1.): return torch.randn(shape, generator=torch.Generator().manual_seed(seed))*scale
def f64(t): return t.detach().double().numpy()
def rel(got, want): return np.linalg.norm(f64(got) - want)/np.linalg.norm(want)

# ---- formulas of our own, in float64

def gram64(f):
    f = f64(f)[0] if isinstance(f, torch.Tensor) else f
    return np.einsum('chw,dhw->cd', f, f)/(f.shape[1]*f.shape[2])

def style64(f, a, norm):
    F = f64(f)[0].reshape(f.shape[1], -1)
    N, M = F.shape
    A = f64(a)[0]
    D = F@F.T/M - A
    return dict(unit=lambda: (D**2).sum()/(A**2).sum(), chw=lambda: ((D/N)**2).mean(), hw=lambda: (D**2).mean(),
                gatys=lambda: ((F@F.T - M*A)**2).sum()/(4*N**2*M**2),
                udacity=lambda: ((F@F.T - M*A)**2).mean()/(N*M))[norm]()

def content64(f, p, norm):
    F, P = f64(f), f64(p)
    sq = ((F - P)**2).sum()
    return dict(unit=sq/((P - P.mean((2, 3), keepdims=True))**2).sum(), mse=sq/P.size, gatys=sq/2)[norm]

def tv64(x, kind):
    x = f64(x)
    if kind == 'nine-point':
        y = np.pad(x[0], ((0, 0), (1, 1), (1, 1)), 'edge')
        (_, H, W), sq = y.shape, lambda a, b: np.mean([(u - v)**2 for u, v in zip(a.ravel(), b.ravel())])
        return 2*(sq(y[:, 1:H-1, 1:], y[:, 1:H-1, :W-1])/3 + sq(y[:, 1:, 1:W-1], y[:, :H-1, 1:W-1])/3 +
            (sq(y[:, 1:, 1:], y[:, :H-1, :W-1]) + sq(y[:, 1:, :W-1], y[:, :H-1, 1:]))/12)
    if kind == 'isotropic':
        return np.mean([np.sqrt((x[0, c, i+1, j] - x[0, c, i, j])**2 + (x[0, c, i, j+1] - x[0, c, i, j])**2 +
            1e-6) - 1e-3 for c in range(3) for i in range(x.shape[2]-1) for j in range(x.shape[3]-1)])
    f, mean = (dict(squared=np.square, absolute=np.abs)[kind.removesuffix('-sum')],
        np.sum if kind.endswith('-sum') else np.mean)
    down = [f(x[0, c, i+1, j] - x[0, c, i, j]) for c in range(3) for i in range(x.shape[2]-1)
        for j in range(x.shape[3])]
    right = [f(x[0, c, i, j+1] - x[0, c, i, j]) for c in range(3) for i in range(x.shape[2])
        for j in range(x.shape[3]-1)]
    return mean(down) + mean(right)

# ---- Gram

# small; no divisor; in blocks
SHAPES = [(1, 1, 1), (3, 4, 5), (64, 7, 9), (32, 131, 127), (16, 160, 120), (8, 200, 321)]

@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('memory', [torch.contiguous_format, torch.channels_last])
def test_gram(shape, memory):
    f = maps(1, *shape).relu().contiguous(memory_format=memory) + .1
    g = gram(f)
    assert g.dtype == torch.float32 and rel(g[0], gram64(f)) < 1e-5

@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_gram_of_16_bit_maps(shape, dtype):
    f = (maps(1, *shape).relu() + .1).to(dtype).contiguous(memory_format=torch.channels_last)
    g = gram(f)
    assert g.dtype == torch.float32 and rel(g[0], gram64(f)) < 1e-4

def test_gram_of_a_batch():
    f = maps(3, 5, 6, 7)
    assert all(rel(gram(f)[i], gram64(f[i:i+1])) < 1e-5 for i in range(3))

@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 9), st.integers(0, 9))
def test_gram_is_symmetric_and_positive(c, h, w, seed):
    g = gram(maps(1, c, h, w, seed=seed).double())[0]
    assert torch.equal(g, g.T) or torch.allclose(g, g.T, rtol=1e-12)
    assert torch.linalg.eigvalsh(g).min() >= -1e-9*g.trace()

def test_gram_forgets_places_but_not_channels():
    f = maps(1, 6, 20, 30)
    order = torch.randperm(600, generator=torch.Generator().manual_seed(1))
    assert rel(gram(f.flatten(2)[..., order].view_as(f)), f64(gram(f))) < 1e-5
    assert rel(gram(f.transpose(2, 3)), f64(gram(f))) < 1e-5
    assert rel(gram(f.repeat(1, 1, 2, 3)), f64(gram(f))) < 1e-5
    orders = [torch.randperm(600, generator=torch.Generator().manual_seed(i)) for i in range(6)]
    each = torch.stack([m.flatten()[o] for m, o in zip(f[0], orders)]).view_as(f)
    assert rel(gram(each), f64(gram(f))) > .01

@given(st.integers(1, 2), st.integers(1, 40), st.integers(2, 60), st.integers(2, 60), st.floats(0, 2),
    st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_gram_distance(b, c, h, w, away, seed):
    """Against float64, in fp32 and bf16, however near the target is: a 16-bit Gram matrix would be off by its own
    thousandth"""
    g = torch.Generator().manual_seed(seed)
    f = torch.rand(b, c, h, w, generator=g)
    for dtype, tol in ((torch.float32, 1e-4), (torch.bfloat16, 2e-2)):
        m = f.to(dtype).contiguous(memory_format=torch.channels_last)
        exact = torch.einsum('bchw,bdhw->bcd', m.double(), m.double())/(h*w)
        noise = torch.randn(b, c, c, generator=g).double()
        target = exact*(1 + (.02 + away)*(noise + noise.mT))
        want = (exact - target.float().double()).square().sum()
        assert float(gram_distance(m, target.float())) == pytest.approx(float(want), rel=tol, abs=1e-9)

def test_gram_distance_backward():
    a, t = maps(2, 3, 4, 5).double().requires_grad_(), torch.rand(2, 3, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda f: gram_distance(f, t), a)

@pytest.mark.parametrize('shape', [(3, 4), (3, 4, 5), (1, 2, 3, 4, 5)])
def test_gram_of_what_are_no_maps(refused, shape): refused(lambda: gram(torch.zeros(shape)), str(shape), '(B, C, H, W)')

def test_gram_gradient():
    assert torch.autograd.gradcheck(gram, maps(2, 3, 4, 5).double().requires_grad_())

@pytest.mark.parametrize('shape', [(8, 20, 20), (8, 160, 120)])
def test_gram_gradient_of_16_bit_maps(shape):
    f, w = (maps(1, *shape).relu() + .1).bfloat16().requires_grad_(), maps(1, 8, 8, seed=1)
    (gram(f)*w).sum().backward()
    want = np.einsum('cd,dhw->chw', f64(w[0] + w[0].T), f64(f)[0])/(shape[1]*shape[2])
    assert f.grad.dtype == torch.bfloat16 and rel(f.grad[0], want) < 1e-2

# ---- the named normalisations

FEATS, OTHER = maps(1, 24, 12, 17).relu(), maps(1, 24, 9, 11, seed=1, scale=1.4).relu()

@pytest.mark.parametrize('norm', STYLE_NORMS)
@pytest.mark.parametrize('dtype,tol', [(torch.float32, 1e-5), (torch.float64, 1e-7), (torch.bfloat16, 1e-3)])
def test_style_loss(norm, dtype, tol):
    f, a = FEATS.to(dtype), gram(OTHER.to(dtype))
    assert style_loss(f, a, norm).item() == pytest.approx(style64(f, a, norm), rel=tol)

@pytest.mark.parametrize('norm', CONTENT_NORMS)
@pytest.mark.parametrize('dtype,tol', [(torch.float32, 1e-5), (torch.float64, 1e-7), (torch.bfloat16, 1e-3)])
def test_content_loss(norm, dtype, tol):
    f, p = FEATS.to(dtype), (FEATS + maps(1, 24, 12, 17, seed=2, scale=.5)).to(dtype)
    assert content_loss(f, p, norm).item() == pytest.approx(content64(f, p, norm), rel=tol)

@pytest.mark.parametrize('dtype,tol', [(torch.float32, 1e-5), (torch.bfloat16, 1e-3)])
def test_losses_on_maps_of_an_encoder(enc, photo, painting, dtype, tol):
    e = copy.deepcopy(enc).to(dtype)
    fs, ps = (e(o, ['relu1_1', 'relu3_1']) for o in (photo[..., :48, :], painting))
    for l in fs:
        a = torch.from_numpy(gram64(ps[l])[None])
        for n in STYLE_NORMS:
            assert style_loss(fs[l], gram(ps[l]), n).item() == pytest.approx(style64(fs[l], a, n), rel=tol)
        for n in CONTENT_NORMS:
            assert content_loss(fs[l], ps[l], n).item() == pytest.approx(content64(fs[l], ps[l], n), rel=tol)

@pytest.mark.parametrize('kind', TV_KINDS)
def test_tv(kind):
    x = torch.rand(1, 3, 9, 13)
    assert (tv_loss(x, kind).item() == pytest.approx(tv64(x, kind), rel=1e-5)
        and tv_loss(torch.full((1, 3, 5, 5), .3), kind) == 0)

@pytest.mark.parametrize('kind', ['squared', 'absolute', 'isotropic'])
def test_tv_is_a_mean(kind):
    "A ramp of the same slope scores the same at any size"
    ramp = lambda n: (torch.arange(n)*.01).expand(1, 3, n, n)
    assert tv_loss(ramp(64), kind).item() == pytest.approx(tv_loss(ramp(8), kind).item(), rel=1e-4)

@settings(max_examples=30)
@given(st.floats(0, 1.57), st.integers(0, 99))
def test_isotropic_tv_does_not_ask_for_the_direction(turn, seed):
    """A smooth slope of any direction scores its length; the absolute kind up to root 2 of it. Along one axis the
    two are one"""
    y, x = (torch.arange(24.)[:, None] - 12)*.02, (torch.arange(24.) - 12)*.02
    slope = (np.cos(turn)*y + np.sin(turn)*x + .5).expand(1, 3, 24, 24).double()
    iso, ab = (tv_loss(slope, k).item() for k in ('isotropic', 'absolute'))
    assert (iso == pytest.approx(np.sqrt(.02**2 + 1e-6) - 1e-3, rel=1e-4)
        and ab == pytest.approx(.02*(np.cos(turn) + np.sin(turn)), rel=1e-4))
    rows = maps(1, 3, 1, 16, seed=seed).expand(1, 3, 16, 16).double()
    assert (tv_loss(rows, 'isotropic').item() == pytest.approx(tv_loss(rows, 'absolute').item(), rel=2e-2)
        and tv_loss(rows.mT, 'isotropic') == tv_loss(rows, 'isotropic'))

@pytest.mark.parametrize('kind', TV_KINDS)
def test_tv_has_a_finite_slope_everywhere(kind):
    for x in (torch.full((1, 3, 6, 7), .5), torch.zeros(1, 3, 6, 7), (maps(1, 3, 6, 7) > 0).float()):
        x.requires_grad_()
        tv_loss(x, kind).backward()
        assert x.grad.isfinite().all()

def test_units_at_their_ends():
    p = maps(1, 8, 10, 10)
    assert content_loss(p, p).item() == 0
    assert content_loss(p.mean((2, 3), keepdim=True).expand_as(p), p).item() == pytest.approx(1, rel=1e-5)
    assert (style_loss(p, gram(p)).item() == 0 and style_loss(torch.zeros_like(p), gram(p)).item() == pytest.approx(1,
        rel=1e-5))

@pytest.mark.parametrize('call,words', [
    (lambda: style_loss(FEATS, gram(OTHER), 'units'),
    ["Unknown style normalisation 'units'", 'unit, chw, hw, gatys', "Did you mean 'unit'?"]),
    (lambda: content_loss(FEATS, FEATS, 'chw'), ["Unknown content normalisation 'chw'", 'unit, mse, gatys']),
    (lambda: tv_loss(torch.rand(1, 3, 8, 8), 'l3'), ["Unknown total variation 'l3'", 'squared, absolute']),
    (lambda: content_loss(FEATS, OTHER), ['(1, 24, 12, 17)', '(1, 24, 9, 11)']),
    (lambda: style_loss(FEATS, torch.zeros(1, 8, 8)), ['(1, 24, 24)', '(1, 8, 8)'])])
def test_refused(refused, call, words): refused(call, *words)

# ---- several styles

def test_blend():
    a, b, c = (gram(maps(1, 6, 5, 5, seed=i)) for i in range(3))
    assert rel(blend_grams([a, b, c], [2, 1, 5]), (2*f64(a) + f64(b) + 5*f64(c))/8) < 1e-6
    assert rel(blend_grams([a, b]), (f64(a) + f64(b))/2) < 1e-6
    assert torch.equal(blend_grams([a, b], [1, 0]), a) and torch.equal(blend_grams([a, b], [0, 3]), b)
    assert torch.allclose(blend_grams([a, b], [1, 2]), blend_grams([a, b], [100, 200]))

@pytest.mark.parametrize('weights,words',
    [([1], ['1 blend weight for 2 styles']), ([1, 2, 3], ['3 blend weights for 2 styles']),
    ([1, -1], ['[1, -1]', 'at least 0']),
        ([0, 0], ['sum more than 0']),
    ([1, float('nan')], ['nan']), ([1, float('inf')], ['inf'])])
def test_bad_blend(refused, weights, words): refused(lambda: blend_grams([gram(FEATS)]*2, weights), *words)

# ---- the gradient of the canvas, through the encoder, against finite differences

X, Y = (torch.rand(1, 3, *hw, generator=torch.Generator().manual_seed(0)).double() for hw in ((10, 12), (12, 10)))

def finite(f, x, n=6, eps=1e-6):
    "Slopes of `f` at `x` along `n` directions, central differences"
    ds = [torch.randn(x.shape, generator=torch.Generator().manual_seed(i)).double() for i in range(n)]
    return ds, torch.tensor([(f(x + eps*d) - f(x - eps*d)).item()/(2*eps) for d in ds], dtype=torch.float64)

def assert_gradient(f, x):
    z = x.clone().requires_grad_()
    f(z).backward()
    ds, slopes = finite(f, x)
    assert z.grad.abs().max() > 0
    assert torch.allclose(torch.stack([(z.grad*d).sum() for d in ds]), slopes, rtol=1e-4, atol=1e-7*slopes.abs().max())

@pytest.mark.parametrize('layer', ['conv1_1', 'relu1_1', 'pool1', 'relu2_1'])
@pytest.mark.parametrize('norm', STYLE_NORMS)
def test_gradient_of_style(toy, layer, norm):
    a = gram(toy(Y, layer)[layer])
    assert_gradient(lambda x: style_loss(toy(x, layer)[layer], a, norm), X)

@pytest.mark.parametrize('layer', ['conv1_1', 'relu1_1', 'pool1', 'relu2_1'])
@pytest.mark.parametrize('norm', CONTENT_NORMS)
def test_gradient_of_content(toy, layer, norm):
    p = toy(Y.mT, layer)[layer]
    assert_gradient(lambda x: content_loss(toy(x, layer)[layer], p, norm), X)

@pytest.mark.parametrize('kind', TV_KINDS)
def test_gradient_of_tv(kind): assert_gradient(lambda x: tv_loss(x, kind), X)

@pytest.mark.parametrize('pooling', POOLINGS)
@pytest.mark.parametrize('padding', PADDINGS)
def test_gradient_through_every_pooling_and_padding(pooling, padding):
    e = random_weights(Encoder('toy', Shape('toy', (3, 4), (1, 1)), pooling, padding)).double()
    a = gram(e(Y, 'relu2_1')['relu2_1'])
    assert_gradient(lambda x: style_loss(e(x, 'relu2_1')['relu2_1'], a), X)

class Slopes(Callback):
    "Before the first step: the gradient the Learner found, and finite differences of its loss"
    def before_step(self):
        canvas = self.model.canvas
        self.grad, x = canvas.grad.clone(), canvas.data.clone()
        def f(v):
            canvas.data = v
            return self.learn.evaluate()
        self.ds, self.slopes = finite(f, x)
        canvas.data = x

def test_gradient_of_the_whole_learner(toy):
    "Content, blended style and total variation together, as callbacks, in float64"
    cbs = [ContentLoss(Y.mT, {'relu2_1': 2., 'relu1_1': .5}, 3.),
        StyleLoss([Y, X.flip(2)], ['relu1_1', 'relu2_1'], 7., blend=[2, 1]), TVLoss(.3, 'absolute'), look := Slopes()]
    learn = picture_learner(X, toy, cbs, steps=1)
    learn.model.double()
    learn.fit(1)
    assert look.grad.dtype == torch.float64
    got = torch.stack([(look.grad*d).sum() for d in look.ds])
    assert torch.allclose(got, look.slopes, rtol=1e-4, atol=1e-7*look.slopes.abs().max())

# ---- what the unit promises

def times_7(enc, conv):
    e = copy.deepcopy(enc)
    m = e.body.get_submodule(conv)
    with torch.no_grad():
        m.weight.mul_(7)
        m.bias.mul_(7)
    return e

def loss_and_gradient(enc, x, target, layer, kind):
    z = x.clone().requires_grad_()
    f, t = enc(z, layer)[layer], enc(target, layer)[layer]
    loss = style_loss(f, gram(t)) if kind == 'style' else content_loss(f, t)
    loss.backward()
    return loss.item(), z.grad

@pytest.mark.parametrize('kind', ['style', 'content'])
@pytest.mark.parametrize('layer', ['relu1_1', 'relu2_1', 'relu3_1', 'relu4_1'])
def test_seven_times_the_features_is_the_same_loss_and_gradient(enc, photo, painting, layer, kind):
    both = enc, times_7(enc, layer.replace('relu', 'conv'))
    (l1, g1), (l7, g7) = (loss_and_gradient(e, photo[..., :48, :], painting, layer, kind) for e in both)
    assert l7 == pytest.approx(l1, rel=1e-5) and rel(g7, f64(g1)) < 1e-5

def test_seven_times_the_features_in_float64(toy):
    for layer in ('relu1_1', 'relu2_1'):
        for kind, y in (('style', Y), ('content', Y.mT)):
            both = toy, times_7(toy, layer.replace('relu', 'conv'))
            (l1, g1), (l7, g7) = (loss_and_gradient(e, X, y, layer, kind) for e in both)
            assert l7 == pytest.approx(l1, rel=1e-6) and rel(g7, f64(g1)) < 1e-6

@pytest.mark.parametrize('norm', ['chw', 'hw', 'gatys'])
def test_the_classic_ones_do_not_promise_that(enc, photo, painting, norm):
    maps = [[e(o, 'relu2_1')['relu2_1'] for o in (photo, painting)] for e in (enc, times_7(enc, 'conv2_1'))]
    a, b = (style_loss(f, gram(s), norm).item() for f, s in maps)
    assert b == pytest.approx(7**4*a, rel=1e-4)

def test_a_2x2_tiling_has_the_same_gram_matrix(photo):
    e, layers = encoder('random', padding='circular'), [f'relu{i}_1' for i in range(1, 6)]
    one, four = e(photo, layers), e(photo.repeat(1, 1, 2, 2), layers)
    for l in layers: assert rel(gram(four[l]), f64(gram(one[l]))) < 1e-5, l

def test_a_2x2_tiling_has_another_gram_matrix_with_zeros_around_it(enc, photo):
    one, four = (gram(enc(o, 'relu4_1')['relu4_1']) for o in (photo, photo.repeat(1, 1, 2, 2)))
    assert rel(four, f64(one)) > 1e-3

def test_total_variation_goes_round_where_the_picture_does():
    "On an encoder with circular padding the neighbour of the last pixel is the first"
    from style_nb.encoders import encoder
    from style_nb.learner import TVLoss, picture_learner
    def term(y, padding):
        learn = picture_learner(y, encoder('random', padding=padding), TVLoss(1.), steps=1, lr=1e-9)
        learn.fit(1)
        return float(learn.terms['tv'])
    ramp = torch.linspace(0, 1, 24).expand(1, 3, 16, 24)  # smooth but for its border
    assert term(ramp, 'circular') > 10*term(ramp, 'reflect')
    noise = torch.rand(1, 3, 16, 24)
    assert term(noise, 'circular') == pytest.approx(term(noise.roll((5, 7), (-2, -1)), 'circular'), rel=.02)
