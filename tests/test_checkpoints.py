"Checkpoints: killed at any moment and continued by the same call, other runs, damage, full disks, and what is left"
import os, random, signal
import pytest
from fastai.callback.core import Callback
from forked import Program
from style_nb.checkpoints import RunCheckpoint
from style_nb.enlarging import enlarge
from style_nb.errors import BadFile
from style_nb.pictures import load_picture, to_pil
from style_nb.transfer import load_state, stylize

FEW = dict(size=64, steps=12, levels=2, content_weights='relu2_1', style_weights=['relu1_1', 'relu2_1'], progress=False)
KINDS = dict(
    lbfgs=dict(snapshots=5),
    wolfe=dict(line_search=True),
    adam=dict(optimizer='adam', average=.8, init='noise'),
    balance=dict(balance=True, schedule=[(3, 'style_weight', 3.), (9, 'tv_weight', .5)]),
    finish=dict(finish='texnet-small', finish_steps=3, precision='bf16'),
    tiles=dict(tile=48, padding='zero'))

class StopAt(Callback):
    order = 46
    def __init__(self, step): self.step = step
    def after_step(self):
        if self.learn.controls.step == self.step: self.learn.stop.now()

def same(a, b):
    assert a.image.tobytes() == b.image.tobytes()
    hidden = dict(columns='seconds')
    assert a.history.drop(**hidden).equals(b.history.drop(**hidden)) and b.history.seconds.is_monotonic_increasing
    assert [(n, f.tobytes()) for n, f in a.frames] == [(n, f.tobytes()) for n, f in b.frames]
    assert a.recipe == b.recipe and a.stopped == b.stopped

@pytest.mark.parametrize('kind', KINDS)
def test_the_same_call_goes_on(photo, painting, tmp_path, kind):
    "Stopped twice, within a level and at its end; picture, history, snapshots and recipe are those of one run"
    path, how = tmp_path/'run.safetensors', FEW | KINDS[kind]
    whole = stylize(photo, painting, **how)
    for n in (4, int((whole.history.level == 0).sum())):
        half = stylize(photo, painting, checkpoint=path, cbs=StopAt(n), **how)
        assert half.stopped and len(half.history) == n and path.exists()
    same(whole, stylize(photo, painting, checkpoint=path, **how))
    assert list(tmp_path.iterdir()) == []

SCRIPT = '''
import sys
from style_nb.checkpoints import RunCheckpoint
from style_nb.transfer import stylize
r = stylize('a.png', 'b.png', checkpoint=RunCheckpoint('run.safetensors', minutes=0), progress=False, **HOW)
r.save('out.png')
'''

def test_killed_at_random_moments(photo, painting, tmp_path):
    """kill -9 at any moment, within a write too, and the same program again: equal pictures. The bar of issue 22 is
    RANDOM_KILLS=10."""
    chance, left = random.Random(int(os.environ.get('RANDOM_SEED', 0))), int(os.environ.get('RANDOM_KILLS', 2))
    to_pil(photo).save(tmp_path/'a.png')
    to_pil(painting).save(tmp_path/'b.png')
    how = FEW | dict(size=96, steps=60)
    script = SCRIPT.replace(', progress=False, **HOW', f', **{how}')
    whole = stylize(tmp_path/'a.png', tmp_path/'b.png', **how)
    seconds, steps, out = whole.history.seconds.max(), [], tmp_path/'out.png'
    def ends_well(p):
        assert p.ended() == 0, p.said()
        assert load_picture(out).equal(load_picture(whole))
        assert sorted(f.name for f in tmp_path.iterdir()) == ['a.png', 'b.png', 'out.png']
        out.unlink()
    while left:
        p = Program(script, tmp_path)
        p.join(chance.uniform(.3, 1.2)*seconds)
        if p.is_alive():
            os.killpg(p.pid, signal.SIGKILL)
            p.ended()
            left -= 1
            steps.append(load_state(tmp_path/'run.safetensors')['step'] if (tmp_path/'run.safetensors').exists() else 0)
        else: ends_well(p)
    ends_well(Program(script, tmp_path))
    print(f'killed at steps {steps} of 60')

def test_moves_by_hand_are_kept(photo, painting, tmp_path):
    "A slider moved while it ran is in the file, though the call does not know of it"
    class Hand(Callback):
        def after_step(self):
            if self.learn.controls.step == 3: self.learn.controls.put('style_weight', 2.)
    path = tmp_path/'run.safetensors'
    whole = stylize(photo, painting, cbs=Hand(), **FEW)
    stylize(photo, painting, checkpoint=path, cbs=[Hand(), StopAt(6)], **FEW)
    rest = stylize(photo, painting, checkpoint=path, **FEW)
    same(whole, rest)
    assert [*map(tuple, rest.recipe.schedule)] == [(3, 'style_weight', 2.)]

def test_enlarged(photo, painting, tmp_path):
    path = tmp_path/'run.safetensors'
    small = stylize(photo, painting, **FEW)
    go = lambda **how: enlarge(small, photo, painting, 128, steps=9, progress=False, **how)
    whole = go()
    assert go(checkpoint=path, cbs=StopAt(5)).stopped
    same(whole, go(checkpoint=path))

