"The command line: the file and 0, or another code, one clear line on stderr and no file"
import os, re, signal, subprocess, sys, time
from pathlib import Path
import numpy as np, pytest, torch
from forked import Program
from PIL import Image
from dataclasses import fields
from style_nb.cli import build_parser, main, run_demo
from style_nb.streams import picture_in
from style_nb.words import recipe_of
from safetensors.torch import load_file, save_file
from style_nb.encoders import DATA, ENCODERS
from style_nb.gallery import sample, samples
from style_nb.pictures import load_picture, save_picture, to_pil
from style_nb.recipe import RECIPES, Choice, Recipe, Words, picture_ref, to_json

root = str(Path(__file__).resolve().parent.parent)
SMALL = '--size 48 --steps 3 --levels 1'.split()

@pytest.fixture
def files(tmp_path, photo, painting, painting2):
    "A folder with pictures and an empty folder for results"
    for name, x in dict(photo=photo, painting=painting, other=painting2).items():
        save_picture(x, tmp_path/f'{name}.png')
    (tmp_path/'out').mkdir()
    return tmp_path

@pytest.fixture
def run(capsys):
    "(code, stdout, stderr) of a command line, in this process"
    def run(*words):
        capsys.readouterr()
        try: code = main([str(w) for w in words])
        except SystemExit as e: code = e.code
        return code, *capsys.readouterr()
    return run

def stylize(files, *words, content=None, style=None, out='out.png'):
    return ['stylize', content or files/'photo.png', *([files/'painting.png'] if style is None else style), '-o',
        files/'out'/out,
        *SMALL, *words]

def left(files): return sorted(p.name for p in (files/'out').iterdir())

def pixels(path):
    with Image.open(path) as im: return im.size, im.convert('RGB').tobytes()

def fails(run, files, words, *want, code=None):
    "The command fails in one line on stderr that holds all of `want` and leaves no file; stdout is empty"
    got, out, err = run(*words)
    assert got == code if code else got not in (0, None), (got, out, err)
    assert out == '', out
    assert err.count('\n') == 1 and err.startswith('style_nb') and 'Traceback' not in err, err
    assert not [w for w in want if str(w) not in err], err
    assert left(files) == []

# ---- it works

def test_stylize_twice_is_byte_equal_and_the_recipe_comes_back(run, files, photo, painting):
    for name in ('a.png', 'b.png'):
        code, out, err = run(*stylize(files, '--seed', 0, '--init', 'noise', out=name))
        assert code == 0 and out == '' and f'{name}: Result: 48x48 px, 3 steps' in err
    assert left(files) == ['a.png', 'b.png'] and (files/'out/a.png').read_bytes() == (files/'out/b.png').read_bytes()
    r = Recipe.load(files/'out/a.png')
    assert (r.size, r.steps, r.levels, r.seed, r.init) == (48, 3, 1, 0, 'noise') and r == Recipe.load(files/'out/b.png')
    for ref, picture, name in ((r.content, photo, 'photo.png'), (r.styles[0], painting, 'painting.png')):
        assert (ref['name'], ref['pixels']) == (name, picture_ref(picture, name)['sha256'])

def test_a_picture_is_painted_again_from_its_own_recipe(run, files):
    assert run(*stylize(files, '--optimizer', 'adam', '--style-weight', 7, '--tv-weight', .5, out='a.png'))[0] == 0
    assert (run('stylize', files/'photo.png', files/'painting.png', '-o', files/'out/b.png', '--recipe',
        files/'out/a.png')[0] == 0)
    assert pixels(files/'out/a.png') == pixels(files/'out/b.png')
    assert Recipe.load(files/'out/a.png') == Recipe.load(files/'out/b.png')
    assert Recipe.load(files/'out/b.png').style_weight == 7

def test_another_seed_is_another_picture(run, files):
    for seed in (0, 1): run(*stylize(files, '--seed', seed, '--init', 'noise', out=f'{seed}.png'))
    assert pixels(files/'out/0.png') != pixels(files/'out/1.png')

def test_kinds_of_noise_and_of_smoothness(run, files):
    for i, words in enumerate((['--init', 'noise'], ['--init', 'noise', '--noise', 'clouds'],
            ['--noise-share', .5, '--noise', 'pink', '--tv-kind', 'isotropic'])):
        assert run(*stylize(files, *words, out=f'{i}.png'))[0] == 0
    r, s, t = (Recipe.load(files/f'out/{i}.png') for i in range(3))
    assert ([o.noise for o in (r, s, t)] == ['uniform', 'clouds', 'pink']
        and (t.noise_share, t.tv_kind, t.init) == (.5, 'isotropic', 'recoloured'))
    assert len({pixels(files/f'out/{i}.png') for i in range(3)}) == 3

SAID = {'Layers': (['relu1_1=3', 'relu2_1'], {'relu1_1': 3., 'relu2_1': 1.}), 'Switch': ([], True),
    'Moves': (['2:style_weights=relu1_1=0,relu2_1=2'], [[2, 'style_weights', {'relu1_1': 0., 'relu2_1': 2.}]])}

def in_words(rule, name):
    "Words for a field, and the value they mean"
    if type(rule).__name__ in SAID: return SAID[type(rule).__name__]
    if isinstance(rule, Choice): return [list(rule.options)[0]], list(rule.options)[0]
    if isinstance(rule, Words): return ['texnet'], 'texnet'
    value = 300 if name == 'steps' else max(rule.low, min(rule.high, 5))
    return [value], [value] if rule.many == 'list' else value

def test_every_field_of_a_recipe_can_be_said():
    for f in fields(Recipe):
        if not f.compare: continue
        words, value = in_words(f.metadata['rule'], f.name)
        more = dict(finish='texnet') if f.name.startswith('finish_') else {}
        args = build_parser('stylize').parse_args(['stylize', 'a.png', 'b.png', '-o', 'c.png',
            '--' + f.name.replace('_', '-'), *map(str, words), *(['--finish', 'texnet'] if more else [])])
        said = recipe_of(args)
        assert set(said) == {'recipe', f.name, *more}, said
        assert getattr(Recipe(**{f.name: said[f.name]}, **more), f.name) == value, f.name

def test_words_that_are_no_move_and_no_weight(run, files):
    for words in (['--schedule', 'soon'], ['--style-weights', 'relu1_1=much']):
        fails(run, files, stylize(files, *words), words[1], code=2)
    fails(run, files, stylize(files, '--style-weights', 'relu9_1'), 'relu9_1')

def test_several_styles(run, files):
    two = [files/'painting.png', files/'other.png']
    for name, words in dict(alone=[], both=['--blend', 1, 1], first=['--blend', 1, 0]).items():
        assert run(*stylize(files, *words, style=two[:1] if name == 'alone' else two, out=f'{name}.png'))[0] == 0
    assert pixels(files/'out/first.png') == pixels(files/'out/alone.png') != pixels(files/'out/both.png')
    assert [s['name'] for s in Recipe.load(files/'out/both.png').styles] == ['painting.png', 'other.png']

def test_every_option_of_the_contract(run, files):
    words = '--size 64 --steps 4 --levels 2 --encoder random --recipe default --seed 3'.split()
    assert run('stylize', files/'photo.png', files/'painting.png', '-o', files/'out/x.jpg', *words)[0] == 0
    assert pixels(files/'out/x.jpg')[0] == (64, 64) and left(files) == ['x.jpg']

@pytest.fixture
def own(files):
    "A weights file for the encoder `random`: twice as loud as the package's"
    state = load_file(DATA/'random.safetensors')
    save_file({k: v/2 for k, v in state.items()}, files/'own.safetensors')
    return files/'own.safetensors'

def test_weights_of_ones_own(run, files, own):
    few = '--size 32 --steps 2 --levels 1 --encoder random --finish random --finish-steps 1'.split()
    for name, words in dict(none=[], both=['--encoder-weights', own], last=['--finish-weights', own]).items():
        assert (run('stylize', files/'photo.png', files/'painting.png', '-o', files/f'out/{name}.png', *few,
            *words)[0] == 0)
    of = {n: Recipe.load(files/f'out/{n}.png') for n in ('none', 'both', 'last')}
    assert ({n: (r.encoder_weights, r.finish_weights) for n, r in of.items()} == dict(none=(None, None),
        both=(own.name, None), last=(None, own.name)))
    assert len({pixels(files/f'out/{n}.png') for n in of}) == 3

