"Whole runs: the bars, starts, pyramid, snapshots, guard, stop, resume, sliders, threads, and every refusal"
import copy, hashlib, json, re, signal, threading
from dataclasses import asdict, replace
import imageio.v2 as imageio, numpy as np, pytest, torch
from fastai.callback.core import Callback
from hypothesis import given, strategies as st
from PIL import Image
from safetensors.torch import save_file
from style_nb.colour import match_colours
from style_nb.gallery import sample
from style_nb.callbacks import *
from style_nb.encoders import *
from style_nb.learner import *
from style_nb.losses import gram
from style_nb.pictures import *
from style_nb.recipe import *
from style_nb.transfer import *
from style_nb.planning import *
from style_nb.results import *
from style_nb.sweeping import sweep
from style_nb.units import to_unit

QUICK = dict(size=48, steps=6, levels=1, content_weights='relu2_1', style_weights=['relu1_1', 'relu2_1'],
    content_weight=1., style_weight=10., tv_weight=0., style_scale=1., padding='zero',
    optimizer='lbfgs', average=0., precision='fp32', progress=False)

@pytest.fixture
def go(photo, painting):
    "A short run"
    return lambda content=photo, style=painting, **kw: stylize(content, style, **(QUICK | kw))

def same(a, b): return a.image.tobytes() == b.image.tobytes() and torch.equal(a.state['canvas'], b.state['canvas'])
def psnr(a, b): return -10*np.log10(max((a.double() - b.double()).square().mean().item(), 1e-20))

class At(Callback):
    "Call `f(learn)` after step `n` of the run"
    order = 21
    def __init__(self, n, f): self.n, self.f = n, f
    def after_step(self):
        if self.learn.controls.step == self.n: self.f(self.learn)

def stop_at(n): return At(n, lambda learn: learn.stop.now())

class Began(Callback):
    began = False
    def before_fit(self): self.began = True

# ---- the bars

@pytest.mark.parametrize('kw', [dict(optimizer='lbfgs', init='noise'), dict(optimizer='adam', init='noise', average=.8),
    dict(levels=2, precision='bf16', init='noise'), dict(optimizer='adam', levels=2)], ids=str)
def test_same_seed_same_bytes(go, kw):
    a, b = go(**kw), go(**kw)
    assert same(a, b) and a.recipe == b.recipe
    if kw.get('init') == 'noise': assert not same(a, go(seed=1, **kw))

def test_a_saved_picture_gives_its_recipe_and_itself_back(go, tmp_path):
    r = go(init='noise', seed=5, levels=2, style_weights={'relu1_1': 1, 'relu2_1': .5}, optimizer='adam', average=.5,
        tv_weight=.1)
    got = Recipe.load(r.save(tmp_path/'out.png'))
    assert got == r.recipe and asdict(got) == asdict(r.recipe) and got.seed == 5
    assert got.style_weights == {'relu1_1': 1., 'relu2_1': .5}
    again = stylize(*(x for _, x in r.inputs), recipe=tmp_path/'out.png', progress=False)
    assert same(again, r) and Image.open(tmp_path/'out.png').tobytes() == r.image.tobytes()

def test_a_recipe_leaves_nothing_open(go):
    r = go(levels=None).recipe
    assert ((r.levels, r.lr, r.lr_end, r.precision) == (1, 1., 1., 'fp32')
        and go(optimizer='adam', steps=1).recipe.lr == .03)

@pytest.fixture(scope='module')
def rebuilt(photo):
    "PSNR of the canvas against the photo, {optimizer: {layer: dB}}, content alone from noise, fp32"
    x, layers = load_picture(to_pil(resize(photo, 40))), [f'relu{i}_1' for i in (1, 2, 3, 4)]
    kw = dict(size=40, precision='fp32', encoder='random', progress=False)
    def db(layer, **opt): return psnr(reconstruct(x, layer, **kw, **opt).state['canvas'], x)
    return dict(lbfgs={l: db(l, optimizer='lbfgs', steps=50) for l in layers},
        adam={l: db(l, optimizer='adam', steps=120, lr=.1) for l in layers})

@pytest.mark.parametrize('optimizer', ['lbfgs', 'adam'])
def test_relu1_1_brings_the_picture_back(rebuilt, optimizer): assert rebuilt[optimizer]['relu1_1'] > 60, rebuilt

@pytest.mark.parametrize('optimizer', ['lbfgs', 'adam'])
def test_deeper_layers_know_less(rebuilt, optimizer):
    db = list(rebuilt[optimizer].values())
    assert len(db) == 4 and all(a > b for a, b in zip(db, db[1:])), rebuilt

def test_style_alone_forgets_places(photo):
    r = reconstruct(photo, ['relu1_1', 'relu2_1'], 'style', size=64, steps=25, optimizer='adam', precision='fp32',
        progress=False)
    h = r.history
    assert h['style/relu1_1'].iloc[-1] < .5*h['style/relu1_1'].iloc[0] and psnr(r.state['canvas'], photo) < 20
    assert not any('content' in c for c in h)

@pytest.mark.parametrize('optimizer', ['lbfgs', 'adam'])
def test_from_less_contrast_than_the_style_has(photo, optimizer):
    "Where the loss is concave L-BFGS learns no curvature: it must neither crawl nor leap"
    r = reconstruct(photo, ['relu1_1', 'relu2_1'], 'style', size=64, steps=21, optimizer=optimizer, precision='fp32',
        progress=False)
    loss = r.history.loss
    assert loss.iloc[-1] < .5*loss.iloc[0] and loss.max() < 2*loss.iloc[0], loss.iloc[::5].tolist()

@pytest.mark.parametrize('optimizer', ['lbfgs', 'adam'])
def test_only_relative_weights_matter(go, optimizer):
    last = lambda k: go(optimizer=optimizer, steps=25, content_weight=k, style_weight=10*k).history.loss.iloc[-1]/k
    one, *others = [last(k) for k in (1, 1e-3, 1e3)]
    assert others == [pytest.approx(one, rel=.1)]*2

@pytest.mark.parametrize('optimizer', ['lbfgs', 'adam'])
def test_the_loss_falls(go, optimizer):
    loss = go(optimizer=optimizer, steps=20).history.loss
    assert loss.iloc[-1] < .3*loss.iloc[0]

def test_bf16_paints_the_same_picture(go):
    a, b = go(steps=12), go(steps=12, precision='bf16')
    assert not same(a, b) and psnr(a.state['canvas'], b.state['canvas']) > 25

# ---- starts

def begin(go, **kw): return go(optimizer='adam', lr=1e-9, steps=1, **kw).image.tobytes()

def test_starts(go, photo, painting, tmp_path):
    hw = fit_size(photo.shape[-2:], 48)
    noise = torch.rand(1, 3, *hw, generator=torch.Generator().manual_seed(3))*.5 + .25
    other = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    other.save(tmp_path/'start.png')
    at = lambda x: to_pil(resize(middle(load_picture(x), hw), hw)).tobytes()  # nothing is stretched
    assert begin(go, init='content') == at(photo)
    assert (begin(go) == begin(go, init='recoloured') == to_pil(match_colours(resize(photo, hw), painting,
        rounds=1)).tobytes())
    assert begin(go, init='noise', seed=3) == to_pil(noise).tobytes()
    assert begin(go, init='style') == at(painting)
    p = tmp_path/'start.png'
    for start in (other, p, str(p), load_picture(other), np.asarray(other)): assert begin(go, init=start) == at(other)

def test_a_start_picture_is_referred_to_but_not_kept(go, painting, tmp_path):
    save_picture(painting, tmp_path/'start.png')
    r = go(init=tmp_path/'start.png')
    assert r.recipe.init == 'picture' and same_picture(r.recipe.start, picture_ref(painting, 'start.png'))
    assert same(r, go(recipe=r.recipe, init=painting))

def test_without_content_the_start_is_noise(go):
    "In the style's colours, unless plain noise is asked for"
    style = dict(content_weights={}, steps=2)
    r, plain = go(None, **style), go(None, init='noise', **style)
    assert r.recipe.init == 'recoloured' and r.recipe.content is None and not same(r, plain)
    noise = (torch.rand(1, 3, *plain.state['canvas'].shape[-2:],
        generator=torch.Generator().manual_seed(r.recipe.seed))*.5 + .25)
    assert same(plain, go(None, init=noise, **style)) and same(plain, go(None, init='content', **style))

def test_result_goes_in_as_a_picture(go):
    r = go(steps=1)
    assert go(r, steps=1).image.size == r.image.size and go(init=r, steps=1).recipe.init == 'picture'

# ---- styles, layers, weights

def test_blends(go, painting, painting2):
    alone, both = go(), go(style=[painting, painting2])
    assert same(go(style=[painting, painting2], style_blend=[1, 0]), alone) and same(go(style=[painting]), alone)
    assert (same(go(style=[painting, painting2], style_blend=[3, 3]), both)
        and same(go(style=[painting, painting]), alone))
    assert same(go(style=[painting, painting2], style_blend=[0, 2]), go(style=painting2)) and not same(both, alone)
    assert len(both.recipe.styles) == 2 and [t for t, _ in both.inputs] == ['content', 'style 1', 'style 2']

class Look(Callback):
    "The layers with features, and those of the chain, at each step"
    order = 12
    def before_fit(self): self.features, self.chains = [], []
    def after_loss(self):
        self.features.append(list(self.learn.features))
        self.chains.append([n for n, _ in self.learn.feature_hooks.chain.named_children()])

def test_only_layers_with_weight_are_evaluated(go):
    look = Look()
    r = go(content_weights={'relu2_1': 0, 'relu1_2': 1}, style_weights={'relu1_1': 1, 'relu3_1': 0}, steps=2,
        cbs=[look])
    assert look.features == [['relu1_1', 'relu1_2']]*2 and look.chains == [['relu1_1', 'relu1_2']]*2
    assert list(r.history.columns[7:]) == ['content/relu1_2', 'style/relu1_1']

