"A painter of one's own: trained, stopped and gone on with, kept, refused, and used from the command line"
import signal
import warnings
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from style_nb.cli import main
from style_nb.encoders import DATA, weights_digest
from style_nb.gallery import sample, samples
from style_nb.exporting import deviation, export
from style_nb.onepass import COLOURS, read_onepass, recoloured
from style_nb.painter import N_LOOKS, WHOLE, load_painter, train_painter
from style_nb.keeping import write_state
from style_nb.pictures import load_picture, save_picture

SMALL = dict(canvas=64, size=64, batch=1, steps=4, encoder='texnet-small', device='cpu', progress=False)

@pytest.fixture(scope='module')
def photos():
    return {s.name: (load_picture(s.open(), 96)[0, :, :64, :64]*255).round().byte() for s in samples()}

@pytest.fixture(scope='module')
def train(photos):
    def of(out, photos=photos, **how):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # there are few photos
            return train_painter(sample('swirls'), photos, out, **SMALL | how)
    return of

@pytest.fixture(scope='module')
def trained(train, tmp_path_factory):
    path = tmp_path_factory.mktemp('painter')/'swirls.safetensors'
    return train(path), path

def written(path):
    "All that a file says, with the digest of its numbers; their order is not always the same"
    with safe_open(path, 'pt') as file: return file.metadata()

def test_it_learns(train, photo, tmp_path):
    one = dict(one=(photo[0]*255).round().byte())
    painter = train(tmp_path/'p.safetensors', photos=one, steps=12, lr=.001)
    style = painter.history[f'style/{N_LOOKS}']
    assert painter.done and len(style) == 12
    assert style.tail(3).mean() < style.head(3).mean() - .3  # of a logarithm

def test_it_begins_with_the_looks_of_the_package(train, tmp_path):
    painter = train(tmp_path/'p.safetensors', steps=1, lr=1e-12)
    net = read_onepass()
    for begun, look in zip((0, 1, 2, 3, 4, 5, 4, 5), painter.net.looks):
        for a, b in zip(net.looks[begun].parameters(), look.parameters()): assert torch.equal(a, b)
    assert painter.card['begun'] == weights_digest(net.state_dict())[:16]

def test_stopped_by_ctrl_c_it_keeps_what_is_there_and_goes_on_to_the_last_bit(train, trained, tmp_path):
    seen = []
    def stop_after_three(picture):
        seen.append(picture)
        if len(seen) == 3: signal.raise_signal(signal.SIGINT)
    path = tmp_path/'swirls.safetensors'
    half = train(path, preview=stop_after_three, every=0)
    assert not half.done and len(half.history) == 3 and '3 steps of 4, stopped' in repr(half)
    assert load_painter(path).card['steps'] == 3
    whole = train(path)
    assert whole.done and written(path) == written(trained[1])

def test_the_same_seed_gives_the_same_file_and_another_seed_another(train, trained, tmp_path):
    same, other = tmp_path/'same.safetensors', tmp_path/'other.safetensors'
    shown = tmp_path/'shown.png'
    train(same, preview=shown, every=0)
    train(other, seed=1)
    assert written(same) == written(trained[1]) and written(same)['sha256'] != written(other)['sha256']
    assert max(Image.open(shown).size) == 64

def test_the_file_paints_the_same(trained, photo):
    painter, path = trained
    again = load_painter(path)
    assert again(photo).tobytes() == painter(photo).tobytes()
    assert again.card == painter.card and again.card['painting'] == 'painting'
    assert 'Simonyan' in again.card['learnt'] and again.card['licence']

@pytest.mark.parametrize('hw', [(64, 64), (37, 50), (17, 64), (64, 9)])
def test_a_picture_of_any_shape(trained, hw):
    x = torch.rand(1, 3, *hw, generator=torch.Generator().manual_seed(0))
    made = trained[0](x, 50)
    assert max(made.size) == 50 and (made.width > made.height) == (hw[1] > hw[0])

def test_strength_goes_from_the_recoloured_photo_to_the_painted_one(trained, photo):
    painter, _ = trained
    far = [load_picture(painter(photo, 64, strength=s)) for s in (0, .5, 1)]
    plain = recoloured(load_picture(photo, 64), painter.style[COLOURS])
    assert (far[0] - plain).abs().max() < .004
    assert 0 < (far[1] - far[0]).abs().mean() < (far[2] - far[0]).abs().mean()

def test_a_large_picture_gets_the_change_of_a_smaller_one(trained, photo, monkeypatch):
    painter, _ = trained
    small = load_picture(painter(photo, 96))
    monkeypatch.setattr('style_nb.painter.WHOLE', 96)
    large = load_picture(painter(photo, 192), 96)
    assert WHOLE > 192 and (large - small).abs().mean() < .02

def test_exported_it_takes_photos_alone(trained, tmp_path):
    painter, _ = trained
    file = export(painter.module(), tmp_path/'swirls.onnx', check=False)
    assert deviation(file, painter.module()) < 1e-3

@pytest.mark.parametrize('how,words', [
    (dict(out='p.png'), 'choose one of .safetensors'), (dict(size=100), 'size is 100: give a multiple of 32'),
    (dict(steps=0), 'steps is 0'), (dict(canvas=8), 'canvas is 8'), (dict(content=-1), 'content is -1'),
    (dict(batch=0), 'batch is 0'), (dict(lr=0), 'lr is 0'), (dict(seed=-1), 'seed is -1'),
    (dict(encoder='vgg'), 'encoder'), (dict(device='tpu'), "Unknown device 'tpu'"), (dict(size=96), 'side'),
    (dict(size=32), 'size is 32'), (dict(start=3), 'start is'),
    (dict(preview='shown.txt'), 'choose one of .png'), (dict(painting=torch.rand(1, 3, 9, 90)), 'raise canvas'),
    (dict(painting='none.jpg'), 'There is no file none.jpg'), (dict(photos={}), 'no picture to fit to'),
    (dict(photos='none'), 'There is no folder none'), (dict(start='none.safetensors'), 'none.safetensors')])