def test_a_recipe_of_other_weights(run, files):
    "Refused in words that are not Python's alone, and following them it runs"
    (files/'old.json').write_text(to_json(Recipe(encoder='random', encoder_digest='0'*64)))
    words = stylize(files, '--recipe', files/'old.json')
    code, out, err = run(*words)
    assert (code == 1 and "say encoder 'random' to run it on that one, or name its own file as encoder weights." in err
        and '=' not in err), err
    assert run(*words, '--encoder', 'random')[0] == 0 and left(files) == ['out.png']

def test_an_existing_file_is_replaced(run, files):
    (files/'out/out.png').write_text('old')
    assert run(*stylize(files))[0] == 0 and pixels(files/'out/out.png')[0] == (48, 48)

@pytest.mark.parametrize('name', ['run.gif', 'run.mp4'])
def test_animate(run, files, name):
    code, out, err = run('stylize', files/'photo.png', files/'painting.png', '-o', files/'out/a.png', '--size', 48,
        '--levels', 1,
        '--steps', 20, '--animate', files/'out'/name)
    assert code == 0 and left(files) == ['a.png', name] and (files/'out'/name).stat().st_size > 500

@pytest.mark.parametrize('task,names', [('encoders', list(ENCODERS)), ('recipes', list(RECIPES)),
    ('samples', [s.name for s in samples()])])
def test_lists(run, task, names):
    code, out, err = run(task)
    first = [l.split()[0] for l in out.splitlines() if l and (task != 'recipes' or l[0] != ' ')]
    assert code == 0 and err == '' and [f for f in first if f in names] == names and len(first) - len(names) in (0, 1)

def test_demo(tmp_path, capsys):
    class args: output = str(tmp_path/'new'/'demo')
    run_demo(args, size=48, steps=3, levels=1)
    names = sorted(p.name for p in (tmp_path/'new/demo').iterdir())
    assert names == ['contact_sheet.png', 'content.png', 'loss.png', 'result.png', 'style.png']
    for n in names:
        with Image.open(tmp_path/'new/demo'/n) as im:
            assert min(im.size) >= 48 and np.asarray(im.convert('L')).std() > 5
    assert Recipe.load(tmp_path/'new/demo/result.png').steps == 3 and ' s' in capsys.readouterr().out

def test_palette(run, files):
    code, out, err = run('palette', files/'painting.png', '-o', files/'out/p.png', '--size', 48, '--steps', 3,
        '--levels', 1, '--aspect', 2, '--layers', 'relu1_1', 'relu2_1')
    r = Recipe.load(files/'out/p.png')
    assert (code == 0 and out == '' and pixels(files/'out/p.png')[0] == (48, 24)
        and list(r.style_weights) == ['relu1_1', 'relu2_1'] and not r.content_weights)
    assert (run('palette', files/'painting.png', '-o', files/'out/s.png', '--size', 50, '--steps', 3,
        '--seamless')[0] == 0 and Recipe.load(files/'out/s.png').padding == 'circular')

def test_tile(run, files, photo):
    code, out, err = run('tile', files/'photo.png', '-n', 3, '-o', files/'out/t.png', '--seams', 'mirror', '--turn', 10,
        '--seed', 1)
    assert code == 0 and out == '' and '3 tiles along each side' in err
    from style_nb.tiling import tile
    assert (pixels(files/'out/t.png')[1] == to_pil(tile(load_picture(files/'photo.png'), 3, seams='mirror', turn=10.,
        seed=1)).tobytes())

def test_revert(run, files):
    code, out, err = run('revert', files/'painting.png', files/'photo.png', '-o', files/'out/r.png', '--size', 48,
        '--steps', 3, '--contrast', .6)
    r = Recipe.load(files/'out/r.png')
    assert (code == 0 and out == '' and 'new dark' in err and r.style_weight == 4
        and list(r.content_weights) == ['relu2_1'] and r.size == 48)
    code, out, err = run('revert', files/'painting.png', files/'photo.png', files/'painting.png', '-o',
        files/'out/s.png', '--size', 48, '--steps', 3, '--own-masses')
    scores = {Path(p).name: float(n) for p, n in re.findall(r'(\S+\.png): ([\d.]+) ', err)}
    assert (code == 0 and set(scores) == {'painting.png', 'photo.png'}
        and list(scores.values()) == sorted(scores.values()))

def test_contrast(run, files):
    from style_nb.contrast import lower_contrast, match_contrast, match_histogram
    x, like = load_picture(files/'photo.png'), load_picture(files/'painting.png')
    wanted = {(): lower_contrast(x), ('--contrast', .25, '--channels', 'luminance'): lower_contrast(x, .25,
        'luminance'), ('--like', files/'painting.png', '--by', 'scale'): match_contrast(x, like, 'scale'),
        ('--like', files/'painting.png', '--by', 'histogram', '--contrast',
            .5): lower_contrast(match_histogram(x, like))}
    for words, y in wanted.items():
        code, out, err = run('contrast', files/'photo.png', '-o', files/'out/c.png', *words)
        assert (code == 0 and out == '' and 'became' in err
            and pixels(files/'out/c.png')[1] == to_pil(y).tobytes()), words

def test_rank(run, files):
    code, out, err = run('rank', files/'painting.png', files/'photo.png', files/'painting.png', '-o', files/'out/r.png')
    head, first, second = out.splitlines()
    assert (code == 0 and head.split() == ['photo', 'score', 'contrast', 'masses', 'hue', 'scale', 'detail', 'gram',
        'words'])
    rows = [o.split() for o in (first, second)]
    assert ({r[0] for r in rows} == {str(files/'painting.png'), str(files/'photo.png')}
        and float(rows[0][1]) <= float(rows[1][1]) and left(files) == ['r.png'])

def test_ablate(run, files):
    code, out, err = run('ablate', files/'painting.png', files/'photo.png', '-o', files/'out/a.png', '--variants',
        'reverted', 'full contrast', '--size', 48, '--steps', 2, '--levels', 1)
    assert (code == 0 and 'new dark' in out and out.count('\n') == 3 and 'full contrast' in out
        and left(files) == ['a.png'])

def test_ingredients_of_a_reversion(run, files):
    def recipe(*words):
        assert (run('revert', files/'painting.png', files/'photo.png', '-o', files/'out/r.png', '--size', 48, '--steps',
            2, '--levels', 1, *words)[0] == 0)
        return Recipe.load(files/'out/r.png')
    a, b = (recipe('--keep', 5, '--content-layers', 'relu1_1', 'relu3_1'),
        recipe('--keep', 5, '--no-masses', '--content-layers', 'relu1_1'))
    # without masses another photo is used
    assert a.keep == 5 and list(a.content_weights) == ['relu1_1', 'relu3_1'] and a.styles != b.styles
    bare = recipe('--own-masses')
    assert bare.keep == 0 and bare.revert['match'] == 0 and 'relu4_1' in bare.style_weights and bare.styles != a.styles
    assert recipe('--keep', 0).init == 'content' and recipe('--match', 3).revert['match'] == 3

def test_grid_of_palettes(run, files):
    code, out, err = run('palette', files/'painting.png', files/'other.png', '-o', files/'out/g.png', '--grid',
        '--layers', 'all', 'relu1_1', *SMALL)
    assert code == 0 and '4 palettes' in err and left(files) == ['g.png']

def test_sweep_of_tiles(run, files):
    code, out, err = run('tile', files/'photo.png', '-o', files/'out/s.png', '--sweep', 1, 3, '--unrelated',
        files/'painting.png', '--content', files/'other.png', '--size', 48, '--steps', 2, '--seams', 'mirror')
    assert code == 0 and 'n=1 presence' in err and 'n=3 presence' in err and left(files) == ['s.png']

def test_matrix(run, files):
    words = ['matrix', files/'photo.png', files/'other.png', '--styles', files/'painting.png', '-o', files/'out/m.png',
        '--folder', files/'each', *SMALL]
    code, out, err = run(*words)
    assert (code == 0 and '2 of 2 pictures' in err and left(files) == ['m.png']
        and len(list((files/'each').glob('*.png'))) == 2)

