"Fitting: pictures and batches, exact resume after a stop and after a kill, damage, other plans, and what is not finite"
import signal, time
import numpy as np, pandas as pd, pytest, torch, torch.nn as nn, torch.nn.functional as F
from PIL import Image
from fastai.callback.core import Callback
from fastai.learner import Learner
from forked import Program
import style_nb.batches as batches
from style_nb.fitting import (Batches, Crops, fit, loaders, no_loss, pictures_digest, read_checkpoint, read_pictures,
    split_pictures, step_size)
from style_nb.gallery import sample
from style_nb.keeping import read_state
from style_nb.learner import adam
from style_nb.pictures import load_picture, save_picture

@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    "Fifteen pictures, one of them in a subfolder, and what is to be left alone"
    d = tmp_path_factory.mktemp('photos')
    (d/'more').mkdir()
    for i in range(15):
        x = load_picture(sample(['astronaut', 'cat', 'coffee', 'rocket', 'retina'][i % 5]), 200)
        save_picture(x[..., i:i+90, i:i+110 + 2*i], (d/'more' if i == 3 else d)/f'{i:02}.png')
    (d/'broken.jpg').write_text('not a picture')
    (d/'link.png').symlink_to(d/'00.png')
    save_picture(x, d/'.part-half.png')
    return d

@pytest.fixture(scope='module')
def pictures(folder): return read_pictures(folder, side=64, progress=False)

# ---- pictures

def test_pictures(folder, pictures, capsys):
    assert len(pictures) == 15 and 'more/03.png' in pictures and list(pictures) == sorted(pictures)
    assert all(p.dtype == torch.uint8 and min(p.shape[1:]) == 64 for p in pictures.values())
    read_pictures(folder, side=64, progress=False)
    said = ''.join(capsys.readouterr())
    assert said.count('\n') == 1 and "'broken.jpg'" in said and 'link' not in said and 'part' not in said

def test_several_folders(folder, tmp_path, refused):
    (tmp_path/'b').mkdir()
    save_picture(torch.rand(1, 3, 40, 40), tmp_path/'b/x.png')
    both = read_pictures([folder, tmp_path/'b'], 32, progress=False)
    assert len(both) == 16 and 'b/x.png' in both and f'{folder.name}/00.png' in both
    refused(lambda: read_pictures([folder, folder], 32, progress=False), 'Two pictures', '00.png')

def test_large_jpegs_are_decoded_small(tmp_path, monkeypatch):
    "At a fraction of their size, turned upright, and with the same look as the slow way"
    big = sample('cat').resize((1600, 1000))
    exif = Image.Exif()
    exif[0x112] = 6
    big.save(tmp_path/'big.jpg', quality=95)
    big.save(tmp_path/'turned.jpg', quality=95, exif=exif)
    seen, plain = [], batches.upright_rgb
    monkeypatch.setattr(batches, 'upright_rgb', lambda im: seen.append(im.size) or plain(im))
    got = read_pictures(tmp_path, 64, progress=False)
    assert seen == [(200, 125)]*2 or seen == [(400, 250)]*2
    assert got['big.jpg'].shape == (3, 64, 102) and got['turned.jpg'].shape == (3, 102, 64)
    want = torch.from_numpy(np.array(big.resize((102, 64), Image.BICUBIC))).permute(2, 0, 1)
    assert (got['big.jpg'].float() - want).abs().mean() < 2
    assert (got['turned.jpg'].float() - want.float().transpose(1, 2).flip(-1)).abs().mean() < 2

def test_split(folder, pictures, refused):
    mine, held = split_pictures(pictures, 5)
    assert (len(mine), len(held)) == (12, 3) and not set(mine) & set(held)
    assert len(split_pictures(pictures, 0)[0]) == 15 and not split_pictures(pictures, 0)[1]
    assert list(read_pictures(folder, 64, progress=False, hold_out=5)) == list(mine)
    refused(lambda: split_pictures(pictures, 1), 'hold_out is 1', 'at least 2')

def test_bad_folders(tmp_path, refused):
    refused(lambda: read_pictures(tmp_path/'none'), 'no folder', 'none')
    refused(lambda: read_pictures(tmp_path), 'no picture in', '.jpg')
    refused(lambda: read_pictures(tmp_path, side=1), 'side is 1')