def test_weight_zero_over_all_layers(go):
    look = Look()
    r = go(content_weight=0, style_weights='relu1_1', steps=2, cbs=[look])
    assert look.features == [['relu1_1']]*2 and list(r.history.columns[7:]) == ['style/relu1_1']
    assert (go(style=None, style_weight=0, tv_weight=1, content_weight=0, steps=2,
        cbs=[look]).history.columns[-1] == 'tv')
    assert look.chains == [[], []]

def test_weight_zero_is_the_same_as_leaving_out(go, photo):
    assert same(go(style_weights={'relu1_1': 1, 'relu4_1': 0}), go(style_weights='relu1_1'))
    assert same(go(style_weight=0), go(style=None, style_weights={}))

def test_the_loss_is_the_weighted_sum_of_its_terms(go):
    w = dict(content_weights={'relu1_1': .5, 'relu2_1': 2}, style_weights={'relu1_1': 3, 'relu2_2': .25})
    h = go(content_weight=1.5, style_weight=7, tv_weight=.3, init='noise', **w).history
    want = (.3*h.tv + sum(f*v*h[f'{k}/{l}'] for k, f in (('content', 1.5), ('style', 7))
        for l, v in w[f'{k}_weights'].items()))
    assert np.allclose(h.loss, want, rtol=1e-5)

def test_only_relative_layer_weights_matter_to_the_picture(go):
    a, b = (go(style_weights={'relu1_1': k, 'relu2_1': 2*k}, style_weight=8/k) for k in (1, 2))
    assert same(a, b)

def test_a_style_is_never_enlarged_and_scale_sets_its_size(enc, painting):
    loss = StyleLoss(painting, 'relu1_1', scale=.5)
    assert loss.at_size(painting, 64).shape[-2:] == (24, 32) and loss.at_size(painting, 48).shape[-2:] == (18, 24)
    assert loss.at_size(painting, 4000).shape == painting.shape

def test_history(go):
    h = go(levels=2, size=64, steps=7, tv_weight=.1).history
    terms = ['content/relu2_1', 'style/relu1_1', 'style/relu2_1', 'tv']
    assert list(h.columns) == ['step', 'level', 'height', 'width', 'evals', 'seconds', 'loss'] + terms
    assert h.step.tolist() == list(range(1, 8)) and (h.evals == 1).all()
    assert h.seconds.is_monotonic_increasing and not h.isna().any().any()
    assert go(line_search=True, steps=4).history.evals.sum() > 4

def test_first_row_against_the_losses_themselves(go, photo, painting, enc):
    h, x = go(init='style', steps=1, padding='zero', encoder='random', style_scale=1.).history, resize(photo, 48)
    s, z = resize(painting, 48), resize(middle(painting, (48, 48)), (48, 48))
    f, p, a = enc(z, ['relu1_1', 'relu2_1']), enc(x, 'relu2_1')['relu2_1'], enc(s, ['relu1_1', 'relu2_1'])
    sq = lambda t: t.square().sum().item()
    assert h['content/relu2_1'][0] == pytest.approx(sq(f['relu2_1'] - p)/sq(p - p.mean((2, 3), keepdim=True)), rel=1e-4)
    for l in a: assert h[f'style/{l}'][0] == pytest.approx(sq(gram(f[l]) - gram(a[l]))/sq(gram(a[l])), rel=1e-4)

# ---- pyramid

@given(st.integers(4, 4000), st.integers(1, 8), st.integers(0, 900))
def test_levels_in_general(size, levels, more):
    sizes = level_sizes(size, levels)
    steps = level_steps(levels + more, sizes)
    assert len(sizes) == len(steps) == levels and sizes[-1] == size and sizes == sorted(sizes)
    assert sum(steps) == levels + more and min(steps) >= 1

def test_most_steps_where_they_are_cheap():
    a, b, c = level_steps(300, [128, 181, 256])
    assert a > b > c

@pytest.mark.parametrize('optimizer', ['lbfgs', 'adam'])
def test_pyramid(go, optimizer):
    r = go(size=64, levels=3, steps=11, optimizer=optimizer, average=.5)
    by = r.history.groupby('level')
    assert by.width.unique().str[0].tolist() == [32, 45, 64] and by.size().tolist() == level_steps(11, [32, 45, 64])
    assert r.image.size == (64, 64)
    assert r.recipe.levels == 3 and len(r.history) == 11

def test_levels_are_chosen_by_size(photo, enc):
    r = Recipe(steps=300)
    assert [len(settle_levels(replace(r, size=s), (300, 400), enc)) for s in (64, 128, 240, 432)] == [1, 1, 3, 4]
    assert len(settle_levels(replace(r, size=432, steps=2), (300, 400), enc)) == 2

def test_aspect_of_the_content(go, photo):
    assert (go(photo[..., :32, :], steps=1).image.size == (48, 24)
        and go(photo[..., :32], steps=1).image.size == (24, 48))

# ---- snapshots and animations

@pytest.mark.parametrize('when,steps', [(2, [2, 4, 6]), ([1, 4, 99], [1, 4]), (0, []), (7, []), ((6, 1), [1, 6]),
    (range(1, 7, 3), [1, 4])])
def test_snapshots(go, when, steps):
    r = go(snapshots=when)
    assert [s for s, _ in r.frames] == steps and all(im.size == r.image.size for _, im in r.frames)
    if 6 in steps: assert r.frames[-1][1].tobytes() == r.image.tobytes()

def test_snapshots_do_not_change_the_run(go): assert same(go(snapshots=1, levels=2, size=64), go(levels=2, size=64))
def test_a_snapshot_shows_the_average(go):
    r = go(snapshots=[6], optimizer='adam', average=.7)
    assert r.frames[0][1].tobytes() == r.image.tobytes() != to_pil(r.state['canvas']).tobytes()

@pytest.fixture(scope='module')
def film(photo, painting): return stylize(photo[..., :37], painting, **QUICK | dict(size=65, levels=2, snapshots=1))

def test_gif(film, tmp_path):
    with Image.open(film.animate(tmp_path/'a.gif', fps=10)) as im:
        shown = [im.info['duration'] for i in range(im.n_frames) if im.seek(i) is None]
        assert im.format == 'GIF' and im.size == film.image.size and im.n_frames == len(film.frames) + 10
        assert sum(shown) == 100*(len(film.frames) + 10)

def test_mp4(film, tmp_path):
    with imageio.get_reader(film.animate(tmp_path/'a.mp4', fps=5)) as f: frames = [o for o in f]
    w, h = film.image.size
    assert (w, h) == (38, 65) and len(frames) == len(film.frames) + 5 and frames[0].shape == (h - h % 2, w - w % 2, 3)
    assert abs(frames[-1].mean(-1) - np.asarray(film.image.resize((38, 64)), float).mean(-1)).mean() < 6

@pytest.mark.parametrize('name,words', [('a.avi', ['.gif, .mp4']), ('none/a.gif', ['does not exist']), ('a', ['.gif'])])
def test_bad_animation(film, tmp_path, refused, name, words):
    refused(lambda: film.animate(tmp_path/name), *words)
    assert not list(tmp_path.iterdir())

def test_a_film_needs_frames(go, tmp_path, refused):
    refused(lambda: animate([], tmp_path/'a.gif'), 'no frames', 'snapshots')
    refused(lambda: go(steps=1).animate(tmp_path/'a.gif'), 'no frames', 'snapshots')
    assert not list(tmp_path.iterdir())

def test_a_film_that_fails_leaves_nothing(film, tmp_path, monkeypatch):
    def half(*a, **k): raise OSError('encoder died')
    monkeypatch.setattr('style_nb.clips.Coder', half)
    with pytest.raises(OSError): film.animate(tmp_path/'a.mp4')
    assert not list(tmp_path.iterdir())

# ---- guard

def poison(n, value=float('nan')): return At(n, lambda learn: learn.model.canvas.data.fill_(value))

@pytest.mark.parametrize('optimizer', ['lbfgs', 'adam'])
@pytest.mark.parametrize('n', [1, 4, 10, 11, 12])
def test_guard_against_nan(go, optimizer, n):
    r = go(steps=12, optimizer=optimizer, average=.5, cbs=[poison(n)])
    assert torch.isfinite(r.state['canvas']).all() and 'NaN' in r.stopped
    assert 'smaller step size' in r.stopped and r.image.getextrema() != ((0, 0),)*3
    assert len(r.history) <= n and r.stopped in repr(r)

def test_guard_at_the_last_steps_of_a_level_and_the_first_of_the_next(go):
    first = level_steps(12, level_sizes(64, 2))[0]
    for n in (first, first + 1):
        r = go(steps=12, size=64, levels=2, cbs=[poison(n)])
        assert torch.isfinite(r.state['canvas']).all() and 'NaN' in r.stopped and np.asarray(r.image).std() > 5
    assert r.image.size == (64, 64)

@pytest.mark.parametrize('optimizer,lr', [('lbfgs', 1e4), ('adam', 1e4)])
def test_guard_against_a_step_far_too_large(go, optimizer, lr):
    r = go(steps=15, optimizer=optimizer, lr=lr, init='noise')
    assert torch.isfinite(r.state['canvas']).all() and np.isfinite(r.history.loss.astype(float)).all()

def test_a_run_lost_at_its_first_step_still_shows_itself(go, tmp_path, refused):
    r = go(steps=15, init='noise', cbs=[poison(1)])
    assert ('step 1' in r.stopped and len(r.history) == 0 and r.stopped in repr(r) and r._repr_png_()
        and r.show()._repr_png_())
    refused(lambda: r.plot_losses(), 'took no step')
    assert Recipe.load(r.save(tmp_path/'a.png')) == r.recipe

def test_guard_against_collapse(go):
    r = go(steps=30, optimizer='adam', cbs=[At(n, lambda learn: learn.model.canvas.data.fill_(.5)) for n in range(3,
        31)])
    assert 'collapsed' in r.stopped and np.asarray(r.image).std() > 5 and len(r.history) <= 20

