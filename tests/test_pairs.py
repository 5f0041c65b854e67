"Pairs of paintings and photos: made, killed and continued, refused, and cut into squares"
import os, signal, time
import pandas as pd, pytest, torch
from fastai.data.transforms import get_image_files
from forked import Program
from PIL import Image
from style_nb.cli import main
from style_nb.gallery import sample
from style_nb.painting import paint
from style_nb.paired import Pairs, named_pictures
from style_nb.pairs import hand_pairs, pairs
from style_nb.pictures import load_picture, to_pil
from style_nb.recipe import Recipe, png_note
from style_nb.reversion import revert
from style_nb.sitters import rank_photos

FEW = dict(size=64, steps=2, encoder='texnet-small', progress=False)
SMALL = dict(size=64, progress=False)

@pytest.fixture
def given(tmp_path):
    "Folders `paintings` and `photos`, and `out`, which is not there"
    for place, names in dict(paintings=('swirls', 'dots'), photos=('astronaut', 'coffee', 'rocket')).items():
        (tmp_path/place).mkdir()
        for name in names: to_pil(load_picture(sample(name), 80)).save(tmp_path/place/f'{name}.png')
    return tmp_path

def times(folder): return {p: p.stat().st_mtime_ns for p in folder.rglob('*.png')}

def same(a, b): return a.size == b.size and a.tobytes() == b.tobytes()

def test_each_painting_is_reverted_with_the_photo_that_ranks_first(given):
    got = pairs(given/'paintings', given/'photos', given/'out', **FEW)
    assert got.names == ['000_dots', '001_swirls'] and got.failed == {}
    for name, painting in zip(got.names, ('dots', 'swirls')):
        ranked = rank_photos(given/f'paintings/{painting}.png', named_pictures(given/'photos', 'photo'), 64)
        row = got.table.loc[name]
        assert (row.painting, row.photo) == (f'{painting}.png', ranked.index[0])
        assert row.score == pytest.approx(ranked.score.iloc[0], rel=1e-3)
        assert 0 <= row['new dark'] <= 1 and row.fidelity > 0 and row.seconds > 0
        r = Recipe.load(given/f'out/photos/{name}.png')
        assert (r.steps, r.encoder, r.content['name'], r.name) == (2, 'texnet-small', f'{painting}.png', 'revert')
    assert all(a.size == b.size and max(a.size) == 64 for a, b in got)

def test_fastai_finds_both_by_one_name(given):
    hand_pairs('mosaic', given/'photos', given/'out', **SMALL)
    files = get_image_files(given/'out/photos')
    assert len(files) == 3 and all((given/'out/paintings'/f.name).is_file() for f in files)
    table = pd.read_csv(given/'out/pairs.csv', index_col='name')
    assert sorted(table.index) == sorted(f.stem for f in files) and {*table.hand} == {'mosaic'}

def test_several_photos_for_a_painting_are_the_best_ones(given):
    got = pairs(given/'paintings/dots.png', given/'photos', given/'out', each=2, **FEW)
    ranked = rank_photos(given/'paintings/dots.png', named_pictures(given/'photos', 'photo'), 64)
    assert list(got.table.photo) == list(ranked.index[:2]) and got.names == ['000_dots_1', '001_dots_2']

def test_a_hand_paints_what_the_table_says(given):
    got = hand_pairs(['ink', 'dots'], given/'photos', given/'out', brush=(.5, 1), **SMALL)
    assert len(got) == 6 and got.table.brush.between(.5, 1).all() and got.table.brush.nunique() == 6
    for (painting, photo), row in zip(got, got.table.itertuples()):
        again = paint(row.hand, given/'photos'/row.photo, 64, row.seed, row.brush)
        assert same(painting, again)
        truth = to_pil(load_picture(given/'photos'/row.photo)).resize(photo.size, Image.LANCZOS)
        assert abs(load_picture(photo) - load_picture(truth)).max() < .02

def test_a_small_picture_is_not_enlarged(given):
    got = hand_pairs('mosaic', given/'photos', given/'out', size=512, progress=False)
    assert {max(photo.size) for _, photo in got} == {80}

SCRIPT = '''
from style_nb.pairs import hand_pairs, pairs
import sys
if sys.argv[1] == 'hand': hand_pairs(['swirls', 'dots', 'ink'], 'photos', 'out', size=80, progress=False)
else: pairs('paintings', 'photos', 'out', each=3, size=64, steps=12, encoder='texnet-small', progress=False)
'''

