"""Every public function with things of a wrong kind: what a user can mend is said in one line, by a `StyleNBError`.

Nothing is painted here: a call that gets as far as painting has taken what it was given."""
import functools, importlib, inspect, io, itertools
from dataclasses import replace
from pathlib import Path
import numpy as np, pytest, torch
from PIL import Image
import style_nb.all
from style_nb.all import *
from style_nb.errors import StyleNBError, in_range
from style_nb.learner import TVLoss
from style_nb.onepass import read_onepass

class Taken(Exception): "It would paint now"

def house(room, name): return getattr(importlib.import_module(f'style_nb.{room}'), name)

x = torch.linspace(0, 1, 3*24*32).view(1, 3, 24, 32)
mask = (x[:, :1] > .3).float()
enc = encoder('random')
maps = enc(x, 'relu1_1')['relu1_1'].detach()
to_dream = dict(size=32, octaves=1, steps=1, jitter=2, encoder='random', progress=False)
to_paint = dict(size=32, steps=2, levels=1, encoder='random', progress=False)

class Hostile:
    "Whatever is asked of it fails"
    def fail(self, *_): raise RuntimeError('not me')
    __bool__ = __len__ = __iter__ = __eq__ = read = fail
    __hash__ = object.__hash__

def closed():
    "A file that is open no more"
    file = io.BytesIO(b'x')
    file.close()
    return file

wrong = [
    None, 'x', 3, -1, float('nan'), [], {}, object(), '', 10**30, [[]], {3: 4}, closed(), Hostile(), [Hostile()],
    np.ones((3, 24, 32)), torch.ones(3), torch.ones((), device='meta'), torch.ones(1, 3, 24, 32, device='meta')]
FIELDS = {*Recipe.__dataclass_fields__}

