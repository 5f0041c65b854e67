"Damaged and hostile files, servers, full disks and killed writers: what `bench/faults.py` tries, in small, and by name"
import json, os, stat, subprocess, sys, threading
from pathlib import Path
import numpy as np, pytest, torch
from PIL import Image
sys.path.insert(0, str(Path(__file__).resolve().parent.parent/'bench'))
import faults
import style_nb.files
from style_nb.errors import BadFile, StyleNBError, in_one_line, in_range
from style_nb.fetching import address_name, fetch, is_address, shown
from style_nb.files import check_output, from_text, made_folder, read_whole, tidy, whole_file
from style_nb.inputs import short_name
from style_nb.encoders import encoder
from style_nb.mask_files import mask_levels, mask_of, mask_ref
from style_nb.pictures import load_picture, resize, save_picture
from style_nb.recipe import Recipe
from style_nb.results import animate, load_state
from style_nb.keeping import write_state
from style_nb.sweeping import Item, NOTE, read_item, sweep
from style_nb.transfer import stylize
from style_nb.fitting import read_pictures

# ---- the bench, in small

def test_mutated_files(): assert faults.files(200, seed=3) == []
PICTURES = [name for name in faults.BOMBS if name.endswith('.png')]
def test_small_files_that_ask_for_much(): assert faults.bombs([n for n in faults.BOMBS if n not in PICTURES]) == []
def test_pictures_as_large_as_are_read(): assert faults.bombs(PICTURES) == []
def test_one_bit_turned_over(): assert faults.flips(40) == []
def test_hostile_servers(clean_env): assert faults.net(.6) == []
def test_full_disk(): assert faults.disk() == []
def test_kill_9(): assert faults.kills(1) == []

# ---- written whole or not at all

def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path, photo):
    (tmp_path/'far').mkdir()
    target, link = tmp_path/'far'/'b.png', tmp_path/'a.png'
    link.symlink_to(target)  # there is nothing yet
    for _ in range(2):
        save_picture(photo, link)
        assert link.is_symlink() and load_picture(target).shape == photo.shape
    assert [o.name for o in (tmp_path/'far').iterdir()] == ['b.png']

def test_links_that_lead_nowhere(tmp_path, refused):
    (tmp_path/'round.png').symlink_to('round.png')
    (tmp_path/'gone.png').symlink_to(tmp_path/'none'/'b.png')
    refused(lambda: check_output(tmp_path/'round.png'), 'round.png')
    refused(lambda: check_output(tmp_path/'gone.png'), 'none does not exist')

@pytest.mark.parametrize('mode', [0o600, 0o640, 0o666])
def test_permissions_stay(tmp_path, photo, mode):
    path = tmp_path/'a.png'
    path.touch()
    path.chmod(mode)
    save_picture(photo, path)
    assert stat.S_IMODE(path.stat().st_mode) == mode and path.stat().st_size > 0

def test_a_secret_file_is_no_moment_open_to_others(tmp_path):
    path = tmp_path/'a.txt'
    path.touch(0o600)
    with whole_file(path) as tmp: assert stat.S_IMODE(tmp.stat().st_mode) == 0o600

def test_a_pipe_stays_one(tmp_path, photo):
    path, came = tmp_path/'a.png', []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: came.append(path.read_bytes()))
    reader.start()
    save_picture(photo, path)
    reader.join(10)
    assert stat.S_ISFIFO(path.stat().st_mode) and torch.equal(load_picture(came[0]), photo)
    assert [o.name for o in tmp_path.iterdir()] == ['a.png']

def test_what_a_killed_writer_left_is_taken_away(tmp_path, photo):
    script = f'''
import os
from style_nb.files import whole_file
with whole_file({str(tmp_path/'a.png')!r}) as tmp:
    tmp.write_bytes(b'half')
    os.kill(os.getpid(), 9)
'''
    assert subprocess.run([sys.executable, '-c', script]).returncode == -9
    part, = tmp_path.iterdir()
    mine = tmp_path/'.part-of-my-house.png'
    old = tmp_path/f".part-{'0'*32}.png"  # as version 0.1.0 called them
    for path in (mine, old):
        path.touch()
        os.utime(path, (0, 0))
    with pytest.raises(ValueError): read_pictures(tmp_path, progress=False)
    with whole_file(tmp_path/'b.png') as tmp:
        tidy(tmp_path)  # of one who lives
        assert tmp.exists()
        tmp.write_bytes(b'whole')
    assert sorted(o.name for o in tmp_path.iterdir()) == [mine.name, 'b.png']

def coder_that(monkeypatch, path, does):
    "A program instead of ffmpeg"
    path.write_text(f'#!{sys.executable}\nimport sys\n{does}\n')
    path.chmod(0o755)
    monkeypatch.setenv('IMAGEIO_FFMPEG_EXE', str(path))

