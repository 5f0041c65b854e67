"A one-pass network is taught: what it is shown, the terms of its loss, exact resume, stop, what is written, bad input"
import json
import pytest
import torch
from fastai.callback.core import Callback
from style_nb.encoders import encoder
from style_nb.fitting import Crops, fit
from style_nb.gallery import samples
from style_nb.losses import gram
from style_nb.onepass import ENCODER, OnePass, SHORT, read_onepass
from style_nb.pictures import load_picture
from style_nb.pupils import (CONTENT, STYLE, Eye, Pairs, Pupil, content_gap, paint_by_hand, speckle, style_gap)
from style_nb.schooling import deep_directions, pupil_learner, train_onepass
import style_nb.schooling as schooling

HOW = dict(steps=4, side=64, batch=2, loss_encoder='texnet-small', by_hand=0, hold_out=(0, 0), preview=0,
    progress=False)

@pytest.fixture(scope='module')
def pictures():
    made = {kind: {s.name: (load_picture(s.open(), 120)[0]*255).round().byte() for s in samples(kind)[:3]}
            for kind in ('photo', 'painting')}
    return made['photo'], made['painting']

@pytest.fixture(scope='module')
def see():
    return encoder(**ENCODER)

def pairs(pictures, **more):
    photos, paintings = pictures
    return Pairs(Crops(photos, 2, 64), Crops(paintings, 2, 64, 1), **more)

def weights(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])

@pytest.fixture(scope='module')
def whole(pictures, tmp_path_factory):
    "Four steps in one go: the file, and what was returned"
    out = tmp_path_factory.mktemp('whole')/'whole.safetensors'
    return out, train_onepass(out, *pictures, **HOW)

class StopAfter(Callback):
    order = 85
    def __init__(self, n):
        self.n = n
    def after_batch(self):
        if self.learn.step + 1 == self.n:
            self.learn.halt.now()

class PullThePlug(StopAfter):
    order = 20
    def after_batch(self): "Not here"
    def after_loss(self):
        if self.learn.step + 1 == self.n: raise KeyboardInterrupt

@pytest.fixture
def with_callback(monkeypatch):
    "The training has one more callback"
    def use(cb):
        own = schooling.pupil_learner
        monkeypatch.setattr(schooling, 'pupil_learner', lambda *args, **kw: own(*args, **kw, cbs=[cb]))
    return use

def same(path, whole):
    assert read_onepass(path).card['steps'] == HOW['steps']
    assert torch.equal(weights(read_onepass(path)), weights(read_onepass(whole[0])))

# ---- what it is shown

def test_a_batch_follows_from_its_number(pictures):
    data = pairs(pictures)
    for a, b in zip(data.at(7), pairs(pictures).at(7)):
        assert torch.equal(a, b)
    assert not torch.equal(data.at(8)[1], data.at(7)[1])

def test_colours_change_places_and_nothing_else(pictures):
    plain, other = pairs(pictures, recoloured=0).at(2)[1], pairs(pictures, recoloured=1).at(2)[1]
    assert torch.equal(plain.sort(1)[0], other.sort(1)[0])
    assert any(not torch.equal(pairs(pictures, recoloured=0).at(i)[1], pairs(pictures, recoloured=1).at(i)[1])
               for i in range(4))

def test_a_look_is_left_out_as_often_as_said(pictures):
    assert not any(pairs(pictures, short=0).at(i)[2] for i in range(5))
    assert all(pairs(pictures, short=1).at(i)[2] for i in range(5))

def test_hands_paint_the_same_again(pictures):
    one, again, other = (paint_by_hand(pictures[0], 2, side=64, seed=s, progress=False) for s in (0, 0, 1))
    assert all(torch.equal(one[name], again[name]) for name in one) and min(p.shape[1] for p in one.values()) == 64
    assert any(name not in one or not torch.equal(one[name], other[name]) for name in other)

# ---- losses

def test_the_gap_is_that_of_the_formula(see, pictures):
    x, style, *_ = pairs(pictures).at(0)
    maps, own = see(x, list(STYLE)), see(style, list(STYLE))
    wanted = {l: gram(m) for l, m in own.items()}
    gap = 0
    for l, weight in STYLE.items():
        f = maps[l].flatten(2).double()
        a = wanted[l].double()
        gap = gap + 40*weight*(f @ f.mT/f.shape[2] - a).square().sum((1, 2))/a.square().sum((1, 2))
    assert torch.allclose(style_gap(maps, wanted).double(), gap, rtol=1e-4)
    assert style_gap(own, wanted).abs().max() < 1e-4

def test_one_place_far_off_costs_more_than_many_a_little_off():
    photo = torch.rand(1, 3, 16, 16)
    spread, spot = torch.zeros(2, 1, 3, 16, 16)
    spread += .1
    spot[..., 2:6, 2:6] = .4
    assert spread.square().sum() == pytest.approx(spot.square().sum().item())
    assert content_gap(photo + spot, photo) > 3*content_gap(photo + spread, photo)
    assert content_gap(photo, photo) < .01

def test_light_is_no_speckle():
    grey = torch.rand(1, 1, 8, 8).expand(1, 3, 8, 8)
    assert speckle(grey) < 1e-10 < speckle(torch.rand(1, 3, 8, 8))

