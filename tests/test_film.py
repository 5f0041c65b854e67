"A film: held where flow is trusted, afresh at a cut, the same when taken up again, styles and masks in time."
import itertools
import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from style_nb import film as film_room
from style_nb.encoders import encoder
from style_nb.errors import StyleNBError
from style_nb.film import film_frames, held_from
from style_nb.flicker import warping_error
from style_nb.flow import window, window_flow
from style_nb.gallery import sample
from style_nb.guarding import Stopped
from style_nb.learner import picture_grams, picture_learner
from style_nb.pictures import load_picture, resize, to_pil
from style_nb.temporal import TemporalLoss

HW, SWIRLS = (48, 64), sample('swirls')
HOW = dict(encoder='texnet-small', size=64, first_steps=30, steps=8, flow='tvl1', progress=False)
PASS = dict(one_pass=True, size=64, flow='tvl1', progress=False)


def view(i): return (200. + 4*i, 150.), 2.


def pan(n): return [to_pil(window(data.astronaut(), *view(i), HW)) for i in range(n)]


PAN = pan(6)


def known(i, j): return window_flow(view(i), view(j), HW)


def same(a, b): return [x.tobytes() for x in a] == [x.tobytes() for x in b]


def apart(a, b): return float((load_picture(a) - load_picture(b)).abs().mean())


@pytest.fixture(scope='module')
def film(): return list(film_frames(PAN, SWIRLS, **HOW))


def test_flickers_less_than_frame_by_frame(film):
    alone = [next(film_frames([x], SWIRLS, **HOW)) for x in PAN]
    assert len(film) == 6 and film[0].tobytes() == alone[0].tobytes()
    errors = [warping_error(made, PAN, flow=known) for made in (film, alone)]
    assert errors[0].added < errors[1].added/4
    assert all(apart(x, y) > .05 for x, y in zip(film, PAN))  # and it is painted


def test_taken_up_again_it_is_the_same(film, tmp_path):
    film[2].save(tmp_path/'2.png')
    rest = film_frames(itertools.islice(PAN, 2, None), SWIRLS, begun=(2, tmp_path/'2.png'), **HOW)
    assert same(rest, film[3:])


def test_a_cut_begins_afresh(film):
    other = [im.resize((64, 48)) for im in [sample('cat')]*2]
    made = list(film_frames([*PAN[:2], *other], SWIRLS, **HOW))
    assert same(made[:2], film[:2])
    assert same(made[2:3], film_frames(other[:1], SWIRLS, **HOW))
    assert not same(made[3:], film_frames(other[:1], SWIRLS, **HOW))  # the one after goes on
    x, y = load_picture(PAN[0]), load_picture(other[0])
    assert held_from(y, x, x, 'tvl1') is None and held_from(load_picture(PAN[1]), x, x, 'tvl1') is not None


def test_frames_come_one_by_one():
    asked = []
    def endless():
        for i in itertools.count():
            asked.append(i)
            yield PAN[i % 6]
    made = film_frames(endless(), 'wave', **PASS)
    assert not asked
    for _ in range(3): next(made)
    assert asked == [0, 1, 2]


@pytest.mark.parametrize('kind', [np.asarray, load_picture, lambda im: im])
def test_frames_of_any_kind(kind, film):
    assert same(film_frames(map(kind, PAN[:1]), SWIRLS, **HOW), film[:1])


def test_one_pass_flickers_less_and_goes_on():
    made = list(film_frames(PAN, 'wave', **PASS))
    alone = [next(film_frames([x], 'wave', **PASS)) for x in PAN]
    errors = [warping_error(o, PAN, flow=known) for o in (made, alone)]
    assert errors[0].added < errors[1].added/2
    assert same(film_frames(PAN[3:], 'wave', begun=(3, made[3]), **PASS), made[4:])


@pytest.mark.parametrize('how', [PASS, HOW])
def test_a_style_fades_in_and_out(how):
    frames, when = [PAN[0]]*12, dict(fps=1, fade=4)
    made = list(film_frames(frames, [(1, SWIRLS), (6, None)], **when, **how))
    gaps = [apart(x, y) for x, y in zip(made, frames)]
    assert gaps[0] == gaps[1] == gaps[10] == gaps[11] == 0
    assert .3 < gaps[3]/gaps[5] < .7 and .3 < gaps[8]/gaps[6] < .7 and 0 < gaps[2] < gaps[3] and 0 < gaps[9] < gaps[8]
    assert same(film_frames(frames[3:], [(1, SWIRLS), (6, None)], begun=(3, made[3]), **when, **how), made[4:])


@pytest.mark.parametrize('how', [PASS, HOW])
def test_a_second_style_takes_over(how):
    layers, see = ['relu1_1', 'relu2_1', 'relu3_1'], encoder('texnet-small')
    def far(x, style):
        a, b = (picture_grams(see, resize(load_picture(o), 64), layers) for o in (x, style))
        return sum(float((a[layer] - b[layer]).square().sum()/b[layer].square().sum()) for layer in layers)
    styles = SWIRLS, sample('woodcut')
    made = list(film_frames([PAN[0]]*12, [(0, styles[0]), (1, styles[1])], fps=2, fade=2, **how))
    first, second = (next(film_frames(PAN[:1], style, **how)) for style in styles)
    assert same(made[:1], [first]) and far(second, styles[1]) < far(first, styles[1])/2
    assert far(made[11], styles[1]) < far(second, styles[1])*1.5


