"Matching: which place is most alike, maps put together, the loss"
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from style_nb.callbacks import LBFGSStep, lbfgs
from style_nb.encoders import encoder
from style_nb.learner import StepCallback, picture_learner
from style_nb.shares import Shares
from style_nb.matching import MatchLoss, directions, most_alike, put_together, trusted
from style_nb.pictures import load_picture, resize
from style_nb.recipe import Recipe, named_recipe
from style_nb.reversion import BARE, MATCHED, OWN, model_photo, revert
from style_nb.transfer import stylize

LOOK = ['relu2_1', 'relu3_1', 'relu4_1']

@pytest.fixture(scope='module')
def enc():
    return encoder('texnet', 'avg', 'reflect')

@pytest.fixture
def x(photo):
    return load_picture(photo, 64)

def run(match, start, enc, steps=1, cbs=()):
    learn = picture_learner(start, enc, [match, LBFGSStep(), *cbs], lbfgs(), 1., steps=steps)
    learn.fit(1)
    return learn

def test_each_place_finds_itself(x, enc):
    rows = directions(enc(x, LOOK), (16, 16))
    assert rows.shape[0] == 256 and torch.allclose(rows.norm(dim=1), torch.ones(256), atol=1e-4)
    places, alike = most_alike(rows, rows)
    assert torch.equal(places, torch.arange(256)) and torch.allclose(alike, torch.ones(256), atol=1e-4)

def test_the_most_alike_by_hand():
    answering = F.normalize(torch.tensor([[1., 0.], [0., 1.], [1., 1.]]), dim=1)
    asking = torch.tensor([[3., 2.9], [0., .1], [5., -1.]])
    places, alike = most_alike(asking, answering)
    assert places.tolist() == [2, 1, 0]
    assert torch.allclose(alike, torch.tensor([5.9/2**.5, .1, 5.]))

def test_loudness_and_colour_cast_do_not_count(x, enc):
    "Of the channels that see something: one with a deviation below .001 is not made louder than that"
    maps = {l: f[:, f.std((0, 2, 3)) > .01] for l, f in enc(x, LOOK).items()}
    assert all(f.shape[1] > .9*enc(x, l)[l].shape[1] for l, f in maps.items())
    loud = {l: 3*f + 2 for l, f in maps.items()}
    assert torch.allclose(directions(maps, (16, 16)), directions(loud, (16, 16)), atol=1e-3)

def test_a_faint_channel_stays_faint():
    loud = torch.rand(1, 5, 4, 4)
    faint = torch.cat([loud, 1e-5*torch.rand(1, 1, 4, 4)], 1)
    assert directions({'a': faint}, (4, 4))[:, 5].abs().max() < .02

def test_put_together_from_its_own_places_is_itself():
    maps = torch.rand(1, 5, 6, 7)
    assert torch.allclose(put_together([maps], torch.arange(42), (6, 7)), maps, atol=1e-6)

def test_neighbours_vote():
    "Five places in a row; the middle one found place 0 instead of itself, and its neighbours outvote it"
    maps = torch.arange(5.).view(1, 1, 1, 5)
    wrong = torch.tensor([0, 1, 0, 3, 4])
    got = put_together([maps], wrong, (1, 5)).flatten()
    # place 2: its left neighbour says 2, it says 0, its right neighbour says 2
    assert got[2].item() == pytest.approx(4/3)
    assert got[0].item() == pytest.approx(0) and got[4].item() == pytest.approx(4)

def test_places_are_counted_through_all_pictures():
    a, b = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    assert put_together([a, b], torch.tensor([4, 5, 6, 7]), (2, 2)).min() == 1

def test_a_mirrored_photo_is_found(x, enc):
    match = MatchLoss(x.flip(-1), x, 'relu3_1')
    learn = run(match, x.flip(-1), enc)
    found = most_alike(match.asking, match.answering)[0]
    assert (found >= 256).float().mean() > .9  # places of the mirror image come after the photo's own 16x16
    assert learn.terms['match/relu3_1'] < .1

def test_the_loss_is_one_less_the_cosine(x, enc):
    other = x.roll(20, -1).flip(-2)
    match = MatchLoss(other, x, {'relu3_1': 2., 'relu4_1': 0.}, weight=3.)
    learn = run(match, other, enc)
    target, mean, counts = match.targets['relu3_1']
    seen = enc(other, 'relu3_1')['relu3_1']
    value = ((1 - F.cosine_similarity(seen - mean, target - mean, dim=1))*counts).mean()
    assert learn.terms['match/relu3_1'].item() == pytest.approx(value.item(), abs=2e-3)
    assert learn.weighted_terms['match/relu3_1'].item() == pytest.approx(6*value.item(), abs=1e-2)
    assert list(learn.terms) == ['match/relu3_1']