def test_every_look_is_judged_the_last_by_the_judge(see, pictures):
    photo, style, *_ = pairs(pictures).at(0)
    painted, judged = Pupil(OnePass(), see, encoder('texnet', 'avg', 'reflect'))(photo, style, torch.tensor(True))
    assert painted.shape == photo.shape and [one.look for one in judged] == [look for look, _ in SHORT]
    widths = [one.maps[CONTENT].shape[1] for one in judged]
    assert widths[-1] > widths[0] and len(set(widths[:-1])) == 1
    for one in judged:
        assert one.maps[CONTENT].shape == one.photo.shape and set(one.style) == set(STYLE)

def test_an_eye_forgets_what_it_was_asked_for(see, pictures):
    eye = Eye(see, [CONTENT])
    eye(pairs(pictures).at(0)[0], ['relu1_1'])
    assert [list(maps) for _, maps in eye.all_seen()] == [['relu1_1', CONTENT]] and eye.seen == []

def test_directions_are_at_right_angles_and_the_same_again(see, pictures):
    found, again = (deep_directions(see, pairs(pictures).paintings, 2) for _ in range(2))
    assert torch.equal(found, again) and torch.allclose(found @ found.T, torch.eye(64), atol=1e-4)

# ---- training

def test_the_loss_falls_and_the_mean_of_the_weights_is_kept(pictures):
    torch.manual_seed(0)
    learn = pupil_learner(OnePass(), pairs(pictures, short=0))
    begun = weights(learn.model.net)
    log = fit(learn, 16, lr=3e-3, progress=False)
    assert log.loss.tail(4).mean() < log.loss.head(4).mean() - 1
    mean, last = weights(learn.weight_average.net), weights(learn.model.net)
    assert not torch.equal(mean, last) and (mean - begun).norm() < (last - begun).norm()*1.5
    assert {f'style/{i}' for i in range(1, 7)} <= set(log.columns)

def test_the_mean_is_what_is_written(whole):
    out, net = whole
    assert torch.equal(weights(read_onepass(out)), weights(net).half().float())
    card = read_onepass(out).card
    assert card['steps'] == 4 and card['data']['photos'] == 3 and 'VGG' in card['trained_through'] and card['licence']
    assert card == json.loads(json.dumps(net.card)) and str(out.parent) not in json.dumps(card)

def test_another_seed_is_another_network(whole, pictures, tmp_path):
    other = train_onepass(tmp_path/'other.safetensors', *pictures, **HOW | dict(seed=1, steps=1))
    assert other.card['begun'] == 'random, seed 1' and not torch.equal(weights(other), weights(whole[1]))

def test_killed_and_continued_is_the_same(whole, pictures, tmp_path, with_callback, monkeypatch):
    own = schooling.fit
    monkeypatch.setattr(schooling, 'fit', lambda *args, **kw: own(*args, **kw, seconds=0))
    out = tmp_path/'killed.safetensors'
    with_callback(PullThePlug(3))
    with pytest.raises(KeyboardInterrupt):
        train_onepass(out, *pictures, **HOW)
    assert not out.exists() and out.with_suffix('.checkpoint').exists()
    monkeypatch.undo()
    train_onepass(out, *pictures, **HOW)
    same(out, whole)

def test_stopped_is_usable_and_goes_on(whole, pictures, tmp_path, with_callback, monkeypatch):
    out = tmp_path/'stopped.safetensors'
    with_callback(StopAfter(2))
    assert train_onepass(out, *pictures, **HOW).card['steps'] == read_onepass(out).card['steps'] == 2
    monkeypatch.undo()
    train_onepass(out, *pictures, **HOW)
    same(out, whole)

def test_it_goes_on_from_a_file_with_a_larger_judge(whole, pictures, tmp_path):
    out = tmp_path/'more.safetensors'
    net = train_onepass(out, *pictures, start=whole[0], about=dict(data='ours'),
                        **HOW | dict(steps=1, lr=1e-9, preview=1e-3, loss_encoder='texnet'))
    assert torch.allclose(weights(net), weights(whole[1]), atol=1e-3)
    assert net.card['data'] == 'ours' and net.card['judge'] != net.card['eye']
    assert load_picture(out.with_suffix('.png')).shape[-1] > 900

@pytest.mark.parametrize('how, words', [
    (dict(side=100), 'multiple of 32'),
    (dict(side=32), 'side'),
    (dict(steps=0), 'steps'),
    (dict(lr=-1), 'lr'),
    (dict(loss_encoder='vgg'), 'vgg'),
    (dict(hold_out=3), 'hold_out'),
    (dict(about=dict(a={1})), 'about'),
    (dict(device='tpu'), 'tpu'),
    (dict(start='nothing.safetensors'), 'nothing.safetensors'),
    (dict(side=128), 'side of 80 px'),
])
def test_what_cannot_be_done_is_said(how, words, pictures, tmp_path, refused):
    refused(lambda: train_onepass(tmp_path/'no.safetensors', *pictures, **HOW | how), words)
    assert list(tmp_path.iterdir()) == []

def test_files_are_not_overwritten_or_mixed_up(whole, pictures, tmp_path, refused):
    out = whole[0]
    refused(lambda: train_onepass(out, *pictures, start=out, **HOW), 'also the start')
    refused(lambda: train_onepass(out, *pictures, **HOW | dict(content=1.)), 'content')
    refused(lambda: train_onepass(tmp_path/'net.pt', *pictures, **HOW), '.safetensors')
    refused(lambda: train_onepass(tmp_path/'net.safetensors', pictures[0], **HOW), 'no picture')
