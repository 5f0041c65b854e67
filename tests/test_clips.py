"Clips read and written: odd files, sound, kills, resume, cuts, and every refusal; all clips are made here"
import multiprocessing, os, random, signal, time, warnings
from fractions import Fraction
from pathlib import Path
import numpy as np, pytest
from PIL import Image
from style_nb.clips import Clip, ClipWriter, FrameStore, cuts, shots, write_clip
from style_nb.coder import Coder, look
from style_nb.errors import BadFile, BadType, MissingPackage, StyleNBError
from style_nb.footing import resident
from style_nb.gallery import sample

def ffmpeg(*words):
    "What the program writes to its pipe"
    with Coder([o for w in words for o in (w.split() if isinstance(w, str) else [w])]) as coder:
        out = coder.out.read()
        assert coder.wait(), coder.said()
    return out

PICTURES = '-f lavfi -i testsrc2=size={}:rate={}:duration={}'
SOUND = '-f lavfi -i sine=frequency=440:duration={}'
H264 = '-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 20'

def made(path, how=H264, size='64x48', fps=25, seconds=2, sound=False):
    sounds = [SOUND.format(seconds)] if sound else []
    ffmpeg(PICTURES.format(size, fps, seconds), *sounds, how, '-y', path)
    return path

@pytest.fixture(scope='module')
def film(tmp_path_factory): return made(tmp_path_factory.mktemp('film')/'film.mp4', sound=True)

@pytest.fixture(scope='module')
def frames(film): return list(Clip(film))

def sound_of(path): return ffmpeg('-i', path, '-map 0:a -c copy -f md5 -')
def same(a, b): return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b))
def left(folder): return sorted(o.name for o in folder.iterdir())

# ---- reading

def test_what_a_clip_says(film, frames):
    clip = Clip(film)
    assert (clip.fps, clip.size, clip.count, clip.seconds, clip.sound, clip.path) == (25, (64, 48), 50, 2., True, film)
    assert len(frames) == 50 and {(f.shape, f.dtype) for f in frames} == {((48, 64, 3), np.dtype('uint8'))}
    assert len({f.tobytes() for f in frames}) > 40 and all(f.flags.writeable for f in frames)

KINDS = {
    'a.mkv': H264, 'a.ts': H264, 'a.avi': '-c:v mpeg4 -bf 2 -g 20', 'a.mpg': '-c:v mpeg2video -bf 2',
    'a.webm': '-c:v libvpx -deadline realtime', 'a.gif': '', 'a.webp': '-c:v libwebp_anim',
    'a.mov': '-c:v prores_ks -profile:v 4444 -pix_fmt yuva444p10le', 'ten.mp4': '-c:v libx264 -pix_fmt yuv420p10le',
    'full.mp4': '-c:v libx264 -pix_fmt yuvj420p', 'deep.mkv': '-c:v ffv1 -pix_fmt gbrp12le',
    'grey.mkv': '-c:v ffv1 -pix_fmt gray10le', 'few.mkv': '-c:v ffv1 -pix_fmt yuv410p',
    'old.avi': '-c:v rawvideo -pix_fmt pal8', 'open.mp4': '-c:v libx264 -x264-params open-gop=1:keyint=20:bframes=3'}

@pytest.mark.parametrize('name', KINDS)
def test_kinds_of_clips(tmp_path, frames, name):
    "All frames, in their colours, and those of a range are the same ones"
    clip = Clip(made(tmp_path/name, KINDS[name]))
    found = list(clip)
    assert (clip.count, len(found), clip.fps, clip.size) == (50, 50, 25, (64, 48))
    for n in (0, 20, 49):
        want = frames[n]@[[.299], [.587], [.114]] if name.startswith('grey') else frames[n]
        assert abs(found[n].astype(float) - want).mean() < 16, n
    for start, stop in ((1, 4), (27, 33), (44, None)):
        assert same(list(Clip(clip.path, start, stop)), found[start:stop]), start

