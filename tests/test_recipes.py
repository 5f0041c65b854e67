"The registry: each program's loss by its own formula in float64, units to and fro, compare"
import numpy as np, pytest, scipy.linalg, torch
from PIL import Image
from dataclasses import replace
from fastai.callback.core import Callback
from hypothesis import given, settings, strategies as st
from style_nb.carrying import carried, png_note
from style_nb.encoders import ENCODERS, Encoder, Shape, random_weights
from style_nb.gallery import sample
from style_nb.losses import style_scale
from style_nb.masks import load_mask, mask_ref
from style_nb.pictures import load_picture, resize
from style_nb.recipe import RECIPES, Recipe, from_json, named_recipe, on_encoder, recipe_card, show_recipes, to_json
from style_nb.sweeping import compare
from style_nb.planning import Plan
from style_nb.transfer import stylize, transfer_learner
from style_nb.units import from_unit, in_units, to_unit

SIDE = 64
pictures = {n: resize(load_picture(sample(n)), (SIDE, SIDE)) for n in ('astronaut', 'swirls', 'cat')}

def narrow(name):
    return random_weights(Encoder(name, Shape('narrow', (4, 6, 8, 10, 12), ENCODERS[name].depths), 'max',
        'zero')).double()
nets = {n: narrow(n) for n in ('vgg16', 'vgg19')}

class Seen(Callback):
    order = 18
    def before_step(self): self.found = self.learn.loss.item(), self.model.canvas.grad.clone()

def first_step(r, enc, content='astronaut', style='swirls', at='cat', hw=(SIDE, SIDE), **masks):
    "Loss and gradient of a recipe at a picture"
    style = style if isinstance(style, list) else [style]
    r = replace(r, steps=1, levels=1, lr=1., lr_end=1., precision='fp32', size=SIDE)
    plan = Plan(r, enc, [hw], pictures[content], [pictures[s] for s in style], masks, resize(pictures[at], hw))
    learn = transfer_learner(plan)
    learn.add_cb(cb := Seen()).fit(1)
    return cb.found

# ---- each program's own words, in float64; F, P, S: maps (C, N) of canvas, content and style, x: canvas in [0, 1]

def mse(a, b): return ((a - b)**2).mean()
def raw(F): return F @ F.T
def chw(F): return raw(F)/F.size
def hw(F): return raw(F)/F.shape[1]
def steps(x): return x[:, 1:] - x[:, :-1], x[:, :, 1:] - x[:, :, :-1]
def l2_loss(d): return (d**2).sum()/2  # TensorFlow's

def paper(F, P, S, x, content, style):
    E = [((raw(F[l]) - raw(S[l]))**2).sum()/(4*F[l].shape[0]**2*F[l].shape[1]**2) for l in style]
    return .5*((F[content[0]] - P[content[0]])**2).sum() + 1e3*sum(.2*e for e in E)

def athalye(F, P, S, x, content, style):
    c, size = 5*2*l2_loss(F['relu4_2'] - P['relu4_2'])/P['relu4_2'].size, lambda l: chw(S[l]).size
    s = 500*sum(1/5*2*l2_loss(chw(F[l]) - chw(S[l]))/size(l) for l in style)
    return c + s + 100*2*sum(l2_loss(d)/d.size for d in steps(255*x))

def w2(F, S):
    """Means and covariances with 1e-4 added, the root by SciPy; peers.md writes A^½ B A^½, and either way round
    the trace is the same"""
    widened = lambda X: np.cov(X, bias=True) + 1e-4*np.eye(len(X))
    A, B = widened(F), widened(S)
    R = scipy.linalg.sqrtm(A).real
    return ((F.mean(1) - S.mean(1))**2).mean() + np.diagonal(A + B - 2*scipy.linalg.sqrtm(R @ B @ R).real).mean()

def nine_points(x):
    y = np.pad(x, ((0, 0), (1, 1), (1, 1)), 'edge')
    sq = lambda a, b: ((a - b)**2).mean()
    return 2*(sq(y[:, 1:-1, 1:], y[:, 1:-1, :-1])/3 + sq(y[:, 1:, 1:-1], y[:, :-1, 1:-1])/3 +
        sq(y[:, 1:, 1:], y[:, :-1, :-1])/12 + sq(y[:, 1:, :-1], y[:, :-1, 1:])/12)