def test_guard_names_a_step_that_is_too_long(go):
    "A callback throws the pixels about from step 80 on, as a step does that is far too long."
    r = go(recipe='haslam', encoder='random', size=32, steps=250,
        cbs=[At(n, lambda learn: learn.model.canvas.data.uniform_()) for n in range(80, 251)])
    assert ('come to rest for 100 steps' in r.stopped and 'smaller step size (lr)' in r.stopped
        and 'black to white being 1' in r.stopped and len(r.history) <= 190)
    last = int(re.search(r'picture of step (\d+)', r.stopped)[1])
    assert 60 <= last <= 80  # the last one before they were thrown

def test_guard_names_the_term_that_swamps_the_others(go):
    fade = lambda learn: learn.model.canvas.data.lerp_(learn.model.canvas.data.mean((-2, -1), keepdim=True), .2)
    r = go(steps=60, tv_weight=1e9, cbs=[At(n, fade) for n in range(1, 61)])
    assert ('collapsed' in r.stopped and re.search(r'tv was (9\d|100)[\d.]*% of the loss', r.stopped)
        and 'smaller tv_weight' in r.stopped and '(lr)' not in r.stopped)

def test_guard_names_a_term_that_is_infinite(go):
    r = go(steps=12, style_weight=1e300, optimizer='adam')
    assert 'NaN' in r.stopped and 'style/' in r.stopped and 'smaller style_weight' in r.stopped

@pytest.mark.parametrize('optimizer', ['lbfgs', 'adam'])
def test_guard_leaves_a_healthy_run_alone(go, optimizer):
    assert go(steps=140, optimizer=optimizer, **(dict(lr=.3, lr_end=1.) if optimizer == 'adam' else {})).stopped == ''

@pytest.mark.parametrize('optimizer', ['lbfgs', 'adam'])
@pytest.mark.parametrize('weights', [dict(style_weight=1e25), dict(style_weight=1e38), dict(content_weight=1e36),
    dict(content_weight=1e30, style_weight=1e30, tv_weight=1e30)], ids=str)
def test_guard_names_weights_that_are_beyond_reckoning(go, optimizer, weights):
    "In 0.1.0 such a run ended well, with the picture it had begun with"
    r = go(optimizer=optimizer, **weights)
    named = max(weights, key=weights.get) if len(weights) == 1 else 'smaller'
    assert 'gradient' in r.stopped and named in r.stopped and '(lr)' not in r.stopped and len(r.history) < 6

@pytest.mark.parametrize('precision', ['fp32', 'bf16'])
@pytest.mark.parametrize('value', [float('nan'), float('inf'), 1e20])
def test_guard_blames_an_encoder_that_gives_no_numbers(photo, painting, value, precision):
    enc = encoder('texnet-small', padding='reflect')
    enc.body[2].weight.data.fill_(value)
    plan = settle(photo, painting, enc=enc, size=48, steps=12, levels=1, precision=precision)
    r = run_transfer(transfer_learner(plan), plan)
    assert 'encoder' in r.stopped and 'weights' in r.stopped and '(lr)' not in r.stopped and '_weight' not in r.stopped

@pytest.mark.parametrize('lr', [2., 5., 1e4])
def test_guard_says_when_most_values_were_driven_to_black_or_white(photo, painting, lr):
    how = dict(size=48, steps=12, levels=1, optimizer='adam', progress=False)
    r = stylize(photo, painting, lr=lr, **how)
    assert 'black or white' in r.stopped and 'smaller step size (lr)' in r.stopped and len(r.history) == 12
    assert stylize(photo, painting, **how).stopped == ''

def test_a_picture_of_black_and_white_may_be_black_and_white():
    disc, stripes = torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)
    disc[..., 16:48, 16:48] = stripes[..., ::6] = stripes[..., 1::6] = stripes[..., 2::6] = 1
    r = stylize(disc, stripes, size=64, steps=40, levels=1, optimizer='adam', lr=1., progress=False)
    dark, light = np.asarray(r.image) == 0, np.asarray(r.image) == 255
    assert (dark | light).mean() > .6 and r.stopped == ''

def test_a_long_run_comes_back_from_steps_that_are_too_long(photo, painting):
    assert stylize(photo, painting, size=48, steps=150, levels=1, optimizer='adam', lr=5., progress=False).stopped == ''

@pytest.mark.parametrize('lr', [1e308, 1e30, 1e5, float('inf')])
def test_a_step_size_that_makes_no_sense_is_named(go, refused, lr):
    for optimizer in ('lbfgs', 'adam'): refused(lambda: go(optimizer=optimizer, lr=lr), 'lr is', '10000')
    refused(lambda: go(lr_end=lr), 'lr_end is')

def test_a_flat_picture_is_no_collapse(go):
    r = go(torch.full((1, 3, 48, 48), .4), style=None, style_weights={}, steps=12)
    assert r.stopped == '' and len(r.history) == 12

@pytest.mark.parametrize('kw', [dict(), dict(optimizer='adam', average=.5), dict(size=64, levels=2)], ids=str)
@pytest.mark.parametrize('n', [3, 8])
def test_a_run_saved_by_the_guard_can_go_on(go, photo, painting, kw, n):
    r = go(steps=12, **kw, cbs=[poison(n)])
    on = stylize(photo, painting, resume=r, progress=False)
    assert torch.isfinite(on.state['canvas']).all() and on.history.step.iloc[-1] == 12 and on.stopped == ''

# ---- fastai's own tools

@pytest.mark.parametrize('name', ['EarlyStoppingCallback', 'SaveModelCallback', 'ReduceLROnPlateau', 'CSVLogger',
    'GradientAccumulation', 'MixedPrecision', 'Recorder', 'ShowGraphCallback', 'MixUp'])
def test_a_callback_of_fastai_that_has_no_meaning_here_is_refused(go, refused, name):
    import fastai.vision.all as fastai
    refused(lambda: go(cbs=[getattr(fastai, name)()]), name, 'does not work on the Learner of a picture')

def test_callbacks_of_fastai_that_look_at_steps_work(go):
    from fastai.vision.all import GradientClip, TerminateOnNaNCallback
    assert len(go(cbs=[GradientClip(1e9), TerminateOnNaNCallback()]).history) == 6

@pytest.mark.parametrize('tool', ['export', 'to_fp16', 'to_bf16', 'validate', 'get_preds', 'show_results', 'lr_find',
    'fine_tune', 'fit_one_cycle', 'predict'])
def test_a_tool_of_fastai_that_has_no_meaning_here_says_what_to_use(photo, painting, refused, tool):
    learn = transfer_learner(settle(photo, painting, size=48, steps=2, levels=1))
    args = [1] if tool in ('fine_tune', 'fit_one_cycle', 'predict') else []
    refused(lambda: getattr(learn, tool)(*args), 'does not work on the Learner of a picture')

def test_tools_of_fastai_that_work(photo, painting, tmp_path, refused):
    learn = transfer_learner(settle(photo, painting, size=48, steps=2, levels=1))
    assert '48x48 px' in learn.summary() and 'texnet' in learn.summary()
    learn.fit(1)
    learn.path = tmp_path
    learn.save('picture')
    canvas = learn.model.canvas.detach().clone()
    learn.model.canvas.data.zero_()
    learn.load('picture')
    assert torch.equal(learn.model.canvas, canvas) and not hasattr(learn, 'recorder')
    refused(lambda: learn.recorder, 'History')

# ---- stop

def test_stop_from_another_thread(go):
    def press(learn):
        t = threading.Thread(target=learn.stop.now)
        t.start()
        t.join()
    r = go(steps=10_000, cbs=[At(4, press)])
    assert len(r.history) == 4 and r.stopped == 'stopped by hand' and r.image.size == (48, 48)

def test_a_picture_of_a_small_level_says_how_small_it_is(go):
    half = go(size=64, steps=8, levels=2, cbs=[At(2, lambda learn: learn.stop.now())])
    assert max(half.image.size) < 64 and half.stopped == 'stopped by hand'
    small = f'stopped by hand at step 2 of 8, {max(half.image.size)} px of 64'
    assert half.ending == small and repr(half).endswith(f'; {small}')
    last = go(size=64, steps=8, levels=2, cbs=[At(7, lambda learn: learn.stop.now())])
    assert last.ending == 'stopped by hand at step 7 of 8' and go(steps=2).ending == ''
    assert go(steps=3, cbs=[At(3, lambda learn: learn.stop.now())]).ending == 'stopped by hand'

def test_ctrl_c_in_this_process(go):
    mine = lambda *_: None
    old = signal.signal(signal.SIGINT, mine)
    try:
        r = go(steps=10_000, cbs=[At(3, lambda learn: signal.raise_signal(signal.SIGINT))])
        assert signal.getsignal(signal.SIGINT) is mine
    finally: signal.signal(signal.SIGINT, old)
    assert len(r.history) == 3 and r.stopped == 'stopped by hand'

def test_second_ctrl_c_interrupts_at_once(go):
    def twice(learn):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt): go(steps=10_000, cbs=[At(3, twice)])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally: signal.signal(signal.SIGINT, old)

def test_an_error_in_a_callback_leaves_no_hook_and_no_handler(go):
    kept, before = [], signal.getsignal(signal.SIGINT)
    def fail(learn):
        kept.append(learn)
        raise RuntimeError('my own')
    with pytest.raises(RuntimeError, match='my own'): go(cbs=[At(2, fail)])
    assert kept[0].feature_hooks.chain is None and signal.getsignal(signal.SIGINT) is before
    assert not any(m._forward_hooks for m in kept[0].encoder.modules())

# ---- resume

SCHEDULE = [(2, 'style_weight', 3.), (5, 'lr', .1), (8, 'style_weights', {'relu1_1': 0., 'relu2_2': 1.})]
KINDS = dict(lbfgs=dict(optimizer='lbfgs'), wolfe=dict(line_search=True), adam=dict(optimizer='adam', init='noise'),
    average=dict(optimizer='adam', average=.8), bf16=dict(precision='bf16'),
    moves=dict(optimizer='adam', average=.5, schedule=SCHEDULE),
    lbfgs_moves=dict(schedule=[(4, 'tv_weight', .3), (8, 'content_weight', .1)]))
