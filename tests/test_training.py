"Training: views, objectives, folding, exact resume after a stop and after a kill, and what a bad folder or file is told"
import os, signal, subprocess, sys, time
from pathlib import Path
import numpy as np, pandas as pd, pytest, torch, torch.nn.functional as F
from fastai.callback.core import Callback
from style_nb.encoders import ENCODERS, Shape, encoder, encoder_card, read_encoder, save_encoder, weights_digest
from style_nb.gallery import sample, samples
from style_nb.pictures import load_picture, save_picture
from style_nb.training import (OBJECTIVES, Adversary, Jitter, Trainee, Views, even_out, fold, gram_cosines, read_photos, retrieval, split_photos, train_encoder, views)

TINY = Shape('for tests', (8, 16), (1, 2))

@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    "Fifteen photos, one of them in a subfolder, and a file that is none"
    d = tmp_path_factory.mktemp('photos')
    (d/'more').mkdir()
    for i in range(15):
        x = load_picture(sample(['astronaut', 'cat', 'coffee', 'rocket', 'retina'][i % 5]), 200)
        save_picture(x[..., i:i+90, i:i+110 + 2*i], (d/'more' if i == 3 else d)/f'{i:02}.png')
    (d/'broken.jpg').write_text('not a picture')
    return d

@pytest.fixture(scope='module')
def photos(folder): return read_photos(folder, side=64, progress=False)

def train(folder, path, **kw):
    return train_encoder(folder, path, **dict(dict(steps=8, shape=TINY, batch=8, size=32, holdout=0, progress=False), **kw))

# ---- photos and views

def test_photos(photos, capsys):
    assert len(photos) == 15 and 'more/03.png' in photos and list(photos) == sorted(photos)
    assert all(p.dtype == torch.uint8 and min(p.shape[1:]) == 64 for p in photos.values())

def test_split(photos):
    train_, held = split_photos(photos, 5)
    assert (len(train_), len(held)) == (12, 3) and not set(train_) & set(held)
    assert len(split_photos(photos, 0)[0]) == 15

