"The network that paints in one pass: what it measures, that a picture does not depend on its batch, its file"
import numpy as np
import pytest, torch
from PIL import Image
from style_nb.colour import colour_statistics, match_colours
from style_nb.encoders import encoder
from style_nb.errors import BadFile, StyleNBError
from style_nb.gallery import sample
from style_nb.losses import gram
from style_nb.onepass import (
    ENCODER, PLAN, SEEN, SHORT, Look, Mixer, OnePass, moments, pack, read_onepass, recoloured, save_onepass,
    style_moments, unpack)
from style_nb.pictures import load_picture

see, net = encoder(**ENCODER), read_onepass()
photo = load_picture(sample('cat').resize((96, 64)))
painting = load_picture(sample('dots'), size=128)


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def test_moments_are_those_of_numpy():
    maps = torch.randn(2, 5, 7, 9)
    found = moments(maps)
    flat = maps[1].flatten(1).numpy()
    assert np.allclose(found.covariance[1].numpy(), np.cov(flat, bias=True), atol=1e-5)
    share = found.second/gram(maps)
    assert torch.allclose(share, share[0, 0, 0].expand(2, 5, 5), atol=1e-3)


def test_half_numbers_are_measured_in_whole_ones():
    maps = torch.rand(1, 16, 40, 40)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(moments(maps).second, moments(maps.clone()).second)
        assert moments(maps).second.dtype == torch.float32


def test_colours_become_those_of_the_painting():
    made = recoloured(photo, moments(painting))
    mean, cov = colour_statistics([made])
    wanted = colour_statistics([painting])
    assert (mean - wanted[0]).abs().max() < .06
    assert (made - match_colours(photo, painting, rounds=2)).abs().max() < .02


@pytest.mark.parametrize('colour', [0., .5, 1.])
def test_a_photo_of_one_colour_stays_finite(colour):
    flat = torch.full((1, 3, 64, 64), colour)
    for content, style in ((flat, painting), (photo[..., :64, :64], flat)):
        made = net(content, style_moments(net, style, see), see)
        assert made.isfinite().all() and made.abs().max() < 5


@pytest.mark.parametrize('plan', [PLAN, SHORT])
def test_a_picture_does_not_depend_on_its_batch(plan):
    "The style of the other picture does not come in"
    other = load_picture(sample('swirls'), size=128)
    h = min(painting.shape[2], other.shape[2])
    w = min(painting.shape[3], other.shape[3])
    both = torch.cat([painting[..., :h, :w], other[..., :h, :w]])
    together = net(torch.cat([photo, photo.flip(3)]), style_moments(net, both, see), see, plan)
    alone = net(photo, style_moments(net, both[:1], see), see, plan)
    assert (together[:1] - alone).abs().max() < 2e-3
    assert (together[1:].flip(3) - alone).abs().mean() > .01


def test_each_look_brings_the_statistics_nearer():
    "By the style loss on what the network sees; the last look is at the whole size"
    wanted = style_moments(net, painting, see)[1]

    def apart(x):
        found = {l: moments(m) for l, m in net.maps_of(x, see).items()}
        return sum(float((found[l].second - wanted[l].second).square().sum()/wanted[l].second.square().sum())
                   for l in SEEN)

    before = apart(recoloured(photo, moments(painting)))
    after = apart(net(photo, style_moments(net, painting, see), see))
    assert after < .6*before


def test_a_row_of_numbers_is_the_style():
    style = style_moments(net, painting, see)
    row = pack(style)
    assert row.shape == (1, 9 + 3*4080)
    back = unpack(row)
    for k in (1, 2, 4):
        for layer in SEEN:
            assert torch.allclose(back[k][layer].second, style[k][layer].second, atol=1e-4)
    assert (net(photo, back, see) - net(photo, style, see)).abs().max() < 1e-3


def test_a_style_in_two_rows_is_their_mean():
    "A blend of rows is the style of both paintings laid side by side"
    a, b = torch.rand(2, 1, 3, 64, 64)
    side = moments(torch.cat([a, b], 3))
    blend = (moments(a).second + moments(b).second)/2
    assert torch.allclose(side.second, blend, atol=1e-5)


def test_what_is_written_is_read(tmp_path):
    file = save_onepass(net, tmp_path/'net.safetensors', dict(about='a test'))
    again = read_onepass(file)
    assert again.card == dict(about='a test')
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), again.state_dict().values()))


def test_the_card_of_the_package_says_what_it_learned_from():
    assert {'about', 'data', 'trained_through', 'licence'} <= net.card.keys()
    assert 'VGG' in net.card['trained_through']


def test_another_file_is_refused(tmp_path):
    file = save_onepass(net, tmp_path/'net.safetensors', {})
    whole = file.read_bytes()
    for broken in (whole[:-9], whole[:-9] + bytes(9), b'', b'{}', whole[50:]):
        file.write_bytes(broken)
        with pytest.raises(BadFile) as said: read_onepass(file)
        assert '\n' not in str(said.value) and str(file) in str(said.value)
    with pytest.raises(StyleNBError): read_onepass(tmp_path/'none.safetensors')
    Image.new('RGB', (8, 8)).save(tmp_path/'a.png')
    with pytest.raises(StyleNBError): read_onepass(tmp_path/'a.png')


def test_it_weighs_at_most_three_megabytes():
    from style_nb.encoders import DATA
    assert (DATA/'onepass.safetensors').stat().st_size < 3e6


def test_an_untaught_look_changes_next_to_nothing():
    "So that a fit starts from the recoloured photo"
    torch.manual_seed(0)
    fresh = OnePass()
    style = style_moments(fresh, painting, see)
    made = fresh(photo, style, see)
    assert (made - recoloured(photo, style['colours'])).abs().mean() < .06
    assert isinstance(fresh.looks[0], Look) and isinstance(fresh.looks[0].mixers['relu1_1'], Mixer)


def test_of_a_nearly_grey_photo_the_colours_can_be_changed():
    "Its covariance is next to nothing, and of a million places"
    stripes = torch.full((1, 1, 1024, 1024), .5)
    stripes[..., ::2] += .05
    made = recoloured(stripes.expand(1, 3, -1, -1), moments(painting))
    assert made.isfinite().all() and made.std() > .02
