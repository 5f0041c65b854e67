"Large pictures in tiles: the same gradient, the same picture, chosen by itself, refused in one line"
from dataclasses import replace
import numpy as np, pytest, torch
from fastai.callback.core import CancelFitException
from style_nb.encoders import PADDINGS, POOLINGS, encoder
from style_nb.large import (
    LARGE, TILE, TiledStyle, pyramid_sizes, pyramid_steps, tiled_kinds, usual_tile, why_not_tiled)
from style_nb.learner import StepCallback
from style_nb.losses import gram
from style_nb.masks import pick_places
from style_nb.optimising import LBFGS
from style_nb.pictures import resize
from style_nb.planning import settle
from style_nb.recipe import Recipe, from_json, to_json
from style_nb.results import load_state
from style_nb.shares import style_gradients, term_gradients
from style_nb.sums import Moments, Packed, Tiles, place_weights, tile_sums
from style_nb.transfer import reconstruct, stylize, transfer_learner
from style_nb.windows import stride_and_reach, windows_of
from style_nb.zoo import STYLE_KINDS

FEW = dict(encoder='texnet-small', device='cpu', precision='fp32', levels=1, history=5)
QUIET = FEW | dict(progress=False)

@pytest.fixture(scope='module')
def odd(photo): return resize(photo, (85, 107))

def halves(h, w):
    "Two soft masks"
    m = torch.linspace(-1, 2, w).clamp(0, 1).expand(1, 1, h, w).contiguous()
    return [m, 1 - m]

class First(StepCallback):
    "The first gradient and terms"
    order = 15
    def before_step(self):
        self.gradient, self.noted = self.canvas.grad.clone(), {k: float(v) for k, v in self.learn.terms.items()}
        raise CancelFitException

def first(content, styles, **how):
    learn = transfer_learner(settle(content, styles, **FEW | dict(size=107, steps=4) | how))
    note = First()
    learn.add_cb(note)
    learn.fit(1)
    return note

def far(a, b): return float((a - b).norm()/b.norm())

# ---- geometry

@pytest.mark.parametrize('name', ['texnet', 'vgg16', 'vgg19'])
def test_reach_is_what_the_gradient_sees(name):
    from style_nb.encoders import ENCODERS, Encoder
    plan = replace(ENCODERS[name], widths=(1,)*5)  # the same layers, one channel
    enc = Encoder('thin', plan, padding='zero')
    for p in enc.parameters(): p.data.fill_(.1)
    for layer in ('conv1_2', 'pool1', 'relu2_1', 'relu3_3', 'pool3', 'relu4_2'):
        step, reach = stride_and_reach(enc, layer)
        x = torch.ones(1, 3, 8, 256).requires_grad_()
        f = enc(x, layer)[layer]
        at = f.shape[-1]//2
        f[..., at].sum().backward()
        seen = x.grad.abs().sum((0, 1, 2)).nonzero()
        assert (int(seen.min()), int(seen.max())) == (at*step - reach, (at + 1)*step - 1 + reach), layer

@pytest.mark.parametrize('hw,tile', [((1, 1), 64), ((85, 107), 16), ((64, 513), 512), ((7, 200), 50), ((300, 9), 1)])
def test_tiles_cover_a_picture_once(hw, tile):
    cut = windows_of(encoder('random'), ['relu3_1', 'relu1_1'], hw, tile)
    count = torch.zeros(hw)
    for w in cut.all:
        (top, bottom, left, right), seen = w.tile, w.seen
        count[top:bottom, left:right] += 1
        assert max(bottom - top, right - left) < max(tile, cut.stride) + cut.stride
        assert not any(o % cut.stride for o in (top, left, seen[0], seen[2]))
    assert (count == 1).all() and cut.work >= 1

@pytest.mark.parametrize('padding', [p for p in PADDINGS if p != 'circular'])
@pytest.mark.parametrize('pooling', POOLINGS)
def test_a_tile_sees_what_the_whole_sees(padding, pooling):
    enc = encoder('texnet-small', padding=padding, pooling=pooling).double()
    x = torch.rand(1, 3, 93, 71, generator=torch.Generator().manual_seed(0)).double()
    whole = enc(x, ['relu1_1', 'pool2', 'relu4_1'])
    for w in windows_of(enc, whole, x.shape[-2:], 24).all:
        for layer, f in enc(x[w.pixels], list(whole)).items():
            step, _ = stride_and_reach(enc, layer)
            assert torch.allclose(f[w.inside(step)], whole[layer][w.places(step)], rtol=1e-9, atol=1e-9)

