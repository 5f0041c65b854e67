"A clip in, a clip out: the same film after a kill, refusals that leave nothing, the command line"
import os, random, re, signal, subprocess, sys, time
from pathlib import Path
from types import SimpleNamespace
import numpy as np
import pytest
from forked import Program
from skimage import data
import style_nb.outlook as outlook
from style_nb.cli import main
from style_nb.clips import Clip, write_clip
from style_nb.coder import Coder
from style_nb.errors import StyleNBError
from style_nb.filming import make_film
from style_nb.flow import window
from style_nb.gallery import sample
from style_nb.pictures import to_pil
from style_nb.pieces import PieceStore
from style_nb.storing import WRITER, claimed
from style_nb.recipe import named_recipe

HOW = dict(size=64, encoder='texnet-small', steps=3, first_steps=5, flow='tvl1', progress=False)

@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    pan = [to_pil(window(data.astronaut(), (200. + 3*i, 150.), 1.2, (48, 64))) for i in range(6)]
    return write_clip(pan, tmp_path_factory.mktemp('clip')/'pan.mp4', 10)

def names(folder): return sorted(p.name for p in folder.iterdir())
def kept(folder): return {p.name: p.read_bytes() for p in folder.glob('*.png')}

def test_as_long_and_as_large_as_the_clip(clip, tmp_path):
    made = Clip(make_film(clip, sample('swirls'), tmp_path/'a.mp4', **HOW))
    assert (made.count, made.size, made.fps) == (6, (64, 48), 10) and names(tmp_path) == ['a.mp4']
    plain, painted = (np.stack(list(c)).astype(float) for c in (Clip(clip), made))
    assert abs(plain - painted).mean() > 10, 'it is painted'

@pytest.mark.parametrize('gone', [range(0), range(2, 6), [2], range(6)])
def test_goes_on_with_the_frames_that_are_there(clip, tmp_path, gone):
    out = make_film(clip, sample('swirls'), tmp_path/'a.mp4', keep_frames=True, **HOW)
    frames = tmp_path/'a.mp4.frames'
    before, film = kept(frames), out.read_bytes()
    for n in gone: (frames/f'{n:06d}.png').unlink()
    make_film(clip, sample('swirls'), out, keep_frames=True, **HOW)
    assert kept(frames) == before and out.read_bytes() == film

