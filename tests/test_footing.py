"What the code around a run has set in torch: the same picture, the same weights, and nothing used up"
import ast, contextlib, gc, threading, warnings, weakref
from pathlib import Path
import numpy as np, pytest, torch
import style_nb
from style_nb.channels import loudness
from style_nb.comparing import sliced_wasserstein
from style_nb.contrast import match_contrast
from style_nb.encoders import encoder
from style_nb.enlarging import enlarge
from style_nb.footing import check_device, giving_back, own_footing, resident
from style_nb.learner import ContentLoss, StyleLoss, picture_learner
from style_nb.gallery import sample
from style_nb.losses import gram, gram_distance
from style_nb.masks import mask_from_strokes, masks_from_strokes
from style_nb.palettes import palette
from style_nb.reversion import revert
from style_nb.session import Session
from style_nb.starts import NOISES, noise
from style_nb.sweeping import sweep
from style_nb.tiling import tile
from style_nb.transfer import reconstruct, run_transfer, stylize
from style_nb.zoo import STYLE_KINDS

QUICK = dict(size=48, steps=3, levels=1, progress=False)
PLACES = """arange empty eye fftfreq full linspace ones rand randint randn randperm rfftfreq tensor tril_indices
triu_indices zeros""".split()

def made_tensors():
    "(module, line, call) wherever the package makes a tensor of torch's own"
    for path in sorted(Path(style_nb.__file__).parent.glob('*.py')):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute): continue
            if node.func.attr in PLACES and ast.unparse(node.func).startswith('torch.'):
                yield path.name, node.lineno, node

def test_every_tensor_is_made_with_a_type_and_a_device():
    whole = {'randint', 'randperm', 'arange', 'tril_indices', 'triu_indices'}  # int64 by themselves
    loose = []
    for name, line, node in made_tensors():
        said = {k.arg for k in node.keywords}
        floats = any(isinstance(a, ast.Constant) and isinstance(a.value, float) for a in node.args)
        ints = node.func.attr in whole and not floats
        if None in said or 'device' in said and (ints or 'dtype' in said): continue
        loose.append(f'{name}:{line} {ast.unparse(node)}')
    assert not loose

def numbers(value):
    "The bytes of all tensors and pictures in a thing"
    if isinstance(value, torch.Tensor): return [(str(value.dtype), str(value.device), value.detach().numpy().tobytes())]
    if hasattr(value, 'tobytes'): return [value.tobytes()]
    if isinstance(value, dict): return [b for k in sorted(value) for b in numbers(value[k])]
    if isinstance(value, (list, tuple)): return [b for v in value for b in numbers(v)]
    return [repr(value)]

def painted(call):
    r = call()
    return numbers(r.image), numbers({k: v for k, v in r.state.items() if k != 'recipe'})

