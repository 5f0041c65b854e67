"What a person has becomes one form, or is refused in one line; files are written whole or not at all"
import functools, http.server, io, os, threading
from types import SimpleNamespace
import numpy as np, pytest, torch
from hypothesis import assume, given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from style_nb.pictures import *
from style_nb.pictures import PictureNotFound

rng = np.random.default_rng(0)
def colours(h=24, w=32, c=3): return rng.integers(0, 256, (h, w, c), dtype=np.uint8)
def pixels(x): return (x[0].permute(1, 2, 0)*255).round().to(torch.uint8).numpy()

def written(path, im, **kwargs):
    im.save(path, **kwargs)
    return load_picture(path)

# ---- refused

BAD = 'missing', 'nearly', 'folder', 'cut_jpeg', 'cut_end', 'cut_png', 'text', 'empty', 'one_pixel', 'strip'

def test_every_bad_file_is_listed(bad_files): assert set(BAD) == set(bad_files)

@pytest.mark.parametrize('kind', BAD)
@pytest.mark.parametrize('form', [str, lambda p: p], ids=['str', 'Path'])
def test_bad_file(bad_files, refused, kind, form):
    path, words = bad_files[kind]
    refused(lambda: load_picture(form(path)), *words)

@pytest.mark.parametrize('kind', ['cut_jpeg', 'cut_png', 'text', 'empty', 'one_pixel', 'strip'])
def test_bad_bytes(bad_files, refused, kind):
    refused(lambda: load_picture(bad_files[kind][0].read_bytes()), bad_files[kind][1][-1])

def test_missing_file_is_also_a_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError): load_picture(tmp_path/'no.png')
    assert issubclass(PictureNotFound, ValueError)

def test_a_name_too_long_for_the_file_system(refused): refused(lambda: load_picture('x'*5000))
def test_a_name_with_a_zero_byte(refused): refused(lambda: load_picture('a\0b.png'))
def test_a_home_that_is_not_there(refused): refused(lambda: load_picture('~no_such_user_here/a.png'))

def test_unreadable_file(tmp_path, monkeypatch, refused):
    p = tmp_path/'a.png'
    Image.new('RGB', (8, 8)).save(p)
    def no(*_): raise PermissionError(13, 'Permission denied')
    monkeypatch.setattr('style_nb.files.open', no, raising=False)
    refused(lambda: load_picture(p), str(p), 'Permission denied', 'Check its permissions')

half = np.full((8, 8, 3), .5)
def put(a, v, at=(3, 3, 1)):
    a = a.copy()
    a[at] = v
    return a

@pytest.mark.parametrize('a,words', [
    (put(half, np.nan), ['NaN']), (put(half, np.inf), ['infinity']), (put(half, -np.inf), ['infinity']),
    (put(half, 1.01), ['0.5 to 1.01', 'from 0 to 1']), (put(half, -.01), ['-0.01', 'from 0 to 1']),
    (half*255, ['127.5', 'from 0 to 1', '0 to 255']),
    (put(np.zeros((8, 8, 3), int), 256), ['1.004', '0 to 255']), (put(np.zeros((8, 8, 3), int), -1), ['0 to 255']),
    (np.zeros((8, 8, 2)), ['(8, 8, 2)', '(H, W, 3)']), (np.zeros((8, 8, 5)), ['(8, 8, 5)']),
    (np.zeros((3, 8, 8)), ['(3, 8, 8)', '(H, W, 3)']),
    (np.zeros((2, 8, 8, 3)), ['(2, 8, 8, 3)']), (np.zeros(8), ['(8,)']), (np.zeros(()), ['()']),
    (np.zeros((0, 8, 3)), ['0']), (np.zeros((8, 0)), ['0']),
    (np.zeros((8, 8, 3), complex), ['complex128', 'uint8']), (np.zeros((8, 8, 3), object), ['object', 'uint8']),
    (np.full((8, 8, 3), 'x'), ['uint8']),
    (np.zeros((20, 5000)), ['5000x20', 'at most 20 times']), (np.zeros((1, 1)), ['1x1', 'at least 4 px'])])
def test_bad_array(refused, a, words): refused(lambda: load_picture(a), *words)