def test_a_killed_process_is_taken_up_again(clip, tmp_path):
    "By the same command; what it had painted is not painted again"
    command = [sys.executable, '-W', 'ignore', '-m', 'style_nb.cli', 'film', clip, 'swirls.png', '-o', 'a.mp4', '-q',
        *'--size 64 --encoder texnet-small --steps 3 --first-steps 5 --flow tvl1 --keep-frames'.split()]
    sample('swirls').save(tmp_path/'swirls.png')
    run = subprocess.Popen([str(o) for o in command], cwd=tmp_path)
    frames = tmp_path/'a.mp4.frames'
    begin = time.time()
    while not (frames/'000001.png').exists() and run.poll() is None and time.time() - begin < 60: time.sleep(.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    done = {name: (frames/name).stat().st_mtime_ns for name in kept(frames)}
    assert done and not (tmp_path/'a.mp4').exists()
    assert subprocess.run([str(o) for o in command], cwd=tmp_path, timeout=120).returncode == 0
    assert {name: (frames/name).stat().st_mtime_ns for name in done} == done
    whole = make_film(clip, tmp_path/'swirls.png', tmp_path/'b.mp4', keep_frames=True, **HOW)
    assert kept(frames) == kept(tmp_path/'b.mp4.frames') and Clip(whole).count == 6

SCRIPT = '''
import sys
import style_nb.pieces as room
from style_nb.filming import make_film
room.PIECE, put = 4, room.PieceStore.put
def noted(self, n, frame):
    put(self, n, frame)
    with open('log.txt', 'a') as f: f.write(f'{n} ')
room.PieceStore.put = noted
workers = int(sys.argv[1])
make_film('clip.mp4', 'swirls.png', 'a.mp4', workers=workers, **HOW)
'''

@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    "Two scenes of seven and five frames, and a painting"
    folder = tmp_path_factory.mktemp('scenes')
    pan = [to_pil(window(data.astronaut(), (200. + 3*i, 150.), 1.2, (48, 64))) for i in range(7)]
    write_clip([*pan, *[sample('cat').resize((64, 48))]*5], folder/'clip.mp4', 10)
    sample('swirls').save(folder/'swirls.png')
    return folder

def begun(scenes, folder, workers=1):
    "The film of both scenes, in a process of its own"
    for name in ('clip.mp4', 'swirls.png'):
        if not (folder/name).exists(): os.link(scenes/name, folder/name)
    return Program(SCRIPT.replace('HOW', repr(HOW)), folder, workers)

def frames_of(folder):
    assert names(folder) == ['a.mp4', 'clip.mp4', 'log.txt', 'swirls.png']
    log = [int(n) for n in (folder/'log.txt').read_text().split()]
    assert len(set(log)) == len(log), f'painted twice: {log}'
    return [frame.tobytes() for frame in Clip(folder/'a.mp4')]

def test_killed_at_random_moments(scenes, tmp_path):
    """kill -9 at any moment, while a piece is coded too, and the same program again: equal frames, none painted twice.
    The bar of issue 23 is RANDOM_KILLS=10."""
    chance, left = random.Random(int(os.environ.get('RANDOM_SEED', 0))), int(os.environ.get('RANDOM_KILLS', 2))
    assert Program("", tmp_path).ended() == 0  # all is imported
    start, moments = time.time(), []
    assert begun(scenes, tmp_path).ended() == 0
    seconds, whole = time.time() - start, frames_of(tmp_path)
    assert len(whole) == 12
    def anew():
        for name in ('a.mp4', 'log.txt'): (tmp_path/name).unlink(missing_ok=True)
    anew()
    while left:
        p = begun(scenes, tmp_path)
        p.join(chance.uniform(.05, .8)*seconds)
        if p.is_alive():
            os.killpg(p.pid, signal.SIGKILL)
            p.ended()
            left -= 1
            moments.append(len((tmp_path/'log.txt').read_text().split()) if (tmp_path/'log.txt').exists() else 0)
        else:
            assert p.exitcode == 0 and frames_of(tmp_path) == whole, p.said()
            anew()
    p = begun(scenes, tmp_path)
    assert p.ended() == 0 and frames_of(tmp_path) == whole, p.said()
    print(f'killed after frames {moments} of 12')

def test_workers_paint_the_same_film(scenes, tmp_path):
    "Killed on the way, they end too, and the film goes on"
    import psutil
    (tmp_path/'a').mkdir()
    (tmp_path/'b').mkdir()
    assert begun(scenes, tmp_path/'a').ended(300) == 0
    p, log = begun(scenes, tmp_path/'b', 2), tmp_path/'b'/'log.txt'
    end = time.time() + 300  # some 10 s on an idle machine
    while not log.exists() and p.is_alive() and time.time() < end: time.sleep(.01)
    children = psutil.Process(p.pid).children(recursive=True)
    assert len(children) >= 2 and not (tmp_path/'b'/'a.mp4').exists()
    p.kill()
    p.ended()
    assert psutil.wait_procs(children, timeout=20)[1] == []
    p = begun(scenes, tmp_path/'b', 2)
    assert p.ended(300) == 0 and frames_of(tmp_path/'b') == frames_of(tmp_path/'a'), p.said()

def test_three_hours(clip, tmp_path, monkeypatch, refused):
    "324,000 frames: told of beforehand, begun at once, gone on with, never all in memory or on the disk"
    long, out = tmp_path/'long.mp4', tmp_path/'a.mp4'
    with Coder(['-stream_loop', 53999, '-i', clip, '-r', 30, '-c', 'copy', '-y', long]) as coder: assert coder.wait()
    found = Clip(long)
    assert abs(found.count - 324000) < 54000 and next(iter(found)).shape == (48, 64, 3)
    told = make_film(long, sample('swirls'), out, forecast=True, **HOW)
    assert told.frames == found.count and told.seconds > 1e5*told.frame_seconds and told.disk_bytes < 3e9
    assert 'at each cut' in repr(told) and names(tmp_path) == ['long.mp4']
    put, painted = PieceStore.put, []
    def three(self, n, frame):
        put(self, n, frame)
        painted.append(n)
        if len(painted) % 3 == 0: raise KeyboardInterrupt
    monkeypatch.setattr(PieceStore, 'put', three)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt): make_film(long, sample('swirls'), out, **HOW)
    assert painted == [*range(6)]
    monkeypatch.setattr(outlook.shutil, 'disk_usage', lambda _: SimpleNamespace(free=10**8))
    refused(lambda: make_film(long, sample('swirls'), out, **HOW), 'of 64x48 px need some', '100 MB are free')
    assert painted == [*range(6)]

