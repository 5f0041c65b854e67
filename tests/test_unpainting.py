"The net that takes paint off: what it gives, its file, its training"
import numpy as np, pytest, torch
from PIL import Image
from style_nb.encoders import DATA
from style_nb.gallery import sample
from style_nb.comparing import fidelity
from style_nb.marks import paint_by_lot
from style_nb.painting import paint
from style_nb.pictures import load_picture
from style_nb.unpainters import TERMS, Couples, bands_gap, couple, couples_by_lot, train_unpainter
from style_nb.onepass import read_onepass
from style_nb.unpainting import Unpainter, read_unpainter, save_unpainter, unpaint

@pytest.fixture(scope='module')
def couples():
    photos = {name: (load_picture(sample(name), 96)[0]*255).byte() for name in ('astronaut', 'cat')}
    return couples_by_lot(photos, 3, side=64, progress=False)

@pytest.fixture(scope='module')
def net():
    "One that has learned nothing, but changes what it sees"
    torch.manual_seed(1)
    net = Unpainter()
    torch.nn.init.normal_(net.out.weight, std=.05)
    return net.eval().requires_grad_(False)

def test_the_same_seed_gives_the_same_picture_of_any_shape(net):
    for shape in ((33, 70), (64, 48), (20, 101)):
        x = torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(0))
        one, same, other = (np.asarray(unpaint(x, net, seed=s, device='cpu')) for s in (0, 0, 1))
        assert one.shape == (*shape, 3) and (one == same).all() and (one != other).any()

def test_strength_goes_part_of_the_way_and_nothing_is_enlarged(net):
    x = torch.rand(1, 3, 40, 60, generator=torch.Generator().manual_seed(0))
    none, half, all_of_it = (load_picture(unpaint(x, net, strength=s, device='cpu')) for s in (0, .5, 1))
    assert (none - x).abs().max() <= .5/255 + 1e-6
    assert ((none + all_of_it)/2 - half).abs().mean() < .01
    assert unpaint(x, net, 30, device='cpu').size == (30, 20)
    assert unpaint(x, net, 400, device='cpu').size == (60, 40)

@pytest.mark.parametrize('hand', ['swirls', 'dots', 'mosaic'])
def test_what_the_package_knows_is_nearer_to_the_photo(hand):
    photo = load_picture(sample('cat'), 192)
    painting = paint(hand, photo, 192, seed=5)
    clean = unpaint(painting, size=192, device='cpu')
    assert fidelity(clean, photo) > fidelity(painting, photo) + .1
    assert (load_picture(clean) - photo).abs().mean() < .9*(load_picture(painting) - photo).abs().mean()

def test_the_packages_network_says_where_it_comes_from():
    path = DATA/'unpainter.safetensors'
    assert path.stat().st_size < 2e6
    card = read_unpainter(path).card
    assert 'VGG-16' in card['trained_through'] and card['licence'] == 'CC-BY-4.0' and 'each tenth' in card['data']

def test_wrong_settings_are_said(net, refused):
    x = torch.rand(1, 3, 32, 32)
    for wrong, word in (dict(size=0), 'size'), (dict(strength=3), 'strength'), (dict(grain=-1), 'grain'), \
            (dict(seed=.5), 'seed'), (dict(device='abacus'), 'abacus'):
        refused(lambda: unpaint(x, **dict(net=net, device='cpu') | wrong), word)

def test_what_is_no_network_is_said(refused, tmp_path):
    x = torch.rand(1, 3, 32, 32)
    for wrong, kind in (3, 'int'), (x, 'Tensor'), (torch.nn.ReLU(), 'ReLU'), ([], 'list'):
        refused(lambda: unpaint(x, net=wrong), 'net is', kind, 'an `Unpainter`, its file, or None')
    for file in (tmp_path/'none.safetensors', str(tmp_path/'none.safetensors')):
        refused(lambda: unpaint(x, net=file), f'There is no file {file}', 'check the path', '`save_unpainter`')

def test_files_that_are_no_unpainters_are_refused(net, refused, tmp_path):
    path = save_unpainter(net, tmp_path/'net.safetensors', dict(about='nothing'))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    (tmp_path/'bit').write_bytes(data)
    (tmp_path/'cut').write_bytes(data[:5000])
    for file in (tmp_path/'bit', tmp_path/'cut', DATA/'texnet-small.safetensors', tmp_path/'none'):
        refused(lambda: read_unpainter(file), str(file))
        refused(lambda: unpaint(torch.rand(1, 3, 32, 32), net=file), str(file))
    for read, writer in (read_unpainter, 'save_unpainter'), (read_onepass, 'save_onepass'):
        refused(lambda: read(tmp_path/'none'), f"There is no file {tmp_path/'none'}", 'check the path', writer)
    refused(lambda: read_onepass(path), str(path), 'is not the file of a one-pass network', 'save_onepass')

