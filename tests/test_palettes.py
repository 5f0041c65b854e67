"Palettes: style alone, any shape, seamless; Gram errors"
import pytest, torch
from style_nb.encoders import encoder
from style_nb.gallery import sample
from style_nb.losses import gram
from style_nb.palettes import *
from style_nb.pictures import load_picture, resize
from style_nb.recipe import Recipe
from style_nb.transfer import stylize

FEW = dict(size=48, steps=2, progress=False)

def test_gram_errors(photo, painting):
    e = encoder('texnet', padding='reflect')
    got, layers = gram_errors(photo, painting, ['relu1_1', 'relu3_1']), ['relu1_1', 'relu3_1']
    g, a = (e(load_picture(photo), layers), e(resize(load_picture(painting), 48) if max(photo.shape[-2:]) == 48
        else resize(load_picture(painting), min(max(photo.shape[-2:]), 64)), layers))
    for l in layers:
        assert (got[l] == pytest.approx(float((gram(g[l]) - gram(a[l])).square().sum()/gram(a[l]).square().sum()),
            rel=1e-4))
    assert gram_errors(painting, painting) == {f'relu{i}_1': 0. for i in (1, 2, 3, 4)}

@pytest.mark.parametrize('aspect,wh', [(1., (48, 48)), (2., (48, 24)), (.5, (24, 48)), (None, (48, 36))])
def test_any_shape(aspect, wh):
    r = palette(sample('swirls'), ['relu1_1', 'relu2_1'], aspect=aspect, levels=1, **FEW)
    assert r.image.size == wh and not r.recipe.content_weights and r.recipe.content is None

def test_seamless_sides_are_whole_cells():
    for size, aspect, wh in ((50, 1., (48, 48)), (100, 1.5, (96, 64)), (100, .7, (64, 96))):
        assert (palette(sample('dots'), 'relu1_1', seamless=True, aspect=aspect,
            **FEW | dict(size=size)).image.size == wh)

def test_seamless_has_no_border():
    x = load_picture(palette(sample('dots'), ['relu1_1', 'relu2_1', 'relu3_1'], seamless=True, aspect=1., size=96,
        steps=80, progress=False))
    step = lambda a, b: float((a - b).abs().mean())
    for d in (-2, -1):
        inner = (x.narrow(d, 1, 95) - x.narrow(d, 0, 95)).abs().transpose(d, 0).flatten(1).mean(1).median()
        assert step(x.select(d, 0), x.select(d, -1)) < 1.5*inner

def test_style_arrives_in_a_network_that_had_no_part_in_it():
    r, noise = palette(sample('swirls'), size=96, steps=100, progress=False), torch.rand(1, 3, 72, 96)*.5 + .25
    assert max(gram_errors(r, sample('swirls')).values()) < .05
    a, b = (gram_errors(o, sample('swirls'), on='random') for o in (r, noise))
    assert all(a[l] < b[l]/3 for l in a), (a, b)

def test_the_recipe_gives_it_again(tmp_path):
    r = palette(sample('swirls'), aspect=1.3, seed=3, **FEW)
    again = stylize(None, sample('swirls'), Recipe.load(r.save(tmp_path/'p.png')), progress=False)
    assert again.image.tobytes() == r.image.tobytes() and r.image.size == (48, 37)
    assert palette(sample('swirls'), aspect=1.3, seed=4, **FEW).image.tobytes() != r.image.tobytes()

def test_grid():
    g = palettes(dict(a=sample('swirls'), b=sample('dots')), ['all', 'relu1_1'], **FEW)
    assert list(g) == [('a', 'all'), ('a', 'relu1_1'), ('b', 'all'), ('b', 'relu1_1')] and len(g.show().axes) == 6
    assert list(g['a', 'relu1_1'].recipe.style_weights) == ['relu1_1']

@pytest.mark.parametrize('kw,words', [(dict(aspect=0), ['aspect is 0']), (dict(layers='relu9_1'), ['relu9_1']),
    (dict(size=2), ['size is 2']),
    (dict(layers=[]), ['at least one style layer']), (dict(layers={}), ['at least one style layer']),
    (dict(layers={'relu1_1': 0}), ['at least one style layer']),
    (dict(seamless=True, padding='reflect'), ["needs 'circular'"]), (dict(stylewt=1), ["Unknown setting 'stylewt'"])])
def test_mistakes(refused, kw, words): refused(lambda: palette(sample('dots'), **FEW | kw), *words)

@pytest.mark.parametrize('scale,words', [(-1, ['scale is -1']), (0, ['scale is 0']), (.05,
    ['style picture is', 'need 16 px'])])
def test_mistakes_in_gram_errors(refused, painting, scale, words):
    refused(lambda: gram_errors(painting, painting, scale=scale), *words)

@pytest.mark.parametrize('layers', [3, None])
def test_layers_that_are_none(refused, painting, layers):
    refused(lambda: gram_errors(painting, painting, layers), 'layers is a', 'list of layers')

@pytest.mark.parametrize('f,words', [(lambda s: palettes(s, 3, **FEW), ['layers is 3']),
    (lambda s: palettes(s, None, **FEW), ['layers is None']),
    (lambda s: palettes(s, ['all', 3], **FEW), ['layers is an int']),
    (lambda s: palette([], seamless=True, **FEW), ['no style picture'])])
def test_mistakes_in_palettes(refused, painting, f, words): refused(lambda: f(painting), *words)

def test_weighted_layers_are_a_column():
    g = palettes(sample('dots'), ['relu1_1', {'relu1_1': 3, 'relu2_1': 1}, ['relu1_1', 'relu2_1']], **FEW)
    assert ([l for _, l in g] == ['relu1_1', 'relu1_1:3 relu2_1:1', 'relu1_1 relu2_1']
        and g['style 1', 'relu1_1:3 relu2_1:1'].recipe.style_weights == {'relu1_1': 3., 'relu2_1': 1.})
    assert list(palettes(sample('dots'), {'relu1_1': 3}, **FEW)) == [('style 1', 'relu1_1:3')]

@pytest.mark.parametrize('f', [palette, palettes])
def test_the_signature_tells_the_defaults(f):
    import inspect
    shown, r = ({k: p.default for k, p in inspect.signature(f).parameters.items()},
        palette(sample('dots'), **FEW | dict(size=48)).recipe)
    assert ({k: shown[k] for k in ('style_weight', 'tv_weight', 'style_scale', 'padding', 'init')} == {k: getattr(r, k)
        for k in ('style_weight', 'tv_weight', 'style_scale', 'padding', 'init')})

def test_a_photo_has_its_proportions_before_it_is_shrunk(tmp_path):
    from PIL import Image
    Image.radial_gradient('L').convert('RGB').resize((2700, 1800)).save(tmp_path/'a.png')
    r = palette(tmp_path/'a.png', seamless=True, **FEW | dict(size=96))
    assert r.image.size == (96, 64) and r.recipe.styles[0]['name'] == 'a.png'

def test_the_device_is_an_argument_of_each(painting, refused):
    "As of `stylize`, `forecast` and `instant`, not one of the settings behind"
    import inspect
    from style_nb.transfer import reconstruct
    for f in (palette, reconstruct):
        assert inspect.signature(f).parameters['device'].default is None
        assert f(painting, size=48, steps=1, device='cpu', progress=False).image
        refused(lambda: f(painting, size=48, steps=1, device='abacus', progress=False), "Unknown device 'abacus'")
