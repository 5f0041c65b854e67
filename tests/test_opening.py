"What a file says beside its pixels: its white, its colours, its size, and where it comes from"
import base64, io, struct, zlib
import numpy as np, pytest, torch
from PIL import Image, ImageCms, ImageFile, ImageOps
from profiles import ADOBE, ALL_GREEN, GREY, P3
from style_nb.errors import BadFile
from style_nb.opening import MAX_PIXELS, smaller, strips, upright
from style_nb.pictures import load_picture, open_picture, save_picture
from style_nb.masks import load_mask

def stored(im, form, **kwargs):
    buf = io.BytesIO()
    im.save(buf, form, **kwargs)
    return buf.getvalue()

def colour(x, at=(2, 2)): return [round(v, 3) for v in x[0, :, at[0], at[1]].tolist()]
green = Image.new('RGB', (16, 12), (60, 200, 60))

@pytest.mark.parametrize('form,kw', [
    ('PNG', {}), ('TIFF', {}), ('WEBP', dict(lossless=True)), ('JPEG', dict(quality=100, subsampling=0))])
def test_adobe_rgb_becomes_srgb(form, kw):
    got = colour(load_picture(stored(green, form, icc_profile=ADOBE, **kw)))
    assert got == pytest.approx([0, .788, .145], abs=.012)

def test_an_open_picture_has_its_profile_too(tmp_path):
    green.save(tmp_path/'a.png', icc_profile=ADOBE)
    with Image.open(tmp_path/'a.png') as im: assert colour(load_picture(im)) == pytest.approx([0, .788, .145], abs=.006)
    assert colour(load_picture(tmp_path/'a.png', 8)) == pytest.approx([0, .788, .145], abs=.006)

def test_p3_is_stronger():
    r, g, b = colour(load_picture(stored(green, 'PNG', icc_profile=P3)))
    assert r < 60/255 - .1 and g > 200/255

def test_alpha_stays_as_it_is():
    im = Image.new('RGBA', (16, 12), (60, 200, 60, 128))
    up = upright(Image.open(io.BytesIO(stored(im, 'PNG', icc_profile=ADOBE))))
    assert up.mode == 'RGBA' and up.getpixel((3, 3))[3] == 128 and up.getpixel((3, 3))[0] == 0

def test_grey_with_a_profile_of_greys_or_of_colours():
    half = Image.new('L', (16, 12), 128)
    assert colour(load_picture(stored(half, 'PNG', icc_profile=GREY)))[0] == pytest.approx(.737, abs=.01)  # linear
    assert colour(load_picture(stored(half, 'JPEG', icc_profile=ADOBE)))[0] == pytest.approx(.5, abs=.01)
    clear = Image.new('LA', (16, 12), (128, 255))
    assert colour(load_picture(stored(clear, 'PNG', icc_profile=GREY)))[0] == pytest.approx(.737, abs=.01)

def test_palettes_have_colours_too():
    im = green.quantize(4)
    assert colour(load_picture(stored(im, 'PNG', icc_profile=ADOBE))) == pytest.approx([0, .788, .145], abs=.006)

@pytest.mark.parametrize('form', ['TIFF', 'JPEG'])
def test_cmyk_with_a_profile(form):
    ink = Image.new('CMYK', (16, 12), (255, 0, 0, 0))
    r, g, b = colour(load_picture(stored(ink, form, icc_profile=ALL_GREEN)))
    assert g > r + .2 and g > b + .2  # without the profile it is cyan
    assert colour(load_picture(stored(ink, form)))[2] > .95

@pytest.mark.parametrize('profile', [
    b'x', b'broken'*50, ADOBE[:300], GREY, ALL_GREEN, ADOBE[:16] + b'\xff'*40 + ADOBE[56:]])
def test_a_profile_that_does_not_fit_is_passed_over(profile):
    got = colour(load_picture(stored(green, 'PNG', icc_profile=profile)))
    assert got == pytest.approx([60/255, 200/255, 60/255], abs=.001)

def test_srgb_changes_nothing():
    a = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    assert np.array_equal(np.asarray(open_picture(stored(Image.fromarray(a), 'PNG', icc_profile=srgb))), a)

# ---- white

def tiff(a): return stored(Image.fromarray(a), 'TIFF')
ramp = np.linspace(0, 1, 64)[None].repeat(8, 0)

