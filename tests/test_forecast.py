"What a run will take, told before it begins; on a made-up machine, since nothing is timed in tests"
import json, math, time
from dataclasses import asdict, replace
import pytest, torch
import style_nb.forecasting as forecasting
import style_nb.speeds as speeds
from style_nb.cli import main
from style_nb.encoders import encoder
from style_nb.errors import StyleNBError
from style_nb.forecasting import (
    Budget, Forecast, budget_seconds, forecast_of, level_seconds, plan_bytes, replanned, rows_remembered, run_seconds,
    told_bytes, told_seconds, ways_to_fit, why_too_large, within_budget)
from style_nb.counts import free_memory, group_limits, memory_of, run_bytes, run_counts
from style_nb.pictures import save_picture
from style_nb.planning import settle
from style_nb.recipe import Recipe
from style_nb.session import Session
from style_nb.speeds import Speed, keep_speed, kept_speeds, look_of, speed_file, speed_of
from style_nb.learner import StepCallback
from style_nb.transfer import forecast, reconstruct, stylize, transfer_learner
from style_nb.enlarging import enlarge
from style_nb.instant import instant
from style_nb.palettes import palette
from style_nb.reversion import revert
from style_nb.sweeping import matrix, sweep
from style_nb.tiling import tile

SPEED = Speed(step=.002, pixel=1e-6, start=.1, target=2e-6, row=1e-10, wall=2., cold=0.)

@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    "A cache of its own, and a machine whose speed is made up; calls of what would measure it"
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path/'cache'))
    calls = []
    def measured(plan, learner_of, enc=None):
        calls.append(plan.recipe.encoder if enc is None else enc.name)
        return replace(SPEED, when=time.time())
    monkeypatch.setattr(speeds, 'measured_speed', measured)
    return calls

@pytest.fixture(scope='module')
def plan():
    x = torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    return settle(x, x, size=128, steps=40, levels=1, encoder='texnet-small', precision='fp32', device='cpu')

few = dict(encoder='texnet-small', size=64, steps=4, device='cpu')

def test_a_forecast_is_told_in_a_sentence(photo, painting, machine):
    made = forecast(photo, painting, **few)
    assert isinstance(made, Forecast) and made.fits and made.steps == 4 and made.size == 64
    assert repr(made).startswith('About ') and repr(made).endswith('are free.') and made.offers == []
    assert made.seconds == pytest.approx(2*made.cpu_seconds)

def test_a_speed_is_kept_for_an_hour(photo, painting, machine, monkeypatch):
    for _ in range(2): forecast(photo, painting, **few)
    forecast(photo, painting, **few | dict(size=96, steps=8))
    assert len(machine) == 1
    forecast(photo, painting, again=True, **few)
    forecast(photo, painting, optimizer='adam', **few)
    assert len(machine) == 3 and len(kept_speeds()) == 2
    now = time.time()
    monkeypatch.setattr(speeds.time, 'time', lambda: now + 3700)
    assert kept_speeds() == {}
    forecast(photo, painting, **few)
    assert len(machine) == 4

def test_a_speed_of_a_busy_minute_is_measured_again(plan, machine, monkeypatch):
    monkeypatch.setattr(speeds, 'pulse_seconds', lambda: .010)
    for then, times in ((.012, 0), (.030, 1), (.004, 1), (0., 0)):
        keep_speed(look_of(plan), replace(SPEED, pulse=then, when=time.time()))
        machine.clear()
        assert speeds.speed_for(plan, transfer_learner) and len(machine) == times, then
        keep_speed(look_of(plan), replace(SPEED, pulse=then, when=time.time()))
        assert speeds.speed_for(plan, None).pulse == then and len(machine) == times  # nothing is measured for a bar