LONG = dict(size=64, levels=2, steps=12)  # 7 steps, then 5

@pytest.mark.parametrize('optimizer,away,stay', [('lbfgs', ['W', 'g', 'd'], ['M', 'p', 'q']), ('adam', ['exp_avg'],
    ['step'])])
def test_small_products_and_counts_stay_on_the_cpu(go, optimizer, away, stay):
    "What is as large as the picture goes to its device; L-BFGS's products, and counts, stay where its sums are made"
    state = go(optimizer=optimizer).state['opt']
    assert {moved_to(state[k], 'meta').device.type for k in away} == {'meta'}
    assert {moved_to(torch.as_tensor(state[k]), 'meta').device.type for k in stay} == {'cpu'}

@pytest.mark.parametrize('before', [False, True])
def test_gpu_convolutions_are_repeatable_while_any_run_goes_on(go, monkeypatch, before):
    "Two runs that overlap, the first to begin being the first to end, and one that fails"
    monkeypatch.setattr(torch.backends.cudnn, 'deterministic', before)
    begun, ended, seen = threading.Event(), threading.Event(), []
    def wait(learn):
        begun.set()
        assert ended.wait(60)
        seen.append(torch.backends.cudnn.deterministic)
    second = threading.Thread(target=lambda: go(cbs=[At(1, wait)]))
    def start(learn):
        second.start()
        assert begun.wait(60)
    go(cbs=[At(1, start)])
    ended.set()
    second.join()
    assert seen == [True] and torch.backends.cudnn.deterministic == before
    def fail(learn): raise KeyError('no')
    with pytest.raises(KeyError): go(cbs=[At(1, fail)])
    assert torch.backends.cudnn.deterministic == before

@pytest.mark.parametrize('kind', KINDS)
def test_resume_is_exact(go, tmp_path, kind):
    whole = go(**LONG, **KINDS[kind])
    assert whole.history.groupby('level').size().tolist() == [7, 5]
    for n in (1, 7, 8):
        half = go(**LONG, **KINDS[kind], cbs=[stop_at(n)])
        state = half.save_state(tmp_path/'half.safetensors')
        rest = stylize(*(x for _, x in half.inputs), resume=state, progress=False)
        assert same(rest, whole), n
        assert (half.history.step.tolist() + rest.history.step.tolist() == list(range(1, 13))
            and rest.recipe == whole.recipe)
        assert np.array_equal(np.concatenate([half.history.loss, rest.history.loss]), whole.history.loss)

def test_resume_twice_and_by_every_door(go, photo, painting, tmp_path):
    whole, r = go(**LONG), go(**LONG, cbs=[stop_at(3)])
    on = dict(progress=False)
    a = stylize(photo, painting, resume=r, cbs=[stop_at(9)], **on)
    assert len(a.history) == 6 and a.stopped
    b = stylize(photo, painting, resume=a.state, **on)
    c = stylize(photo, painting, resume=str(a.save_state(tmp_path/'a.safetensors')), **on)
    assert same(b, whole) and same(c, whole) and b.stopped == ''

def test_resume_keeps_the_numbers_of_snapshots(go, photo, painting):
    r = go(**LONG, snapshots=[2, 6, 10], cbs=[stop_at(5)])
    rest = stylize(photo, painting, resume=r, progress=False)
    whole = go(**LONG, snapshots=[2, 6, 10])
    assert [(s, f.tobytes()) for s, f in r.frames + rest.frames] == [(s, f.tobytes()) for s, f in whole.frames]

def test_state_survives_its_file(go, tmp_path):
    for kw in (dict(), dict(optimizer='adam', average=.5)):
        state = go(**kw, steps=3).state
        got = load_state(save_state(state, tmp_path/'s.safetensors'))
        assert flat(got).keys() == flat(state).keys()
        for a, b in zip(flat(got).values(), flat(state).values()):
            assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        assert [p.name for p in tmp_path.iterdir()] == ['s.safetensors']

def flat(tree, prefix=''):
    "{path: value}, as 0.1.0 had a state in memory and in its file"
    found = {}
    for k, v in tree.items() if isinstance(tree, dict) else enumerate(tree):
        branch = isinstance(v, (dict, list))
        if branch and prefix: found[f'{prefix}{k}'] = f'{type(v).__name__} {len(v)}'
        found |= flat(v, f'{prefix}{k}/') if branch else {f'{prefix}{k}': v}
    return found

def save_first_schema(state, path):
    "What `save_state` of 0.1.0 did"
    tensors = {k: v.contiguous() for k, v in flat(state).items() if isinstance(v, torch.Tensor)}
    save_file(tensors, path, {k: json.dumps(v) for k, v in flat(state).items() if k not in tensors})
    return path

@pytest.mark.parametrize('kind', ['lbfgs', 'average'])
def test_a_state_of_the_first_schema_goes_on(go, tmp_path, kind):
    whole, half = go(**LONG, **KINDS[kind]), go(**LONG, **KINDS[kind], cbs=[stop_at(3)])
    old = save_first_schema(half.state, tmp_path/'old.safetensors')
    assert flat(load_state(old)).keys() == flat(half.state).keys()
    assert same(stylize(*(x for _, x in half.inputs), resume=old, progress=False), whole)