@pytest.mark.parametrize('how,n', [('hand', 9), ('revert', 6)])
def test_killed_it_goes_on(given, how, n):
    "What was there stays as it was, and in the end it is what an undisturbed call makes"
    p = Program(SCRIPT, given, how)
    done = lambda: len([f for f in (given/'out/photos').glob('[!.]*.png')]) if (given/'out').exists() else 0
    end = time.time() + 300
    while done() < 2 and p.is_alive() and time.time() < end: time.sleep(.02)
    os.killpg(p.pid, signal.SIGKILL)
    assert p.ended() == -signal.SIGKILL, f'it ended by itself: {p.said()}'
    before = {given/'out'/place/f'{name}.png' for name in Pairs(given/'out').names for place in ('paintings', 'photos')}
    stamps = {f: f.stat().st_mtime_ns for f in before}
    assert 4 <= len(before) < 2*n
    for folder in ('out', 'whole'):
        if how == 'hand':
            got = hand_pairs(['swirls', 'dots', 'ink'], given/'photos', given/folder, size=80, progress=False)
        else: got = pairs(given/'paintings', given/'photos', given/folder, each=3, **FEW | dict(steps=12))
        assert len(got) == n and not got.failed
    assert {f: f.stat().st_mtime_ns for f in before} == stamps
    a, b = Pairs(given/'out'), Pairs(given/'whole')
    assert a.names == b.names and all(same(x, y) for one, other in zip(a, b) for x, y in zip(one, other))
    assert list(pd.read_csv(given/'out/pairs.csv').name) == a.names
    assert not [*given.rglob('.part-*')]

def test_workers_make_the_same(given):
    one = hand_pairs(['dots', 'mosaic'], given/'photos', given/'one', **SMALL)
    two = hand_pairs(['dots', 'mosaic'], given/'photos', given/'two', workers=2, **SMALL)
    assert one.names == two.names and all(same(x, y) for a, b in zip(one, two) for x, y in zip(a, b))

def test_what_is_damaged_is_made_again_and_no_other(given):
    got = hand_pairs('mosaic', given/'photos', given/'out', **SMALL)
    before = times(given/'out')
    broken = given/f'out/paintings/{got.names[1]}.png'
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-40])
    assert hand_pairs('mosaic', given/'photos', given/'out', **SMALL).names == got.names
    assert same(Image.open(broken), got[1][0])
    after = times(given/'out')
    changed = {p.name for p in after if after[p] != before[p]}
    assert changed == {broken.name}

def test_more_paintings_are_added(given):
    pairs(given/'paintings/dots.png', given/'photos', given/'out', **FEW)
    before = times(given/'out')
    assert pairs(given/'paintings', given/'photos', given/'out', **FEW).names == ['000_dots', '001_swirls']
    after = times(given/'out')
    assert {p: after[p] for p in before} == before

def test_a_failure_does_not_end_the_rest(given, capsys):
    (given/'paintings/bad.png').write_text('no picture')
    (given/'photos/bad.png').write_text('no picture')
    got = pairs([given/'paintings', 'lost.png'], given/'photos', given/'out', **FEW)
    assert len(got) == 2 and sorted(got.failed) == ['bad.png', 'lost.png']
    assert 'bad.png' in got.failed['bad.png'] or 'not a picture' in got.failed['bad.png']
    assert 'lost.png' in capsys.readouterr().err

def test_ctrl_c_keeps_what_is_there(given, monkeypatch, capsys):
    import style_nb.pairs as P
    real, calls = P.paint, []
    def stopped(*words):
        calls.append(1)
        if len(calls) == 3: raise KeyboardInterrupt
        return real(*words)
    monkeypatch.setattr(P, 'paint', stopped)
    got = hand_pairs('mosaic', given/'photos', given/'out', **SMALL)
    assert len(got) == 2 and 'run it again to go on' in capsys.readouterr().err
    assert len(hand_pairs('mosaic', given/'photos', given/'out', **SMALL)) == 3

