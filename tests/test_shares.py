"Shares of the gradient against gradients taken one by one, and weights balanced by them"
import numpy as np, pytest, torch
from fastai.callback.core import Callback
from hypothesis import given, settings, strategies as st
from style_nb.callbacks import LBFGSStep, lbfgs
from style_nb.learner import ContentLoss, StyleLoss, TVLoss, picture_learner
from style_nb.losses import content_loss, gram, style_loss, tv_loss
from style_nb.recipe import Recipe, from_json, to_json
from style_nb.shares import *
from style_nb.transfer import stylize

WEIGHTS = {'relu1_1': 2., 'relu2_1': 1.}
FEW = dict(size=64, steps=6, levels=1, progress=False, content_weights='relu2_1', style_weights=WEIGHTS)

class Now(Callback):
    "Do something at the first step, when all is set up"
    order = 18
    def __init__(self, f): self.f, self.out = f, None
    def before_step(self): self.out = self.f(self.learn) if self.out is None else self.out

def at_first_step(f, photo, painting, enc, *more, start=None, style_weight=10.):
    now = Now(f)
    losses = ContentLoss(photo, 'relu2_1', 3.), StyleLoss(painting, WEIGHTS, style_weight), TVLoss(2.)
    picture_learner(.5*photo + .2 if start is None else start, enc, [*losses, now, *more, LBFGSStep()], lbfgs(), 1.,
        steps=1).fit(1)
    return now.out

def test_gradients_are_those_of_each_term_alone(photo, painting, enc):
    got = at_first_step(term_gradients, photo, painting, enc)
    x = (.5*photo + .2).requires_grad_()
    f, p, s = (enc(o, ['relu1_1', 'relu2_1']) for o in (x, photo, painting))
    alone = {'content/relu2_1': 3*content_loss(f['relu2_1'], p['relu2_1']), 'tv': 2*tv_loss(x),
        **{f'style/{l}': 10*w*style_loss(f[l], gram(s[l])) for l, w in WEIGHTS.items()}}
    assert set(got) == set(alone)
    for n, v in alone.items():
        want, = torch.autograd.grad(v, x, retain_graph=True)
        assert (got[n] - want).norm() < 1e-4*want.norm(), n
    shares = gradient_shares(got)
    assert (sum(shares.values()) == pytest.approx(1)
        and shares['tv'] == pytest.approx(float(got['tv'].norm()/sum(g.norm() for g in got.values())), rel=1e-4))

def test_measuring_leaves_the_learner_as_it_was(photo, painting, enc):
    def look(learn):
        before = learn.loss_grad, learn.pred, learn.features, dict(learn.terms), learn.model.canvas.grad.clone()
        term_gradients(learn)
        return ([a is b for a, b in zip(before[:3], (learn.loss_grad, learn.pred,
            learn.features))] + [before[3] == learn.terms, torch.equal(before[4], learn.model.canvas.grad),
            'add_term' not in vars(learn)])
    assert all(at_first_step(look, photo, painting, enc))

def test_a_run_is_the_same_with_shares(photo, painting):
    s = Shares(2)
    a, b = (stylize(photo, painting, cbs=[s], **FEW | dict(levels=2, size=64)),
        stylize(photo, painting, **FEW | dict(levels=2, size=64)))
    assert torch.equal(a.state['canvas'], b.state['canvas']) and (a.history.evals == b.history.evals).all()
    t = s.table
    assert (set(t.level) == {0, 1} and np.allclose(t.drop(columns=['step', 'level']).sum(1), 1)
        and t.step.is_monotonic_increasing)
    assert all(tuple(m.shape) == tuple(a.state['canvas'].shape[-2:]) and m.min() >= 0 for m in s.maps.values())
    assert len(plot_shares(s).axes[0].collections) == t.shape[1] - 2
    assert len(show_why(s.maps, a.image).axes) >= len(s.maps) + 2

def test_styles_of_a_blend_add_up(photo, painting, painting2, enc):
    both = lambda learn: (style_gradients(learn), term_gradients(learn))
    now = Now(both)
    picture_learner(photo, enc, [ContentLoss(photo, 'relu2_1'), StyleLoss([painting, painting2], WEIGHTS, 5., [2, 1]),
        now, LBFGSStep()], lbfgs(), 1., steps=1).fit(1)
    styles, terms = now.out
    whole = sum(g for n, g in terms.items() if n.startswith('style'))
    assert list(styles) == ['style 1', 'style 2'] and (sum(styles.values()) - whole).norm() < 1e-3*whole.norm()
    s = Shares(3, by_style=True)
    stylize(photo, [painting, painting2], cbs=[s], **FEW)
    assert list(s.maps) == ['content/relu2_1', 'tv', 'style 1', 'style 2']

@pytest.mark.parametrize('kw', [dict(), dict(style_masks=True), dict(blend=[2, 1, 3]), dict(mix='barycentre',
    two=True)], ids=str)