def test_halos_stay_below_half_the_work():
    for name, layers in (('texnet', ['relu4_1']), ('texnet', ['relu5_1'])):
        enc = encoder(name)
        for hw in ((2160, 3840), (4000, 6000), (1365, 2048)):
            assert windows_of(enc, layers, hw, usual_tile(enc, layers)).work < 1.5

# ---- the gradient

CASES = dict(
    plain={},
    masks=dict(masks=True),
    covariance=dict(style_kind='covariance', masks=True),
    moments=dict(style_kind='moments', masks=True, style_masks=True),
    w2=dict(style_kind='w2'),
    barycentre=dict(style_mix='barycentre', style_masks=True),
    content_mask=dict(content_mask=True, content_norm='mse', content_weights=['relu1_2', 'relu3_1']),
    norms=dict(style_norm='udacity', content_norm='gatys', pooling='max', padding='zero', content_weight=1e-4),
    keep=dict(keep=100., init='picture'),
    balance=dict(balance=True),
    change=dict(change_mask=True),
)

@pytest.mark.parametrize('case', CASES)
def test_the_gradient_is_that_of_the_whole(case, odd, painting, painting2):
    how = dict(CASES[case])
    left, right = halves(85, 107)
    if how.pop('masks', None): how['masks'] = [left, right]
    if how.pop('style_masks', None): how['style_masks'] = [halves(*o.shape[-2:])[0] for o in (painting, painting2)]
    for name in ('content_mask', 'change_mask'):
        if name in how: how[name] = left
    if how.get('init') == 'picture': how['init'] = resize(odd, 40)
    whole = first(odd, [painting, painting2], tile=0, **how)
    for tile in (16, 48):
        tiled = first(odd, [painting, painting2], tile=tile, **how)
        assert far(tiled.gradient, whole.gradient) < 1e-4
        assert tiled.noted == pytest.approx(whole.noted, rel=1e-3) and list(tiled.noted) == list(whole.noted)

@pytest.mark.parametrize('kind', ['blend', 'regions', 'one everywhere', 'style masks'])
def test_styles_are_taken_apart_in_tiles_as_in_the_whole(kind, odd, painting, painting2):
    left, right = halves(85, 107)
    how = dict(
        blend=dict(style_blend=[2, 1]),
        regions=dict(masks=[left, right]),
        **{'one everywhere': dict(masks=[left, None]),
           'style masks': dict(masks=[left, left], style_masks=[None, halves(*painting2.shape[-2:])[0]])})[kind]
    class Apart(StepCallback):
        order = 15
        def before_step(self):
            self.pulls, self.terms = style_gradients(self.learn), term_gradients(self.learn)
            raise CancelFitException
    found = []
    for tile in (0, 48):
        note = Apart()
        plan = settle(odd, [painting, painting2], **FEW | dict(size=107, steps=4, tile=tile) | how)
        transfer_learner(plan).add_cb(note).fit(1)
        found.append(note)
    whole, tiled = found
    assert list(tiled.pulls) == ['style 1', 'style 2']
    for name, pull in whole.pulls.items(): assert far(tiled.pulls[name], pull) < 1e-4, name
    both = sum(g for name, g in tiled.terms.items() if name.startswith('style'))
    assert far(sum(tiled.pulls.values()), both) < 1e-3

def test_no_window_is_larger_than_its_tile_and_halo(odd, painting, monkeypatch):
    seen = []
    look = Tiles.maps
    monkeypatch.setattr(Tiles, 'maps', lambda self, x: [seen.append(x.shape[-2:]), look(self, x)][1])
    stylize(odd, painting, size=107, steps=2, tile=24, **QUIET)
    assert len(seen) > 40 and max(max(hw) for hw in seen) <= 24 + 7 + 2*32