def test_with_a_state_to_go_on_from(photo, painting, tmp_path):
    "A checkpoint of a run that is itself resumed; the file is a state for resume= too"
    path = tmp_path/'run.safetensors'
    begun = stylize(photo, painting, cbs=StopAt(2), **FEW)
    whole = stylize(photo, painting, resume=begun, **FEW)
    stylize(photo, painting, resume=begun, checkpoint=path, cbs=StopAt(6), **FEW)
    by_hand = stylize(photo, painting, resume=path, **FEW)
    assert by_hand.image.tobytes() == whole.image.tobytes() and by_hand.history.step.min() == 7
    same(whole, stylize(photo, painting, resume=begun, checkpoint=path, **FEW))

def test_other_runs(photo, painting, painting2, tmp_path, refused):
    path = tmp_path/'run.safetensors'
    stylize(photo, painting, checkpoint=path, cbs=StopAt(2), **FEW)
    before = path.read_bytes()
    go = lambda a, b, **how: lambda: stylize(a, b, checkpoint=path, **FEW | how)
    refused(go(photo, painting, seed=1), 'run.safetensors', 'another run', 'differs in seed', 'another path')
    refused(go(photo, painting, steps=20), 'differs in steps')
    refused(go(photo, painting2), 'differs in styles')
    refused(go(photo, [painting, painting2]), 'differs in styles')
    refused(go(painting2, painting), 'differs in content')
    refused(go(photo, painting, resume=stylize(photo, painting, cbs=StopAt(1), **FEW)), 'differs in resume')
    assert path.read_bytes() == before
    stylize(photo, painting, checkpoint=path, **FEW)

def test_bad_files(photo, painting, tmp_path, refused):
    path = tmp_path/'run.safetensors'
    go = lambda p: lambda: stylize(photo, painting, checkpoint=p, **FEW)
    half = stylize(photo, painting, cbs=StopAt(2), **FEW)
    state = half.save_state(path).read_bytes()
    with pytest.raises(BadFile) as e: go(path)()
    assert 'run.safetensors is a state that `Result.save_state` wrote: give it as resume=' in str(e.value)
    assert 'another path' in str(e.value) and 'delete' not in str(e.value) and 'damaged' not in str(e.value)
    assert path.read_bytes() == state
    path.write_text('hello')
    refused(go(path), 'is not a checkpoint of a run')
    refused(go(tmp_path/'a.png'), 'choose one of .safetensors')
    refused(go(tmp_path/'none'/'a.safetensors'), 'does not exist')
    refused(go(3), 'cannot be a path')
    refused(lambda: RunCheckpoint(path, minutes=-1), 'minutes is -1')

def test_a_full_disk_ends_nothing(photo, painting, tmp_path, monkeypatch, capsys):
    import style_nb.checkpoints as room
    def full(*_): raise BadFile('run.safetensors cannot be written: no room.')
    monkeypatch.setattr(room, 'write_state', full)
    kept = RunCheckpoint(tmp_path/'run.safetensors', minutes=0)
    r = stylize(photo, painting, checkpoint=kept, **FEW)
    assert not r.stopped and len(r.history) == 12
    assert 'no room. The run goes on.' in capsys.readouterr().err

def test_it_is_kept_until_its_picture_is_safe(photo, painting, tmp_path):
    path = tmp_path/'run.safetensors'
    kept = RunCheckpoint(path, minutes=0, remove=False)
    whole = stylize(photo, painting, checkpoint=kept, **FEW)
    assert load_state(path)['step'] == 11
    same(whole, stylize(photo, painting, checkpoint=RunCheckpoint(path), **FEW))
    assert not path.exists()

def test_tiles_stay_what_they_were(photo, painting, tmp_path):
    "Free memory may choose others, or none, when a run goes on; said by hand they are heeded"
    path, how = tmp_path/'run.safetensors', FEW | dict(padding='zero')
    half = stylize(photo, painting, checkpoint=path, cbs=StopAt(3), tile=48, **how)
    assert half.recipe.tile == 48
    again = stylize(photo, painting, checkpoint=path, cbs=StopAt(5), **how)
    assert again.recipe.tile == 48
    assert stylize(photo, painting, checkpoint=path, tile=40, **how).recipe.tile == 40

def test_a_file_that_no_run_wrote(photo, painting, tmp_path, refused):
    "Whole as a file, and with parts that are not a run's: a line, before any work"
    from style_nb.keeping import read_state, write_state
    path = tmp_path/'run.safetensors'
    stylize(photo, painting, checkpoint=path, cbs=StopAt(3), **FEW)
    state = read_state(path, 'a checkpoint', set(), '')
    for part, wrong in [
        ('beginning', dict(began=[1])), ('beginning', dict(began=None)), ('beginning', dict(began={})),
        ('recipe', dict(began=state['began'] | dict(recipe='none'))), ('step', dict(step=10**9)),
        ('step', dict(step=12)),
        ('kept', dict(kept=[])), ('kept', dict(kept=dict(history=3))), ('kept', dict(kept=dict(history=dict(rows=3)))),
        ('kept', dict(kept=state['kept'] | dict(guard={})))]:
        write_state(state | wrong, path)
        refused(lambda: stylize(photo, painting, checkpoint=path, **FEW), f'its {part} is something else', 'delete it')
    write_state(state, path)
    assert len(stylize(photo, painting, checkpoint=path, **FEW).history) == 12

def test_stopped_at_the_last_step_is_over(photo, painting, tmp_path):
    path = tmp_path/'run.safetensors'
    made = stylize(photo, painting, checkpoint=path, cbs=StopAt(12), **FEW)
    assert len(made.history) == 12 and not path.exists()
    assert stylize(photo, painting, checkpoint=path, **FEW).image.tobytes() == made.image.tobytes()