CALLS = dict(  # what is right; each of these arguments, and each other one of the signature, is then said wrong
    load_picture=dict(anything=x),
    save_picture=dict(x=x, path='a.png', dpi=(3, 3)),
    to_pil=dict(x=x),
    resize=dict(x=x, size=16),
    show_pictures=dict(pictures=[x]),
    paint=dict(kind='mosaic', source=x, size=48),
    sample=dict(name='cat'),
    samples={},
    Recipe={},
    show_recipes={},
    stylize=dict(content=x, style=x, masks=None, style_masks=None, content_mask=None, change_mask=None) | to_paint,
    forecast={k: v for k, v in (dict(
        content=x, style=x, masks=None, style_masks=None, content_mask=None, change_mask=None) | to_paint).items()
        if k != 'progress'},
    reconstruct=dict(picture=x) | to_paint,
    instant=dict(photo=x, style='wave', size=32),
    style_sheet=dict(photo=x, styles='wave', size=32),
    comic=dict(source=[x], style='wave', size=32),
    house_of_styles={},
    noise=dict(hw=(8, 8)),
    palette=dict(style=x) | to_paint,
    palettes=dict(styles=[x]) | to_paint,
    tile=dict(photo=x),
    compare=dict(names='default', content=x, style=x) | to_paint,
    interpolate=dict(content=x, a=x, b=x, n=2) | to_paint,
    matrix=dict(contents=[x], styles=[x]) | to_paint,
    sweep=dict(content=x, style=x, grid=dict(seed=[1])) | to_paint,
    Clip=dict(source='frames', start=0, stop=2, size=32),
    write_clip=dict(frames=[x, x], path='a.mp4'),
    film_frames=dict(frames=[x, x], style=x) | to_paint,
    make_film=dict(source='frames', style=x, out='film.mp4', first_steps=2, stop=2) | to_paint,
    lend_colours=dict(picture=x, like=x),
    luminance=dict(x=x),
    match_colours=dict(picture=x, like=x),
    lower_contrast=dict(picture=x),
    match_contrast=dict(picture=x, like=x),
    feather=dict(mask=mask),
    load_mask=dict(anything=mask),
    segment=dict(picture=x),
    show_masks=dict(picture=x, masks=[mask]),
    explore_masks=dict(picture=x),
    ablate=dict(painting=x, photo=x, variants='no match') | to_paint,
    rank_photos=dict(painting=x, photos=[x], size=64),
    revert=dict(painting=x, photo=x, match=0.) | to_paint,
    unpaint=dict(painting=x, size=32),
    encoder=dict(name='random'),
    encoder_card={},
    gram=dict(feats=maps),
    show_why=dict(maps={'a': torch.ones(8, 8)}),
    fidelity=dict(picture=x, photo=x),
    dream=dict(picture=x, guide=None, layer='relu1_1', channel=1) | to_dream,
    explore=dict(fn=lambda a: x, a=(0, 1)),
    log_range=dict(low=1, high=2),
    Session=dict(content=x, style=x, size=32, encoder='random'),
)
ROOMS = {  # of functions that `style_nb.all` leaves out
    'pictures contact_sheet': dict(rows=[[x]], height=16),
    'pictures open_picture': dict(src='no.png'),
    'pictures upright_rgb': dict(im=to_pil(x)),
    'marks paint_by_lot': dict(source=x, seed=1, brush=2.),
    'contrast tones': dict(picture=x),
    'contrast show_contrast': dict(pictures=[x]),
    'contrast match_histogram': dict(picture=x, like=x),
    'contrast local_contrast': dict(picture=x),
    'contrast sigmoid_contrast': dict(picture=x),
    'colour colour_statistics': dict(pictures=[x]),
    'colour to_oklab': dict(x=x),
    'colour from_oklab': dict(lab=x),
    'windows stride_and_reach': dict(enc=enc, layer='relu1_1'),
    'windows windows_of': dict(enc=enc, layers=['relu1_1'], hw=(24, 32), tile=16),
    'losses style_loss': dict(feats=maps, target=gram(maps)),
    'losses content_loss': dict(feats=maps, target=maps),
    'losses tv_loss': dict(x=x),
    'losses blend_grams': dict(grams=[gram(maps)]),
    'losses squared_distance': dict(a=maps, b=maps),
    'masks layer_mask': dict(mask=mask, hw=(8, 8)),
    'masks colour_masks': dict(picture=x, colours=dict(a='red')),
    'masks mask_from_strokes': dict(strokes=[[(.1, .2)]], hw=(8, 8)),
    'masks masks_from_strokes': dict(regions=dict(a=[[(.1, .2)]]), hw=(8, 8)),
    'masks receptive_field': dict(enc=enc, layer='relu1_1'),
    'loop picture_learner': dict(init=x, encoder=enc),
    'learner ContentLoss': dict(content=x, weights='relu1_1', weight=1.),
    'learner StyleLoss': dict(styles=[x], weights='relu1_1', weight=1.),
    'learner TVLoss': dict(weight=1.),
    'learner picture_grams': dict(enc=enc, x=x, layers=['relu1_1']),
    'guarding Average': dict(decay=.5),
    'callbacks Snapshots': dict(when=2),
    'callbacks Controls': dict(schedule=[]),
    'callbacks check_move': dict(field='lr', value=1.),
    'octaves Jitter': dict(by=2),
    'octaves even': dict(softness=.5),
    'dreams feature_picture': dict(layer='relu1_1', channel=1) | to_dream,
    'dreams follow': dict(picture=x, terms=[TVLoss(1.)]) | to_dream,
    'dreams dream_recipe': dict(recipe=None),
    'dreams DreamRecipe': {},
    'callbacks level_steps': dict(steps=6, sizes=[32, 64]),
    'large TiledStyle': dict(styles=[x], weights='relu1_1', weight=1.),
    'large TiledContent': dict(content=x, weights='relu1_1', weight=1.),
    'large pyramid_sizes': dict(size=64, levels=2),
    'large pyramid_steps': dict(steps=6, sizes=[32, 64]),
    'large usual_tile': dict(enc=enc, layers=['relu1_1']),
    'results plot_losses': dict(result=None),
    'results save_state': dict(state={}, path='a.safetensors'),
    'results load_state': dict(path='no.safetensors'),
    'checkpoints RunCheckpoint': dict(path='a.safetensors'),
    'footing check_device': dict(device='cpu'),
    'units to_unit': dict(recipe='default', content=x, style=x, enc=enc),
    'palettes gram_errors': dict(picture=x, style=x, layers=['relu1_1'], on=enc),
    'sweeping combinations': dict(grid=dict(seed=[1])),
    'tiling best_match': dict(picture=x, object=x),
    'tiling granularity_sweep': dict(photo=x, content=None, ns=1) | to_paint,
    'comparing laplacian_bands': dict(x=torch.ones(1, 1, 64, 64), n=2),
    'comparing sliced_wasserstein': dict(a=x, b=x),
    'comparing band_distances': dict(picture=x, style=x, bands=2),
    'comparing colour_distance': dict(picture=x, style=x),
    'comparing at_fidelity': dict(run=lambda weight: x, photo=x, target=.9, tolerance=.5, start=1., tries=1),
    'comparing retrieval': dict(enc=enc, photos=[x, x], layers=['relu1_1']),
    'reversion model_photo': dict(painting=x, photo=x, size=32),
    'reversion from_afar': dict(painting=x),
    'reversion new_dark': dict(picture=x, painting=x),
    'sitters picture_statistics': dict(x=x),
    'explorers explore_gram': dict(picture=x, kind='random', size=32),
    'explorers explore_contrast': dict(picture=x),
    'explorers explore_layers': dict(picture=x),
    'explorers explore_reversion': dict(painting=x, photo=x),
    'views split_view': dict(a=x, b=x),
    'views draw_curves': dict(curves={'a': [(0, 1.)]}),
    'enlarging look_drift': dict(large=x, small=x),
    'enlarging fine_energy': dict(large=x),
    'recipe named_recipe': dict(recipe='default'),
    'settings rule_of': dict(name='size'),
    'widgets knob': dict(name='a', what=(0, 1)),
    'encoders at_hand': dict(name='random'),
    'encoders save_encoder': dict(enc=enc, path='a.safetensors', card={}),
}
ALLOWED = {  # (function, argument): why another error may come
    ('sweeping combinations', 'known'): 'a table of this library',
}
SKIP = {'workers', 'folder'}  # 3 workers are right; 'x' is a folder to be made