@pytest.mark.parametrize('t,words', [
    (torch.full((3, 8, 8), torch.nan), ['NaN']), (torch.full((1, 3, 8, 8), 1.5), ['1.5', 'from 0 to 1']),
    (torch.full((3, 8, 8), 128.), ['128', '0 to 255']),
    (torch.zeros(2, 3, 8, 8), ['(2, 3, 8, 8)', 'one picture']), (torch.zeros(8, 8), ['(8, 8)', '(3, H, W)']),
    (torch.zeros(4, 8, 8), ['4, 8, 8)', '(3, H, W)']),
    (torch.zeros(8, 8, 3), ['8, 8, 3)', '(3, H, W)']), (torch.zeros(1, 3, 0, 8), ['0']),
    (torch.full((3, 8, 8), 300), ['0 to 255'])])
def test_bad_tensor(refused, t, words): refused(lambda: load_picture(t), *words)

def test_complex_tensor(refused): refused(lambda: load_picture(torch.ones(3, 8, 8, dtype=torch.complex64)), 'complex64')

@pytest.mark.parametrize('what', [42, None, 3.5, object(), {'image': 1}, [1, 2],
    SimpleNamespace(image='not a picture')])
def test_no_picture_at_all(what):
    with pytest.raises(TypeError, match=f'{type(what).__name__}, not a picture: give a path'): load_picture(what)

@pytest.mark.parametrize('size', [0, -1, 3, 2.5, float('nan'), float('inf'), '64', True, 1j])
def test_bad_size(refused, size):
    refused(lambda: load_picture(half, size), 'size is', 'give a whole number, at least 4')

# ---- converted

def test_rgb_is_kept(tmp_path):
    a = colours()
    x = written(tmp_path/'a.png', Image.fromarray(a))
    assert x.shape == (1, 3, 24, 32) and x.dtype == torch.float32 and x.is_contiguous() and np.array_equal(pixels(x), a)

def test_grey(tmp_path):
    a = colours(c=1)[..., 0]
    assert np.array_equal(pixels(written(tmp_path/'a.png', Image.fromarray(a))), np.stack([a]*3, -1))

def test_black_and_white(tmp_path):
    a = colours(c=1)[..., 0] > 127
    assert np.array_equal(pixels(written(tmp_path/'a.png', Image.fromarray(a))), np.stack([a*255]*3, -1))

def over_white(a, alpha): return 255 - (255. - a)*alpha[..., None]/255

def test_rgba_over_white(tmp_path):
    a = colours(c=4)
    got = pixels(written(tmp_path/'a.png', Image.fromarray(a)))
    assert abs(got - over_white(a[..., :3], a[..., 3])).max() <= 1
    assert np.array_equal(pixels(load_picture(Image.new('RGBA', (8, 8), (9, 9, 9, 0)))), np.full((8, 8, 3), 255))

def test_rgba_array_and_file_agree():
    a = colours(c=4)
    assert (load_picture(a) - load_picture(Image.fromarray(a))).abs().max() <= 1.01/255

def test_la_over_white(tmp_path):
    a = colours(c=2)
    got = pixels(written(tmp_path/'a.png', Image.fromarray(a, 'LA')))
    assert abs(got - over_white(np.stack([a[..., 0]]*3, -1), a[..., 1])).max() <= 1

def test_palette(tmp_path):
    im = Image.fromarray(colours()).quantize(16)
    assert np.array_equal(pixels(written(tmp_path/'a.png', im)), np.asarray(im.convert('RGB')))

def test_palette_with_a_transparent_colour(tmp_path):
    im = Image.new('P', (8, 8))
    im.putpalette([255, 0, 0, 0, 255, 0])
    im.putpixel((2, 5), 1)
    got = pixels(written(tmp_path/'a.png', im, transparency=0))
    assert got[5, 2].tolist() == [0, 255, 0] and got[0, 0].tolist() == [255, 255, 255]

def test_cmyk(tmp_path):
    im = Image.new('CMYK', (16, 16), (255, 0, 0, 0))
    im.paste((0, 0, 0, 0), (8, 0, 16, 16))
    got = pixels(written(tmp_path/'a.jpg', im, quality=100)).astype(int)
    assert abs(got[8, 3] - [0, 255, 255]).max() <= 3 and abs(got[8, 12] - 255).max() <= 3

