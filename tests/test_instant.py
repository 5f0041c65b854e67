"A photo painted at once: sizes, styles, masks, strength, and what is refused"
import io, subprocess, sys
import numpy as np
import pytest, torch
from forked import Program
from PIL import Image
from style_nb.cli import main
from style_nb.errors import StyleNBError
from style_nb.gallery import sample
from style_nb.house import SIDES, blend_moments, house_of_styles, store_style, write_styles
from style_nb.instant import instant, style_sheet

photo = sample('cat').resize((96, 72))


def pixels(im): return np.asarray(im.convert('RGB'), float)


@pytest.mark.parametrize('size', [(96, 72), (97, 71), (16, 16), (33, 20), (300, 17), (17, 300), (64, 64)])
def test_any_photo_keeps_its_size(size):
    made = instant(sample('cat').resize(size), 'dots', size='own')
    assert made.size == size and made.mode == 'RGB'


@pytest.mark.parametrize('painting', [(16, 16), (400, 20), (20, 400), (1000, 700), (24, 24)])
def test_any_painting_will_do(painting):
    made = pixels(instant(photo, sample('swirls').resize(painting), size=96))
    assert np.abs(made - pixels(photo)).mean() > 3


def test_same_again():
    assert instant(photo, 'wave').tobytes() == instant(photo, 'wave').tobytes()


def test_strength_is_between_photo_and_picture():
    none, half, whole = (pixels(instant(photo, 'swirls', s, size='own')) for s in (0, .5, 1))
    assert np.array_equal(none, pixels(photo))
    assert np.abs(half - (none + whole)/2).max() <= 1


def test_a_blend_is_neither():
    a, b, both = (pixels(instant(photo, s)) for s in ('swirls', 'dots', ['swirls', 'dots']))
    assert np.abs(both - a).mean() > 2 and np.abs(both - b).mean() > 2
    mostly = pixels(instant(photo, ['swirls', 'dots'], weights=[9, 1]))
    assert np.abs(mostly - a).mean() < np.abs(both - a).mean()


def test_each_style_where_its_mask_is():
    left = torch.zeros(1, 1, 72, 96)
    left[..., :48] = 1
    a, b = (pixels(instant(photo, s, size='own')) for s in ('swirls', 'dots'))
    made = pixels(instant(photo, ['swirls', 'dots'], size='own', masks=[left, 1 - left]))
    assert np.abs(made[:, :40] - a[:, :40]).max() <= 1 and np.abs(made[:, 56:] - b[:, 56:]).max() <= 1
    only = pixels(instant(photo, 'swirls', size='own', masks=[left]))
    assert np.abs(only[:, 56:] - pixels(photo)[:, 56:]).max() <= 1


def test_strokes_have_a_size():
    fine, usual = (pixels(instant(sample('astronaut'), sample('mosaic'), size=256, stroke=s)) for s in (.4, 1))
    assert np.abs(fine - usual).mean() > 2


def test_colours_of_the_photo_are_kept():
    def apart(**how):
        made = instant(photo, 'swirls', size='own', **how)
        return np.abs(np.subtract(*(np.asarray(im.convert('YCbCr'), float)[..., 1:] for im in (made, photo)))).mean()
    assert apart(colours='content-luma') < apart()/2


def test_a_transparent_photo_stays_so():
    clear = photo.convert('RGBA')
    clear.putalpha(Image.linear_gradient('L').resize(photo.size))
    made = instant(clear, 'dots', size=48)
    assert made.mode == 'RGBA'
    assert made.getchannel('A').getextrema() == clear.getchannel('A').resize(made.size).getextrema()


def test_what_nobody_sees_does_not_count():
    "Under what is wholly transparent lies white, as in `stylize`"
    def painted(colour):
        clear = Image.new('RGBA', photo.size, (*colour, 0))
        clear.paste(photo.crop((40, 0, 96, 72)), (40, 0))
        return instant(clear, 'dots', size=64, retouch=2).tobytes()
    assert painted((255, 0, 0)) == painted((0, 0, 255))