def test_views_follow_from_the_generator(photos):
    x = torch.stack([p[:, :64, :64] for p in photos.values()])
    a, b, c = (views(x, 24, Jitter(), torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert a.shape == (15, 3, 24, 24) and torch.equal(a, b) and not torch.equal(a, c) and 0 <= a.min() and a.max() <= 1

def test_without_jitter_a_view_is_the_photo(photos):
    x = torch.stack([p[:, :64, :64] for p in photos.values()])
    still = Jitter((1., 1.), 0, 0, 0, 0, 0, 0, 0, 0)
    y, want = views(x, 32, still, torch.Generator().manual_seed(0)), F.avg_pool2d(x/255, 2)
    grey = lambda o: o.mean(1)  # saturation is always free
    flipped = torch.minimum((grey(y) - grey(want)).abs().mean((1, 2)), (grey(y) - grey(want).flip(-1)).abs().mean((1, 2)))
    assert flipped.max() < .12

def test_a_batch_is_its_number(photos):
    a = Views(photos.values(), 4, 8, 24, seed=3)
    b = Views(photos.values(), 2, 8, 24, seed=3, first=2)
    for (x, y), (u, v) in zip(list(a)[2:], b): assert torch.equal(x, u) and torch.equal(y, v)
    x, y = a.at(0)
    assert torch.equal(y[:4], y[4:]) and len(set(y.tolist())) == 4 and not torch.equal(x[:4], x[4:])
    assert not torch.equal(Views(photos.values(), 4, 8, 24, seed=4).at(0)[0], x)

# ---- what is learnt

def test_gram_cosines():
    f = torch.randn(5, 4, 6, 3, dtype=torch.float64).relu().requires_grad_()
    v = F.normalize(torch.einsum('bchw,bdhw->bcd', f, f).flatten(1), dim=1)
    assert torch.allclose(gram_cosines(f), v @ v.T, atol=1e-12)
    assert torch.autograd.gradcheck(gram_cosines, f)

@pytest.mark.parametrize('name', OBJECTIVES)
def test_each_objective_learns(folder, tmp_path, name):
    t = train(folder, tmp_path/'w.safetensors', objective=name, steps=40, lr=.01)
    loss = t.history.loss
    assert loss[-8:].mean() < (.97 if name == 'instance' else .9)*loss[:8].mean() and np.isfinite(loss).all()
    terms = set(t.history.columns[4:])
    assert terms == {'gram': {'gram/relu1_1', 'gram/relu2_1'}, 'instance': {'instance'}, 'robust': {'gram/relu1_1', 'gram/relu2_1'}}[name]

def test_the_adversary_makes_it_harder(folder, tmp_path):
    class Note(Callback):
        order = 6
        def before_batch(self): seen.append((self.learn.xb[0].detach() - before.pop()).flatten(1).norm(dim=1).max().item())
    class Before(Callback):
        order = 4
        def before_batch(self): before.append(self.learn.xb[0].detach().clone())
    seen, before = [], []
    train(folder, tmp_path/'w.safetensors', objective='robust', cbs=[Note(), Before()])
    assert len(seen) == 8 and 0 < max(seen) <= Adversary().size*1.001

def test_nobody_elses_random_numbers(folder, tmp_path):
    torch.manual_seed(5); np.random.seed(5); want = torch.rand(2), np.random.rand(2)
    torch.manual_seed(5); np.random.seed(5)
    train(folder, tmp_path/'w.safetensors', steps=2)
    assert torch.equal(torch.rand(2), want[0]) and np.array_equal(np.random.rand(2), want[1])

# ---- folding

@pytest.fixture
def learnt(photos):
    net = Trainee(TINY, bf16=False)
    for i in range(5): net.train()(Views(photos.values(), 1, 8, 32).at(i)[0])
    return net.eval()

def test_folding_changes_nothing(learnt, photos):
    x = next(iter(photos.values()))[None]/255
    enc = fold(learnt, pooling='max')
    with torch.no_grad(): want = learnt(x)
    got = enc(x, list(want))
    for l in want: assert torch.allclose(got[l], want[l], atol=1e-4)

def test_even_out(learnt, photos):
    xs = [p[None]/255 for p in photos.values()]
    enc = fold(learnt, pooling='max')
    before = enc(xs[0], 'relu2_2')['relu2_2']
    after = even_out(enc, xs)(xs[0], 'relu2_2')['relu2_2']
    k = (after.flatten(2).sum(-1)/before.flatten(2).sum(-1).clamp_min(1e-9))[..., None, None]
    assert torch.allclose(after, before*k, rtol=1e-3, atol=1e-4)
    for l in ('relu1_1', 'relu2_1', 'relu2_2'):
        ms = torch.cat([enc(x, l)[l].permute(1, 0, 2, 3).flatten(1) for x in xs], 1).square().mean(1)
        assert ((ms - 1).abs() < 1e-3).float().mean() > .8, (l, ms)

# ---- stop, kill, go on

def curve(path): return pd.read_csv(path.with_suffix('.csv')).drop(columns='seconds')

def test_a_stopped_training_goes_on(folder, tmp_path):
    class StopAt(Callback):
        order = 70
        def after_batch(self):
            if self.learn.step == 4: self.learn.halt.now()
    whole = train(folder, tmp_path/'whole.safetensors')
    half = train(folder, tmp_path/'half.safetensors', cbs=[StopAt()])
    assert len(half.history) == 5 and not half.path and not (tmp_path/'half.safetensors').exists() and 'run it again' in repr(half)
    rest = train(folder, tmp_path/'half.safetensors')
    pd.testing.assert_frame_equal(curve(tmp_path/'half.safetensors'), curve(tmp_path/'whole.safetensors'), check_exact=True)
    a, b = (read_encoder(tmp_path/f'{n}.safetensors')[0] for n in ('half', 'whole'))
    assert weights_digest(a) == weights_digest(b) and len(rest.history) == 8 and rest.path == tmp_path/'half.safetensors'

script = '''
import sys, torch
torch.set_num_threads(1)
from style_nb.encoders import Shape
from style_nb.training import Checkpoint, train_encoder
Checkpoint.__init__.__defaults__ = (0.,)
train_encoder(sys.argv[1], sys.argv[2], steps=60, shape=Shape('for tests', (8, 16), (1, 2)), batch=8, size=32, holdout=0, progress=False)
'''

@pytest.mark.slow
def test_a_killed_training_goes_on(folder, tmp_path):
    "kill -9 in the middle, the same command again: the loss curve and the weights of an unbroken run"
    run = lambda name: subprocess.Popen([sys.executable, '-W', 'ignore', '-c', script, str(folder), str(tmp_path/name)])
    p = run('killed.safetensors')
    csv = tmp_path/'killed.csv'
    until = time.time() + 120
    while time.time() < until and (not csv.exists() or len(csv.read_text().splitlines()) < 10): time.sleep(.01)
    p.send_signal(signal.SIGKILL); p.wait()
    done = len(csv.read_text().splitlines()) - 1
    assert 9 <= done < 60 and not (tmp_path/'killed.safetensors').exists()
    assert run('killed.safetensors').wait() == 0 and run('whole.safetensors').wait() == 0
    pd.testing.assert_frame_equal(curve(csv), curve(tmp_path/'whole.csv'), check_exact=True)
    assert (tmp_path/'killed.safetensors').read_bytes()[-1000:] == (tmp_path/'whole.safetensors').read_bytes()[-1000:]

def test_another_plan_is_refused(folder, tmp_path, refused):
    train(folder, tmp_path/'w.safetensors', steps=2)
    refused(lambda: train(folder, tmp_path/'w.safetensors', steps=3), 'checkpoint of another run', 'its steps is 2, not 3', 'delete it')
    (tmp_path/'w.checkpoint').write_text('no')
    refused(lambda: train(folder, tmp_path/'w.safetensors', steps=2), 'w.checkpoint', 'not a checkpoint', 'delete it')

def test_bad_input(folder, tmp_path, refused):
    out, empty = tmp_path/'w.safetensors', tmp_path/'empty'
    empty.mkdir()
    refused(lambda: train(tmp_path/'none', out), 'no folder', 'none')
    refused(lambda: train(empty, out), 'no picture in', '.jpg')
    refused(lambda: train(folder, out, holdout=2), 'leaves 7 photos', 'at least 8')
    refused(lambda: train(folder, tmp_path/'w.pth'), '.safetensors')
    refused(lambda: train(folder, out, objective='best'), "Unknown objective 'best'", 'gram, instance, robust')
    refused(lambda: train(folder, out, size=4), 'size is 4', 'at least 8')
    refused(lambda: train(folder, out, steps=0), 'steps is 0')

# ---- the file

def test_a_trained_file_loads(folder, tmp_path, photo):
    t = train(folder, tmp_path/'w.safetensors', steps=2, holdout=15)
    e = encoder('texnet', weights=t.path)
    for l in ('relu1_1', 'relu2_2'):
        a, b = (o(photo, l)[l] for o in (e, t.encoder))
        assert a.shape == b.shape and (a - b).abs().max() < 2e-3*b.abs().max()
    card = encoder_card(t.path)
    assert card['steps'] == 2 and card['trained_on'] == 14 and card['held_out'] == 1 and card == t.card | {'jitter': card['jitter']}

def test_a_damaged_file_is_refused(folder, tmp_path, refused):
    path = train(folder, tmp_path/'w.safetensors', steps=1).path
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 64]))
    refused(lambda: encoder('texnet', weights=path), 'damaged')
    path.write_bytes(good[:-100])
    refused(lambda: encoder('texnet', weights=path), 'not the file of an encoder')
    path.write_bytes(b'hello')
    refused(lambda: encoder('texnet', weights=path), 'not the file of an encoder')
    refused(lambda: encoder('texnet', weights=tmp_path/'none.safetensors'), 'no weights file')

def test_the_packaged_weights():
    from style_nb.encoders import DATA
    state, plan, card = read_encoder(DATA/'texnet.safetensors', ENCODERS['texnet'].sha256)
    assert len(ENCODERS['texnet'].sha256) == 64 and weights_digest(state) == ENCODERS['texnet'].sha256
    assert (DATA/'texnet.safetensors').stat().st_size <= 6e6
    assert {'objective', 'trained_on', 'held_out', 'seconds', 'retrieval', 'data', 'licence', 'limits'} <= set(card)
    assert tuple(plan['widths']) == ENCODERS['texnet'].widths and tuple(plan['depths']) == ENCODERS['texnet'].depths

def test_retrieval():
    xs = [load_picture(sample(s.name), 160) for s in samples('photo')]
    got = {n: retrieval(encoder(n), xs) for n in ('random', 'texnet')}
    assert set(got['texnet']) == {*(f'relu{i}_1' for i in range(1, 6)), 'all'} and got['texnet']['all'] >= got['random']['all']
    assert retrieval(encoder('random'), xs, ['relu1_1'], grey=False)['all'] == retrieval(encoder('random'), xs, ['relu1_1'], grey=False)['relu1_1']