# ---- batches

def test_a_batch_is_its_number(pictures):
    a, b = Crops(pictures, 8, 24, seed=3, n=4), Crops(pictures.values(), 8, 24, seed=3, n=2, first=2)
    for (x, _), (u, _) in zip(list(a)[2:], b): assert torch.equal(x, u)
    x, _ = a.at(0)
    assert x.shape == (8, 3, 24, 24) and x.dtype == torch.float32 and 0 <= x.min() and x.max() <= 1
    assert not torch.equal(x, a.at(1)[0]) and not torch.equal(x, Crops(pictures, 8, 24, seed=4).at(0)[0])

def test_whatever_torch_s_defaults(pictures):
    want = Crops(pictures, 4, 24).at(7)[0]
    torch.set_default_dtype(torch.float64)
    try: got = Crops(pictures, 4, 24).at(7)[0]
    finally: torch.set_default_dtype(torch.float32)
    assert got.dtype == torch.float32 and torch.equal(got, want)

def test_squares(pictures):
    "A square at full scale is the pixels themselves; the smallest scale takes the whole shorter side"
    p, crops = pictures['00.png'], Crops(pictures, 1, 32)
    assert torch.equal(crops.square(p, 0., 0., 0., .9), p[:, :32, :32].float()/255)
    assert torch.equal(crops.square(p, 0., 0., 0., .1), p[:, :32, :32].flip(-1).float()/255)
    whole = F.avg_pool2d(p[None, :, :, :64].float()/255, 2)[0]
    assert (crops.square(p, 1., 0., 0., .9) - whole).abs().mean() < .03
    h, w = p.shape[1:]
    assert torch.equal(crops.square(p, 0., .9999, .9999, .9), p[:, h-32:, w-32:].float()/255)

def test_all_pictures_come(pictures):
    count, crops = torch.zeros(3), Crops([torch.full((3, 20, 20), v, dtype=torch.uint8) for v in (0, 100, 200)], 10, 16)
    for i in range(30): count += torch.histc(crops.at(i)[0].mean((1, 2, 3))*255, 3, -1, 201)
    assert count.sum() == 300 and (count - 100).abs().max() < 30

def test_bad_crops(pictures, refused):
    refused(lambda: Crops(pictures, size=65), '64 px', 'not 65')
    refused(lambda: Crops([]), 'no picture')
    refused(lambda: Crops([torch.rand(3, 40, 40)], size=8), 'float32', 'give bytes')
    refused(lambda: Crops(pictures, batch=0, size=8), 'batch is 0')

def test_digest(pictures):
    a = list(pictures.values())
    other = [a[0].clone(), *a[1:]]
    other[0][0, 0, 0] ^= 1
    assert pictures_digest(a) == pictures_digest(tuple(a)) != pictures_digest(other)
    assert pictures_digest([a[0].reshape(3, -1, 2)]) != pictures_digest([a[0]])

def test_step_size():
    s = [step_size(i/100, 2., .25) for i in range(101)]
    assert s[0] == pytest.approx(.08) and s[25] == max(s) == 2 and s[-1] == pytest.approx(2e-5)
    assert s[:26] == sorted(s[:26]) and s[25:] == sorted(s[25:], reverse=True)
    assert step_size(0, 2., 0) == 2

# ---- fits

class Darker(Callback):
    "Learn to halve the light; dropout makes every step draw random numbers"
    order = 10
    def after_loss(self):
        self.learn.add_term('half', 2., F.mse_loss(self.pred, self.x/2))
        self.learn.add_term('size', .1, self.pred.square().mean())

class Average(Callback):
    "A callback that remembers"
    def __init__(self): self.mean = torch.zeros(())
    def after_step(self): self.mean = .9*self.mean + .1*next(self.model.parameters()).detach().mean()
    def state_dict(self): return dict(mean=self.mean)
    def load_state_dict(self, o): self.mean = o['mean']

class At(Callback):
    "Do something after a step"
    order = 70
    def __init__(self, step, do): self.step_no, self.do = step, do
    def after_batch(self):
        if self.learn.step + 1 == self.step_no: self.do(self.learn)