@pytest.mark.parametrize('ext', ['png', 'tif'])
def test_16_bit(tmp_path, ext):
    a = np.linspace(0, 65535, 256).astype(np.uint16).reshape(8, 32)
    got = pixels(written(tmp_path/f'a.{ext}', Image.fromarray(a)))
    assert (abs(got[..., 0] - a/257).max() <= .51 and (got[..., 0] == got[..., 2]).all() and got.min() == 0
        and got.max() == 255)

@pytest.mark.parametrize('values,want', [((0, .5, 1), (0, 128, 255)), ((0, 128, 255), (0, 128, 255))])
def test_float_tiff(tmp_path, values, want):
    a = np.repeat(np.float32(values), 8)[None].repeat(8, 0)
    assert pixels(written(tmp_path/'a.tif', Image.fromarray(a)))[0, ::8, 0].tolist() == list(want)

@pytest.mark.parametrize('mode', ['1', 'L', 'P', 'LA', 'PA', 'La', 'RGBA', 'RGBa', 'RGBX', 'CMYK', 'YCbCr', 'HSV',
    'LAB', 'I',
    'F', 'I;16', 'I;16B'])
def test_every_mode_of_pil(mode): assert load_picture(Image.new(mode, (8, 6))).shape == (1, 3, 6, 8)

@pytest.mark.parametrize('ext', ['gif', 'png', 'webp', 'tif'])
def test_first_frame_of_an_animation(tmp_path, ext):
    red, *rest = [Image.new('RGB', (16, 12), c) for c in ('red', 'lime', 'blue')]
    kw = dict(lossless=True) if ext == 'webp' else {}
    got = pixels(written(tmp_path/f'a.{ext}', red, save_all=True, append_images=rest, **kw))
    assert abs(got.astype(int) - [255, 0, 0]).max() <= 2

def test_first_frame_of_an_open_animation(tmp_path):
    Image.new('RGB', (8, 8), 'red').save(tmp_path/'a.gif', save_all=True,
        append_images=[Image.new('RGB', (8, 8), 'blue')])
    with Image.open(tmp_path/'a.gif') as im:
        im.seek(1)
        assert pixels(load_picture(im))[0, 0].tolist() == [255, 0, 0]

# how each EXIF orientation stores an upright picture
LYING = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1), 7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: lambda a: np.rot90(a, -1)}

@pytest.mark.parametrize('orientation', LYING)
@pytest.mark.parametrize('ext', ['png', 'jpg', 'tif', 'webp'])
def test_exif_orientation(tmp_path, orientation, ext):
    blocks = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[255, 255, 255], [0, 0, 0], [128, 128, 128]]],
        np.uint8)
    up, exif = blocks.repeat(16, 0).repeat(16, 1), Image.Exif()
    exif[274] = orientation
    stored = Image.fromarray(np.ascontiguousarray(LYING[orientation](up)))
    kw = dict(jpg=dict(quality=100, subsampling=0), webp=dict(lossless=True)).get(ext, {})
    got = pixels(written(tmp_path/f'a.{ext}', stored, exif=exif, **kw)).astype(int)
    assert got.shape == up.shape and abs(got - up).max() <= (3 if ext == 'jpg' else 0)

def test_what_arrays_mean():
    a = colours()
    x = load_picture(a)
    same = [a.astype(np.int64), a.astype(np.uint16)*257, a/255, (a/255).astype(np.float32), np.asfortranarray(a)]
    assert all((load_picture(o) - x).abs().max() < 1e-6 for o in same)
    assert torch.equal(load_picture(a[::-1, ::-1]), x.flip(-1, -2))
    assert load_picture(np.ones((8, 8), bool)).min() == 1
    assert load_picture(np.full((8, 8), 51, np.uint8)).unique().item() == pytest.approx(.2)

def test_what_tensors_mean():
    x = torch.rand(1, 3, 8, 9)
    grey = torch.rand(1, 8, 9)
    assert torch.equal(load_picture(x[0]), x) and torch.equal(load_picture(x.double()), x)
    assert load_picture(x.half()).dtype == torch.float32
    assert (torch.equal(load_picture(grey), grey.expand(1, 3, -1, -1))
        and not load_picture(x.clone().requires_grad_()).requires_grad)
    assert torch.equal(load_picture((x*255).to(torch.uint8)), (x*255).to(torch.uint8)/255)