def test_a_training_that_was_cut_off_goes_on_to_the_last_bit(couples, tmp_path, monkeypatch):
    "A checkpoint after each step; the third is where it breaks off"
    how = dict(steps=4, size=48, batch=1, progress=False)
    whole = train_unpainter(tmp_path/'whole.safetensors', couples, **how)
    real, seen = bands_gap, []
    def broken(*pictures):
        seen.append(1)
        if len(seen) == 3: raise RuntimeError('the power is off')
        return real(*pictures)
    import style_nb.unpainters as room, style_nb.fitting as fitting
    monkeypatch.setattr(room, 'fit', lambda *a, **k: fitting.fit(*a, **k, seconds=0.))
    with monkeypatch.context() as patch:
        patch.setattr(room, 'bands_gap', broken)
        with pytest.raises(RuntimeError, match='power'): train_unpainter(tmp_path/'cut.safetensors', couples, **how)
    assert not (tmp_path/'cut.safetensors').exists() and (tmp_path/'cut.checkpoint').exists()
    again = train_unpainter(tmp_path/'cut.safetensors', couples, **how)
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), again.state_dict().values()))

def test_couples_that_cannot_be_learned_from_are_refused(couples, refused, tmp_path):
    refused(lambda: Couples({}), 'no couple')
    refused(lambda: Couples(couples, size=80), 'size')
    refused(lambda: Couples(couples, size=32), 'size')
    refused(lambda: Couples(couples, size=56), 'multiple of 16')
    refused(lambda: couple(np.zeros((19, 19, 3), 'uint8'), np.zeros((19, 18, 3), 'uint8')), 'one size')
    few, grey, four = (np.zeros(shape, 'uint8') for shape in ((9, 9, 3), (19, 19), (19, 19, 4)))
    for wrong in few, grey, four, np.zeros((19, 19, 3)):
        refused(lambda: couple(wrong, wrong), 'painting', str(wrong.shape), 'bytes (H, W, 3)')
    for wrong in None, 'a.png': refused(lambda: couple(wrong, wrong), 'painting', 'a picture of PIL')
    for wrong in 1, np.zeros((12, 64, 64), 'uint8'), torch.zeros(6, 64, 64, dtype=torch.uint8), torch.zeros(12, 64, 64):
        refused(lambda: Couples({'a': wrong}), 'The couple a', 'bytes (12, H, W)')
    low = {'a': torch.zeros(3, 40, 90, dtype=torch.uint8)}
    refused(lambda: couples_by_lot(low, 1, side=64, progress=False), '64 px')
    out = tmp_path/'a.safetensors'
    refused(lambda: train_unpainter(out, couples, steps=0), 'steps')
    refused(lambda: train_unpainter(out, couples, steps=1, start=out), 'start')
    for weights, word in (dict(foo=1), 'term'), (dict(judge=1), 'term'), (3, 'dict'), (dict(gram=-1), 'gram'), \
            (dict(gram='x'), 'gram'), (dict.fromkeys(TERMS, 0), 'above 0'):
        refused(lambda: train_unpainter(out, couples, steps=1, weights=weights), word)
    for about in 3, dict(data=np.float32(1)):
        refused(lambda: train_unpainter(out, couples, steps=1, about=about), 'about')
    assert not list(tmp_path.iterdir())

def test_whole_numbers_of_numpy_are_whole_numbers(couples, tmp_path):
    path, how = tmp_path/'a.safetensors', dict(size=np.int64(48), batch=np.int64(1))
    net = train_unpainter(path, couples, steps=1, progress=False, **how)
    assert (net.card['size'], net.card['batch']) == (48, 1) and read_unpainter(path).card == net.card

def test_photos_for_couples_that_are_none_are_refused(refused):
    photo = {'a': torch.zeros(3, 90, 90, dtype=torch.uint8)}
    for wrong in [], None, 'x': refused(lambda: couples_by_lot(wrong, 1, progress=False), 'photos', 'dict')
    for wrong in sample('cat'), torch.zeros(90, 90, dtype=torch.uint8), torch.zeros(3, 90, 90):
        refused(lambda: couples_by_lot({'a': wrong}, 1, side=64, progress=False), 'The photo a', 'bytes (3, H, W)')
    for wrong in dict(seed='x'), dict(seed=-1), dict(brushes=(28, 3)), dict(side=8):
        word = [*wrong][0]
        refused(lambda: couples_by_lot(photo, 1, **dict(side=64, progress=False) | wrong), word)

def test_a_hand_by_lot_follows_from_its_seed(refused):
    cup = sample('coffee').resize((60, 40))
    assert paint_by_lot(cup, 3).tobytes() == paint_by_lot(cup, 3).tobytes() != paint_by_lot(cup, 4).tobytes()
    refused(lambda: paint_by_lot(cup, -1), 'seed')
    refused(lambda: paint_by_lot(cup, 0, brush=0), 'brush')
    refused(lambda: paint_by_lot(Image.new('RGB', (9, 9))), '9')
