"The desks: what is moved is painted anew, the code paints the same, an error is said and does not end a desk"
import pytest
from style_nb.desks import ReversionDesk, TilingDesk
from style_nb.gallery import sample
from style_nb.palettes import palette
from style_nb.reversion import revert
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
    call = reversion.as_code().split('\n')[-1]
    names = dict(painting=sample('swirls'), photos=PHOTOS, revert=lambda *a, **k: revert(*a, **k, progress=False))
    exec(call, names)
    assert names['result'].image.tobytes() == shown


def test_the_last_of_many_moves_counts(tiling):
    for n in (2, 3, 5, 7): tiling.controls['n'].value = n
    tiling.wait()
    wanted = palette(tile(tiling.object, **tiling.values), progress=False, **SMALL)
    assert tiling.values['n'] == 7 and tiling.result.image.tobytes() == wanted.image.tobytes()


def test_stopped_it_keeps_the_picture_so_far(tiling):
    tiling.settings['steps'] = 100_000
    tiling.paint()
    while not tiling.viewer.picture: pass
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
