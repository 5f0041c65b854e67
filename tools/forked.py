"""Programs in processes of their own that begin with the package imported: each is forked, within milliseconds, from
one process that has imported it. For kills and signals; what happens while Python starts or ends needs a process that
does."""
import atexit
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import weakref
from pathlib import Path
import torch
from tqdm import tqdm

context = multiprocessing.get_context('forkserver')
context.set_forkserver_preload(['forked', 'style_nb.all', 'style_nb.fitting', 'torch._dynamo'])
tqdm.get_lock()  # one for all of them, and it is tidied up

class Program(context.Process):
    "Python code in a folder, begun"
    def __init__(self, code, folder, *words):
        super().__init__()
        self.code = code
        self.folder = folder
        self.words = [str(word) for word in words]
        self.saying = Path(tempfile.mkdtemp())
        self.start()
        weakref.finalize(self, shutil.rmtree, self.saying, True)

    def run(self):
        os.setsid()  # with all that it starts it can be killed as one
        os.chdir(self.folder)
        for number in (1, 2): os.dup2(os.open(self.saying/str(number), os.O_WRONLY | os.O_CREAT), number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        torch.set_num_threads(1)
        sys.argv = ['-c', *self.words]
        exec(self.code, {'__name__': '__main__'})

    def said(self, number=2):
        "What it has written to stdout, 1, or stderr, 2"
        path = self.saying/str(number)
        return path.read_text() if path.exists() else ''

    def ended(self, timeout=120):
        "Wait for its end: its exit code, below 0 after a signal, `None` where it goes on"
        self.join(timeout)
        return self.exitcode

@atexit.register
def _none_is_waited_for():
    "What a failed test has left running ends with the tests."
    for child in multiprocessing.active_children():
        if isinstance(child, Program): child.kill()
