"Reversion: the photo that is used, new dark, ablation, which photo"
import numpy as np, pytest, torch
from style_nb.colour import luminance
from style_nb.contrast import lower_contrast, match_contrast
from style_nb.gallery import sample
from style_nb.painting import paint
from style_nb.pictures import load_picture, resize
from style_nb.reversion import *
from style_nb.reversion import FINEST, model_photo
from style_nb.sitters import *
from style_nb.unpainting import OWN as OWN_NET, Unpainter, read_unpainter

@pytest.fixture
def pair(photo, painting): return load_picture(painting), load_picture(photo)

def test_nothing_changed_is_the_photo(pair):
    painting, photo = pair
    assert torch.equal(model_photo(painting, photo, 1., False, 0., size=512), photo)
    assert torch.allclose(model_photo(painting, photo, .5, False, 0., size=512), lower_contrast(photo, .5))

def test_masses_become_the_paintings_and_texture_stays():
    painting, photo = load_picture(sample('swirls'), 256), load_picture(sample('astronaut'), 256)
    used = match_contrast(photo, painting, by='scale', mean=True, finest=FINEST)
    coarse = lambda x: resize(luminance(x), tuple(n//2**FINEST for n in x.shape[-2:])).squeeze()
    fine = lambda x: luminance(x) - torch.nn.functional.avg_pool2d(luminance(x), 3, 1, 1)
    ratio = lambda f, a, b: float(f(a).std()/f(b).std())
    p = resize(painting, tuple(photo.shape[-2:]))
    assert abs(np.log(ratio(coarse, used, p))) < abs(np.log(ratio(coarse, photo, p)))/2 + .05
    assert .7 < ratio(fine, used, photo) < 1.2
    assert abs(float(luminance(used).mean() - luminance(painting).mean())) < .05

def test_finest_counts_octaves(pair):
    painting, photo = pair
    assert torch.equal(match_contrast(photo, painting, by='scale'),
        match_contrast(photo, painting, by='scale', finest=0))
    assert not torch.equal(match_contrast(photo, painting, by='scale'),
        match_contrast(photo, painting, by='scale', finest=2))
    with pytest.raises(ValueError, match='finest'): match_contrast(photo, painting, by='scale', finest=-1)

def test_new_dark_by_hand():
    before = torch.full((1, 3, 200, 200), .6)
    before[..., :20] = .1                                         # dark already
    after = before.clone()
    after[..., 50:60, 100:200] = .05
    after[..., 150:155, 100:120] = .05
    got = new_dark(after, before)
    assert got['share'] == pytest.approx(1100/40000, rel=.02) and got['largest'] == pytest.approx(1000/40000, rel=.02)
    assert new_dark(before, before) == dict(share=0., largest=0.)

def test_a_veil_does_not_please_new_dark(pair):
    painting, photo = pair
    x = resize(photo, tuple(painting.shape[-2:]))
    full, veiled = new_dark(x, painting)['share'], new_dark(lower_contrast(x, .5), painting)['share']
    assert full > .02 and veiled == pytest.approx(full, abs=1e-3)

@pytest.mark.parametrize('flat', [0., .5, 1.])
def test_flat_pictures(flat, pair):
    x = torch.full((1, 3, 64, 64), flat)
    assert (np.isfinite(new_dark(x, x)['share']) and np.isfinite(compatibility(pair[0], x).score)
        and np.isfinite(compatibility(x, pair[1]).score))

def test_revert_has_the_articles_choices(pair):
    r = revert(*pair, size=48, steps=3, progress=False)
    assert ((r.recipe.style_weight, list(r.recipe.content_weights), r.recipe.keep, r.recipe.size) == (4., ['relu2_1'],
        12., 48))
    assert (r.recipe.init == 'picture' and max(r.recipe.start['size']) == round(AFAR*48)
        and revert(*pair, size=48, steps=1, progress=False, keep=0).recipe.init == 'content')
    assert (revert(*pair, size=48, steps=3, progress=False, style_weight=3.,
        content_weights='relu1_1').recipe.style_weight == 3.)

def test_from_afar_takes_lines_and_leaves_edges():
    x = torch.zeros(1, 3, 432, 324)
    x[..., 162:] = 1                # a dark and a light half
    halves = from_afar(x)
    x[..., 50:200:20, :162] = 1     # light lines of one pixel on the dark one
    assert halves.shape == (1, 3, 130, 98) and torch.equal(from_afar(x)[..., :40], halves[..., :40])
    step = halves[0, 0, 65].diff()
    assert step.max() > .4 and halves.min() >= 0 and halves.max() <= 1

@pytest.mark.parametrize('size, longer', [(16, 8), (64, 19), (432, 130), (2000, 130)])
def test_from_afar_is_small(pair, size, longer): assert max(from_afar(pair[0], size).shape[-2:]) == longer

def test_from_afar_refuses(pair):
    with pytest.raises(ValueError, match='size'):
        from_afar(pair[0], 3)

@pytest.mark.parametrize('bad', [dict(contrast=0), dict(colours=2), dict(size=3), dict(contrast=float('nan'))])
def test_revert_refuses(pair, bad):
    with pytest.raises(ValueError, match=next(iter(bad))): revert(*pair, steps=2, progress=False, **bad)

def test_a_reversion_may_begin_with_the_paint_taken_off(pair, refused):
    painting = load_picture(paint('swirls', pair[1], 96))
    how = dict(size=96, steps=1, progress=False, device='cpu', match=0.)
    usual, off = (revert(painting, pair[1], start=start, **how) for start in ('painting', 'unpainted'))
    assert off.recipe.revert['start'] == 'unpainted' and usual.image.tobytes() != off.image.tobytes()
    for wrong, word in ((dict(start='paint'), 'painting'), (dict(keep=0.), 'keep above 0'),
                        (dict(init='noise'), 'no init')):
        refused(lambda: revert(painting, pair[1], **how | dict(start='unpainted') | wrong), word)
    own = revert(painting, pair[1], start=read_unpainter(OWN_NET), **how)
    assert own.image.tobytes() == off.image.tobytes() and 'start' not in own.recipe.revert
    refused(lambda: revert(painting, pair[1], **how, start=Unpainter(), keep=0.), 'keep above 0')

@pytest.mark.parametrize('own', [
    dict(contrast=.5, keep=3., masses=False, colours=.5),
    dict(start='unpainted', match=0.),
    dict(keep=0., init='noise', seed=2),
    dict(contrast=np.float32(.5)),
])
def test_a_saved_reversion_paints_itself_again(own, pair, tmp_path):
    first = revert(*pair, size=48, steps=2, progress=False, device='cpu', **own)
    saved = first.save(tmp_path/'reverted.png')
    again = revert(*pair, recipe=saved, progress=False, device='cpu')
    usual = revert(*pair, size=48, steps=2, progress=False, device='cpu')
    assert again.image.tobytes() == first.image.tobytes() != usual.image.tobytes()
    written = {k: v for k, v in first.recipe.revert.items() if k in USUAL}
    assert {k: again.recipe.revert[k] for k in written} == written and written.keys() == USUAL.keys()

def test_the_place_of_a_recipe_is_not_written(pair, tmp_path):
    how = dict(size=48, steps=2, match=0., progress=False, device='cpu')
    revert(*pair, **how).save(tmp_path/'first.png')
    again = revert(*pair, recipe=str(tmp_path/'first.png'), **how)
    assert 'recipe' not in again.recipe.revert and str(tmp_path) not in str(again.state['recipe'])
    assert revert(*pair, recipe='instant', **how).recipe.revert['recipe'] == 'instant'

def test_what_is_said_wins_over_a_saved_reversion(pair, photo, refused):
    how = dict(progress=False, device='cpu')
    saved = revert(*pair, size=48, steps=2, contrast=.5, start='unpainted', match=0., **how).recipe
    louder = revert(*pair, recipe=saved, contrast=.85, masses=True, colours=1., keep=12., start='painting', **how)
    usual = revert(*pair, size=48, steps=2, match=0., **how)
    assert louder.image.tobytes() == usual.image.tobytes()
    begun = revert(*pair, recipe=saved, init=photo, **how)
    assert begun.recipe.keep == 0 and begun.recipe.revert['start'] == 'painting'
    refused(lambda: revert(*pair, recipe=begun.recipe, **how), 'starts from a picture', 'init=')

def test_ablate(pair):
    a = ablate(*pair, ['reverted', 'full contrast', 'half the size'], size=64, steps=3, progress=False)
    assert list(a.table.index) == list(a.results) == ['reverted', 'full contrast', 'half the size']
    assert max(a.results['half the size'].image.size) == 32 and a.table.notna().to_numpy().all() and a._repr_png_()
    with pytest.raises(ValueError, match='variant'): ablate(*pair, [])
    for size in 'own', None, 3:
        with pytest.raises(ValueError, match='size'): ablate(*pair, ['reverted'], size=size)
    with pytest.raises(ValueError, match='painting'): ablate(*pair, {'a': dict(painting=1)}, size=64)
    with pytest.raises(ValueError, match='reverted'): ablate(*pair, 'revertd')

def test_what_revert_mends_is_nothing_between_a_painting_and_itself(pair):
    c = compatibility(pair[0], pair[0])
    assert c.contrast == 0 and c.masses == 0 and "like the painting" in repr(c)

@pytest.mark.parametrize('hand', ['swirls', 'dots', 'facets', 'mosaic'])
def test_the_paint_is_seen_through(hand):
    "What was under it is guessed better than taken as it is painted, and the guess says how far off it may be"
    off, plain = [], []
    for name in ('astronaut', 'cat', 'rocket', 'coffee'):
        x = load_picture(sample(name), 224)
        p, true = load_picture(paint(hand, x, size=224)), picture_statistics(x)
        guess, spread = under_paint(p)
        off.append(np.abs(guess - true)[:5]), plain.append(np.abs(picture_statistics(p) - true)[:5])
        assert spread.shape == guess.shape == (9,) and (spread > 0).all() and (np.abs(guess - true) < 4*spread).all()
    assert np.mean(off) < np.mean(plain)

def test_too_coarse_and_too_noisy_come_later():
    x = load_picture(sample('cat'), 224)
    soft = resize(resize(x, 24), tuple(x.shape[-2:]))
    noisy = (x + .35*torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    for hand in ('swirls', 'dots'):
        table = rank_photos(paint(hand, x, size=224), dict(noisy=noisy, soft=soft, itself=x))
        assert table.index[0] == 'itself' and (table.score >= 0).all() and table.score.is_monotonic_increasing
    assert rank_photos(paint('swirls', x, size=224), [noisy, x]).index[0] == 1

def test_contrast_is_said(pair):
    assert ('more contrast' in repr(compatibility(lower_contrast(pair[0], .4), pair[0]))
        and 'less contrast' in repr(compatibility(pair[0], lower_contrast(pair[0], .4))))

def test_the_results_own_colours(photo, painting):
    "`colours` is taken; the recipe's field of that name comes by a recipe"
    from style_nb.colour import luminance
    from style_nb.recipe import named_recipe
    how = dict(size=48, steps=3, levels=1, progress=False, content_weights='relu2_1', style_weights='relu1_1')
    a, b = revert(painting, photo, **how), revert(painting, photo, recipe=named_recipe(colours='content-luma'), **how)
    assert b.recipe.colours == 'content-luma' and torch.equal(a.state['canvas'], b.state['canvas'])
    x, y = (luminance(load_picture(r.image)) for r in (a, b))
    assert a.image.tobytes() != b.image.tobytes() and (x - y).abs().max() < 2/255

def test_no_callbacks_may_be_said(pair):
    "As `stylize` takes it"
    assert revert(*pair, size=48, steps=1, progress=False, cbs=None).recipe.steps == 1

def test_the_bar_says_who_paints(pair, capsys):
    from style_nb.palettes import palette
    from style_nb.transfer import stylize
    how = dict(size=48, steps=1)
    for paint_one, word in (revert, 'revert:'), (stylize, 'stylize:'):
        paint_one(*pair, **how)
        assert word in capsys.readouterr().err
    palette(pair[0], **how)
    assert 'palette:' in capsys.readouterr().err
    revert(*pair, progress=False, **how)
    assert not capsys.readouterr().err