def learner(pictures, *cbs, **kw):
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(.1), nn.Conv2d(4, 3, 1))
    return Learner(loaders(Crops(pictures, 4, 16)), net, **dict(dict(loss_func=no_loss, lr=.02, wd=.05), **kw),
        cbs=[Darker(), *cbs])

def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.model.state_dict().values(), b.model.state_dict().values(),
        strict=True))
def equal_curves(a, b):
    pd.testing.assert_frame_equal(a.drop(columns='seconds'), b.drop(columns='seconds'), check_exact=True)

def test_a_fit_learns(pictures):
    learn = learner(pictures)
    table = fit(learn, 150, progress=False)
    assert (list(table.columns) == ['step', 'seconds', 'lr', 'loss', 'half', 'size']
        and list(table.step) == [*range(1, 151)])
    assert np.allclose(table.loss, 2*table.half + .1*table['size'], rtol=1e-5)
    assert table.half[-10:].mean() < .2*table.half[0] and not learn.model.training
    assert table.lr.max() == pytest.approx(.02, rel=1e-2) and table.lr[149] < .001

@pytest.mark.parametrize('opt', ['fastai', 'torch'])
def test_a_stopped_fit_goes_on(pictures, tmp_path, opt):
    kw = {} if opt == 'fastai' else dict(opt_func=adam(), wd=None)
    whole, a, b, c = (learner(pictures, cb, **kw) for cb in (Average(), Average(), Average(), Average()))
    want = fit(whole, 12, tmp_path/'whole.checkpoint', progress=False)
    a.add_cb(At(5, lambda learn: learn.halt.now()))
    half = fit(a, 12, tmp_path/'half.checkpoint', progress=False)
    assert len(half) == 5
    rest = fit(b, 12, tmp_path/'half.checkpoint', progress=False)
    assert len(rest) == 12 and same(b, whole) and torch.equal(b.average.mean, whole.average.mean)
    equal_curves(rest, want)
    equal_curves(*(pd.read_csv(tmp_path/f'{n}.csv') for n in ('half', 'whole')))
    done = fit(c, 12, tmp_path/'half.checkpoint', progress=False)
    assert len(done) == 12 and same(c, whole) and torch.equal(c.average.mean, whole.average.mean)

def test_ctrl_c_ends_after_the_step(pictures, tmp_path, interruptible):
    learn = learner(pictures, At(4, lambda learn: signal.raise_signal(signal.SIGINT)))
    assert len(fit(learn, 9, tmp_path/'x.checkpoint', progress=False)) == 4
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    def twice(learn):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(learner(pictures, At(4, twice)), 9, tmp_path/'y.checkpoint', progress=False)

def test_nobody_elses_random_numbers(pictures):
    learn = learner(pictures)
    torch.manual_seed(5)
    np.random.seed(5)
    want = torch.rand(2), np.random.rand(2)
    torch.manual_seed(5)
    np.random.seed(5)
    fit(learn, 3, progress=False)
    assert torch.equal(torch.rand(2), want[0]) and np.array_equal(np.random.rand(2), want[1])

def test_a_fit_enables_what_it_needs(pictures):
    a, b, c = (learner(pictures) for _ in range(3))
    fit(a, 3, progress=False)
    with torch.no_grad(): fit(b, 3, progress=False)
    with torch.inference_mode(): fit(c, 3, progress=False)
    assert same(a, b) and same(a, c)

def test_a_plain_loss_and_fastai_s_defaults(pictures):
    net = nn.Conv2d(3, 3, 1)
    learn = Learner(loaders(Crops(pictures, 4, 16)), net, loss_func=lambda pred, y: pred.square().mean(), lr=.01)
    before = [cb.name for cb in learn.cbs]
    table = fit(learn, 5, progress=False)
    assert (list(table.columns) == ['step', 'seconds', 'lr', 'loss']
        and sorted(cb.name for cb in learn.cbs) == sorted(before))
    net2 = nn.Conv2d(3, 3, 1)
    bare = Learner(loaders(Crops(pictures, 4, 16)), net2, loss_func=lambda pred, y: pred.square().mean(), lr=.01,
        default_cbs=False)
    assert len(fit(bare, 2, progress=False)) == 2

script = '''
import sys, torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[3])
from test_fitting import learner
from style_nb.fitting import fit, read_pictures
fit(learner(read_pictures(sys.argv[1], side=64, progress=False)), 100, sys.argv[2], seconds=0, progress=False)
'''