def test_a_mask_means_the_same_as_array_and_as_tensor():
    m = np.eye(8, dtype=bool)
    assert torch.equal(load_picture(torch.from_numpy(m)[None]), load_picture(m))

def test_loading_never_touches_the_source():
    x = torch.rand(1, 3, 8, 8)
    keep = x.clone()
    load_picture(x).mul_(0)
    assert torch.equal(x, keep)

def test_anything_with_an_image():
    im = Image.fromarray(colours())
    assert torch.equal(load_picture(SimpleNamespace(image=im)), load_picture(im))

@pytest.mark.parametrize('form', [bytes, bytearray, memoryview])
def test_bytes(form):
    a, b = colours(), io.BytesIO()
    Image.fromarray(a).save(b, 'PNG')
    assert np.array_equal(pixels(load_picture(form(b.getvalue()))), a)

# ---- sizes

@pytest.mark.parametrize('hw,size,want', [((100, 50), 50, (50, 25)), ((50, 100), 200, (100, 200)), ((30, 40), 40,
    (30, 40)),
    ((80, 4), 20, (20, 1))])
def test_fit_size(hw, size, want): assert fit_size(hw, size) == want

@given(*[st.integers(4, 60)]*4)
def test_middle(h, w, th, tw):
    """A window of the picture, in its middle, as large as can be, in the proportions asked for; itself, when only
    rounding differs."""
    x = torch.arange(h*w).view(1, 1, h, w)
    y = middle(x, (th, tw))
    mh, mw = y.shape[-2:]
    top, left = divmod(y[0, 0, 0, 0].item(), w)
    assert ((y == x[..., top:top + mh, left:left + mw]).all() and abs(2*top + mh - h) <= 1 and abs(2*left + mw - w) <= 1
        and (mh == h or mw == w))
    s = min(max(h, w), max(th, tw))
    assert (all(abs(a - b) <= 1 for a, b in zip(fit_size((h, w), s), fit_size((th, tw), s)))
        or abs(mh*tw - mw*th) <= max(th, tw)/2 or 1 in (mh, mw))
    assert middle(y, (th, tw)).shape[-2:] == (mh, mw) or min(mh, mw) < 4

def test_resize_is_antialiased_and_stays_in_range():
    noise = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    assert resize(noise, 64).std() < noise.std()/3 and resize(noise, 64).mean().item() == pytest.approx(.5, abs=.01)
    edge = (torch.arange(64) > 31).float().expand(1, 3, 64, 64)
    big = resize(edge, 200)
    assert big.min() == 0 and big.max() == 1 and big.shape == (1, 3, 200, 200)

def test_load_at_a_size(): assert load_picture(colours(30, 60), 20).shape == (1, 3, 10, 20)

# ---- round trips

shapes = st.tuples(st.integers(4, 24), st.integers(4, 24), st.just(3))

@settings(max_examples=60)
@given(arrays(np.uint8, shapes))
def test_round_trip_of_bytes(a):
    assume(a.max() != 1)  # 0 and 1 alone are taken for labels and refused, see test_faults_list.py
    assert np.array_equal(np.asarray(to_pil(load_picture(a))), a)
    assert torch.equal(load_picture(to_pil(load_picture(a))), load_picture(a))

@settings(max_examples=60)
@given(arrays(np.float32, shapes, elements=st.floats(0, 1, width=32)))
def test_round_trip_of_floats(a): assert abs(np.asarray(to_pil(load_picture(a)))/255 - a).max() <= .5/255 + 1e-6

@settings(max_examples=30)
@given(arrays(np.float32, (6, 6, 3), elements=st.floats(width=32)))
def test_any_floats_are_loaded_or_refused(a):
    if np.isfinite(a).all() and a.min() >= 0 and a.max() <= 1: assert load_picture(a).shape == (1, 3, 6, 6)
    elif not np.isfinite(a).all() or a.min() < -.001 or a.max() > 1.001:
        with pytest.raises(ValueError): load_picture(a)

def test_to_pil_clips_and_rounds():
    x = torch.tensor([-1., 0, .5, .998, 1, 9]).expand(1, 3, 4, 6)
    assert np.asarray(to_pil(x))[0, :, 0].tolist() == [0, 0, 128, 254, 255, 255]