def test_a_damaged_state_is_not_gone_on_with(go, tmp_path, refused):
    p = go(steps=2).save_state(tmp_path/'s.safetensors')
    data = p.read_bytes()
    for at in (len(data)//2, len(data) - 1, data.index(b'canvas')):
        bad = bytearray(data)
        bad[at] ^= 1
        p.write_bytes(bad)
        said = 's.safetensors is damaged, its bytes are not those that were written', 'Result.save_state'
        refused(lambda: go(resume=p), *said)

def test_a_state_of_a_later_version(go, tmp_path, refused, monkeypatch):
    import style_nb.keeping as keeping
    monkeypatch.setattr(keeping, 'STATE_SCHEMA', 3)
    p = go(steps=2).save_state(tmp_path/'s.safetensors')
    monkeypatch.setattr(keeping, 'STATE_SCHEMA', 2)
    refused(lambda: go(resume=p), 'newer style_nb', 'pip install -U')

def test_a_finished_run_is_not_resumed(go, refused):
    r = go()
    refused(lambda: go(resume=r), '6 steps already', 'larger number of steps')

def bad_states(d):
    (d/'text.safetensors').write_text('hello')
    (d/'empty.safetensors').touch()
    (d/'folder.safetensors').mkdir()
    Image.new('RGB', (8, 8)).save(d/'a.png')
    save_file({'a': torch.ones(2)}, d/'other.safetensors')
    return ('text.safetensors', 'empty.safetensors', 'folder.safetensors', 'a.png', 'other.safetensors',
        'none.safetensors')

def test_bad_state(go, tmp_path, refused):
    for f in bad_states(tmp_path): refused(lambda: go(resume=tmp_path/f), f)
    refused(lambda: go(resume=tmp_path/'a.png'), 'PNG alone cannot be continued exactly')
    for odd in (3, [1], {}, {'canvas': 1}, {'canvas': torch.rand(1, 3, 8, 8)}):
        refused(lambda: go(resume=odd), 'resume')

def test_a_state_cut_short(go, tmp_path, refused):
    p = go(steps=2).save_state(tmp_path/'s.safetensors')
    p.write_bytes(p.read_bytes()[:-1000])
    refused(lambda: go(resume=p), 's.safetensors is not the state of a run')

def test_resume_with_other_pictures(go, photo, painting, painting2, refused):
    half = go(cbs=[stop_at(3)])
    for other in (photo[..., :32, :], photo.flip(-1), None):
        refused(lambda: go(other, resume=half), 'content', 'same pictures')
    for other in (painting2, [painting, painting2], None):
        refused(lambda: go(style=other, resume=half), 'style', 'same pictures')

def test_bad_state_path(go, tmp_path, refused):
    r = go(steps=1)
    refused(lambda: r.save_state(tmp_path/'s.pt'), 's.pt ends in .pt', '.safetensors')
    refused(lambda: r.save_state(tmp_path/'none'/'s.safetensors'), 'does not exist')

# ---- sliders from another thread, and their replay

MOVES = {2: [('style_weight', 30.)], 4: [('content_weights', {'relu2_1': 0., 'relu1_2': 2.}), ('style_weights',
    {'relu1_1': 0., 'relu3_1': 1.})],
    5: [('tv_weight', .5)], 7: [('lr', .05), ('content_weight', 0.)]}

class Hand(Callback):
    "After step n, another thread moves sliders"
    def after_step(self):
        todo = MOVES.get(self.learn.controls.step, [])
        t = threading.Thread(target=lambda: [self.learn.controls.put(*m) for m in todo])
        t.start()
        t.join()

@pytest.mark.parametrize('kw', [dict(optimizer='lbfgs'), dict(optimizer='adam', average=.6), dict(levels=2, size=64)],
    ids=str)
def test_replay(go, tmp_path, kw):
    kw = dict(steps=10) | kw
    first = go(**kw, cbs=[Hand()])
    assert first.recipe.schedule == [[n, f, v] for n, ms in MOVES.items() for f, v in ms]
    recipe = Recipe.load(first.save(tmp_path/'a.png'))
    again = stylize(*(x for _, x in first.inputs), recipe=recipe, progress=False)
    assert same(again, first) and again.recipe == first.recipe and not same(first, go(**kw))
    h = first.history
    assert h['style/relu3_1'].notna().tolist() == [False]*4 + [True]*6 and h['style/relu2_1'].notna().all()
    assert h['content/relu2_1'].notna().tolist() == [True]*4 + [False]*6
    assert h.tv.notna().sum() == 5

def test_a_move_takes_effect_with_the_next_step(go):
    h = go(schedule=[(3, 'style_weight', 0)]).history
    assert np.allclose(h.loss[3:], h['content/relu2_1'][3:]) and h.loss[2] > 1.5*h['content/relu2_1'][2]
    assert h['style/relu1_1'].notna().tolist() == [True]*3 + [False]*3

@pytest.mark.parametrize('move,words', [(('size', 3), ['Unknown control', 'style_weight']),
    (('style_weight', -1), ['style_weight is -1']), (('lr', float('nan')), ['lr is nan']),
    (('tv_weight', 'a'), ['tv_weight']), (('style_weights', {'relu1_1': -1}), ["style_weights['relu1_1'] is -1"]),
    (('style_weights', {'relu9_1': 1.}), ['relu9_1']),
    (('style_weights', 3), ['style_weights']), (('style_weights', {'relu1_1': None}), ['relu1_1'])])
def test_a_bad_move_is_refused_where_it_is_made_and_the_run_goes_on(go, refused, move, words):
    asked = []
    def slide(learn):
        refused(lambda: learn.controls.put(*move), *words)
        asked.append(1)
    r = go(cbs=[At(2, slide)])
    assert asked and len(r.history) == 6 and r.recipe.schedule == []

BAD_SCHEDULES = [([(1, 'size', 3)], "Unknown control 'size'"), ([(-1, 'lr', 1)], 'schedule is -1'),
    ([(1.5, 'lr', 1)], 'schedule is 1.5'), ([(1, 'lr')], 'schedule'), ([1], 'schedule'), (5, 'schedule'),
    ('lr', 'schedule'), ([(1, 'style_weight', -1)], 'style_weight'), ([(1, 'tv_weight', float('nan'))], 'tv_weight'),
    ([(1, 'style_weights', 3)], 'style_weights'),
    ([(1, 'style_weights', {'relu9_1': 1})], 'relu9_1'), ([(1, 'style_weights', {'relu1_1': -1})], 'relu1_1'),
    ([(1, 'lr', 'fast')], 'lr')]

# ---- threads

def test_two_runs_at_once(go):
    kws = [dict(init='noise', seed=1, optimizer='lbfgs', levels=2, size=64),
        dict(init='noise', seed=2, optimizer='adam', average=.5, precision='bf16')]
    alone, out, start = [go(**kw) for kw in kws], [None]*2, threading.Barrier(2)
    def work(i):
        start.wait()
        out[i] = go(**kws[i])
    threads = [threading.Thread(target=work, args=(i,)) for i in (0, 1)]
    for t in threads: t.start()
    for t in threads: t.join()
    assert same(out[0], alone[0]) and same(out[1], alone[1])

def test_a_run_in_another_thread_leaves_ctrl_c_to_the_main_one(go):
    out, before = [], signal.getsignal(signal.SIGINT)
    def work(): out.append(go(cbs=[At(2, lambda learn: out.append(signal.getsignal(signal.SIGINT)))]))
    t = threading.Thread(target=work, daemon=True)
    t.start()
    t.join()
    assert out[0] is before and len(out[1].history) == 6

def test_random_numbers_of_others_are_left_alone(go):
    torch.manual_seed(3)
    np.random.seed(3)
    want = torch.rand(3), np.random.rand(3)
    torch.manual_seed(3)
    np.random.seed(3)
    go(init='noise')
    assert torch.equal(torch.rand(3), want[0]) and np.array_equal(np.random.rand(3), want[1])

# ---- recipes

def test_registry_is_not_changed_by_runs(go):
    before = copy.deepcopy(RECIPES)
    go(recipe='default', schedule=[(1, 'style_weights', {'relu1_1': 9.})], steps=3)
    assert {k: asdict(v) for k, v in RECIPES.items()} == {k: asdict(v) for k, v in before.items()}

def test_recipes_know_their_source_and_their_json():
    for name, r in RECIPES.items():
        assert r.name == name and r.source and named_recipe(name) == r and asdict(from_json(to_json(r))) == asdict(r)

def test_gatys_on_another_encoder(photo, painting):
    r = stylize(photo, painting, recipe='gatys', encoder='random', size=64, steps=2, progress=False).recipe
    assert (r.style_norm, r.content_norm, r.written_for) == ('unit', 'unit', '')
    assert r.style_weight/r.content_weight == RECIPES['gatys'].strength
    assert list(r.style_weights) == [f'relu{i}_1' for i in range(1, 6)]
    assert list(r.content_weights) == ['relu4_2'] and r.optimizer == 'lbfgs' and r.pooling == 'max'

def test_a_recipe_holds_no_folder_and_no_pixels(photo, painting, tmp_path):
    for n, x in (('me.png', photo), ('art.png', painting)): save_picture(x, tmp_path/n)
    r = stylize(tmp_path/'me.png', str(tmp_path/'art.png'), **QUICK | dict(steps=1))
    text = to_json(r.recipe)
    assert str(tmp_path) not in text and len(text) < 4000
    assert (r.recipe.content['name'], r.recipe.styles[0]['name']) == ('me.png', 'art.png')
    digest = hashlib.sha256((tmp_path/'me.png').read_bytes()).hexdigest()
    assert r.recipe.content['sha256'] == digest and r.recipe.content['size'] == [64, 64]
    assert same_picture(r.recipe.content, picture_ref(photo, 'me.png'))
    assert str(tmp_path) not in str(r.state['recipe'])

@pytest.mark.parametrize('text,words', [('', ['not the JSON']), ('{', ['not the JSON']), ('[1]', ["no 'schema'"]),
    ('{"size": 3}', ["no 'schema'"]), ('{"schema": 99}', ['newer', 'upgrade']),
    ('{"schema": "x"}', ['schema']), ('{"schema": 1, "steps": 0}', ['steps is 0']),
    ('{"schema": 1, "style_weights": {"relu9_9": 1}}', ['relu9_9'])])
def test_bad_json(refused, text, words): refused(lambda: from_json(text), *words)

def test_json_with_a_field_we_do_not_know():
    assert from_json('{"schema": 1, "seed": 4, "sparkle": true}') == Recipe(seed=4)

# ---- which weights painted it

OTHER, SCHEMA_1 = '0'*64, '{"schema": 1, "size": 48, "steps": 2, "levels": 1, "seed": 4}'

def test_a_run_notes_its_weights(go, tmp_path):
    r = go(steps=1)
    assert (r.recipe.encoder_digest == encoder('texnet').digest == ENCODERS['texnet'].sha256
        and r.recipe.encoder_inputs == 'auto')
    assert go(steps=1, encoder='random').recipe.encoder_digest == encoder('random').digest
    assert (asdict(from_json(to_json(r.recipe))) == asdict(r.recipe)
        and json.loads(to_json(r.recipe))['schema'] == SCHEMA == 2)
    assert Recipe.load(r.save(tmp_path/'a.png')).encoder_digest == r.recipe.encoder_digest
    assert replace(r.recipe, encoder_digest='') == r.recipe, 'the same choices'
    assert Recipe().encoder_digest == '' and not any(o.encoder_digest for o in RECIPES.values())

def test_shared_encoders_note_their_weights_before_they_lose_bits(go):
    assert (go(steps=1, encoder='random', precision='bf16',
        shared=Shared()).recipe.encoder_digest == encoder('random').digest)

def test_shared_encoders_see_that_a_file_was_written_anew(go, tmp_path):
    def write(seed):
        e = random_weights(Encoder('texnet-small', ENCODERS['texnet-small']), seed)
        return str(save_encoder(e, tmp_path/'own.safetensors', {}))
    shared = Shared()
    how = dict(steps=2, encoder='texnet-small', shared=shared)
    first = go(encoder_weights=write(1), **how)
    again = go(encoder_weights=str(tmp_path/'own.safetensors'), **how)
    assert same(first, again) and len(shared.encoders) == 1
    other = go(encoder_weights=write(2), **how)
    assert other.recipe.encoder_digest != first.recipe.encoder_digest and not same(first, other)

def test_a_recipe_runs_on_the_weights_that_painted_it(go, photo, painting, tmp_path, refused):
    r = go(steps=2)
    again = lambda recipe, **kw: stylize(photo, painting, recipe, progress=False, **kw)
    assert same(again(str(r.save(tmp_path/'a.png'))), r)
    save_picture(photo, tmp_path/'b.png', pnginfo=png_info(replace(r.recipe, encoder_digest=OTHER)))
    (tmp_path/'b.json').write_text(to_json(replace(r.recipe, encoder_digest=OTHER)))
    words = ('other weights of texnet', OTHER[:12], ENCODERS['texnet'].sha256[:12], "say encoder 'texnet'",
        'as encoder weights')
    for f in (tmp_path/'b.png', str(tmp_path/'b.json'), named_recipe(tmp_path/'b.png')):
        refused(lambda: again(f), *words)
        refused(lambda: again(f, shared=Shared()), *words)
        assert same(again(f, encoder='texnet'), r) and same(again(f, encoder='texnet', shared=Shared()), r)
    shared = Shared()
    again(r.recipe, shared=shared)
    refused(lambda: again(tmp_path/'b.png', shared=shared), *words)
    refused(lambda: to_unit(tmp_path/'b.png', photo, painting), *words)
    assert 'other weights' in sweep(photo, painting, dict(seed=[1]), recipe=named_recipe(tmp_path/'b.png'),
        progress=False)[0].error

@pytest.mark.parametrize('field', ['encoder', 'encoder_weights', 'encoder_inputs'])
def test_who_says_an_encoder_has_chosen(field):
    old = Recipe(encoder='vgg16', content_weights='relu2_1', encoder_weights='a.pth', encoder_inputs='caffe',
        encoder_digest=OTHER)
    assert named_recipe(old, size=64).encoder_digest == OTHER
    assert named_recipe(old, **{field: getattr(old, field)}).encoder_digest == ''
    same_name, new = named_recipe(old, encoder='vgg16'), named_recipe(old, encoder='texnet')
    assert (same_name.encoder_weights, same_name.encoder_inputs) == ('a.pth', 'caffe')
    assert (new.encoder_weights, new.encoder_inputs) == (None, 'auto'), 'a file for another encoder'

@pytest.mark.parametrize('now', [OTHER, None], ids=['replaced', 'as it is'])
def test_a_recipe_of_the_first_version(photo, painting, tmp_path, monkeypatch, refused, now):
    "Its texnet was that of 0.1.0: refused where the package has another, unless the encoder is said"
    if now: monkeypatch.setattr(Encoder, 'digest', now)
    here = encoder('texnet').digest
    (tmp_path/'old.json').write_text(SCHEMA_1)
    old = named_recipe(tmp_path/'old.json')
    assert old == Recipe(size=48, steps=2, levels=1, seed=4) and old.encoder_digest == FIRST_TEXNET
    if here != FIRST_TEXNET:
        refused(lambda: stylize(photo, painting, tmp_path/'old.json', progress=False), 'texnet of version 0.1.0',
            FIRST_TEXNET[:12], here[:12], 'no longer in the package', "say encoder 'texnet'")
    r = stylize(photo, painting, tmp_path/'old.json', encoder='texnet', progress=False)
    assert r.recipe.encoder_digest == here and len(r.history) == 2

@pytest.mark.parametrize('more', ['"encoder": "random"', '"encoder": "vgg16"',
    '"encoder": "texnet", "encoder_weights": "own.safetensors"'])
def test_other_recipes_of_the_first_version_say_nothing_of_weights(more):
    assert from_json(SCHEMA_1[:-1] + f', {more}}}').encoder_digest == ''

@pytest.mark.parametrize('digest', ['x', 3, 'A'*64, '0'*63])
def test_bad_digest(refused, digest): refused(lambda: Recipe(encoder_digest=digest), 'encoder_digest is', '64 digits')

def test_a_run_goes_on_with_its_own_encoder(go, refused, tmp_path):
    half = go(cbs=[At(3, lambda learn: learn.stop.now())])
    words = 'encoder is not the one this run began with', 'init=result.image'
    other = half.state | dict(recipe=to_json(replace(half.recipe, encoder_digest=OTHER)))
    refused(lambda: go(resume=other), *words, OTHER[:12], half.recipe.encoder_digest[:12])
    refused(lambda: go(resume=save_state(other, tmp_path/'a.safetensors')), *words)
    refused(lambda: go(resume=other, encoder='texnet'), *words)
    refused(lambda: go(resume=half, encoder='random'), *words, 'texnet', 'random')
    assert len(go(resume=half).history) == 3

def test_colours_of_a_file_are_kept(photo, painting, tmp_path, refused):
    "encoder_inputs reaches the encoder, is noted as found, and counts when the recipe runs again"
    torch.save(random_weights(Encoder('vgg16', ENCODERS['vgg16'])).body.state_dict(), tmp_path/'own.pth')
    few = dict(size=32, steps=1, levels=1, encoder='vgg16', encoder_weights=tmp_path/'own.pth',
        content_weights='relu1_1', style_weights='relu1_1', progress=False, precision='fp32')
    found, caffe = stylize(photo, painting, **few), stylize(photo, painting, **few, encoder_inputs='caffe')
    assert (found.recipe.encoder_inputs == 'torchvision' and caffe.recipe.encoder_inputs == 'caffe'
        and found.image.tobytes() != caffe.image.tobytes())
    assert from_json(to_json(caffe.recipe)).encoder_inputs == 'caffe' and caffe.recipe.encoder_weights == 'own.pth'
    again = stylize(photo, painting, caffe.recipe, encoder_weights=tmp_path/'own.pth', progress=False)
    assert same(again, caffe)
    shared = Shared()
    for inputs, want in (('caffe', caffe), ('auto', found)):
        assert (stylize(photo, painting, **few, encoder_inputs=inputs,
            shared=shared).recipe.encoder_digest == want.recipe.encoder_digest)
    refused(lambda: Recipe(encoder_inputs='bgr'), "Unknown encoder_inputs 'bgr'", 'caffe-rgb')

def test_bad_recipe_file(tmp_path, refused):
    Image.new('RGB', (8, 8)).save(tmp_path/'bare.png')
    Image.new('RGB', (8, 8)).save(tmp_path/'a.jpg')
    (tmp_path/'bad.json').write_text('{')
    (tmp_path/'text.png').write_text('hello')
    (tmp_path/'bytes.json').write_bytes(b'\xff\xfe\x00\x81')
    words = {'bare.png': 'carries no recipe', 'a.jpg': 'carries no recipe', 'text.png': 'carries no recipe',
        'bad.json': 'not the JSON', 'bytes.json': 'recipe', 'none.png': 'There is no file'}
    for f, w in words.items(): refused(lambda: Recipe.load(tmp_path/f), w)
    refused(lambda: Recipe.load(tmp_path), tmp_path.name)

def test_a_bmp_has_no_recipe_but_is_written(go, tmp_path, refused):
    p = go(steps=1).save(tmp_path/'a.bmp')
    assert Image.open(p).size == (48, 48)
    refused(lambda: Recipe.load(p), 'carries no recipe')

# ---- a Result

def test_result_shows_itself(film):
    assert (film._repr_png_()[:4] == b'\x89PNG' and len(film.show().axes) == 3
        and repr(film).startswith('Result: 38x65 px, 6 steps'))
    log, linear = film.plot_losses().axes[0], film.plot_losses(log=False).axes[0]
    assert (log.get_yscale(), linear.get_yscale()) == ('log', 'linear')
    assert {l.get_label() for l in log.lines} >= {'content/relu2_1', 'style/relu1_1', 'style/relu2_1', 'weighted sum'}

@pytest.mark.parametrize('name,words', [('a.docx', ['a.docx', '.png']), ('none/a.png',
    ['does not exist', 'create it first'])])
def test_result_is_not_saved(go, tmp_path, refused, name, words):
    refused(lambda: go(steps=1).save(tmp_path/name), *words)
    assert not list(tmp_path.iterdir())

def test_inputs_are_not_changed(go, photo, painting):
    x, s = photo.clone(), painting.clone()
    go(x, s, optimizer='adam', lr=.2)
    assert torch.equal(x, photo) and torch.equal(s, painting)

def test_progress_bar(go, capfd):
    go(progress=True)
    err = capfd.readouterr().err
    assert '6/6' in err and 'Traceback' not in err
    go(progress=False)
    assert capfd.readouterr().err == ''

# ---- refused before any work

BAD = 'missing', 'nearly', 'folder', 'cut_jpeg', 'cut_end', 'cut_png', 'text', 'empty', 'one_pixel', 'strip'

@pytest.mark.parametrize('kind', BAD)
@pytest.mark.parametrize('role', ['content', 'style', 'second style', 'init'])
def test_bad_picture(go, photo, painting, bad_files, refused, kind, role):
    path, words = bad_files[kind]
    call = dict(content=lambda: go(path), style=lambda: go(style=path), init=lambda: go(init=path))
    refused(call.get(role, lambda: go(style=[painting, path])), *words)

nan = float('nan')

@pytest.mark.parametrize('kw,words', [
    (dict(style=None), ['no style picture', 'style_weight=0']), (dict(style=[]), ['no style picture']),
    (dict(content=None, style=None), ['neither a content nor a style']),
    (dict(content=3), ['This is an int, not a picture']), (dict(style=[None]), ['not a picture']),
    (dict(recipe='gatis'), ["Unknown recipe 'gatis'", 'default, instant', "Did you mean 'gatys'?"]),
    (dict(recipe='none.png'), ['There is no file none.png']), (dict(recipe=3), ['Unknown recipe 3']),
    (dict(recipe=None), ['Unknown recipe None']), (dict(encoder='vgg'), ["Unknown encoder 'vgg'", ', '.join(ENCODERS)]),
    (dict(encoder=None), ['Unknown encoder None']),
    (dict(optimizer='sgd'), ["Unknown optimizer 'sgd'", 'lbfgs, adam']),
    (dict(optimiser='adam'), ["Unknown setting 'optimiser'", "Did you mean 'optimizer'?"]),
    (dict(pooling='mean'), ['max, avg, l2']), (dict(padding='same'), ['zero, reflect']),
    (dict(precision='fp8'), ['auto, fp32, bf16']), (dict(style_norm='mse'), ['unit, chw, hw, gatys']),
    (dict(content_norm='hw'), ['unit, mse, gatys']), (dict(tv_kind='l2'), ['squared, absolute']),
    (dict(init='nois'), ["Unknown init 'nois'", 'content, noise, style', "Did you mean 'noise'?"]),
    (dict(init='none.png'), ['There is no file none.png']), (dict(init='picture'), ['give it again as init']),
    (dict(init=None), ['not a picture']),
    (dict(style_weights={'relu9_1': 1}), ["Unknown layer of encoder 'texnet'", "'relu9_1'", 'relu5_1']),
    (dict(content_weights='relu3'), ["'relu3'", 'relu3_1']),
    (dict(style_weights={'relu1_1': -1}), ["style_weights['relu1_1'] is -1", 'at least 0']),
    (dict(content_weights={'relu1_1': nan}), ["content_weights['relu1_1'] is nan"]),
    (dict(style_weights=3), ['style_weights is an int', 'give a dict']),
    (dict(style_weights={'relu1_1': '1'}), ['style_weights']),
    (dict(style_weights=None), ['style_weights']),
    (dict(content_weight=-1), ['content_weight is -1']), (dict(style_weight=-.1), ['style_weight is -0.1']),
    (dict(tv_weight=nan), ['tv_weight is nan']), (dict(tv_weight='a'), ['tv_weight']),
    (dict(steps=0), ['steps is 0', 'at least 1']), (dict(steps=-5), ['steps is -5']),
    (dict(steps=2.5), ['steps is 2.5', 'whole number']), (dict(steps='ten'), ["'ten'"]),
    (dict(steps=True), ['steps is True']),
    (dict(steps=2, levels=3, size=64), ['steps is 2 for 3 levels']), (dict(size=0), ['size is 0']),
    (dict(size=-8), ['size is -8']), (dict(size=10**6), ['size is 1000000', 'at most 20000']),
    (dict(size=nan), ['size is nan']),
    (dict(size=12, style_weights='relu4_1'), ['size 12', '12x12', 'relu4_1', '16 px', 'raise size']),
    (dict(size=48, levels=9), ['9 levels', 'lower levels']), (dict(levels=0), ['levels is 0']),
    (dict(levels=99), ['levels is 99']),
    (dict(style_blend=[1, 2]), ['2 blend weights for 1 style']), (dict(style_blend=[-1]), ['style_blend is -1']),
    (dict(style_blend=[0]), ['sum more than 0']), (dict(style_blend=2), ['style_blend']),
    (dict(style_blend='a'), ['style_blend']),
    (dict(style_scale=0), ['style_scale is 0']), (dict(style_scale=.02), ['style picture', 'style_scale']),
    (dict(average=1), ['average is 1']), (dict(average=-.1), ['average is -0.1']),
    (dict(lr=0), ['lr is 0']), (dict(lr=-1), ['lr is -1']), (dict(lr=nan), ['lr is nan']),
    (dict(lr_end=0), ['lr_end is 0']),
    (dict(seed=-1), ['seed is -1']), (dict(seed=1.5), ['seed is 1.5']), (dict(seed=None), ['seed']),
    (dict(history=0), ['history is 0']), (dict(snapshots=-1), ['snapshots is -1']),
    (dict(snapshots=[0]), ['snapshots is 0']),
    (dict(snapshots='all'), ['snapshots']), (dict(snapshots=None), ['snapshots']),
    (dict(encoder_weights='none.safetensors'), ['none.safetensors']), (dict(device='gpu'), ["'gpu'"]),
    *[(dict(schedule=s), [w]) for s, w in BAD_SCHEDULES]], ids=str)
def test_refused_before_any_work(go, refused, kw, words):
    spy = Began()
    refused(lambda: go(**kw, cbs=[spy]), *words)
    assert not spy.began

@pytest.mark.parametrize('call,words', [
    (lambda p, e: reconstruct(p, 'relu9_1'), ['relu9_1']),
    (lambda p, e: reconstruct(p, 'relu1_1', kind='both'), ["Unknown kind 'both'", 'content, style']),
    (lambda p, e: reconstruct('none.png'), ['no file none.png']),
    (lambda p, e: picture_learner(p, e, steps=0), ['steps is 0']),
    (lambda p, e: ContentLoss(p, weight=-1), ['content_weight is -1']),
    (lambda p, e: StyleLoss(p, blend=[1, 2]), ['2 blend weights']),
    (lambda p, e: StyleLoss(p, norm='no'), ['unit, chw']), (lambda p, e: StyleLoss([]), ['style']),
    (lambda p, e: TVLoss(-1), ['tv_weight is -1']), (lambda p, e: TVLoss(1, 'cubic'), ['squared, absolute']),
    (lambda p, e: Average(1.), ['average']), (lambda p, e: EncoderPrecision('fp8'), ['fp32, bf16']),
    (lambda p, e: level_steps(2, [1, 2, 3]), ['at least 3 steps']),
    (lambda p, e: Recipe(size='big'), ['size']), (lambda p, e: named_recipe('default', sise=3),
        ["Did you mean 'size'?"])])
def test_refused_by_the_parts(photo, enc, refused, call, words): refused(lambda: call(photo, enc), *words)

# ---- the Learner by hand

def test_parts_work_alone(photo, painting, enc):
    learn = picture_learner(photo, enc, [StyleLoss(painting, 'relu1_1'), History()], steps=3)
    learn.fit(1)
    assert len(learn.history.table) == 3 and learn.feature_hooks.chain is None
    assert learn.features == {} and not any(m._forward_hooks for m in enc.modules())

def test_canvas_stays_contiguous_float32_and_apart_from_the_input(photo, enc):
    x = photo.to(memory_format=torch.channels_last)
    learn = picture_learner(x, enc, [ContentLoss(photo, 'relu1_1'), LBFGSStep()], lbfgs(), lr=1., steps=2)
    learn.model.canvas.data += .1
    learn.fit(1)
    assert learn.model.canvas.is_contiguous() and learn.model.canvas.dtype == torch.float32 and torch.equal(x, photo)

def test_targets_are_made_once_for_each_level_and_layer(photo, painting, enc, monkeypatch):
    made, make = [], ContentLoss.make_targets
    monkeypatch.setattr(ContentLoss, 'make_targets', lambda self, layers: (made.append(list(layers)), make(self,
        layers))[1])
    stylize(photo, painting, **QUICK | dict(size=64, levels=2, schedule=[(1, 'content_weights', {'relu1_1': 1.})]))
    assert (made == [['relu2_1'], ['relu1_1'], ['relu1_1', 'relu2_1']]
        or made == [['relu2_1'], ['relu1_1'], ['relu2_1', 'relu1_1']])

def test_one_evaluation_a_step(go):
    for optimizer in ('lbfgs', 'adam'): assert go(optimizer=optimizer).history.evals.tolist() == [1]*6

def test_step_size_falls_along_a_cosine(go):
    seen = []
    class Peek(Callback):
        def after_step(self): seen.append(self.opt.hypers[-1]['lr'])
    go(optimizer='adam', lr=.1, lr_end=.01, steps=5, cbs=[Peek()])
    assert seen == pytest.approx([.1*(.01 + .99*(1 + np.cos(np.pi*i/4))/2) for i in range(5)])

def test_adam_stays_in_range(go):
    c = go(optimizer='adam', lr=.5, init='noise').state['canvas']
    assert c.min() >= 0 and c.max() <= 1

def test_moments_of_adam_grow_with_the_canvas(go):
    moments = []
    class Keep(Callback):
        def keep(self): moments.append({k: v.clone() for k, v in self.opt.opt.state[self.model.canvas].items()})
        def before_step(self):
            if self.epoch == 1:
                self.keep()
                self.learn.stop.now()
        def after_step(self):
            if self.epoch == 0: self.keep()
    go(size=64, levels=2, optimizer='adam', cbs=[Keep()])
    old, new = moments[-2:]
    for k in ('exp_avg', 'exp_avg_sq'):
        want = torch.nn.functional.interpolate(old[k], (64, 64), mode='bilinear', align_corners=False)
        assert torch.allclose(new[k], want, rtol=1e-4) and want.abs().max() > 0
    assert new['step'] == old['step'] == len(moments) - 1 and new['exp_avg_sq'].min() >= 0

def test_average_is_the_mean_of_iterates(go):
    seen = []
    class Keep(Callback):
        order = 24
        def after_step(self): seen.append(self.model.canvas.detach().double())
    r = go(optimizer='adam', average=.5, lr=.1, steps=4, cbs=[Keep()])
    want = sum(x*.5**(4-i) for i, x in enumerate(seen))/sum(.5**(4-i) for i in range(4))
    assert r.image.tobytes() == to_pil(want).tobytes()

# ---- L-BFGS of our own

def two_loops(S, Y, g, guess):
    "Nocedal and Wright, algorithm 7.4, in float64"
    q, alphas = g.double().clone(), []
    for s, y in zip(reversed(S), reversed(Y)):
        s, y = s.double(), y.double()
        alphas.append((s @ q)/(s @ y))
        q -= alphas[-1]*y
    r = guess(q)
    for s, y, a in zip(S, Y, reversed(alphas)):
        s, y = s.double(), y.double()
        r += s*(a - (y @ r)/(s @ y))
    return -r

@given(st.integers(1, 12), st.integers(1, 5), st.sampled_from([1., 3.]), st.sampled_from([1., 1.8]), st.integers(0, 99))
def test_lbfgs_steps_are_the_textbooks(steps, history, chroma, eager, seed):
    """Every step down a bowl, against two loops over vectors in float64; where the bowl is hollow, the step is
    not remembered"""
    gen = torch.Generator().manual_seed(seed)
    n, a = 45, torch.randn(45, 45, generator=gen)
    hessian, x, slope = (a @ a.T/n + .1*torch.eye(n), torch.randn(1, 3, 3, 5, generator=gen).requires_grad_(),
        torch.randn(n, generator=gen))
    opt = LBFGS([x], history=history, chroma=chroma, eager=eager)
    opt.radius = lambda state, longest, lr: 1e9
    root = lambda v, p: (v.view(3, -1).mean(0) + chroma**p*(v.view(3, -1) - v.view(3, -1).mean(0))).reshape(-1)
    S, Y, last = [], [], None
    for i in range(steps):
        before, hollow = x.detach().flatten().clone(), i == 2
        x.grad = ((-1 if hollow else 1)*(hessian @ before + slope)).view_as(x)
        g = x.grad.flatten().clone()
        if last is not None:
            s, y = before.double() - last[0].double(), g.double() - last[1].double()
            if float(s @ y) > 0:
                S.append(s)
                Y.append(y)
        opt.step()
        if S:
            s, y = S[-1], Y[-1]
            gamma = eager*float(s @ y)/float(y @ root(y, 1))
            want = two_loops(S[-history:], Y[-history:], g, lambda q: gamma*root(q, 1))
            got = (x.detach().flatten() - before).double()
            assert float((got - want).norm()/want.norm()) < 1e-2
        assert len(opt.state[x]['rows']) == min(len(S), history)
        last = before, g

def test_lbfgs_finds_the_minimum_of_a_bowl():
    x, target, slope = torch.zeros(1, 3, 4, 4, requires_grad=True), torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4)*9 + 1
    opt = LBFGS([x], longest=10.)
    for _ in range(60):
        x.grad = (slope*(x - target)).detach()
        opt.step()
    assert (x - target).abs().max() < 1e-3

