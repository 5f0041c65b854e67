"Sweeps: grids, files, kills, failures, processes"
import os, signal, time
import pytest, torch
from forked import Program
from PIL import Image
from style_nb.pictures import contact_sheet, load_picture, to_pil
from style_nb.palettes import palettes
from style_nb.recipe import Recipe
from style_nb.sweeping import combinations, matrix, sweep
from style_nb.transfer import Shared, stylize

FEW = dict(size=48, steps=3, levels=1, content_weights='relu2_1', style_weights=['relu1_1', 'relu2_1'], progress=False)
def same(a, b): return torch.equal(load_picture(a), load_picture(b))

def test_combinations(refused):
    assert combinations(dict(seed=[1, 2], steps=range(3, 5))) == [dict(seed=s, steps=n) for s in (1, 2) for n in (3, 4)]
    assert combinations([dict(seed=1), {}]) == [dict(seed=1), {}]
    refused(lambda: combinations(dict(sede=[1])), "Did you mean 'seed'?")
    refused(lambda: combinations(dict(seed='123')), 'give a list of values')
    refused(lambda: combinations(dict(content_weights={'relu1_1': 1})), 'give a list of values')
    refused(lambda: combinations(dict(seed=[])), 'The grid is empty')
    refused(lambda: combinations([3]), 'give dicts of settings')

def test_items_are_what_stylize_gives(photo, painting):
    "With shared encoder and targets the pictures are those of single runs, bit by bit"
    got = sweep(photo, painting, dict(style_weight=[1., 50.], padding=['zero', 'reflect']), **FEW)
    for o in got: assert same(o, stylize(photo, painting, **FEW | o.settings)), o
    assert got[0].recipe.style_weight == 1 and got[3].seconds > 0 and got[0].loss > 0

def test_photos_are_read_once_for_each_size_and_no_larger(tmp_path, painting, monkeypatch):
    import style_nb.inputs
    for name, kind in (('a', 'jpg'), ('b', 'png')):
        Image.radial_gradient('L').convert('RGB').resize((2700, 1800)).save(tmp_path/f'{name}.{kind}')
    photos = tmp_path/'a.jpg', tmp_path/'b.png'
    read, real = [], style_nb.inputs.decode
    monkeypatch.setattr(style_nb.inputs, 'decode', lambda *a: read.append(a[2]) or real(*a))
    got = sweep((p for p in photos), [painting], dict(size=[48, 40], seed=[0, 1]), **FEW | dict(style_scale=1.))
    assert sorted(read) == [40, 40, 48, 48] and not any(o.error for o in got) and len({o.key for o in got}) == 8
    for item, photo in ((got[0], photos[0]), (got[-1], photos[1])):
        alone = stylize(photo, painting, **FEW | dict(style_scale=1.) | item.settings)
        assert same(item, alone) and item.recipe.content == alone.recipe.content

def test_pictures_come_in_any_heap(photo, painting):
    heaps = [lambda *p: list(p), lambda *p: (o for o in p), lambda *p: dict(enumerate(p)), lambda *p: {*p}]
    keys = [{o.key for o in sweep(heap(photo, painting), heap(painting), [{}], **FEW)} for heap in heaps]
    assert len(keys[0]) == 2 and all(k == keys[0] for k in keys)
    assert len(matrix((o for o in (photo, painting)), painting, **FEW)) == 2
    assert palettes((o for o in (photo, painting)), 'relu1_1', size=48, steps=2, progress=False)['style 2', 'relu1_1']

def test_an_open_file_is_one_picture_and_has_no_folder(tmp_path, photo, painting):
    to_pil(photo).save(tmp_path/'mine.png')
    with open(tmp_path/'mine.png', 'rb') as file: item, = sweep(file, painting, [{}], **FEW)
    assert item.pair[0] == 'mine' and not item.error

def test_shared_targets_are_made_once(photo, painting, monkeypatch):
    import style_nb.learner as L
    made, real = [], L.picture_grams
    monkeypatch.setattr(L, 'picture_grams', lambda *a: made.append(1) or real(*a))
    shared = Shared()
    for w in (1., 5., 9.): stylize(photo, painting, shared=shared, style_weight=w, **FEW)
    assert len(made) == 1 and len(shared.encoders) == 1
    stylize(photo, painting, shared=shared, **FEW | dict(size=40))
    stylize(photo, photo, shared=shared, **FEW)
    assert len(made) == 3, 'another size, another picture'
    stylize(photo, painting, shared=shared, **FEW | dict(style_norm='chw'))
    assert len(made) == 4, 'another normalisation'

def test_blend_and_pairs(photo, painting):
    got = sweep([photo, painting], [painting, [painting, photo]], dict(seed=[0, 1]), **FEW)
    assert len(got) == 8 and len({o.key for o in got}) == 8
    assert len(got[2].recipe.styles) == 2 and got.table.shape[0] == 8
    assert got.sheet(40).width > 48