FORMULAS = {
    'gatys': lambda F, P, S, x, c, s: mse(F['relu4_2'], P['relu4_2']) + sum(1e3/F[l].shape[0]**2*mse(hw(F[l]), hw(S[l]))
        for l in s),
    'gatys-2015': paper,
    'johnson': lambda F, P, S, x, c, s: 5*mse(F['relu4_2'], P['relu4_2']) + 100*
    sum(mse(chw(F[l]), chw(S[l])) for l in s) + 1e-3*.5*sum((d**2).sum() for d in steps(255*x)),
    'athalye': athalye,
    'gordic': lambda F, P, S, x, c, s: 1e5*mse(F['conv4_2'], P['conv4_2']) + 3e4*
    sum(((chw(F[l]) - chw(S[l]))**2).sum() for l in s)/5 + sum(np.abs(d).sum() for d in steps(255*x)),
    'pytorch-tutorial': lambda F, P, S, x, c, s: mse(F['conv2_2'], P['conv2_2']) + 1e6*
    sum(mse(chw(F[l]), chw(S[l])) for l in ('conv1_1', 'conv1_2', 'conv2_1', 'conv2_2', 'conv3_1')),
    'fastai-2018': lambda F, P, S, x, c, s: mse(F['relu4_3'], P['relu4_3'])*1e6 +
    sum(mse(chw(F[l])*1e6, chw(S[l])*1e6) for l in ('relu1_2', 'relu2_2', 'relu3_3', 'relu4_3', 'relu5_3')),
    'fastai-16a': lambda F, P, S, x, c, s: sum(mse(F[l], P[l])
        for l in ('relu4_1', 'relu5_1')) + sum(mse(hw(F[l]), hw(S[l])) for l in s),
    'pystiche': lambda F, P, S, x, c, s: mse(F['relu4_2'], P['relu4_2']) + 1e3*
    np.mean([mse(hw(F[l]), hw(S[l])) for l in s]),
    'crowson': lambda F, P, S, x, c, s: .015*mse(F['relu4_2'], P['relu4_2']) + sum(w/341*w2(F[l], S[l])
        for l, w in zip([f'relu{i}_1' for i in range(1, 6)], (256, 64, 16, 4, 1))) + 2*nine_points(x),
    'michaus': lambda F, P, S, x, c, s: mse(F['relu3_3'], P['relu3_3'])*1e6 + 10*
    sum(mse(chw(F[l])*1e6, chw(S[l])*1e6) for l in s),
    'avelar': lambda F, P, S, x, c, s: mse(F['relu4_2'], P['relu4_2']) + sum(mse(hw(F[l]), hw(S[l])) for l in s),
    'ahmed': lambda F, P, S, x, c, s: mse(F['relu4_2'], P['relu4_2']) + 1e6*
    sum(w*mse(raw(F[l]), raw(S[l]))/F[l].size for l, w in zip(s, (1, .75, .2, .2, .2))),
    'haslam': paper,
    'kenstler-palette': lambda F, P, S, x, c, s: 500*sum(1/5*2*l2_loss(chw(F[l]) - chw(S[l]))/chw(S[l]).size
        for l in s) + 100*2*sum(l2_loss(d)/d.size for d in steps(255*x)),
}

def test_every_recipe_with_a_formula_is_there():
    own = {name for name, r in RECIPES.items() if not r.written_for}
    assert set(RECIPES) - set(FORMULAS) - own == {'kenstler-tiles'} and 'default' in own

@pytest.mark.parametrize('name', FORMULAS)
def test_loss_is_what_the_program_computes(name):
    r = RECIPES[name]
    enc = nets[r.encoder]
    layers = sorted({*r.content_weights, *r.style_weights})
    F, P, S = ({l: m[0].flatten(1).numpy() for l, m in enc(pictures[n].double(), layers).items()}
        for n in ('cat', 'astronaut', 'swirls'))
    want = FORMULAS[name](F, P, S, pictures['cat'][0].double().numpy(), list(r.content_weights), list(r.style_weights))
    assert first_step(r, enc)[0] == pytest.approx(want, rel=1e-5)

def test_tiles_are_athalye_on_tiles():
    r = RECIPES['kenstler-tiles']
    assert replace(r, style_tiles=1) == RECIPES['athalye'] and r.style_tiles > 1
    a = stylize(sample('cat'), sample('dots'), size=48, steps=2, levels=1, style_tiles=3, progress=False,
        style_weights='relu1_1', content_weights='relu1_1')
    small = resize(load_picture(sample('dots')), tuple(round(n/3) for n in load_picture(sample('dots')).shape[-2:]))
    b = stylize(sample('cat'), small.repeat(1, 1, 3, 3), size=48, steps=2, levels=1, progress=False,
        style_weights='relu1_1', content_weights='relu1_1')
    assert torch.equal(a.state['canvas'], b.state['canvas'])