def test_a_large_photo_gets_the_change_enlarged():
    "Sharp lines of the photo that the smaller picture cannot hold are still there"
    lines = np.zeros((1600, 1600, 3), np.uint8)
    lines[:, ::2] = 255
    made = pixels(instant(Image.fromarray(lines), 'dots', size='own'))
    assert np.abs(np.diff(made[800, 700:900].mean(-1))).mean() > 60


def test_every_stored_style_has_name_and_credit():
    house = house_of_styles()
    assert len(house) >= 12
    for name, style in house.items():
        assert name == style.name and style.title and style.credit and len(style.looks) == len(SIDES)
        assert all(m.second.isfinite().all() for look in style.looks for m in look.values())


def test_a_stored_style_is_its_painting():
    "Nearly: it was taken down at four sizes, in few bytes"
    stored = pixels(instant(sample('astronaut'), 'swirls', size=432))
    painted = pixels(instant(sample('astronaut'), sample('swirls'), size=432))
    plain = pixels(sample('astronaut').resize((432, 432)))
    assert np.abs(stored - painted).mean() < .25*np.abs(plain - painted).mean()


def test_a_house_of_ones_own(tmp_path):
    mine = store_style('mine', sample('ink'), 'Ink', 'me')
    file = write_styles([mine], tmp_path/'mine.safetensors')
    again = house_of_styles(file)['mine']
    assert repr(again) == 'mine: Ink. me'
    close = np.subtract(*(pixels(instant(photo, style, retouch=0)) for style in (again, mine)))
    assert np.abs(close).mean() < 3
    whole = file.read_bytes()
    for changed in (whole[:-3] + b'abc', whole.replace(b'Ink', b'Oil')):
        file.write_bytes(changed)
        with pytest.raises(StyleNBError, match='damaged'): house_of_styles(file)


def test_between_two_sizes_is_a_mixture():
    style = house_of_styles()['wave']
    low, high = style.at(324)['relu2_1'].mean, style.at(162)['relu2_1'].mean
    assert torch.allclose(style.at(324/2**.5)['relu2_1'].mean, (low + high)/2, atol=1e-4)
    assert torch.equal(style.at(5000)['relu1_1'].mean, style.at(648)['relu1_1'].mean)
    assert torch.equal(style.at(3)['relu1_1'].mean, style.at(81)['relu1_1'].mean)


def test_blends_of_numbers():
    m = house_of_styles()['wave'].colours
    assert torch.allclose(blend_moments([m, m], [2, 5]).second, m.second)


@pytest.mark.parametrize('how, said', [
    (dict(style='no_such_style'), 'wave'),
    (dict(style='none.jpg'), 'none.jpg'),
    (dict(strength=3), 'strength'),
    (dict(strength='much'), 'strength'),
    (dict(stroke=0), 'stroke'),
    (dict(size=3), 'size'),
    (dict(size=100_000), 'size'),
    (dict(style=[]), 'style'),
    (dict(style=['dots', 'ink'], weights=[1]), 'blend'),
    (dict(style=['dots', 'ink'], masks=[np.ones((72, 96))]), 'mask'),
    (dict(masks=[np.zeros((72, 96))]), 'black'),
    (dict(colours='pink'), 'colours'),
    (dict(device='tpu'), 'device'),
    (dict(photo=3), 'picture'),
])
def test_refused_in_one_line(how, said):
    with pytest.raises(StyleNBError) as e: instant(**dict(photo=photo, style='dots') | how)
    assert said in str(e.value) and '\n' not in str(e.value)


def test_other_defaults_change_nothing():
    made = instant(photo, 'dots').tobytes()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode(), torch.autocast('cpu', torch.bfloat16): again = instant(photo, 'dots').tobytes()
    finally: torch.set_default_dtype(torch.float32)
    assert again == made


def test_a_sheet_shows_every_style():
    sheet = style_sheet(photo, ['wave', 'dots'], size=64)
    assert len(sheet.axes) >= 3
    for none in ([], {}):
        with pytest.raises(StyleNBError, match='give at least one'): style_sheet(photo, none)