def test_a_damaged_file_is_as_none(photo, painting, machine):
    speed_file().parent.mkdir(parents=True)
    now = time.time()
    for text in ('', '[]', '{"a": 3}', '{"a": {"step": 1}}', '\0', json.dumps({'a': asdict(SPEED) | dict(pixel='x')}),
                 json.dumps({'["a"]': asdict(SPEED) | dict(when=now, pixel=-1)}), json.dumps({'a': asdict(SPEED)})):
        speed_file().write_text(text)
        assert kept_speeds() == {}
    assert forecast(photo, painting, **few).seconds > 0 and len(kept_speeds()) == 1

def test_new_memory_costs_what_it_cost_at_most(plan):
    "What was given back just now is cheap, and says little"
    keep_speed(look_of(plan), replace(SPEED, touch=1e-9, when=time.time()))
    other = replanned(plan, 1, optimizer='adam')
    assert speeds.speed_for(other, transfer_learner).touch == 1e-9
    elsewhere = look_of(plan).replace('threads', 'cores')
    keep_speed(elsewhere, replace(SPEED, touch=1., when=time.time()))
    assert speeds.speed_for(other, transfer_learner).touch == 1e-9

def test_a_cache_that_cannot_be_written_is_no_error(monkeypatch, tmp_path):
    (tmp_path/'file').write_text('')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path/'file'))
    keep_speed('a', SPEED)
    assert kept_speeds() == {}

def test_the_look_names_what_changes_a_pixel(plan):
    same = look_of(plan)
    for settings in (dict(steps=7), dict(size=96), dict(seed=3), dict(style_weight=3.)):
        assert look_of(replanned(plan, 1, **settings)) == same
    for settings in (dict(optimizer='adam'), dict(tile=64), dict(style_kind='moments'), dict(encoder='texnet')):
        assert look_of(replanned(plan, 1, **settings)) != same

def test_more_costs_more(plan):
    def cost(**settings): return run_seconds(replanned(plan, 1, **settings), SPEED)
    usual = cost()
    assert cost(steps=80) > 1.5*usual and cost(size=96) < usual and cost(tile=32) > usual
    assert cost(optimizer='adam') < usual  # it remembers nothing
    hw = plan.shapes[-1]
    both = level_seconds(plan, SPEED, hw, 10) + level_seconds(plan, SPEED, hw, 10)
    slow = level_seconds(plan, replace(SPEED, start=SPEED.start + 1), hw, 20)
    assert slow == pytest.approx(level_seconds(plan, SPEED, hw, 20) + 1)
    assert level_seconds(plan, SPEED, hw, 20) < both + rows_remembered(20, 20)*3*math.prod(hw)*SPEED.row

def test_what_is_left_of_a_run_is_told(plan):
    half = replace(plan, state=dict(step=20))
    assert forecast_of(half, transfer_learner, cold=False).steps == 20
    assert run_seconds(half, SPEED) < .7*run_seconds(plan, SPEED)

def test_last_steps_have_a_speed_of_their_own(photo, painting, machine):
    forecast(photo, painting, finish='texnet', finish_steps=2, **few)
    assert machine == ['texnet-small', 'texnet']

def test_two_points_make_a_line(plan):
    def trial(side, step, rest):
        tiny = speeds.tiny_plan(plan, side)
        return speeds.Trial(tiny, step, rest, 1.5)
    n = [math.prod(speeds.tiny_plan(plan, side).shapes[0]) for side in (64, 128)]
    made = speed_of([trial(64, .01 + 1e-6*n[0], .2), trial(128, .01 + 1e-6*n[1], .3)], 0.)
    assert made.step == pytest.approx(.01) and made.pixel == pytest.approx(1e-6) and made.wall == 1.5
    odd = speed_of([trial(64, .2, .3), trial(128, .1, .2)], 0.)  # a machine that was busy meanwhile
    assert min(odd.step, odd.pixel, odd.start, odd.target) >= 0 and odd.pixel > 0
    same = speed_of([trial(64, .2, .3)]*2, 0.)
    assert same.pixel*n[0] == pytest.approx(.2)