# ---- units

@pytest.mark.parametrize('name', [n for n in FORMULAS if n != 'kenstler-palette'])
def test_the_same_gradient_in_other_units(name):
    r = replace(RECIPES[name], size=SIDE)
    enc = nets[r.encoder]
    free = to_unit(r, pictures['astronaut'], pictures['swirls'], enc)
    assert ((free.style_norm, free.content_norm) == ('unit', 'unit')
        and free.strength == pytest.approx(free.style_weight/free.content_weight))
    g = first_step(r, enc)[1]
    back, w2 = from_unit(free, r, pictures['astronaut'], pictures['swirls'], enc), r.style_kind == 'w2'
    third = in_units(r, pictures['astronaut'], pictures['swirls'], r.style_norm if w2 else 'hw',
        'gatys' if w2 else 'mse', enc)
    for other in (free, back, third):
        tol = 3e-4 if w2 and other is free else 1e-4  # crowson's own width, 1e-4, is absolute; the unit's is relative
        assert (first_step(other, enc)[1] - g).norm() <= tol*g.norm()

LEFT = (torch.arange(SIDE) < SIDE//2).float().expand(1, 1, SIDE, SIDE).contiguous()

@pytest.mark.parametrize('name', ['gatys', 'crowson'])
@pytest.mark.parametrize('masks', [dict(style_masks=[LEFT]), dict(masks=[LEFT]), dict(masks=[LEFT],
    style_masks=[1 - LEFT]), dict(change_mask=LEFT)], ids=str)
def test_units_know_of_masks(name, masks):
    "The style's target is that of its part, so the factors are others than without masks"
    r, enc, pair = replace(RECIPES[name], size=SIDE), nets['vgg19'], (pictures['astronaut'], pictures['swirls'])
    given = {k: v for k, v in masks.items() if k != 'change_mask'}
    free = to_unit(r, *pair, enc, **given)
    g, h = (first_step(o, enc, **masks)[1] for o in (r, free))
    assert (h - g).norm() <= (1e-4 if name == 'gatys' else 4e-4)*g.norm()
    if 'style_masks' in masks: assert abs(to_unit(r, *pair, enc).style_weight/free.style_weight - 1) > .01
    refs = {k: [mask_ref(m) for m in v] for k, v in given.items()}
    assert to_unit(replace(r, **refs), *pair, enc).style_weight == free.style_weight, 'masks that the recipe keeps'

def test_units_of_several_regions(refused):
    r, pair, masks = (replace(RECIPES['gatys'], size=SIDE), (pictures['astronaut'], [pictures['swirls'],
        pictures['cat']]), dict(masks=[LEFT, 1 - LEFT]))
    refused(lambda: to_unit(r, *pair, nets['vgg19'], **masks), 'Each region has its own factor', "'chw'")
    other = in_units(r, *pair, 'hw', 'mse', nets['vgg19'], **masks)
    g, h = (first_step(o, nets['vgg19'], style=['swirls', 'cat'], at='swirls', **masks)[1] for o in (r, other))
    assert other.style_norm == 'hw' and (h - g).norm() <= 1e-4*g.norm()

def test_units_of_a_barycentre():
    r, styles = replace(RECIPES['gatys'], size=SIDE, style_mix='barycentre'), ['swirls', 'cat']
    free = to_unit(r, pictures['astronaut'], [pictures[s] for s in styles], nets['vgg19'])
    g, h = (first_step(o, nets['vgg19'], style=styles, at='astronaut', content='cat')[1]
        for o in (r, replace(free, content_weights=r.content_weights, content_weight=0.)))
    g = first_step(replace(r, content_weight=0.), nets['vgg19'], style=styles, at='astronaut', content='cat')[1]
    assert (h - g).norm() <= 1e-4*g.norm()

def test_other_units_are_another_objective_when_weights_stay():
    a, b = (first_step(replace(RECIPES['gatys'], style_norm=n), nets['vgg19'])[1] for n in ('chw', 'hw'))
    assert (a - b).norm() > .1*a.norm()

@given(st.sampled_from(['unit', 'chw', 'hw', 'gatys', 'udacity']), st.sampled_from(['unit', 'mse', 'gatys']),
    st.floats(.01, 100), st.floats(.01, 100))
@settings(max_examples=12)
def test_units_there_and_back(style, content, a, b):
    r = Recipe(size=SIDE, levels=1, style_norm=style, content_norm=content, style_weights=dict(relu1_1=a, relu2_1=b),
        content_weights='relu2_2', style_weight=b)
    pair = pictures['astronaut'], pictures['swirls'], nets['vgg19']
    back = in_units(to_unit(r, *pair), *pair[:2], style, content, pair[2])
    assert (back.style_weight == pytest.approx(r.style_weight, rel=1e-4)
        and back.style_weights['relu1_1'] == pytest.approx(a, rel=1e-4))

def test_units_refuse_what_they_do_not_know(refused):
    refused(lambda: from_unit('gatys', 'crowson', pictures['cat'], pictures['swirls'], nets['vgg19']),
        "does not know the norm 'crowson'", 'chw')
    refused(lambda: from_unit('crowson', 'gatys', pictures['cat'], pictures['swirls'], nets['vgg19']),
        "does not know the norm 'chw'", 'crowson')
    refused(lambda: in_units('gatys', pictures['cat'], pictures['swirls'], 'chww', 'mse', nets['vgg19']),
        "Did you mean 'chw'?")

# ---- on another encoder

@pytest.mark.parametrize('name', RECIPES)
def test_on_texnet_what_stays_and_what_goes(name):
    r = RECIPES[name]
    t = on_encoder(named_recipe(r, encoder='texnet'), 'texnet')
    assert (t.optimizer, t.init, t.lr, t.style_tiles) == (r.optimizer, r.init, r.lr, r.style_tiles)
    assert t.style_norm == 'unit' and sum(t.style_weights.values()) == pytest.approx(sum(r.style_weights.values()))
    assert t.style_weight == (r.strength if r.written_for else r.style_weight)
    assert from_json(to_json(r)) == r and r.source

def test_a_weight_that_is_asked_for_counts_on_another_encoder_too():
    to = lambda **k: on_encoder(named_recipe('gatys', encoder='texnet', **k), 'texnet')
    plain, base = to(), RECIPES['gatys']
    assert to(style_weight=10*base.style_weight).style_weight == pytest.approx(10*plain.style_weight)
    assert to(content_weight=4*base.content_weight).style_weight == pytest.approx(plain.style_weight/4)
    assert (to(style_weight=0).style_weight == 0 and to(content_weight=0).content_weight == 0
        and to(content_weight=0).style_weight == plain.style_weight)
    assert (to(strength=3., style_weight=10*base.style_weight).style_weight == 3
        and named_recipe('gatys', size=64).strength == base.strength)

def test_compare(tmp_path, refused):
    few = dict(size=48, steps=2, levels=1, progress=False)
    c = compare(['gatys', replace(RECIPES['johnson'], name='mine', init='content')], pictures['cat'],
        pictures['swirls'], tmp_path, **few)
    assert ([o.caption for o in c] == ['gatys', 'mine'] and [len(o.losses) for o in c] == [2, 2]
        and not any(o.error for o in c))
    again = compare(['gatys'], pictures['cat'], pictures['swirls'], tmp_path, **few)
    assert again[0].losses == c[0].losses and len(list(tmp_path.iterdir())) == 2
    lines = c.plot_losses().axes[0].lines
    assert ([l.get_ydata()[0] for l in lines] == [1, 1] and c[0].recipe.encoder == 'texnet'
        and c[0].recipe.style_weight == RECIPES['gatys'].strength)
    refused(lambda: compare(['gatis'], pictures['cat'], pictures['swirls']), "Did you mean 'gatys'?")

# ---- the table

def test_cards(refused):
    text = str(show_recipes())
    assert (max(map(len, text.splitlines())) <= 100 and [l.split()[0] for l in text.splitlines()
        if not l.startswith(' ')] == list(RECIPES))
    assert 'relu4_2' in recipe_card('gatys') and 'strength 64' in recipe_card('gatys')
    refused(lambda: show_recipes('gatis'), "Did you mean 'gatys'?")

@pytest.mark.parametrize('norm, times', [('chw', 64), ('udacity', 64*8), ('hw', 1), ('gatys', 1)])
def test_on_another_encoder_layers_pull_as_the_recipes_norm_makes_them(norm, times):
    "relu1_1 over relu4_1: a Gram matrix of C equal channels has the norm C; measured on such matrices"
    r = replace(RECIPES['gatys'], style_norm=norm, style_weights=dict(relu1_1=1., relu4_1=1.))
    pulls = []
    for c, places in ((64, 4**6), (512, 4**3)):
        a = torch.ones(1, c, c)
        pulls.append(float(style_scale(a, norm, places)/style_scale(a, 'unit')))
    w = on_encoder(named_recipe(r, encoder='texnet'), 'texnet').style_weights
    assert w['relu1_1']/w['relu4_1'] == pytest.approx(pulls[0]/pulls[1], rel=1e-3) == pytest.approx(times, rel=1e-3)


# ---- a recipe in any picture

def carriers(tmp_path, recipe, notes=None, names=('a.png', 'a.jpg', 'a.JPEG', 'a.webp')):
    im = Image.new('RGB', (20, 10), 'teal')
    for name in names:
        im.save(tmp_path/name, **carried(recipe, tmp_path/name, notes))
        yield tmp_path/name

def test_a_recipe_in_every_picture(tmp_path):
    r = Recipe(seed=7, source='<a> & "b" \u732b', snapshots=[1], schedule=[(3, 'style_weights', {'relu1_1': 2.})])
    for path in carriers(tmp_path, r, {'style_nb.run': [1, '</rdf>']}):
        assert Recipe.load(path) == r and Recipe.load(path).source == r.source
        assert png_note(path, 'style_nb.run') == [1, '</rdf>'] and png_note(path, 'style_nb.none') is None
        assert named_recipe(str(path)) == named_recipe(path) == r
        with Image.open(path) as im: assert im.size == (20, 10) and im.load()

def test_other_metadata_stays_beside_it(tmp_path):
    exif = Image.Exif()
    exif[315] = 'someone'
    for name in ('b.jpg', 'b.webp'):
        Image.new('RGB', (20, 10)).save(tmp_path/name, exif=exif, **carried(Recipe(seed=7), name))
        with Image.open(tmp_path/name) as im: assert im.getexif()[315] == 'someone'
        assert Recipe.load(tmp_path/name).seed == 7

def test_a_recipe_too_long_for_a_jpeg(tmp_path):
    "The pixels of masks are left out; a recipe that is longer still is not carried, and that is said"
    noise = np.random.default_rng(0).random((220, 220)) > .5
    ref = mask_ref(load_mask(noise.astype(np.float32)), 'noise')
    long = Recipe(masks=[ref, None]*12, change_mask=ref)
    for path in carriers(tmp_path, long):
        back = Recipe.load(path)
        assert back == long and back.change_mask['sha256'] == ref['sha256'] and back.masks[1] is None
        assert ('png' in back.change_mask) == (path.suffix.lower() not in ('.jpg', '.jpeg'))
    with pytest.warns(UserWarning, match='carries no recipe'):
        assert carried(Recipe(schedule=[(i, 'lr', .5) for i in range(9000)]), 'a.jpg') == {}

def test_xmp_of_others(tmp_path, refused):
    "What is broken or not ours is no recipe, and the file is named"
    xmps = (b'<x:xmpmeta/>', b'\xff\xfe<style_nb:recipe>', b'<style_nb:recipe>{}</style_nb:recipe>',
        b'<style_nb:recipe>' + b'['*30000 + b'</style_nb:recipe>',
        b'<style_nb:recipe>{&quot;schema&quot;: 2, &quot;steps&quot;: 1e999}</style_nb:recipe>')
    for xmp in xmps:
        Image.new('RGB', (20, 10)).save(tmp_path/'a.webp', xmp=xmp)
        refused(lambda: Recipe.load(tmp_path/'a.webp'), 'a.webp')

def test_a_jpeg_written_by_a_run(photo, painting, tmp_path):
    r = stylize(photo, painting, size=48, steps=2, levels=1, progress=False)
    for name in ('a.jpg', 'a.webp', 'a.png'): assert Recipe.load(r.save(tmp_path/name)) == r.recipe
    again = stylize(photo, painting, tmp_path/'a.jpg', progress=False)
    assert again.image.tobytes() == r.image.tobytes()

def test_the_room_of_recipes_has_the_names_of_settings_and_carrying():
    from style_nb import carrying, recipe, settings
    assert {*settings.__all__, *carrying.__all__} <= {*recipe.__all__}