@pytest.fixture(scope='module')
def calls(photo, painting, painting2):
    "{name: call}; each gives bytes"
    def run(**kw): return lambda: painted(lambda: stylize(photo, painting, **QUICK | kw))
    def held():
        s = Session(photo, painting, size=48, steps=4, device='cpu')
        try:
            s.step(2).settle().set(style_weight=2.)
            s.step(2).settle()
            return s.error, numbers(s.picture), numbers(s.result.state['canvas'])
        finally: s.close()
    half = torch.zeros(1, 1, 64, 64, dtype=torch.float32)
    half[..., :32] = 1
    small = stylize(photo, painting, **QUICK)
    found = {k: run(style_kind=k) for k in STYLE_KINDS}
    found |= {n: lambda n=n: numbers(noise((16, 20), n, 3)) for n in NOISES}
    found |= dict(
        fp32=run(precision='fp32'), bf16=run(precision='bf16'), adam=run(optimizer='adam', average=.9),
        search=run(line_search=True), pyramid=run(size=64, levels=2), random=run(encoder='random', padding='circular'),
        maximum=run(pooling='max', padding='zero'), balance=run(balance=True), finish=run(finish='texnet-small',
        finish_steps=1), keep=run(init=painting2, keep=1.), similar=run(content_kind='self-similarity'),
        noise=run(init='noise', style_kind='gram'), wild=run(init='noise', optimizer='adam', precision='fp32'),
        masks=run(masks=[half], content_mask=half, change_mask=half),
        enlarge=lambda: painted(lambda: enlarge(small, photo, painting, 64, steps=2, progress=False)),
        sweep=lambda: [(o.error, numbers(o.image)) for o in sweep(photo, painting, dict(seed=[0, 1]), **QUICK)],
        session=held,
        barycentre=lambda: painted(lambda: stylize(photo, [painting, painting2], style_mix='barycentre',
            style_weights=['relu1_1', 'relu2_1'], **QUICK)),
        revert=lambda: painted(lambda: revert(painting, photo, size=48, steps=3, progress=False)),
        palette=lambda: painted(lambda: palette(painting, size=48, steps=3, progress=False)),
        reconstruct=lambda: painted(lambda: reconstruct(photo, 'relu2_1', size=48, steps=3, progress=False)),
        tile=lambda: numbers(tile(photo, 3, seams='mirror')),
        jitter=lambda: numbers(tile(photo, 3, seams='blend', place=.1, turn=5., gap=.1)),
        contrast=lambda: numbers(match_contrast(photo, painting)),
        texture=lambda: sliced_wasserstein(photo, painting),
        strokes=lambda: numbers(masks_from_strokes(dict(a=[[(.1, .1), (.6, .5)]], b=[]), (24, 32))),
        mask=lambda: numbers(mask_from_strokes([], (24, 32))),
        loud=lambda: numbers(loudness(torch.arange(48, dtype=torch.float32, device='cpu').view(3, 4, 4).sin(), [0, 2])),
        maps=lambda: numbers(encoder('random')(photo, ['relu1_1', 'relu3_1'])))
    return found

@pytest.fixture(scope='module')
def usual(calls):
    kept = {}
    def find(name):
        if name not in kept: kept[name] = calls[name]()
        return kept[name]
    return find

@contextlib.contextmanager
def switched(switch, to, back):
    switch(to)
    try: yield
    finally:
        switch(back)

@contextlib.contextmanager
def coarse():
    "Products of matrices in few bits, and afterwards they still are"
    with switched(torch.set_float32_matmul_precision, 'medium', 'highest'):
        yield
        assert torch.get_float32_matmul_precision() == 'medium'

@contextlib.contextmanager
def grumpy():
    with warnings.catch_warnings(), np.errstate(all='raise'):
        warnings.simplefilter('error')
        yield

HOSTILE = {
    'float64': lambda: switched(torch.set_default_dtype, torch.float64, torch.float32),
    'bfloat16': lambda: switched(torch.set_default_dtype, torch.bfloat16, torch.float32),
    'meta': lambda: torch.device('meta'),
    'no_grad': torch.no_grad,
    'inference': torch.inference_mode,
    'autocast': lambda: torch.autocast('cpu', torch.bfloat16),
    'off': lambda: switched(torch.set_grad_enabled, False, True),  # for a whole notebook
    'coarse': coarse,
    'repeatable': lambda: switched(torch.use_deterministic_algorithms, True, False),
    'grumpy': grumpy}
SIMPLE = 'no_grad inference off coarse repeatable grumpy'.split()
BAR = 'fp32 bf16 adam noise wild masks revert palette tile enlarge sweep session maps'.split()
MORE = [*STYLE_KINDS, *NOISES, *'''search pyramid random maximum balance finish keep similar barycentre reconstruct
jitter contrast texture strokes mask loud'''.split()]

@pytest.mark.parametrize('around,name', [
    (around, name) for around in HOSTILE for name in (BAR if around in SIMPLE else BAR + MORE)])
def test_the_same_bytes_whatever_is_set_around(calls, usual, name, around):
    want = usual(name)
    with HOSTILE[around](): got = calls[name]()
    assert got == want

