"The page that paints in a browser, in headless Chromium: what it shows, its pixels beside PyTorch's, what it refuses"
import base64
import contextlib
import functools
import http.server
import shutil
import sys
import threading
import time
from pathlib import Path
import numpy as np
import pytest
import torch
from PIL import Image
from page_model import stand_in, styles, write_stand_in
from style_nb.gallery import sample
from style_nb.painter import train_painter
from style_nb.pictures import load_picture
from test_browser import BARS, CHROMIUM, SHOTS, chromium, until
sys.path.insert(0, str(Path(__file__).resolve().parent.parent/'tools'))
import page as tool

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason='apt-get install chromium'),
    pytest.mark.skipif(shutil.which('npm') is None, reason='no npm, so no page to test: apt-get install npm')]

class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args): pass

    def end_headers(self):
        self.send_header('Cache-Control', 'no-store') # a part that is taken away is missed at once
        super().end_headers()

@contextlib.contextmanager
def served(folder):
    "A plain file server: its address"
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try: yield f'http://127.0.0.1:{server.server_address[1]}'
        finally: server.shutdown()

@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    "The page with the stand-in, built as users build it"
    return tool.build(tmp_path_factory.mktemp('site')/'page', write_stand_in)

def painted_by_torch(net, pixels, vector, strength=1.):
    "What PyTorch makes of 8-bit pixels"
    photo = torch.tensor(pixels).permute(2, 0, 1)[None]/255
    picture = photo + strength*(net(photo, torch.tensor(vector)[None]) - photo)
    return (255*picture).clamp(0, 255).round()[0].permute(1, 2, 0).numpy()

def shot(page, name):
    if SHOTS: page.screenshot(path=f'{SHOTS}/page_{name}.png', full_page=True)

RUN = '''async ([text, width, height, name, options]) => {
  const bytes = Uint8ClampedArray.from(atob(text), o => o.charCodeAt(0))
  const rgba = await window.styleNB.run(new ImageData(bytes, width, height), name, options)
  return btoa(Array.from(rgba, o => String.fromCharCode(o)).join('')) }'''
def picture(page, what='#painted'): return page.locator(what).evaluate('c => c.toDataURL()')

def painted_by_page(page, pixels, name, **options):
    "What the page makes of them"
    height, width = pixels.shape[:2]
    rgba = np.dstack([pixels, np.full((height, width), 255, 'uint8')])
    got = page.evaluate(RUN, [base64.b64encode(rgba.tobytes()).decode(), width, height, name, options])
    return np.frombuffer(base64.b64decode(got), 'uint8').reshape(height, width, 4)[..., :3].astype(float)

def the_scene_is_painted(page):
    until(lambda: page.evaluate('styleNB.frames.length') > 1)
    little = lambda: page.locator('.styles canvas').evaluate_all('all => all.map(c => c.toDataURL())')
    until(lambda: len(set(little())) == len(styles()), what='each style has a little picture')
    before = picture(page)
    page.wait_for_timeout(2500)
    assert picture(page) != before
    rate = page.evaluate('styleNB.frames.at(-1).rate')
    print(f'{rate:.1f} frames a second at 256x256; the page says: {page.locator("#rate").inner_text()}')
    assert 'frames a second' in page.locator('#rate').inner_text() and rate > (4 if BARS else 1)
    shot(page, 'scene')

def its_pixels_are_pytorchs(page):
    net = stand_in()
    vectors = styles()
    rng = np.random.default_rng(1)
    apart = lambda a, b: np.abs(a - b).max()
    for height, width in (256, 256), (64, 112):
        pixels = rng.integers(0, 256, (height, width, 3), dtype='uint8')
        for name, vector in vectors.items():
            assert apart(painted_by_page(page, pixels, name), painted_by_torch(net, pixels, vector)) <= 1
    both = painted_by_page(page, pixels, 'first', second='third', share=.25, strength=.5)
    vector = .75*vectors['first'] + .25*vectors['third']
    assert apart(both, painted_by_torch(net, pixels, vector, .5)) <= 1
    assert apart(both, painted_by_torch(net, pixels, vectors['first'], .5)) > 2

def changes(page, act, seconds=20):
    "Does the picture change when `act` is done?"
    before = picture(page)
    act()
    until(lambda: picture(page) != before, seconds, 'the picture stayed as it was')

def every_control_changes_the_picture(page):
    "By the keyboard, the scene standing still"
    page.locator('#play').click()
    assert page.locator('#play').inner_text() == 'Play'
    page.wait_for_timeout(500)
    keys = lambda name, key: changes(page, lambda: page.locator(name).press(key))
    keys('input[name=style]:checked', 'ArrowRight')
    assert page.locator('#credit').inner_text() == 'The second style' and page.locator('#share').is_disabled()
    page.locator('#second').select_option('Third')
    keys('#share', 'End')
    keys('#strength', 'ArrowLeft')
    keys('#strength', 'Home')
    changes(page, lambda: page.locator('#size').select_option('192'))
    assert page.locator('#painted').get_attribute('width') == '192'
    source = picture(page, '#source')
    assert picture(page) == source, 'at strength 0 it is the photo, pixel for pixel'
    keys('#strength', 'End')