@pytest.mark.parametrize('does,said', [
    ('sys.exit(1)', 'the coder ended early'),
    ("sys.stdin.buffer.read(); print('[out#0 @ 0x1] Error: No space left on device', file=sys.stderr); sys.exit(1)",
        'No space left on device'),
    ("sys.stdin.buffer.read(9); print('Unknown encoder\\nConversion failed!', file=sys.stderr); sys.exit(1)",
        'Unknown encoder')])
def test_a_film_that_was_not_written_is_noticed(tmp_path, monkeypatch, refused, does, said):
    "In one line that says why, whenever its coder breaks, and never that a pipe is broken"
    frames = [Image.new('RGB', (320, 320), (i*20, 0, 0)) for i in range(9)]
    (tmp_path/'out').mkdir()
    assert animate(frames, tmp_path/'out/a.mp4').stat().st_size > 0
    coder_that(monkeypatch, tmp_path/'coder', does)
    refused(lambda: animate(frames, tmp_path/'out/b.mp4'), f'b.mp4 cannot be written: {said}. Make room or choose')
    assert [o.name for o in (tmp_path/'out').iterdir()] == ['a.mp4']

def test_a_sweep_ends_when_its_pictures_cannot_be_kept(tmp_path, photo, painting, monkeypatch, refused):
    done = []
    def full(*_, **__):
        done.append(1)
        raise BadFile('out/x.png cannot be written: No space left on device. Make room.')
    monkeypatch.setattr('style_nb.sweeping.save_picture', full)
    how = dict(encoder='random', size=16, steps=1, levels=1, style_weights=['relu1_1'], content_weights=['relu1_1'])
    refused(lambda: sweep(photo, painting, dict(seed=[0, 1, 2]), tmp_path, progress=False, **how),
        'x.png cannot be written', 'run the sweep again')
    assert len(done) == 1

def test_a_folder_that_cannot_be_made(tmp_path, refused, photo, painting):
    (tmp_path/'file').touch()
    refused(lambda: made_folder(tmp_path/'file'), 'file cannot be made')
    refused(lambda: sweep(photo, painting, dict(seed=[0]), tmp_path/'file'/'out'), 'cannot be made')

# ---- read within limits

def test_a_file_without_end(monkeypatch, refused):
    monkeypatch.setattr(style_nb.files, 'MOST_BYTES', 2**20)
    refused(lambda: read_whole('/dev/zero'), '/dev/zero is larger than')

@pytest.mark.parametrize('text', ['['*10**5, '{"a":'*10**5, '['*50 + ']'*50, 'nonsense'*1000, b'\xff\xfe\x00', None],
    ids=['lists', 'dicts', 'deep', 'text', 'bytes', 'None'])
def test_bad_json(text, refused): refused(lambda: from_text(text, 'a recipe'), 'This is not a recipe')

@pytest.mark.parametrize('value', [10**400, -10**400, 10**5000, float('inf'), float('nan'), 'x'*9999, [0]*9999],
    ids=['large', 'small', 'larger', 'inf', 'nan', 'text', 'list'])
def test_numbers_beyond_float(value, refused):
    refused(lambda: in_range(value, 'lr'), 'lr is')
    with pytest.raises(StyleNBError) as e: in_range(value, 'lr')
    assert len(str(e.value)) < 200

@pytest.mark.parametrize('change,words', [
    (dict(style_weight=10**400), 'style_weight'), (dict(masks=[{'png': 'AAAA'}]), 'masks'),
    (dict(masks=[dict(sha256='0', png='A')]), 'masks'), (dict(content=5), 'content'), (dict(styles=[{}]), 'styles'),
    (dict(encoder_weights=5), 'encoder_weights'), (dict(revert=[1]), 'revert'), (dict(line_search='no'), 'line_search'),
    (dict(steps=True), 'steps'), (dict(name={}), 'name'), (dict(encoder_digest=int('1'*64)), 'encoder_digest'),
    (dict(encoder_digest='1'*9999), 'encoder_digest'), (dict(size='1\n'*9999), 'size'),
    (dict(finish_weights='x'*9999), 'finish_weights'), (dict(style_weights={'x'*9999: -1}), 'style_weights'),
    (dict(schedule=[[1, 'style_weights', ['x'*9999]]]), 'style_weights'),
    (dict(snapshots=[1]*100_001), 'snapshots has too many entries')])
def test_odd_recipes_are_refused_with_the_file(tmp_path, refused, change, words):
    path = tmp_path/'odd.json'
    path.write_text(json.dumps(json.loads(json.dumps(dict(schema=2))) | change))
    refused(lambda: Recipe.load(path), 'odd.json', words)