def test_a_newcomer_has_a_clip(tmp_path, monkeypatch):
    "The lines of the README make a clip of what is installed, and a film of that"
    readme = (Path(__file__).parent.parent/'README.md').read_text('utf-8').partition('No clip at hand?')[2]
    python, shell = re.findall(r'```(?:python|sh)\n(.*?)```', readme, re.S)[:2]
    monkeypatch.chdir(tmp_path)
    exec(f'from style_nb.all import *\n{python}', {})
    assert (Clip('clip.mp4').count, Clip('clip.mp4').size) == (24, (256, 160))
    assert main([*shell.partition('#')[0].split()[1:], '--size', '64', '--stop', '3', '-q']) == 0
    assert names(tmp_path) == ['clip.mp4', 'out.mp4'] and Clip('out.mp4').count == 3

@pytest.mark.parametrize('n, said', [(0, 'stopped'), (2, 'stopped: the same command goes on from there.')])
def test_a_film_that_is_stopped_says_that_the_same_command_goes_on(clip, tmp_path, monkeypatch, capsys, n, said):
    put = PieceStore.put
    def stop(self, number, frame):
        if number == n: raise KeyboardInterrupt
        put(self, number, frame)
    words = ['film', clip, 'swirls', '-o', tmp_path/'a.mp4', '-q',
        *'--size 64 --encoder texnet-small --steps 2 --first-steps 2'.split()]
    with monkeypatch.context() as m:
        m.setattr(PieceStore, 'put', stop)
        assert main([*map(str, words)]) == 130 and capsys.readouterr().err == f'style_nb: {said}\n'
    assert main([*map(str, words)]) == 0 and names(tmp_path) == ['a.mp4'] and capsys.readouterr().err == ''

def test_other_settings_are_another_film(clip, tmp_path, refused):
    make_film(clip, sample('swirls'), tmp_path/'a.mp4', keep_frames=True, **HOW)
    for style, how in ((sample('dots'), HOW), (sample('swirls'), HOW | dict(steps=4)), (sample('swirls'), HOW | dict(
            recipe=named_recipe('default', style_weight=9.)))):
        refused(lambda: make_film(clip, style, tmp_path/'a.mp4', **how), 'frames of another film')

@pytest.mark.parametrize('bad', [
    dict(style='missing.jpg'), dict(how=dict(steps=0)), dict(how=dict(style_wieght=3)), dict(how=dict(one_pass='yes')),
    dict(how=dict(begun=(0, None))), dict(how=dict(stop=99)), dict(how=dict(quality=101)),
    dict(how=dict(one_pass=True, recipe='gatys')), dict(how=dict(recipe='gaty'))])
def test_what_cannot_begin_leaves_no_folder(clip, tmp_path, bad):
    with pytest.raises((StyleNBError, TypeError)) as e:
        how = {k: v for k, v in HOW.items() if not ('one_pass' in bad.get('how', {}) and k in ('encoder', 'steps'))}
        make_film(clip, bad.get('style', sample('swirls')), tmp_path/'a.mp4', **how | bad.get('how', {}))
    assert '\n' not in str(e.value) and names(tmp_path) == []

