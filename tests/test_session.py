"A run that other threads hold and move: exactly what code does, and no thread left behind. No widget."
import gc, io, os, pickle, subprocess, sys, threading, time, weakref
from dataclasses import replace
import numpy as np, pytest, torch
from forked import Program
from hypothesis import given, settings, strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from style_nb.choices import File
from style_nb.errors import StyleNBError, TookTooLong
from style_nb.gallery import sample
from style_nb.legs import Pin
from style_nb.opening import credits_of
from style_nb.pictures import load_picture, save_picture, to_pil
from style_nb.planning import settle
from style_nb.recipe import Recipe, file_ref, png_info
from style_nb.session import Session, differing, draw_curves, open_session, saved_sessions, settings_of, split_view
from style_nb.shelf import read_session
from style_nb.transfer import stylize

@pytest.fixture
def make(photo, painting, painting2):
    "Sessions that are closed after the test, and leave no thread"
    made = []
    def make(content=photo, style=painting, **kwargs):
        made.append(Session(content, style, **dict(size=48, steps=12, device='cpu') | kwargs))
        return made[-1]
    yield make
    for s in made: s.close()
    assert not [t for t in threading.enumerate() if t.name in ('style_nb session', 'style_nb keeper')]

def pixels(im): return np.asarray(im)
def replayed(s, photo, painting, painting2=None):
    names = dict(content=photo, style=painting, style1=painting, style2=painting2)
    exec(s.as_code() if isinstance(s, Session) else s, names)
    return pixels(names['result'].image)

def test_rest_step_pause_start_stop_reset(make):
    s = make()
    assert (s.state, s.done, s.picture) == ('ready', 0, None)
    s.step(3).wait()
    assert (s.state, s.done) == ('paused', 3)
    s.start().settle()  # the name of `wait` in version 0.1.0
    assert (s.state, s.done, s.until) == ('done', 12, 12)
    s.start().wait()
    assert (s.done, s.until) == (24, 24)
    s.stop()
    assert (s.state, s.done, s.run) == ('stopped', 24, None)
    s.step().wait()
    assert (s.state, s.done, len(s.chain)) == ('done', 25, 1)
    s.reset()
    assert (s.state, s.done, s.picture, s.chain) == ('ready', 0, None, [])
    with pytest.raises(ValueError, match='Nothing is painted'): s.result

def test_pause_holds(make):
    s = make(steps=10**6).start()
    while s.done < 2: time.sleep(.005)
    s.pause().wait()
    before, im = s.done, pixels(s.picture)
    time.sleep(.1)
    assert s.done == before and (pixels(s.picture) == im).all() and s.state == 'paused'

def test_it_is_what_stylize_paints(make, photo, painting):
    s = make().step(7)
    plain = stylize(photo, painting, size=48, levels=1, lr_end=1., steps=7, device='cpu', progress=False)
    assert (pixels(s.wait().picture) == pixels(plain.image)).all()
    assert ((pixels(s.result.image) == pixels(plain.image)).all() and len(s.result.history) == 7
        and s.result.recipe.steps == 7)

MOVES = dict(style_weight=4., content_weight=.3, tv_weight=0., lr=.5, style_weights={'relu2_2': 2., 'relu4_1': 0.},
    content_weights={'relu3_1': .5})

@settings(max_examples=8)
@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(sorted(MOVES)), st.sampled_from(['lbfgs', 'adam'])),
    min_size=1, max_size=3))
def test_code_gives_the_same_bytes(photo, painting, moves):
    s = Session(photo, painting, size=32, optimizer=moves[0][2], device='cpu')
    for n, k, _ in moves:
        s.step(n).wait()
        assert s.set(**{k: MOVES[k]}) in ('live', '')
    s.step(2).wait()
    assert s.error is None and len(s.legs()) == 1
    assert (replayed(s, photo, painting) == pixels(s.picture)).all()
    s.close()

def test_code_of_a_chain(make, photo, painting, painting2):
    s = make(style=[painting, painting2])
    for move in (dict(style_blend=[1., 3.]), dict(optimizer='adam'), dict(contrast=.5, tiles=2), dict(style='style2'),
            dict(size=40), dict(style_kind='moments'), dict(style_scale=.8), dict(seed=3), dict(encoder='random')):
        s.step(2).wait()
        assert s.set(**move) == 'new' and s.run is None and 'a new run goes on' in s.note, move
    s.step(2).wait()
    assert s.error is None and len(s.legs()) == 10
    assert (replayed(s, photo, painting, painting2) == pixels(s.result.image)).all()

