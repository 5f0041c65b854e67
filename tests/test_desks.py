"The desks: what is moved is painted anew, the code paints the same, an error is said and does not end a desk"
import io
import numpy as np
import pytest
from PIL import Image
from style_nb.desks import ReversionDesk, TilingDesk
from style_nb.gallery import sample
from style_nb.palettes import palette
from style_nb.recipe import load_recipe
from style_nb.tiling import tile

PHOTOS = {name: sample(name) for name in ('cat', 'astronaut', 'coffee')}
SMALL = dict(size=64, steps=2, encoder='texnet-small')


@pytest.fixture
def reversion():
    desk = ReversionDesk(sample('swirls'), PHOTOS, match=0, **SMALL)
    yield desk
    desk.close()


@pytest.fixture
def tiling():
    desk = TilingDesk(sample('coffee'), **SMALL)
    yield desk
    desk.close()


def test_the_best_photo_is_chosen_first(reversion):
    assert reversion.photo == reversion.ranks.index[0] and set(reversion.ranks.index) == {*PHOTOS}
    assert reversion.ranks.words.iloc[0].split()[0] in reversion.words.value


def test_a_click_on_a_photo_paints_with_it(reversion):
    other = reversion.ranks.index[-1]
    first = reversion.paint().wait().result.image.tobytes()
    reversion.shelf.radio.value = other
    assert reversion.wait().photo == other and reversion.result.image.tobytes() != first


def test_its_code_paints_the_same(reversion):
    reversion.controls['contrast'].value = .5
    shown = reversion.wait().result.image.tobytes()
    names = {}
    exec(reversion.as_code(), names)
    assert names['result'].image.tobytes() == shown


def test_the_code_of_tiles_runs_alone(tiling):
    tiling.controls['n'].value = 2
    names = {}
    exec(tiling.as_code(), names)
    assert names['result'].image.tobytes() == tiling.wait().result.image.tobytes()


def test_moves_are_undone_and_redone(reversion):
    first = reversion.values
    reversion.controls['contrast'].value = .5
    reversion.shelf.radio.value = reversion.ranks.index[-1]
    second = reversion.values
    reversion.undo()
    assert reversion.values == first | dict(contrast=.5)
    reversion.undo()
    reversion.undo()
    assert reversion.values == first
    for _ in range(3): reversion.redo()
    assert reversion.values == second


def test_a_pin_brings_its_picture_back(tiling):
    tiling.attempt(tiling.pin)
    assert 'Nothing is painted yet' in tiling.message.value
    tiling.controls['n'].value = 2
    shown = tiling.wait().result.image.tobytes()
    tiling.pin()
    tiling.controls['n'].value = 7
    assert tiling.wait().result.image.tobytes() != shown
    for _ in range(2):
        tiling.shelf_of_pins.radio.value = 'pin 1'
        assert tiling.values['n'] == 2 and tiling.wait().result.image.tobytes() == shown
        tiling.controls['n'].value = 7
    tiling.shelf_of_pins.radio.value = 'pin 1'
    tiling.undo()
    assert tiling.values['n'] == 7


def test_a_pin_is_of_the_picture_that_is_seen(tiling):
    "Not of the settings that are just being painted"
    tiling.controls['n'].value = 2
    shown = tiling.wait().result.image.tobytes()
    tiling.settings['steps'] = 100_000
    tiling.controls['n'].value = 7
    tiling.pin()
    tiling.stop().wait()
    assert tiling.pins['pin 1'][0]['n'] == 2 and tiling.pins['pin 1'][1].tobytes() == shown


def test_a_pin_brings_its_painting_back(reversion):
    shown = reversion.paint().wait().result.image.tobytes()
    reversion.pin()
    mine = np.random.default_rng(0).integers(0, 255, (80, 60, 3), dtype=np.uint8)
    reversion.take([file_of(mine, 'work.png')])
    reversion.show_code()
    assert reversion.wait().result.image.tobytes() != shown
    assert '# work.png: uploaded' in reversion.code.value and "'work.png'" in reversion.code.value
    reversion.shelf_of_pins.radio.value = 'pin 1'
    assert reversion.wait().result.image.tobytes() == shown and "sample('swirls')" in reversion.code.value
    other = reversion.ranks.index[-1]
    reversion.shelf.radio.value = other
    assert reversion.shelf.marks.value.count('outline') == 1, 'one photo is framed'


