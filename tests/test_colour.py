"Colour: brightness, and the colours of another picture"
import pytest, torch
from style_nb.colour import colour_statistics, luminance, match_colours
from style_nb.gallery import sample
from style_nb.pictures import load_picture
from style_nb.transfer import stylize

@pytest.fixture(scope='module')
def pics(): return [.3 + .3*load_picture(sample(n), 64) for n in ('astronaut', 'swirls', 'dots')]

def test_luminance(): assert torch.allclose(luminance(torch.tensor([1., .5, 0]).view(1, 3, 1, 1)).flatten(), torch.tensor([.299 + .2935]))

def test_mean_and_covariance_arrive(pics):
    photo, a, b = pics
    for like, w in ((a, None), ([a, b], None), ([a, b], [3, 1])):
        like_ = .4 + .2*a if like is a else [.4 + .2*o for o in like]
        got, want = colour_statistics([match_colours(photo, like_, w)]), colour_statistics(like_ if isinstance(like_, list) else [like_], w)
        for g, v in zip(got, want): assert torch.allclose(g, v, atol=1e-3)

def test_statistics_of_several_are_those_of_all_their_pixels(pics):
    a, b = (p[..., :40, :40] for p in pics[1:])
    for g, v in zip(colour_statistics([a, b]), colour_statistics([torch.cat([a, b], -1)])): assert torch.allclose(g, v, atol=1e-9)

def test_its_own_colours_change_nothing(pics): assert torch.allclose(match_colours(pics[0], pics[0]), pics[0], atol=1e-3)

def test_places_stay_and_grey_or_flat_pictures_pass(pics):
    photo, style, _ = pics
    out = match_colours(photo, style)
    assert out.shape == photo.shape and out.dtype == photo.dtype
    corr = torch.corrcoef(torch.stack([luminance(o).flatten() for o in (out, photo)]))[0, 1]
    assert corr > .8
    for odd in (luminance(photo).expand(-1, 3, -1, -1), photo*0 + .5):
        assert torch.isfinite(match_colours(odd, style)).all() and torch.isfinite(match_colours(style, odd)).all()

def test_runs_start_from_it(pics):
    photo, style, _ = pics
    r = stylize(photo, style, size=64, steps=1, levels=1, style_weight=1e-9, lr=1e-6, tv_weight=0, progress=False)
    same = lambda x: (load_picture(r.image) - x).abs().mean() < .01
    assert r.recipe.init == 'recoloured' and same(match_colours(photo, style)) and not same(photo)
    r = stylize(photo, style, size=64, steps=1, levels=1, style_weight=0, lr=1e-6, tv_weight=0, progress=False)
    assert same(photo), 'without style there is no colour to take'
    r = stylize(photo, style, size=64, steps=1, levels=1, init='content', style_weight=1e-9, lr=1e-6, tv_weight=0, progress=False)
    assert same(photo)