@pytest.mark.parametrize('a', [
    (ramp*255).astype(np.int32), (ramp*65535).astype(np.int32), (ramp*65535).astype(np.uint16),
    (ramp*1.04 - .02).astype(np.float32), (ramp*255).astype(np.float32), (ramp*65535).astype(np.float32),
    (ramp*258 - 2).astype(np.float32), (ramp*255).round().astype(np.uint8)])
def test_the_values_say_what_is_white(a):
    x = load_picture(tiff(a))
    assert x.mean().item() == pytest.approx(.5, abs=.01) and x.max() > .98 and x.min() < .02

@pytest.mark.parametrize('a', [
    (ramp*1).round().astype(np.int32), (ramp*3).astype(np.float32), (ramp*900).astype(np.int32),
    (ramp*900).astype(np.float32), (ramp*2**20).astype(np.int32), (ramp*255 - 100).astype(np.int32),
    (ramp*2 - 1).astype(np.float32), (ramp*255).astype(np.uint16)])
def test_a_white_that_could_be_two_is_refused(refused, tmp_path, a):
    (tmp_path/'scan.tif').write_bytes(tiff(a))
    refused(lambda: load_picture(tmp_path/'scan.tif'), 'scan.tif', 'run from', 'so that white is 1')
    refused(lambda: load_picture(Image.fromarray(a)), 'run from')

def test_black_is_black():
    for kind in (np.uint16, np.int32, np.float32): assert load_picture(tiff(np.zeros((8, 8), kind))).max() == 0

def test_not_a_number(refused):
    a = ramp.astype(np.float32)
    for bad in (np.nan, np.inf):
        a[3, 3] = bad
        refused(lambda: load_picture(tiff(a)), 'NaN or infinity')

@pytest.mark.parametrize('kind', [int, np.uint8, np.int32, np.uint16, np.uint64])
def test_arrays_of_labels_are_no_pictures(refused, kind):
    refused(lambda: load_picture(np.ones((8, 8), kind)), 'up to 1 only', 'labels == 1')
    assert load_picture(np.zeros((8, 8), kind)).max() == 0

def test_tensors_of_labels_are_no_pictures(refused):
    refused(lambda: load_picture(torch.ones(1, 8, 8, dtype=torch.int64)), 'up to 1 only', 'labels == 1')
    refused(lambda: load_picture(np.full((8, 8), 200, np.uint16)), 'up to 200 only')

@pytest.mark.parametrize('kind', ['<u2', '>u2', '>f4', '<f8', '>f8', '>i4', '>i8', '<f2'])
def test_any_byte_order(kind):
    top = {'u': 65535, 'f': 1, 'i': 255}[kind[1]]
    x = load_picture((ramp*top).astype(kind))
    assert x.mean().item() == pytest.approx(.5, abs=.01) and x.max().item() == pytest.approx(1, abs=.001)

# ---- where from

def test_what_is_open(tmp_path):
    data = stored(green, 'PNG')
    (tmp_path/'a.png').write_bytes(data)
    buf = io.BytesIO(data)
    with open(tmp_path/'a.png', 'rb') as file:
        for given in (buf, buf, file, file): assert torch.equal(load_picture(given), load_picture(data))
    fresh = io.BytesIO()
    green.save(fresh, 'PNG')  # it stands at its end
    assert torch.equal(load_picture(fresh), load_picture(data)) and fresh.tell() == len(data)

def test_what_is_open_and_cannot_be_read(refused, tmp_path):
    (tmp_path/'a.png').write_bytes(stored(green, 'PNG'))
    with open(tmp_path/'a.png', encoding='latin-1') as text: refused(lambda: load_picture(text), "open(path, 'rb')")
    with open(tmp_path/'a.png', 'rb') as file: pass
    refused(lambda: load_picture(file), 'closed file', 'open it again')
    with open(tmp_path/'b.png', 'wb') as file: refused(lambda: load_picture(file), 'cannot be read')