def test_16_bits_are_enough_for_the_content():
    f = torch.randn(1, 8, 40, 40, generator=torch.Generator().manual_seed(0))*torch.logspace(-6, 6, 8).view(1, -1, 1, 1)
    packed = Packed(f)
    assert packed.kept.dtype == torch.int16 and ((packed.maps - f).abs().amax((2, 3))/f.std((2, 3))).max() < 2e-4
    assert torch.equal(Packed(torch.zeros(1, 2, 3, 3)).maps, torch.zeros(1, 2, 3, 3))
    assert torch.equal(Packed(f.bfloat16()).maps, f.bfloat16()) and torch.equal(Packed(f.double()).maps, f.double())

def test_picked_places_as_weights():
    mask = torch.rand(1, 1, 9, 14, generator=torch.Generator().manual_seed(0))
    f = torch.arange(9*14.).view(1, 1, 9, 14)
    often = place_weights(mask, False)
    assert float((often*f).mean()) == pytest.approx(float(pick_places(f, mask).mean()), rel=1e-5)
    assert place_weights(torch.ones_like(mask), True).eq(1).all()

def test_the_last_window_is_seen_once(monkeypatch):
    "One tile costs no more than the whole; asked twice, the gradient is the same"
    enc = encoder('texnet-small', padding='reflect')
    x = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for tile, looks in ((64, 1), (32, 2*4 - 1)):
        tiles = Tiles(enc, windows_of(enc, ['relu2_1'], (40, 56), tile), [Moments('relu2_1', 20*28, [None])])
        seen = []
        monkeypatch.setattr(tiles, 'maps', lambda x, f=tiles.maps: [seen.append(x), f(x)][1])
        total, = tile_sums(x, tiles)
        once, = torch.autograd.grad(total.square().sum(), x, retain_graph=True)
        assert len(seen) == looks
        again, = torch.autograd.grad(total.square().sum(), x)
        assert torch.allclose(once, again, rtol=1e-4, atol=1e-9)
        assert torch.allclose(total[0, 1:].float(), gram(enc(x, 'relu2_1')['relu2_1'])[0], rtol=1e-4, atol=1e-6)

# ---- runs

class Double(StepCallback):
    "Everything in 64 bits"
    order = -6
    def before_fit(self):
        self.model.double()
        self.learn.encoder = self.encoder.double()

def in_64_bits(content, style, **how):
    learn = transfer_learner(settle(content, style, **FEW | dict(steps=20) | how))
    learn.remove_cbs([learn.encoder_precision, learn.guard])
    learn.add_cb(Double())
    learn.fit(1)
    return learn.model.canvas.detach().clamp(0, 1)

def test_the_picture_after_20_steps(odd, painting, painting2):
    how = dict(masks=halves(85, 107), size=75)
    whole, tiled = (in_64_bits(odd, [painting, painting2], tile=tile, **how) for tile in (0, 32))
    assert whole.dtype == torch.float64 and (whole - tiled).abs().max() < 1/255

def test_a_run_in_32_bits_ends_where_the_whole_ends(odd, painting):
    for how in (dict(optimizer='lbfgs'), dict(optimizer='adam', average=.5)):
        a, b = (stylize(odd, painting, size=107, steps=12, tile=tile, **QUIET | how) for tile in (0, 40))
        assert np.abs(np.asarray(a.image, float) - np.asarray(b.image, float)).mean() < 1.5
        assert b.history.loss.iloc[-1] == pytest.approx(a.history.loss.iloc[-1], rel=5e-3)
        assert list(a.history) == list(b.history) and b.recipe.tile == 40

def test_the_same_seed_the_same_picture(odd, painting, painting2):
    how = QUIET | dict(size=107, steps=6, tile=32, levels=2, init='noise', colours='content-luma', snapshots=3)
    a, b = (stylize(odd, [painting, painting2], masks=halves(85, 107), **how) for _ in range(2))
    assert a.image.tobytes() == b.image.tobytes() and len(a.frames) == 2
    again = from_json(to_json(a.recipe))
    assert again.tile == 32 and again == a.recipe