@pytest.mark.parametrize('name', BAR)
def test_the_same_bytes_in_four_threads_at_once(calls, usual, name):
    want, got = usual(name), []
    threads = [threading.Thread(target=lambda: got.append(calls[name]())) for _ in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()
    assert got == [want]*4

def test_an_encoder_uses_up_nobodys_random_numbers():
    before = torch.get_rng_state()
    threads = [threading.Thread(target=encoder, args=[name]) for name in ('texnet', 'random')*2]
    for t in threads: t.start()
    for t in threads: t.join()
    assert torch.equal(torch.get_rng_state(), before)

@pytest.mark.parametrize('kind', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('how', [dict(padding='reflect'), dict(padding='circular', pooling='max')], ids=str)
def test_an_encoder_made_in_inference_mode(photo, kind, how):
    with torch.inference_mode(): made = encoder('texnet-small', **how).to(kind)
    want = encoder('texnet-small', **how).to(kind)
    for enc in (made, want):
        chain = enc.slice(['relu2_1'])
        for _ in range(3): enc.seen = chain(enc.normalise(photo))
    assert torch.equal(made.seen, want.seen)

@pytest.mark.parametrize('around', [torch.no_grad, torch.inference_mode, HOSTILE['autocast'], HOSTILE['meta']])
def test_a_learner_made_and_fitted_by_hand(photo, painting, around):
    def fitted():
        learn = picture_learner(photo.clone(), encoder('texnet-small'), [ContentLoss(photo, 'relu2_1'),
            StyleLoss(painting, ['relu1_1', 'relu2_1'])], steps=3)
        learn.fit(1)
        return numbers(learn.model.canvas)
    want = fitted()
    with around(): assert fitted() == want

def test_a_bare_encoder_keeps_its_precision_inside_autocast(photo, painting):
    def slope():
        x = photo.clone().requires_grad_()
        maps = encoder('texnet-small', padding='reflect')(x, ['relu1_1', 'relu2_1'])
        loss = gram_distance(maps['relu2_1'], torch.zeros_like(gram(maps['relu2_1'].detach())))
        loss.backward()
        return *maps.values(), loss.detach(), x.grad
    want = slope()
    with torch.autocast('cpu', torch.bfloat16): got = slope()
    assert numbers(got) == numbers(want)

def test_a_footing_leaves_everything_as_it_was():
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16), torch.device('meta'):
        with own_footing(): assert torch.is_grad_enabled() and torch.zeros(1).device.type == 'cpu'
        assert not torch.is_grad_enabled() and torch.is_autocast_enabled('cpu')
        assert torch.zeros(1).device.type == 'meta'

# ---- memory

def test_what_a_run_held_ends_with_it(monkeypatch):
    held = []
    def let(learn, plan):
        result = run_transfer(learn, plan)
        held.extend(weakref.ref(o) for o in (learn, learn.opt, learn.model, learn.style_loss, plan.enc))
        return result
    stylize(sample('cat'), sample('dots'), **QUICK)  # the first one has torch import something, in a circle of its own
    gc.collect()
    monkeypatch.setattr('style_nb.transfer.run_transfer', let)
    gc.disable()  # no need to look for circles
    try:
        stylize(sample('cat'), sample('dots'), **QUICK)
        assert held and not [o for o in held if o() is not None]
    finally: gc.enable()

def test_much_memory_is_given_back_and_little_is_kept():
    @giving_back(10**8)
    def take(n): return len(bytearray(n))
    before = resident()
    take(4*10**8)
    assert resident() - before < 10**8
    with giving_back(), pytest.raises(KeyError): {}[take(4*10**8)]
    assert resident() - before < 10**8

@pytest.mark.parametrize('name', ['xpu', 'hpu', 'cuda:99'])
def test_a_device_that_torch_cannot_use_is_refused(name, refused):
    refused(lambda: check_device(name), name)