def test_refused_in_one_line(given, refused):
    out = given/'out'
    made = lambda *words, **how: pairs(given/'paintings', given/'photos', *words, **FEW | how)
    refused(lambda: made(out, each=4), '3 photos can be read', 'at least 4')
    refused(lambda: made(out, stepz=3), "Did you mean 'steps'")
    refused(lambda: made(out, steps=-1), 'steps is -1')
    refused(lambda: made(out, encoder='vgg17'), 'vgg17')
    refused(lambda: made(out, contrast=9), 'contrast is 9')
    refused(lambda: made(out, keep=-1), 'keep is -1')
    refused(lambda: made(out, init=torch.zeros(1, 3, 8, 8)), 'can be written down')
    refused(lambda: made(out, size=20), 'size is 20')
    refused(lambda: pairs([], given/'photos', out), 'There is no painting')
    refused(lambda: pairs(given/'paintings', given/'none', out, **FEW), '0 photos can be read')
    refused(lambda: hand_pairs('rembrandt', given/'photos', out), 'Unknown painter')
    refused(lambda: hand_pairs('dots', given/'photos', out, brush=(1, .5)), 'brush is 0.5')
    refused(lambda: hand_pairs('dots', given/'photos', out, brush=(1, 2, 3)), '(smallest, largest)')
    refused(lambda: hand_pairs('dots', given/'photos', out, workers=0), 'workers is 0')
    refused(lambda: Pairs(given), 'There are no pairs in')
    assert not [*out.rglob('*.png')]

def test_other_settings_are_refused(given, refused):
    hand_pairs('mosaic', given/'photos', given/'hand', **SMALL)
    before = times(given/'hand')
    refused(lambda: hand_pairs('mosaic', given/'photos', given/'hand', size=48, progress=False), 'size 64, not 48')
    refused(lambda: pairs(given/'paintings', given/'photos', given/'hand', **FEW), "made with by 'hand', not 'revert'")
    assert times(given/'hand') == before
    pairs(given/'paintings/dots.png', given/'photos', given/'out', **FEW)
    refused(lambda: pairs(given/'paintings', given/'photos', given/'out', **FEW | dict(match=3.)), 'match')
    refused(lambda: pairs(given/'paintings', given/'photos/coffee.png', given/'out', **FEW), 'from other photos')
    (given/'own/photos').mkdir(parents=True)
    to_pil(load_picture(sample('coffee'), 64)).save(given/'own/photos/mine.png')
    refused(lambda: hand_pairs('mosaic', given/'photos', given/'own', **SMALL), 'mine.png is none of a pair')

def test_pictures_of_others_are_not_replaced(given, refused):
    "One that no pair wrote, though it is named like one, and one that was saved again"
    (given/'own/photos').mkdir(parents=True)
    mine = given/'own/photos/000_mosaic_coffee.png'
    to_pil(load_picture(sample('coffee'), 64)).save(mine)
    before = mine.read_bytes()
    refused(lambda: hand_pairs('mosaic', given/'photos', given/'own', **SMALL), mine.name, 'would be replaced')
    assert mine.read_bytes() == before
    got = hand_pairs('mosaic', given/'photos', given/'out', **SMALL)
    retouched = given/f'out/paintings/{got.names[0]}.png'
    Image.open(retouched).rotate(180).save(retouched)
    before = times(given/'out')
    refused(lambda: hand_pairs('mosaic', given/'photos', given/'out', **SMALL), retouched.name, 'would be replaced')
    assert times(given/'out') == before

def test_pairs_may_begin_with_the_paint_taken_off(given, refused):
    got = pairs(given/'paintings/dots.png', given/'photos', given/'out', start='unpainted', keep=None, **FEW)
    assert Recipe.load(given/f'out/photos/{got.names[0]}.png').revert['start'] == 'unpainted'
    none = given/'none'
    refused(lambda: pairs(given/'paintings', given/'photos', none, start='nowhere', **FEW), 'start', 'unpainted')

def test_a_recipe_is_known_by_what_is_in_it(given, refused):
    file, few = given/'r.png', {k: v for k, v in FEW.items() if k in ('size', 'progress')}
    works = [given/f'paintings/{name}.png' for name in ('dots', 'swirls')]
    revert(*works, **FEW).save(file)
    got = pairs(works[0], given/'photos', given/'out', recipe=str(file), **few)
    assert str(given) not in (given/'out/pairs.csv').read_text() and len(got) == 1
    revert(*works, contrast=.5, **FEW).save(file)
    refused(lambda: pairs(works, given/'photos', given/'out', recipe=str(file), **few), 'made with recipe')

@pytest.fixture
def opened(given): return hand_pairs(['mosaic', 'facets'], given/'photos', given/'out', **SMALL)

def test_squares_of_both_are_cut_alike(opened):
    dls = opened.dataloaders(size=32, bs=4, valid=0)
    for seen, wanted in dls.train:
        assert seen.shape == wanted.shape == (4, 3, 32, 32) and seen.dtype == torch.float32
    def places(square, whole):
        "Where in a picture it is, mirrored or not"
        for flip in (False, True):
            one = square.flip(-1) if flip else square
            for y in range(whole.shape[1] - 31):
                for x in range(whole.shape[2] - 31):
                    if torch.equal(whole[:, y:y + 32, x:x + 32], one): yield flip, y, x
    painting, photo = (load_picture(im)[0] for im in opened[0])
    seen, wanted = dls.train_ds[0]
    found = {*places(seen, photo)} & {*places(wanted, painting)}
    assert len(found) == 1