def test_tiny_runs_are_real_ones(monkeypatch, plan):
    monkeypatch.undo()
    small = speeds.try_out(speeds.tiny_plan(plan, 64), transfer_learner, 0., 5)
    assert small.step > 0 and small.plan.shapes == [(48, 64)] and small.plan.recipe.steps == speeds.MOST
    assert speeds.first_side(plan, plan.enc) == 128 and speeds.second_side(plan, small) == 128
    assert speeds.row_seconds() > 0

# ---- memory

def test_bytes_grow_with_what_is_kept():
    enc, small = encoder('texnet'), encoder('texnet-small')
    r, hw = Recipe(precision='bf16'), (960, 1280)
    usual = run_bytes(r, hw, enc)
    assert run_bytes(r, hw, small) < run_bytes(replace(r, optimizer='adam'), hw, enc) < usual
    assert usual < run_bytes(replace(r, precision='fp32'), hw, enc) < 2*usual
    assert run_bytes(r, hw, enc, tile=256) < usual
    assert run_counts(r, hw, enc, styles=[(64, 64)])['style'] < run_counts(r, hw, enc)['style']
    assert run_bytes(Recipe(content_weights={}, style_weights={}), hw, enc) > 0

def test_measured_peaks():
    "MB above import by VmHWM, fresh processes, bf16: within a fifth, or 200 MB"
    enc = encoder('texnet', padding='reflect')
    for (h, w), measured in (((170, 256), 265), ((341, 512), 672), ((511, 768), 1081), ((681, 1024), 1791)):
        told = run_bytes(Recipe(precision='bf16'), (h, w), enc, styles=[(867, 1300)])/1e6
        assert abs(told - measured) < max(200, .2*measured)

def test_masks_and_gaps_count():
    "Two styles at 620x413 px, MB above import: whole 989, with two masks 1124 to 1344 on three machines"
    enc, r = encoder('texnet', padding='reflect'), Recipe(precision='bf16', size=620, history=20)
    masked = replace(r, masks=[dict(sha256=name) for name in 'ab'])
    whole, two = (run_bytes(o, (413, 620), enc, styles=[(867, 1300)]*2)/1e6 for o in (r, masked))
    assert abs(whole - 989) < .2*989 and abs(two - 1234) < .2*1234 and two > 1.05*whole
    assert run_counts(r, (413, 620), enc)['scattered'] > 0
    assert run_counts(r, (700, 1050), enc)['scattered'] == 0  # its blocks go back to the system

def test_gaps_of_the_first_encoder_are_filled_by_the_last(photo, painting):
    "texnet-small at 700x525 px and texnet for the last steps, MB above import by VmHWM: 1134"
    large = [x.repeat(1, 1, 20, 20)[..., :867, :1300] for x in (photo, painting)]
    how = dict(encoder='texnet-small', size=700, steps=40, precision='bf16', device='cpu')
    told = plan_bytes(settle(*large, finish='texnet', finish_steps=8, **how))/1e6
    assert abs(told - 1134) < .2*1134

def test_a_control_group_caps_memory(tmp_path, monkeypatch):
    (tmp_path/'proc/self').mkdir(parents=True)
    (tmp_path/'proc/self/cgroup').write_text('5:cpu:/\n4:memory:/job/a\n0::/\n')
    top = tmp_path/'sys/fs/cgroup/memory/job'
    (top/'a').mkdir(parents=True)
    (top/'memory.limit_in_bytes').write_text('4000000000')
    (top/'memory.usage_in_bytes').write_text('3000000000')
    (top/'a/memory.limit_in_bytes').write_text(str(2**63 - 4096))  # none
    assert group_limits(tmp_path) == (4e9, 1e9)
    monkeypatch.setattr('style_nb.counts.group_limits', lambda: (1e9, 1e8))
    assert memory_of('cpu') == 1e9 and free_memory('cpu') == 1e8