def test_a_setting_in_time():
    frames = [PAN[0]]*3
    plain = list(film_frames(frames, SWIRLS, **HOW))
    more = list(film_frames(frames, SWIRLS, over_time=dict(style_weight=[(0, 12.), (2, 200.)]), fps=1, **HOW))
    assert same(plain[:1], more[:1]) and not same(plain[2:], more[2:])


@pytest.mark.parametrize('how', [PASS, HOW])
def test_a_mask_that_moves(how, tmp_path):
    for i in range(2):
        mask = np.zeros(HW, np.uint8)
        mask[:, 32*i:32*i + 32] = 255
        Image.fromarray(mask).save(tmp_path/f'{i}.png')
    made = list(film_frames(PAN[:2], SWIRLS, change_mask=tmp_path, **how))
    halves = [[apart(load_picture(x)[..., a:a + 24], load_picture(y)[..., a:a + 24]) for a in (0, 40)]
              for x, y in zip(made, PAN)]
    assert halves[0][0] > .02 > .002 > halves[0][1] and halves[1][1] > .02 > .002 > halves[1][0]


def test_each_style_where_its_mask_is():
    left = torch.zeros(1, 1, *HW)
    left[..., :32] = 1
    both = next(film_frames(PAN[:1], ['wave', 'dots'], masks=[left, 1 - left], **PASS))
    wave, dots = (next(film_frames(PAN[:1], style, retouch=0, **PASS)) for style in ('wave', 'dots'))
    cut = [load_picture(o)[..., :28] for o in (both, wave, dots)]
    assert apart(cut[0], cut[1]) < .005 < apart(cut[0], cut[2])


def test_what_is_held_is_by_how_much():
    target = torch.full((1, 3, 20, 30), .5)
    target[..., 15:] = .25
    x, half = target + .1, torch.zeros(1, 1, 20, 30)
    half[..., :10] = 1
    learn = picture_learner(x, encoder('random'), [TemporalLoss(target, half, 3.)], lr=1e-9, steps=1)
    learn.fit(1)
    assert learn.terms['temporal'].item() == pytest.approx(.01*200/(.125**2*600), rel=1e-3)
    assert learn.weighted_terms['temporal'].item() == pytest.approx(3*learn.terms['temporal'].item())


@pytest.mark.parametrize('how', [
    dict(style=None),
    dict(style=[]),
    dict(steps=0),
    dict(flow='farneback'),
    dict(fps=0),
    dict(temporal_weight=-1),
    dict(begun=3),
    dict(begun=(-1, PAN[0])),
    dict(over_time=[1]),
    dict(over_time=dict(size=[(0, 64), (1, 128)])),
    dict(over_time=dict(style_weight=[(0, 1), (1, -1)])),
    dict(style=[(0, 'wave'), (1, SWIRLS), (1.2, None)], one_pass=True),
    dict(style=[(0, SWIRLS), (5, None)], masks=[PAN[0]]),
    dict(one_pass=True, style_weight=1.),
    dict(one_pass='yes'),
])
def test_is_refused_before_the_first_frame(how):
    usual = dict(style=SWIRLS, progress=False)
    with pytest.raises(StyleNBError) as e: film_frames(PAN, **usual | how)
    assert '\n' not in str(e.value)


@pytest.mark.parametrize('frames,how,said', [
    ([PAN[0], PAN[0].resize((64, 64))], {}, '64x64 px, the ones before 64x48'),
    (PAN, dict(begun=(0, PAN[0].resize((32, 24)))), 'has 32x24 px'),
    (PAN, dict(change_mask=[np.ones(HW, bool)]), 'has 1 mask'),
])
def test_is_refused_on_the_way(frames, how, said):
    with pytest.raises(StyleNBError, match=said): list(film_frames(frames, 'wave', **PASS, **how))


def test_ctrl_c_ends_the_film_and_not_the_frame_alone(monkeypatch):
    paint = film_room.stylize
    def stopped_at_once(*args, cbs=(), **how):
        result = paint(*args, cbs=cbs, **how)
        if cbs: result.stopped = Stopped.BY_HAND  # the second frame
        return result
    monkeypatch.setattr(film_room, 'stylize', stopped_at_once)
    made = []
    with pytest.raises(KeyboardInterrupt):
        for x in film_frames(PAN, SWIRLS, **HOW): made.append(x)
    assert len(made) == 1

@pytest.mark.parametrize('steps', [-1, 1.5, float('nan'), 'x', 1001])
def test_retouch_of_a_film_is_a_number_of_steps(steps):
    with pytest.raises(StyleNBError, match='retouch is .*: give a whole number, at least 0'):
        next(film_frames(PAN[:1], 'wave', **(PASS | dict(retouch=steps))))