def test_lbfgs_steps_are_bounded():
    "The first is .01, none is longer than .05, root mean square, times lr; colour counts less"
    x = torch.rand(1, 3, 8, 8, requires_grad=True)
    opt, sizes = LBFGS([x], lr=.5), []
    for i in range(6):
        before, x.grad = x.detach().clone(), (1e-6*(x + i)).detach()
        opt.step()
        d, mean = x.detach() - before, (x.detach() - before).mean(1, keepdim=True)
        sizes.append(float((mean.square() + (d - mean).square()/2.5).mean().sqrt()))
    assert sizes[0] == pytest.approx(.005, rel=1e-3) and max(sizes) < .025*1.001

@pytest.mark.parametrize('lr', [.5, 1., 4.])
def test_lbfgs_after_a_step_too_far(lr):
    "Back at most to where the slope would vanish, 1.5/2.5 of the step, whatever the step size; later limits grow again"
    x = torch.zeros(1, 3, 8, 8, requires_grad=True)
    opt, sizes, radii = LBFGS([x], chroma=1., first=.04, lr=lr), [], []
    for slope in (-1., 1.5, -.1, -.09, -.08, -.07):
        before, x.grad = x.detach().clone(), torch.full_like(x, slope)
        opt.step()
        sizes.append((x.detach() - before).square().mean().sqrt().item())
        radii.append(opt.state[x]['radius'])
    assert sizes[0] == pytest.approx(.04*lr, rel=1e-3) and sizes[1] <= .6*sizes[0]*1.001
    assert radii == pytest.approx([.05, .024, .036, .05, .05, .05], rel=1e-3)

