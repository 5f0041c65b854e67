"A page of a comic: which frames, lines and flat colours, panels that lie apart, captions that fit, what is refused"
import json
import numpy as np, pytest
from PIL import Image
from scipy import ndimage
from style_nb.clips import Clip, write_clip
from style_nb.cli import main
from style_nb.comic_tasks import _captions
from style_nb.comics import NOTE, comic
from style_nb.errors import StyleNBError
from style_nb.gallery import sample
from style_nb.inking import flat_colours, ink_lines, inked
from style_nb.instant import Atelier
from style_nb.moments import moments, sights
from style_nb import pages
from style_nb.pages import (
    FACE, MOST_PANELS, RIM, YELLOW, best_crop, caption_box, caption_face, caption_font, check_captions, check_letters,
    draw_page, lacking, layout, wrapped)
from style_nb.recipe import Recipe
from style_nb.shots import shots

HOW = dict(page=(420, 594), size=96, retouch=0, progress=False)

@pytest.fixture(scope='module')
def atelier(): return Atelier()

def smear(frame): return np.uint8(ndimage.uniform_filter1d(frame.astype(float), 15, axis=1))

def pan(name, n):
    picture = np.asarray(sample(name).convert('RGB').resize((300, 200)))
    return [picture[30:150, 4*i:4*i + 160].copy() for i in range(n)]

@pytest.fixture(scope='module')
def frames():
    "Three scenes of 20 frames, 6 black ones between them; in the second only frame 35 is not smeared"
    black = [np.zeros((120, 160, 3), np.uint8)]*6
    second = [frame if i == 9 else smear(frame) for i, frame in enumerate(pan('coffee', 20))]
    return [*pan('cat', 20), *black, *second, *black, *pan('rocket', 20)]

@pytest.fixture(scope='module')
def clip(frames, tmp_path_factory): return write_clip(frames, tmp_path_factory.mktemp('comic')/'film.mp4')

# ---- which frames

def test_one_sharp_frame_of_each_scene(frames):
    first, second, third = moments(sights(shots(frames)), 3)
    assert first < 20 and second == 35 and third >= 52

def test_black_is_never_chosen(frames):
    for n in range(1, 10): assert all(frames[at].max() > 0 for at in moments(sights(shots(frames)), n))

def test_no_two_alike():
    still = pan('cat', 1)*40
    with pytest.warns(UserWarning, match='Only 1 frame'): assert len(moments(sights(shots(still)), 4)) == 1
    with pytest.warns(UserWarning, match='Only 2 frames'):
        assert len(moments(sights(shots(still + pan('rocket', 1)*40)), 4)) == 2

def test_a_film_that_is_all_black_still_has_a_frame():
    assert len(moments(sights(shots([np.zeros((40, 60, 3), np.uint8)]*9)), 1)) == 1

def test_a_film_is_never_held(monkeypatch):
    "Of 2000 frames only a few are alive at a time"
    alive, most = set(), []
    class Frame(np.ndarray):
        def __del__(self): alive.discard(id(self))
    def film():
        for i in range(2000):
            frame = np.full((16, 24, 3), i % 251, np.uint8).view(Frame)
            alive.add(id(frame))
            most.append(len(alive))
            yield frame
    sights((frame, False) for frame in film())
    assert max(most) < 10

# ---- ink and flat colours

@pytest.mark.parametrize('size', [(16, 16), (97, 31), (300, 200)])
def test_any_size(size):
    made = inked(sample('cat'), size=size)
    assert made.size == size and made.mode == 'RGB'

def test_nothing_asked_nothing_done():
    cat = sample('cat').convert('RGB')
    assert inked(cat, ink=0, flat=0).tobytes() == cat.tobytes()

def test_half_the_ink_is_between():
    none, half, whole = (np.float32(inked(sample('cat'), flat=0, ink=ink)) for ink in (0, .5, 1))
    assert np.abs(half - (none + whole)/2).max() <= 1 and whole.mean() < none.mean() - 10

def test_lines_are_where_the_other_picture_has_them():
    plain, square = Image.new('RGB', (90, 90), 'white'), np.full((90, 90, 3), 250, np.uint8)
    square[30:60, 30:60] = 20
    made = np.asarray(inked(plain, Image.fromarray(square), flat=0).convert('L'))
    assert made[45, 45] < 60 and made[28:33, 45].min() < 60 and made[10, 10] == 255

@pytest.mark.parametrize('tones', [2, 5, 12])
def test_few_colours(tones):
    made = np.asarray(flat_colours(sample('coffee'), tones=tones)).reshape(-1, 3)
    counts = np.sort(np.unique(made, axis=0, return_counts=True)[1])
    assert counts[-tones:].sum() > .75*len(made)

def test_specks_are_no_lines():
    dots = np.full((120, 120, 3), 250, np.uint8)
    dots[::10, ::10] = 40
    assert np.asarray(ink_lines(Image.fromarray(dots))).min() > 250
    assert np.asarray(ink_lines(Image.new('RGB', (50, 50)))).max() == 0