def test_styles_in_regions_add_up(photo, painting, painting2, enc, kw):
    """Each region's styles together pull as the region does, and nobody pulls where its mask is black but by what
    layers see of it"""
    left, kw = (torch.arange(64) < 32).float().expand(1, 1, 64, 64), dict(kw)
    styles, masks = (([painting, painting2], [left, 1 - left]) if kw.pop('two', False)
        else ([painting, painting2, photo.flip(2)], [left, 1 - left, left]))
    if kw.get('style_masks'): kw['style_masks'] = [1 - left[..., :painting.shape[-2], :], *[None]*(len(styles) - 1)]
    now = Now(lambda learn: (style_gradients(learn), term_gradients(learn), list(learn.style_loss.regions)))
    cb = StyleLoss(styles, WEIGHTS, 5., masks=masks, **kw)
    picture_learner(photo, enc, [ContentLoss(photo, 'relu2_1'), cb, now, LBFGSStep()], lbfgs(), 1., steps=1).fit(1)
    pulls, terms, regions = now.out
    whole = sum(g for n, g in terms.items() if n.startswith('style'))
    assert (list(pulls) == [f'style {i + 1}' for i in range(len(styles))]
        and (sum(pulls.values()) - whole).norm() < 1e-3*whole.norm())
    assert (pulls['style 1'][..., :28].norm() > 5*pulls['style 1'][..., 36:].norm()
        and pulls['style 2'][..., 36:].norm() > 5*pulls['style 2'][..., :28].norm())
    assert [mine for _, mine in cb.regions] == [mine for _, mine in regions] and cb.masked

def test_a_style_alone_in_its_region_pulls_as_if_the_others_were_not_there(photo, painting, painting2, enc):
    left, now = (torch.arange(64) < 32).float().expand(1, 1, 64, 64), [Now(style_gradients) for _ in range(2)]
    for n, styles, masks in zip(now, ([painting, painting2], [painting]), ([left, 1 - left], [left])):
        picture_learner(photo, enc, [StyleLoss(styles, WEIGHTS, masks=masks), n, LBFGSStep()], lbfgs(), 1.,
            steps=1).fit(1)
    a, b = (n.out['style 1'] for n in now)
    assert (a - b).norm() < 1e-4*b.norm()

def test_the_map_says_where():
    "A picture that is its own content but for one corner is pulled there"
    g = torch.zeros(1, 3, 32, 32)
    g[..., :8, :8] = 1
    names, best = strongest(gradient_maps({'here': g, 'everywhere': torch.full((1, 3, 32, 32), .1)}))
    assert names[best[2, 2]] == 'here' and names[best[25, 25]] == 'everywhere'

@given(st.lists(st.floats(.05, 20), min_size=3, max_size=3))
@settings(max_examples=8)
def test_balanced_shares_are_what_weights_ask_for(asked):
    from style_nb.encoders import encoder
    from style_nb.gallery import sample
    from style_nb.pictures import load_picture
    photo, painting, enc = load_picture(sample('cat'), 32), load_picture(sample('dots'), 32), encoder('random')
    b, now = Balance(), Now(lambda learn: gradient_shares(term_gradients(learn, learn.balance.where())))
    losses = ContentLoss(photo, 'relu1_2', asked[0]), StyleLoss(painting, {'relu1_1': asked[1], 'relu2_1': asked[2]})
    picture_learner(photo, enc, [*losses, b, now, LBFGSStep()], lbfgs(), 1., steps=1).fit(1)
    want = np.array(asked)/sum(asked)
    assert np.allclose([now.out[n] for n in ('content/relu1_2', 'style/relu1_1', 'style/relu2_1')], want, rtol=1e-3)

def test_balance_is_noted_and_repeats(photo, painting):
    how = FEW | dict(balance=True, style_weight=3., levels=2, size=64)
    a = stylize(photo, painting, **how)
    moves = [m[:2] for m in a.recipe.schedule]
    assert [f for _, f in moves] == ['content_weights', 'style_weights']*2 and moves[0][0] == 0 and moves[2][0] > 0
    again = stylize(photo, painting, recipe=from_json(to_json(a.recipe)), progress=False)
    assert torch.equal(a.state['canvas'], again.state['canvas']) and again.recipe.schedule == a.recipe.schedule
    assert torch.equal(a.state['canvas'], stylize(photo, painting, **how).state['canvas'])
    assert not torch.equal(a.state['canvas'], stylize(photo, painting, **how | dict(balance=False)).state['canvas'])

def test_a_balanced_run_goes_on_where_it_was(photo, painting):
    class StopAt(Callback):
        order = 49
        def __init__(self, n): self.n = n
        def after_step(self):
            self.n -= 1
            if self.n == 0: self.learn.stop.now()
    how = FEW | dict(balance=True, style_weight=3., levels=2, size=64, steps=8)
    whole = stylize(photo, painting, **how)
    for n in (2, 6):
        half = stylize(photo, painting, cbs=[StopAt(n)], **how)
        on = stylize(photo, painting, resume=half, progress=False)
        assert half.state['step'] == n and torch.equal(on.state['canvas'], whole.state['canvas'])

def test_without_balance_nothing_changes(photo, painting):
    assert Recipe().balance is False and stylize(photo, painting, **FEW).recipe.schedule == []

def test_refusals(photo, painting, enc, refused):
    refused(lambda: Shares(0), 'every is 0')
    two = lambda: picture_learner(photo, enc, [StyleLoss([painting, photo], WEIGHTS, mix='barycentre'),
        Now(style_gradients), LBFGSStep()], lbfgs(), 1., steps=1).fit(1)
    with pytest.raises(ValueError, match='barycentre.*mask of its own'): two()
    with pytest.raises(ValueError, match="kind 'gram'"):
        at_first_step(lambda learn: style_gradients(learn.remove_cb(StyleLoss)), photo, painting, enc)