def test_what_cannot_be_trained_is_said_in_one_line(how, words, photos, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = dict(painting=sample('swirls'), photos=photos, out='p.safetensors') | SMALL | how
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        refused(lambda: train_painter(**given), words)
    assert not list(tmp_path.glob('*.safetensors'))

def test_a_checkpoint_of_another_training_is_refused(train, photos, refused, tmp_path):
    path = tmp_path/'p.safetensors'
    train(path, steps=2)
    refused(lambda: train(path, steps=3), 'its steps is 2, not 3')
    refused(lambda: train(path, steps=2, content=1.), 'its content is 4.0, not 1.0')

def test_files_that_are_no_painters_are_refused(trained, refused, tmp_path):
    _, path = trained
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    (tmp_path/'bit').write_bytes(data)
    (tmp_path/'cut').write_bytes(data[:5000])
    (tmp_path/'text').write_text('hello')
    for file in (tmp_path/'bit', tmp_path/'cut', tmp_path/'text', DATA/'texnet-small.safetensors', tmp_path/'none',
                 path.with_suffix('.checkpoint')):
        refused(lambda: load_painter(file), str(file))

@pytest.mark.parametrize('spoil', [
    lambda p: p.card.update(canvas=10**9), lambda p: p.card.pop('canvas'), lambda p: p.card.pop('of'),
    lambda p: p.net.looks[0].out.bias.data.fill_(float('nan')), lambda p: p.net.looks.pop(7),
    lambda p: setattr(p.net, 'more', torch.nn.Linear(1, 1)), lambda p: p.style[2]['relu2_1'].mean.fill_(float('inf')),
    lambda p: p.style.update({COLOURS: p.style[1]['relu1_1']})])
def test_a_painter_that_cannot_paint_is_refused(trained, refused, tmp_path, spoil):
    painter = load_painter(trained[1])
    spoil(painter)
    path = painter.save(tmp_path/'spoilt.safetensors')
    refused(lambda: load_painter(path), 'is not a painter', 'give a file')

@pytest.mark.parametrize('how,words', [(dict(size=1), 'size is 1'), (dict(size=10**5), 'size is 100000'),
    (dict(strength=-1), 'strength is -1'), (dict(strength=3), 'strength is 3')])
def test_what_cannot_be_painted_is_said_in_one_line(trained, photo, refused, how, words):
    refused(lambda: trained[0](photo, **how), words)

def test_it_begins_with_another_painter(train, trained, tmp_path):
    painter, path = trained
    for start in (path, painter):
        begun = train(tmp_path/'p.safetensors', start=start, steps=1, lr=1e-12)
        assert all(torch.equal(a, b) for a, b in zip(begun.net.parameters(), painter.net.parameters()))
    assert begun.card['begun'] == weights_digest(painter.net.state_dict())[:16]

def test_a_painter_of_another_kind_of_network_is_refused(trained, refused, tmp_path):
    painter, _ = trained
    weights = {'out.weight': torch.zeros(3, 16, 3, 3)}
    path = write_state(dict(card=painter.card, weights=weights), tmp_path/'old.safetensors')
    refused(lambda: load_painter(path), 'is not a painter', 'trained anew')

def test_few_photos_are_told(photos, tmp_path):
    few = dict(list(photos.items())[:4])
    with pytest.warns(UserWarning, match='There are 3 photos to learn from: give photos, 50 or more'):
        train_painter(sample('dots'), few, tmp_path/'p.safetensors', **SMALL | dict(steps=1))

@pytest.mark.filterwarnings('ignore:There are')
def test_on_the_command_line(tmp_path, capsys):
    (tmp_path/'photos').mkdir()
    for s in list(samples('photo'))[:3]: save_picture(load_picture(s.open(), 96), tmp_path/'photos'/f'{s.name}.png')
    save_picture(load_picture(sample('dots'), 96), tmp_path/'dots.png')
    file, out = tmp_path/'dots.safetensors', tmp_path/'out.png'
    numbers = [word for name in ('canvas', 'size', 'batch') for word in (f'--{name}', str(SMALL[name]))]
    words = ['painter', tmp_path/'dots.png', '-o', file, '--photos', tmp_path/'photos', '--steps', 2, *numbers,
             '--encoder', 'texnet-small', '--device', 'cpu', '--preview', tmp_path/'seen.png']
    assert main([*map(str, words)]) == 0
    assert "Painter of 'dots.png', 64 px: 2 steps" in capsys.readouterr().err and (tmp_path/'seen.png').exists()
    assert main(['paint', str(file), str(tmp_path/'dots.png'), '-o', str(out), '--size', '64']) == 0
    assert max(Image.open(out).size) == 64
    clear = Image.new('RGBA', (64, 64), (200, 90, 40, 0))
    clear.save(tmp_path/'clear.png')
    assert main(['paint', str(file), str(tmp_path/'clear.png'), '-o', str(tmp_path/'seen.png'), '--size', '64']) == 0
    assert Image.open(tmp_path/'seen.png').getchannel('A').getextrema() == (0, 0)
    capsys.readouterr()
    assert main(['paint', str(out), str(out), '-o', str(tmp_path/'no.png')]) == 1
    said = capsys.readouterr().err
    assert 'is not a painter' in said and said.count('\n') == 1
