"Sliders: from a range to a value, and what a panel does when they move. No browser."
import builtins, gc, re, threading, time, types, weakref
import ipywidgets as w, pytest, torch
from PIL import Image
from hypothesis import given, settings, strategies as st
from style_nb.explorers import explore_masks
from style_nb.pictures import Plate
from style_nb.widgets import Explorer, as_picture, explore, knob, log_range

def grey(level=.5, size=8): return torch.full((1, 3, size, 2*size), float(level))
def shown(fn, **ranges):
    ex = explore(fn, **ranges)
    ex.widget
    ex.show()
    return ex

@pytest.mark.parametrize('what,kind,start', [((0, 10), w.IntSlider, 5), ((0, 1, .05), w.FloatSlider, .5), ((-.5, .5),
    w.FloatSlider, 0.), (log_range(1, 100), w.FloatLogSlider, 10.),
    (['a', 'b'], w.ToggleButtons, 'a'), ([f'choice number {i}' for i in range(9)], w.Dropdown, 'choice number 0'),
    ({'few': 3, 'many': 9}, w.ToggleButtons, 3), (True, w.Checkbox, True)])
def test_a_range_becomes_a_control(what, kind, start):
    ex = shown(lambda x: x, x=what)
    assert type(ex.controls['x']) is kind and ex.kwargs == {'x': start} and ex.result == start
    assert getattr(ex.controls['x'], 'continuous_update', False) is False

def test_start_is_the_default_when_the_range_holds_it():
    assert explore(grey, level=(0., 1.), size=[4, 8]).kwargs == {'level': .5, 'size': 8}
    assert explore(grey, level=(2., 4.)).kwargs == {'level': 3.}

def test_fixed_has_no_control():
    ex = shown(grey, level=w.fixed(.25), size=(1, 8))
    assert list(ex.controls) == ['size'] and ex.result.mean() == .25

def test_tensors_as_choices():
    a, b = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    ex = shown(lambda x: x, x=[a, b])
    ex.controls['x'].value = 'x 2'
    assert ex.result is b and ex.set(x=a).result is a

@pytest.mark.parametrize('what,says', [((3, 1), 'runs from 3 to 1'), ((1, 1), 'smaller'), ((0, 1, -1),
    'step of level is -1'), (5, 'give (low, high)'), ('abc', 'give (low, high)'), ([], 'give (low, high)'),
    ({}, 'give (low, high)'), ((0, 'x'), 'give (low, high)'), ((0, float('nan')), 'give (low, high)'),
    ((0, 1, 2, 3), 'give (low, high)'), (log_range(0, 1), 'above 0'), (log_range(9, 1), 'smaller'),
    (['a', 'a'], 'once')])
def test_bad_ranges(what, says):
    with pytest.raises(ValueError) as e: explore(grey, level=what)
    assert says in str(e.value) and 'level' in str(e.value) and '\n' not in str(e.value)

def test_bad_calls():
    for fn, ranges, says in [(grey, {}, 'no range'), (grey, dict(levle=(0, 1)), "Did you mean 'level'?"),
            (lambda a, b: a, dict(a=(0, 1)), 'needs b')]:
        with pytest.raises(ValueError, match=says.replace('?', r'\?')): explore(fn, **ranges)
    ex = explore(grey, level=(0., 1.))
    for values, says in [(dict(level=2), 'from 0 to 1'), (dict(level='x'), 'give a number'),
            (dict(size=3), 'Unknown argument')]:
        with pytest.raises(ValueError, match=says): ex.set(**values)

@settings(max_examples=60, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 9))
def test_some_values_lie_in_the_range(low, span, n):
    k = knob('x', (low, low + span))
    assert all(low - 1e-9 - 1e-9*span <= v <= low + span + 1e-9 + 1e-9*span for v in k.some(n) + [k.start])