def test_a_killed_fit_goes_on(folder, tmp_path):
    "kill -9 in the middle, the same again in another process: the loss curve and the weights of an unbroken fit"
    from pathlib import Path
    here = str(Path(__file__).parent)
    p = Program(script, tmp_path, folder, tmp_path/'killed.checkpoint', here)
    csv, until = tmp_path/'killed.csv', time.time() + 120
    while time.time() < until and (not csv.exists() or len(csv.read_text().splitlines()) < 10): time.sleep(.01)
    p.kill()
    assert p.ended() == -9, p.said()
    assert 9 <= len(csv.read_text().splitlines()) - 1 < 100
    nets = {}
    for name in ('killed', 'whole'):
        nets[name] = learner(read_pictures(folder, side=64, progress=False))
        fit(nets[name], 100, tmp_path/f'{name}.checkpoint', seconds=0, progress=False)
    equal_curves(*(pd.read_csv(tmp_path/f'{n}.csv') for n in ('killed', 'whole')))
    assert same(nets['killed'], nets['whole'])

# ---- checkpoints that will not do

@pytest.fixture(scope='module')
def written(pictures, tmp_path_factory):
    path = tmp_path_factory.mktemp('written')/'x.checkpoint'
    fit(learner(pictures), 3, path, progress=False, plan=dict(weight=2.))
    return path

def again(pictures, path, steps=3, learn=None, weight=2., **kw):
    return fit(learn or learner(pictures), steps, path, progress=False, plan=dict(weight=weight), **kw)

def test_another_plan_is_refused(pictures, written, refused):
    assert len(again(pictures, written)) == 3
    before = written.read_bytes()
    advice = 'another fit', 'delete this one'
    refused(lambda: again(pictures, written, 4), 'its steps is 3, not 4', *advice)
    refused(lambda: again(pictures, written, lr=.5), 'its lr is 0.02, not 0.5', *advice)
    refused(lambda: again(pictures, written, weight=3.), 'its weight is 2.0, not 3.0', *advice)
    refused(lambda: again(pictures, written, learn=learner(pictures, opt_func=adam())), 'its hypers', *advice)
    refused(lambda: again(pictures, written, learn=learner(pictures, wd=.1)), 'its hypers', *advice)
    refused(lambda: again(dict(list(pictures.items())[1:]), written), 'its pictures', *advice)
    refused(lambda: fit(learner(pictures), 3, written, progress=False), 'its weight is 2.0, not None', *advice)
    refused(lambda: again(pictures, written, learn=learner(pictures, Average())),
        "its callbacks is [], not ['average']", *advice)
    other = Learner(loaders(Crops(pictures, 4, 16)), nn.Conv2d(3, 3, 1), loss_func=no_loss, lr=.02, wd=.05,
        cbs=[Darker()])
    refused(lambda: again(pictures, written, learn=other), 'its model', *advice)
    assert written.read_bytes() == before