def test_content_of_another_shape_is_filled_by_the_middle(make, photo, painting):
    "Nothing is stretched, on the canvas or in the code's picture."
    s, names = make(pictures=dict(wide=torch.rand(1, 3, 30, 60)), optimizer='adam', lr=.001), dict(wide=None)
    s.step(2).wait()
    before = s.picture
    assert (s.set(content='wide') == 'new' and 'from the middle of this picture' in s.note
        and s.picture.size == s.result.image.size == before.size == (48, 48))
    s.step().wait()
    assert s.error is None and s.picture.size == s.result.image.size == (48, 24)
    assert abs(pixels(s.picture).astype(int) - pixels(before)[12:36].astype(int)).max() <= 2
    names = dict(content=photo, style=painting, wide=s.pictures['wide'].picture)
    exec(s.as_code(), names)
    assert (pixels(names['result'].image) == pixels(s.result.image)).all()

def test_a_name_that_is_taken(make, photo, tmp_path, painting):
    "Two files of the same name are two pictures; the same file is one."
    for d, x in (('a', photo), ('b', painting)):
        (tmp_path/d).mkdir()
        to_pil(x).save(tmp_path/d/'cat.png')
    s = make(str(tmp_path/'a/cat.png'), str(tmp_path/'b/cat.png'))
    assert s.extras['content'] == 'cat (2).png' and s.extras['style'] == ['cat.png']
    assert (s.add(str(tmp_path/'a/cat.png')) == 'cat (2).png' and s.free_name('cat.png') == 'cat (3).png'
        and s.free_name('swirls') == 'swirls (2)' and s.add('swirls') == s.add('swirls') == 'swirls')
    s.step().wait()
    assert s.error is None and (replayed(s, photo, painting) == pixels(s.picture)).all()

def test_the_chain_goes_on_painting(make):
    s = make(steps=10**6).start()
    while s.done < 2: time.sleep(.005)
    run = s.run
    assert s.set(style_weight=3.) == 'live' and s.run is run
    assert s.set(style_scale=1.) == 'new' and s.run is not run and s.state == 'painting' and run.over

def test_a_live_move_keeps_the_run_and_its_optimiser(make):
    s = make().step(3).wait()
    run = s.run
    for l in ('relu1_2', 'relu2_2', 'relu3_2', 'relu4_2'):
        assert s.set(style_weights={l: 1.}, content_weights={l: 1.}) == 'live'
        s.step().wait()
    assert s.run is run and s.error is None and s.done == 7 and s.result.history['style/relu4_2'].notna().sum() == 1

@pytest.mark.parametrize('values,says', [(dict(style_weight=-1), 'style_weight is -1'), (dict(style_weigth=1),
    "Did you mean 'style_weight'?"), (dict(style='monet'), 'Unknown picture'), (dict(size=8), 'needs a shorter side'),
    (dict(style_weights={'relu9_1': 1.}), 'relu9_1'), (dict(levels=2), 'one level'),
    (dict(style_blend=[1., 2.]), '2 blend weights for 1 style'), (dict(tiles=0), 'tiles is 0'),
    (dict(contrast='x'), 'contrast'), (dict(style=[], content=None), 'neither'),
    (dict(style=[]), 'There is no style picture')])
def test_what_cannot_be_changes_nothing(make, values, says):
    s = make().step().wait()
    before, run = s.settings, s.run
    with pytest.raises((ValueError, TypeError)) as e: s.set(**values)
    assert says in str(e.value) and '\n' not in str(e.value) and s.settings == before and s.run is run

def test_a_session_keeps_transparency(make, photo, tmp_path):
    clear = to_pil(photo).convert('RGBA')
    clear.putalpha(90)
    clear.save(tmp_path/'a.png')
    s = make(str(tmp_path/'a.png'))
    s.step().settle()
    with Image.open(s.save(tmp_path/'b.png')) as im: assert im.getchannel('A').getextrema() == (90, 90)

def test_a_run_that_paints_on(make):
    s = make(steps=10**6)
    s.start()
    with pytest.raises(TookTooLong, match='wait, or stop it') as e: s.settle(.01)
    assert isinstance(e.value, TimeoutError) and isinstance(e.value, StyleNBError)
    s.stop()

def test_setting_what_is_there_is_nothing(make):
    s = make().step().wait()
    assert s.set(**s.settings) == '' and s.restore(s.settings) == '' and s.run is not None