def test_data_addresses(refused):
    from urllib.parse import quote
    data = stored(green, 'PNG')
    coded = base64.b64encode(data).decode()
    for address in (f'data:image/png;base64,{coded}', f'DATA:;base64,{coded[:40]}\n{coded[40:]}',
                    'data:image/png,' + quote(data), 'data:image/png;base64,' + quote(coded)):
        assert torch.equal(load_picture(address), load_picture(data))
    for bad in ('data:', 'data:image/png;base64', 'data:image/png;base64,@', 'data:image/png;base64,aaaaa'):
        refused(lambda: load_picture(bad), 'data:')
    refused(lambda: load_picture('data:image/png;base64,' + coded[:40]), 'the data: address')

# ---- how large

def photo(w, h):
    "A smooth picture that is quick to make and to encode."
    return Image.radial_gradient('L').convert('RGB').resize((w, h))

@pytest.mark.parametrize('form', ['JPEG', 'PNG'])
def test_a_photo_is_shrunk_while_it_is_read(form):
    data = stored(photo(3000, 2000), form)
    x, whole = load_picture(data, enough=100), load_picture(data)
    assert x.shape[-2:] == (67, 100) and whole.shape[-1] == 3000
    small = [load_picture(data, 100), torch.nn.functional.interpolate(whole, (67, 100), mode='bicubic', antialias=True)]
    assert (small[0] - small[1]).abs().max() < .02
    for given in (Image.open(io.BytesIO(data)), whole, whole.numpy()[0].transpose(1, 2, 0)):
        assert load_picture(given, enough=100).shape[-2:] == (67, 100)

def test_what_is_enough_is_checked(refused):
    for wrong, words in (('x', 'enough is'), (-1, 'enough is -1'), (float('nan'), 'enough is nan')):
        refused(lambda: load_picture(photo(30, 20), enough=wrong), words)

def test_small_pictures_are_left_alone():
    data = stored(photo(1500, 1000), 'JPEG')
    assert torch.equal(load_picture(data, enough=10), load_picture(data))

def test_a_lying_photo_is_shrunk_too():
    exif = Image.Exif()
    exif[274] = 6
    assert load_picture(stored(photo(3000, 2000), 'JPEG', exif=exif), enough=100).shape == (1, 3, 100, 67)

def test_a_huge_picture_in_a_small_file(refused, tmp_path):
    Image.new('1', (12000, 12000)).save(tmp_path/'bomb.png')
    assert 12000**2 > MAX_PIXELS
    refused(lambda: load_picture(tmp_path/'bomb.png'), 'bomb.png', '12000x12000 px', 'at most 120 million')
    Image.new('1', (30000, 30000)).save(tmp_path/'worse.png')
    refused(lambda: load_picture(tmp_path/'worse.png'), 'worse.png', '30000x30000 px', 'at most 120 million')

def header(w, h):
    "A PNG that says how large it is, and little else."
    parts = b''
    for kind, data in ((b'IHDR', struct.pack('>IIBBBBB', w, h, 8, 2, 0, 0, 0)), (b'IDAT', zlib.compress(bytes(99)))):
        parts += struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    return b'\x89PNG\r\n\x1a\n' + parts

@pytest.mark.parametrize('w,h', [(40, 1048616), (1048616, 40), (2, 9), (100, 2001)])
def test_sides_are_looked_at_before_pixels(refused, monkeypatch, w, h):
    monkeypatch.setattr(ImageFile.ImageFile, 'load', lambda self: 1/0)
    for read in (load_picture, open_picture, load_mask): refused(lambda: read(header(w, h)), f'{w}x{h} px')
    with pytest.raises(BadFile): load_picture(header(w, h))
    with pytest.raises(BadFile, match='at most 120 million'): load_picture(header(20000, 7000))

def test_pil_has_a_limit_of_its_own_and_keeps_it(monkeypatch, recwarn):
    data = stored(Image.new('1', (10000, 10000), 1), 'PNG')
    assert Image.MAX_IMAGE_PIXELS < 10**8 < MAX_PIXELS
    assert load_picture(data, enough=50).min() == 1 and not len(recwarn)
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1000)
    for form in ('JPEG', 'PNG', 'GIF', 'BMP', 'TIFF'):
        x = load_picture(stored(photo(2400, 1800), form), enough=60)
        assert x.shape == (1, 3, 45, 60) and not len(recwarn), form
    assert Image.MAX_IMAGE_PIXELS == 1000

def test_a_photo_of_a_telephone_is_called_by_its_name(tmp_path, refused):
    heic = b'\0\0\0\x18ftypheic\0\0\0\0mif1heic' + bytes(99)
    refused(lambda: load_picture(heic), 'an HEIC photo', 'give a JPEG')