@settings(max_examples=60, deadline=None)
@given(st.floats(1e-6, 1e3), st.floats(1.01, 1e6))
def test_log_values_survive_their_slider(low, factor):
    ex = shown(lambda x: x, x=log_range(low, low*factor))
    for v in (ex.controls['x'].max, ex.controls['x'].min): ex.controls['x'].value = 10**v
    assert ex.error is None and ex.kwargs['x'] == pytest.approx(low, rel=.01)

def test_moving_a_slider_paints_and_remembers():
    calls = []
    def fn(level=.5):
        calls.append(level)
        return grey(level)
    ex = shown(fn, level=(0., 1.))
    first = ex.picture.value
    ex.controls['level'].value = .25
    assert ex.picture.value != first and ex.kwargs == {'level': .25}
    ex.controls['level'].value = .5
    assert ex.picture.value == first and calls == [.5, .25]
    assert ex.result is ex.at(level=.5) and len(calls) == 2

def test_the_memory_is_bounded():
    ex = explore(grey, level=(0., 1.))
    for i in range(200): ex.at(level=i/200)
    assert len(ex._kept) == Explorer.keep

def test_an_error_is_one_line_and_stays():
    def fn(level=.5):
        if level > .9: raise RuntimeError('too <bright>\nand more')
        return grey(level)
    ex = shown(fn, level=(0., 1.))
    good = ex.picture.value
    ex.controls['level'].value = .95
    assert 'RuntimeError: too &lt;bright&gt; and more' in ex.message.value and ex.picture.value == good
    assert isinstance(ex.error, RuntimeError)
    with pytest.raises(RuntimeError): ex.result
    ex.controls['level'].value = .1
    assert ex.error is None and 'RuntimeError' not in ex.message.value and ex.picture.value != good

@pytest.mark.parametrize('value,text', [(None, ''), (3, '<pre>3</pre>'), ('a<b', '<pre>a&lt;b</pre>')])
def test_text(value, text):
    ex = shown(lambda x: value, x=(0, 1))
    assert ex.text.value == text and ex.picture.layout.display == 'none'

def test_pictures_and_figures():
    fig = Plate(figsize=(2, 1))
    fig.subplots()
    class HasImage: image = Image.new('RGB', (6, 4))
    for o, size in [(Image.new('L', (6, 4)), (6, 4)), (HasImage(), (6, 4)), (torch.rand(3, 4, 6), (6, 4)),
            (torch.rand(1, 1, 4, 6)*3, (6, 4))]:
        assert as_picture(o).size == size
    assert as_picture(fig).mode == 'RGB' and as_picture(torch.rand(4, 6)) is None and as_picture('x') is None
    assert shown(lambda x: fig, x=(0, 1)).picture.value[:4] == b'\x89PNG'

def test_a_strip_is_a_static_figure():
    ex = explore(grey, level=(0., 1.), size=[4, 8])
    fig = ex.strip('level', [0, .5, 1])
    assert [a.get_title() for a in fig.axes] == ['level = 0', 'level = 0.5', 'level = 1'] and ex.kwargs['level'] == .5
    assert len(ex.strip().axes) == 4 and [a.get_title() for a in ex.strip('size').axes] == ['size = 4', 'size = 8']
    with pytest.raises(ValueError, match='no picture'): explore(lambda x: x, x=(0, 3)).strip()

def test_one_call_at_a_time_and_the_last_move_wins():
    inside, most, calls = [0], [0], []
    def fn(n=0):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(.03)
        calls.append(n)
        inside[0] -= 1
        return n
    ex = shown(fn, n=(0, 100))
    threads = [threading.Thread(target=ex.move, args=('n', i)) for i in range(1, 21)]
    for t in threads: t.start()
    for t in threads: t.join(10)
    assert not any(t.is_alive() for t in threads)
    assert most == [1] and calls[-1] == ex.kwargs['n'] and ex.text.value == f"<pre>{ex.kwargs['n']}</pre>"
    assert len(calls) < 21

