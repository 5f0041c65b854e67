"The pictures of a run: read as large as they are needed, referred to by their files, and what of them is kept"
import hashlib, io, tracemalloc
import numpy as np, pytest, torch
from PIL import Image, ImageCms
from style_nb.colour import match_colours
from style_nb.inputs import enough_for, is_start, read_picture
from style_nb.learner import StyleLoss
from style_nb.pictures import load_picture, save_picture, to_pil
from style_nb.opening import credits_of
from style_nb.planning import settle
from style_nb.recipe import Recipe, picture_ref, same_picture
from style_nb.transfer import stylize

QUICK = dict(size=48, steps=4, levels=1, progress=False)

def sheet(path, w=3000, h=2000, **kwargs):
    Image.radial_gradient('L').convert('RGB').resize((w, h)).save(path, **kwargs)
    return path

# ---- as large as is needed

def test_a_run_reads_photos_as_large_as_it_needs(tmp_path, painting):
    photo, style = sheet(tmp_path/'a.jpg'), sheet(tmp_path/'b.png', 2000, 3000)
    plan = settle(photo, [style, painting], size=64, style_scale=[1.5, 1.], init=sheet(tmp_path/'c.jpg'))
    assert plan.content.shape[-2:] == (43, 64) and plan.styles[0].shape[-2:] == (96, 64)
    assert torch.equal(plan.styles[1], painting) and plan.init.shape[-2:] == (43, 64)
    assert plan.recipe.content == dict(
        name='a.jpg', sha256=hashlib.sha256(photo.read_bytes()).hexdigest(), size=[3000, 2000], of='file')

def test_enough():
    assert enough_for(Recipe(size=100, style_scale=[.5, 2.]), 2) == [100, 100, 200]
    assert enough_for(None, 1) == [None, None]

def test_masks_of_photos_are_small_too(tmp_path, painting):
    photo, mask = sheet(tmp_path/'a.jpg'), sheet(tmp_path/'m.png')
    plan = settle(photo, painting, size=64, style_scale=1., masks=[mask])
    assert plan.masks['masks'][0].shape[-2:] == (43, 64)

@pytest.mark.parametrize('given', ['file', 'open file', 'PIL', 'PIL with alpha', 'array', 'tensor'])
def test_a_photo_in_memory_is_as_large_as_is_needed_too(tmp_path, given):
    file = sheet(tmp_path/'a.png')
    im = Image.open(file)
    clear = Image.merge('RGBA', [*im.split(), Image.new('L', im.size, 255)])
    made = {
        'file': file,
        'open file': io.BytesIO(file.read_bytes()),
        'PIL': im,
        'PIL with alpha': clear,
        'array': np.asarray(im),
        'tensor': load_picture(im)}[given]
    read = read_picture(made, 'a', 60)
    assert read.x.shape == (1, 3, 40, 60) and read.ref['size'] == [3000, 2000]
    assert read.ref['sha256'] == hashlib.sha256(file.read_bytes() if 'file' in given else im.tobytes()).hexdigest()
    assert (read.x - read_picture(im, 'a', 60).x).abs().max() < .02
    assert read_picture(read, 'b', 60) is read

def test_a_hash_needs_no_second_copy():
    x = Image.radial_gradient('L').convert('RGB').resize((3000, 2000))
    tracemalloc.start()
    try:
        picture_ref(x)
        assert tracemalloc.get_traced_memory()[1] < x.width*x.height
    finally: tracemalloc.stop()

# ---- referred to

def test_the_same_picture(tmp_path, photo):
    save_picture(photo, tmp_path/'a.png')
    file, pixels = read_picture(tmp_path/'a.png', 'a').ref, picture_ref(photo, 'a')
    again = read_picture(save_picture(photo, tmp_path/'b.tif'), 'b').ref
    assert same_picture(file, pixels) and same_picture(file, again) and same_picture(None, None)
    assert not same_picture(file, picture_ref(1 - photo)) and not same_picture(file, None)
    large = dict(sha256='a', of='file')
    assert same_picture(large, pixels) is None and same_picture(large, dict(large))

def test_a_run_goes_on_with_a_file_that_was_pixels_before(tmp_path, painting, refused):
    photo = sheet(tmp_path/'a.png')
    with Image.open(photo) as im: r = stylize(im, painting, **QUICK)
    assert 'of' not in r.recipe.content  # as in schema 1
    on = stylize(photo, painting, resume=r, **QUICK | dict(steps=6))
    assert len(on.history) == 2 and on.recipe.content['of'] == 'file'
    other = sheet(tmp_path/'other.png', 3000, 1990)
    refused(lambda: stylize(other, painting, resume=r, **QUICK | dict(steps=6)), 'not the one this run began with')
    with Image.open(photo) as im:
        refused(lambda: stylize(im, painting, resume=on, **QUICK | dict(steps=8)), 'give the same file')

# ---- reasonable things to give

