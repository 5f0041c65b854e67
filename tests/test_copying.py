"Painters learned from pairs: what they learn, stopped and gone on with, kept, refused, and used from the command line"
import signal
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from style_nb.cli import main
from style_nb.copyist import WHOLE, Copyist, fit_lines, foretold
from style_nb.copying import PairCrops, learn_painter
from style_nb.encoders import encoder
from style_nb.files import made_folder
from style_nb.keeping import write_state
from style_nb.onepass import COLOURS, ENCODER, pack, read_onepass, style_moments, unpack
from style_nb.paired import PLACES, Pair, Pairs, keep_pair
from style_nb.painter import load_painter
from style_nb.pictures import load_picture, to_pil

SMALL = dict(size=64, batch=1, steps=4, device='cpu', progress=False)

def kept(folder, hand, n=4):
    "Pairs of noise in large spots, and what a function of arrays makes of it"
    chance = np.random.default_rng(0)
    for place in PLACES: made_folder(folder/place)
    for i in range(n):
        spots = Image.fromarray(chance.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((96, 72), Image.BICUBIC)
        painting = Image.fromarray(hand(np.asarray(spots)).astype(np.uint8))
        note = dict(key=f'{i}', source=f'{i}', settings=dict(by='hand'), painting=f'{i}', photo=f'{i}', hand='spots')
        keep_pair(folder, f'{i:03}_spots', note, Pair(painting, spots, {}))
    return folder

@pytest.fixture(scope='module')
def pairs(tmp_path_factory): return kept(tmp_path_factory.mktemp('pairs'), lambda x: 255 - x)

@pytest.fixture(scope='module')
def trained(pairs, tmp_path_factory):
    path = tmp_path_factory.mktemp('copyist')/'spots.safetensors'
    return learn_painter(pairs, path, **SMALL), path

def written(path):
    with safe_open(path, 'pt') as file: return file.metadata()

def test_it_learns_what_a_hand_does_where(tmp_path):
    "A hand that paints dark as light and light as dark: no Gram matrix of a painting knows which was which"
    folder = kept(tmp_path/'pairs', lambda x: 255 - x, 6)
    copyist = learn_painter(folder, tmp_path/'p.safetensors', **SMALL | dict(steps=24, features=0, style=0, lr=.003))
    light = torch.linspace(.1, .9, 96).expand(1, 3, 72, 96).contiguous()  # from dark to light
    before = Copyist(read_onepass(), copyist.lines, copyist.card)
    def off(painter): return (load_picture(painter(light)) - (1 - light)).abs().mean()
    assert off(copyist) < .7*off(before)
    assert copyist.history['pixels'].tail(4).mean() < .7*copyist.history['pixels'].head(2).mean()

def test_what_a_hand_makes_of_this_photo_is_foretold():
    "Contrast halved: the lines know it of photos they have not seen"
    net, see = read_onepass(), encoder(**ENCODER)
    chance = torch.Generator().manual_seed(0)
    spots = torch.rand(13, 3, 8, 8, generator=chance)*torch.rand(13, 1, 1, 1, generator=chance)
    photos = F.interpolate(spots, scale_factor=8, mode='bicubic').clamp(0, 1)
    with torch.no_grad():
        rows = [pack(style_moments(net, x, see)) for x in (photos, photos/2)]
        lines = fit_lines(*(row[1:] for row in rows))
        told = foretold(net, photos[:1], lines, see)
    truth, mean = rows[1][:1], rows[1][1:].mean(0, keepdim=True)
    told[COLOURS] = unpack(truth)[COLOURS]
    assert (pack(told) - truth).norm() < .5*(mean - truth).norm()

def test_photo_and_painting_are_cut_at_one_place(pairs):
    data = Pairs(pairs)
    both = [torch.cat([(load_picture(im)[0]*255).round().byte() for im in data[i][::-1]]) for i in range(len(data))]
    crops = PairCrops(both, 3, 64, seed=4)
    photos, paintings, _ = crops.at(7)
    assert (photos + paintings - 1).abs().max() < 1e-6
    assert torch.equal(crops.at(7)[0], photos) and not torch.equal(crops.at(8)[0], photos)
    shown = {crops.at(i)[0].numpy().tobytes() for i in range(9)}
    assert len(shown) == 9

def test_stopped_by_ctrl_c_it_keeps_what_is_there_and_goes_on_to_the_last_bit(pairs, trained, tmp_path):
    seen = []
    def stop_after_two(picture):
        seen.append(picture)
        if len(seen) == 2: signal.raise_signal(signal.SIGINT)
    path = tmp_path/'spots.safetensors'
    half = learn_painter(pairs, path, **SMALL, preview=stop_after_two, every=0)
    assert not half.done and len(half.history) == 2 and '2 steps of 4, stopped' in repr(half)
    assert load_painter(path).card['steps'] == 2
    assert learn_painter(pairs, path, **SMALL).done and written(path) == written(trained[1])

def test_the_file_paints_the_same_and_its_card_says_what_was_learned(trained):
    copyist, path = trained
    again = load_painter(path)
    x = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(0))
    assert isinstance(again, Copyist) and again(x).tobytes() == copyist(x).tobytes()
    assert (again.card['pairs'], again.card['painting'], again.card['canvas']) == (4, 'spots', 96)
    assert 'Simonyan' in again.card['learnt'] and again.card['encoder'] == 'texnet-small' and again.card['licence']
    assert repr(again) == "Copyist of 'spots', 4 pairs, 96 px: 4 steps"

