"""Does all of it run on a graphics card, and what does that bring? One script, a few minutes, on a machine with CUDA.

    python bench/cuda.py                 # checks, then speeds
    python bench/cuda.py --vgg VGG.safetensors --only checks

Each check paints the same thing on the card and on the processor, in fp32, and compares the losses; a line says what
came. Exit code 1 if one differs or fails. The speeds stand beside a plain loop in the same run."""
import argparse, sys, tempfile, time, traceback
from pathlib import Path

root = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(root), str(root/'bench')]
import numpy as np, torch
import reference
from style_nb.all import (Painter, encoder, enlarge, forecast, instant, load_picture, mend, palette, reconstruct, resize,
    revert, sample, stylize, sweep, tile, train_painter)