@pytest.mark.parametrize('x', [torch.zeros(2, 3, 8, 8), torch.zeros(1, 8, 8), torch.zeros(8, 8), np.zeros((8, 8, 3))])
def test_to_pil_refuses(refused, x): refused(lambda: to_pil(x), 'give')

# ---- a web address

@pytest.fixture
def site(tmp_path, clean_env):
    "The address of a small web server, with a picture and some trouble"
    Image.fromarray(colours()).save(tmp_path/'a.png')
    (tmp_path/'page.html').write_text('<p>no picture</p>')
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_): pass
        def do_GET(self):
            if self.path != '/cut.png': return super().do_GET()
            self.send_response(200)
            self.send_header('Content-Length', '5000')
            self.end_headers()
            self.wfile.write(b'half')
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Handler, directory=tmp_path))
    thread = threading.Thread(target=server.serve_forever, args=(.02,), daemon=True)
    thread.start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    server.server_close()
    thread.join()

def test_web_address(site, tmp_path): assert torch.equal(load_picture(f'{site}/a.png'), load_picture(tmp_path/'a.png'))
def test_web_404(site, refused):
    refused(lambda: load_picture(f'{site}/none.png'), f'{site}/none.png', '404', 'Check the address')
def test_web_page_that_is_no_picture(site, refused):
    refused(lambda: load_picture(f'{site}/page.html'), 'page.html', 'not a picture')
def test_web_transfer_cut_short(site, refused):
    refused(lambda: load_picture(f'{site}/cut.png'), f'{site}/cut.png', 'Check the address')
def test_web_address_with_a_space(site, refused):
    refused(lambda: load_picture(f'{site}/my photo.png'), 'my photo.png', 'Check the address')

def test_web_nobody_there(clean_env, refused):
    with http.server.HTTPServer(('127.0.0.1', 0), None) as s: url = f'http://127.0.0.1:{s.server_port}/a.png'
    refused(lambda: load_picture(url), url, 'Check the address')

@pytest.mark.parametrize('url', ['http://', 'https://[', 'http://127.0.0.1:port/a.png'])
def test_web_nonsense(clean_env, refused, url): refused(lambda: load_picture(url), url, 'Check the address')

# ---- written whole or not at all

FORMATS = 'png', 'jpg', 'jpeg', 'webp', 'tif', 'tiff', 'bmp', 'PNG'

@pytest.mark.parametrize('ext', FORMATS)
def test_save(tmp_path, photo, ext):
    p = save_picture(photo, tmp_path/f'a.{ext}')
    assert p == tmp_path/f'a.{ext}' and [o.name for o in tmp_path.iterdir()] == [p.name]
    assert (load_picture(p) - photo).abs().mean() < .02

@pytest.mark.parametrize('ext', ['jpg', 'png', 'bmp'])
@pytest.mark.parametrize('mode', ['RGBA', 'P', 'LA', 'L'])
def test_save_any_pil_picture(tmp_path, mode, ext):
    p = save_picture(Image.new('L', (8, 8), 200).convert(mode), tmp_path/f'a.{ext}')
    assert (load_picture(p) - 200/255).abs().max() < .02


@pytest.mark.parametrize('error', [OSError(28, 'No space left on device'), KeyboardInterrupt()],
    ids=['disk full', 'Ctrl-C'])
@pytest.mark.parametrize('there', [False, True], ids=['new file', 'existing file'])
def test_failure_in_the_middle_leaves_nothing(tmp_path, monkeypatch, photo, there, error):
    p = tmp_path/'a.png'
    if there: p.write_bytes(b'what was there')
    def half_a_save(self, fp, *args, **kwargs):
        with open(fp, 'wb') as f: f.write(b'half of a picture')
        raise error
    monkeypatch.setattr(Image.Image, 'save', half_a_save)
    with pytest.raises(type(error)): save_picture(photo, p)
    assert [o.name for o in tmp_path.iterdir()] == (['a.png'] if there else [])
    if there: assert p.read_bytes() == b'what was there'

def test_a_file_in_work_is_never_seen_under_its_name(tmp_path):
    p = tmp_path/'a.txt'
    with whole_file(p) as tmp:
        tmp.write_text('half')
        assert not p.exists() and tmp.parent == tmp_path and tmp.suffix == '.txt'
    assert p.read_text() == 'half' and len(list(tmp_path.iterdir())) == 1

