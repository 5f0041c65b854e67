"Enlarging: the start term, and the look at other sizes"
import pytest, torch, torch.nn.functional as F
from fastai.callback.core import Callback
from style_nb.enlarging import enlarge, fine_energy, look_drift
from style_nb.callbacks import History
from style_nb.encoders import encoder
from style_nb.learner import StartLoss, picture_learner
from style_nb.pictures import load_picture, resize
from style_nb.recipe import Recipe
from style_nb.transfer import stylize

FEW = dict(content_weights='relu2_1', style_weights=['relu1_1', 'relu2_1'], progress=False)

def test_start_term_formula(photo):
    "|D(x) - s|^2 / |s - mean s|^2 with D the reduction to the start's size"
    x, s = load_picture(photo, 48), torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    x = F.interpolate(x, (32, 48))
    learn = picture_learner(x, encoder('random'), [StartLoss(s, 3.), History()], steps=1, lr=1e-9)
    learn.fit(1)
    seen = F.interpolate(x.double(), (16, 24), mode='bicubic', antialias=True, align_corners=False)
    want = (seen - s).square().sum()/(s.double() - s.double().mean((2, 3), keepdim=True)).square().sum()
    assert (float(learn.terms['start']) == pytest.approx(float(want), rel=1e-4)
        and learn.history.table.loss[0] == pytest.approx(3*float(want), rel=1e-4))

@pytest.mark.parametrize('hw', [(16, 24), (32, 48), (40, 56)])
def test_start_term_has_the_gradient_of_interpolate_without_its_way_back(hw):
    "Smaller than the start, as large, and larger: interpolate's own way back adds up in any order on a GPU"
    g = torch.Generator().manual_seed(0)
    x, s = torch.rand(1, 3, *hw, generator=g), torch.rand(1, 3, 32, 48, generator=g)
    grads, nodes = [], []
    class Watch(Callback):
        order = 90
        def after_loss(self):
            grads.append(torch.autograd.grad(self.learn.loss_grad, self.learn.model.canvas, retain_graph=True)[0])
            todo = [self.learn.loss_grad.grad_fn]
            while todo:
                node = todo.pop()
                nodes.append(node.name())
                todo += [o for o, _ in node.next_functions if o]
    picture_learner(x, encoder('random'), [StartLoss(s), Watch()], steps=1, lr=1e-9).fit(1)
    y = x.clone().requires_grad_()
    seen = y if hw == (32, 48) else F.interpolate(y, (32, 48), mode='bicubic', antialias=True, align_corners=False)
    ((seen - s).square().sum()/(s - s.mean((2, 3), keepdim=True)).square().sum()).backward()
    assert torch.allclose(grads[0], y.grad, atol=1e-5*y.grad.abs().max()) and not any('Upsample' in n for n in nodes)

def test_start_term_leaves_fine_detail_free():
    "A checkerboard of single pixels cannot be seen at half the size; what is clipped when shown, is clipped"
    s = .35 + .3*torch.rand(1, 3, 16, 16)
    x = F.interpolate(s, (64, 64), mode='bicubic')
    board = .2*((torch.arange(64)[:, None] + torch.arange(64)) % 2*2. - 1).expand(1, 3, 64, 64)
    terms = []
    for y in (x, x + board, x + .2, x + 9, torch.ones_like(x)):
        learn = picture_learner(y, encoder('random'), [StartLoss(s)], steps=1, lr=1e-9)
        learn.fit(1)
        terms.append(float(learn.terms['start']))
    assert abs(terms[1] - terms[0]) < .02*terms[2] and terms[3] == pytest.approx(terms[4], rel=1e-5)

@pytest.fixture(scope='module')
def runs(request):
    from style_nb.gallery import sample
    photo, painting = load_picture(sample('cat'), 200), load_picture(sample('woodcut'), 300)
    how = dict(progress=False, steps=30)
    small = stylize(photo, painting, size=64, **how)
    return (photo, painting, small, enlarge(small, photo, painting, 192, steps=24, progress=False),
        stylize(photo, painting, size=192, **how))

def test_the_look_is_kept(runs):
    _, _, small, large, untied = runs
    a, b = look_drift(large, small), look_drift(untied, small)
    assert all(a[k] < .5*b[k] for k in a), (a, b)
    assert fine_energy(large, 64) > .5*fine_energy(untied, 64)

def test_blowing_up_is_no_answer(runs):
    _, _, small, large, untied = runs
    blown = resize(load_picture(small), load_picture(large).shape[-2:])
    assert fine_energy(blown, 64) < .2*fine_energy(untied, 64)

def test_enlarged_run_is_a_run_like_any_other(runs, tmp_path):
    "Its PNG carries the recipe, and the recipe with the small picture gives the same picture again"
    photo, painting, small, large, _ = runs
    r = Recipe.load(large.save(tmp_path/'large.png'))
    assert (r.keep > 0 and r.init == 'picture' and r.start['size'] == list(small.image.size)
        and min(large.history.width) > small.image.width)
    again = stylize(photo, painting, r, init=small.image, progress=False)
    assert again.image.tobytes() == large.image.tobytes()

def test_resumed(runs, tmp_path):
    photo, painting, small, large, _ = runs
    class StopAt(Callback):
        def after_step(self):
            if self.learn.controls.step == 17: self.learn.stop.now()
    half = enlarge(small, photo, painting, 192, steps=24, progress=False, cbs=[StopAt()])
    whole = stylize(photo, painting, resume=half.save_state(tmp_path/'half.safetensors'), progress=False)
    assert whole.image.tobytes() == large.image.tobytes()

def test_bad_input(runs, refused):
    photo, painting, small, *_ = runs
    refused(lambda: enlarge(small, photo, painting, 64), 'give a larger size')
    refused(lambda: enlarge(photo, photo, painting, 640), 'give the Result')
    refused(lambda: stylize(photo, painting, keep=1., size=48, steps=2, **FEW), 'no start picture')
    refused(lambda: stylize(photo, painting, keep=-1.), 'keep is -1')
