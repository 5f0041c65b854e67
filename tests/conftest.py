"Shared by all tests: threads, small pictures, bad files, and what a good refusal looks like"
import gc, io, os, signal, sys
from collections import defaultdict
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

# ---- which tests, and in which order

COSTS = Path(__file__).with_name('costs.txt')
SLOW = 1.  # Second; below, a test always runs

def pytest_addoption(parser):
    parser.addoption('--lot', metavar='K/N', help='of the slow tests, dealt into N lots, only those of lot K from 0')
    parser.addoption('--write-costs', action='store_true', help=f'write the seconds of the slow tests to {COSTS.name}')

def costs():
    "{test: its seconds} of the slow ones; a test that is not there yet counts as quick"
    lines = (line.split(maxsplit=1) for line in COSTS.read_text().splitlines() if not line.startswith('#'))
    return {name: float(seconds) for seconds, name in lines}

def whole(items):
    "Slow tests as [what, items]: those of a browser stay together, they share what takes long to start"
    seconds, units = costs(), defaultdict(list)
    for item in items:
        together = item.path.stem.endswith('_browser')
        if together or item.nodeid in seconds: units[item.path if together else item].append(item)
    return sorted(units.values(), key=lambda unit: -sum(seconds.get(item.nodeid, 0) for item in unit))

def of_lot(units, lot, lots):
    "Every so many of them, there and back, so that lots weigh about the same"
    return [unit for i, unit in enumerate(units) if min(i % (2*lots), 2*lots - 1 - i % (2*lots)) == lot % lots]

def pytest_collection_modifyitems(config, items):
    "The lot that was asked for; each worker begins with slow ones, so that none is left alone with one at the end"
    units = whole(items)
    slow = {item for unit in units for item in unit}
    quick = [item for item in items if item not in slow]
    if lot := config.getoption('lot'):
        units = of_lot(units, *map(int, lot.split('/')))
        config.hook.pytest_deselected(items=[*slow.difference(*units)])
    workers = int(os.environ.get('PYTEST_XDIST_WORKER_COUNT', 1))
    each = (len(quick) + sum(map(len, units)))//workers + 1  # a worker begins with that many, as they are collected
    items.clear()
    for i in range(workers):
        mine = [item for unit in units[i::workers] for item in unit]
        n = max(0, each - len(mine))
        items += mine + quick[:n]
        quick = quick[n:]
    items += quick

class Costs:
    "Adds up what each test took."
    def __init__(self): self.seconds = defaultdict(float)
    def pytest_runtest_logreport(self, report): self.seconds[report.nodeid] += report.duration
    def pytest_sessionfinish(self):
        slow = sorted((-seconds, name) for name, seconds in self.seconds.items() if seconds >= SLOW)
        head = '# Seconds of slow tests, by `pytest -n 3 --write-costs`; `--lot` deals them out. Others always run.\n'
        COSTS.write_text(head + ''.join(f'{-seconds:.1f} {name}\n' for seconds, name in slow))

def pytest_configure(config):
    if config.getoption('write_costs') and not hasattr(config, 'workerinput'): config.pluginmanager.register(Costs())

# ---- pictures and files

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

@pytest.fixture
def interruptible():
    "SIGINT as in a terminal: what a shell starts in the background ignores it"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)

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
