"Dreams: steps of one size, octaves, wishes, channels, guides, and the command line"
import signal, threading
import numpy as np, pytest, torch
from PIL import Image
from style_nb.callbacks import History
from style_nb.cli import main
from style_nb.dreams import *
from style_nb.encoders import encoder
from style_nb.gallery import sample
from style_nb.learner import ContentLoss, StyleLoss, StepCallback, picture_learner
from style_nb.octaves import *
from style_nb.pictures import load_picture, resize, save_picture
from style_nb.wishes import Resemble

FEW = dict(size=64, octaves=2, steps=3, jitter=3, progress=False)

class Seen(StepCallback):
    "What the encoder was shown, and the canvas before and after each step"
    order = 9
    def __init__(self): self.shown, self.before, self.after = [], [], []
    def after_pred(self): self.shown.append(self.pred.detach().clone())
    def before_step(self): self.before.append(self.canvas.detach().clone())
    def after_step(self): self.after.append(self.canvas.detach().clone())

# ---- steps

def test_a_step_has_one_size_and_goes_uphill():
    g = torch.randn(1, 3, 33, 46, generator=torch.Generator().manual_seed(0))
    for how in ((0, 0), (.5, 0), (2, 0), (0, 1), (.5, .7), (2, 1)):
        for size in (1e-12, 1, 1e12):
            step = even_step(size*g, *how)
            assert float(step.abs().mean()) == pytest.approx(1, rel=1e-4) and float((step*g).sum()) > 0, how
    assert torch.equal(even_step(torch.zeros(1, 3, 9, 9)), torch.zeros(1, 3, 9, 9))

def test_softness_is_a_symmetric_matrix_that_weakens_each_wave_by_its_power():
    "A cosine that fits the mirrored picture stays itself; <a, S b> = <S a, b>"
    def wave(k): return (torch.pi*k*(torch.arange(64, dtype=torch.float64) + .5)/64).cos().expand(1, 3, 64, 64)
    def factor(k, power):
        made = even_step(wave(k) + 0*wave(1), power, 0)
        assert float(torch.nn.functional.cosine_similarity(made.flatten(), wave(k).float().flatten(), 0)) > .9999
    for k in (1, 5, 30): factor(k, 1.)
    both = wave(4) + wave(32)
    made = even_step(both, 1., 0).double()
    shares = [float((made*wave(k)).mean()/wave(k).square().mean()) for k in (4, 32)]
    assert shares[0]/shares[1] == pytest.approx(8, rel=1e-3)