def test_what_does_not_fit_says_what_would(plan, monkeypatch, photo, painting):
    large = replanned(plan, size=2000, encoder='texnet', tile=0)
    room = .5*plan_bytes(large)
    ways = ways_to_fit(large, room)
    assert {k for way in ways for k in way.settings} >= {'tile', 'size'} and all(way.peak_bytes < room for way in ways)
    for way in ways: assert plan_bytes(replanned(large, **way.settings)) == way.peak_bytes
    assert {way.seconds for way in ways} == {None} and 's)' not in repr(ways)  # nothing is measured for it
    line = why_too_large(large, room)
    assert 'What would fit: tile=512' in line and 'size=' in line and '\n' not in line
    assert why_too_large(large, 2*plan_bytes(large)) == ''
    assert 'Nothing' in why_too_large(large, 1e3)
    monkeypatch.setattr(forecasting, 'free_memory', lambda device: 1e8)
    made = forecast(photo, painting, **few)
    assert not made.fits and made.why in repr(made)
    with pytest.warns(UserWarning, match='This run needs some ... MB of memory and 100 MB are free'):
        stylize(photo, painting, progress=False, **few)

def test_each_offer_has_its_time(plan, photo, painting, machine, monkeypatch):
    large = replanned(plan, size=2000, encoder='texnet', tile=0)
    ways = ways_to_fit(large, .5*plan_bytes(large), None, transfer_learner)
    for way in ways:
        other = replanned(large, **way.settings)
        assert way.seconds == pytest.approx(SPEED.wall*run_seconds(other, SPEED)) and ' GB, ' in repr(way)
    monkeypatch.setattr(forecasting, 'free_memory', lambda device: .6*plan_bytes(large))
    made = forecast(photo, painting, size=2000, steps=40, tile=0, device='cpu', levels=1)
    assert made.offers and all(way.seconds > 0 and repr(way) in made.why for way in made.offers)
    how = few | dict(size=400, tile=0)
    need = plan_bytes(settle(photo, painting, **how))
    monkeypatch.setattr(forecasting, 'free_memory', lambda device: .9*need)
    with pytest.warns(UserWarning, match=r'size=\d+ \(\d+ MB, .* s\)'):
        stylize(photo, painting, progress=False, **how)

# ---- budgets

def test_a_budget_is_read(refused):
    for text, seconds in (('60s', 60), ('2m', 120), ('2 min', 120), ('.5h', 1800), (3, 3), ('3', 3), (2.5, 2.5)):
        assert budget_seconds(text) == seconds
    for wrong in ('', 'soon', 's', '1 week', -1, 0, 'nan', float('inf'), True, None, [], '1e99s'):
        refused(lambda: budget_seconds(wrong), 'budget is', "'60s'")

def test_a_budget_chooses_what_is_not_said(plan):
    def chosen(seconds, **said): return within_budget(Budget(plan, seconds, SPEED, SPEED), own=600, **said)
    sizes = [chosen(seconds) for seconds in (.5, 2, 8, 1000)]
    assert [s for s, _ in sizes] == sorted(s for s, _ in sizes) and sizes[-1] == (600, 40)
    assert chosen(2, steps=40)[1] == 40 and chosen(2, size=128)[0] == 128
    for seconds in (.5, 2, 8): assert Budget(plan, seconds, SPEED, SPEED).costs(*chosen(seconds)) <= seconds

def test_a_budget_that_is_too_short(plan, refused):
    refused(lambda: within_budget(Budget(plan, .001, SPEED, SPEED)), 'budget is too short', '20 steps', 'at least')
    refused(lambda: within_budget(Budget(plan, .1, SPEED, SPEED), size=128, steps=40), '40 steps at 128 px')