def test_in_one_pass_by_name(clip, tmp_path):
    how = dict(size=64, one_pass=True, flow='tvl1', progress=False, stop=3)
    assert Clip(make_film(clip, 'wave', tmp_path/'a.webm', **how)).count == 3

def test_command_line(clip, tmp_path, capsys):
    sample('swirls').save(tmp_path/'swirls.png')
    words = f'film {clip} {tmp_path}/swirls.png -o {tmp_path}/a.mp4 --size 64 --stop 2'.split()
    assert main([*words, *'--encoder texnet-small --steps 2 --first-steps 3 --flow tvl1'.split()]) == 0
    assert 'a.mp4: Clip(a.mp4: 2 frames, 64x48 px' in capsys.readouterr().err
    few = '--encoder texnet-small --steps 2 --first-steps 3'.split()
    assert main([*words[:3], '--forecast', *words[5:], *few]) == 0
    assert '2 frames: about' in capsys.readouterr().out
    for wrong, why in (('--workers', '0'), '--workers is 0'), (('-o', str(tmp_path/'none'/'b.mp4')), 'does not exist'):
        assert main([*words[:3], '--forecast', *words[5:], *few, *wrong]) != 0
        assert why in capsys.readouterr().err
    assert main([*words[:-2], '--one-pass', '--recipe', 'gatys', '-q']) != 0
    said = capsys.readouterr().err
    assert 'no recipe' in said and said.count('\n') == 1
    assert main(['film', str(tmp_path/'none.mp4'), words[2], '-o', str(tmp_path/'b.mp4')]) != 0
    assert 'There is no clip' in capsys.readouterr().err and names(tmp_path) == ['a.mp4', 'swirls.png']

def test_what_cannot_be_written_is_said_before_painting(clip, tmp_path, refused, monkeypatch):
    monkeypatch.setattr('style_nb.filming.paint_rest', lambda *a: pytest.fail('it was painted'))
    monkeypatch.setattr('style_nb.flow._opencv', lambda: None)
    refused(lambda: make_film(clip, sample('swirls'), tmp_path/'a.gif', fps=60, **HOW), 'at most 50 frames a second')
    with pytest.raises(StyleNBError, match='needs OpenCV'):
        make_film(clip, sample('swirls'), tmp_path/'a.mp4', **HOW | dict(flow='dis'))
    assert not names(tmp_path)

def test_only_what_differs_is_named(clip, tmp_path):
    make_film(clip, sample('swirls'), tmp_path/'a.mp4', keep_frames=True, stop=1, **HOW)
    with pytest.raises(StyleNBError) as e:
        make_film(clip, sample('swirls'), tmp_path/'a.mp4', keep_frames=True, stop=2, **HOW | dict(steps=4))
    assert '(steps differs)' in str(e.value)

def test_one_film_has_one_writer(clip, tmp_path, capsys):
    "Another run is told who writes, and takes nothing away; one that was killed writes no more"
    out, words = tmp_path/'a.mp4', f'film {clip} swirls -o {tmp_path}/a.mp4 --size 64 --one-pass -q'.split()
    with claimed(tmp_path/'a.mp4.frames', out):
        (tmp_path/'a.mp4.frames'/WRITER).write_text('77 elsewhere')
        assert main(words) == 1
        said = capsys.readouterr().err
        assert 'a.mp4 is being written by process 77 of elsewhere' in said and said.count('\n') == 1
        assert names(tmp_path) == ['a.mp4.frames']
    assert names(tmp_path) == []
    (tmp_path/'a.mp4.frames').mkdir()
    (tmp_path/'a.mp4.frames'/WRITER).write_text('77 elsewhere')
    assert main([*words, '--stop', '99']) == 2 and 'is being written' not in capsys.readouterr().err
    with claimed(tmp_path/'a.mp4.frames', out): pass
    assert names(tmp_path) == []