def test_a_damaged_mask_of_a_recipe_is_named_and_nothing_else_asked_for(refused):
    ref = mask_ref(torch.rand(1, 1, 9, 9), 'left')
    for png in ('AAAA', ref['png'][:40], mask_ref(torch.zeros(1, 1, 9, 9))['png']):
        refused(lambda: mask_of(ref | dict(png=png)), "mask 'left' in the recipe is damaged")
    assert (mask_of(ref)*255).round().byte().numpy().tobytes() == mask_levels(mask_of(ref)).tobytes()

def test_a_strip_without_end_is_not_decoded(tmp_path, refused):
    for size in ((4, 60_000), (60_000, 4)):
        Image.new('1', size).save(tmp_path/'a.png')
        refused(lambda: load_picture(tmp_path/'a.png'), 'a.png', 'at most 20 times the shorter')

@pytest.mark.parametrize('lies', [0, 9, 99])
def test_an_orientation_that_there_is_not_turns_nothing(tmp_path, lies):
    exif = Image.Exif()
    exif[274] = lies
    Image.new('RGB', (2400, 2000)).save(tmp_path/'a.png', exif=exif)
    assert load_picture(tmp_path/'a.png', enough=240).shape == (1, 3, 200, 240)

@pytest.mark.parametrize('way', range(1, 9))
def test_a_large_photo_that_lies_is_turned_as_a_small_one_is(tmp_path, way):
    exif = Image.Exif()
    exif[274] = way
    x = np.add.outer(np.linspace(0, 120, 2000), np.linspace(0, 130, 2400)).astype(np.uint8)
    Image.fromarray(x).save(tmp_path/'a.png', exif=exif)
    large = load_picture(tmp_path/'a.png', enough=240)
    whole = load_picture(tmp_path/'a.png')
    assert (large - resize(whole, 240)).abs().max() < .02 and large.shape == resize(whole, 240).shape

ODD = dict(
    sparse=lambda t: t.to_sparse(), complex=lambda t: t.cfloat(), whole=lambda t: t.long(), meta=lambda t: t.to('meta'),
    quantized=lambda t: torch.quantize_per_tensor(t, .1, 0, torch.qint8))