def test_an_error_in_the_run_is_kept_with_the_picture(make, monkeypatch):
    s = make().step(2).wait()
    good = pixels(s.picture)
    monkeypatch.setattr('style_nb.learner.StyleLoss.make_targets', lambda self, layers: 1/0)
    s.set(style_weights={'relu5_1': 1.})
    s.step()
    s.thread.join(20)
    assert s.state == 'failed' and isinstance(s.error, ZeroDivisionError) and (pixels(s.picture) == good).all()
    monkeypatch.undo()
    s.set(style_weights={'relu5_1': 0.})
    s.step().wait()
    assert s.state == 'paused' and s.error is None and s.done == 3

def test_pins_and_what_differs(make, photo, painting):
    s = make().step(2).wait()
    a = s.pin()
    s.set(style_weight=4., style_weights={'relu1_1': 0.}, tiles=2)
    s.step(2).wait()
    b = s.pin('mine')
    assert [p.name for p in s.pins] == ['pin 1', 'mine'] and (a.steps, b.steps) == (2, 4)
    assert differing(a.settings, b.settings) == {'style_weight': (12., 4.), 'tiles': (1, 2), 'style relu1_1': (3., 0.)}
    assert ((replayed(a.code, photo, painting) == pixels(a.image)).all()
        and (replayed(b.code, photo, painting) == pixels(b.image)).all())
    s.restore(a)
    assert differing(s.settings, a.settings) == {} and s.done == 4 and differing(a.settings, a.settings) == {}

def test_a_picture_by_other_weights(make, tmp_path, photo, painting, refused):
    "As a recipe it is refused, its settings are taken with a word"
    s = make().step().wait()
    p, other = tmp_path/'old.png', '0'*64
    save_picture(photo, p, pnginfo=png_info(replace(s.result.recipe, encoder_digest=other)))
    refused(lambda: Session(photo, painting, p), 'other weights of texnet', other[:12], "say encoder 'texnet'")
    assert Session(photo, painting, p, encoder='texnet').recipe.encoder_digest == ''
    s.load(p)
    assert 'painted with other weights of texnet' in s.note
    s.load(s.save(tmp_path/'new.png'))
    assert 'other weights' not in s.note

def test_a_session_has_no_last_steps(make, tmp_path, photo, painting, refused):
    """Another encoder for them is refused, not dropped without a word; the settings of a picture that had one are
    taken with a word"""
    words = "finish is 'random'", 'no last steps', 'finish=None', 'use stylize'
    refused(lambda: make(finish='random', finish_steps=1), *words)
    s = make()
    refused(lambda: s.set(finish='random', finish_steps=1), *words)
    refused(lambda: next(s.sweep(dict(finish=['random']), finish_steps=1)), *words)
    p, recipe = tmp_path/'a.png', replace(s.recipe, finish='random', finish_steps=1, style_weight=7.)
    save_picture(photo, p, pnginfo=png_info(recipe))
    for had in (p, recipe):
        refused(lambda: Session(photo, painting, had), *words)
        refused(lambda: s.set(recipe=had), *words)
        assert Session(photo, painting, had, finish=None).recipe.style_weight == 7.
    assert s.set(recipe=recipe, finish=None) == 'new' and s.recipe.style_weight == 7.
    s = make()
    s.load(p)
    assert s.recipe.style_weight == 7. and 'its last steps by random are left out' in s.note
    s.step().wait()
    s.load(s.save(tmp_path/'b.png'))
    assert 'last steps' not in s.note

def test_restoring_another_encoder(make):
    s = make().step().wait()
    a = s.pin()
    s.set(encoder='random', style_weights={'relu2_2': 1.})
    s.step().wait()
    s.restore(a)
    assert differing(s.settings, a.settings) == {}