def test_other_pictures_to_keep_are_called_by_their_name(tmp_path):
    frame = np.zeros((16, 16, 3), np.uint8)
    PieceStore(tmp_path/'f', dict(size=16), tmp_path/'a.mp4', 25, keep=True).put(0, frame)
    with pytest.raises(StyleNBError, match=r'\(keep_frames differs\)'):
        PieceStore(tmp_path/'f', dict(size=16), tmp_path/'a.mp4', 25)

def test_a_film_that_is_lost_says_so(clip, tmp_path):
    how = HOW | dict(size=32, steps=1, first_steps=1, stop=2, style_weight=1e38)
    with pytest.warns(UserWarning, match='Frame 0 is kept as it was then.*try a smaller') as told:
        make_film(clip, sample('swirls'), tmp_path/'a.mp4', **how)
    assert len([one for one in told if 'is kept as it was then' in str(one.message)]) == 1

@pytest.mark.parametrize('words, said', [
    ('--one-pass --steps 9', '--steps is for a film in steps'),
    ('--one-pass --temporal-weight 3', '--temporal-weight is for a film in steps'),
    ('--one-pass --first-steps 9', '--first-steps is for a film in steps'),
    ('--one-pass --style-weight 9', '--style-weight is for a film in steps'),
    ('--stroke 2', '--stroke goes with --one-pass'), ('--first-steps 0', '--first-steps is 0')])
def test_nothing_is_said_in_vain(clip, tmp_path, capsys, words, said):
    assert main(f'film {clip} swirls -o {tmp_path}/a.mp4 --size 64 -q {words}'.split()) != 0
    err = capsys.readouterr().err
    assert said in err and err.count('\n') == 1 and not names(tmp_path)

def test_a_clip_is_a_clip(clip, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr('style_nb.filming.film_forecast', lambda footage, store: seen.append(footage.clip))
    make_film(Clip(clip, 1, 3, size=32), sample('swirls'), tmp_path/'a.mp4', forecast=True)
    assert (seen[0].start, seen[0].count, seen[0].size) == (1, 2, (32, 24)) and names(tmp_path) == []
    with pytest.raises(StyleNBError, match='start and a stop of its own'):
        make_film(Clip(clip), sample('swirls'), tmp_path/'a.mp4', start=1)

@pytest.mark.parametrize('how', [dict(forecast=True), {}, dict(one_pass=True, forecast=True)])
def test_a_frame_too_large_for_the_machine_is_refused_before_any_is_read(clip, tmp_path, how, monkeypatch):
    monkeypatch.setattr(Clip, '__iter__', lambda self: pytest.fail('a frame was read'))
    with pytest.raises(StyleNBError, match='too large here.*Give .*a size of at most'):
        make_film(clip, sample('swirls'), tmp_path/'large.mp4', size=20000, progress=False, **how)
    assert not (tmp_path/'large.mp4').exists()

@pytest.mark.parametrize('killed', [0, 4])
def test_a_piece_whose_coding_was_killed_is_coded_in_the_end(killed, tmp_path, monkeypatch):
    "The pieces after it are there, so the last frames are in a piece too"
    monkeypatch.setattr('style_nb.pieces.PIECE', 4)
    code = PieceStore._code
    monkeypatch.setattr(PieceStore, '_code', lambda self, first: None if first == killed else code(self, first))
    store = PieceStore(tmp_path/'frames', {}, tmp_path/'a.mp4', 10)
    for n in range(14): store.put(n, np.full((48, 64, 3), 15*n, np.uint8))
    monkeypatch.setattr(PieceStore, '_code', code)
    again = PieceStore(tmp_path/'frames', {}, tmp_path/'a.mp4', 10)
    light = [frame.mean() for frame in Clip(again.finish())]
    assert len(light) == 14 and np.abs(np.array(light) - 15*np.arange(14)).max() < 4