def test_squares_change_and_come_again_by_the_seed(opened):
    batches = lambda seed: [b[0] for _ in range(2) for b in opened_by(seed).train]
    kept = {}
    def opened_by(seed): return kept.setdefault(seed, opened.dataloaders(size=32, bs=2, valid=0, seed=seed))
    first = batches(0)
    assert len(first) == 6 and not any(torch.equal(a, b) for i, a in enumerate(first) for b in first[:i])
    kept.clear()
    assert all(map(torch.equal, first, batches(0)))
    assert not torch.equal(first[0], batches(1)[0])

def test_a_source_is_on_one_side(opened):
    for seed in range(6):
        dls = opened.dataloaders(size=32, bs=2, valid=.34, seed=seed)
        held = {opened.table.photo.iloc[i] for i in dls.valid_ds.which}
        learnt = {opened.table.photo.iloc[i] for i in dls.train_ds.which}
        assert len(held) == 1 and len(learnt) == 2 and not held & learnt
        assert dls.valid_ds.which == opened.dataloaders(size=32, valid=.34, seed=seed).valid_ds.which
        a, b = ([x for x, _ in dls.valid] for _ in range(2))
        assert all(map(torch.equal, a, b))
    assert len({tuple(opened.dataloaders(size=32, valid=.34, seed=s).valid_ds.which) for s in range(9)}) > 1

def test_the_other_way_round(opened):
    a, b = opened.dataloaders(size=32, bs=2, valid=0).one_batch()
    d, c = opened.dataloaders(size=32, bs=2, valid=0, to='photo').one_batch()
    assert torch.equal(a, c) and torch.equal(b, d)

def test_a_learner_learns_from_it(opened):
    from fastai.learner import Learner
    net = torch.nn.Conv2d(3, 3, 3, padding=1)
    learn = Learner(opened.dataloaders(size=32, bs=2, valid=.34), net, torch.nn.MSELoss(), path=opened.folder)
    with learn.no_bar(), learn.no_logging():
        before = learn.validate()[0]
        learn.fit(20, 1e-2)
        assert learn.validate()[0] < before

def test_loaders_are_refused_in_one_line(opened, refused):
    refused(lambda: opened.dataloaders(size=200), 'give size up to that, not 200')
    refused(lambda: opened.dataloaders(size=32, bs=0), 'bs is 0')
    refused(lambda: opened.dataloaders(size=32, valid=.9), 'holds out all 3')
    refused(lambda: opened.dataloaders(size=32, to='both'), 'Unknown to')

def test_a_stranger_s_note_is_no_pair(opened, given):
    from PIL.PngImagePlugin import PngInfo
    for text in ('{}', '[1]', '{"key": 3}', 'no json'):
        info = PngInfo()
        info.add_itxt('style_nb.pair', text)
        Image.new('RGB', (8, 8)).save(given/'out/photos/000_mosaic_astronaut.png', pnginfo=info)
        assert len(Pairs(given/'out')) == 5, text

def test_the_command_line(given, capsys):
    first = ['pairs', given/'paintings', '--photos', given/'photos', '-o', given/'out', '--size', 64, '--steps', 2,
        '--encoder', 'texnet-small', '-q']
    run = lambda *more: main([str(w) for w in (*first, *more)])
    assert run() == 0 and len(Pairs(given/'out')) == 2
    before = times(given/'out')
    pairs(given/'paintings', given/'photos', given/'out', **FEW)
    assert times(given/'out') == before, 'the library goes on where the command line was'
    capsys.readouterr()
    assert run('--match', 3) == 1
    err = capsys.readouterr().err
    assert err.count('\n') == 1 and 'match' in err
    words = ['pairs', '--hand', 'ink', '--photos', given/'photos', '-o', given/'h', '--size', 64, '-q']
    assert main([*map(str, words)]) == 0
    note = png_note(given/'h/paintings/000_ink_astronaut.png', 'style_nb.pair')
    assert note['hand'] == 'ink' and note['photo'] == 'astronaut.png'
    (given/'paintings/bad.png').write_text('no picture')
    assert run() == 1 and 'could not be used' in capsys.readouterr().err
