"Shared by all tests: threads, small pictures, bad files, and what a good refusal looks like"
import gc, io, os, sys
from pathlib import Path
import numpy as np, pytest, torch
from hypothesis import settings
from PIL import Image

settings.register_profile('house', database=None, deadline=None, derandomize=True)
settings.load_profile('house')
# the pictures are tiny: a second thread gains nothing here and, on a busy machine, waits for the first
torch.set_num_threads(1)
# sessions in the kernels of notebooks keep nothing on this machine
os.environ.setdefault('STYLE_NB_SESSIONS', '0')
# `forked` and other tools that tests import
sys.path.insert(0, str(Path(__file__).resolve().parent.parent/'tools'))

from style_nb.encoders import Encoder, Shape, encoder, random_weights
from style_nb.gallery import sample
from style_nb.pictures import load_picture, to_pil
import style_nb.all, torch._dynamo  # noqa: F401, E401, what every first run imports is alive before it is frozen

def stays():
    "What is alive stays: a Session that closes collects garbage, and this way looks at its own objects only"
    gc.collect()
    gc.freeze()

def pytest_collection_finish(): stays()

_files = set()

def pytest_runtest_setup(item):
    "What the files before have imported and kept stays too"
    if item.path in _files: return
    _files.add(item.path)
    stays()

def pytest_collection_modifyitems(items):
    "The slow ones first, so that at the end no worker is left alone with one"
    items.sort(key=lambda o: o.get_closest_marker('slow') is None)

@pytest.fixture
def clean_env(monkeypatch, tmp_path):
    "No proxy, no folder of weights, and caches of our own that are empty"
    for k in ('http_proxy', 'https_proxy', 'all_proxy'):
        monkeypatch.delenv(k, raising=False)
        monkeypatch.delenv(k.upper(), raising=False)
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    monkeypatch.setenv('TORCH_HOME', str(tmp_path/'torch_home'))
    monkeypatch.delenv('STYLE_NB_WEIGHTS', raising=False)
    return monkeypatch

@pytest.fixture(scope='session')
def refused():
    "Check that a call raises ValueError or TypeError in one line that holds all of `words`"
    def check(call, *words):
        with pytest.raises((ValueError, TypeError)) as e: call()
        msg = str(e.value)
        assert msg and '\n' not in msg, msg
        assert not [w for w in words if w not in msg], f'{words} not all in: {msg}'
    return check

@pytest.fixture(scope='session')
def photo():
    "An 8-bit photo, 64x64"
    return load_picture(to_pil(load_picture(sample('astronaut'), 64)))

@pytest.fixture(scope='session')
def painting(): return load_picture(to_pil(load_picture(sample('swirls'), 64)))

@pytest.fixture(scope='session')
def painting2(): return load_picture(to_pil(load_picture(sample('dots'), 64)))

@pytest.fixture(scope='session')
def enc(): return encoder('random')

@pytest.fixture
def toy():
    "A small encoder in float64"
    return random_weights(Encoder('toy', Shape('toy', (4, 6), (1, 1)))).double()

def _write(path, im, **kwargs):
    im.save(path, **kwargs)
    return path

@pytest.fixture(scope='session')
def bad_files(tmp_path_factory):
    "{what is wrong: (path, words of the refusal)}"
    d = tmp_path_factory.mktemp('bad')
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    def cut(name, keep, **kwargs):
        b = io.BytesIO()
        noise.save(b, **kwargs)
        (d/name).write_bytes(b.getvalue()[:int(len(b.getvalue())*keep)])
        return d/name
    (d/'folder').mkdir()
    (d/'empty.jpg').touch()
    (d/'text.png').write_text('Not a picture.\n'*20)
    return {
        'missing':   (d/'holiday 2019.webp', ['There is no file', 'holiday 2019.webp', 'Check the path']),
        'nearly':    (d/'emty.jpg', ['There is no file', 'Did you mean', 'empty.jpg']),
        'folder':    (d/'folder', ['folder is a folder', 'give one picture file']),
        'cut_jpeg':  (cut('cut.jpg', .5, format='JPEG'), ['cut.jpg', 'damaged', 'give a JPEG, PNG']),
        'cut_end':   (cut('end.jpg', .97, format='JPEG'), ['end.jpg', 'damaged', 'give a JPEG, PNG']),
        'cut_png':   (cut('cut.png', .6, format='PNG'), ['cut.png', 'damaged', 'give a JPEG, PNG']),
        'text':      (d/'text.png', ['text.png', 'not a picture', 'give a JPEG, PNG']),
        'empty':     (d/'empty.jpg', ['empty.jpg', '0 bytes', 'give a picture file']),
        'one_pixel': (_write(d/'one.png', Image.new('RGB', (1, 1))), ['1x1', 'at least 4 px']),
        'strip':     (_write(d/'strip.png', Image.new('RGB', (5000, 20))), ['5000x20', 'at most 20 times', 'Crop']),
    }