# ---- it refuses

@pytest.mark.parametrize('words,want', [(['contrast', 'none.png'], ['There is no file']),
    (['contrast', 'photo.png', '--contrast', '-1'], ['--contrast is -1']),
    (['contrast', 'photo.png', '--by', 'scale'], ['goes with --like']),
    (['rank', 'painting.png', 'none.png'], ['There is no file']),
    (['ablate', 'painting.png', 'photo.png', '--variants', 'reverte'], ["Did you mean 'reverted'?"]),
    (['tile', 'photo.png', '--steps', '3'], ['--steps goes with --sweep']),
    (['tile', 'photo.png', '--sweep', '0'], ['--sweep is 0']),
    (['palette', 'painting.png', '--grid', '--layers', 'relu9_1'],
        ['relu9_1'])], ids=' '.join)
def test_bad_ideas(run, files, words, want):
    fails(run, files, [words[0], *(files/w if w.endswith('.png') else w for w in words[1:]), '-o', files/'out/a.png'],
        *want)

@pytest.mark.parametrize('words,want', [(['revert', 'painting.png', 'none.png'], ['There is no file']),
    (['revert', 'painting.png', 'photo.png', '--contrast', '0'], ['contrast is 0']),
    (['tile', 'photo.png', '-n', '0'], ['n is 0']), (['tile', 'photo.png', '-n', '99'], ['use fewer tiles']),
    (['tile', 'photo.png', '--seams', 'blends'], ["Did you mean 'blend'?"]),
    (['tile', 'none.png'], ['There is no file']), (['palette', 'none.png'], ['There is no file']),
    (['palette', 'painting.png', '--aspect', '0'], ['aspect is 0']),
    (['palette', 'painting.png', '--layers', 'relu9_1'], ['relu9_1'])], ids=' '.join)
def test_bad_tiles_and_palettes(run, files, words, want):
    fails(run, files, [words[0], *(files/w if w.endswith('.png') else w for w in words[1:]), '-o', files/'out/a.png'],
        *want)

BAD = 'missing', 'nearly', 'folder', 'cut_jpeg', 'cut_end', 'cut_png', 'text', 'empty', 'one_pixel', 'strip'

@pytest.mark.parametrize('kind', BAD)
def test_bad_content(run, files, bad_files, kind):
    fails(run, files, stylize(files, content=bad_files[kind][0]), *bad_files[kind][1])

@pytest.mark.parametrize('kind', BAD)
def test_bad_style(run, files, bad_files, kind):
    fails(run, files, stylize(files, style=[files/'painting.png', bad_files[kind][0]]), *bad_files[kind][1])

@pytest.mark.parametrize('words,want', [
    (['--encoder', 'vgg'], ["Unknown encoder 'vgg'", ', '.join(ENCODERS)]),
    (['--recipe', 'gatis'], ["Unknown recipe 'gatis'", 'choose one of default', "Did you mean 'gatys'?"]),
    (['--recipe', 'none.png'], ['There is no file none.png']),
    (['--recipe', 'none.json'], ['There is no file none.json']),
    (['--encoder', 'random', '--encoder-weights', 'none.pth'], ['none.pth', 'random']),
    (['--finish', 'vgg16', '--finish-steps', '1', '--finish-weights', 'none.pth'],
        ['There is no weights file none.pth']),
    (['--finish-weights', 'own.pth'], ["--finish-weights is 'own.pth' without --finish"]),
    (['--optimizer', 'lbgfs'], ['lbfgs, adam', "Did you mean 'lbfgs'?"]),
    (['--init', 'nois'], ["Unknown init 'nois'", "Did you mean 'noise'?"]),
    (['--init', 'none.png'], ['There is no file none.png']),
    (['--noise', 'cloud'], ["Unknown noise 'cloud'", "Did you mean 'clouds'?"]),
    (['--noise-share', '2'], ['--noise-share is 2']), (['--tv-kind', 'isotropc'], ["Did you mean 'isotropic'?"]),
    (['--steps', '0'], ['steps is 0', 'at least 1']), (['--steps', '-3'], ['steps is -3']),
    (['--levels', '0'], ['levels is 0']),
    (['--steps', '2', '--levels', '3', '--size', '96'], ['steps is 2 for 3 levels']),
    (['--size', '0'], ['size is 0', 'at least 4']), (['--size', '9999999'], ['at most 20000']),
    (['--size', '12'], ['size 12', '12x12', 'raise size']), (['--seed', '-1'], ['seed is -1']),
    (['--style-weight', '-1'], ['--style-weight is -1']), (['--tv-weight', 'nan'], ['--tv-weight is nan']),
    (['--blend', '1', '2'], ['2 blend weights for 1 style']), (['--blend', '-1'], ['--style-blend is -1'])],
    ids=' '.join)
def test_bad_option(run, files, words, want): fails(run, files, stylize(files, *words), *want)

@pytest.mark.parametrize('words,want', [([], 'TASK'), (['repaint'], 'stylize'), (['stylize'], 'content'),
    (['stylize', 'a.png'], 'style'), (['stylize', 'a.png', 'b.png'], '-o'),
    (['stylize', 'a.png', 'b.png', '-o', 'c.png', '--sise', '3'], '--sise'),
    (['stylize', 'a.png', 'b.png', '-o', 'c.png', '--size', 'big'], "--size is 'big': give a whole number of px"),
    (['stylize', 'a.png', 'b.png', '-o', 'c.png', '--steps', '2.5'], '2.5')], ids=str)
def test_bad_words(run, files, words, want): fails(run, files, words, want, '--help', code=2)

@pytest.mark.parametrize('name,want', [('none/a.png', ['does not exist', 'create it first']),
    ('a.docx', ['a.docx ends in .docx', '.png']), ('a', ['a has no extension']), ('', ['out'])])
def test_bad_output(run, files, name, want): fails(run, files, stylize(files, out=name), *want)

def test_output_is_checked_before_the_pictures_are_read(run, files):
    fails(run, files, stylize(files, content=files/'none.png', out='a.docx'), 'a.docx')

def test_output_that_is_a_folder(run, files):
    (files/'dir.png').mkdir()
    fails(run, files, stylize(files, out='../dir.png'), 'dir.png is a folder', 'name of a file')

def test_bad_animation(run, files):
    for name, want in (('a.avi', '.gif, .mp4'), ('none/a.gif', 'does not exist')):
        fails(run, files, stylize(files, '--animate', files/'out'/name), want)

def test_read_only_folder(run, files, monkeypatch):
    monkeypatch.setattr(os, 'access', lambda p, mode: not (mode & os.W_OK))
    fails(run, files, stylize(files), 'out.png cannot be written', 'choose another folder')

def test_a_folder_that_takes_no_file_is_told_before_the_run(run, files, monkeypatch):
    "/proc looks open to its owner: `os.access` does not tell all"
    (files/'shut').mkdir()
    touch, painted = Path.touch, []
    def shut(self, *args, **how):
        if self.parent.name == 'shut': raise OSError(30, 'Read-only file system')
        touch(self, *args, **how)
    monkeypatch.setattr(Path, 'touch', shut)
    monkeypatch.setattr('style_nb.transfer.stylize', lambda *_, **__: painted.append(1))
    for word, name in (('-o', 'a.png'), ('--animate', 'a.gif'), ('--save-state', 'a.safetensors'),
                       ('--checkpoint', 'a.safetensors')):
        words = stylize(files, '--steps', 20, word, files/'shut'/name)
        fails(run, files, words, f'{name} cannot be written: Read-only')
    assert not painted and not [*(files/'shut').iterdir()]

def test_an_animation_or_a_state_below_a_file_is_told_before_the_run(run, files, monkeypatch):
    monkeypatch.setattr('style_nb.transfer.stylize', lambda *_, **__: pytest.fail('it painted'))
    for word, name in (('--animate', 'a.gif'), ('--save-state', 'a.safetensors')):
        fails(run, files, stylize(files, '--steps', 20, word, files/'photo.png'/name), 'photo.png is a file, no folder')

