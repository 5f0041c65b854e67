"""Twelve runs on a cluster of dask: the pictures of one after the other, in how long, and with a worker killed.

Run from the repository's root; it needs `pip install style_nb[cluster]`:

    python bench/cluster.py                                     two processes of this machine, a thread each
    python bench/cluster.py --scheduler tcp://ADDRESS:8786      the workers of a scheduler elsewhere; none is killed

Threads are one each everywhere: with another number the last bits of a picture differ.
"""
import argparse, contextlib, os, signal, tempfile, threading, time
from pathlib import Path
os.environ['OMP_NUM_THREADS'] = '1'  # of the workers too
import joblib, torch
from dask.distributed import Client, LocalCluster
from style_nb.gallery import sample
from style_nb.sweeping import sweep

def twelve(size, steps, folder):
    "The sweep, and the seconds it took"
    begun = time.perf_counter()
    grid = dict(style_weight=[4., 12., 40.], content_weight=[.5, 1.], seed=[0, 1])
    made = sweep(sample('cat'), sample('swirls'), grid, folder, size=size, steps=steps, device='cpu', progress=False)
    return made, time.perf_counter() - begun

def on(client, size, steps, folder):
    with joblib.parallel_config(backend='dask'): return twelve(size, steps, folder)

def kill_one(client, folder):
    "Kill a worker when two pictures are there"
    pid = next(iter(client.run(os.getpid).values()))
    def soon():
        while len([*folder.glob('*.png')]) < 2: time.sleep(.02)
        os.kill(pid, signal.SIGKILL)
    threading.Thread(target=soon, daemon=True).start()

def told(name, found, seconds, alone):
    same = sum(a.image is not None and a.image.tobytes() == b.image.tobytes() for a, b in zip(found, alone))
    errors = [item.error for item in found if item.error]
    print(f'{name:32} {seconds:6.1f} s   {same} of {len(alone)} as alone   {errors or ""}', flush=True)

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--scheduler')
    parser.add_argument('--size', type=int, default=192)
    parser.add_argument('--steps', type=int, default=60)
    how = parser.parse_args()
    torch.set_num_threads(1)
    with contextlib.ExitStack() as stack:
        def folder(): return Path(stack.enter_context(tempfile.TemporaryDirectory()))
        run = how.size, how.steps
        alone, seconds = twelve(*run, folder())
        told('one after the other', alone, seconds, alone)
        here = None if how.scheduler else stack.enter_context(
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None))
        client = stack.enter_context(Client(how.scheduler or here))
        told('a cluster, workers import', *on(client, *run, folder()), alone)
        told('the same, imported', *on(client, *run, folder()), alone)
        if how.scheduler: return
        at = folder()
        kill_one(client, at)
        told('a worker is killed', *on(client, *run, at), alone)

if __name__ == '__main__': main()
