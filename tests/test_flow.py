"Flow on motion that is known, a picture carried along, and what of it is trusted."
import sys
import numpy as np
import pytest
import torch
from skimage import data
from style_nb import flow
from style_nb.errors import MissingPackage, StyleNBError
from style_nb.flicker import warping_error
from style_nb.flow import carry, flow_method, optical_flow, trusted, window, window_flow

HW = 120, 160
BEFORE, AFTER = ((250., 200.), 1.2), ((253.4, 198.1), 1.17)


def shift(x, y, hw=HW):
    "The same flow everywhere"
    return torch.tensor([x, y], dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, *hw).contiguous()


def grain(*hw):
    "A picture with detail of all sizes"
    return torch.rand(1, 3, *hw, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize('views', [(BEFORE, AFTER), (AFTER, BEFORE)])
def test_a_known_pan_and_zoom(views):
    found = optical_flow(*(window(data.astronaut(), *view, HW) for view in views), 'tvl1')
    known = window_flow(*views, HW)
    assert known.square().sum(1).sqrt().mean() > 2
    assert (found - known).square().sum(1).sqrt().mean() < .5


def test_a_window_lies_where_its_flow_says():
    a, b = (window(data.astronaut(), *view, HW) for view in (BEFORE, AFTER))
    inner = np.s_[..., 16:-16, 16:-16]
    known = (carry(b, window_flow(BEFORE, AFTER, HW)) - a)[inner].abs().mean()
    assert known < .01 < (b - a)[inner].abs().mean()


@pytest.mark.parametrize('hw', [(40, 56), (41, 57), (16, 33)])
@pytest.mark.parametrize('x,y', [(0, 0), (3, 0), (-2, 5)])
def test_whole_pixels_are_carried_exactly(hw, x, y):
    picture = grain(*hw)
    made = carry(picture, shift(x, y, hw))
    rows, columns = (np.arange(n) + by for n, by in zip(hw, (y, x)))
    wanted = picture[..., rows.clip(0, hw[0] - 1), :][..., columns.clip(0, hw[1] - 1)]
    assert torch.equal(made, wanted)


@pytest.mark.parametrize('hw', [(64, 80), (65, 81)])
def test_half_pixels_are_those_of_a_wave(hw):
    def wave(by): return (.5 + .4*torch.sin(torch.arange(hw[1])*.9 + .9*by)).expand(1, 3, *hw)
    assert (carry(wave(0), shift(.5, 0, hw)) - wave(.5))[..., 16:-16].abs().max() < .01


def test_many_small_moves_do_not_blur():
    x = start = window(data.astronaut(), (250., 150.), 1., HW)
    for i in range(30): x = (carry(x, shift(*((.4, -.3) if i % 2 else (-.4, .3))))*255).round()/255
    sharp = [(p[..., 20:-20, 21:-20] - p[..., 20:-20, 20:-21]).square().mean() for p in (start, x)]
    assert .85 < sharp[1]/sharp[0] < 1.1
    assert (x - start)[..., 20:-20, 20:-20].square().mean() < 2e-4


def test_only_a_flow_that_leads_home_is_trusted():
    there = trusted(shift(3, 1), shift(-3, -1))
    assert there[..., 5:-5, 5:-5].min() == 1 and there[..., :, :2].max() == 0  # from beyond the border
    assert trusted(shift(3, 1), shift(3, 1)).max() == 0
    back = shift(-3, -1)
    back[..., 80:] = 4
    assert trusted(shift(3, 1), back)[..., 90:].max() == 0


def test_dis_needs_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, 'cv2', None)
    assert flow_method('auto') == 'tvl1'
    with pytest.raises(MissingPackage, match=r'style_nb\[film\]'): optical_flow(grain(*HW), grain(*HW), 'dis')


def test_dis_is_asked_for_grey_bytes(monkeypatch):
    class OpenCV:
        DISOPTICAL_FLOW_PRESET_MEDIUM = 2
        def DISOpticalFlow_create(self, preset): return self
        def calc(self, a, b, none):
            assert a.dtype == b.dtype == np.uint8 and a.shape == HW
            return np.dstack([np.full(HW, 2, np.float32), np.full(HW, -1, np.float32)])
    monkeypatch.setitem(sys.modules, 'cv2', OpenCV())
    assert flow_method('auto') == 'dis'
    assert torch.equal(optical_flow(grain(*HW), grain(*HW)), shift(2, -1))


@pytest.mark.parametrize('call', [
    lambda: optical_flow(grain(20, 20), grain(20, 22)),
    lambda: optical_flow(grain(20, 20), grain(20, 20), 'farneback'),
    lambda: carry(grain(20, 20), shift(1, 1, (20, 22))),
    lambda: carry(grain(20, 20), shift(float('nan'), 1, (20, 20))),
    lambda: carry(grain(20, 20), None),
    lambda: trusted(shift(1, 1, (20, 20)), shift(1, 1, (20, 22))),
    lambda: warping_error([], []),
    lambda: warping_error([grain(20, 20)], [grain(20, 20)], lag=0),
])
def test_what_is_refused(call):
    with pytest.raises(StyleNBError) as e: call()
    assert '\n' not in str(e.value)


def test_a_tiny_picture_has_no_flow():
    assert not optical_flow(grain(16, flow.LEAST - 1 + 1), grain(16, 16), 'tvl1').isnan().any()


def test_the_error_of_a_film_is_that_of_its_noise():
    film = [window(data.astronaut(), (200. + 2*i, 150.), 1., HW) for i in range(3)]
    def known(i, j): return shift(2*(i - j), 0)
    noise = [torch.randn(1, 3, *HW, generator=torch.Generator().manual_seed(i))*.02 for i in range(3)]
    found = warping_error([(x*.6 + .2 + n).clamp(0, 1) for x, n in zip(film, noise)], film, flow=known)
    assert found.added == pytest.approx(2*.02**2, rel=.1) and found.own < 1e-5 and found.count == 2
    assert warping_error(film, film, lag=2, flow=known).count == 1
