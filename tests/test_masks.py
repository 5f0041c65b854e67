"Masks: what can be one, what they weigh, and that a style stays where its mask is"
import numpy as np, pytest, torch
from hypothesis import given, strategies as st
from PIL import Image
from style_nb.encoders import encoder
from style_nb.losses import gram
from style_nb.masks import *
from style_nb.pictures import load_picture

def rand(*shape, seed=0): return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
def halves(h, w): return (torch.arange(w) < w//2).float().expand(1, 1, h, w).contiguous()

sides, seeds = st.integers(8, 24), st.integers(0, 999)

@given(sides, sides, seeds)
def test_a_mask_is_the_same_from_everywhere(h, w, seed):
    a = (rand(h, w, seed=seed)*255).round().to(torch.uint8)
    m = load_mask(a)
    assert m.shape == (1, 1, h, w) and torch.equal(m, a[None, None].float()/255)
    for o in (a.numpy(), Image.fromarray(a.numpy()), m, m[0], m[0, 0], a.numpy()/255): assert torch.equal(load_mask(o), m)
    assert torch.equal(mask_of(mask_ref(m)), m)

@given(sides, sides, st.integers(1, 4), seeds)
def test_a_masked_gram_is_the_mean_over_the_mask(h, w, c, seed):
    f, m = rand(1, c, h, w, seed=seed).double() - .5, rand(1, 1, h, w, seed=seed + 1).double()
    flat, v = f[0].flatten(1).numpy(), m.flatten().numpy()
    want = np.einsum('ip,p,jp->ij', flat, v, flat)/v.sum()
    assert np.allclose(gram(weigh(f, m))[0].numpy(), want, atol=1e-12)
    assert np.allclose(gram(weigh(f, m*.3))[0].numpy(), want, atol=1e-12)  # the share, not the height, divides

@given(sides, sides, seeds)
def test_ones_change_nothing(h, w, seed):
    f, ones = rand(1, 3, h, w, seed=seed) - .5, torch.ones(1, 1, h, w)
    assert torch.equal(weigh(f, ones), f) and pick_places(f, ones) is f
    assert torch.equal(feather(ones, .1), ones)
    for hw in ((h//2, w//2), (h, w), (2*h, 2*w), (3, 5)):
        for reach in (0, 3): assert torch.equal(layer_mask(ones, hw, reach), torch.ones(1, 1, *hw))

@given(seeds)
def test_places_are_those_of_the_mask(seed):
    f, m = rand(1, 3, 16, 16, seed=seed), (rand(1, 1, 16, 16, seed=seed + 1) > .6).float()
    if m.sum(): assert torch.equal(pick_places(f, m).flatten(2), f.flatten(2)[..., m.flatten() == 1])

@given(seeds, st.integers(1, 9))
def test_small_masks_keep_their_share(seed, k):
    m = rand(1, 1, 8*k, 16*k, seed=seed)
    assert abs(layer_mask(m, (8, 16)).mean() - m.mean()) < 1e-5
    assert (layer_mask(m, (8, 16), 2) <= layer_mask(m, (8, 16)) + 1e-6).all()

def test_the_field_of_a_layer_is_what_moves_it():
    enc = encoder('random', padding='zero')
    x = rand(1, 3, 96, 96).requires_grad_()
    for l in ('relu1_1', 'relu2_1', 'relu3_1', 'relu4_1'):
        f = enc(x, l)[l]
        g, = torch.autograd.grad(f[..., f.shape[-2]//2, f.shape[-1]//2].square().sum(), x)
        seen = (g.abs().sum((0, 1)) > 0).nonzero()
        assert (seen.max(0)[0] - seen.min(0)[0] + 1 <= receptive_field(enc, l)).all(), l
        assert (seen.max(0)[0] - seen.min(0)[0] + 1 > receptive_field(enc, l) - 5).all(), l

def test_a_map_survives_jpeg_and_blurred_edges(tmp_path):
    y, x = np.mgrid[:96, :128]
    a = np.zeros((96, 128, 3), np.uint8); a[:] = 250, 20, 20; a[:, 60:] = 20, 20, 250; a[70:] = 150, 20, 150  # purple is between red and blue
    big = Image.fromarray(a).resize((200, 150), Image.BICUBIC)
    big.save(tmp_path/'map.jpg', quality=85)
    got = colour_masks(tmp_path/'map.jpg')
    assert len(got) == 3 and torch.equal(sum(got.values()), torch.ones(1, 1, 150, 200))
    named = colour_masks(tmp_path/'map.jpg', {'left': (250, 20, 20), 'right': 'blue', 'floor': '#961496'})
    assert named['floor'][..., :100, :].mean() < .02 and abs(named['left'].mean() - 60/128*70/96) < .01

@pytest.mark.parametrize('n', [1, 2, 5])
def test_regions_cover_the_picture_once(photo, n):
    got = segment(photo, n)
    assert 1 <= len(got) <= n and torch.equal(sum(got), torch.ones(1, 1, 64, 64))

def test_two_flat_halves_are_found():
    x = torch.zeros(1, 3, 64, 96); x[..., :48] = torch.tensor([.9, .3, .1]).view(1, 3, 1, 1); x[..., 48:] = torch.tensor([.1, .3, .9]).view(1, 3, 1, 1)
    a, b = segment(x, 2, place=0)
    assert min((a - halves(64, 96)).abs().mean(), (b - halves(64, 96)).abs().mean()) < .04

def test_bad_masks_are_refused(refused, photo):
    refused(lambda: load_mask(np.full((9, 9), 2.)), '0 to 1')
    refused(lambda: load_mask('missing.png'), 'missing.png')
    refused(lambda: feather(np.ones((9, 9)), -1), 'radius is -1')
    refused(lambda: segment(photo, 2.5), 'n is 2.5')
    refused(lambda: mask_of(dict(name='sky', sha256='', size=[1, 1])), "'sky' was too large", 'give it again')