# ---- the page

@pytest.mark.parametrize('aspect', [.5, 1, 16/9, 2.4])
@pytest.mark.parametrize('n', range(1, MOST_PANELS + 1))
def test_panels_lie_apart_and_on_the_page(n, aspect):
    boxes, height = layout([aspect]*n, (1000, 1400), 50, 20)
    seen = np.zeros((height, 1000), int)
    for left, top, right, bottom in boxes:
        assert right - left > 40 and bottom - top > 40
        seen[top:bottom + 18, left:right + 18] += 1  # with nearly all of the gutter
    inside = np.asarray(boxes)
    assert seen.max() == 1 and len(boxes) == n and height <= 1400
    assert inside[:, :2].min() == 50 and inside[:, 2].max() == 950 and abs(inside[:, 3].max() - height + 50) <= 1

def test_reading_order():
    boxes, _ = layout([16/9]*7)
    assert sorted(boxes, key=lambda box: (box[1], box[0])) == boxes

@pytest.mark.parametrize('aspect', [.2, .7, 1, 2.2, 9])
def test_a_crop_has_its_proportions_and_is_as_large_as_can_be(aspect):
    left, top, right, bottom = best_crop(sample('cat'), aspect)
    wide, high = right - left, bottom - top
    assert abs(wide/high/aspect - 1) < .03 and (wide, high) != (451, 300) and (wide == 451 or high == 300)
    assert 0 <= left and 0 <= top and right <= 451 and bottom <= 300

def test_the_crop_holds_what_stands_out():
    for at in (10, 150, 270):
        picture = np.full((80, 300, 3), 110, np.uint8)
        picture[30:50, at:at + 20] = [240, 40, 20]
        left, _, right, _ = best_crop(Image.fromarray(picture), 1)
        assert left <= at and at + 20 <= right

LONG = 'Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen'

@pytest.mark.parametrize('text', [
    'Ja.', 'Größe, Öl & Ärger: ‹süß›', LONG, f'So {LONG} und {LONG}', 'a b c '*20, 'x\ny\n\nz'])
@pytest.mark.parametrize('most', [(300, 150), (120, 90)])
@pytest.mark.filterwarnings('ignore:.*too long')
def test_a_caption_stays_in_its_box(text, most):
    box = np.asarray(caption_box(text, most, 18))
    assert box.shape[1] <= most[0] and box.shape[0] <= most[1]
    assert (box[:3] == RIM).all() and (box[-3:] == RIM).all()
    inner = box[3:-3, 3:-3]
    assert (inner[:4] == YELLOW).all() and (inner[-4:] == YELLOW).all() and (inner[:, :4] == YELLOW).all()
    assert (inner[:, -4:] == YELLOW).all() and (inner < 100).any()

def test_no_letter_is_lost_and_too_much_is_said():
    lines = wrapped(f'So {LONG}.', caption_font(20), 150)
    assert ''.join(lines).replace(' ', '') == f'So{LONG}.'
    with pytest.warns(UserWarning, match='too long for its panel'): caption_box('so '*500, (200, 100))

def test_an_empty_caption_has_no_box():
    panel = Image.new('RGB', (200, 150), (10, 90, 200))
    def yellow(*captions):
        page = np.asarray(draw_page([panel], [(0, 0, 200, 150)], (200, 150), captions))
        return (page == YELLOW).all(-1).sum()
    assert yellow() == yellow('') == yellow(' \n') == 0 < yellow('Hm.')

# ---- all of it