@pytest.mark.parametrize('form', ['PPM', 'ICO', 'TGA', 'SGI', 'EPS', 'PCX', 'JPEG2000'])
def test_no_other_formats(refused, form):
    refused(lambda: load_picture(stored(green, form)), 'not a picture that can be read', 'give a JPEG, PNG')

# ---- in strips

MADE = dict(
    RGB=lambda im: im,
    L=lambda im: im.convert('L'),
    P=lambda im: im.quantize(16),
    CMYK=lambda im: im.convert('CMYK'),
    LA=lambda im: im.convert('LA'),
    RGBA=lambda im: Image.merge('RGBA', [*im.split(), Image.new('L', im.size, 128)]),
    deep=lambda im: Image.fromarray(np.asarray(im.convert('L'), np.uint16)*257),
    long=lambda im: Image.fromarray(np.asarray(im.convert('L'), np.int32)),
    float=lambda im: Image.fromarray(np.asarray(im.convert('L'), np.float32)/255),
    bits=lambda im: im.convert('1'))

@pytest.mark.parametrize('mode', MADE)
@pytest.mark.parametrize('size', [(2503, 1607), (1607, 2503)])
def test_a_large_picture_in_strips_is_the_same(mode, size):
    im = MADE[mode](Image.effect_noise(size, 50).convert('RGB'))
    whole, wanted = upright(im), smaller(size, 100)
    got, right = upright(im, 100), whole.resize(wanted, Image.BICUBIC, reducing_gap=2)
    apart = abs(np.asarray(got, int) - np.asarray(right, int))
    assert (got.mode, got.size) == (right.mode, wanted)
    # Pillow 12, the last for Python 3.10, rounds colours beside alpha less exactly than 13
    near = 4 if 'A' in mode else 1 if mode in ('P', 'CMYK') else 0
    assert apart.max() <= near

def test_strips_are_the_whole():
    for im in [made(photo(70, 600)) for made in MADE.values()]:
        parts = [np.asarray(strip) for _, strip in strips(im, 128)]
        assert len(parts) == 5 and np.array_equal(np.concatenate(parts), np.asarray(im)), im.mode

@pytest.mark.parametrize('way', range(1, 9))
def test_every_way_to_lie(way):
    im = Image.effect_noise((60, 40), 50).convert('RGB')
    exif = Image.Exif()
    exif[274] = way
    for form in ('JPEG', 'PNG', 'WEBP', 'TIFF'):
        file = Image.open(io.BytesIO(stored(im, form, exif=exif)))
        right = ImageOps.exif_transpose(file).convert('RGB')
        assert np.array_equal(np.asarray(upright(upright(file))), np.asarray(right)), form
        assert np.array_equal(np.asarray(open_picture(stored(im, form, exif=exif))), np.asarray(right)), form

def test_what_was_given_stays_as_it_is(tmp_path):
    im = green.copy()
    im.info['dpi'] = 72, 72
    assert upright(im) is im  # no copy where there is nothing to do
    save_picture(im, tmp_path/'a.png', alpha=Image.new('L', (4, 4), 9))
    x = torch.rand(1, 3, 8, 8)
    load_picture(x).zero_()
    assert im.mode == 'RGB' and im.info == dict(dpi=(72, 72)) and x.max() > 0
    with Image.open(tmp_path/'a.png') as lazy: early = upright(lazy.convert('RGB')), upright(lazy)
    assert all(o.size == (16, 12) and o.copy() for o in early)  # though the file is closed

def test_a_webp_is_looked_at_before_its_reader_makes_room(monkeypatch, refused):
    "A header of 40x4194344 px took 1.3 GB at once"
    f = io.BytesIO()
    Image.new('RGB', (40, 50)).save(f, 'WEBP', exif=Image.Exif().tobytes() + b'\0'*20)
    data = bytearray(f.getvalue())
    assert data[12:16] == b'VP8X'
    data[27:30] = (4194344 - 1).to_bytes(3, 'little')
    def reads(*_): raise AssertionError('it was read')
    monkeypatch.setattr('PIL.WebPImagePlugin.WebPImageFile._open', reads)
    refused(lambda: load_picture(bytes(data)), '40x4194344 px', '60 million')