def test_the_picture_is_saved_with_its_recipe(tiling, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiling.paint().wait()
    for _ in range(2): tiling.save()
    assert {p.name for p in tmp_path.iterdir()} == {'palette.png', 'palette 2.png'}
    assert load_recipe('palette 2.png').size == 64 and 'palette 2.png' in tiling.saved.value


def file_of(picture, name):
    data = io.BytesIO()
    Image.fromarray(picture).save(data, 'PNG')
    return dict(name=name, content=data.getvalue())


def test_ones_own_pictures_are_taken(reversion, tiling):
    mine = np.random.default_rng(0).integers(0, 255, (80, 60, 3), dtype=np.uint8)
    reversion.take([file_of(mine, 'me.png'), file_of(mine[::-1], 'us.png')], 'photos')
    assert {'me.png', 'us.png'} <= {*reversion.ranks.index} and reversion.wait().error is None
    reversion.take([file_of(mine, 'work.png')])
    assert "'work.png'" in reversion.as_code() and reversion.wait().result.image.size == (48, 64)
    tiling.take([file_of(mine, 'guitar.png')])
    assert tiling.wait().error is None and tiling.tiled.size == (60, 80)
    tiling.attempt(lambda: tiling.take([dict(name='broken.png', content=b'no picture')]))
    assert 'broken.png' in tiling.message.value


def test_tiles_that_cannot_be_made_go_back(tiling):
    was = tiling.values
    tiling.object = type(tiling.object)(np.zeros((9, 9, 3), np.uint8), 'tiny', (9, 9))
    tiling.controls['n'].value = 12
    assert tiling.values == was and tiling.message.value


def test_the_last_of_many_moves_counts(tiling):
    for n in (2, 3, 5, 7): tiling.controls['n'].value = n
    tiling.wait()
    wanted = palette(tile(tiling.object.picture, **tiling.values), progress=False, **SMALL)
    assert tiling.values['n'] == 7 and tiling.result.image.tobytes() == wanted.image.tobytes()


def test_stopped_it_keeps_the_picture_so_far(tiling):
    tiling.settings['steps'] = 100_000
    tiling.paint()
    while not tiling.canvas.picture: pass
    tiling.stop().wait()
    assert 0 < len(tiling.result.history) < 100_000 and tiling.error is None


def test_an_error_is_said_and_the_desk_goes_on(tiling):
    tiling.settings['encoder'] = 'none'
    tiling.paint().wait()
    assert 'encoder' in str(tiling.error) and 'encoder' in tiling.message.value
    tiling.settings['encoder'] = 'texnet-small'
    assert tiling.paint().wait().error is None and tiling.result


def test_closed_it_paints_no_more(tiling):
    tiling.close()
    assert tiling.paint().thread is None and tiling.closed

def test_buttons_that_have_nothing_to_do_are_off(reversion):
    def off(): return {name for name, button in reversion.buttons.items() if button.disabled}
    assert off() == {'stop', 'undo', 'redo', 'pin', 'save'}
    reversion.controls['contrast'].value = .5
    assert 'stop' not in off() and 'undo' not in off()
    reversion.wait()
    assert off() == {'stop', 'redo'}
    reversion.undo()
    reversion.wait()
    assert off() == {'stop', 'undo'}

def test_an_upload_can_be_undone(reversion):
    first, name = reversion.painting, reversion.painting_name
    reversion.controls['contrast'].value = .5
    reversion.take([file_of(np.full((40, 60, 3), (9, 90, 200), np.uint8), 'other.png')], 'painting')
    assert reversion.painting_name != name
    reversion.undo()
    assert reversion.painting is first and reversion.values['contrast'] == .5
    reversion.undo()
    assert reversion.painting is first and reversion.values['contrast'] == .85
    for _ in range(2): reversion.redo()
    assert reversion.painting_name != name and reversion.values['contrast'] == .5
    reversion.stop().wait()