def test_trust_by_hand():
    "Of 0, .1 ... 1 the worst tenth counts .05, the best tenth 1, the middle half"
    alike = torch.arange(11.)/10
    got = trusted(alike)
    assert torch.allclose(got[[0, 1, 5, 9, 10]], torch.tensor([.05, .05, .5, 1., 1.]), atol=1e-6)
    assert torch.equal(trusted(alike, 1.), torch.ones(11))

def test_answers_that_are_all_alike_count_in_full():
    assert torch.allclose(trusted(torch.full((9,), .3)), torch.ones(9))

def test_noise_that_finds_nothing_like_it_counts_less(x, enc):
    "Half of the picture is the photo's own, half is noise that finds nothing like it"
    other = x.clone()
    other[..., 32:] = torch.rand(1, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    match = MatchLoss(other, x)
    run(match, other, enc)
    counts = match.targets['relu3_1'][2][0]
    assert counts[:, :6].mean() > counts[:, 10:].mean() + .4

class Aims(StepCallback):
    "Notes the aim and the version of the objective at each step."
    order = 50
    def before_fit(self):
        self.aims, self.versions = [], []
    def after_step(self):
        match = next(cb for cb in self.learn.cbs if isinstance(cb, MatchLoss))
        self.aims.append(match.targets['relu3_1'][0])
        self.versions.append(self.learn.objective)

def test_places_are_matched_again(x, enc):
    seen = Aims()
    run(MatchLoss(x.flip(-2), x, every=3, of_content=0.), x.roll(9, -1), enc, 10, [seen])
    # after 3 and 6 steps; not after 9, with one step left
    assert seen.versions == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]
    changed = [not torch.equal(a, b) for a, b in zip(seen.aims, seen.aims[1:])]
    assert changed == [False, False, True, False, False, True, False, False, False]

def test_each_level_has_its_own_aims(photo, painting):
    seen = Aims()
    revert(painting, photo, size=64, steps=6, levels=2, progress=False, cbs=[seen])
    assert seen.aims[0].shape[-1] < seen.aims[-1].shape[-1] == 16

def test_one_callback_in_two_fits(x, enc):
    match = MatchLoss(x.flip(-2), x)
    first, second = (run(match, x, enc, 3).terms for _ in range(2))
    assert all(torch.equal(first[k], second[k]) for k in first)

BESIDE = [
    dict(balance=True),
    dict(cbs=[Shares()]),
    dict(average=.9),
    dict(finish='texnet-small', finish_steps=2),
    dict(precision='bf16'),
]

@pytest.mark.parametrize('how', BESIDE)
def test_it_goes_with_everything_else(how, photo, painting):
    r = revert(painting, photo, size=48, steps=6, levels=2, progress=False, **how)
    assert r.history['match/relu4_1'].notna().all() and not r.stopped

@pytest.mark.parametrize('of_content, asks', [(1., 'content'), (0., 'picture')])
def test_who_asks(of_content, asks, x, enc):
    "Only the content, or only the picture so far"
    other = x.roll((17, 9), (-2, -1)).flip(-2)
    match = MatchLoss(other, x, of_content=of_content)
    run(match, x, enc)
    found = most_alike(match.asking if asks == 'content' else directions(enc(x, LOOK), match.grid), match.answering)[0]
    maps = put_together(match.answers['relu2_1'], found, match.grid)
    assert torch.allclose(match.targets['relu2_1'][0], maps, atol=.05*maps.std().item())

def test_a_coarser_grid_for_large_pictures(x, enc):
    match = MatchLoss(x, x, most=64)
    run(match, x, enc)
    assert match.grid == [8, 8] and match.targets['relu3_1'][0].shape[-2:] == (16, 16)

def test_it_brings_the_picture_nearer(x, enc):
    start = x.flip(-2)
    first = run(MatchLoss(start, x), start, enc).terms
    last = run(MatchLoss(start, x, every=100), start, enc, 15).terms
    assert all(last[k] < .8*first[k] for k in first)

@pytest.mark.parametrize('how', [dict(weight=0.), dict(weights={'relu3_1': 0.})])
def test_without_weight_nothing_is_looked_at(how, x, enc):
    match = MatchLoss(x, x, **how)
    learn = run(match, x, enc)
    assert not learn.terms and not hasattr(match, 'asking')

def test_refusals(x, enc, refused):
    refused(lambda: MatchLoss(x, x, of_content=1.5), 'of_content')
    refused(lambda: MatchLoss(x, x, every=0), 'every')
    refused(lambda: MatchLoss(x, x, weight=-1), 'match_weight')
    for wrong in (dict(weights='relu9_1'), dict(by=['relu9_1'])):
        with pytest.raises(ValueError, match='relu9_1'):
            run(MatchLoss(x, x, **wrong), x, enc)

