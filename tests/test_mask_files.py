"What people hand over as a mask: levels, labels, layers with transparency"
import io
import numpy as np, pytest, torch
from PIL import Image
from style_nb.mask_files import load_mask, mask_of, mask_ref

left = np.zeros((12, 16), bool)
left[:, :8] = True
want = torch.from_numpy(left)[None, None].float()

def png(im, **kwargs):
    buf = io.BytesIO()
    im.save(buf, 'PNG', **kwargs)
    return buf.getvalue()

def layer(seen, hidden=(255, 255, 255), colour=(255, 255, 255)):
    "A layer (H, W, 4) of one colour where `seen`, transparent elsewhere."
    a = np.zeros((*seen.shape, 4), np.uint8)
    a[..., :3] = hidden
    a[seen] = (*colour, 255)
    return a

LAYERS = dict(
    white=layer(left),
    white_over_black=layer(left, (0, 0, 0)),
    black=layer(left, colour=(0, 0, 0)),
    grey=layer(left, (128,)*3, (128,)*3),
    red=layer(left, (0, 255, 0), (255, 0, 0)))

@pytest.mark.parametrize('name', LAYERS)
def test_a_layer_of_one_colour_is_its_transparency(name):
    a = LAYERS[name]
    for given in (a, a/255, Image.fromarray(a), png(Image.fromarray(a)), Image.fromarray(a).convert('RGBa')):
        assert torch.equal(load_mask(given), want)

def test_a_layer_of_grey_and_alpha():
    la = Image.merge('LA', [Image.new('L', (16, 12), 90), Image.fromarray(left.astype(np.uint8)*255)])
    assert torch.equal(load_mask(la), want) and torch.equal(load_mask(png(la)), want)

def test_a_palette_with_a_transparent_colour():
    im = Image.fromarray(left.astype(np.uint8), 'P')
    im.putpalette([255, 255, 255, 40, 40, 40])
    assert torch.equal(load_mask(png(im, transparency=0)), want)

def test_soft_edges_of_a_layer():
    a = layer(left)
    a[..., 3] = np.linspace(0, 255, 16)[None].round()
    assert (load_mask(a)[0, 0, 0]*255).tolist() == pytest.approx(np.linspace(0, 255, 16).round().tolist(), abs=.01)

def test_white_and_black_strokes_lie_over_black():
    a = layer(left)
    a[3:6, 2:14] = 0, 0, 0, 255
    assert torch.equal(load_mask(a)[0, 0] > 0, torch.from_numpy((a[..., 0] > 0) & left))

def test_a_layer_that_is_all_there_is_no_layer():
    a = np.dstack([left*np.uint8(255)]*3 + [np.full(left.shape, 255, np.uint8)])
    assert torch.equal(load_mask(a), want)
    shades = np.dstack([np.linspace(0, 255, 16)[None].repeat(12, 0).astype(np.uint8)]*3)
    assert torch.equal(load_mask(np.dstack([shades, np.full(left.shape, 255, np.uint8)])), load_mask(shades))

@pytest.mark.parametrize('shades', [3, 1])
def test_a_cut_out_photo_is_refused(refused, shades):
    a = layer(left)
    a[..., :3] = np.random.default_rng(0).integers(0, 256, (12, 16, shades))
    for given in (a, Image.fromarray(a)): refused(lambda: load_mask(given), 'shades and transparency', 'without')

@pytest.mark.parametrize('kind', [int, np.uint8, np.uint16, np.int32, '>i4', '>u2', np.uint64])
def test_labels_0_and_1(kind):
    a = left.astype(kind)
    assert torch.equal(load_mask(a), want) and torch.equal(load_mask(a[..., None].repeat(3, -1)), want)
    assert load_mask(np.ones((64, 64), kind)).min() == 1 and load_mask(np.zeros((64, 64), kind)).max() == 0

def test_labels_in_files_and_tensors():
    a = left.astype(np.uint8)
    assert torch.equal(load_mask(png(Image.fromarray(a))), want)
    assert torch.equal(load_mask(Image.fromarray(a)), want)
    for kind in (torch.uint8, torch.int64, torch.bool):
        assert torch.equal(load_mask(torch.from_numpy(a).to(kind)), want)
    for kind in (np.uint16, np.int32, np.float32):
        buf = io.BytesIO()
        Image.fromarray(a.astype(kind)).save(buf, 'TIFF')
        assert torch.equal(load_mask(buf), want)

@pytest.mark.parametrize('a', [left*2, (left*7).astype(np.uint8), torch.from_numpy(left)*3])
def test_other_labels_are_refused(refused, a): refused(lambda: load_mask(a), 'labels == ')

def test_faint_masks_stay_and_come_back():
    faint = left*np.float32(2/255)
    m = load_mask(faint)
    assert torch.equal(mask_of(mask_ref(m)), m) and m.max().item() == pytest.approx(2/255)

def test_a_profile_does_not_move_levels():
    from test_opening import GREY
    im = Image.fromarray((left*128).astype(np.uint8))
    assert torch.equal(load_mask(png(im, icc_profile=GREY)), load_mask(im))

def test_a_layer_leads_the_style_to_its_half(photo, painting):
    from style_nb.transfer import stylize
    kw = dict(size=48, steps=3, levels=1, progress=False)
    layered = stylize(photo, painting, masks=[png(Image.fromarray(layer(np.eye(64, dtype=bool)[::-1])))], **kw)
    plain = stylize(photo, painting, masks=[np.eye(64, dtype=bool)[::-1]], **kw)
    assert layered.image.tobytes() == plain.image.tobytes()