def test_a_move_while_a_cell_computes():
    "A cell holds the function; a slider's message from another thread waits, and nothing hangs."
    started = threading.Event()
    def fn(n=0):
        started.set()
        time.sleep(.1)
        return n
    ex = explore(fn, n=(0, 9))
    ex.widget
    cell = threading.Thread(target=lambda: ex.at(n=1))
    cell.start()
    started.wait(5)
    ex.controls['n'].value = 7
    cell.join(5)
    assert not cell.is_alive() and ex.text.value == '<pre>7</pre>'

def test_without_ipywidgets(monkeypatch, capsys):
    real = builtins.__import__
    def gone(name, *args, **kwargs):
        if name.split('.')[0] == 'ipywidgets': raise ImportError(name)
        return real(name, *args, **kwargs)
    monkeypatch.setattr(builtins, '__import__', gone)
    ex = explore(grey, level=(0., 1.))
    assert ex.set(level=.2).result.mean() == pytest.approx(.2) and len(ex.strip().axes) == 4
    ex._ipython_display_()
    assert 'pip install ipywidgets' in capsys.readouterr().out

def cells(monkeypatch):
    "A kernel that runs cell 'a'; gives what runs a cell, and who listens."
    heard = []
    events = types.SimpleNamespace(callbacks=dict(pre_run_cell=heard), register=lambda _, f: heard.append(f),
        unregister=lambda _, f: heard.remove(f))
    monkeypatch.setattr('IPython.get_ipython', lambda: types.SimpleNamespace(kernel=1, events=events,
        get_parent=lambda: dict(metadata=dict(cellId='a'), content=dict(code='x'))))
    return lambda i: [f(types.SimpleNamespace(cell_id=i, raw_cell='x')) for f in list(heard)], heard

@pytest.mark.parametrize('make', [lambda: explore(grey, level=(0., 1.)), lambda: explore_masks(torch.rand(1, 3, 32, 32),
    size=32)], ids=['explorer', 'brush'])
def test_running_its_cell_again_closes_a_panel(monkeypatch, make):
    run, heard = cells(monkeypatch)
    before = set(w.widgets.widget._instances)
    made = make()
    made.widget
    assert len(w.widgets.widget._instances) > len(before) + 5
    run('b')
    assert len(w.widgets.widget._instances) > len(before) + 5
    run('a')
    assert set(w.widgets.widget._instances) <= before and heard == []
    made.widget
    assert len(w.widgets.widget._instances) > len(before) + 5, 'it may be shown again'
    made.close()
    assert set(w.widgets.widget._instances) <= before
    ref = weakref.ref(made := make())
    del made
    gc.collect()
    assert ref() is None, 'nothing holds what was never shown'

def test_a_closed_explorer_is_the_function_still():
    ex = shown(grey, level=(0., 1.)).set(level=.25)
    ex.close()
    assert ex.kwargs == {'level': .25} and ex.result.mean() == .25 and ex.set(level=.5).result.mean() == .5

def test_while_it_works_what_is_seen_is_dimmed_and_the_time_is_said(monkeypatch):
    pytest.importorskip('ipywidgets')
    seen = []
    def slow(a=1):
        seen.append(('sn-waits' in e.picture._dom_classes, re.sub('<.*?>', '', e.message.value), len(e.picture.value)))
        return Image.new('RGB', (40 + a, 30))
    e = explore(slow, placeholder=Image.new('RGB', (50, 50), 'red'), a=(1, 9))
    e.widget
    e.show()
    assert seen[0][:2] == (True, 'working …') and seen[0][2] > 0, 'the placeholder'
    assert 'sn-waits' not in e.picture._dom_classes
    e.seconds = 70
    e.set(a=5)
    assert seen[1][:2] == (True, 'working, about 70 s …')
    e.seconds = 70
    e.set(a=1)
    assert len(seen) == 2 and 'working' not in e.message.value, 'a known result is there at once'
    e.close()
