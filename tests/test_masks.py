"Masks: what can be one, what they weigh, and that a style stays where its mask is"
import numpy as np, pytest, torch
from hypothesis import given, settings, strategies as st
from PIL import Image
from style_nb.encoders import encoder
from style_nb.losses import gram
from style_nb.masks import *
from style_nb.pictures import load_picture

def rand(*shape, seed=0): return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
def halves(h, w): return (torch.arange(w) < w//2).float().expand(1, 1, h, w).contiguous()

sides, seeds = st.integers(8, 24), st.integers(0, 999)

@given(sides, sides, seeds)
def test_a_mask_is_the_same_from_everywhere(h, w, seed):
    a = (rand(h, w, seed=seed)*255).round().to(torch.uint8)
    m = load_mask(a)
    assert m.shape == (1, 1, h, w) and torch.equal(m, a[None, None].float()/255)
    for o in (a.numpy(), Image.fromarray(a.numpy()), m, m[0], m[0, 0], a.numpy()/255):
        assert torch.equal(load_mask(o), m)
    assert torch.equal(mask_of(mask_ref(m)), m)

@given(sides, sides, st.integers(1, 4), seeds)
def test_a_masked_gram_is_the_mean_over_the_mask(h, w, c, seed):
    f, m = rand(1, c, h, w, seed=seed).double() - .5, rand(1, 1, h, w, seed=seed + 1).double()
    flat, v = f[0].flatten(1).numpy(), m.flatten().numpy()
    want = np.einsum('ip,p,jp->ij', flat, v, flat)/v.sum()
    assert np.allclose(gram(weigh(f, m))[0].numpy(), want, atol=1e-12)
    assert np.allclose(gram(weigh(f, m*.3))[0].numpy(), want, atol=1e-12)  # the share, not the height, divides

@given(sides, sides, seeds)
def test_ones_change_nothing(h, w, seed):
    f, ones = rand(1, 3, h, w, seed=seed) - .5, torch.ones(1, 1, h, w)
    assert torch.equal(weigh(f, ones), f) and pick_places(f, ones) is f
    assert torch.equal(feather(ones, .1), ones)
    for hw in ((h//2, w//2), (h, w), (2*h, 2*w), (3, 5)):
        for reach in (0, 3): assert torch.equal(layer_mask(ones, hw, reach), torch.ones(1, 1, *hw))

@given(seeds)
def test_places_are_those_of_the_mask(seed):
    f, m = rand(1, 3, 16, 16, seed=seed), (rand(1, 1, 16, 16, seed=seed + 1) > .6).float()
    if m.sum(): assert torch.equal(pick_places(f, m).flatten(2), f.flatten(2)[..., m.flatten() == 1])

@given(seeds, st.integers(1, 9))
def test_small_masks_keep_their_share(seed, k):
    m = rand(1, 1, 8*k, 16*k, seed=seed)
    assert abs(layer_mask(m, (8, 16)).mean() - m.mean()) < 1e-5
    assert (layer_mask(m, (8, 16), 2) <= layer_mask(m, (8, 16)) + 1e-6).all()

def test_the_field_of_a_layer_is_what_moves_it():
    enc = encoder('random', padding='zero')
    x = rand(1, 3, 96, 96).requires_grad_()
    for l in ('relu1_1', 'relu2_1', 'relu3_1', 'relu4_1'):
        f = enc(x, l)[l]
        g, = torch.autograd.grad(f[..., f.shape[-2]//2, f.shape[-1]//2].square().sum(), x)
        seen = (g.abs().sum((0, 1)) > 0).nonzero()
        assert (seen.max(0)[0] - seen.min(0)[0] + 1 <= receptive_field(enc, l)).all(), l
        assert (seen.max(0)[0] - seen.min(0)[0] + 1 > receptive_field(enc, l) - 5).all(), l

def test_a_map_survives_jpeg_and_blurred_edges(tmp_path):
    y, x = np.mgrid[:96, :128]
    # purple is between red and blue
    a = np.zeros((96, 128, 3), np.uint8)
    a[:] = 250, 20, 20
    a[:, 60:] = 20, 20, 250
    a[70:] = 150, 20, 150
    big = Image.fromarray(a).resize((200, 150), Image.BICUBIC)
    big.save(tmp_path/'map.jpg', quality=85)
    got = colour_masks(tmp_path/'map.jpg')
    assert len(got) == 3 and torch.equal(sum(got.values()), torch.ones(1, 1, 150, 200))
    named = colour_masks(tmp_path/'map.jpg', {'left': (250, 20, 20), 'right': 'blue', 'floor': '#961496'})
    assert named['floor'][..., :100, :].mean() < .02 and abs(named['left'].mean() - 60/128*70/96) < .01

@pytest.mark.parametrize('n', [1, 2, 5])
def test_regions_cover_the_picture_once(photo, n):
    got = segment(photo, n)
    assert 1 <= len(got) <= n and torch.equal(sum(got), torch.ones(1, 1, 64, 64))

def test_two_flat_halves_are_found():
    x = torch.zeros(1, 3, 64, 96)
    x[..., :48] = torch.tensor([.9, .3, .1]).view(1, 3, 1, 1)
    x[..., 48:] = torch.tensor([.1, .3, .9]).view(1, 3, 1, 1)
    a, b = segment(x, 2, place=0)
    assert min((a - halves(64, 96)).abs().mean(), (b - halves(64, 96)).abs().mean()) < .04

def test_bad_masks_are_refused(refused, photo):
    refused(lambda: load_mask(np.full((9, 9), 2.)), '0 to 1')
    refused(lambda: load_mask('missing.png'), 'missing.png')
    refused(lambda: feather(np.ones((9, 9)), -1), 'radius is -1')
    refused(lambda: segment(photo, 2.5), 'n is 2.5')
    refused(lambda: mask_of(dict(name='sky', sha256='', size=[1, 1])), "'sky' was too large", 'give it again')

# ---- runs

import json
from dataclasses import asdict
from fastai.callback.core import Callback
from style_nb.learner import ContentLoss, StyleLoss, picture_learner
from style_nb.recipe import Recipe, from_json, to_json
from style_nb.transfer import Shared, stylize
from style_nb.zoo import STYLE_KINDS

QUICK = dict(size=48, steps=6, levels=1, content_weights='relu2_1', style_weights=['relu1_1', 'relu2_1'],
    precision='fp32', progress=False)
def go(content, style, **kw): return stylize(content, style, **(QUICK | kw))
def same(a, b): return a.image.tobytes() == b.image.tobytes() and torch.equal(a.state['canvas'], b.state['canvas'])

def test_each_half_gets_its_style(photo, painting, painting2):
    left, styles = halves(96, 96), [painting, painting2]
    layers = ['relu1_1', 'relu2_1', 'relu3_1']
    r = stylize(load_picture(photo, 96), styles, masks=[left, 1 - left], size=96, levels=2, steps=40,
        style_weights=layers, style_scale=1., precision='fp32', progress=False)
    enc = encoder('texnet', padding='reflect')
    f, targets = enc(load_picture(r.image), layers), [{l: gram(o) for l, o in enc(s, layers).items()} for s in styles]
    for mine, m in enumerate((left, 1 - left)):
        far = [sum(float((gram(weigh(f[l], layer_mask(m, f[l].shape[-2:]))) - t[l]).square().sum()/t[l].square().sum())
            for l in layers) for t in targets]
        assert far[1 - mine] > 3*far[mine], far

@pytest.mark.parametrize('kw', [dict(), dict(precision='bf16', levels=2), dict(optimizer='adam', init='noise'),
    dict(style_kind='moments'), dict(style_kind='wasserstein'), dict(style_blend=[1, 3])], ids=str)
def test_masks_of_ones_are_no_masks(photo, painting, painting2, kw):
    ones, styles = torch.ones(1, 1, 32, 32), [painting, painting2]
    bare = go(photo, styles, **kw)
    assert same(go(photo, styles, masks=[ones, ones], style_masks=[torch.ones(1, 1, 24, 32), None], content_mask=ones,
        change_mask=ones, **kw), bare)
    assert not same(go(photo, styles, masks=[ones, halves(32, 32)], **kw), bare)

def test_without_short_cuts_ones_are_no_masks_too(photo, painting):
    "The weighed maps themselves, not only the choice of the way without masks"
    def grads(tamper):
        style, content = (StyleLoss(painting, ['relu1_1', 'relu2_1'], masks=torch.ones(9, 9)),
            ContentLoss(photo, 'relu2_1', mask=torch.ones(9, 9)))
        if tamper: style.regions, style.masked, style.shares = [(torch.ones(1, 1, 9, 9), [0])], True, [1.]
        content.mask = torch.ones(1, 1, 9, 9) if tamper else None
        learn = picture_learner(torch.full((1, 3, 64, 64), .4), encoder('texnet'), [content, style], steps=3)
        learn.fit(1)
        return learn.model.canvas
    assert torch.equal(grads(True), grads(False))

@pytest.mark.parametrize('kind', [k for k in STYLE_KINDS if k != 'patch'])
def test_every_kind_takes_masks(photo, painting, painting2, kind):
    left = halves(64, 64)
    r = go(photo, [painting, painting2], masks=[left, 1 - left], style_masks=[halves(48, 64), None], style_kind=kind)
    assert r.history.loss.iloc[-1] < r.history.loss.iloc[0] and np.isfinite(r.history.loss).all()
    assert not same(r, go(photo, [painting, painting2], masks=[1 - left, left], style_masks=[halves(48, 64), None],
        style_kind=kind))

class Keep(Callback):
    def before_step(self): self.learn.grad = self.model.canvas.grad.clone()

def test_half_grey_pulls_half_as_hard(photo, painting):
    def gradient(mask):
        learn = picture_learner(photo, encoder('texnet'), [StyleLoss(painting, ['relu1_1', 'relu2_1'], masks=mask),
            Keep()], steps=1)
        learn.fit(1)
        return learn.grad
    grey = load_mask(torch.full((8, 8), .5))
    assert torch.allclose(gradient([grey]), gradient(None)*float(grey.mean()), rtol=1e-3, atol=1e-9)

def test_a_style_mask_is_a_style_cut_out(photo, painting, painting2):
    "Exactly so for the layer that sees no neighbours but the border's; nearly for the next"
    both, left = torch.cat([painting, painting2], -1), halves(48, 128)
    learn = (lambda s, **kw: picture_learner(photo, encoder('texnet'), StyleLoss(s, ['relu1_1', 'relu2_1'], **kw),
        steps=1))
    def targets(s, scale, **kw):
        l = learn(s, scale=scale, **kw)
        l.fit(1)
        return {k: t[0] for k, t in l.style_loss.targets.items()}
    cut, masked, whole = targets(painting, 1.), targets(both, 2., style_masks=[left]), targets(both, 2.)
    for l in ('relu1_1', 'relu2_1'):
        assert ((masked[l] - cut[l]).norm() < .1*cut[l].norm()
            and (masked[l] - cut[l]).norm() < .5*(whole[l] - cut[l]).norm()), l

def test_shared_targets_know_their_masks(photo, painting, painting2):
    shared, left, styles = Shared(), halves(64, 64), [painting, painting2]
    for kw in (dict(), dict(masks=[left, 1 - left]), dict(style_masks=[halves(48, 64), None]),
            dict(masks=[1 - left, left]), dict(style_mix='barycentre'), dict(style_scale=[1., .5]), dict()):
        assert same(go(photo, styles, shared=shared, **kw), go(photo, styles, **kw)), kw

def test_content_counts_only_where_it_is_told(photo, painting):
    left, off = halves(64, 64), lambda r, m: float(((load_picture(r.image, 64) - photo).square()*m).sum()/m.sum())
    r = go(photo, painting, size=64, content_mask=left, steps=30, init='noise', style_weight=1.)
    assert off(r, left) < .6*off(r, 1 - left)

@pytest.mark.parametrize('kw', [dict(), dict(optimizer='adam', average=.8), dict(levels=2), dict(line_search=True)],
    ids=str)
def test_nothing_changes_outside(photo, painting, kw):
    left = halves(64, 64)
    r = go(photo, painting, size=64, change_mask=left, **kw)
    a, b = np.asarray(r.image), (photo[0].permute(1, 2, 0).numpy()*255).round()
    assert (a[:, 32:] == b[:, 32:]).all() and abs(a[:, :32] - b[:, :32]).mean() > 3

def test_a_masked_run_goes_on_where_it_was_stopped(photo, painting, tmp_path):
    from test_run import stop_at
    kw = dict(size=64, levels=2, change_mask=feather(halves(64, 64), .1), masks=halves(64, 64))
    whole, half = go(photo, painting, **kw), go(photo, painting, cbs=[stop_at(4)], **kw)
    assert (half.stopped and same(stylize(photo, painting, resume=half.save_state(tmp_path/'a.safetensors'),
        progress=False), whole))

def test_a_saved_picture_brings_its_masks(photo, painting, painting2, tmp_path):
    left, styles = halves(64, 64), [painting, painting2]
    r = go(photo, styles, masks={'sky': feather(left), 'sea': 1 - left}, style_masks=[None, halves(48, 64)],
        content_mask=1 - left)
    again = stylize(photo, styles, recipe=r.save(tmp_path/'a.png'), progress=False)
    assert same(again, r) and asdict(again.recipe) == asdict(r.recipe)
    assert [m['name'] for m in r.recipe.masks] == ['sky', 'sea'] and r.recipe.style_masks[0] is None
    assert asdict(from_json(to_json(r.recipe))) == asdict(r.recipe) and len(repr(r.recipe)) < 2500
    assert not same(stylize(photo, styles, recipe=tmp_path/'a.png', masks=[], style_masks=[], progress=False), r)

def test_large_masks_are_asked_for_again(refused, photo, painting, tmp_path):
    big = load_mask(rand(400, 400))
    r = go(photo, painting, masks=big)
    assert 'png' not in r.recipe.masks[0] and r.recipe.masks[0]['size'] == [400, 400]
    r.save(tmp_path/'a.png')
    refused(lambda: stylize(photo, painting, recipe=tmp_path/'a.png', progress=False), 'too large', 'give it again')
    assert same(stylize(photo, painting, recipe=tmp_path/'a.png', masks=big, progress=False), r)

def test_masks_on_the_command_line(photo, painting, painting2, tmp_path, monkeypatch, capsys):
    from style_nb.cli import main
    from style_nb.pictures import save_picture
    monkeypatch.chdir(tmp_path)
    for n, x in dict(photo=photo, a=painting, b=painting2, left=halves(64, 64).expand(1, 3, -1, -1),
            right=1 - halves(64, 64).expand(1, 3, -1, -1)).items():
        save_picture(x, f'{n}.png')
    words = ('stylize photo.png a.png b.png -o out.png --size 48 --steps 3 '
        '--mask left.png --mask right.png --content-mask left.png')
    assert main(words.split()) == 0
    r = Recipe.load('out.png')
    assert [m['name'] for m in r.masks] == ['left.png', 'right.png'] and r.content_mask['name'] == 'left.png'
    assert main((words + ' --mask left.png').split()) == 1 and '3 masks for 2' in capsys.readouterr().err

def test_what_masks_cannot_do_is_refused(refused, photo, painting, painting2):
    left = halves(64, 64)
    refused(lambda: go(photo, [painting, painting2], masks=left), '1 mask for 2 styles', 'one for each style')
    refused(lambda: go(photo, painting, masks=left*0), 'masks', 'black everywhere')
    refused(lambda: go(photo, painting, masks=halves(64, 96)), '96x64', 'same aspect')
    refused(lambda: go(photo, painting, style_masks=halves(64, 64)), 'style_masks', 'same aspect')
    refused(lambda: go(photo, painting, masks=left, style_kind='patch'), "'patch'", 'neighbours')
    refused(lambda: go(photo, painting, content_mask=left, content_kind='self-similarity'), "'self-similarity'",
        'leave one of them out')
    refused(lambda: go(None, painting, change_mask=left, content_weights={}), 'change_mask', 'no content picture')
    refused(lambda: Recipe(masks=[left]), 'masks of a recipe', 'mask_ref')
    refused(lambda: go(photo, [painting, painting2], style_mix='barycentre', style_kind='w2'), 'barycentre', "'w2'")
    refused(lambda: go(photo, [painting, painting2], style_scale=[1.]), '1 style scale for 2 styles')

def test_masks_in_sweeps_and_enlargements(photo, painting, painting2, tmp_path):
    from style_nb.enlarging import enlarge
    from style_nb.sweeping import sweep
    left, styles = halves(64, 64)[0, 0], [painting, painting2]
    s = sweep(photo, [styles], [dict(masks=[left, 1 - left]), dict(masks=[1 - left, left]), dict(masks=None)], tmp_path,
        **QUICK)
    assert not any(s.table.error) and len({o.key for o in s}) == 3 and len({o.image.tobytes() for o in s}) == 3
    assert s[0].image.tobytes() == go(photo, styles, masks=[left, 1 - left]).image.tobytes()
    small = go(photo, styles, masks=[left, 1 - left])
    big = enlarge(small, photo, styles, 64, steps=3, progress=False)
    assert ([m['sha256'] for m in big.recipe.masks] == [m['sha256'] for m in small.recipe.masks]
        and big.image.size == (64, 64))

# ---- strokes

points = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5)
def far(pts, h, w):
    "Distance of each pixel's centre from a broken line, over the longer side, in float64"
    y, x = (np.mgrid[:h, :w] + .5)/max(h, w)
    p = np.array(pts)*[w, h]/max(h, w)
    legs = []
    for a, b in zip(p, p[1:] if len(p) > 1 else p):
        t = np.clip(((x - a[0])*(b - a)[0] + (y - a[1])*(b - a)[1])/max(((b - a)**2).sum(), 1e-12), 0, 1)
        legs.append(np.hypot(x - a[0] - t*(b - a)[0], y - a[1] - t*(b - a)[1]))
    return np.min(legs, 0)

@given(points, st.floats(.02, .2), st.integers(24, 48), st.integers(24, 48))
@settings(max_examples=40)
def test_a_stroke_covers_what_lies_within_its_radius(pts, radius, h, w):
    m, d = mask_from_strokes([dict(points=pts, radius=radius)], (h, w), soft=0)[0, 0].numpy(), far(pts, h, w)
    slack = 1.5/max(h, w)  # half a pixel's diagonal, and what the brush rounds
    assert (m[d < radius - slack] == 1).all() and (m[d > radius + slack] == 0).all()
    assert (mask_from_strokes([dict(points=pts, radius=radius),
        dict(points=pts, radius=radius + 1/max(h, w), erase=True)], (h, w), soft=0).max() == 0)

@given(st.lists(points, min_size=1, max_size=3), seeds)
@settings(max_examples=20)
def test_strokes_are_drawn_alike_by_json_and_at_any_size(drawn, seed):
    strokes = as_strokes([dict(points=p, radius=.05, erase=bool(i % 2)) for i, p in enumerate(drawn)])
    m = mask_from_strokes(strokes, (48, 64))
    assert torch.equal(mask_from_strokes(json.loads(json.dumps(strokes)), (48, 64)), m)
    assert (layer_mask(mask_from_strokes(strokes, (192, 256)), (48, 64)) - m).abs().mean() < .02

def test_an_outline_is_filled():
    y, x = (np.mgrid[:60, :90] + .5)/[[[60]], [[90]]]
    m = mask_from_strokes([dict(points=[(.2, .1), (.9, .5), (.2, .9)], radius=0, fill=True)], (60, 90), soft=0)[0,
        0].numpy()
    inside = (x > .2) & (np.abs(y - .5) < .4*(.9 - x)/.7)
    assert abs(m - inside).mean() < .02 and (m == 1).mean() > .25
    assert torch.equal(mask_from_strokes([dict(points=[(.5, .5), (.6, .5)], fill=True)]),
        mask_from_strokes([[(.5, .5), (.6, .5)]]))

@given(st.lists(st.lists(points, max_size=2), min_size=1, max_size=4))
@settings(max_examples=20)
def test_regions_without_a_stroke_take_the_rest(drawn):
    regions = {f'r{i}': o for i, o in enumerate(drawn)}
    got = masks_from_strokes(regions, (24, 32), soft=0)
    assert list(got) == list(regions)
    if any(not s for s in drawn):
        assert (sum(m for n, m in got.items() if regions[n]) + next(m for n, m in got.items() if not regions[n]) >= 1 -
            1e-6).all()
    assert all(torch.equal(got[n], mask_from_strokes(s, (24, 32), soft=0)) for n, s in regions.items() if s)

def test_drawing_on_a_mask():
    left = halves(24, 32)
    assert torch.equal(mask_from_strokes([], (24, 32), soft=0, on=left), left)
    m = masks_from_strokes({'a': [], 'b': []}, (24, 32), soft=0, on={'a': left})
    assert torch.equal(m['a'], left) and torch.equal(m['b'], 1 - left)
    assert (mask_from_strokes([dict(points=[(.25, .5)], radius=.2, erase=True)], (24, 32), soft=0, on=left)[0, 0, 12,
        8] == 0)

def test_bad_strokes_are_refused(refused):
    for strokes, words in [('abc', ('is a str', 'give a list')), ([dict(radius=.1)], ('Stroke 1', 'pairs (x, y)')),
            ([[]], ('Stroke 1',)), ([[(.1, .2)], [(1, 2, 3)]], ('Stroke 2',)), ([[(.1, float('nan'))]], ('Stroke 1',)),
        ([[(30, 20)]], ("share of the picture's width",)), ([dict(points=[(.1, .1)], radius='x')],
            ('radius of a stroke', 'give a number')), ([dict(points=[(.1, .1)], radius=2)], ('radius of a stroke is 2',
                )), ([dict(point=[(.1, .1)])], ("Did you mean 'points'?",)), ([3], ('Stroke 1',))]:
        refused(lambda: mask_from_strokes(strokes), *words)
    refused(lambda: mask_from_strokes([], (0, 9)), 'hw is 0')

def test_a_drawn_mask_leads_a_style(photo, painting, painting2, tmp_path):
    masks = masks_from_strokes({'left': [dict(points=[(0, .1), (0, .9)], radius=.5)], 'rest': []}, (64, 64))
    r = go(photo, [painting, painting2], masks=masks)
    assert ([m['name'] for m in r.recipe.masks] == ['left', 'rest']
        and same(stylize(photo, [painting, painting2], recipe=r.save(tmp_path/'a.png'), progress=False), r))