def test_every_flipped_bit_is_noticed(written, tmp_path, refused):
    data, path = written.read_bytes(), tmp_path/'x.checkpoint'
    plan = read_state(written, 'a checkpoint', {'plan'}, '')['plan']
    assert read_checkpoint(written, plan)['plan'] == plan and read_checkpoint(path, plan) is None
    g = np.random.default_rng(0)
    for at in [*range(0, 60), *g.integers(0, len(data), 60), *range(len(data) - 40, len(data))]:
        bad = bytearray(data)
        bad[at] ^= 1 << int(g.integers(8))
        path.write_bytes(bad)
        refused(lambda: read_checkpoint(path, plan), 'x.checkpoint', 'delete this one')
    for n in (0, 1, 31, 32, 40, len(data)//2, len(data) - 1):
        path.write_bytes(data[:n])
        refused(lambda: read_checkpoint(path, plan), 'x.checkpoint', 'delete this one')
    path.write_text('no')
    refused(lambda: read_checkpoint(path, plan), 'not a checkpoint', 'delete this one')

def test_bad_input(pictures, tmp_path, refused):
    learn = learner(pictures)
    refused(lambda: fit(learn, 0, progress=False), 'steps is 0')
    refused(lambda: fit(learn, 3, tmp_path/'x.pth', progress=False), '.checkpoint')
    refused(lambda: fit(learn, 3, tmp_path/'no/x.checkpoint', progress=False), 'does not exist')
    refused(lambda: fit(learn, 3, lr=-1, progress=False), 'lr is -1')
    refused(lambda: fit(learn, 3, warmup=1, progress=False), 'warmup is 1')
    refused(lambda: fit(learn, 3, plan=dict(steps=4), progress=False), "names 'steps'", 'leave it out')
    refused(lambda: fit(learn, 3, plan=dict(net=nn.ReLU()), progress=False), 'cannot be kept', 'numbers and text')
    from fastai.data.core import DataLoaders
    from style_nb.learner import Steps
    refused(lambda: fit(Learner(DataLoaders(Steps(3), Steps(0)), nn.Conv2d(3, 3, 1), loss_func=no_loss), 3,
        progress=False), 'Steps', 'loaders(')

def test_a_full_disk_is_one_line(pictures, tmp_path, refused, monkeypatch):
    import style_nb.keeping as keeping
    def full(*_): raise OSError(28, 'No space left on device')
    monkeypatch.setattr(keeping, '_write_tensors', full)
    path = tmp_path/'x.checkpoint'
    refused(lambda: fit(learner(pictures), 3, path, seconds=0, progress=False), 'x.checkpoint cannot be written',
        'No space left')
    assert not list(tmp_path.iterdir())

# ---- what is not finite

class Spoil(Callback):
    "Make a loss, a weight or a running statistic NaN at step 5"
    order = 20
    def __init__(self, what): self.what = what
    def after_loss(self):
        if self.what == 'loss' and self.learn.step == 4: self.learn.add_term('bad', 1., self.pred.sum()*float('nan'))
    def after_step(self):
        spoilt = dict(weight=self.model[0].weight, statistic=self.model[1].running_var).get(self.what)
        if self.learn.step == 4 and spoilt is not None: spoilt.data.view(-1)[0] = float('inf')

@pytest.mark.parametrize('what', ['loss', 'weight', 'statistic'])
def test_what_is_not_finite_ends_the_fit(pictures, tmp_path, refused, what):
    "In one line; the last good checkpoint stays, and goes on from there"
    path, said = tmp_path/'x.checkpoint', 'The loss is nan' if what == 'loss' else 'The weights are no longer finite'
    refused(lambda: fit(learner(pictures, Spoil(what)), 9, path, seconds=0, progress=False), said, 'at step 5',
        'smaller lr than 0.02')
    assert len(pd.read_csv(path.with_suffix('.csv'))) == 4
    whole, b = learner(pictures), learner(pictures)
    equal_curves(fit(b, 9, path, progress=False), fit(whole, 9, progress=False))
    assert same(b, whole)

def test_a_wild_step_size(pictures, tmp_path, refused):
    refused(lambda: fit(learner(pictures), 40, tmp_path/'x.checkpoint', lr=1e30, progress=False), 'at step',
        'smaller lr than 1e+30')
    assert not list(tmp_path.iterdir())

# ---- batches of one's own

def test_batches_of_ones_own():
    class Line(Batches):
        plan = dict(slope=3)
        def at(self, i):
            x = torch.linspace(-1, 1, 8)[:, None] + i*.01
            return x, 3*x
    learn = Learner(loaders(Line()), nn.Linear(1, 1), loss_func=F.mse_loss, lr=.2)
    assert fit(learn, 100, progress=False).loss.iloc[-1] < 1e-2

def test_a_table_of_somebody_else_stays(tmp_path, pictures, refused):
    path = tmp_path/'x.checkpoint'
    path.with_suffix('.csv').write_text('name,price\nyellow ochre,4.20\n')
    refused(lambda: fit(learner(pictures), 3, path, progress=False), 'x.csv is no loss curve', 'another path')
    assert sorted(o.name for o in tmp_path.iterdir()) == ['x.csv'] and 'ochre' in path.with_suffix('.csv').read_text()
    path.with_suffix('.csv').unlink()
    fit(learner(pictures), 3, path, progress=False)
    path.unlink()  # as a message may advise
    assert len(fit(learner(pictures), 3, path, progress=False)) == 3