def test_a_saved_picture_restores_every_setting(make, tmp_path, photo, painting):
    s = make(tiles=2, contrast=.5).step(2).wait()
    s.set(style_weights={'relu1_1': 0., 'relu3_2': .7}, tv_weight=.5)
    s.step().wait()
    want, p = s.settings, s.save(tmp_path/'out.png')
    s.set(tiles=1, contrast=1., tv_weight=9., optimizer='adam', size=40, style_weights={'relu1_1': 1.})
    s.load(p)
    assert differing(s.settings, want) == {}
    other = make()
    other.load(p)
    assert differing(other.settings, want) == {}
    assert Recipe.load(p).schedule == [[2, 'style_weights', {'relu1_1': 0., 'relu3_2': .7}], [2, 'tv_weight', .5]]
    r = stylize(photo, painting, size=48, levels=1, steps=3,
        schedule=[(1, 'style_weight', 7.), (2, 'style_weights', {'relu2_2': 2.})], device='cpu', progress=False)
    r.save(tmp_path/'plain.png')
    assert (settings_of(tmp_path/'plain.png')['style_weight'] == 7.
        and settings_of(tmp_path/'plain.png')['style_weights']['relu2_2'] == 2.)
    s.load(tmp_path/'plain.png')
    assert (s.settings['style_weight'] == 7. and s.settings['style_weights']['relu2_2'] == 2.
        and s.settings['tiles'] == 2)
    (tmp_path/'no.png').write_bytes(b'x')
    with pytest.raises(ValueError, match='carries no recipe'): s.load(tmp_path/'no.png')

def test_loading_brings_samples_along_and_names_what_is_not_here(make, tmp_path, photo):
    s = make('astronaut', ['swirls', 'dots'], style_blend=[1., .5], style_scale=1.2).step().wait()
    p = s.save(tmp_path/'a.png')
    other = make('cat', 'ink')
    assert other.load(p) == 'new' and differing(other.settings, s.settings) == {} and other.note == 'settings of a.png'
    s.set(style=['swirls', s.add(photo, 'mine')], content=None, style_blend=[.3, .7], tv_weight=9.)
    s.step().wait()
    p = s.save(tmp_path/'b.png')
    other = make('cat', 'ink').step().wait()
    other.load(p)
    assert (set(differing(other.settings, s.settings)) == {'style', 'style_blend'} and other.extras['content'] is None
        and other.extras['style'] == ['ink'])
    assert ('not among the pictures here: mine; the style is ink instead' in other.note
        and 'a new run goes on' in other.note and other.step().wait().error is None)

def test_a_grid_and_going_on(make, photo, painting):
    s = make().step().wait()
    items = list(s.sweep(dict(style_weight=[4., 400.], tiles=[1, 2]), steps=2))
    assert ([o.settings for o in items] == [dict(style_weight=a, tiles=b) for a in (4., 400.) for b in (1, 2)]
        and not any(o.error for o in items))
    assert len({pixels(o.image).tobytes() for o in items}) == 4 and s.settings['style_weight'] == 12.
    s.go_on(items[3])
    assert ((s.settings['style_weight'], s.settings['tiles'], s.done) == (400., 2, 2)
        and (pixels(s.picture) == pixels(items[3].image)).all())
    s.step(2).wait()
    assert (replayed(s, photo, painting) == pixels(s.result.image)).all()
    with pytest.raises(TypeError, match='give a list of values'): list(s.sweep(dict(tiles=2)))

@pytest.mark.parametrize('optimizer', ['lbfgs', 'adam'])
def test_code_after_a_recipe_with_several_styles_from_a_pin(make, photo, painting, painting2, optimizer):
    "Styles with a blend, another recipe, slider moves, back to a pin, on from there: the same bytes."
    s = make(style=[painting, painting2], optimizer=optimizer, style_blend=[1., .25])
    s.step(2).wait()
    s.set(style_weights={'relu2_1': 4.})
    s.step(2).wait()
    a = s.pin()
    s.set(recipe='gatys', style_blend=[.5, 1.])
    s.step(2).wait()
    s.set(style_weight=s.recipe.style_weight/3, content_weights={'relu3_1': .5})
    s.step(2).wait()
    assert s.error is None and len(s.legs()) == 2
    assert (replayed(s, photo, painting, painting2) == pixels(s.result.image)).all()
    b = s.pin()
    s.go_on(a)
    assert (differing(s.settings, a.settings) == {} and (s.done, s.state) == (4, 'stopped')
        and (pixels(s.picture) == pixels(a.image)).all() and 'goes on from this picture' in s.note)
    s.step(2).wait()
    s.set(tv_weight=.3)
    s.step(2).wait()
    assert s.error is None and s.done == 8 and (pixels(s.picture) != pixels(a.image)).any()
    assert (replayed(s, photo, painting, painting2) == pixels(s.result.image)).all()
    s.go_on(b)
    s.step().wait()
    assert s.done == 9 and (replayed(s, photo, painting, painting2) == pixels(s.result.image)).all()