def test_through_a_pipe():
    data = io.BytesIO()
    photo.save(data, 'PNG')
    words = [sys.executable, '-m', 'style_nb.cli', 'instant', '-', 'wave', '-o', '-', '--size', 'own']
    piped = subprocess.run(words, input=data.getvalue(), capture_output=True, check=True)
    assert Image.open(io.BytesIO(piped.stdout)).size == photo.size


def test_a_folder_from_the_shell(tmp_path, capsys):
    "A photo that is none is named once; a mask is not written over"
    (tmp_path/'in').mkdir()
    photo.save(tmp_path/'in/cat.png')
    (tmp_path/'in/bad.png').write_bytes(b'no picture')
    asked = ['instant', str(tmp_path/'in'), 'wave', '-o', str(tmp_path/'out'), '--size', '64', '-q']
    assert main(asked) == 1
    assert [p.name for p in (tmp_path/'out').iterdir()] == ['cat.png']
    assert capsys.readouterr().err.splitlines()[0].count('bad.png') == 1
    (tmp_path/'in/bad.png').unlink()
    Image.new('L', photo.size, 255).save(tmp_path/'out/cat.png')
    before = (tmp_path/'out/cat.png').read_bytes()
    assert main([*asked, '--mask', str(tmp_path/'out/cat.png')]) == 1
    assert (tmp_path/'out/cat.png').read_bytes() == before


def test_two_files_of_one_name_are_two_styles(tmp_path):
    for folder in ('a', 'b'):
        (tmp_path/folder).mkdir()
        sample('dots').resize((64, 64)).save(tmp_path/folder/'p.png')
    sheet = style_sheet(photo, [tmp_path/'a/p.png', tmp_path/'b/p.png'], size=64)
    assert [a.get_title() for a in sheet.axes][:3] == ['photo', 'p.png', 'p.png (2)']


@pytest.mark.parametrize('weights', [[1e308, 1e308], [1e-320, 1e-320]])
def test_only_the_proportion_of_weights_counts(weights):
    assert instant(photo, ['swirls', 'dots'], weights=weights).tobytes() == instant(photo, ['swirls', 'dots']).tobytes()


def test_an_address_is_no_name():
    with pytest.raises(StyleNBError) as said: instant(photo, 'https://127.0.0.1:9/pic')
    assert 'swirls' not in str(said.value)


@pytest.mark.parametrize('name', ['', 'two words', 3, None, 'x'*99])
def test_a_stored_style_has_one_word(name):
    with pytest.raises(StyleNBError, match='one word'): store_style(name, photo)


def test_a_house_of_nothing_is_refused(tmp_path):
    style = house_of_styles()['wave']
    for styles in ([], None, ['wave'], [style, style], [None]):
        with pytest.raises(StyleNBError): write_styles(styles, tmp_path/'a.safetensors')
    assert write_styles(style, tmp_path/'a.safetensors').exists() and not (tmp_path/'b.safetensors').exists()


def test_refused_from_the_shell(tmp_path, capsys):
    "A sheet and a folder are in notebook 89"
    photo.save(tmp_path/'cat.png')
    assert main(['instant', str(tmp_path/'cat.png'), 'weve', '-o', str(tmp_path/'a.png')]) == 2
    said = capsys.readouterr().err
    assert "'wave'" in said and said.count('\n') == 1 and not (tmp_path/'a.png').exists()


def test_a_picture_of_4k_in_two_gigabytes(tmp_path):
    code = '''if True:
        import resource
        from style_nb.gallery import sample
        from style_nb.instant import instant
        made = instant(sample('cat').resize((3840, 2160)), 'wave', size='own')
        assert made.size == (3840, 2160)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        '''
    p = Program(code, tmp_path)
    assert p.ended() == 0, p.said()
    assert int(p.said(1))*1024 < 2e9


def test_a_sheet_has_a_size_of_its_own(tmp_path, capsys):
    photo.save(tmp_path/'cat.png')
    asked = ['instant', str(tmp_path/'cat.png'), 'wave', '-o', str(tmp_path/'s.png'), '--sheet', '--size', 'own']
    assert main(asked) == 1
    assert '--sheet takes no --size own' in capsys.readouterr().err