@pytest.fixture(scope='module', autouse=True)
def no_painting(tmp_path_factory):
    "What would paint says so, and files go to a folder of their own"
    def taken(*_, **__): raise Taken
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('style_nb.carrying.encoder', functools.cache(encoder))  # read once
        patch.setattr('style_nb.transfer.run_transfer', taken)
        patch.setattr('style_nb.live.run_transfer', taken)
        patch.setattr('style_nb.instant.read_onepass', functools.cache(read_onepass))
        patch.setattr('style_nb.instant.paint_once', taken)
        patch.setattr('style_nb.dreams.fit_dream', taken)
        patch.setattr('style_nb.speeds.measured_speed', taken)
        patch.chdir(tmp_path_factory.mktemp('mistakes'))
        Path('frames').mkdir()
        for n in range(3): save_picture(x, f'frames/{n}.png')
        yield

def arguments(call, right):
    "Names of arguments to say wrong"
    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    signed = [n for n, p in inspect.signature(call).parameters.items() if p.kind in kinds]
    if 'seed' in signed and 'tv_kind' in signed and call is not Recipe:  # fields of a recipe are tried with `Recipe`
        signed = [n for n in signed if n not in FIELDS]
    return {*right, *signed} - SKIP - (to_paint.keys() if to_paint.keys() <= right.keys() else set())

def other_errors(call, right):
    "{argument: an error that is none of the family}"
    found = {}
    for name in arguments(call, right):
        for value in wrong:
            try: made = call(**right | {name: value})
            except Taken: continue
            except StyleNBError as e: assert str(e) and '\n' not in str(e) and 'Error)' not in str(e), e
            except Exception as e: found[name] = f'{name} as {type(value)} gave {e!r}'
            else:
                if hasattr(made, 'close') and not hasattr(made, 'getexif'): made.close()  # no picture
    return found

def test_every_name_is_tried():
    there = {n for n in style_nb.all.__all__ if callable(getattr(style_nb.all, n))}
    assert there - {*CALLS} == {'enlarge', 'Studio', 'quick'}  # of a run, of a page, of tests
    assert all(house(*name.split()) for name in ROOMS)

@pytest.mark.parametrize('name', CALLS)
def test_mistakes(name):
    assert not other_errors(getattr(style_nb.all, name), CALLS[name])

