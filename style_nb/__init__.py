__version__ = "0.1.0"

import warnings
# fastai 2.8 uses torch.jit.script, which torch 2.14 warns about at import: nothing a user of style_nb can act on
warnings.filterwarnings('ignore', message='`torch.jit.script` is deprecated', category=FutureWarning)