def test_style_alone(painting):
    got = sweep(None, painting, dict(seed=[0, 1]), **FEW)
    assert not got[0].error and not same(*got.items)

def test_a_failure_does_not_end_the_rest(photo, painting, tmp_path):
    grid = [dict(seed=0), dict(style_weight=-1), dict(style_weights='relu9_1'), dict(seed=1)]
    got = sweep(photo, painting, grid, tmp_path, **FEW)
    assert [bool(o.error) for o in got] == [False, True, True, False]
    assert 'style_weight' in got[1].error and len(list(tmp_path.iterdir())) == 2
    again = sweep(photo, painting, grid, tmp_path, **FEW)
    assert again[1].error == got[1].error, 'what failed is tried again'

def test_the_same_twice_in_a_grid_is_painted_once(photo, painting, tmp_path):
    got = sweep(photo, painting, dict(seed=[3, 3]), tmp_path, **FEW)
    assert got[0] is got[1] and len(list(tmp_path.iterdir())) == 1

def test_found_again(photo, painting, tmp_path):
    first = sweep(photo, painting, dict(seed=[0, 1]), tmp_path, **FEW)
    files = {f: f.stat().st_mtime_ns for f in tmp_path.iterdir()}
    back = sweep(photo, painting, dict(seed=[1, 0]), tmp_path, **FEW)
    assert {f: f.stat().st_mtime_ns for f in tmp_path.iterdir()} == files
    assert (same(back[0], first[1]) and (back[0].loss, back[0].seconds) == (first[1].loss, first[1].seconds)
        and back[0].recipe == first[1].recipe)
    f = next(iter(files))
    f.write_bytes(f.read_bytes()[:200])
    assert (not any(o.error for o in sweep(photo, painting, dict(seed=[0, 1]), tmp_path, **FEW))
        and load_picture(f) is not None), 'a damaged file is painted again'
    other = sweep(painting, painting, dict(seed=[0, 1]), tmp_path, **FEW)
    assert len(list(tmp_path.iterdir())) == 4 and not same(other[0], first[0]), 'other pictures are other items'

TWELVE = dict(grid=dict(seed=list(range(6)), style_weight=[1., 9.]), size=64, steps=12, levels=1, progress=False,
    init='noise')
SCRIPT = f'''
import sys
from style_nb.sweeping import sweep
if __name__ == '__main__': sweep('a.png', 'b.png', folder='out', workers=int(sys.argv[1]), **{TWELVE})
'''
def workers_alive():
    import psutil
    lines = [' '.join(p.cmdline()) for p in psutil.Process().children(recursive=True)]
    return [l for l in lines if 'loky' in l and 'resource_tracker' not in l]

@pytest.mark.parametrize('workers', [1, 2])
def test_killed_and_continued(photo, painting, tmp_path, workers):
    """kill -9 in the middle of twelve, continued by another process: nothing lost, nothing done twice, and its
    workers end with it"""
    to_pil(photo).save(tmp_path/'a.png')
    to_pil(painting).save(tmp_path/'b.png')
    out = tmp_path/'out'
    p = Program(SCRIPT, tmp_path, workers)
    done = lambda: sorted(f for f in out.glob('*.png') if f.name[0] != '.') if out.exists() else []
    end = time.time() + 300  # some 10 s on an idle machine
    while len(done()) < 3 and p.is_alive() and time.time() < end: time.sleep(.02)
    assert p.is_alive(), f'it ended by itself, with {len(done())} pictures: {p.said()}'
    os.killpg(p.pid, signal.SIGKILL)
    p.ended()
    time.sleep(.5)
    before = {f: f.stat().st_mtime_ns for f in done()}
    assert 3 <= len(before) < 12
    for f in before: Image.open(f).load()
    got = sweep(tmp_path/'a.png', tmp_path/'b.png', folder=out, workers=workers, **TWELVE)
    assert not any(o.error for o in got) and workers_alive() == []
    assert len(done()) == 12 and {f: f.stat().st_mtime_ns for f in before} == before
    assert len({(Recipe.load(f).seed, Recipe.load(f).style_weight) for f in done()}) == 12
    how = {k: v for k, v in TWELVE.items() if k != 'grid'}
    alone = stylize(tmp_path/'a.png', tmp_path/'b.png', **how | got[-1].settings)
    # with another number of threads sums are rounded otherwise
    assert (load_picture(got[-1]) - load_picture(alone)).abs().mean() < .02

@pytest.mark.parametrize('seconds', [1.5, 9.])
def test_workers_end_with_the_one_that_started_them(photo, painting, tmp_path, seconds):
    "By kill -9, while they import for their first job and while they paint; SIGTERM is tried in test_faults_list.py"
    import psutil
    to_pil(photo).save(tmp_path/'a.png')
    to_pil(painting).save(tmp_path/'b.png')
    p = Program(SCRIPT.replace("'steps': 12", "'steps': 100000"), tmp_path, 2)
    try:
        end = time.time() + 60
        while time.time() < end:
            children = psutil.Process(p.pid).children(recursive=True)
            if len([c for c in children if c.cpu_times().user > seconds]) >= 2: break
            time.sleep(.1)
        assert len(children) >= 2
    finally: p.kill()
    assert p.ended(30) == -signal.SIGKILL
    assert psutil.wait_procs(children, timeout=20)[1] == []