def pictures_of_ones_own(page):
    changes(page, lambda: page.locator('input[value=picture]').press('Space'))
    changes(page, lambda: page.locator('#bundled').select_option('Coffee'))
    (page.folder/'broken.jpg').write_bytes(b'not a picture')
    page.locator('#file').set_input_files(page.folder/'broken.jpg')
    until(lambda: page.locator('#message').inner_text() == 'broken.jpg is not a picture this browser can read')
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (40, 80, 3), dtype='uint8')).save(page.folder/'mine.png')
    changes(page, lambda: page.locator('#file').set_input_files(page.folder/'mine.png'))
    assert not page.locator('#message').is_visible() and page.locator('#play').is_disabled()
    with page.expect_download() as download: page.locator('#save').click()
    assert download.value.suggested_filename == 'picture_second.png'
    assert Image.open(download.value.path()).size == (256, 128), 'about 192*192 pixels in steps of 32, the shape kept'

def a_webcam(page):
    "Refused, then allowed: Chromium's own moving test picture"
    page.locator('input[value=webcam]').press('Space')
    until(lambda: 'The webcam was refused' in page.locator('#message').inner_text())
    assert page.locator('input[value=picture]').is_checked()
    page.context.grant_permissions(['camera'])
    changes(page, lambda: page.locator('input[value=webcam]').press('Space'))
    page.locator('#play').click()
    changes(page, lambda: None)
    assert not page.locator('#message').is_visible()
    shot(page, 'webcam')

def test_the_page_in_a_browser(folder, tmp_path):
    "One test, since each step goes on where the one before left the page"
    with served(folder) as address, chromium(1280, 800, '--use-fake-device-for-media-stream') as page:
        page.goto(f'{address}/?test')
        page.folder = tmp_path
        for step in (the_scene_is_painted, its_pixels_are_pytorchs, every_control_changes_the_picture,
                pictures_of_ones_own, a_webcam):
            start = time.perf_counter()
            step(page)
            print(f'{time.perf_counter() - start:5.1f} s  {step.__name__.replace("_", " ")}', flush=True)
        assert not page.bad, page.bad

@pytest.mark.filterwarnings('ignore:There are')
def test_a_painter_of_one_painting(tmp_path):
    "Its net takes no style, and paints as PyTorch does"
    painter = train_painter(sample('swirls'), None, tmp_path/'swirls.safetensors', canvas=64, size=64, steps=1, batch=1,
                            encoder='texnet-small', device='cpu', progress=False)
    page_of_it = tool.build(tmp_path/'page', tool.painter_model(tmp_path/'swirls.safetensors'))
    with served(page_of_it) as address, chromium(800, 600) as page:
        page.goto(f'{address}/?test')
        until(lambda: page.evaluate('styleNB.frames.length') > 0)
        pixels = np.asarray(sample('cat').resize((128, 64)))
        painted = painter.module()(load_picture(pixels)).clamp(0, 1)[0].permute(1, 2, 0).numpy()*255
        assert np.abs(painted_by_page(page, pixels, 'own') - painted).max() <= 2
        assert not page.bad, page.bad

FAULTS = {
    'net.onnx': 'net.onnx is missing: build the page anew with make page',
    'styles.json': 'styles.json is missing',
    'about.json': 'about.json is missing',
    'worker.js': 'worker.js is missing',
    'page.js': 'build it anew with make page',
    'styles.js': 'build it anew with make page',
    'runtime/ort.wasm.bundle.min.mjs': 'ort.wasm.bundle.min.mjs is missing',
    'runtime/ort-wasm-simd-threaded.wasm': 'wasm could not start the net',
}

def says(page, words):
    until(lambda: page.locator('#message').is_visible() and words in page.locator('#message').inner_text(), 10,
        f'{page.locator("#message").inner_text()!r} does not say {words!r}')

def test_a_page_that_cannot_work_says_why(folder):
    "Opened as a file, a part missing, no WebAssembly"
    with served(folder) as address, chromium(390, 844) as page:
        page.goto((folder/'index.html').as_uri())
        says(page, 'python -m http.server')
        for part, words in FAULTS.items():
            (folder/part).rename(folder/'away')
            try:
                page.goto(address)
                says(page, words)
            finally: (folder/'away').rename(folder/part)
        code = (folder/'worker.js').read_text()
        (folder/'worker.js').write_text('delete self.WebAssembly\n' + code)
        try:
            page.goto(address)
            says(page, 'This browser has no WebAssembly')
        finally: (folder/'worker.js').write_text(code)