def test_a_run_in_tiles_goes_on_exactly(odd, painting, tmp_path):
    how = QUIET | dict(size=107, tile=32)
    whole = stylize(odd, painting, steps=6, **how)
    part = stylize(odd, painting, steps=6, cbs=[StopAfter(3)], **how)
    assert len(part.history) == 3
    part.save_state(tmp_path/'a.safetensors')
    assert stylize(odd, painting, steps=6, resume=tmp_path/'a.safetensors', **how).image.tobytes() == \
        whole.image.tobytes()

class StopAfter(StepCallback):
    order = 46
    def __init__(self, n): self.n = n
    def after_step(self):
        if len(self.history.rows) == self.n: self.stop.now()

def test_ctrl_c_is_heard_between_two_tiles(odd, painting):
    "The picture is that of the last whole step"
    class Asks(StepCallback):
        order = -1
        def before_batch(self):
            if len(self.history.rows) == 2: self.learn.feature_hooks.tiles.pause = self.at
        def at(self, number, n):
            if number == 3: self.stop.now()
            self.learn.feature_hooks.pause(number, n)
    how = QUIET | dict(size=107, tile=24)
    r = stylize(odd, painting, steps=6, cbs=[Asks()], **how)
    two = stylize(odd, painting, steps=6, cbs=[StopAfter(2)], **how)
    assert r.stopped == 'stopped by hand' and len(r.history) == 2 and r.image.tobytes() == two.image.tobytes()

def test_sliders_layers_and_another_encoder_at_the_end(odd, painting):
    moves = [(2, 'style_weights', {'relu4_1': 1.}), (3, 'content_weights', {'relu3_2': 2.}), (4, 'style_weight', 3.)]
    how = QUIET | dict(size=107, steps=6, schedule=moves, style_weights=['relu1_1'], encoder='texnet')
    a, b = (stylize(odd, painting, tile=tile, **how) for tile in (0, 40))
    assert np.allclose(a.history.loss, b.history.loss, rtol=5e-3)
    how = QUIET | dict(size=64, steps=4, finish='texnet', finish_steps=2)
    a, b = (stylize(odd, painting, tile=tile, **how) for tile in (0, 24))
    assert np.allclose(a.history.loss, b.history.loss, rtol=5e-3)

def test_style_alone_content_alone(odd, painting):
    how = QUIET | dict(size=64, steps=3)
    for content, style, more in ((None, painting, dict(content_weights={})), (odd, None, dict(style_weights={}))):
        a, b = (stylize(content, style, tile=tile, **how | more) for tile in (0, 24))
        assert np.allclose(a.history.loss, b.history.loss, rtol=5e-3)
    assert reconstruct(odd, 'relu1_1', tile=24, **QUIET | dict(size=64, steps=2)).recipe.tile == 24

def test_16_bit_encoders_go_in_tiles_too(odd, painting):
    whole, tiled = (first(odd, painting, tile=tile, precision='bf16') for tile in (0, 40))
    exact = first(odd, painting, tile=0)
    assert far(tiled.gradient, exact.gradient) < 1.5*far(whole.gradient, exact.gradient) < .4

# ---- which tiles

def test_tiles_are_chosen_where_a_picture_would_not_fit(odd, painting, monkeypatch):
    plan = settle(odd, painting, size=107, steps=2, **FEW)
    assert plan.recipe.tile is None and 'tiles' not in repr(plan)
    monkeypatch.setattr('style_nb.memory.free_memory', lambda device: 1e7)
    plan = settle(odd, painting, size=107, steps=2, **FEW)
    assert plan.recipe.tile == TILE and 'tiles of 512 px' in repr(plan)
    assert settle(odd, painting, size=107, steps=2, tile=0, **FEW).recipe.tile == 0
    # what cannot be tiled is tried as a whole, as before
    assert settle(odd, painting, size=107, steps=2, style_kind='remd', **FEW).recipe.tile is None

def test_what_cannot_be_tiled_is_said(odd, painting, refused):
    how = QUIET | dict(size=107, steps=2, tile=32)
    assert tiled_kinds() == ['gram', 'covariance', 'moments', 'w2']
    for kind in STYLE_KINDS.keys() - {*tiled_kinds()}:
        refused(lambda: stylize(odd, painting, style_kind=kind, **how), repr(kind), "one of 'gram'")
    refused(lambda: stylize(odd, painting, content_kind='self-similarity', **how), 'self-similarity', "'features'")
    refused(lambda: stylize(odd, painting, padding='circular', **how), 'circular', "'reflect'")
    for tile in (-1, 1.5, 'x', 10**6): refused(lambda: Recipe(tile=tile), 'tile is')
    assert why_not_tiled(None, None, 'zero') == ''
    assert stylize(odd, None, style_weights={}, style_kind='remd', **how).recipe.tile == 32