def test_styles_from_a_generator_a_dict_or_an_array_of_weights(photo, painting, painting2):
    two = [painting, painting2]
    want = stylize(photo, two, style_blend=[2, 1], **QUICK).image.tobytes()
    for styles in ((s for s in two), dict(a=painting, b=painting2), map(to_pil, two)):
        for blend in (np.array([2, 1]), np.array([2., 1.], np.float32), torch.tensor([2., 1.])):
            styles = list(styles) if not isinstance(styles, dict) else styles
            assert stylize(photo, styles, style_blend=blend, **QUICK).image.tobytes() == want
    assert stylize(photo, (s for s in two), style_blend=(2, 1), **QUICK).image.tobytes() == want
    assert StyleLoss((s for s in two), blend=np.array([2, 1])).blend == [2, 1]
    assert torch.equal(match_colours(photo, (s for s in two)), match_colours(photo, two))

def test_an_init_without_suffix(tmp_path, photo, painting, refused, monkeypatch):
    to_pil(painting).save(tmp_path/'start', 'PNG')
    monkeypatch.chdir(tmp_path)
    want = stylize(photo, painting, init=painting, **QUICK).image.tobytes()
    for init in ('start', tmp_path/'start', str(tmp_path/'start'), open('start', 'rb')):
        assert stylize(photo, painting, init=init, **QUICK).image.tobytes() == want
    refused(lambda: stylize(photo, painting, init='stat', **QUICK), "init 'stat'", 'noise')
    assert is_start('noise') and not is_start('data:,x') and not is_start('https://a.b/c')

def test_open_files_and_data_addresses_have_short_names(tmp_path, photo, painting):
    import base64
    save_picture(photo, tmp_path/'me.png')
    data = (tmp_path/'me.png').read_bytes()
    with open(tmp_path/'me.png', 'rb') as file:
        assert settle(file, painting, size=48).recipe.content['name'] == 'me.png'
    address = 'data:image/png;base64,' + base64.b64encode(data).decode()
    for given in (address, io.BytesIO(data)):
        assert settle(given, painting, size=48).recipe.content['name'] == 'content'

# ---- kept in what is written

def test_transparency_is_kept(tmp_path, photo, painting):
    clear = to_pil(photo).convert('RGBA')
    clear.paste((0, 0, 0, 0), (0, 0, 32, 64))
    clear.save(tmp_path/'a.png')
    for content in (clear, tmp_path/'a.png', np.asarray(clear)):
        r = stylize(content, painting, **QUICK)
        for ext in ('png', 'webp', 'tif'):
            with Image.open(r.save(tmp_path/f'out.{ext}')) as im:
                assert im.mode == 'RGBA' and im.getpixel((4, 20))[3] == 0 and im.getpixel((40, 20))[3] == 255
        with Image.open(r.save(tmp_path/'out.jpg')) as im: assert im.mode == 'RGB'
    assert r.image.mode == 'RGB' and stylize(photo, painting, **QUICK).alpha is None

def test_a_result_hands_on_its_transparency_and_credits(photo, painting):
    clear = to_pil(photo).convert('RGBA')
    clear.putalpha(90)
    clear.getexif()[315] = 'Jo Doe'
    first = stylize(clear, painting, **QUICK)
    again = stylize(first, painting, **QUICK)
    assert again.alpha.getextrema() == (90, 90) and again.credits == first.credits == dict(author='Jo Doe')

@pytest.mark.parametrize('ext', ['png', 'jpg', 'webp', 'tif'])
def test_a_profile_and_dots_per_inch_are_written(tmp_path, photo, ext):
    p = save_picture(photo, tmp_path/f'a.{ext}')
    with Image.open(p) as im:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(im.info['icc_profile']))
        assert 'sRGB' in ImageCms.getProfileDescription(profile)
        if ext != 'webp': assert im.info['dpi'] == pytest.approx((300, 300), abs=.1)
    assert p.read_bytes() == save_picture(photo, tmp_path/f'b.{ext}').read_bytes()
    with Image.open(save_picture(photo, tmp_path/f'c.{ext}', dpi=(72, 72), icc_profile=None)) as im:
        assert 'icc_profile' not in im.info

@pytest.mark.parametrize('ext', ['png', 'jpg', 'webp', 'tif'])
def test_credits_are_kept_on_request(tmp_path, photo, painting, ext):
    exif = Image.Exif()
    exif[306], exif[315], exif[33432], exif[274] = '2026:05:02 10:00:00', 'Jo Doe', 'CC BY 4.0', 6
    exif.get_ifd(0x8769)[36867] = '2026:05:01 12:00:00'
    exif.get_ifd(0x8825)[1] = 'N'  # where it was taken
    to_pil(photo).save(tmp_path/'me.jpg', exif=exif)
    r = stylize(tmp_path/'me.jpg', painting, **QUICK)
    said = dict(date='2026:05:01 12:00:00', author='Jo Doe', copyright='CC BY 4.0')
    assert r.credits == said
    with Image.open(r.save(tmp_path/f'kept.{ext}', credits=True)) as im:
        assert credits_of(im) == said and im.getexif().get(274, 1) == 1 and not im.getexif().get_ifd(0x8825)
    with Image.open(r.save(tmp_path/f'plain.{ext}')) as im: assert credits_of(im) == {}
