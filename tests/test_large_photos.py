"A large photo is read no larger than what is made of it"
import pytest, torch
from PIL import Image
import style_nb.pictures
from style_nb.colour import lend_colours
from style_nb.comparing import colour_distance, fidelity
from style_nb.contrast import match_contrast
from style_nb.enlarging import look_drift
from style_nb.explorers import explore_masks, explore_reversion
from style_nb.painting import paint
from style_nb.palettes import gram_errors
from style_nb.pictures import contact_sheet, load_picture, to_pil
from style_nb.reversion import from_afar, new_dark
from style_nb.session import Session
from style_nb.shares import show_why
from style_nb.tiling import best_match, granularity_sweep, tile
from style_nb.views import split_view

@pytest.fixture(scope='module')
def large(tmp_path_factory):
    "A photo of 5 million pixels, in a file"
    path = tmp_path_factory.mktemp('large')/'large.jpg'
    Image.radial_gradient('L').convert('RGB').resize((2700, 1900)).save(path)
    return path

TINY = dict(size=48, steps=1, progress=False)
SHRINK = {  # by name: a call with a small picture and the large one, and the longer side that is enough for it
    'tile': (lambda x, large: tile(large, 2, size=48), 48),
    'granularity_sweep': (lambda x, large: granularity_sweep(large, ns=1, encoder='random', **TINY), 48),
    'best_match': (lambda x, large: best_match(x, large), 256),
    'paint': (lambda x, large: paint('mosaic', large, 64), 64),
    'lend_colours': (lambda x, large: lend_colours(x, large), 64),
    'match_contrast': (lambda x, large: match_contrast(x, large), 64),
    'fidelity': (lambda x, large: fidelity(x, large), 64),
    'colour_distance': (lambda x, large: colour_distance(x, large), 64),
    'gram_errors': (lambda x, large: gram_errors(x, large, ['relu1_1'], 'random', .5), 32),
    'look_drift': (lambda x, large: look_drift(large, x), 64),
    'from_afar': (lambda x, large: from_afar(large), 432),
    'new_dark': (lambda x, large: new_dark(large, large), 200),
    'split_view': (lambda x, large: split_view(x, large), 128),
    'contact_sheet': (lambda x, large: contact_sheet([[large]], height=48), 384),
    'show_why': (lambda x, large: show_why({'a': torch.ones(8, 8)}, large), 1500),
    'explore_masks': (lambda x, large: explore_masks(large).close(), 1500),
    'explore_reversion': (lambda x, large: explore_reversion(large, large, 48).close(), 48),
    'Studio': (lambda x, large: Session(large, x, size=64, encoder='random').close(), 512),
}

@pytest.mark.parametrize('name', SHRINK)
def test_no_more_of_a_photo_is_kept_than_is_needed(name, large, monkeypatch):
    sides, read = [], style_nb.pictures._from_image
    monkeypatch.setattr('style_nb.pictures._from_image', lambda im: [sides.append(max(im.size)), read(im)][1])
    call, enough = SHRINK[name]
    call(torch.rand(1, 3, 48, 64), large)
    assert max(sides, default=0) <= enough

def test_tiles_of_a_shrunk_photo_are_those_of_the_whole(large):
    whole = tile(to_pil(load_picture(large)), 2, size=200)
    apart = load_picture(tile(large, 2, size=200)) - load_picture(whole)
    assert apart.abs().max() < .02 and tile(large, 2).size == (2700, 1900)

def test_a_size_is_checked_before_the_photo_is_read(refused):
    for call in (tile, lambda photo, **kw: granularity_sweep(photo, ns=2, **kw)):
        refused(lambda: call('no such photo.jpg', size='x'), "size is 'x'")
        refused(lambda: call('no such photo.jpg', size=2), 'size is 2', 'at least 4')