def test_lbfgs_comes_back_from_a_leap():
    "A flat content seen by a network: the first step leaves it for a loss a thousand million times as large"
    flat = Image.new('RGB', (48, 48), (90, 120, 30))
    r = stylize(flat, sample('ink'), init='content', size=48, steps=12, levels=1, progress=False)
    assert r.history.loss.iloc[-1] < 2*r.history.loss.iloc[0]

def test_lbfgs_does_not_swing_in_a_narrow_valley():
    gen = torch.Generator().manual_seed(1)
    x = (.1*torch.randn(1, 3, 8, 8, generator=gen)).requires_grad_()
    narrow = 10**(1 + 2*torch.rand(1, 3, 8, 8, generator=gen))
    opt, losses = LBFGS([x], chroma=1.), []
    for _ in range(60):
        loss = ((1 + (narrow*x)**2).sqrt() - 1).mean()
        x.grad, = torch.autograd.grad(loss, x)
        losses.append(loss.item())
        opt.step()
    assert max(losses[-20:]) < .1*losses[0]

# ---- the last steps with another encoder

def test_the_last_steps_are_another_encoders(photo, painting):
    how = dict(encoder='texnet', size=48, levels=1, progress=False, seed=0)
    plain = stylize(photo, painting, steps=6, **how)
    r = stylize(photo, painting, steps=9, finish='random', finish_steps=3, **how)
    assert r.history.level.tolist() == [0]*6 + [1]*3 and len(r.history) == 9 and r.recipe.finish == 'random'
    assert r.history.loss[:6].tolist() == plain.history.loss.tolist()
    own = stylize(photo, painting, encoder='random', init=plain.image, steps=1, size=48, levels=1, progress=False)
    assert r.history.loss[6] == pytest.approx(own.history.loss[0], rel=.05)  # the same objective; its start is clipped