@pytest.mark.parametrize('name', ROOMS)
def test_mistakes_in_rooms(name):
    found = other_errors(house(*name.split()), ROOMS[name])
    assert {(name, n) for n in found} == {pair for pair in ALLOWED if pair[0] == name}, found

def test_mistakes_with_an_encoder():
    assert not other_errors(lambda x, layers: enc(x, layers), dict(x=x, layers='relu1_1'))

def mended(call, *words):
    "One line of the family, with all of `words`"
    with pytest.raises(StyleNBError) as e: call()
    assert not [w for w in words if w not in str(e.value)] and '\n' not in str(e.value), e.value

QUICK = to_paint | dict(steps=1)

def test_a_misspelt_field_is_named():
    for call in (lambda: Recipe(sise=3), lambda: replace(Recipe(), sise=3)):
        with pytest.raises(TypeError, match="Unknown setting 'sise'.*Did you mean 'size'") as e: call()
        assert isinstance(e.value, StyleNBError)

def test_a_path_where_a_tensor_is_wanted():
    "It is read, or refused"
    save_picture(x, 'photo.png')
    assert torch.equal(luminance('photo.png'), luminance(load_picture('photo.png')))
    assert torch.equal(resize('photo.png', 32), load_picture('photo.png', 32))
    assert luminance((load_picture('photo.png')*255).byte()).mean() > .1  # whole numbers were all black
    mended(lambda: luminance('none.png'), 'There is no file')
    mended(lambda: gram('x'), 'gram was given is a str', 'feature maps')
    mended(lambda: show_why('photo.png'), 'maps is a str', '{term: map')
    mended(lambda: encoder('random')(load_picture('photo.png'), 3), 'Unknown layer', '3')

def test_what_goes_to_pil_is_named():
    for kw, words in (
            (dict(dpi='x'), ["{'dpi': 'x'}", '.png']), (dict(alpha='x'), ['alpha is a str']),
            (dict(credits=dict(autor='me')), ["Did you mean 'author'?"]), (dict(credits=3), ['credits is an int'])):
        mended(lambda: save_picture(x, 'out.png', **kw), *words)
        assert not Path('out.png').exists()

def test_a_name_that_a_matrix_has_not(photo, painting):
    made = matrix(dict(a=photo), dict(b=painting), **QUICK)  # of items without a picture
    assert made['a', 'b'] is made[0]
    mended(lambda: made['a', 'c'], "There is no ('a', 'c')", "('a', 'b')")
    with pytest.raises(KeyError): made['a', 'c']

def test_what_is_no_function():
    for wrong in (3, 'x', None, max): mended(lambda: explore(wrong, a=(0, 1)), 'explore was given')

def test_weights_that_do_not_fit_their_pictures(photo, painting):
    for weights, words in (([1], '1 blend weight for 2 pictures'), (3, 'give a list'), (['a', 'b'], 'at least 0')):
        mended(lambda: match_colours(photo, [painting, photo], weights), words)
    mended(lambda: match_colours(photo, []), 'There are no pictures')

# ---- found by a breaker

def test_what_has_no_plain_values_is_refused(refused):
    for t in (torch.rand(1, 3, 8, 8, device='meta'), torch.rand(3, 8, 8).to_sparse()):
        refused(lambda: load_picture(t), 'give a plain one')
    refused(lambda: load_picture(Image.new('RGB', (0, 0))), '0x0 px')

def test_the_largest_whole_number_is_itself_allowed():
    assert in_range(2**63 - 1, 'seed', 0, 2**63 - 1, whole=True) == 2**63 - 1

def test_sizes_no_memory_holds(refused):
    photo = Image.new('RGB', (64, 48), 'red')
    refused(lambda: load_picture(photo, 10**30), 'size is')
    refused(lambda: tile(photo, size=60000), 'too large here')

def test_a_file_is_no_folder(refused, tmp_path):
    (tmp_path/'a.png').write_bytes(b'')
    refused(lambda: save_picture(torch.rand(1, 3, 8, 8), tmp_path/'a.png'/'b.png'), 'is a file, no folder')

