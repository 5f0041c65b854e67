"Matching: which place is most alike, maps put together, the loss"
import pytest
import torch
import torch.nn.functional as F
from style_nb.callbacks import LBFGSStep, lbfgs
from style_nb.encoders import encoder
from style_nb.learner import StepCallback, picture_learner
from style_nb.matching import MatchLoss, directions, most_alike, put_together
from style_nb.pictures import load_picture, resize
from style_nb.reversion import BARE, MATCHED, model_photo, revert
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
    assert torch.equal(most_alike(rows, rows), torch.arange(256))

def test_the_most_alike_by_hand():
    answering = F.normalize(torch.tensor([[1., 0.], [0., 1.], [1., 1.]]), dim=1)
    asking = torch.tensor([[3., 2.9], [0., .1], [5., -1.]])
    assert most_alike(asking, answering).tolist() == [2, 1, 0]

def test_loudness_and_colour_cast_do_not_count(x, enc):
    maps = enc(x, LOOK)
    loud = {l: 3*f + 2 for l, f in maps.items()}
    assert torch.allclose(directions(maps, (16, 16)), directions(loud, (16, 16)), atol=1e-3)

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
    assert learn.terms['match/relu3_1'] < .1

def test_the_loss_is_one_less_the_cosine(x, enc):
    other = x.roll(20, -1).flip(-2)
    match = MatchLoss(other, x, {'relu3_1': 2., 'relu4_1': 0.}, weight=3.)
    learn = run(match, other, enc)
    target, mean = match.targets['relu3_1']
    seen = enc(other, 'relu3_1')['relu3_1']
    value = 1 - F.cosine_similarity(seen - mean, target - mean, dim=1).mean()
    assert learn.terms['match/relu3_1'].item() == pytest.approx(value.item(), abs=2e-3)
    assert learn.weighted_terms['match/relu3_1'].item() == pytest.approx(6*value.item(), abs=1e-2)
    assert list(learn.terms) == ['match/relu3_1']

class Seen(StepCallback):
    "Notes the version of the objective at each step."
    order = 50
    def before_fit(self): self.versions = []
    def after_step(self): self.versions.append(self.learn.objective)

def test_places_are_matched_again(x, enc):
    seen = Seen()
    run(MatchLoss(x, x.flip(-2), every=3), x, enc, 7, [seen])
    assert seen.versions == [0, 0, 0, 1, 1, 1, 2]

@pytest.mark.parametrize('of_content, asks', [(1., 'content'), (0., 'picture')])
def test_who_asks(of_content, asks, x, enc):
    "The content alone, or the picture so far alone: whose mirror image answers is found at once"
    other = x.roll((17, 9), (-2, -1)).flip(-2)
    match = MatchLoss(other, x, of_content=of_content)
    run(match, x, enc)
    found = most_alike(match.asking if asks == 'content' else directions(enc(x, LOOK), match.grid), match.answering)
    maps = put_together(match.answers['relu3_1'], found, match.grid)
    assert torch.allclose(match.targets['relu3_1'][0], maps, atol=.05*maps.std().item())

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

@pytest.mark.parametrize('side, scale, left', [(12, 1., ['match/relu3_1']), (6, 1., []), (64, .2, ['match/relu3_1'])])
def test_what_is_too_small_for_a_layer_goes_without_it(side, scale, left, x, enc):
    assert list(run(MatchLoss(x, x, scale=scale), resize(x, side), enc).terms) == left

def test_revert_matches_unless_told_not_to(photo, painting):
    how = dict(size=48, steps=2, progress=False)
    r = revert(painting, photo, **how)
    assert [f'match/{l}' in r.history for l in MATCHED] == [True, True] and r.recipe.revert['match'] == 20.
    bare = revert(painting, photo, contrast=1., **BARE, **how)
    used = model_photo(painting, photo, contrast=1., masses=False, colours=0., size=48)
    same = stylize(painting, used, init='content', content_weights='relu2_1', style_weight=10., style_scale=1., tv_weight=.3,
                   style_weights=BARE['style_weights'], **how)
    assert 'match/relu3_1' not in bare.history and bare.image.tobytes() == same.image.tobytes()

def test_the_same_seed_the_same_picture(photo, painting):
    a, b = (revert(painting, photo, size=48, steps=4, progress=False).image.tobytes() for _ in range(2))
    assert a == b