@pytest.mark.parametrize('turn', [90, 180, 270])
def test_a_phone_held_upright(tmp_path, film, frames, turn):
    path = tmp_path/'a.mp4'
    ffmpeg(f'-display_rotation {turn} -i', film, '-c copy', path)
    clip = Clip(path)
    assert clip.size == ((64, 48) if turn == 180 else (48, 64))
    for found, frame in zip(clip, frames): assert abs(found.astype(float) - np.rot90(frame, turn//90)).mean() < 3
    assert Clip(path, size=32).size == ((32, 24) if turn == 180 else (24, 32))

def test_frames_at_any_time_become_constant(tmp_path):
    "A recorded screen: it stands still for seconds; frame n is what is seen at its time"
    path = made(tmp_path/'a.mkv', "-vf select='lt(n,10)+eq(n,60)+gte(n,100)' -fps_mode vfr " + H264, seconds=5)
    clip = Clip(path)
    found = list(clip)
    assert len(found) == clip.count == 125
    assert same(found[20:60], [found[9]]*40) and same(found[61:100], [found[60]]*39)
    assert not np.array_equal(found[59], found[60]) and not np.array_equal(found[99], found[100])
    for start in (5, 30, 59, 80, 110): assert same(list(Clip(path, start, start + 3)), found[start:start + 3]), start

def test_uneven_times_keep_the_length(tmp_path):
    path = made(tmp_path/'a.mp4', "-vf setpts='PTS+0.012*mod(N,3)/TB' -fps_mode vfr " + H264, fps=30)
    clip = Clip(path)
    assert clip.fps == 30 and abs(clip.count - 60) <= 1 and len(list(clip)) == clip.count

@pytest.mark.parametrize('fps', ['24000/1001', '30000/1001', '100/7', '12.5', '60'])
def test_rates_are_exact(tmp_path, fps):
    clip = Clip(made(tmp_path/'a.mp4', fps=fps))
    assert clip.fps == Fraction(fps) and len(list(clip)) == clip.count and abs(clip.seconds - 2) <= 1/clip.fps

def test_another_rate(film, frames):
    clip = Clip(film, fps=5)
    found = list(clip)
    assert clip.count == len(found) == 10 and clip.seconds == 2
    assert all(any(np.array_equal(f, g) for g in frames[5*n:5*n + 5]) for n, f in enumerate(found[:-1]))
    assert same(list(Clip(film, 4, 7, fps=5)), found[4:7])

def test_pixels_that_are_not_square(tmp_path):
    clip = Clip(made(tmp_path/'a.mkv', f'-vf setsar=16/11 {H264}'))
    assert clip.size == (93, 48) and next(iter(clip)).shape == (48, 93, 3)

def test_half_frames_are_joined(tmp_path):
    "A bar that moves: in half frames its edge is a comb"
    comb = '-vf tinterlace=interleave_top,fieldorder=tff -c:v ffv1 -pix_fmt yuv422p'
    source = "color=black:size=64x48:rate=50:duration=1,drawbox=x='8':w=8:h=48:color=white:t=fill,scroll=h=-0.1"
    ffmpeg('-f lavfi -i', source, comb, tmp_path/'a.mkv')
    raw = ffmpeg('-i', tmp_path/'a.mkv', '-f rawvideo -pix_fmt gray -')
    combed = np.frombuffer(raw, np.uint8).reshape(-1, 48, 64)[5].astype(int)
    joined = list(Clip(tmp_path/'a.mkv'))[5][..., 1].astype(int)
    def teeth(a): return abs(2*a[1:-1] - a[:-2] - a[2:]).mean()
    assert teeth(joined) < .2*teeth(combed)

def test_bright_films_keep_their_middle_tones(tmp_path):
    "White paper of a film for bright screens (203 candela) is not black, nor its grey white"
    grey = 'color=0x808080:size=64x48:rate=25:duration=0.2,format=yuv444p'
    pq = ('zscale=transferin=bt709:matrixin=bt709:primariesin=bt709:rangein=tv:transfer=smpte2084:matrix=bt2020nc:'
          'primaries=bt2020:npl=203,format=yuv420p10le')
    ffmpeg('-f lavfi -i', grey, '-vf', pq, '-c:v libx264 -color_trc smpte2084 -colorspace bt2020nc '
           '-color_primaries bt2020', tmp_path/'a.mp4')
    frame = next(iter(Clip(tmp_path/'a.mp4')))
    assert abs(frame.mean() - 128) < 16 and np.ptp(frame.mean((0, 1))) < 4

def test_transparent_parts_are_white(tmp_path):
    ffmpeg('-f lavfi -i color=red@0.0:size=16x16:rate=10:duration=0.5,format=rgba -c:v ffv1 -pix_fmt bgra',
           tmp_path/'a.mkv')
    assert (next(iter(Clip(tmp_path/'a.mkv'))) == 255).all()

def test_a_cover_is_not_the_film(tmp_path, film, frames):
    Image.new('RGB', (99, 99)).save(tmp_path/'cover.png')
    ffmpeg('-i', tmp_path/'cover.png', '-i', film, '-map 0 -map 1 -c copy -disposition:v:0 attached_pic',
           tmp_path/'a.mp4')
    clip = Clip(tmp_path/'a.mp4')
    assert clip.size == (64, 48) and clip.count == 50 and same(list(clip), frames)

def test_size_when_read(film): assert next(iter(Clip(film, size=32))).shape == (24, 32, 3)

def test_a_folder_in_the_order_of_its_numbers(tmp_path, frames):
    for n in (100, 9, 10): Image.fromarray(frames[n % 50]).save(tmp_path/f'im{n}.png')
    (tmp_path/'.hidden.png').touch()
    (tmp_path/'notes.txt').touch()
    clip = Clip(tmp_path)
    assert (clip.count, clip.fps, clip.sound, clip.size) == (3, 25, False, (64, 48))
    assert same(list(clip), [frames[9], frames[10], frames[0]])
    assert same(list(Clip(tmp_path, 1, 2, fps=8)), [frames[10]])
    assert next(iter(Clip(tmp_path, size=32))).shape == (24, 32, 3)

def test_a_clip_can_be_gone_through_again(film, frames):
    clip = Clip(film, 3, 6)
    assert same(list(clip), frames[3:6]) and same(list(clip), frames[3:6])

# ---- its program ends

def programs():
    "The ids of our programs that run"
    children = Path(f'/proc/{os.getpid()}/task')
    return {pid for task in children.iterdir() for pid in (task/'children').read_text().split()}

@pytest.fixture
def no_program_stays():
    before = programs()
    yield
    assert programs() <= before

def test_a_loop_that_is_left_ends_its_program(film, no_program_stays):
    for _ in Clip(film): break

def test_an_error_in_the_loop_ends_its_program(film, no_program_stays):
    with pytest.raises(KeyboardInterrupt):
        for _ in Clip(film): raise KeyboardInterrupt

def test_a_walk_that_is_forgotten_ends_its_program(film, no_program_stays):
    walk = iter(Clip(film))
    next(walk)
    assert programs()
    del walk

# ---- refused in one line

def test_refusals_of_files(tmp_path, film, refused):
    whole = film.read_bytes()
    (tmp_path/'cut.mp4').write_bytes(whole[:len(whole)//2])
    (tmp_path/'empty.mp4').touch()
    (tmp_path/'noise.mp4').write_bytes(random.Random(0).randbytes(5000))
    (tmp_path/'text.txt').write_text('hello')
    (tmp_path/'page.mp4').write_text('<html>Größe</html>', encoding='utf-8')
    Image.new('RGB', (64, 48)).save(tmp_path/'still.jpg')
    ffmpeg(SOUND.format(1), tmp_path/'sound.m4a')
    ffmpeg(SOUND.format(1), '-i', tmp_path/'still.jpg', '-map 0 -map 1 -c:v copy -disposition:v attached_pic',
           tmp_path/'cover.mp3')
    ffmpeg('-f lavfi -i color=size=1x1:rate=25:duration=1 -c:v ffv1 -pix_fmt bgra', tmp_path/'dot.mkv')
    ffmpeg(PICTURES.format('64x48', 25, 1), '-frames:v 0', H264, tmp_path/'none.mkv')
    said = {
        'cut.mp4': 'its table of contents is missing', 'empty.mp4': 'cannot be read as a clip (it is empty)',
        'noise.mp4': 'it holds something else', 'text.txt': 'cannot be read as a clip (it is text)',
        'page.mp4': 'cannot be read as a clip (it is text)',
        'still.jpg': 'is a single picture', 'sound.m4a': 'has only sound', 'cover.mp3': 'has only sound',
        'dot.mkv': 'is 1x1 px: both sides', 'none.mkv': 'none.mkv', 'missing.mp4': 'There is no clip'}
    for name, words in said.items(): refused(lambda: Clip(tmp_path/name), name, words)

def test_refusals_of_folders(tmp_path, frames, refused):
    refused(lambda: Clip(tmp_path), 'There is no picture in the folder', 'give one')
    for n, side in ((1, 48), (2, 40)): Image.fromarray(frames[n][:side]).save(tmp_path/f'{n}.png')
    refused(lambda: Clip(tmp_path), '2.png is 64x40 px, but 1.png 64x48', 'give frames of one size')
    (tmp_path/'2.png').write_bytes(b'broken')
    refused(lambda: Clip(tmp_path), '2.png cannot be read')
    for n in (1, 2): Image.new('RGB', (1, 1)).save(tmp_path/f'{n}.png')
    refused(lambda: Clip(tmp_path), '1x1 px: both sides')

def test_refusals_of_ranges(film, refused):
    for how, words in {(50, None): 'start is 50', (-1, None): 'start is -1', (0, 51): 'stop is 51', (9, 9): 'stop is 9',
            (1.5, None): 'start is 1.5', ('x', None): 'start is'}.items():
        refused(lambda: Clip(film, *how), words)
    refused(lambda: Clip(film, size=1), 'size is 1')
    refused(lambda: Clip(film, fps=0), 'fps is 0')
    for path in ('https://a.org/a.mp4', 'http://me:secret@a.org/a.mp4'):
        with pytest.raises(BadFile, match='is a web address: download') as e: Clip(path)
        assert 'secret' not in str(e.value)

@pytest.mark.parametrize('at', ['nowhere', 'a folder'])
def test_no_program(film, tmp_path, monkeypatch, frames, at):
    monkeypatch.setenv('IMAGEIO_FFMPEG_EXE', str(tmp_path if at == 'a folder' else tmp_path/'none'))
    for call in (lambda: Clip(film), lambda: write_clip(frames[:2], tmp_path/'a.mp4')):
        with pytest.raises(MissingPackage, match='There is no ffmpeg program.*pip install imageio-ffmpeg'): call()
    assert left(tmp_path) == []

def test_a_playlist_fetches_nothing(tmp_path, refused):
    (tmp_path/'list.m3u8').write_text('#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n')
    refused(lambda: Clip(tmp_path/'list.m3u8'), 'list.m3u8')

def test_names_like_options(tmp_path, film, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('-y.mp4', 'a b%03d:c.mp4', 'ü#?.mp4'):
        Path(name).write_bytes(film.read_bytes())
        assert Clip(name).count == 50
        assert Clip(write_clip(Clip(name, 0, 3), f'x{name}', sound=Clip(name, 0, 3))).count == 3
        assert Clip(write_clip(Clip(name, 0, 3), name)).count == 3

def test_a_file_cut_off_in_the_middle_gives_what_it_has(tmp_path, film, frames):
    ffmpeg('-i', film, '-c copy -movflags +faststart', tmp_path/'a.mp4')
    whole = (tmp_path/'a.mp4').read_bytes()
    (tmp_path/'a.mp4').write_bytes(whole[:len(whole)*6//10])
    with pytest.warns(UserWarning, match='a.mp4 is damaged') as told:
        clip = Clip(tmp_path/'a.mp4')
        found = list(clip)
        list(clip)
    assert len(told) == 1 and 10 < len(found) == clip.count < 50
    assert same(found[:9], frames[:9])

def test_damage_in_the_middle_ends_nothing(tmp_path, film):
    "Every frame is still there, whatever it looks like"
    data = bytearray(made(tmp_path/'a.mkv', '-c:v mpeg4 -g 5').read_bytes())
    data[len(data)//2:len(data)//2 + 300] = bytes(300)
    (tmp_path/'a.mkv').write_bytes(data)
    with pytest.warns(UserWarning, match='a.mkv is damaged'): assert 25 < len(list(Clip(tmp_path/'a.mkv'))) <= 50

def test_broken_frames_are_said_where_none_is_missing(tmp_path):
    data = bytearray(made(tmp_path/'a.mp4', size='160x120').read_bytes())
    data[len(data)*4//10:len(data)*6//10] = bytes(len(data)*6//10 - len(data)*4//10)
    (tmp_path/'a.mp4').write_bytes(data)
    with pytest.warns(UserWarning, match='some frames are broken') as told: found = list(Clip(tmp_path/'a.mp4'))
    assert len(found) == 50 and len(told) == 1


# ---- writing

def test_written_and_read_again(tmp_path, frames):
    for kind in ('.mp4', '.mov', '.mkv', '.webm', '.gif', '.webp'):
        path = write_clip(frames[:10], tmp_path/f'a{kind}', 12.5)
        clip = Clip(path)
        assert (clip.count, clip.size, clip.fps) == (10, (64, 48), 12.5), kind
        for found, frame in zip(clip, frames): assert abs(found.astype(float) - frame).mean() < 14, kind
    assert left(tmp_path) == ['a.gif', 'a.mkv', 'a.mov', 'a.mp4', 'a.webm', 'a.webp']

@pytest.mark.parametrize('kind', ['.webp', '.gif'])
@pytest.mark.parametrize('order', ['aaaaaaaaaa', 'aaaaabbbbb', 'abbbbaab', 'abbbbbbbbb', 'a'])
def test_equal_frames_are_not_merged(tmp_path, frames, kind, order):
    "As many are read as were written, at the same rate, and a film that stands still is no still picture"
    wanted = [frames[0 if letter == 'a' else 40] for letter in order]
    clip = Clip(write_clip(wanted, tmp_path/f'a{kind}', 25))
    found = list(clip)
    assert (len(found), clip.count, clip.fps) == (len(wanted), len(wanted), 25)
    for frame, want in zip(found, wanted): assert abs(frame.astype(float) - want).mean() < 16
    assert same(list(Clip(clip.path, len(wanted) - 1)), found[-1:])

def test_what_plays_everywhere(tmp_path):
    "H.264 at 4:2:0 with its table of contents in front; colours as large screens take them, and no shade changed"
    colours = [(200, 40, 40), (40, 160, 60), (30, 60, 220), (128, 128, 128), (255, 255, 255), (0, 0, 0)]
    flat = [np.full((32, 48, 3), c, np.uint8) for c in colours]
    path = write_clip(flat, tmp_path/'a.mp4')
    facts = look(path)
    assert facts.pixels == 'yuv420p' and facts.colours == ('tv', 'bt709', 'bt709', 'bt709')
    data = path.read_bytes()
    assert 0 < data.index(b'moov') < data.index(b'mdat') and b'avc1' in data
    for kind in ('.mp4', '.webm', '.webp', '.gif'):
        for found, c in zip(Clip(write_clip(flat, tmp_path/f'b{kind}')), colours):
            assert abs(found.mean((0, 1)) - c).max() < 5, (kind, c)

@pytest.mark.parametrize('kind', ['.mp4', '.webm', '.gif', '.webp'])
def test_odd_sides(tmp_path, frames, kind):
    "Kept where the kind knows them; else the last row and column are there twice, and it is said"
    odd = [f[:45, :61] for f in frames[::20]]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter('always')
        with ClipWriter(tmp_path/f'a{kind}', 25, (61, 45)) as out:
            for frame in odd: out.add(frame)
    clip = Clip(tmp_path/f'a{kind}')
    assert out.size_written == clip.size == ((62, 46) if kind == '.mp4' else (61, 45))
    assert [str(w.message)[:30] for w in told] == ['a.mp4 becomes 62x46 px, a pixe']*(kind == '.mp4')
    found = next(iter(clip)).astype(float)
    assert abs(found[:45, :61] - odd[0]).mean() < 14
    if kind == '.mp4': assert abs(found[45] - found[44]).mean() < 12 and abs(found[:, 61] - found[:, 60]).mean() < 12

def test_frames_of_any_kind(tmp_path, frames):
    import torch
    some = [Image.fromarray(frames[0]), torch.from_numpy(frames[1]).permute(2, 0, 1)/255, frames[2], frames[3]/255]
    found = list(Clip(write_clip(iter(some), tmp_path/'a.mp4')))
    assert len(found) == 4 and all(abs(f.astype(float) - g).mean() < 10 for f, g in zip(found, frames))

def test_quality(tmp_path, frames):
    for kind in ('.mp4', '.webm', '.webp'):
        few, much = (write_clip(frames[:9], tmp_path/f'{q}{kind}', quality=q) for q in (10, 95))
        assert 1.3*few.stat().st_size < much.stat().st_size, kind

def test_a_gif_has_no_more_than_50(tmp_path, frames, refused):
    refused(lambda: write_clip(frames[:2], tmp_path/'a.gif', 60), 'fps is 60', 'at most 50', '.mp4')
    clip = Clip(write_clip(frames[:30], tmp_path/'a.gif', 30))
    assert abs(clip.seconds - 1) <= 1/30 + .01

# ---- sound

def test_sound_is_copied_untouched(tmp_path, film, frames):
    for kind in ('.mp4', '.mkv', '.mov'):
        path = write_clip(frames, tmp_path/f'a{kind}', 25, sound=Clip(film))
        assert sound_of(path) == sound_of(film) and Clip(path).count == 50
    assert sound_of(write_clip(frames, tmp_path/'b.mp4', 25, sound=film)) == sound_of(film)
    silent = write_clip(frames, tmp_path/'c.mp4', 25)
    assert not Clip(silent).sound and not Clip(write_clip(frames[:9], tmp_path/'d.gif', 25, sound=film)).sound
    assert not Clip(write_clip(frames[:9], tmp_path/'e.mp4', 25, sound=Clip(silent))).sound

@pytest.fixture(scope='module')
def clap(tmp_path_factory):
    "A flash at 1.2 s, and a click"
    path = tmp_path_factory.mktemp('clap')/'clap.mp4'
    ffmpeg("-f lavfi -i color=black:size=64x48:rate=25:duration=3,drawbox=color=white:t=fill:enable=eq(n\\,30)",
        "-f lavfi -i aevalsrc=between(t\\,1.2\\,1.22)*sin(6000*t):d=3:s=44100", H264, '-g 50', path)
    return path

def heard(path):
    "When the click is, and how long the sound lasts, s"
    raw = ffmpeg('-i', path, '-map 0:a -ac 1 -ar 44100 -af aresample=async=1:first_pts=0 -f s16le -')
    wave = abs(np.frombuffer(raw, np.int16).astype(int))
    assert wave.max() > 3000
    return np.argmax(wave > 3000)/44100, len(wave)/44100

@pytest.mark.parametrize('kind', ['.mp4', '.mkv', '.webm'])
@pytest.mark.parametrize('start,stop', [(0, 50), (13, None), (20, 60)])
def test_sound_goes_with_its_frames(tmp_path, clap, kind, start, stop):
    "Cut in front and at the end to the length of the frames, within one of them"
    part = Clip(clap, start, stop)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter('always')
        path = write_clip(part, tmp_path/f'a{kind}', part.fps, sound=part)
    anew = 'The sound is coded anew: a .webm cannot hold it as it is.'
    assert [str(w.message) for w in told] == [anew]*(kind == '.webm')
    seen = np.argmax([f.mean() for f in Clip(path)])/25
    click, lasts = heard(path)
    assert abs(seen - (30 - start)/25) < 1e-6 and abs(click - seen) < .04 and abs(lasts - part.seconds) < .04

def test_sound_that_begins_before_the_frames(tmp_path, clap):
    late = tmp_path/'late.mp4'
    ffmpeg('-itsoffset 0.48 -i', clap, '-i', clap, '-map 0:v -map 1:a -c copy', late)
    clip = Clip(late)
    path = write_clip(clip, tmp_path/'a.mp4', clip.fps, sound=clip)
    assert sound_of(path) == sound_of(late) and heard(path) == heard(late)
    begins = [float(c.facts.first - c.facts.begin) for c in (clip, Clip(path))]
    assert begins[0] > .4 and abs(begins[0] - begins[1]) < .04
    part = Clip(late, 10)
    click, _ = heard(write_clip(part, tmp_path/'b.mp4', part.fps, sound=part))
    assert abs(click - (1.2 - .48 - .4)) < .04

def test_a_song_under_a_film(tmp_path, frames, refused):
    ffmpeg(SOUND.format(5), tmp_path/'song.m4a')
    _, lasts = heard(write_clip(frames, tmp_path/'a.mp4', 25, sound=tmp_path/'song.m4a'))
    assert abs(lasts - 2) < .04
    silent = write_clip(frames[:3], tmp_path/'b.mp4', 25)
    refused(lambda: write_clip(frames[:3], tmp_path/'c.mp4', 25, sound=silent), 'b.mp4 has no sound')
    assert left(tmp_path) == ['a.mp4', 'b.mp4', 'song.m4a']

# ---- whole or not at all

def test_refusals_of_frames(tmp_path, frames, refused):
    path = tmp_path/'a.mp4'
    refused(lambda: write_clip([], path), 'There are no frames', 'give at least one')
    refused(lambda: write_clip([frames[0], frames[1][:40]], path), 'Frame 1 is 64x40 px', 'give frames of one size')
    refused(lambda: write_clip(3, path), 'frames is an int')
    refused(lambda: write_clip(['nothing'], path), 'nothing')
    refused(lambda: write_clip(frames, tmp_path/'a.avi'), 'ends in .avi: choose one of .mp4')
    refused(lambda: write_clip(frames, tmp_path/'none/a.mp4'), 'does not exist')
    refused(lambda: write_clip(frames, path, 0), 'fps is 0')
    refused(lambda: write_clip(frames, path, quality=101), 'quality is 101')
    refused(lambda: write_clip(frames, path, sound=tmp_path/'none.mp4'), 'There is no file')
    refused(lambda: ClipWriter(path, 25, 64), 'size is 64', 'a pair')
    with pytest.raises(ValueError, match='no frames'):
        with ClipWriter(path, 25, (64, 48)): pass
    with pytest.raises(BadType, match='give an array'):
        with ClipWriter(path, 25, (64, 48)) as out: out.add(frames[0]/255)
    assert left(tmp_path) == []

@pytest.mark.parametrize('error', [KeyboardInterrupt, OSError, GeneratorExit, StyleNBError])
def test_frames_that_end_with_an_error_leave_the_old_file(tmp_path, frames, film, error, no_program_stays):
    "and the error is the one it was"
    (tmp_path/'a.mp4').write_bytes(b'old')
    mine = error('mine')
    with pytest.raises(error) as e:
        with ClipWriter(tmp_path/'a.mp4', 25, (64, 48), film) as out:
            for frame in frames[:5]: out.add(frame)
            raise mine
    assert e.value is mine and left(tmp_path) == ['a.mp4'] and (tmp_path/'a.mp4').read_bytes() == b'old'

def killed(work, after):
    "A process that works until it is killed after some seconds"
    process = multiprocessing.get_context('fork').Process(target=work)
    process.start()
    time.sleep(after)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL

def test_killed_while_it_writes(tmp_path, frames):
    "No clip is there, and the next writer takes away what is left"
    def work():
        with ClipWriter(tmp_path/'a.mp4', 25, (64, 48)) as out:
            while True: out.add(frames[0])
    killed(work, .3)
    assert [name[:6] for name in left(tmp_path)] == ['.part-']
    for _ in range(100):  # its program still ends the part
        size = next(tmp_path.iterdir()).stat().st_size
        time.sleep(.02)
        if size and next(tmp_path.iterdir()).stat().st_size == size: break
    assert Clip(write_clip(frames[:3], tmp_path/'a.mp4')).count == 3 and left(tmp_path) == ['a.mp4']

def test_ctrl_c_does_not_reach_the_program(tmp_path, frames):
    "It goes to all programs of a terminal; who ends with what is there must still have a coder"
    def work():
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # as in a terminal: what is started later heeds it
        with ClipWriter(tmp_path/'a.mp4', 25, (64, 48)) as out:
            for frame in frames[:5]: out.add(frame)
            signal.signal(signal.SIGINT, lambda *_: None)
            os.killpg(0, signal.SIGINT)
            time.sleep(.2)
            for frame in frames[5:]: out.add(frame)
    process = multiprocessing.get_context('fork').Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == 0 and Clip(tmp_path/'a.mp4').count == 50

def grown(work):
    "How many bytes more memory a walk holds at its end than after its first frames"
    seen = [resident() for _ in work]
    assert len(seen) > 50
    return seen[-1] - seen[10]

def test_memory_stays_flat(tmp_path):
    "120 frames of 1280x720 are 330 MB"
    path = made(tmp_path/'a.mp4', size='1280x720', seconds=5)
    def through():
        with ClipWriter(tmp_path/'b.mkv', 25, (1280, 720), quality=0) as out:
            for frame, _ in shots(Clip(path)):
                if out.written < 70: out.add(frame)
                yield
    assert grown(through()) < 3e7

# ---- frames that are kept

def test_a_store_goes_on_where_it_was(tmp_path, frames):
    folder, settings = tmp_path/'a.frames', dict(style_weight=4., size=64, film='a.mp4')
    store = FrameStore(folder, settings)
    for n in (0, 1, 2): store.put(n, frames[n])
    again = FrameStore(folder, dict(settings))
    assert again.done() == [0, 1, 2] and again.has(2) and not again.has(3)
    again.put(3, frames[3])
    assert same(list(again.frames()), frames[:4]) and np.array_equal(again.get(3), frames[3])
    assert Clip(folder).count == 4 and same(list(Clip(folder)), frames[:4])
    again.remove()
    assert not folder.exists()

@pytest.mark.parametrize('other', [dict(style_weight=8.), dict(), dict(style_weight=4., seed=1), None])
def test_a_store_of_another_film(tmp_path, frames, refused, other):
    FrameStore(tmp_path/'a', dict(style_weight=4.)).put(0, frames[0])
    refused(lambda: FrameStore(tmp_path/'a', other), 'a holds frames of another film', 'differ', 'delete the folder')
    assert FrameStore(tmp_path/'a', dict(style_weight=4.)).done() == [0]

def test_a_store_refuses(tmp_path, frames, refused):
    (tmp_path/'file').touch()
    refused(lambda: FrameStore(tmp_path/'file'), 'cannot be made')
    refused(lambda: FrameStore(tmp_path), 'holds something else')
    refused(lambda: FrameStore(tmp_path/'a', dict(x=object())), 'settings cannot be written')
    store = FrameStore(tmp_path/'b')
    refused(lambda: store.put(-1, frames[0]), 'The number of a frame is -1')
    refused(lambda: store.put(0, frames[0]/255), 'give an array (H, W, 3) of uint8')
    refused(lambda: store.get(0), '000000.png cannot be read')
    for n in (0, 2): store.put(n, frames[n])
    refused(lambda: list(store.frames()), 'Frame 1 is missing')
    (tmp_path/'b/letter.txt').touch()
    store.remove()
    assert left(tmp_path/'b') == ['letter.txt']

def test_killed_at_any_moment_and_continued(tmp_path):
    "Every frame that is there is whole, none is painted twice, and all are equal to those of a run at one go"
    want = [np.random.default_rng(n).integers(0, 256, (200, 300, 3), dtype=np.uint8) for n in range(40)]
    painted = tmp_path/'painted'
    def work():
        store = FrameStore(tmp_path/'a', dict(seed=0))
        for n in range(len(store.done()), len(want)):
            store.put(n, want[n])
            with open(painted, 'a') as f: f.write(f'{n}\n')
    def work_on():
        process = multiprocessing.get_context('fork').Process(target=work)
        process.start()
        process.join(60)
        assert process.exitcode == 0
    def until_killed():
        work()
        time.sleep(60)
    chance = random.Random(0)
    for _ in range(10):
        killed(until_killed, chance.uniform(.01, .08))
        store = FrameStore(tmp_path/'a', dict(seed=0))
        assert same(list(store.frames()), want[:len(store.done())])
    work_on()
    store = FrameStore(tmp_path/'a', dict(seed=0))
    assert same(list(store.frames()), want)
    numbers = [int(n) for n in painted.read_text().split()]
    assert len(numbers) == len(set(numbers)) and not [p for p in left(tmp_path/'a') if '.part' in p][1:]
    store.remove()
    assert not (tmp_path/'a').exists()

# ---- cuts

PHOTOS = [np.asarray(sample(name)) for name in ('astronaut', 'cat', 'coffee', 'rocket')]

def seen(photo, x, y, part):
    "Some of a photo at 120x80 px: where from left to right and from top to bottom, and how much of it"
    height, width = photo.shape[:2]
    side = part*min(height, width)/1.5
    x, y = x*(width - 1.5*side), y*(height - side)
    return np.asarray(Image.fromarray(photo).resize((120, 80), Image.BICUBIC, (x, y, x + 1.5*side, y + side)))

def grainy(frame, seed):
    noise = np.random.default_rng(seed).normal(0, 12, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)

N = 12
WHITE = np.full((80, 120, 3), 255, np.uint8)
MOVES = dict(
    still=lambda photo: [seen(photo, .5, .5, .9)]*N,
    pan=lambda photo: [seen(photo, n/N, .5, .6) for n in range(N)],
    tilt=lambda photo: [seen(photo, .5, n/N, .6) for n in range(N)],
    zoom=lambda photo: [seen(photo, .5, .5, .95**n) for n in range(N)],
    back=lambda photo: [seen(photo, .5, .5, .93**(N - n)) for n in range(N)],
    shake=lambda photo: [seen(photo, *np.random.default_rng(n).uniform(.3, .7, 2), .8) for n in range(N)],
    flash=lambda photo: [WHITE if n == 6 else f for n, f in enumerate(MOVES['pan'](photo))],
    flashes=lambda photo: [WHITE if n in (3, 4, 5) else f for n, f in enumerate(MOVES['zoom'](photo))],
    lamp=lambda photo: [(seen(photo, .5, .5, .9)*(1 if n < 6 else .4)).astype(np.uint8) for n in range(N)],
    dark=lambda photo: [(seen(photo, .5, .5, .9)*(n/N)).astype(np.uint8) for n in range(N)],
    grain=lambda photo: [grainy(f, n) for n, f in enumerate(MOVES['pan'](photo))],
)

@pytest.mark.parametrize('move', MOVES)
def test_a_movement_is_no_cut(move):
    assert {n: list(cuts(MOVES[move](photo))) for n, photo in enumerate(PHOTOS)} == {n: [] for n in range(len(PHOTOS))}

@pytest.mark.parametrize('first', ['still', 'pan', 'zoom', 'shake'])
@pytest.mark.parametrize('then', ['pan', 'back', 'grain'])
def test_photos_joined_are_a_cut(first, then):
    joined = [(a, b) for a in range(len(PHOTOS)) for b in range(len(PHOTOS)) if a != b]
    found = {(a, b): list(cuts(MOVES[first](PHOTOS[a]) + MOVES[then](PHOTOS[b]))) for a, b in joined}
    assert found == {pair: [N] for pair in joined}

def test_many_cuts_as_they_come():
    clip = [frame for photo in PHOTOS for frame in MOVES['pan'](photo)]
    read = []
    def reading():
        for frame in clip:
            read.append(1)
            yield frame
    known = [(n, len(read)) for n in cuts(reading())]
    assert known == [(N, N + 4), (2*N, 2*N + 4), (3*N, 3*N + 4)]  # soon, and not when all is read
    given = list(shots(iter(clip)))
    assert all(f is g for (f, _), g in zip(given, clip)) and [n for n, (_, b) in enumerate(given) if b] == [N, 2*N, 3*N]

def test_few_frames_have_no_cut():
    one, two = (MOVES['still'](photo)[0] for photo in PHOTOS[:2])
    for few in ([], [one], [one, one]): assert list(cuts(few)) == []
    assert list(cuts([one, one, two, two])) == [2]
    with pytest.raises(BadType): list(cuts(3))
    with pytest.raises(BadType): list(cuts(['frame']))