def test_odd_values_elsewhere(refused, tmp_path):
    refused(lambda: fidelity(torch.rand(1, 3, 5, 5), x), '11x11')
    refused(lambda: match_contrast(x, x, most=10**30), 'most is')
    assert Recipe(name=Path('a'), encoder_weights=Path('b.pth')).name == 'a'
    save_picture(x, tmp_path/'a.png', alpha=Image.new('RGB', (1, 1)))
    assert Image.open(tmp_path/'a.png').mode == 'RGBA'

# ---- of each kind one

def test_what_is_no_switch_no_text_and_no_list(refused):
    array = np.ones((3, 24, 32))
    refused(lambda: tile(x, seamless='no'), "seamless is 'no': give True or False")
    refused(lambda: palette(x, seamless=array, **QUICK), 'seamless is array(', 'give True or False')
    refused(lambda: match_contrast(x, x, mean=torch.ones(3)), 'mean is tensor([1., 1., 1.]): give True or False')
    refused(lambda: stylize(x, x, **QUICK | dict(progress='no')), "progress is 'no': give True or False")
    refused(lambda: stylize(x, x, device=array, **QUICK), 'Unknown device array(')
    refused(lambda: show_pictures([x], titles=closed()), 'titles is a BytesIO that cannot be gone through', 'texts')
    refused(lambda: stylize(x, itertools.repeat(x), **QUICK), 'too many entries')
    refused(lambda: sweep(x, x, itertools.count(), **QUICK), 'grid has too many entries')
    refused(lambda: encoder(weights=[]), '[] cannot be a path')
    refused(lambda: Recipe(lr=torch.ones((), device='meta')), 'lr is a Tensor without numbers')
    refused(lambda: Recipe(style_weights=['relu1_1', 'relu1_1']), 'names a layer twice')
    assert tile(x, seamless=np.bool_(True)).shape == tile(x, seamless=1).shape

def test_what_cannot_be_read_is_a_file_that_is_refused():
    for file in (closed(), Hostile()):
        for call in (lambda: load_picture(file), lambda: load_mask(file), lambda: rank_photos(x, file, 64)):
            with pytest.raises(OSError, match='The open file cannot be read') as e: call()
            assert isinstance(e.value, StyleNBError) and e.value.__cause__

def test_what_a_function_fills_in_itself(refused):
    for call in (
            lambda: palette(x, content=x, **QUICK), lambda: palettes([x], content=x, **QUICK),
            lambda: revert(x, x, content=x, **QUICK), lambda: reconstruct(x, content=x, **QUICK),
            lambda: matrix([x], [x], content=x, **QUICK)): refused(call, 'content is given, but', 'leave it out')
    refused(lambda: palettes([x], style=x, **QUICK), 'style is given, but')
    refused(lambda: interpolate(x, x, x, grid={}, **QUICK), 'grid is given, but')

def test_numbers_have_an_end(refused):
    refused(lambda: segment(x, place=10**30), 'at most 100')
    refused(lambda: tile(x, turn=10**30), 'at most 360')
    refused(lambda: Recipe(steps=10**30), 'at most 1000000000')
    refused(lambda: interpolate(x, x, x, 10**30, **QUICK), 'at most 1000')

def test_settings_of_other_libraries_have_a_key(tmp_path):
    "The run takes them, or says what is wrong; `Taken` here"
    grid = dict(seed=np.arange(2), device=[torch.device('cpu')], encoder_weights=[tmp_path/'no.pth'])
    with pytest.raises(StyleNBError, match='Unknown setting'): sweep(x, x, grid, **QUICK)
    del grid['device']
    made = sweep(x, x, grid, device=torch.device('cpu'), **QUICK)
    assert len({item.key for item in made.items}) == 2 and all('no.pth' in item.error for item in made.items)
    assert 'Unknown encoder' in matrix([x], [x], **QUICK | dict(encoder=len)).items[0].error

def test_a_pil_picture_is_given_back():
    im = to_pil(x)
    assert to_pil(im) is im and to_pil(im.convert('RGBA')).mode == 'RGB'

def test_a_value_that_cannot_be_printed(refused):
    class Silent:
        def __repr__(self): raise RuntimeError
    refused(lambda: Recipe(lr=Silent()), 'lr is a Silent that cannot be printed')