def test_disk_full_while_writing(run, files, monkeypatch):
    def half_a_save(self, fp, *args, **kwargs):
        with open(fp, 'wb') as f: f.write(b'half of a picture')
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(Image.Image, 'save', half_a_save)
    code, out, err = run(*stylize(files))
    assert code == 1 and 'No space left' in err.splitlines()[-1] and 'Traceback' not in err and left(files) == []

def test_weights_that_cannot_be_fetched(run, files, clean_env):
    from urllib.error import URLError
    def no_net(*args, **kwargs): raise URLError('no route to host')
    clean_env.setattr(torch.hub, 'urlopen', no_net)
    fails(run, files, stylize(files, '--encoder', 'vgg19', '-q'), 'weights of vgg19', 'no route to host',
        '--encoder texnet needs no file')
    code, out, err = run(*stylize(files, '--encoder', 'vgg19'))
    assert (code, out) == (1, '') and err.startswith('Downloading') and err.count('\n') == 2

def test_an_unforeseen_error_is_one_line_too(run, files, monkeypatch):
    def boom(*args, **kwargs): raise RuntimeError('first line\nsecond line')
    monkeypatch.setattr('style_nb.transfer.stylize', boom)
    fails(run, files, stylize(files), 'first line second line')

def test_ctrl_c_before_the_run(run, files, monkeypatch):
    def stop(*args, **kwargs): raise KeyboardInterrupt
    monkeypatch.setattr('style_nb.transfer.stylize', stop)
    fails(run, files, stylize(files), 'stopped', code=130)

def test_demo_where_nothing_can_be_made(run, files):
    (files/'file').touch()
    fails(run, files, ['demo', '-o', files/'file'/'demo'], 'demo')
    fails(run, files, ['demo', '-o', files/'file'], 'file')

# ---- as programs of their own

def env(**kw): return {**os.environ, 'PYTHONPATH': root, 'OMP_NUM_THREADS': '1', **kw}
def command(*words): return [sys.executable, '-m', 'style_nb.cli', *map(str, words)]

def test_help_needs_no_torch():
    code = '''import sys; from style_nb.cli import main
try: main(['--help'])
except SystemExit as e: print('code', e.code, 'torch' in sys.modules)'''
    p = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env=env(), timeout=60)
    assert p.stdout.endswith('code 0 False\n') and 'stylize' in p.stdout and 'demo' in p.stdout and p.stderr == ''

def test_a_process_of_its_own_paints_the_same(run, files):
    words = stylize(files, '--seed', 0, '--init', 'noise', '--optimizer', 'adam', out='a.png')
    p = subprocess.run(command(*words), capture_output=True, text=True, env=env(), timeout=120)
    assert p.returncode == 0 and p.stdout == '' and 'Warning' not in p.stderr, p.stderr
    here = stylize(files, '--seed', 0, '--init', 'noise', '--optimizer', 'adam', out='b.png')
    assert (run(*here)[0] == 0 and pixels(files/'out/a.png') == pixels(files/'out/b.png')
        and left(files) == ['a.png', 'b.png'])

def test_a_failing_process(files):
    # the task that imports least
    words = ['recolour', files/'none.jpg', files/'painting.png', '-o', files/'out/out.png']
    p = subprocess.run(command(*words), capture_output=True, text=True, env=env(), timeout=120)
    assert p.returncode == 1 and p.stdout == '' and p.stderr.count('\n') == 1
    assert p.stderr.startswith('style_nb: There is no file') and left(files) == []

def started(words, until, folder):
    "A process that has said `until`"
    p = Program('import sys; from style_nb.cli import main; sys.exit(main(sys.argv[1:]))', folder, *words)
    while until not in p.said(): assert p.ended(.02) is None, p.said()
    return p