def test_a_loss_of_another_kind_is_said(odd, painting, refused):
    from style_nb.learner import StyleLoss
    from style_nb.reversion import revert
    how = QUIET | dict(size=64, steps=2, tile=32)
    refused(lambda: stylize(odd, painting, cbs=[StyleLoss(painting, 'relu1_1')], **how), 'whole maps', 'tiles')
    refused(lambda: TiledStyle(painting, kind='patch'), 'patch')
    refused(lambda: revert(odd, painting, match=5., **how), 'tiles')

def test_too_large_even_in_tiles(odd, painting, refused, monkeypatch):
    for name in ('memory_of', 'free_memory'): monkeypatch.setattr(f'style_nb.memory.{name}', lambda device: 3e9)
    refused(lambda: settle(odd, painting, size=20000, steps=2, **FEW), 'too large here', 'at most')
    plan = settle(odd, painting, size=2200, steps=2, encoder='texnet', precision='fp32', device='cpu', levels=1)
    assert plan.recipe.tile == TILE and plan.recipe.history == 5

# ---- the way up

@pytest.mark.parametrize('size', [120, 432, LARGE, LARGE + 1, 3840, 6000, 20000])
def test_pyramids(size):
    for levels in range(1, 11):
        sizes = pyramid_sizes(size, levels)
        assert len(sizes) == levels and sizes[-1] == size and sizes == sorted(sizes)
        for steps in (levels, levels + 1, 20, 300, 896):
            if steps < levels: continue
            shared = pyramid_steps(steps, sizes)
            assert len(shared) == levels and sum(shared) == steps and min(shared) >= 1
    assert pyramid_sizes(3840, 4) == [480, 960, 1920, 3840]
    assert pyramid_steps(896, [480, 960, 1920, 3840]) == [600, 200, 66, 30]

def test_a_large_plan_takes_few_steps_at_the_top(odd, painting):
    plan = settle(odd, painting, size=3840, device='cpu')
    *_, (shape, steps) = plan.levels
    assert max(shape) == 3840 and steps == 10 and sum(n for _, n in plan.levels) == 300
    assert plan.levels[0][0] == max([plan.levels[0][0]]) and max(plan.levels[0][0]) < 200 and plan.recipe.history == 5
    assert settle(odd, painting, size=LARGE, device='cpu').recipe.history == 20

def test_a_memory_in_16_bits_goes_down_as_far():
    "A bowl with sides of very different slopes"
    g = torch.Generator().manual_seed(0)
    start = torch.randn(1, 3, 40, 40, generator=g)
    slopes = torch.logspace(-9, -6, start.numel()).view(start.shape)
    ends = {}
    for short in (False, True):
        x = start.clone().requires_grad_()
        opt = LBFGS([x], history=5, longest=1., first=.1, short=short)
        for _ in range(40):
            x.grad = slopes*x.detach()
            opt.step()
        ends[short] = float((slopes*x.detach().square()).sum())
        assert opt.state[x]['W'].dtype == (torch.float16 if short else torch.float32)
    assert ends[True] < 1.1*ends[False] < .1*float((slopes*start*start).sum())

def test_that_memory_is_kept_in_a_file(odd, painting, tmp_path, monkeypatch):
    monkeypatch.setattr('style_nb.transfer.LARGE', 32)
    how = QUIET | dict(size=64, tile=32)
    whole = stylize(odd, painting, steps=6, **how)
    part = stylize(odd, painting, steps=6, cbs=[StopAfter(3)], **how)
    part.save_state(tmp_path/'a.safetensors')
    assert load_state(tmp_path/'a.safetensors')['opt']['W'].dtype == torch.float16
    on = stylize(odd, painting, steps=6, resume=tmp_path/'a.safetensors', **how)
    assert on.image.tobytes() == whole.image.tobytes()