def test_a_run_with_two_encoders_goes_on_exactly(photo, painting):
    how = dict(encoder='texnet', size=48, levels=1, progress=False, finish='random', finish_steps=6, steps=10)
    whole = stylize(photo, painting, **how)
    average = stylize(photo, painting, average=.9, **how)
    for n in (2, 4, 7):
        for more, want in (({}, whole), (dict(average=.9), average)):
            part = stylize(photo, painting, cbs=[stop_at(n)], **how, **more)
            rest = stylize(photo, painting, resume=part.state, **how, **more)
            assert (torch.equal(rest.state['canvas'], want.state['canvas'])
                and rest.image.tobytes() == want.image.tobytes()), (n, more)

FINISHED = dict(encoder='texnet', size=48, levels=1, progress=False, finish='random', finish_steps=2, steps=4)

def test_the_weights_of_the_last_steps_are_noted_and_asked_for(photo, painting, tmp_path, refused):
    r = stylize(photo, painting, **FINISHED)
    assert (r.recipe.encoder_digest, r.recipe.finish_digest) == (encoder('texnet').digest, encoder('random').digest)
    assert stylize(photo, painting, **FINISHED | dict(finish=None)).recipe.finish_digest == ''
    assert Recipe.load(r.save(tmp_path/'a.png')).finish_digest == r.recipe.finish_digest
    assert (stylize(photo, painting, **FINISHED, precision='bf16',
        shared=Shared()).recipe.finish_digest == r.recipe.finish_digest)
    again = lambda recipe, **kw: stylize(photo, painting, recipe, progress=False, **kw)
    assert same(again(tmp_path/'a.png'), r)
    save_picture(photo, tmp_path/'b.png', pnginfo=png_info(replace(r.recipe, finish_digest=OTHER)))
    for shared in (None, Shared()):
        refused(lambda: again(tmp_path/'b.png', shared=shared), 'other weights of random', OTHER[:12],
            encoder('random').digest[:12], "say finish 'random'", 'as finish weights')
        refused(lambda: again(tmp_path/'b.png', encoder='texnet', shared=shared), 'other weights of random')
        assert same(again(tmp_path/'b.png', finish='random', shared=shared), r)
    refused(lambda: Recipe(finish_digest='x'), 'finish_digest is', '64 digits')

def test_who_says_what_finishes_has_chosen():
    old = Recipe(finish='vgg16', finish_weights='a.pth', finish_digest=OTHER)
    assert named_recipe(old, size=64, encoder='texnet').finish_digest == OTHER
    same_name, new = named_recipe(old, finish='vgg16'), named_recipe(old, finish='random')
    assert ((same_name.finish_weights, same_name.finish_digest, new.finish_weights, new.finish_digest) == ('a.pth', '',
        None, ''))
    assert named_recipe(old, finish_weights='a.pth').finish_digest == ''

def test_a_run_goes_on_with_what_finishes_it(photo, painting, refused):
    half = stylize(photo, painting, cbs=[stop_at(1)], **FINISHED)
    words = 'encoder of the last steps is not the one this run began with', 'init=result.image'
    other = half.state | dict(recipe=to_json(replace(half.recipe, finish_digest=OTHER)))
    refused(lambda: stylize(photo, painting, resume=other, progress=False), *words, OTHER[:12],
        half.recipe.finish_digest[:12])
    refused(lambda: stylize(photo, painting, resume=half, progress=False, finish='texnet'), *words, 'random', 'texnet')
    assert len(stylize(photo, painting, resume=half, progress=False).history) == 3

def test_no_callback_hides_what_the_learner_has(photo, painting, recwarn):
    "fastai warns a reader when an attribute of a callback has the name of one of the Learner's"
    every = dict(finish='random', finish_steps=1, balance=True, average=.9, snapshots=1, noise_share=.1,
        change_mask=torch.ones(1, 1, 8, 8)/2)
    stylize(photo, painting, init=photo, keep=1., size=48, steps=4, encoder='random', progress=False, **every)
    assert not [str(o.message) for o in recwarn if 'shadowing' in str(o.message)]

def test_what_finishes_is_checked(photo, painting, refused):
    refused(lambda: stylize(photo, painting, finish='vgg', progress=False), 'Unknown finish', 'vgg16')
    refused(lambda: stylize(photo, painting, finish='random', steps=20, progress=False), 'finish_steps is 20 of 20')
    refused(lambda: stylize(photo, painting, finish='random', optimizer='adam', progress=False), 'finish',
        "optimizer='lbfgs'")

def test_two_encoders_speak_in_units_both_understand(photo, painting):
    r = stylize(photo, painting, 'fastai-16a', encoder='random', finish='texnet', optimizer='lbfgs', size=64, steps=3,
        finish_steps=1, progress=False)
    assert (r.recipe.style_norm, r.recipe.content_norm, r.recipe.written_for) == ('unit', 'unit', '')


# ---- the photo's own size

def test_the_size_of_the_photo(photo, painting, refused):
    wide = resize(photo, (50, 90))
    few = dict(steps=2, levels=1, progress=False)
    for size in None, 'own':
        r = stylize(wide, painting, size=size, **few)
        assert r.image.size == (90, 50) and r.recipe.size == 90
        assert r.image.tobytes() == stylize(wide, painting, size=90, **few).image.tobytes()
    assert stylize(None, wide, size='own', content_weights={}, **few).image.size == (90, 50)
    own = Recipe(size='own')
    assert from_json(to_json(own)) == own and stylize(wide, painting, own, **few).image.size == (90, 50)
    refused(lambda: stylize(wide, painting, size='large', **few), "size is 'large'", "'own'")

def test_own_size_that_is_too_large(photo, painting, refused, monkeypatch):
    import style_nb.planning as planning
    monkeypatch.setattr('style_nb.memory.memory_of', lambda device: 1e9)
    monkeypatch.setattr(planning, 'first_canvas', lambda plan: 1/0)
    large = photo.expand(-1, -1, -1, -1).repeat(1, 1, 20, 30)
    how = dict(size='own', progress=False)
    refused(lambda: stylize(large, painting, **how), '1920x1280 px', 'at most', 'GB')
    monkeypatch.setattr('style_nb.memory.memory_of', lambda device: 2.1e9)
    refused(lambda: stylize(large, painting, **how), "Give encoder='texnet-small' (", ', or a size of at most')
    refused(lambda: stylize(large, painting, optimizer='lbfgs', **how), "optimizer='adam' (")

def test_own_size_elsewhere(photo, painting):
    from style_nb.reversion import revert
    from style_nb.session import Session
    wide = resize(photo, (66, 90))
    assert revert(wide, painting, size='own', steps=2, progress=False).image.size == (90, 66)
    s = Session(wide, painting, size='own', steps=2)
    assert s.recipe.size == 90
    s.set(size=48)
    s.set(size=None)
    assert s.recipe.size == 90


def test_a_reconstruction_has_its_layers_from_one_place(photo, refused):
    few = dict(size=48, steps=2, progress=False)
    refused(lambda: reconstruct(photo, content_weights={'relu1_1': 1.}, **few),
        'content_weights is given', 'layer says which')
    assert reconstruct(photo, 'relu1_1', 'style', style_weight=3., **few).recipe.style_weight == 3.
