__version__ = "0.2.0"

import os, sys, warnings

TUNED = sys.platform == 'linux' and os.environ.get('STYLE_NB_TUNE') != '0' and not any(
    k.startswith('MALLOC_') or k == 'GLIBC_TUNABLES' for k in os.environ)

def keep_freed(libc, stock=2**31 - 1):
    "Let glibc keep so many bytes of freed memory, unless you have tuned it yourself."
    if TUNED and hasattr(libc, 'mallopt'):
        libc.mallopt(-4, 0)                  # no block by mmap
        libc.mallopt(-1, stock)              # when to trim
        libc.mallopt(-2, min(stock, 2**26))  # how much to fetch at a time

def _tune():
    "All that `import style_nb` changes in the process; the README says so. STYLE_NB_TUNE=0 leaves it out."
    # OpenMP threads that wait by spinning collapse when anything else wants a core: 1.5 s a step instead of .14 s on
    # 2 cores. Those that never spin have to be woken some hundred times a step. On 2 cores a step at 432 px takes,
    # by spins, alone and beside another run: 1000: 62 and 89 ms, 5000: 57 and 99 ms, 20000: 53 and 138 ms.
    os.environ.setdefault('GOMP_SPINCOUNT', '5000')
    # glibc gives a freed feature map back to the system at once, and the next one comes in 4 KB pages to be zeroed:
    # 44 ms instead of 26 for a pass through TexNet and back at 432x324. So it keeps up to 2 GB, unless you have tuned
    # it yourself; `giving_back` in notebook 00 footing empties the stock after a run. And torch asks for its large
    # blocks in pages of 2 MB, where the system has them: 3% of a step. It reads this when it allocates first.
    os.environ.setdefault('THP_MEM_ALLOC_ENABLE', '1')
    if TUNED:
        import ctypes
        keep_freed(ctypes.CDLL(None))
    # fastai 2.8 uses torch.jit.script, which torch 2.14 warns about at import: nothing a user of style_nb can act on
    warnings.filterwarnings('ignore', message='`torch.jit.script` is deprecated', category=FutureWarning)

if os.environ.get('STYLE_NB_TUNE') != '0': _tune()