def test_the_name_of_the_recipe(make):
    s = make()
    assert s.named == 'default'
    s.set(size=40, seed=3, steps=7)
    assert s.named == 'default'
    s.set(style_weight=3.)
    assert s.named is None
    s.set(recipe='gatys')
    assert s.named == 'gatys'

def test_python_may_end_while_a_run_paints():
    code = ("from style_nb.session import Session; s = Session('cat', 'dots', size=32, device='cpu'); "
        "s.step(2).wait(); s.start(); print(s.done > 0)")
    r = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120)
    assert (r.returncode, r.stdout.split(), r.stderr) == (0, ['True'], '')

def test_content_alone_and_style_alone(make, photo, painting):
    for kw in (dict(style=None), dict(content=None)):
        s = make(**kw).step(2).wait()
        assert s.error is None and s.done == 2, s.error
        assert (replayed(s, photo, painting) == pixels(s.picture)).all()

def test_a_picture_to_start_from(make, photo, painting):
    s = make(init=to_pil(painting)).step(2).wait()
    names = dict(content=photo, style=painting, init=to_pil(painting))
    exec(s.as_code(), names)
    assert (pixels(names['result'].image) == pixels(s.picture)).all()

def test_two_sessions_do_not_disturb_each_other(make, photo, painting):
    a, b = make(steps=10), make(steps=10, optimizer='adam')
    a.start()
    b.start()
    a.set(style_weight=2.)
    b.set(tv_weight=1.)
    for s in (a.wait(), b.wait()):
        assert s.state == 'done' and s.error is None
        assert (replayed(s, photo, painting) == pixels(s.picture)).all()

def test_hearers_hear_and_their_errors_are_kept(make):
    s, heard = make(), []
    s.hearers.append(lambda s, what: heard.append(what))
    s.step(3).wait()
    time.sleep(.02)
    assert ({'frame', 'losses', 'state'} <= set(heard) and [x for x, _ in s.curves['loss']] == [1, 2, 3]
        and 'tv' in s.curves)
    s.hearers.append(lambda s, what: 1/0)
    s.step().wait()
    time.sleep(.02)
    assert isinstance(s.error, ZeroDivisionError) and s.state == 'paused'

def test_a_pause_that_comes_while_it_speaks_is_told(make):
    s, states = make(), []
    def hear(s, what):
        if s.done == 1 and s.state == 'painting': s.run.until(0)
        states.append((what, s.state))
    s.hearers.append(hear)
    s.start().wait()
    assert s.done == 1 and states[0][1] == 'painting' and states[-1] == ('state', 'paused')

def test_one_queue_keeps_the_order(make):
    "Moves and questions are heeded in the order in which they were said, and a goal that is taken back holds the run"
    s = make(steps=10**6).step(2).wait()
    seen = []
    for weight in (2., 3., 4.):
        s.run.put('style_weight', weight)
        seen.append(s.run.ask(lambda learn: learn.controls.noted[-1]))
    assert seen == [(2, 'style_weight', weight) for weight in (2., 3., 4.)]
    assert s.run.ask(lambda learn: learn.controls.made) == [] and s.result.recipe.schedule == [] and s.heeded == 0
    for _ in range(50):
        s.run.until(100)
        s.pause().wait()
        done = s.done
        time.sleep(.001)
        assert s.done == done and s.state == 'paused'

def test_questions_from_many_threads_while_the_run_ends(make):
    "Each gets an answer, from the run or from the thread that asks"
    s = make(steps=10**6).start()
    while s.done < 1: time.sleep(.002)
    run, answers = s.run, []
    def ask():
        for _ in range(200): answers.append(run.ask(lambda learn: learn.controls.step))
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for t in threads: t.start()
    s.stop()
    for t in threads: t.join(20)
    assert len(answers) == 800 and not any(t.is_alive() for t in threads) and max(answers) == s.done

def test_a_damaged_or_lost_picture_of_a_session_says_what_to_do(make, tmp_path, refused):
    s = make(autosave=tmp_path)
    s.step().wait()
    folder = s.keeper.files.folder
    s.close()
    pictures = [p for p in folder.iterdir() if not p.name.startswith('state-')]
    what = 'put it back from a copy, or open another of `saved_sessions()`'
    pictures[0].write_bytes(pictures[0].read_bytes()[:-9])
    refused(lambda: open_session(folder), str(pictures[0]), 'is damaged', what)
    pictures[0].unlink()
    refused(lambda: open_session(folder), str(pictures[0]), 'is gone', what)