def test_permissions_are_those_of_any_new_file(tmp_path):
    with whole_file(tmp_path/'a.txt') as tmp: tmp.write_text('')
    (tmp_path/'b.txt').touch()
    assert (tmp_path/'a.txt').stat().st_mode == (tmp_path/'b.txt').stat().st_mode

@pytest.mark.parametrize('name,words', [('a.docx', ['a.docx ends in .docx', '.png', 'choose one of']),
    ('a', ['a has no extension', '.png']),
    ('none/a.png', ['none does not exist', 'create it first']), ('dir.png', ['dir.png is a folder', 'name of a file'])])
def test_bad_output(tmp_path, photo, refused, name, words):
    (tmp_path/'dir.png').mkdir()
    refused(lambda: save_picture(photo, tmp_path/name), *words)
    refused(lambda: check_output(tmp_path/name), *words)
    assert [o.name for o in tmp_path.iterdir()] == ['dir.png']

def test_parent_that_is_a_file(tmp_path, photo, refused):
    (tmp_path/'file').touch()
    refused(lambda: save_picture(photo, tmp_path/'file'/'a.png'), 'file')

def test_read_only_folder(tmp_path, monkeypatch, photo, refused):
    monkeypatch.setattr(os, 'access', lambda p, mode: not (mode & os.W_OK))
    refused(lambda: save_picture(photo, tmp_path/'a.png'), 'a.png cannot be written', 'choose another folder')
    assert not list(tmp_path.iterdir())

def test_folder_that_turns_read_only_later(tmp_path, monkeypatch, photo, refused):
    def no(*a, **k): raise PermissionError(13, 'Permission denied')
    monkeypatch.setattr('pathlib.Path.touch', no)
    refused(lambda: save_picture(photo, tmp_path/'a.png'), 'a.png cannot be written', 'Permission denied')
    assert not list(tmp_path.iterdir())

# ---- names, numbers, plates

def test_one_of(refused):
    assert one_of('b', ['a', 'b']) == 'b'
    refused(lambda: one_of('lbgfs', ['adam', 'lbfgs'], 'optimizer'), "Unknown optimizer 'lbgfs'", 'adam, lbfgs',
        "Did you mean 'lbfgs'?")
    for odd in (None, 3, ['a'], {}): refused(lambda: one_of(odd, ['a', 'b']), 'choose one of a, b')

@pytest.mark.parametrize('v', [float('nan'), float('inf'), -.1, 1.5, '1', None, True, 1j, [1]])
def test_in_range_refuses(refused, v): refused(lambda: in_range(v, 'x', 0, 1), 'x is')

def test_in_range_passes():
    assert in_range(np.float32(1), 'x', 0, 1) == 1. and in_range(np.int64(3), 'x', whole=True) == 3
    assert in_range(2., 'x', whole=True) == 2

def test_show_pictures(photo, refused):
    fig = show_pictures([photo, to_pil(photo), pixels(photo)], ['a', 'b', 'c'])
    assert [ax.get_title() for ax in fig.axes] == ['a', 'b', 'c'] and fig._repr_png_()[:4] == b'\x89PNG'
    refused(lambda: show_pictures([photo], ['a', 'b']), '2 titles for 1 picture')
    refused(lambda: show_pictures([]), 'no picture')

def test_a_file_of_nearly_that_name_is_offered(tmp_path, refused):
    "The one of the same kind first, none that is merely as long"
    for name in ('photo.png', 'photo.jpg', 'broken.jpg'): (tmp_path/name).touch()
    refused(lambda: load_picture(tmp_path/'phot.jpg'), f"Did you mean {tmp_path/'photo.jpg'}?")
    refused(lambda: load_picture(tmp_path/'phot.png'), f"Did you mean {tmp_path/'photo.png'}?")
    refused(lambda: load_picture(tmp_path/'broken.png'), f"Did you mean {tmp_path/'broken.jpg'}?")
    refused(lambda: load_picture(tmp_path/'none.jpg'), 'none.jpg. Check the path.')

def test_the_name_of_a_sample_is_no_file_but_nearly(refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(lambda: load_picture('astronaut'), 'There is no file astronaut', "sample('astronaut')")
    with pytest.raises(ValueError) as e: load_picture(tmp_path/'astronaut.png')
    assert 'asked for' not in str(e.value)