@pytest.mark.parametrize('hw', [(64, 64), (37, 50), (17, 64), (64, 9)])
def test_a_picture_of_any_shape(trained, hw):
    x = torch.rand(1, 3, *hw, generator=torch.Generator().manual_seed(0))
    made = trained[0](x, 50)
    assert max(made.size) == 50 and (made.width > made.height) == (hw[1] > hw[0])

def test_strength_goes_from_the_photo_to_the_painting(trained):
    copyist, _ = trained
    x = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    assert copyist(x, 64, strength=0).tobytes() == to_pil(x).tobytes()
    half, whole = (load_picture(copyist(x, 64, strength=s)) - x for s in (.5, 1))
    assert 0 < half.abs().mean() < whole.abs().mean()

def test_a_large_picture_gets_the_change_of_a_smaller_one(trained, monkeypatch):
    copyist, _ = trained
    x = load_picture(Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)), 192)
    small = load_picture(copyist(x, 96))
    monkeypatch.setattr('style_nb.copyist.WHOLE', 96)
    assert WHOLE > 192 and (load_picture(copyist(x, 192), 96) - small).abs().mean() < .02

@pytest.mark.parametrize('how,words', [
    (dict(out='p.png'), 'choose one of .safetensors'), (dict(size=100), 'size is 100: give a multiple of 32'),
    (dict(size=32), 'size is 32'), (dict(size=96), 'A pair has a side of 72 px'), (dict(steps=-1), 'steps is -1'),
    (dict(batch=0), 'batch is 0'), (dict(lr=0), 'lr is 0'), (dict(seed=-1), 'seed is -1'),
    (dict(pixels=-1), 'pixels is -1'), (dict(pixels=0, features=0, style=0), 'all 0'), (dict(every=-1), 'every is -1'),
    (dict(encoder='vgg'), 'encoder'), (dict(device='tpu'), "Unknown device 'tpu'"),
    (dict(preview='shown.txt'), 'choose one of .png'), (dict(pairs='none'), 'no pairs in none'),
    (dict(pairs=3), 'pairs is an int')])
def test_what_cannot_be_learned_is_said_in_one_line(how, words, pairs, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(lambda: learn_painter(**dict(pairs=pairs, out='p.safetensors') | SMALL | how), words)
    assert not list(tmp_path.glob('*.safetensors'))

def test_without_a_step_it_only_foretells(pairs, trained, tmp_path):
    copyist = learn_painter(pairs, tmp_path/'p.safetensors', **SMALL | dict(steps=0))
    assert copyist.done and load_painter(tmp_path/'p.safetensors').card['steps'] == 0
    assert all(torch.equal(a.half(), b.half()) for a, b in zip(copyist.net.parameters(), read_onepass().parameters()))
    assert torch.equal(copyist.lines.slope, trained[0].lines.slope)

def test_a_checkpoint_of_other_pairs_is_refused(pairs, refused, tmp_path):
    path = tmp_path/'p.safetensors'
    learn_painter(pairs, path, **SMALL | dict(steps=1))
    other = kept(tmp_path/'pairs', lambda x: x//2)
    refused(lambda: learn_painter(other, path, **SMALL | dict(steps=1)), 'its pairs is')

@pytest.mark.parametrize('spoil', [
    lambda p: p.card.update(canvas=10**9), lambda p: p.card.pop('canvas'), lambda p: p.card.pop('of'),
    lambda p: p.net.looks[0].out.bias.data.fill_(float('nan')), lambda p: p.net.looks.pop(5),
    lambda p: setattr(p.net, 'more', torch.nn.Linear(1, 1)), lambda p: p.lines.slope.fill_(float('inf')),
    lambda p: setattr(p.lines, 'offset', p.lines.offset[:, :-1])])
def test_a_copyist_that_cannot_paint_is_refused(trained, refused, tmp_path, spoil):
    copyist = load_painter(trained[1])
    spoil(copyist)
    path = copyist.save(tmp_path/'spoilt.safetensors')
    refused(lambda: load_painter(path), 'is not a painter', 'give a file')

def test_a_file_without_its_net_is_refused(trained, refused, tmp_path):
    path = write_state(dict(card=trained[0].card, weights={}), tmp_path/'p.safetensors')
    refused(lambda: load_painter(path), 'is not a painter')

@pytest.mark.parametrize('how,words', [(dict(size=1), 'size is 1'), (dict(size=10**5), 'size is 100000'),
    (dict(strength=-1), 'strength is -1'), (dict(strength=3), 'strength is 3')])
def test_what_cannot_be_painted_is_said_in_one_line(trained, refused, how, words):
    refused(lambda: trained[0](torch.rand(1, 3, 48, 64), **how), words)

def test_the_command_line_paints_with_it(trained, tmp_path, capsys):
    to_pil(torch.rand(1, 3, 48, 64)).save(tmp_path/'photo.png')
    out = tmp_path/'out.png'
    assert main(['paint', str(trained[1]), str(tmp_path/'photo.png'), '-o', str(out), '--strength', '.5']) in (0, None)
    assert out.is_file() and Image.open(out).size == (96, 72)
