"The bundled pictures: they are there, they are ours or free, and the painting code still makes them"
import hashlib, sys
from pathlib import Path
import numpy as np, pytest
from forked import Program
from PIL import Image
from style_nb.gallery import sample, samples
from style_nb.painting import paint, painters
from style_nb.pictures import load_picture, open_picture
root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root/'tools'))
from samples import guitar, harbour, made_up

def _diff(a, b): return abs(np.asarray(a, float) - np.asarray(b, float))

@pytest.mark.parametrize('name', painters)
def test_repainting_gives_the_bundled_picture(name):
    d = _diff(made_up(name), sample(name))
    assert d.mean() < 8, f"{name}.jpg is not what its hand paints now; run tools/samples.py"

def test_the_measure_would_notice(): # another seed is far outside the tolerance
    assert _diff(made_up('dots', seed=1), sample('dots')).mean() > 20

def test_the_lessons_have_the_pictures_that_code_draws():
    for name, made in dict(guitar=guitar(), harbour=harbour()).items():
        assert _diff(made, open_picture(root/f'nbs/images/{name}.png')).mean() < .5, (
            f"{name}.png has changed; run tools/samples.py")

@pytest.mark.parametrize('row', samples(), ids=lambda r: r.name)
def test_rows(row):
    im = sample(row.name)
    assert im.mode == 'RGB' and im.size == row.size and row.licence and row.source and row.kind in ('photo', 'painting')

def test_paintings_are_large_and_small_in_bytes():
    data = Path(sys.modules['style_nb.gallery'].__file__).parent/'data'
    files = [data/f'{k}.jpg' for k in painters]
    assert sum(f.stat().st_size for f in files) < 2_000_000
    assert all(min(s.size) >= 512 for s in samples('painting'))
    assert [s.name for s in samples('painting')] == list(painters)

@pytest.mark.parametrize('name', painters)
def test_rich_everywhere(name, n=32): # a Gram matrix is an average over space
    g = np.asarray(sample(name).convert('L'), float)/255
    h, w = (v//n for v in g.shape)
    assert np.percentile(g[:h*n, :w*n].reshape(h, n, w, n).std((1, 3)), 2) > .03

def test_same_seed_same_bytes_in_another_process(tmp_path):
    code = ("import hashlib; from style_nb.all import *; "
            "print(hashlib.sha256(paint('swirls', sample('cat'), size=160).tobytes()).hexdigest())")
    p = Program(code, tmp_path)
    assert p.ended() == 0, p.said()
    assert hashlib.sha256(paint('swirls', sample('cat'), size=160).tobytes()).hexdigest() == p.said(1).strip()

@pytest.mark.parametrize('name', painters)
def test_any_photo(name):
    for im in (Image.new('L', (80, 50), 90), np.random.default_rng(0).uniform(size=(40, 60)),
            sample('cat').resize((64, 43))):
        assert max(paint(name, im, size=96).size) == 96

def test_a_flat_photo_still_has_directions():
    "Its strokes follow a wind, so they are not those of the next seed, and they are lit"
    flat, other = (np.asarray(paint('swirls', np.full((64, 96, 3), .5), size=96, seed=seed), float) for seed in (0, 1))
    assert flat.std() > 5 and _diff(flat, other).mean() > 5

def test_without_a_picture_paint_says_what_to_do():
    with pytest.raises(ValueError, match=r"give one, as in paint\('dots', 'photo.jpg'\).*sample\('dots'\)") as e:
        paint('dots')
    assert '\n' not in str(e.value)

@pytest.mark.parametrize('name', ['astronout', '', None, 3, ['cat']])
def test_unknown_name(name):
    with pytest.raises(ValueError, match='astronaut') as e: sample(name)
    assert '\n' not in str(e.value) and repr(name) in str(e.value)

NAN = np.full((64, 64, 3), np.nan)

@pytest.mark.parametrize('kw, error', [(dict(kind='oil'), ValueError), (dict(size=0), ValueError), (dict(size=True),
    TypeError),
    (dict(size=(64.5, 64)), TypeError), (dict(size=(64, 64, 3)), TypeError), (dict(size=5000), ValueError),
    (dict(brush=float('nan')), ValueError),
    (dict(source='f.txt'), FileNotFoundError), (dict(source=NAN), ValueError),
    (dict(source=np.zeros((0, 0, 3))), ValueError),
    (dict(seed=-1), ValueError), (dict(seed='a'), TypeError)])
def test_refused(kw, error):
    with pytest.raises(error, match='choose one of|: give |allowed are |There is no file') as e:
        paint(**dict(kind='dots', source=sample('cat')) | kw)
    assert '\n' not in str(e.value)

def test_paint_takes_what_load_picture_reads(tmp_path):
    "A path and a tensor give the same painting as the picture"
    im = sample('cat').resize((64, 48))
    im.save(tmp_path/'cat.png')
    want = np.asarray(paint('dots', im, size=64))
    for source in (tmp_path/'cat.png', np.asarray(im), load_picture(im)):
        assert (np.asarray(paint('dots', source, size=64)) == want).all()