@pytest.mark.parametrize('number,code', [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_keep_the_picture_so_far(files, number, code):
    p = started(stylize(files, '--steps', 1_000_000), 'step/s', files)
    try:
        start = time.perf_counter()
        os.kill(p.pid, number)
        assert p.ended(30) == code and time.perf_counter() - start < 10
    finally: p.kill()
    assert 'stopped by hand' in p.said() and 'Traceback' not in p.said()
    assert left(files) == ['out.png'] and pixels(files/'out/out.png')[0] == (48, 48)

def test_sigterm_of_a_series(files):
    words = ['matrix', files/'photo.png', '--styles', files/'painting.png', files/'other.png', '-o', files/'out/m.png',
        '--size', 48, '--levels', 1, '--steps', 1_000_000]
    p = started(words, 'sweep', files)
    try:
        p.terminate()
        assert p.ended(60) == 143
    finally: p.kill()
    assert 'Traceback' not in p.said() and left(files) == []

def signalled(number, *more):
    "A task that sends signals to its own process"
    def run(*args, **kw):
        for n in (number, *more): os.kill(os.getpid(), n)
        time.sleep(5)
    return run

def test_signals_between_runs(run, files, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    old = signal.signal(signal.SIGINT, signal.default_int_handler)  # these tests may themselves run in the background
    try:
        for number, code in (signal.SIGINT, 130), (signal.SIGTERM, 143):
            monkeypatch.setattr('style_nb.transfer.stylize', signalled(number))
            fails(run, files, stylize(files), 'stopped', code=code)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as under nohup
        fails(run, files, stylize(files), 'stopped', code=143)
    finally: signal.signal(signal.SIGINT, old)
    assert signal.getsignal(signal.SIGTERM) is before and signal.set_wakeup_fd(-1) == -1

def test_main_in_another_thread(run):
    import threading
    codes = []
    t = threading.Thread(target=lambda: codes.append(main(['samples'])))
    t.start()
    t.join()
    assert codes == [0]

# ---- consoles, pipes and names

@pytest.mark.parametrize('encoding', ['ascii', 'cp932', 'cp1252', 'utf-8'])
def test_consoles_that_lack_letters(encoding):
    code = r"""import sys, style_nb.cli as cli
cli.TASKS['samples'] = '', None, lambda args: 'caf\u00e9 \u00b1 \u2192 \u732b \udcff'
sys.exit(cli.main(['samples']))"""
    p = subprocess.run([sys.executable, '-c', code], capture_output=True, env=env(PYTHONIOENCODING=encoding))
    assert p.returncode == 0 and p.stderr == b'' and p.stdout.startswith(b'caf'), p.stderr

@pytest.mark.parametrize('words', [['samples'], ['--help'], ['stylize', '--help'], ['recipes']], ids=' '.join)
def test_a_reader_that_has_enough(words):
    p = subprocess.Popen(command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env())
    p.stdout.close()
    err = p.stderr.read()
    assert p.wait(timeout=60) == 0 and err == b''

@pytest.mark.parametrize('task', [['palette', 'painting.png', '--grid', '--layers', 'relu1_1'],
    ['ablate', 'painting.png', 'photo.png', '--variants', 'full contrast'],
    ['rank', 'painting.png', 'photo.png'], ['tile', 'photo.png', '--sweep', '1'], ['stylize', 'photo.png',
    'painting.png'], ['matrix', 'photo.png', '--styles', 'painting.png'], ['recolour', 'photo.png', 'painting.png'],
    ['contrast', 'photo.png']], ids=lambda t: t[0])
def test_home_folder_in_an_output(run, files, monkeypatch, task):
    "`--output=~/x.png`, which no shell expands, is found, and what cannot be written is said before the work"
    monkeypatch.setenv('HOME', str(files/'out'))
    words = [files/w if w.endswith('.png') else w for w in task]
    if task[0] in ('palette', 'ablate', 'stylize', 'matrix'): words += ['--size', 48, '--steps', 2, '--levels', 1]
    if task[0] == 'tile': words += ['--size', 48, '--steps', 2]
    code, out, err = run(*words, '--output=~/x y é.png')
    assert code == 0 and left(files) == ['x y é.png'], err
    (files/'out/x y é.png').unlink()
    for name in ('style_nb.transfer.stylize', 'style_nb.palettes.palettes', 'style_nb.reversion.ablate',
            'style_nb.sitters.rank_photos', 'style_nb.tiling.granularity_sweep', 'style_nb.sweeping.matrix'):
        monkeypatch.setattr(name, lambda *a, **k: 1/0)
    fails(run, files, [*words, '--output=~/none/x.png'], 'does not exist')

def test_home_folder_elsewhere(run, files, monkeypatch):
    monkeypatch.setenv('HOME', str(files))
    few = ['--size', 48, '--levels', 1, '--steps', 2, '--snapshots', 1]
    assert run('stylize', '~/photo.png', '~/painting.png', '--output=~/out/a.png', '--animate=~/out/a.gif',
        '--save-state=~/out/a.safetensors', '--change-mask=~/photo.png', *few)[0] == 0
    assert run('stylize', '~/photo.png', '~/painting.png', '--output=~/out/b.png', '--recipe=~/out/a.png')[0] == 0
    assert run('matrix', '~/photo.png', '--styles', '~/painting.png', '--output=~/out/m.png', '--folder=~/out/each',
        *few)[0] == 0
    assert left(files) == ['a.gif', 'a.png', 'a.safetensors', 'b.png', 'each', 'm.png']
    class args: output = '~/out/demo'
    run_demo(args, size=48, steps=2, levels=1)
    assert (files/'out/demo/result.png').exists()

# ---- what programs and pipes ask for

def test_json(run, files):
    import json
    code, out, err = run(*stylize(files, '--json', '--quiet'))
    said = json.loads(out)
    assert code == 0 and err == '' and out.count('\n') == 1
    assert list(said) == ['output', 'size', 'steps', 'seconds', 'stopped', 'recipe']
    assert (said['output'], said['size'], said['steps']) == (str(files/'out/out.png'), [48, 48], 3)
    assert said['recipe']['size'] == 48 and said['seconds'] > 0
    for task in (['palette', files/'painting.png'], ['revert', files/'painting.png', files/'photo.png']):
        code, out, err = run(*task, '-o', files/'out/o.png', '--size', 64, '--steps', 2, '--json')
        assert code == 0 and json.loads(out)['steps'] == 2
    for name in left(files): (files/'out'/name).unlink()
    fails(run, files, stylize(files, '--json', '--size', 0), 'size is 0')
    fails(run, files, ['stylize', files/'photo.png', files/'painting.png', '-o', '-', '--json'], 'both write to stdout')

@pytest.mark.parametrize('task', [['stylize', 'photo.png', 'painting.png', *SMALL], ['palette', 'painting.png',
    *SMALL], ['contrast', 'photo.png'], ['recolour', 'photo.png', 'painting.png'], ['tile', 'photo.png'],
    ['matrix', 'photo.png', '--styles', 'painting.png', *SMALL]], ids=lambda t: t[0])
def test_quiet(run, files, task):
    words = [files/w if w.endswith('.png') else w for w in task]
    assert run(*words, '-o', files/'out/a.png', '-q') == (0, '', '') and left(files) == ['a.png']

def test_version(run):
    import style_nb
    assert run('--version') == (0, f'style_nb {style_nb.__version__}\n', '')

def test_help_has_the_exit_codes(run):
    for words in (['--help'], ['stylize', '--help']):
        out = ' '.join(run(*words)[1].split())
        for part in ('0 done', '1 refused', '2 usage', '130 Ctrl-C', '143 SIGTERM'): assert part in out

def test_device(run, files):
    assert run(*stylize(files, '--device', 'cpu'))[0] == 0
    (files/'out/out.png').unlink()
    for name in ('abacus', 'meta'): fails(run, files, stylize(files, '--device', name), f'Unknown device {name!r}')

def test_resume(run, files):
    "Saved, gone on with and equal to a run that was never stopped"
    how = ['--size', 48, '--levels', 1]
    pair = [files/'photo.png', files/'painting.png']
    assert run('stylize', *pair, *how, '--steps', 6, '-o', files/'out/whole.png')[0] == 0
    assert run('stylize', *pair, *how, '--steps', 3, '-o', files/'out/half.png', '--save-state',
        files/'out/half.safetensors')[0] == 0
    code, out, err = run('stylize', *pair, '--steps', 6, '-o', files/'out/rest.png', '--resume',
        files/'out/half.safetensors')
    assert code == 0 and '3 steps' in err and pixels(files/'out/rest.png') == pixels(files/'out/whole.png')
    for name in left(files): (files/'out'/name).unlink()
    fails(run, files, ['stylize', *pair, '-o', files/'out/a.png', '--resume', files/'photo.png'], 'photo.png')
    fails(run, files, stylize(files, '--save-state', files/'out/a.png'), '.safetensors')

@pytest.fixture
def piped(monkeypatch):
    "Stdin and stdout as bytes"
    import io
    def piped(data=b''):
        out = io.TextIOWrapper(io.BytesIO(), 'utf-8')
        monkeypatch.setattr('sys.stdin', io.TextIOWrapper(io.BytesIO(data)))
        monkeypatch.setattr('sys.stdout', out)
        return out
    return piped

def test_stdin_and_stdout(files, piped, tmp_path):
    photo = (files/'photo.png').read_bytes()
    for task in (['stylize', '-', files/'painting.png', *SMALL], ['stylize', files/'photo.png', '-', *SMALL],
            ['contrast', '-'], ['recolour', '-', files/'painting.png'], ['tile', '-'], ['palette', '-', *SMALL],
            ['revert', '-', files/'photo.png', '--size', 64, '--steps', 2]):
        out = piped(photo)
        assert main([*map(str, task), '-o', '-']) == 0, task
        (tmp_path/'x.png').write_bytes(out.buffer.getvalue())
        size, _ = pixels(tmp_path/'x.png')
        if task[0] in ('stylize', 'palette'): assert size == (48, 48) and Recipe.load(tmp_path/'x.png').steps == 3
    assert left(files) == []

def test_stdin_instead_of_any_picture(files, piped):
    photo, few = (files/'photo.png').read_bytes(), ['--size', 48, '--steps', 2, '--levels', 1]
    for task in (['recolour', files/'photo.png', '-'], ['rank', '-', files/'photo.png'],
            ['rank', files/'painting.png', '-', files/'photo.png'], ['tile', '-', '--sweep', 1, *few[:4]],
            ['revert', files/'painting.png', '-', files/'other.png', '--size', 64, '--steps', 2],
            ['palette', '-', '--grid', '--layers', 'relu1_1', *few],
            ['ablate', '-', files/'photo.png', '--variants', 'full contrast', *few]):
        piped(photo)
        assert main([*map(str, task), '-o', str(files/'out/a.png')]) == 0, task
    (files/'in').mkdir()
    save_picture(load_picture(photo), files/'in/a.png')
    piped(photo)
    assert main([*map(str, ['stylize', files/'in', '-', '-o', files/'out/each', *SMALL])]) == 0

def test_a_mask_from_stdin(files, piped):
    piped((files/'photo.png').read_bytes())
    assert main([*map(str, stylize(files, '--mask', '-', '--size', 32))]) == 0

def test_a_bundled_picture_by_its_name(files, monkeypatch):
    "A file goes before a bundled picture of its name"
    assert picture_in('swirls').tobytes() == sample('swirls').tobytes()
    monkeypatch.chdir(files)
    (files/'swirls').write_bytes((files/'painting.png').read_bytes())
    assert picture_in('swirls') == 'swirls' and picture_in('nothing') == 'nothing'
    with pytest.raises(ValueError, match='wave is a stored style'): picture_in('wave')

def test_stdin_is_read_once(run, files, piped, capsys):
    piped((files/'photo.png').read_bytes())
    assert main(['stylize', '-', '-', '-o', str(files/'out/a.png')]) == 1
    assert 'say - once' in capsys.readouterr().err and left(files) == []

@pytest.mark.parametrize('task', [['recolour', 'photo.png'], ['rank', 'photo.png', 'photo.png'], ['rank', 'photo.png',
    'other.png'], ['revert', 'painting.png', 'photo.png', '--size', '64', '--steps', '2'],
    ['matrix', 'photo.png', *SMALL, '--styles', 'painting.png']], ids=lambda t: t[0])
def test_no_secret_of_an_address_is_said(run, files, monkeypatch, task):
    "Of two addresses that differ in their tokens only, both are read"
    import http.server, threading
    class Server(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_): pass
    class In(Server):
        def __init__(self, *args): super().__init__(*args, directory=str(files))
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), In)
    threading.Thread(target=server.serve_forever, args=(.02,), daemon=True).start()
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    url = f'http://127.0.0.1:{server.server_port}/other.png?token=sesame'
    words = [files/w if w.endswith('.png') else w for w in task]
    try: code, out, err = run(*words, url, url + '1', '-o', files/'out/a.png')
    finally: server.shutdown()
    assert code == 0 and 'sesame' not in out + err, out + err
    if task[0] in ('rank', 'revert'): assert (out + err).count('/other.png (') == 2

def test_transparency_of_other_tasks(run, files):
    with Image.open(files/'photo.png') as im: clear = im.convert('RGBA')
    clear.putalpha(90)
    clear.save(files/'clear.png')
    for task in (['recolour', files/'clear.png', files/'painting.png'], ['contrast', files/'clear.png']):
        assert run(*task, '-o', files/'out/a.png')[0] == 0
        with Image.open(files/'out/a.png') as im: assert im.getchannel('A').getextrema() == (90, 90)

def test_what_is_wrong_for_a_whole_folder_is_said_once(run, files):
    (files/'in/sub.png').mkdir(parents=True)
    for name in 'ab': save_picture(load_picture(files/'photo.png'), files/f'in/{name}.png')
    words = ['stylize', files/'in', '-o', files/'out', *SMALL]
    fails(run, files, [*words, files/'in'], 'in is a folder')
    fails(run, files, [*words, files/'none.png'], 'none.png')
    fails(run, files, [*words, files/'painting.png', '--tv-weight', -1], '--tv-weight is -1')
    assert run(*words, files/'painting.png')[0] == 0 and left(files) == ['a.png', 'b.png']  # a folder in it is no photo

def test_empty_stdin(run, files, piped):
    piped(b'')
    assert main(['stylize', '-', str(files/'painting.png'), '-o', str(files/'out/a.png')]) == 1 and left(files) == []

def test_a_folder_in_and_a_folder_out(run, files):
    import json
    (files/'in').mkdir()
    for name in ('b.png', 'a é.png', 'a é.jpg'): save_picture(load_picture(files/'photo.png'), files/'in'/name)
    (files/'in/.part-1.png').touch()
    (files/'in/notes.txt').touch()
    words = ['stylize', files/'in', files/'painting.png', '-o', files/'out/new/each', *SMALL]
    code, out, err = run(*words)
    each = sorted(p.name for p in (files/'out/new/each').iterdir())
    assert code == 0 and each == ['a é.jpg.png', 'a é.png.png', 'b.png'] and err.count('Result: 48x48') == 3
    (files/'in/bad.png').write_text('no picture')
    code, out, err = run(*words, '--json', '-q')
    assert code == 1 and len(json.loads(out)['pictures']) == 3 and '1 of 4 photos' in err and 'bad.png' in err
    for more, want in ((['--animate', 'a.gif'], '--animate goes with one photo'),
            (['-o', '-'], 'a folder with -o too'), (['-o', files/'in'], 'is read and written'),
            (['-o', files/'out/b.png'], 'a folder with -o too')):
        code, out, err = run(*words, *more)
        assert code == 1 and want in err

@pytest.mark.parametrize('name', ['a.png', 'a.jpg', 'a.webp', 'a.tif', 'each/me.png'])
def test_credits(run, files, name):
    from style_nb.opening import credits_of
    exif = Image.Exif()
    exif[315], exif[33432] = 'Jo Doe', 'CC BY 4.0'
    (files/'in').mkdir()
    with Image.open(files/'photo.png') as im: im.save(files/'in/me.jpg', exif=exif)
    content, out = (files/'in/me.jpg', name) if name[0] == 'a' else (files/'in', 'each')
    for more, want in (['--credits'], dict(author='Jo Doe', copyright='CC BY 4.0')), ([], {}):
        assert run(*stylize(files, *more, content=content, out=out))[0] == 0
        with Image.open(files/'out'/name) as im: assert credits_of(im) == want

def test_a_folder_ends_with_the_first_picture_that_cannot_be_written(run, files, monkeypatch):
    (files/'in').mkdir()
    for name in 'abc': save_picture(load_picture(files/'photo.png'), files/'in'/f'{name}.png')
    def full(im, f, *_, **__): raise OSError(28, 'No space left on device')
    monkeypatch.setattr('PIL.Image.Image.save', full)
    code, out, err = run('stylize', files/'in', files/'painting.png', '-o', files/'out/new', *SMALL)
    assert code == 1 and err.count('cannot be written: No space left') == 1 and 'a.png' in err

def test_the_size_of_the_photo(run, files):
    save_picture(load_picture(files/'photo.png')[..., 10:60, :], files/'wide.png')
    assert run(*stylize(files, '--size', 'own', content=files/'wide.png'))[0] == 0
    assert pixels(files/'out/out.png')[0] == (64, 50) and Recipe.load(files/'out/out.png').size == 64

def test_options_between_other_words(run):
    def said(line): return build_parser(line.split()[0]).parse_args(line.split())
    for line in ('stylize a.jpg --size 64 b.jpg -o o.png c.jpg', 'stylize -o o.png a.jpg b.jpg --size=64 c.jpg',
            '--size 64 -qo o.png a.jpg b.jpg c.jpg', '--blend 2 1 a.jpg -oo.png --size 64 b.jpg c.jpg',
            'a.jpg --style-weights relu1_1=3 relu2_1 b.jpg -o o.png --siz 64 c.jpg',
            'a.jpg b.jpg --snapshots 3 6 c.jpg --size 64 -o o.png', '-o o.png --size 64 -- a.jpg b.jpg c.jpg',
            'a.jpg --no-balance b.jpg --seed -1 c.jpg --size 64 -o o.png',
            'a.jpg b.jpg -o o.png --size 64 --schedule 1:lr=2 2:lr=1 c.jpg'):
        line = line if line.startswith('stylize') else f'stylize {line}'
        got = said(line)
        assert (got.content, got.style, got.size, got.output) == ('a.jpg', ['b.jpg', 'c.jpg'], 64, 'o.png'), line
    got = said('rank a.jpg -o o.png b.jpg c.jpg')
    assert (got.painting, got.photo) == ('a.jpg', ['b.jpg', 'c.jpg'])
    got = said('tile --sweep 1 3 a.jpg -n 3 -o o.png')
    assert (got.photo, got.sweep, got.n) == ('a.jpg', [1, 3], 3)
    assert said('tile --sweep a.jpg -o o.png').sweep == []
    assert said('stylize -o o.png -- -a.jpg -b.jpg').style == ['-b.jpg']

def test_animation_without_a_frame(run, files, monkeypatch):
    monkeypatch.setattr('style_nb.transfer.stylize', lambda *a, **k: 1/0)
    for more in ([], ['--snapshots', 4], ['--snapshots', 0], ['--snapshots', 7, 9]):
        fails(run, files, stylize(files, '--animate', files/'out/a.gif', *more), '--snapshots 1')

def test_a_recipe_of_a_reversion(run, files):
    words = ['revert', files/'painting.png', files/'photo.png']
    assert run(*words, '-o', files/'r.png', '--size', 64, '--steps', 2)[0] == 0
    fails(run, files, stylize(files, '--recipe', files/'r.png'), 'style_nb revert')
    assert run(*words, '-o', files/'out/s.png', '--recipe', files/'r.png')[0] == 0

def test_colours_and_balance(run, files):
    assert run(*stylize(files, '--colours', 'content-luma', '--balance', '--style-weight', 3, out='a.png'))[0] == 0
    r = Recipe.load(files/'out/a.png')
    assert r.colours == 'content-luma' and r.balance and r.schedule[0][1] == 'content_weights'
    assert (run('stylize', files/'photo.png', files/'painting.png', '-o', files/'out/b.png', '--recipe',
        files/'out/a.png')[0] == 0)
    assert pixels(files/'out/a.png') == pixels(files/'out/b.png')

def test_unknown_colours(run, files):
    fails(run, files, stylize(files, '--colours', 'mine'), 'Unknown colours', 'content-luma')

def test_recolour(run, files):
    code, out, err = run('recolour', files/'photo.png', files/'painting.png', '-o', files/'out/a.png', '--method',
        'cholesky')
    assert code == 0 and out == '' and '16x16' not in err and 'in the colours of painting.png' in err
    assert left(files) == ['a.png']
    assert (pixels(files/'out/a.png')[0] == pixels(files/'photo.png')[0]
        and pixels(files/'out/a.png') != pixels(files/'photo.png'))

def test_recolour_refuses_a_method(run, files):
    fails(run, files, ['recolour', files/'photo.png', files/'painting.png', '-o', files/'out/a.png', '--method',
        'chol'], 'colour method')

def test_a_named_size_beyond_memory_is_refused(run, files, monkeypatch):
    monkeypatch.setattr('style_nb.memory.memory_of', lambda device: 1e8)
    code, out, err = run(*stylize(files)[:3], '-o', 'big.png', '--size', '20000', '--steps', '1')
    assert code == 1 and 'too large here' in err and 'at most' in err

def test_quiet_says_why_a_run_ended_early(run, files):
    code, out, err = run(*stylize(files, '--steps', '12', '--style-weight', '1e30', '-q'))
    assert code == 0 and out == '' and err.count('\n') == 1 and 'style' in err

# ---- in words of the command line

@pytest.mark.parametrize('words,want', [
    ('stylize photo.png', 'Missing: style, -o/--output. See'),
    ('stylize photo.png painting.png -o', '--output needs a value.'),
    ('stylize photo.png painting.png --steps x', "--steps is 'x': give a whole number."),
    ('stylize photo.png painting.png --lr x', "--lr is 'x': give a number."),
    ('stylize photo.png painting.png --style-weights relu1_1=x', "--style-weights is 'relu1_1=x': give layers, like"),
    ('stylize photo.png painting.png --schedule 3', "--schedule is '3': give STEP:FIELD=VALUE"),
    ('stylize photo.png painting.png --style 3', '--style may be --style-weights, '),
    ('stylize photo.png painting.png --quiet=3', "--quiet takes no value: leave '3' out."),
    ('palette painting.png --layers a.b', "--layers is 'a.b': give a layer, like relu1_1."),
    ('tile photo.png painting.png -o a.png', 'painting.png is too much here: leave it out.'),
    ('tile photo.png -n x', "-n is 'x': give a whole number."),
    ('samples all', 'all is too much here'),
    ('stylise photo.png painting.png', "Unknown task 'stylise': choose one of stylize,"),
    ('stylize photo.png painting.png --sise 3', 'There is no option --sise: did you mean --size? See')], ids=str)
def test_usage_in_our_words(run, files, words, want):
    fails(run, files, words.split(), want, '--help', code=2)

@pytest.mark.parametrize('words,want', [
    (['--keep', '3'], 'give one as --init FILE, or --keep 0.'),
    (['--init', 'picture'], 'give it again as --init FILE'),
    (['--style-weights', 'relu1_1=-2'], '--style-weights relu1_1 is -2.0'),
    (['--optimizer', 'adam', '--finish', 'random', '--finish-steps', '1'], 'use --optimizer lbfgs'),
    (['--style-norm', 'foo'], "Unknown --style-norm 'foo': choose one of unit,"),
    (['--schedule', '1:foo=3'], "'foo': choose one of content_weight,"),
    (['--mask', 'photo.png', '--mask', 'photo.png'], '2 masks for 1 style: give one for each style'),
    (['--resume', 'photo.png'], 'written by --save-state. A PNG alone cannot be continued exactly; use it as --init')],
    ids=str)
def test_refusals_speak_of_options(run, files, monkeypatch, words, want):
    monkeypatch.chdir(files)
    fails(run, files, stylize(files, *words), want)

@pytest.mark.parametrize('words,want', [
    ('--size 0', '--size is 0: give a whole number, at least 4'),
    ('--encoder vgg', "Unknown encoder 'vgg': choose one of"),
    ('--style-weights relu9_1', 'relu9_1'),
    ('--device x', "Unknown device 'x'"),
    ('--style-weights relu1_1 relu1_1=3', 'relu1_1 is said twice'),
    ('--finish-steps 3', '--finish-steps is 3 without --finish'),
    ('--steps 5 --schedule 5:style_weight=3', '--schedule has a move at step 5 of 5 steps')], ids=str)
def test_a_value_that_is_not_allowed_is_usage(run, files, words, want):
    fails(run, files, stylize(files, *words.split()), want, code=2)

def test_a_value_that_is_not_allowed_is_usage_in_every_task(run, files):
    for words in ('tile photo.png -n 0', 'contrast photo.png --contrast -1', 'palette painting.png --layers relu9_1'):
        task, name, *rest = words.split()
        fails(run, files, [task, files/name, '-o', files/'out/a.png', *rest], code=2)

def test_a_schedule_and_last_steps_that_are_heeded(run, files):
    words = '--steps 3 --schedule 2:style_weight=3 --encoder random --finish random --finish-steps 1'
    assert run(*stylize(files, *words.split()))[0] == 0

def test_words_that_name_no_file(run, files):
    (files/'text.txt').write_text('hi')
    fails(run, files, stylize(files, '--recipe', files/'text.txt'), 'text.txt carries no recipe')
    fails(run, files, ['stylize', '', files/'painting.png', '-o', files/'out/a.png'], 'it is empty')
    fails(run, files, ['stylize', files/'photo.png', files/'painting.png', '-o', '/proc/o.png', '-q', *SMALL],
        'cannot be written', 'Choose another folder')

def test_help_speaks_of_words(run):
    for task in ('stylize', 'palette', 'revert', 'tile', 'matrix'):
        code, out, _ = run(task, '--help')
        assert code == 0 and not [word for word in ('`None`', '{layer', 'True or False', '(step,') if word in out]

def test_warnings_speak_of_options(run, files, monkeypatch):
    import warnings
    def warned(*args, **kwargs): raise ValueError(warnings.formatwarning('say encoder_inputs=...', None, None, None))
    monkeypatch.setattr('style_nb.transfer.stylize', warned)
    fails(run, files, stylize(files), 'style_nb: say --encoder-inputs FILE')

# ---- files and folders

@pytest.mark.parametrize('words', [
    ['stylize', 'photo.png', 'painting.png', *SMALL], ['recolour', 'other.png', 'photo.png'],
    ['contrast', 'other.png', '--like', 'photo.png'], ['tile', 'photo.png'], ['rank', 'painting.png', 'photo.png'],
    ['revert', 'painting.png', 'other.png', 'photo.png'], ['matrix', 'photo.png', '--styles', 'painting.png'],
    ['stylize', 'other.png', 'painting.png', '--mask', 'photo.png']], ids=lambda w: ' '.join(w[:3]))
def test_what_is_read_is_not_written_over(run, files, monkeypatch, words):
    "By whatever path it is named"
    monkeypatch.chdir(files)
    before = (files/'photo.png').read_bytes()
    (files/'link.png').symlink_to('photo.png')
    os.link('photo.png', 'hard.png')
    for name in 'photo.png', './out/../photo.png', files/'photo.png', 'link.png', 'hard.png':
        fails(run, files, [*words, '-o', name], 'photo.png is read and written', code=1)
    assert (files/'photo.png').read_bytes() == before

def test_a_folder_is_not_written_over(run, files, monkeypatch):
    "A photo's result would take the place of the painting, or of a photo that is a link"
    monkeypatch.chdir(files)
    (files/'in').mkdir()
    save_picture(load_picture(files/'photo.png'), files/'in/painting.png')
    code, out, err = run('stylize', 'in', 'painting.png', '-o', '.', *SMALL)
    assert code == 1 and 'painting.png is read and written' in err
    (files/'in/x.png').symlink_to(files/'photo.png')
    (files/'in/photo.jpg').symlink_to(files/'photo.png')
    code, out, err = run('stylize', 'in', 'other.png', '-o', '.', *SMALL)
    assert code == 1 and 'is read and written' in err

def test_a_sheet_does_not_keep_its_pictures_among_the_photos(run, files):
    style, sheet = files/'painting.png', files/'m.png'
    code, out, err = run('matrix', files, '--styles', style, '-o', sheet, '--folder', files, *SMALL)
    assert code == 1 and 'is read and written' in err

def test_a_state_may_take_its_own_place(run, files):
    state = files/'s.safetensors'
    assert run(*stylize(files, '--save-state', state))[0] == 0
    assert run(*stylize(files, '--resume', state, '--save-state', state, '--steps', 5))[0] == 0

def test_a_folder_for_one_picture(run, files):
    (files/'in').mkdir()
    for task in (['recolour', files/'in', files/'painting.png'], ['contrast', files/'in'], ['tile', files/'in'],
            ['revert', files/'in', files/'photo.png']):
        for out in 'out.png', 'new': fails(run, files, [*task, '-o', files/'out'/out], 'in is a folder: give one')

def test_a_folder_for_several_pictures(run, files):
    (files/'in').mkdir()
    fails(run, files, ['rank', files/'painting.png', files/'in'], 'no picture in the folder')
    for name in 'ab': save_picture(load_picture(files/'photo.png'), files/f'in/{name}.png')
    (files/'in/notes.txt').touch()
    code, out, err = run('rank', files/'painting.png', files/'in')
    assert code == 0 and out.count('.png') == 2
    words = ['matrix', files/'in', '--styles', files/'painting.png', '-o', files/'out/m.png', *SMALL]
    assert '2 of 2 pictures' in run(*words)[2]

def test_a_matrix_with_a_gap_fails(run, files, monkeypatch):
    "Its sheet is written, and one line says how many could not be painted"
    import style_nb.sweeping as sweeping
    paint = sweeping.paint_item
    def some(item, *args):
        if item.pair[0] == 'photo': return paint(item, *args)
        item.error = 'OSError: no luck'
        return item
    monkeypatch.setattr(sweeping, 'paint_item', some)
    words = ['matrix', files/'photo.png', files/'other.png', '--styles', files/'painting.png', *SMALL, '-q']
    code, out, err = run(*words, '-o', files/'out/m.png')
    assert code == 1 and left(files) == ['m.png']
    assert err.splitlines()[-1] == 'style_nb: 1 of 2 pictures could not be painted, see above.' and 'no luck' in err

def test_a_matrix_by_no_recipe_fails_at_once(run, files):
    words = ['matrix', files/'photo.png', '--styles', files/'painting.png', '-o', files/'out/m.png']
    fails(run, files, [*words, '--recipe', 'gatis'], "style_nb: Unknown recipe 'gatis'")
    fails(run, files, [*words, '--steps', 0], 'style_nb: --steps is 0')

def test_a_state_at_another_size_is_told(run, files):
    state = files/'s.safetensors'
    go = ['stylize', files/'photo.png', files/'painting.png', '-o', files/'out/b.png', '--levels', 1]
    assert run(*go, '--size', 48, '--steps', 3, '--save-state', state)[0] == 0
    more = [*go, '--steps', 5, '--resume', state]
    for size, said in (48, 0), (64, 1):
        assert run(*more, '--size', size)[2].count(f'goes on resized to {size}') == said
    assert run(*more, '--size', 64, '-q')[1:] == ('', '') and pixels(files/'out/b.png')[0] == (64, 64)

@pytest.mark.parametrize('compression', ['tiff_lzw', 'tiff_adobe_deflate'])
def test_a_damaged_tiff_is_one_line(capfd, files, compression):
    "libtiff has a voice of its own"
    noise = Image.effect_noise((80, 60), 90).convert('RGB')
    noise.save(files/'a.tif', compression=compression)
    raw = bytearray((files/'a.tif').read_bytes())
    raw[len(raw)//3:len(raw)//3 + 400] = bytes(0x5a ^ b for b in raw[len(raw)//3:len(raw)//3 + 400])
    (files/'a.tif').write_bytes(raw)
    code = main(['recolour', str(files/'a.tif'), str(files/'painting.png'), '-o', str(files/'z.png')])
    assert code == 1 and len(capfd.readouterr().err.splitlines()) == 1

def test_a_state_is_not_written_where_the_checkpoint_is_taken_away(run, files):
    both = '--save-state', files/'out/s.safetensors', '--checkpoint', files/'out/../out/s.safetensors'
    fails(run, files, stylize(files, *both), '--save-state and --checkpoint name the same file')

def test_a_reversion_begins_with_the_paint_taken_off(run, files):
    words = 'revert', files/'painting.png', files/'photo.png', '--size', 64, '--steps', 1, '--match', 0
    made = []
    for start in ('painting', 'unpainted'):
        code, *_ = run(*words, '--device', 'cpu', '--start', start, '-o', files/'out'/f'{start}.png')
        assert code == 0
        made.append(load_picture(files/'out'/f'{start}.png'))
    assert not torch.equal(*made)

def test_a_checkpoint_goes_on_by_the_same_command(run, files, monkeypatch):
    "Where the picture cannot be written its file stays, and goes away when it can"
    import style_nb.repainting as repainting
    from style_nb.checkpoints import RunCheckpoint
    go = ['stylize', files/'photo.png', files/'painting.png', '-o', files/'out/a.png', *SMALL]
    kept = [*go, '--checkpoint', files/'out/run.safetensors']
    assert run(*kept)[0] == 0 and left(files) == ['a.png']
    whole = (files/'out/a.png').read_bytes()
    write = RunCheckpoint.after_step
    def each(self):
        self.due = 0
        write(self)
    monkeypatch.setattr(RunCheckpoint, 'after_step', each)
    def full(*_, **__): raise OSError('no luck')
    with monkeypatch.context() as m:
        m.setattr(repainting, 'write_out', full)
        assert run(*kept)[0] == 1
    assert left(files) == ['a.png', 'run.safetensors']
    code, _, err = run(*kept, '--seed', 3)
    assert code == 1 and 'run.safetensors is of another run, which differs in seed' in err
    assert run(*kept, '-q') == (0, '', '')
    assert left(files) == ['a.png'] and (files/'out/a.png').read_bytes() == whole
    folder = ['stylize', files, files/'painting.png', '-o', files/'out', '--checkpoint', files/'out/run.safetensors']
    code, _, err = run(*folder)
    assert code == 1 and '--checkpoint goes with one photo' in err

def test_a_run_that_is_stopped_says_that_the_same_command_goes_on(run, files, monkeypatch):
    from style_nb.checkpoints import RunCheckpoint
    kept = stylize(files, '--checkpoint', files/'out/run.safetensors')
    step = RunCheckpoint.after_step
    def stop(self):
        step(self)
        if self.controls.step == 2: self.learn.stop.now()
    goes_on = f"style_nb: {files/'out/run.safetensors'} keeps where it stands: the same command goes on from there.\n"
    for quiet in ([], ['-q']):
        with monkeypatch.context() as m:
            m.setattr(RunCheckpoint, 'after_step', stop)
            code, out, err = run(*kept, *quiet)
        assert code == 0 and out == '' and err.endswith(goes_on) and 'stopped by hand at step 2 of 3' in err, err
        assert left(files) == ['out.png', 'run.safetensors']
        code, out, err = run(*kept, *quiet)
        assert code == 0 and 'goes on' not in err and left(files) == ['out.png']

def test_a_second_ctrl_c_says_what_there_is_to_go_on_from(run, files, monkeypatch):
    def twice(*_, **__): raise KeyboardInterrupt
    monkeypatch.setattr('style_nb.transfer.stylize', twice)
    kept = stylize(files, '--checkpoint', files/'run.safetensors')
    assert run(*kept) == (130, '', 'style_nb: stopped\n')
    (files/'run.safetensors').touch()
    assert run(*kept) == (130, '', 'style_nb: stopped: the same command goes on from there.\n')

@pytest.mark.parametrize('n', [0, 2])
def test_workers_go_with_a_folder(run, files, n):
    fails(run, files, stylize(files, '--workers', n), '--workers goes with a folder', 'photo.png is one photo')

@pytest.mark.parametrize('word, meant', [('astronot', 'astronaut'), ('swirl', 'swirls')])
def test_a_sample_that_is_misspelt_is_guessed(word, meant, tmp_path, capsys):
    assert main(['stylize', word, 'swirls', '-o', str(tmp_path/'a.png')])
    assert f'no bundled picture {word}. Did you mean {meant}?' in capsys.readouterr().err