def test_ctrl_c_ends_a_series(photo, painting, monkeypatch):
    "The first Ctrl-C in one of several runs is not followed by the next run"
    import style_nb.callbacks as callbacks
    from style_nb.palettes import palettes
    from style_nb.reversion import ablate
    from style_nb.tiling import granularity_sweep
    monkeypatch.setattr(callbacks.Stop, 'after_step', callbacks.Stop.end)
    few = dict(size=64, steps=9, progress=False)
    for series in (lambda: palettes([painting, photo], ['relu1_1'], **few), lambda: ablate(painting, photo, **few),
            lambda: granularity_sweep(photo, ns=(1, 2), **few)):
        with pytest.raises(KeyboardInterrupt): series()

def test_bad_input(photo, painting, refused, tmp_path):
    refused(lambda: sweep(photo, painting, dict(seed=[0]), stpes=3), "Did you mean 'steps'?")
    refused(lambda: sweep([], painting, dict(seed=[0])), 'no content picture')
    refused(lambda: sweep(photo, painting, dict(seed=[0]), workers=0), 'workers is 0')

def test_contact_sheet(photo, refused):
    s = contact_sheet([[photo, None], [photo]], [['a'], ['b']], height=20)
    assert s.mode == 'RGB' and s.height > 40
    refused(lambda: contact_sheet([[None]]), 'no picture')
    refused(lambda: contact_sheet([[photo]], [[], []]), '1 rows and 2 lists')

def test_matrix(photo, painting, painting2, tmp_path, refused):
    few = dict(size=32, steps=2, levels=1, progress=False)
    m = matrix(dict(face=photo, night=painting), dict(night=painting, harbour=painting2), tmp_path, **few)
    assert (same(m['face', 'harbour'], stylize(photo, painting2, **few)) and m['night', 'night'] is m[2]
        and len(list(tmp_path.glob('*.png'))) == 4)
    assert m.sheet(40).height > 3*40 and len(m.table) == 4
    again = matrix([photo], painting, **few)
    assert list(again.contents) == ['content 1'] and same(again[0], m['face', 'night'])
    refused(lambda: matrix({}, painting), 'There is no content picture')
    with pytest.raises(ValueError): m['face', 'nobody']

@pytest.mark.parametrize('which,more', [('encoder', {}), ('finish', dict(finish='texnet-small', finish_steps=1))])
def test_pictures_by_other_weights_are_painted_again(tmp_path, which, more):
    "A folder filled by the texnet of 0.1.0 is no folder of today's"
    from dataclasses import replace
    from style_nb.gallery import sample
    from style_nb.recipe import FIRST_TEXNET, png_info
    from style_nb.sweeping import NOTE
    how = dict(size=48, steps=2, levels=1, progress=False) | more
    first = sweep(sample('cat'), sample('swirls'), dict(style_weight=[3.]), tmp_path, **how)
    path = next(tmp_path.glob('*.png'))
    with Image.open(path) as im: note, picture = im.text[NOTE], im.convert('RGB')
    info = png_info(replace(first[0].recipe, **{f'{which}_digest': FIRST_TEXNET}))
    info.add_itxt(NOTE, note)
    Image.new('RGB', picture.size).save(path, pnginfo=info)
    again = sweep(sample('cat'), sample('swirls'), dict(style_weight=[3.]), tmp_path, **how)
    assert again[0].image.tobytes() == picture.tobytes()
    assert ((again[0].recipe.encoder_digest, again[0].recipe.finish_digest) == (first[0].recipe.encoder_digest,
        first[0].recipe.finish_digest))

def test_transparency_is_kept_and_found_again(tmp_path, painting):
    im = Image.radial_gradient('L').convert('RGB').resize((60, 48))
    im.putalpha(Image.linear_gradient('L').resize(im.size))
    im.save(tmp_path/'photo.png')
    go = lambda: sweep(tmp_path/'photo.png', painting, dict(seed=[0, 1]), tmp_path/'out', size=48, steps=1, levels=1,
        device='cpu', progress=False)
    first = go()
    for item in first:
        with Image.open(tmp_path/'out'/item.filename) as out: assert out.mode == 'RGBA' and out.getpixel((3, 2))[3] < 40
    times = {p: p.stat().st_mtime_ns for p in (tmp_path/'out').iterdir()}
    again = go()
    assert {p: p.stat().st_mtime_ns for p in (tmp_path/'out').iterdir()} == times
    assert [a.image.tobytes() for a in again] == [a.image.tobytes() for a in first]