@pytest.mark.filterwarnings('ignore')  # of torch, about quantized tensors
@pytest.mark.parametrize('make', ODD.values(), ids=ODD)
def test_odd_tensors_of_a_vgg(tmp_path, refused, make):
    widths, places = (3, 64, 64, 128, 128, *[256]*3, *[512]*6), (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    sd = {f'features.{i}.bias': torch.zeros(n) for i, n in zip(places, widths[1:])}
    sd |= {f'features.{i}.weight': torch.zeros(1).expand(m, n, 3, 3) for i, n, m in zip(places, widths, widths[1:])}
    torch.save(sd | {'features.2.bias': make(torch.zeros(64))}, tmp_path/'odd.pth')
    refused(lambda: encoder('vgg16', weights=tmp_path/'odd.pth'), 'odd.pth')
    torch.save({k: v for k, v in sd.items() if k != 'features.2.bias'} | {'a\nb': torch.zeros(1)}, tmp_path/'odd.pth')
    refused(lambda: encoder('vgg16', weights=tmp_path/'odd.pth'), 'odd.pth', 'features.2.bias')

def test_a_mask_reference_needs_no_name():
    assert Recipe(masks=[dict(sha256='0'*64)]).masks == [dict(sha256='0'*64)]

@pytest.mark.parametrize('note', [{}, [], 5, 'x', dict(seconds='a'), dict(seconds=1., stopped='', losses=['x']),
    dict(seconds=1., stopped=0, losses=[]), dict(seconds=1., stopped='', losses=[1.], pixels='0'*64)])
def test_an_odd_note_is_painted_again(tmp_path, note):
    path = tmp_path/'x-0123.png'
    path.write_bytes(faults._png(faults._recipe(), {NOTE: note}))
    assert not read_item(Item(('a', 'b'), {}, '0123'), tmp_path)
    path.write_bytes(faults._png(faults._recipe(), {NOTE: faults._note()}))  # as 0.1.0 wrote it
    assert read_item(Item(('a', 'b'), {}, '0123'), tmp_path)

@pytest.mark.parametrize('part,value', [
    ('canvas', torch.zeros(3, 8, 8)), ('canvas', torch.full((1, 3, 16, 16), float('nan'))), ('canvas', 'x'),
    ('step', -1), ('step', 2.5), ('recipe', 5), ('recipe', '[]'), ('opt', dict(W=torch.zeros(2))), ('opt', []),
    ('average', dict(weight=1.)), ('average', dict(total=torch.zeros(1, 3, 16, 16), weight=0.))])
def test_odd_states_are_refused_with_the_file(tmp_path, refused, part, value):
    path = write_state(faults._state() | {part: value}, tmp_path/'odd.safetensors')
    refused(lambda: load_state(path), 'odd.safetensors')

def test_a_state_lacks_a_tensor(tmp_path, refused):
    for name in 'gdWMpq':
        state = faults._state()
        del state['opt'][name]
        path = write_state(state, tmp_path/'odd.safetensors')
        refused(lambda: load_state(path), 'odd.safetensors', 'its opt')
    assert load_state(write_state(faults._state(), path))['step'] == 3

def test_another_optimiser_cannot_go_on(photo, painting, refused):
    how = dict(encoder='random', size=16, steps=2, levels=1, style_weights=['relu1_1'], content_weights=['relu1_1'],
               progress=False)
    state = stylize(photo, painting, **how).state | dict(step=1)
    refused(lambda: stylize(photo, painting, resume=state, **how, optimizer='adam'), "began with optimizer='lbfgs'")

@pytest.mark.parametrize('plan', [
    dict(widths=[-4, 6]), dict(widths=[10**9, 6]), dict(depths=[1, 10**9]), dict(depths=[]), dict(mean=[0, 0]),
    dict(std=[1, 0, 1]), dict(mean=[float('nan')]*3), dict(widths='ab'), dict(more=1), dict(widths=[4, 7])])
def test_absurd_plans_of_encoders(tmp_path, refused, plan):
    from safetensors.torch import save_file
    from style_nb.encoders import Encoder, Shape, encoder, weights_digest
    state = Encoder('toy', Shape('toy', (4, 6), (1, 1))).body.state_dict()
    plan = faults.PLAN | plan
    path = tmp_path/'odd.safetensors'
    save_file(state, path, dict(plan=json.dumps(plan), card='{}', sha256=weights_digest(state)))
    refused(lambda: encoder('texnet', weights=path), 'odd.safetensors')

# ---- addresses

SECRET = 'http://me:sesame@example.org:80/my%20cat.png?token=sesame#sesame'

def test_no_secret_is_shown_or_kept():
    assert shown(SECRET) == 'http://example.org:80/my%20cat.png'
    assert address_name(SECRET) == short_name(SECRET, '') == 'my cat.png'
    assert address_name('https://example.org') == 'example.org'
    for text in (SECRET, 'http://me:sesame@[::1/a.png?sesame', 'ftp://me:sesame@example.org/a.png'):
        with pytest.raises(BadFile) as e: fetch(text.replace('example.org', '127.0.0.1:1').replace(':80', ''))
        assert 'sesame' not in str(e.value) and e.value.__cause__ is None

@pytest.mark.parametrize('address', ['http:me:sesame@127.0.0.1/a.png', 'https:/me:sesame@127.0.0.1/a.png?sesame',
    'http:///me:sesame@127.0.0.1/a.png', 'http://127.0.0.1:1/a.png;jsessionid=sesame'])
def test_an_address_that_is_mistyped_shows_no_secret(address, refused):
    refused(lambda: load_picture(address), 'Cannot fetch http', 'a.png')
    with pytest.raises(BadFile) as e: load_picture(address)
    assert 'sesame' not in f'{e.value} {short_name(address, "")}'

def test_what_is_an_address():
    assert all(map(is_address, ('http://a', 'http:/a', 'https:a', 'HTTPS://a', 'ftp://a', ' http://a')))
    assert not any(map(is_address, ('a.png', 'C://a.png', '/http://a', Path('a'), None, b'http://a')))

def test_spaces_and_other_scripts(clean_env):
    asked = []
    class Server(faults.Hostile):
        def do_GET(self):
            asked.append(self.path)
            self.good()
    with faults.site(Server) as host:
        for name in ('größe 2.png?a=ä b', 'gr%C3%B6%C3%9Fe%202.png?a=%C3%A4%20b'): load_picture(f'http://{host}/{name}')
    assert asked == ['/gr%C3%B6%C3%9Fe%202.png?a=%C3%A4%20b']*2

def test_a_recipe_keeps_no_token(clean_env, painting):
    how = dict(encoder='random', size=16, steps=1, levels=1, style_weights=['relu1_1'], content_weights=['relu1_1'],
               progress=False)
    with faults.site() as host:
        url = f'http://me:{faults.SECRET}@{host}/locked.png?token={faults.SECRET}'
        result = stylize(url, painting, **how)
        item, = sweep(url, painting, [{}], **how)
    assert result.recipe.content['name'] == 'locked.png' and faults.SECRET not in f'{result.recipe} {result.state}'
    assert item.filename.startswith('locked_')

def test_one_line():
    assert in_one_line('a\n b\t\x1b[31m') == 'a b ?[31m' and len(in_one_line('x'*10**6)) == 200
