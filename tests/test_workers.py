"Many runs: in this process, in processes of this machine, on a cluster, and with workers that die"
import os, signal, threading, time
import joblib, torch
from style_nb.pictures import load_picture
from style_nb.sweeping import sweep
from style_nb.workers import each_done

def doubled(job, shared):
    "Twice a number; told to, it ends its process the first time"
    number, deadly, mark = job
    if deadly and not os.path.exists(mark):
        open(mark, 'w').close()
        os.kill(os.getpid(), signal.SIGKILL)
    shared.encoders.setdefault('jobs', []).append(number)
    return 2*number, len(shared.encoders['jobs']), os.getpid()

def test_one_after_the_other(tmp_path):
    "In this process, with one `Shared`, which is gone afterwards"
    import style_nb.workers as room
    jobs = [(n, '', '') for n in range(3)]
    for _ in range(2):
        assert list(each_done(doubled, jobs)) == [(n, (2*n, n + 1, os.getpid())) for n in range(3)]
        assert room._kept == {}
    assert list(each_done(doubled, [])) == []

def test_what_fails_is_given_back_and_the_others_are_done():
    def odd(job, shared): return 1/job
    made = dict(each_done(odd, [1, 0, 2, 0]))
    assert made[0] == 1 and made[2] == .5 and isinstance(made[1], ZeroDivisionError) and len(made) == 4

def test_joblib_says_where(tmp_path):
    with joblib.parallel_config(backend='threading', n_jobs=2):
        made = dict(each_done(doubled, [(n, '', '') for n in range(6)]))
    assert [made[n][0] for n in range(6)] == [0, 2, 4, 6, 8, 10]

def test_a_worker_that_dies_loses_nothing(tmp_path):
    "What it had is done again, and no process is left; a job that always fails is given up above"
    import psutil
    jobs = [(n, n == 1, str(tmp_path/'mark')) for n in range(3)]
    assert {n: o[0] for n, o in each_done(doubled, jobs, 2)} == {0: 0, 1: 2, 2: 4}
    assert os.path.exists(tmp_path/'mark')
    assert not [p for p in psutil.Process().children(recursive=True) if 'LokyProcess' in ' '.join(p.cmdline())]

TWELVE = dict(grid=dict(seed=list(range(6)), style_weight=[1., 9.]), size=64, steps=12, levels=1, progress=False,
    content_weights='relu2_1', style_weights=['relu1_1', 'relu2_1'])

def test_a_cluster_that_loses_a_worker(photo, painting, tmp_path):
    "Twelve runs on two processes, one of which is killed: the same pictures, written here"
    from dask.distributed import Client, LocalCluster
    torch.set_num_threads(1)
    alone = sweep(photo, painting, **TWELVE)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        workers, killed = [*client.run(os.getpid).values()], []
        def soon():
            while len([*tmp_path.glob('*.png')]) < 2: time.sleep(.02)
            killed.append(os.kill(workers[0], signal.SIGKILL))
        threading.Thread(target=soon, daemon=True).start()
        with joblib.parallel_config(backend='dask'): made = sweep(photo, painting, folder=tmp_path, **TWELVE)
    assert killed and not any(item.error for item in made)
    assert all(load_picture(a).equal(load_picture(b)) for a, b in zip(alone, made))
    assert len([*tmp_path.glob('*.png')]) == 12

def ends(job, shared):
    "Ends its process, if told to"
    if job[1]: os._exit(9)
    return 2*job[0]

def test_a_job_that_kills_every_worker_of_a_cluster_is_an_error_of_its_own():
    "dask gives it up after four of them, here after two, and joblib is not told"
    import dask
    from dask.distributed import Client, LocalCluster
    few = dask.config.set({'distributed.scheduler.allowed-failures': 1})
    with few, LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        with joblib.parallel_config(backend='dask'):
            made = dict(each_done(ends, [(0, False), (1, True), (2, False), (3, False)]))
    assert {n: made[n] for n in (0, 2, 3)} == {0: 0, 2: 4, 3: 6}
    assert isinstance(made[1], RuntimeError) and 'several workers had died of it' in str(made[1])