@pytest.mark.parametrize('side, scale, left', [
    (12, 1., ['match/relu2_1', 'match/relu3_1']),
    (1, 1., []),
    (64, .2, ['match/relu2_1', 'match/relu3_1']),
])
def test_what_is_too_small_for_a_layer_goes_without_it(side, scale, left, x, enc):
    assert list(run(MatchLoss(x, x, scale=scale), resize(x, side), enc).terms) == left

def test_revert_matches_unless_told_not_to(photo, painting):
    how = dict(size=48, steps=2, progress=False)
    r = revert(painting, photo, **how)
    assert ([f'match/{l}' in r.history for l in MATCHED] == [True, True, True]
        and r.recipe.revert['match'] == OWN['match'])
    bare = revert(painting, photo, contrast=1., **BARE, **how)
    used = model_photo(painting, photo, contrast=1., masses=False, colours=0., size=48)
    plain = OWN | {k: BARE[k] for k in ('content_weight', 'style_weights', 'style_weight', 'tv_weight')}
    del plain['match']
    same = stylize(painting, used, init='content', **plain | how)
    assert 'match/relu3_1' not in bare.history and bare.image.tobytes() == same.image.tobytes()

def test_a_named_recipe_keeps_its_weights(photo, painting):
    how = dict(recipe='michaus', encoder='texnet', size=48, steps=2, levels=1, progress=False)
    r = revert(painting, photo, **how)
    assert 'match/relu3_1' not in r.history
    assert list(r.recipe.style_weights) == list(named_recipe('michaus', encoder='texnet').style_weights)
    assert 'match/relu3_1' in revert(painting, photo, match=5., **how).history

def test_a_recipe_object_keeps_its_weights_and_a_reversions_is_matched(photo, painting):
    how = dict(size=48, steps=2, levels=1, progress=False)
    own = revert(painting, photo, recipe=Recipe(style_weight=50.), **how)
    assert (own.recipe.style_weight == 50. and own.recipe.tv_weight == OWN['tv_weight']
        and 'match/relu3_1' in own.history)
    again = revert(painting, photo, recipe=revert(painting, photo, match=7., **how).recipe, **how)
    assert again.recipe.revert['match'] == 7. and 'match/relu3_1' in again.history

def test_a_recipe_says_size_steps_and_layers_too(photo, painting, tmp_path):
    "A reversion is painted again from its own file"
    first = revert(painting, photo, size=48, steps=3, levels=1, content_weights='relu1_1', style_scale=.8,
        progress=False)
    first.save(tmp_path/'a.png')
    again = revert(painting, photo, recipe=tmp_path/'a.png', progress=False)
    assert again.image.tobytes() == first.image.tobytes() and again.recipe.revert['steps'] == 3
    assert revert(painting, photo, recipe=tmp_path/'a.png', steps=2, progress=False).recipe.steps == 2
    assert revert(painting, photo, recipe=Recipe(size=48, steps=2), levels=1, progress=False).recipe.size == 48

def test_a_narrow_photo(enc):
    wide = torch.rand(1, 3, 90, 40)
    match = MatchLoss(wide, torch.rand(1, 3, 64, 4), ['relu1_1', 'relu3_1'], by=['relu2_1', 'relu3_1'], most=64)
    assert run(match, wide, enc, 2).terms['match/relu1_1'].isfinite()

def test_what_a_recipe_says_makes_the_same_picture(photo, painting):
    r = revert(painting, photo, size=48, steps=4, progress=False, tv_weight=1.)
    assert revert(painting, photo, progress=False, **r.recipe.revert).image.tobytes() == r.image.tobytes()

def test_a_reversion_is_not_resumed(photo, painting, tmp_path, refused):
    r = revert(painting, photo, size=48, steps=2, progress=False)
    r.save_state(tmp_path/'run.safetensors')
    for state in (r, tmp_path/'run.safetensors'):
        refused(lambda: stylize(painting, photo, resume=state, steps=4), 'made by `revert`', 'call it again')

def test_revert_refuses(photo, painting, refused):
    white = torch.ones(1, 1, 32, 32)
    refused(lambda: revert(painting, photo, size=48, masks=[white*0]), 'Masks', 'match=0')
    strip = torch.rand(1, 3, 20, 400)
    refused(lambda: revert(strip, photo, size=100), 'The painting is only 100x5 px', 'match=0')
    refused(lambda: revert(painting, strip, size=100), 'The photo is only 100x5 px', 'match=0')
    refused(lambda: revert(painting, photo, size=48, style_scale=[1., 1.]), '2 style scales for 1 style')

@pytest.mark.parametrize('flat', ['painting', 'photo'])
def test_a_flat_picture(flat, photo, painting):
    pair = dict(painting=painting, photo=photo) | {flat: torch.full((1, 3, 48, 48), .5)}
    assert np.isfinite(np.asarray(revert(**pair, size=48, steps=3, progress=False).history.loss)).all()
