"What `import style_nb` changes in the process: what the README says, and nothing with STYLE_NB_TUNE=0"
import json, os, subprocess, sys
from pathlib import Path

# fastai first: what it changes by itself is not ours
LOOK = '''
import ctypes, json, logging, os, pandas, random, signal, sys, threading, warnings
import fastai.vision.all
import matplotlib, numpy, torch, PIL.Image

def seen():
    rc = matplotlib.rcParams
    return dict(
        environment=dict(os.environ),
        filters=[str(f) for f in warnings.filters],
        signals=[str(signal.getsignal(s)) for s in signal.Signals],
        threads=[t.name for t in threading.enumerate()],
        hooks=[str(o) for o in (sys.excepthook, sys.displayhook, sys.unraisablehook, open, threading.excepthook)],
        python=[sys.getrecursionlimit(), os.getcwd(), sys.path, os.umask(os.umask(18))],
        matplotlib={k: str(dict.__getitem__(rc, k)) for k in rc},
        pandas=[pandas.get_option(o) for o in ('display.max_colwidth', 'display.max_rows', 'display.precision')],
        torch=[str(o) for o in (
            torch.get_num_threads(), torch.get_num_interop_threads(), torch.is_grad_enabled(),
            torch.get_default_dtype(), torch.get_default_device(), torch.get_float32_matmul_precision(),
            torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic,
            torch.are_deterministic_algorithms_enabled(),
            torch.get_flush_denormal() if hasattr(torch, 'get_flush_denormal') else 0)],
        random=[str(random.getstate()), str(numpy.random.get_state()), torch.random.get_rng_state().tolist()],
        numpy=[str(numpy.geterr()), str(numpy.get_printoptions())],
        methods=[sorted(dir(o)) for o in (torch.Tensor, torch.nn.Module, PIL.Image.Image, pandas.DataFrame)],
        pixels=PIL.Image.MAX_IMAGE_PIXELS,
        logging=[str(logging.root.handlers), logging.root.level])

random.seed(1), numpy.random.seed(1), torch.manual_seed(1)
before = seen()
exec('from style_nb.all import *')
after = seen()

def mapped():
    "Blocks that glibc takes by mmap for one of 128 MB."
    libc = ctypes.CDLL(None)
    if not hasattr(libc, 'mallinfo2'): return None
    class Info(ctypes.Structure): _fields_ = [('n', ctypes.c_size_t*10)]
    libc.mallinfo2.restype = Info
    libc.malloc.restype = ctypes.c_void_p
    before = libc.mallinfo2().n[3]
    libc.malloc(ctypes.c_size_t(2**27))
    return libc.mallinfo2().n[3] - before

new = {k: [x for x in after[k] if x not in before[k]] for k in ('environment', 'filters')}
gone = [x for x in before['filters'] if x not in after['filters']]
other = [k for k in before if k not in new and before[k] != after[k]]
print(json.dumps(dict(new=new, gone=gone, other=other, mapped=mapped())))
'''

def look(**environment):
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith(('MALLOC_', 'GOMP_', 'THP_', 'GLIBC_', 'STYLE_NB_'))}
    clean['PYTHONPATH'] = os.pathsep.join([str(Path(__file__).parent.parent), os.environ.get('PYTHONPATH', '')])
    out = subprocess.run([sys.executable, '-c', LOOK], env=clean | environment, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout.splitlines()[-1])

def test_what_the_readme_says_and_no_more():
    got = look()
    assert sorted(got['new']['environment']) == ['GOMP_SPINCOUNT', 'THP_MEM_ALLOC_ENABLE']
    assert len(got['new']['filters']) == 1 and 'torch.jit.script' in got['new']['filters'][0]
    assert not got['gone'] and not got['other']
    assert got['mapped'] in (0, None)  # glibc keeps it all
    readme = (Path(__file__).parent.parent/'README.md').read_text()
    said = [*got['new']['environment'], 'STYLE_NB_TUNE=0', 'torch.jit.script', 'GLIBC_TUNABLES']
    assert all(word in readme for word in said)

def test_all_of_it_can_be_switched_off():
    got = look(STYLE_NB_TUNE='0')
    assert got['new'] == dict(environment=[], filters=[]) and not got['gone'] and not got['other']
    assert got['mapped'] in (1, None)

def test_what_you_have_set_stays():
    got = look(GOMP_SPINCOUNT='7', THP_MEM_ALLOC_ENABLE='0', MALLOC_ARENA_MAX='2')
    assert got['new']['environment'] == [] and got['mapped'] in (1, None)