def test_a_budget_paints_what_its_size_and_steps_paint(photo, painting, refused):
    how = dict(encoder='texnet-small', device='cpu', progress=False, steps=6)
    made = stylize(photo, painting, budget='.9s', **how)
    assert made.recipe.steps == 6 and made.recipe.size < 432
    assert made.image.tobytes() == stylize(photo, painting, size=made.recipe.size, **how).image.tobytes()
    refused(lambda: stylize(photo, painting, budget=9, size=64, **how), 'both are said')
    refused(lambda: stylize(photo, painting, budget=9, resume=made, progress=False), 'a run that goes on')
    del how['progress']
    assert forecast(photo, painting, budget='.9s', **how).size == made.recipe.size

def test_a_budget_with_a_checkpoint_goes_on_as_it_began(photo, painting, tmp_path, monkeypatch, refused):
    "What was chosen at the beginning stands in the file, though the machine is another, or busier, the next time"
    how = dict(encoder='texnet-small', device='cpu', progress=False, steps=6)
    path = tmp_path/'run.safetensors'
    class Stops(StepCallback):
        order = 46
        def after_step(self): self.learn.stop.now()
    half = stylize(photo, painting, budget='.9s', checkpoint=path, cbs=Stops(), **how)
    assert half.stopped and path.exists()
    monkeypatch.setattr('style_nb.transfer.within_budget', lambda *_: (64, 6))
    refused(lambda: stylize(photo, painting, budget='.9s', checkpoint=path, seed=3, **how), 'differs in seed')
    refused(lambda: stylize(photo, painting, budget='.9s', checkpoint=path, **how | dict(steps=9)), 'differs in steps')
    made = stylize(photo, painting, budget='.9s', checkpoint=path, **how)
    assert made.recipe.size == half.recipe.size > 64 and not path.exists()
    assert made.image.tobytes() == stylize(photo, painting, size=half.recipe.size, **how).image.tobytes()
    for wrong in ('', 'no state'):
        path.write_text(wrong)
        refused(lambda: stylize(photo, painting, budget='.9s', checkpoint=path, **how), 'run.safetensors')

def test_of_a_checkpoint_what_is_left_is_told(photo, painting, tmp_path, refused):
    how = dict(encoder='texnet-small', device='cpu', size=96, steps=8)
    path = tmp_path/'run.safetensors'
    assert forecast(photo, painting, checkpoint=path, **how).steps == 8
    class Stops(StepCallback):
        order = 46
        def after_step(self):
            if self.controls.step >= 3: self.learn.stop.now()
    stylize(photo, painting, checkpoint=path, cbs=Stops(), progress=False, **how)
    done = 8 - forecast(photo, painting, checkpoint=path, **how).steps
    assert 3 <= done < 8 and path.exists()
    refused(lambda: forecast(photo, painting, checkpoint=path, **how | dict(seed=3)), 'differs in seed')
    refused(lambda: forecast(photo, painting, checkpoint=7, **how), 'path')

def test_what_takes_a_budget(photo, painting, refused):
    "It chooses what is not said, or one line says that there is none"
    how = dict(encoder='texnet-small', device='cpu', progress=False)
    assert palette(painting, budget='1s', size=64, **how).recipe.steps >= 20
    small = stylize(photo, painting, size=48, steps=3, **how)
    for call in (
        lambda: sweep(photo, painting, [{}], budget='9s', **how), lambda: revert(painting, photo, budget='9s', **how),
        lambda: enlarge(small, photo, painting, 96, budget='9s', progress=False), lambda: tile(photo, 2, budget='9s'),
        lambda: instant(photo, painting, budget='9s'), lambda: matrix([photo], [painting], budget='9s', **how),
        lambda: reconstruct(photo, budget='9s', size=64, steps=4, **how)): refused(call, 'budget')

# ---- where it is told

def test_words():
    assert [told_seconds(s) for s in (.04, 8.24, 42.3, 420, 9000)] == ['0.0 s', '8.2 s', '42 s', '7 min', '2.5 h']
    assert [told_bytes(n) for n in (4.2e8, 1.33e9, 18.2e9)] == ['420 MB', '1.3 GB', '18 GB']