def test_natural_colours_keep_grey_and_weaken_red_against_blue():
    grey, odd = torch.ones(1, 3, 8, 8), torch.tensor([1., 0, -1]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    made = even_step(grey + odd, 0, 1.)
    def part(x, of): return float((x*of).mean()/of.square().mean())
    assert part(made, odd)/part(made, grey) < .2
    as_it_is = even_step(grey + odd, 0, 0.)
    assert part(as_it_is, odd)/part(as_it_is, grey) == pytest.approx(1, rel=1e-5)

def test_a_step_moves_the_average_pixel_by_its_size(photo):
    seen = Seen()
    dream(.25 + .5*photo, cbs=seen, step_size=.004, step_end=1., **FEW)
    for a, b in zip(seen.before, seen.after): assert float((a - b).abs().mean()) == pytest.approx(.004, rel=.02)

# ---- jitter and octaves

def test_jitter_rolls_without_a_seam(photo):
    "What is shown is a window of the mirrored picture, in each step another one"
    seen = Seen()
    dream(photo, cbs=seen, **FEW | dict(octaves=1, steps=6))
    tops = set()
    for x, canvas in zip(seen.shown, seen.before):
        wide = torch.nn.functional.pad(canvas, (3,)*4, 'reflect')
        at = [(y, z) for y in range(7) for z in range(7) if torch.equal(x, wide[..., y:y + 64, z:z + 64])]
        assert len(at) == 1
        tops |= {*at}
    assert len(tops) > 3

def test_an_octave_keeps_the_detail_of_the_photo():
    photo = load_picture(sample('astronaut'), 96)
    kept = dream(photo, step_size=1e-6, **FEW | dict(size=96, octaves=3, octave_scale=1.6))
    soft = resize(resize(photo, 38), 96)
    near = float((load_picture(kept) - photo).abs().mean())
    assert near < .01 and near < .2*float((soft - photo).abs().mean())

def test_octaves_rise_to_the_size_asked_for(photo):
    h = dream(photo, 'relu4_1', **FEW | dict(octaves=3, octave_scale=1.5)).history
    assert h.groupby('level').height.first().tolist() == [28, 43, 64] and len(h) == 9
    assert octave_shapes((30, 60), 2, 2.) == [(15, 30), (30, 60)]

# ---- wishes

def test_a_layer_and_a_channel_rise(photo):
    for enc, layer in (('texnet', 'relu4_1'), ('random', 'relu3_1')):
        for channel in (None, 5, [5, 9]):
            h = dream(photo, layer, channel, encoder=enc, **FEW | dict(octaves=1, steps=12, jitter=0)).history
            name = f'dream/{layer}' if channel is None else f'dream/{layer.replace("relu", "conv")}'
            assert h[name].iloc[-1] > h[name].iloc[0] + .1*abs(h[name].iloc[0]), (enc, channel)

def test_a_channel_that_is_silent_has_a_gradient():
    "After its ReLU it would be 0 everywhere"
    enc = encoder('texnet', padding='reflect')
    flat = torch.full((1, 3, 64, 64), .5)
    grain = flat + 1e-3*torch.randn(flat.shape, generator=torch.Generator().manual_seed(0))
    maps = enc(grain, 'relu4_1')['relu4_1'].amax((0, 2, 3))
    silent = int(maps.argmin())
    assert maps[silent] == 0
    h = dream(grain, 'relu4_1', silent, **FEW | dict(octaves=1, steps=10)).history['dream/conv4_1']
    assert h.iloc[-1] > h.iloc[0] + .1

def test_the_value_is_that_of_the_maps(photo):
    enc = encoder('texnet', padding='reflect')
    h = dream(photo, 'relu3_1', 4, precision='fp32', **FEW | dict(octaves=1, steps=1, jitter=0)).history
    assert h['dream/conv3_1'][0] == pytest.approx(float(enc(photo, 'conv3_1')['conv3_1'][:, 4].mean()), rel=1e-4)
    h = dream(photo, 'relu3_1', precision='fp32', **FEW | dict(octaves=1, steps=1, jitter=0)).history
    assert h['dream/relu3_1'][0] == pytest.approx(float(enc(photo, 'relu3_1')['relu3_1'].square().mean()), rel=1e-4)

def test_layers_weigh_the_same_whatever_their_values(photo):
    "Each is measured by what it was: the first loss is minus the sum of weights"
    h = dream(photo, {'relu2_1': 1., 'relu4_1': 2.}, **FEW | dict(octaves=1, steps=2, jitter=0)).history
    assert h.loss[0] == pytest.approx(-3, rel=1e-4)
    alone = dream(photo, {'relu2_1': 1., 'relu4_1': 0.}, **FEW)
    assert [c for c in alone.history if c.startswith('dream')] == ['dream/relu2_1']

def test_a_guide_leads_to_itself_and_not_elsewhere(photo, painting, painting2):
    "The dream is nearer to its own guide than one with another guide is"
    how = FEW | dict(steps=8)
    made = [dream(photo, 'relu3_1', guide=g, **how) for g in (painting, painting2)]
    enc = encoder('texnet', padding='reflect')
    def likeness(x, guide):
        learn = picture_learner(load_picture(x), enc, [Resemble(guide, {'relu3_1': 1.}), History()], even(), steps=1)
        learn.fit(1)
        return learn.history.table['guide/relu3_1'][0]
    for own, other, guide in ((0, 1, painting), (1, 0, painting2)):
        assert likeness(made[own], guide) > likeness(made[other], guide)
    assert made[0].recipe.guide['size'] == [64, 48] or made[0].recipe.guide['sha256'] != made[1].recipe.guide['sha256']

# ---- what came out

def test_the_same_seed_dreams_the_same_dream(photo):
    a, b, c = (dream(photo, seed=seed, **FEW).image.tobytes() for seed in (3, 3, 4))
    assert a == b != c

def test_the_callers_random_numbers_are_left_alone(photo):
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    dream(photo, **FEW)
    feature_picture('relu3_1', 2, **FEW)
    assert torch.equal(torch.rand(3), wanted)

def test_a_png_carries_the_recipe_and_gives_the_dream_again(photo, tmp_path):
    made = dream(photo, 'relu3_1', 7, seed=2, softness=.3, **FEW)
    path = made.save(tmp_path/'a.png')
    assert dream_recipe(path) == made.recipe
    again = dream(photo, recipe=path, progress=False)
    assert again.image.tobytes() == made.image.tobytes()
    assert dream(photo, recipe=path, channel=8, progress=False).image.tobytes() != made.image.tobytes()
    assert made.save(tmp_path/'a.jpg').exists() and repr(made).startswith('Dream: 64x64 px, 6 steps')

def test_frames_and_an_animation(photo, tmp_path):
    made = dream(photo, snapshots=2, **FEW)
    assert [step for step, _ in made.frames] == [2, 4, 6]
    with Image.open(made.animate(tmp_path/'a.gif')) as film: assert film.size == (64, 64) and film.n_frames > 2
    assert len(made.show().axes) == 2 and made.plot_losses().axes

def test_what_is_transparent_stays_so(tmp_path):
    x = Image.new('RGBA', (64, 48), 'orange')
    x.putalpha(Image.linear_gradient('L').resize((64, 48)))
    made = dream(x, **FEW | dict(octaves=1))
    with Image.open(made.save(tmp_path/'a.png')) as im: assert im.mode == 'RGBA'

class StopAt(StepCallback):
    "Ctrl-C after so many steps"
    order = 1
    def __init__(self, step): self.step = step
    def after_step(self):
        self.step -= 1
        if not self.step: signal.raise_signal(signal.SIGINT)

def test_ctrl_c_keeps_the_dream_so_far(photo, interruptible):
    made = dream(photo, cbs=StopAt(2), **FEW)
    assert made.stopped == 'stopped by hand' and len(made.history) == 2 and made.image.size == (64, 64)
    with pytest.raises(KeyboardInterrupt): signal.raise_signal(signal.SIGINT)  # it is Python's again

def test_in_a_thread(photo):
    found = []
    t = threading.Thread(target=lambda: found.append(dream(photo, **FEW)))
    t.start()
    t.join()
    assert found[0].image.tobytes() == dream(photo, **FEW).image.tobytes()

# ---- a channel's own picture, and other wishes

def test_a_feature_picture_is_its_channels_own():
    "The channel is louder in its own picture than in those of others"
    channels, enc = [3, 20, 41], encoder('texnet', padding='reflect')
    made = [feature_picture('relu3_1', c, size=64, octaves=1, steps=12, jitter=4, progress=False) for c in channels]
    for c in channels:
        loud = [float(enc(load_picture(m), 'conv3_1')['conv3_1'][:, c].mean()) for m in made]
        assert int(np.argmax(loud)) == channels.index(c)

def test_content_and_style_are_wishes_too(photo, painting):
    how = FEW | dict(octaves=1, steps=20, jitter=0, softness=0., natural=0.)
    content = follow(painting, ContentLoss(photo, 'relu2_1'), **how).history
    style = follow(photo, [StyleLoss([painting], ['relu1_1', 'relu2_1'], 1.)], **how).history
    assert content.loss.iloc[-1] < .7*content.loss[0] and style.loss.iloc[-1] < .5*style.loss[0]

@pytest.mark.parametrize('kw,words', [
    (dict(layer='relu9_1'), ["relu9_1"]), (dict(layer='relu3_1', channel=9999), ['channel of relu3_1 is 9999']),
    (dict(layer='relu1_1', channel=300), ['channel of relu1_1 is 300']),
    (dict(layer=['relu1_1', 'relu2_1'], channel=3), ['give one layer']),
    (dict(layer={'relu1_1': 0}), ['No layer dreams']),
    (dict(guide=0), ['give']), (dict(octaves=9), ['fewer octaves']), (dict(jitter=60), ['less jitter']),
    (dict(octave_scale=.5), ['octave_scale is 0.5']), (dict(step=3), ["Unknown setting of a dream 'step'", 'steps']),
    (dict(recipe='none.png'), ['There is no file']),
    (dict(layer='relu3_1', channel=1, guide=sample('dots')), ['leave channel or guide'])])
def test_refusals(refused, photo, kw, words): refused(lambda: dream(photo, **FEW | kw), *words)

def test_more_refusals(refused, photo, tmp_path):
    save_picture(photo, tmp_path/'plain.png')
    refused(lambda: dream(photo, recipe=tmp_path/'plain.png'), 'carries no dream')
    refused(lambda: follow(photo, []), 'terms has no loss')
    refused(lambda: follow(photo, [3]), 'a term is an int')
    refused(lambda: follow(photo, ContentLoss(photo, 'relu2_1')), 'jitter=0')
    refused(lambda: dream(photo, **FEW).save_state(tmp_path/'a.safetensors'), 'has no state')

# ---- command line

@pytest.fixture
def files(tmp_path, photo, painting):
    save_picture(photo, tmp_path/'photo.png')
    save_picture(painting, tmp_path/'guide.png')
    return tmp_path

WORDS = '--size 64 --octaves 2 --steps 2 --jitter 3 -q'.split()

def test_command_line(files, photo, capsys):
    out = files/'out.png'
    assert main(['dream', str(files/'photo.png'), '-o', str(out), '--layer', 'relu4_1', '--channel', '7', *WORDS]) == 0
    made = dream(files/'photo.png', 'relu4_1', 7, **FEW | dict(steps=2))
    assert np.array_equal(np.asarray(Image.open(out)), np.asarray(made.image)) and dream_recipe(out) == made.recipe
    assert main(['dream', str(files/'photo.png'), '-o', str(files/'g.png'), '--guide', str(files/'guide.png'),
        '--animate', str(files/'g.gif'), *WORDS]) == 0
    assert dream_recipe(files/'g.png').guide and (files/'g.gif').exists()
    assert main(['dream', '-o', str(files/'c.png'), '--layer', 'relu3_1', '--channel', '7', *WORDS]) == 0
    assert Image.open(files/'c.png').size == (64, 64)

def test_a_film_that_cannot_be_costs_no_picture(files):
    words = ['-o', str(files/'a.png'), '--animate', str(files/'a.gif'), '--snapshots', '0', *WORDS]
    with pytest.warns(UserWarning, match='No film is written'):
        assert main(['dream', str(files/'photo.png'), *words]) == 0
    assert (files/'a.png').exists() and not (files/'a.gif').exists()

@pytest.mark.parametrize('words,said,code', [
    (['--layer', 'relu4_1', '--channel', '900'], 'channel', 2), (['--octaves', '0'], '--octaves', 2),
    (['--animate', 'a.txt'], '.gif', 1), (['--recipe', 'none.png'], 'There is no file', 1)])
def test_command_line_refuses(files, capsys, words, said, code):
    assert main(['dream', str(files/'photo.png'), '-o', str(files/'out.png'), *words]) == code
    err = capsys.readouterr().err
    assert said in err and len(err.splitlines()) == 1 and not (files/'out.png').exists()

def test_without_a_photo_a_channel_is_needed(files, capsys):
    assert main(['dream', '-o', str(files/'out.png')]) == 1
    assert 'Without a photo' in capsys.readouterr().err

def test_no_channel_is_refused(photo, refused):
    refused(lambda: dream(photo, 'relu4_1', [], **FEW), 'channel has no number')

def test_what_is_wrong_is_named_as_it_was_said(tmp_path, photo, capsys):
    save_picture(photo, tmp_path/'p.png')
    words = f'dream {tmp_path}/p.png -o {tmp_path}/d.png -q'.split()
    wrong = {
        '--layer relu1_1 --channel 9999': 'channel of relu1_1 is 9999: give a whole number, at least 0 and at most 31.',
        '--size 20 --octaves 1': 'The only octave is',
        '--guide wave': 'wave is a stored style, numbers without a picture'}
    for more, said in wrong.items():
        assert main([*words, *more.split()]) != 0
        err = capsys.readouterr().err
        assert said in err and err.count('\n') == 1 and not (tmp_path/'d.png').exists()
