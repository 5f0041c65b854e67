__version__ = "0.1.0"

import os, warnings
# OpenMP threads that wait by spinning collapse when anything else wants a core: 1.5 s a step instead of .14 s on 2 cores
os.environ.setdefault('GOMP_SPINCOUNT', '1000')
# fastai 2.8 uses torch.jit.script, which torch 2.14 warns about at import: nothing a user of style_nb can act on
warnings.filterwarnings('ignore', message='`torch.jit.script` is deprecated', category=FutureWarning)