def test_the_bar_has_the_forecast_until_it_has_a_rate(photo, painting, capsys):
    stylize(photo, painting, **few)
    assert 'about' not in capsys.readouterr().err  # nothing is known, and nothing is measured for it
    forecast(photo, painting, **few)
    stylize(photo, painting, **few)
    assert ', about 0 s]' in capsys.readouterr().err

def test_the_command_line(tmp_path, photo, painting, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, x in (('a.png', photo), ('b.png', painting)): save_picture(x, name)
    words = 'stylize a.png b.png --encoder texnet-small --device cpu --steps 4'.split()
    assert main([*words, '--size', '64', '--forecast']) == 0
    out = capsys.readouterr().out
    assert out.startswith('About ') and out.count('\n') == 1
    assert main([*words, '--forecast', '--json', '--budget', '1s']) == 0
    said = json.loads(capsys.readouterr().out)
    assert said['fits'] and said['steps'] == 4 and said['size'] >= 128
    assert main([*words, '--budget', 'soon', '-o', 'c.png']) == 1
    assert "--budget is 'soon'" in capsys.readouterr().err
    with pytest.raises(SystemExit): main(words)
    assert 'Missing: -o/--output' in capsys.readouterr().err
    assert main(['stylize', '.', 'b.png', '--forecast']) == 1 and 'one photo' in capsys.readouterr().err
    monkeypatch.setattr(forecasting, 'free_memory', lambda device: 3e8)
    assert main([*words, '--size', '1000', '--tile', '0', '--forecast']) == 0
    assert 'What would fit: --' in capsys.readouterr().out
    assert main([*words, '--size', '1000', '--tile', '0', '--forecast', '--json']) == 0
    offers = json.loads(capsys.readouterr().out)['offers']
    assert offers and all(o['seconds'] > 0 and o['peak_bytes'] < 3e8 and len(o['settings']) == 1 for o in offers)
    assert not (tmp_path/'c.png').exists()

@pytest.mark.parametrize('wrong, why', [
    ('-o none/c.png', 'does not exist: create it first'),
    ('-o c.doc', 'c.doc ends in .doc'),
    ('-o c.png --workers 2', '--workers goes with a folder'),
    ('-o c.png --save-state c.txt', 'c.txt ends in .txt'),
    ('-o c.png --save-state c.safetensors --checkpoint c.safetensors', 'name the same file'),
    ('-o c.png --animate c.avi', 'c.avi ends in .avi'),
    ('-o c.png --animate c.gif --snapshots 0', '--animate has no frame to show'),
    ('-o - --json', 'both write to stdout'),
])
def test_a_forecast_is_as_strict_as_the_run(photo, painting, tmp_path, monkeypatch, capsys, machine, wrong, why):
    monkeypatch.chdir(tmp_path)
    for name, x in (('a.png', photo), ('b.png', painting)): save_picture(x, name)
    words = [*'stylize a.png b.png --encoder texnet-small --device cpu --steps 4 --size 64'.split(), *wrong.split()]
    said = []
    for more in [], ['--forecast']:
        assert main([*words, *more]) == 1
        said.append(capsys.readouterr().err)
    assert why in said[0] and said[0] == said[1] and said[0].count('\n') == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a.png', 'b.png']

def test_a_session(photo, painting, machine):
    s = Session(photo, painting, size=48, steps=3, encoder='texnet-small', device='cpu', autosave=False)
    made = s.forecast()
    assert made.steps == 3 and made.fits and len(machine) == 1
    s.set(steps=9)
    assert s.forecast().steps == 9 and s.state == 'ready'
    s.step().wait()
    assert s.forecast().steps == 8
    s.close()

def test_mistakes_are_of_the_family(photo, painting):
    for wrong in (dict(sise=3), dict(again='no'), dict(budget=[]), dict(device='abacus')):
        with pytest.raises(StyleNBError): forecast(photo, painting, **few | wrong)