def test_a_clip_becomes_a_page(clip, atelier, tmp_path):
    made = comic(clip, 'wave', 3, ['Früh.', '', 'Spät.'], atelier=atelier, **HOW)
    assert [n//26 for n in made.frames] == [0, 1, 2] and made.page.width == 420 and not made.stopped
    assert made._repr_png_().startswith(b'\x89PNG') and '3 panels' in repr(made)
    said = json.loads(Image.open(made.save(tmp_path/'a.png')).text[NOTE])
    assert said['captions'] == ['Früh.', '', 'Spät.'] and said['frames'] == made.frames and said['styles'] == ['wave']
    assert made.save(tmp_path/'a.jpg').exists()

def test_a_folder_a_clip_and_a_part_of_it(clip, frames, atelier, tmp_path):
    for i, frame in enumerate(frames[:20]): Image.fromarray(frame).save(tmp_path/f'{i}.png')
    assert max(comic(tmp_path, 'wave', 2, atelier=atelier, **HOW).frames) < 20
    part = comic(clip, 'wave', 1, start=52, stop=60, atelier=atelier, **HOW)
    same = comic(Clip(clip, 52, 60), 'wave', 1, atelier=atelier, **HOW)
    assert part.frames == same.frames and 52 <= part.frames[0] < 60 and part.page.tobytes() == same.page.tobytes()

def test_pictures_of_several_sizes_keep_their_order(atelier):
    pictures = [sample('cat'), sample('rocket').resize((90, 160)), np.asarray(sample('coffee'))]
    made = comic(pictures, ['wave', 'dots'], atelier=atelier, **HOW)
    assert made.frames == [0, 1, 2] and len(made.panels) == 3

def test_in_steps_a_page_carries_a_recipe(atelier, tmp_path):
    how = {k: v for k, v in HOW.items() if k != 'retouch'}
    made = comic([sample('cat')], sample('dots'), by='stylize', steps=2, **how)
    assert Recipe.load(made.save(tmp_path/'a.png')).steps == 2

def test_ctrl_c_keeps_the_panels_that_are_there(clip, atelier, monkeypatch):
    done = []
    def painted(picture, *_, **__):
        done.append(picture)
        if len(done) == 4: raise KeyboardInterrupt
        return picture
    monkeypatch.setattr('style_nb.comics.instant', painted)
    made = comic(clip, 'wave', 3, ['one', 'two', 'three'], progress=False, page=(420, 594))  # the first call only tries
    assert len(made.panels) == len(made.frames) == len(made.captions) == 2 and made.stopped and made.page.width == 420
    done[:] = [None, None]
    monkeypatch.setattr('style_nb.comics.instant', lambda *_, **__: 1/0)
    with pytest.raises(ZeroDivisionError): comic(clip, 'wave', 3, progress=False)

@pytest.mark.parametrize('wrong, words', [
    (dict(panels=0), 'panels is 0'), (dict(panels=13), 'at most 12'), (dict(ink=2), 'ink is 2'),
    (dict(tones=1), 'tones is 1'), (dict(page=(10, 10)), 'page is 10'), (dict(by='me'), 'instant, stylize'),
    (dict(captions='a b c d'.split()), '4 captions'),
    (dict(captions=[3]), 'captions has 3'), (dict(steps=3), "by='stylize'"), (dict(style='missing.jpg'), 'no file'),
    (dict(start=500), 'start is 500'), (dict(stroke=9), 'stroke is 9'), (dict(by='stylize', sise=3), "'sise'"),
    (dict(source='none.mp4'), 'There is no clip'), (dict(source=[]), 'no picture')])
def test_mistakes_are_said_before_the_film_is_read(clip, wrong, words, monkeypatch):
    monkeypatch.setattr('style_nb.comics.sights', lambda *_: 1/0)
    with pytest.raises(StyleNBError) as e: comic(**dict(source=clip, style='wave', panels=3) | wrong)
    assert words in str(e.value) and '\n' not in str(e.value)

def test_command_line(clip, tmp_path, capsys):
    page, texts = tmp_path/'page.png', tmp_path/'texts.txt'
    texts.write_text('Eins\n\nDrei\n', encoding='utf-8')
    words = ['comic', str(clip), 'wave', '-o', str(page), *'--panels 3 --page 420 594 --size 96'.split()]
    assert main([*words, '--captions', str(texts)]) == 0
    assert '3 panels' in capsys.readouterr().err
    assert json.loads(Image.open(page).text[NOTE])['captions'] == ['Eins', '', 'Drei']
    page.unlink()
    for more in (['--captions', 'none.txt'], ['--steps', '3'], ['--captions', *'abcd'], ['--ink', '7']):
        assert main([*words, *more]) != 0
        assert capsys.readouterr().err.count('\n') == 1 and not page.exists()

def test_no_caption_vanishes_without_a_word(tmp_path):
    same = [sample('cat').resize((60, 40))]*3
    how = HOW | dict(page=(256, 256))
    with pytest.warns(UserWarning) as told: comic(same, 'wave', 2, ['one', 'two'], **how)
    assert "only 1 panel: 1 caption left out, 'two'" in str(told[-1].message)
    texts = tmp_path/'texts.txt'
    texts.write_text('Eins\n\n \n\n', encoding='utf-8')
    assert check_captions(_captions([str(texts)]), 1) == ['Eins']

ARABIC = ''.join(map(chr, range(0x621, 0x64b)))

def test_letters_that_a_font_lacks(monkeypatch):
    "Another font is taken where one has them; else it is said"
    other = FACE.with_name('DejaVuSans.ttf')
    letter = lacking(ARABIC)[0]
    monkeypatch.setattr(pages, 'findSystemFonts', lambda: ['none.ttf', str(FACE.with_name('cmr10.ttf')), str(other)])
    assert lacking(letter) == letter and caption_face(f'Oh {letter}') == other and caption_face('Oh') == FACE
    check_letters([letter])
    with pytest.warns(UserWarning, match='No font here has 漢 字: they are drawn as'): check_letters(['漢字', '字!'])

def test_a_page_that_takes_long_is_told_of(monkeypatch):
    monkeypatch.setattr('style_nb.comics._opened', lambda *_: 1/0)
    with pytest.warns(UserWarning, match='A page of 4000x4000 px is inked slowly, 7 times'):
        with pytest.raises(ZeroDivisionError): comic([sample('cat')], 'wave', page=(4000, 4000))
