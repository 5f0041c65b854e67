"""Damaged and hostile files, servers, disks and kills: nothing but success or a `StyleNBError` of one line that names
the file, no try over 10 s, no peak over 1.5 GB. Run from the repository's root:

    python bench/faults.py files --n 10000   mutated pictures, recipes, notes, states, encoders; 5 minutes
    python bench/faults.py files --only state-content:17   one of them again, with its traceback
    python bench/faults.py bombs             small files that ask for much; 1 minute
    python bench/faults.py flips --n 500     one bit turned over: what is read is what was written, or nothing is
    python bench/faults.py net               a server on this computer that is slow, endless, broken; half a minute
    python bench/faults.py disk              a disk of 64 KB where a tmpfs can be mounted, else files of 16 KB at most
    python bench/faults.py kills --n 10      kill -9 of sweeps and fits, which then go on; 5 minutes
"""
import argparse, base64, gzip, hashlib, http.server, io, json, multiprocessing, os, random, resource, shutil, signal
import struct, subprocess, sys, tempfile, threading, time, traceback, warnings, zipfile, zlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
import numpy as np, torch, torch.nn as nn
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import save_file
from style_nb import fetching
from style_nb.carrying import PNG_KEY, carried, load_recipe, png_info, png_note, to_json
from style_nb.encoders import DATA, Encoder, Shape, encoder, random_weights, read_encoder, save_encoder, weights_digest
from style_nb.errors import StyleNBError
from style_nb.files import whole_file
from style_nb.mask_files import load_mask, mask_of, mask_ref
from style_nb.fitting import read_checkpoint
from style_nb.keeping import write_state
from style_nb.opening import srgb_profile
from style_nb.pictures import load_picture, open_picture, save_picture
from style_nb.recipe import RECIPES, Recipe
from style_nb.results import animate, load_state, save_state
from style_nb.sweeping import NOTE, Item, read_item
sys.path.insert(0, str(Path(__file__).resolve().parent.parent/'tools'))
from forked import Program

SECONDS = 10.      # a try may take
PEAK = 1e9         # bytes it may need above what it had before; import takes half a billion
LONGEST = 700      # characters of a refusal, a path among them

# ---- files as they should be

def _photo(mode='RGB', side=40):
    noise = np.random.default_rng(0).integers(0, 256, (side//4, side//4, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((side, side), Image.BICUBIC).convert(mode)

def _encoded(im, **how):
    f = io.BytesIO()
    im.save(f, **how)
    return f.getvalue()

def pictures():
    "{name: bytes} over all formats and their flavours"
    several = dict(save_all=True, append_images=[_photo().rotate(90), _photo().rotate(180)])
    exif = Image.Exif()
    exif[0x112] = 6
    exif[0x13B] = 'somebody'
    note = PngInfo()
    note.add_text('Comment', 'x'*500, zip=True)
    wide = Image.fromarray(np.linspace(0, 65535, 1600).reshape(40, 40).astype(np.uint16))
    floats = Image.fromarray(np.linspace(0, 1, 1600, dtype=np.float32).reshape(40, 40))
    found = {
        'a.png': dict(im=_photo(), pnginfo=note), 'alpha.png': dict(im=_photo('RGBA')),
        'palette.png': dict(im=_photo('P')), 'wide.png': dict(im=wide), 'bits.png': dict(im=_photo('1')),
        'moving.png': dict(im=_photo(), **several),
        'a.jpg': dict(im=_photo(), exif=exif), 'grey.jpg': dict(im=_photo('L'), progressive=True),
        'cmyk.jpg': dict(im=_photo('CMYK')), 'a.webp': dict(im=_photo(), exif=exif),
        'exact.webp': dict(im=_photo('RGBA'), lossless=True), 'moving.webp': dict(im=_photo(), **several),
        'a.gif': dict(im=_photo('P')), 'moving.gif': dict(im=_photo('P'), **several), 'a.bmp': dict(im=_photo()),
        'palette.bmp': dict(im=_photo('P')), 'a.tif': dict(im=_photo()), 'floats.tif': dict(im=floats),
        'wide.tif': dict(im=wide), 'pages.tif': dict(im=_photo(), compression='tiff_lzw', **several),
        'deflated.tif': dict(im=_photo('RGBA'), compression='tiff_adobe_deflate'),
        'jpeg.tif': dict(im=_photo(), compression='jpeg'), 'whole.tif': dict(im=floats.convert('I')),
        **{f'{mode}.tif': dict(im=_photo(mode)) for mode in ('LA', 'CMYK', 'YCbCr', 'LAB')},
        'grey-alpha.png': dict(im=_photo('LA')), 'profile.png': dict(im=_photo(), icc_profile=srgb_profile()),
        'profile.jpg': dict(im=_photo('L'), icc_profile=srgb_profile())}
    formats = dict(png='PNG', jpg='JPEG', webp='WEBP', gif='GIF', bmp='BMP', tif='TIFF')
    return {name: _encoded(format=formats[name.rpartition('.')[2]], **how) for name, how in found.items()}

def _recipe(): return Recipe(**{
    **vars(RECIPES['default']), 'steps': 9, 'history': 2, 'schedule': [[3, 'style_weight', 2.]], 'snapshots': [1, 4],
    'content': dict(name='a.png', sha256='0'*64, size=[8, 8]),
    'styles': [dict(name='b.png', sha256='0'*64, size=[8, 8])]})

def _note(): return dict(seconds=1.5, loss=2., stopped='', losses=[3., 2.])

def _state():
    n, places = 3*16*16, 6
    memory = dict(
        g=torch.rand(n), d=torch.rand(n), W=torch.rand(places, n), M=torch.rand(places, places).double(), rows=[0],
        p=torch.rand(2).double(), q=torch.rand(2).double(), dd=.5, begin=-1., radius=.1, end=.1)
    average = dict(total=torch.rand(1, 3, 16, 16), weight=.5)
    return dict(canvas=torch.rand(1, 3, 16, 16), step=3, recipe=to_json(_recipe()), opt=memory, average=average)

def _other_state(rng):
    "The state of a run with another optimiser"
    n = 3*16*16
    wolfe = dict(
        d=torch.rand(n), t=1., old_dirs=[torch.rand(n)], old_stps=[torch.rand(n)], ro=[torch.tensor(1.)],
        prev_flat_grad=torch.rand(n), prev_loss=1., n_iter=3, func_evals=4, H_diag=torch.tensor(1.), al=[None])
    adam = dict(step=torch.tensor(3.), exp_avg=torch.rand(1, 3, 16, 16), exp_avg_sq=torch.rand(1, 3, 16, 16))
    how, memory = rng.choice(((dict(line_search=True), wolfe), (dict(optimizer='adam'), adam)))
    return _state() | dict(recipe=to_json(replace(_recipe(), **how)), opt=memory)

def _checkpoint():
    model = {'0.weight': torch.rand(4, 3, 3, 3)}
    return dict(plan=dict(steps=9, lr=.1), rows=[dict(step=1, seconds=.1, loss=2.)], model=model,
                memory=dict(state={'0': dict(step=torch.tensor(1.))}, hypers=[dict(lr=.1)]), kept={})

PLAN = dict(widths=[4, 6], depths=[1, 1], mean=[.5, .5, .5], std=[.2, .2, .2])

# ---- damage

ODD = (None, True, -1, 0, 3, 1e308, -1e308, 1e-320, float('nan'), float('inf'), 10**40, 10**400, '', 'x'*500, '\0',
       '../../x', 'relu9_9', [], {}, [[]], {'sha256': 5}, {'#tensor': '99'}, [None]*50)

def nested(rng):
    "Deep, but not too deep for Python to build"
    value = 1
    for _ in range(rng.choice((20, 60, 300))): value = [value] if rng.random() < .5 else {'a': value}
    return value

def spoilt(value, rng):
    "A tree with one odd value in it, or one that is missing, doubled or under another name"
    if isinstance(value, (dict, list)) and value and rng.random() < .8:
        inside = dict(value) if isinstance(value, dict) else list(value)
        key = rng.choice(list(inside)) if isinstance(inside, dict) else rng.randrange(len(inside))
        what = rng.random()
        if what < .15: del inside[key]
        elif what < .2 and isinstance(inside, list): inside *= 2
        elif what < .25 and isinstance(inside, dict): inside[str(key) + 'x'] = inside.pop(key)
        else: inside[key] = spoilt(inside[key], rng)
        return inside
    if isinstance(value, torch.Tensor) and value.ndim and rng.random() < .6:
        return rng.choice((
            lambda: value[..., :1], lambda: value*float('nan'), lambda: value.flatten(), lambda: value.long(),
            lambda: value.double(), lambda: torch.zeros(0), lambda: value.half()))().clone()
    return nested(rng) if rng.random() < .1 else rng.choice(ODD)

def damaged(data, rng, other=b''):
    "Bytes with one to three kinds of damage, half of it near the beginning"
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if not data: break
        at = rng.randrange(min(len(data), 200) if rng.random() < .5 else len(data))
        n = min(len(data) - at, rng.choice((1, 2, 4, 16, 200)))
        what = rng.randrange(8)
        if what == 0: data[at] ^= 1 << rng.randrange(8)
        elif what == 1: data[at:at+n] = bytes(rng.choice((0, 255, 127, 128)) for _ in range(n))
        elif what == 2: data[at:at+n] = rng.randbytes(n)
        elif what == 3: del data[at:at+n]
        elif what == 4: data[at:at] = data[at:at+n]*rng.choice((1, 3, 50))
        elif what == 5: data = data[:at]
        elif what == 6: data[at:at+n] = other[at:at+n]
        else: data[at:at+4] = rng.choice((2**31 - 1, 2**32 - 1, 60_000)).to_bytes(4, rng.choice(('big', 'little')))
    return bytes(data)

# ---- kinds: each makes a file from a random generator and gives the call that opens it

def _written(folder, name, data):
    path = folder/name
    path.write_bytes(data)
    return path

def picture(folder, rng):
    whole = pictures() if not hasattr(picture, 'whole') else picture.whole
    picture.whole = whole
    name = rng.choice(list(whole))
    path = _written(folder, name, damaged(whole[name], rng, rng.choice(list(whole.values()))))
    return path, lambda: load_picture(path, 32)

def mask(folder, rng):
    path, _ = picture(folder, rng)
    return path, lambda: load_mask(path)

def kept_mask(folder, rng):
    "What a recipe holds for a mask"
    ref = mask_ref(torch.rand(1, 1, 9, 9), 'm')
    if rng.random() < .5: ref['png'] = base64.b64encode(damaged(base64.b64decode(ref['png']), rng)).decode()
    else: ref = spoilt(ref, rng)
    path = _written(folder, 'm.json', json.dumps(dict(schema=2, content_mask=ref)).encode())
    return path, lambda: isinstance(found := load_recipe(path).content_mask, dict) and mask_of(found)

def carrier(folder, rng):
    "A JPEG or WebP with a recipe"
    path = folder/rng.choice(('r.jpg', 'r.webp'))
    save_picture(_photo(), path, **carried(_recipe(), path))
    path.write_bytes(damaged(path.read_bytes(), rng))
    return path, lambda: load_recipe(path)

def _png(recipe, notes): return _encoded(_photo(), format='PNG', pnginfo=png_info(recipe, notes))

def _text_png(**texts):
    info = PngInfo()
    for key, text in texts.items(): info.add_itxt(PNG_KEY if key == 'recipe' else NOTE, text)
    return _encoded(_photo(), format='PNG', pnginfo=info)

def recipe(folder, rng):
    if rng.random() < .5: path = _written(folder, 'r.json', damaged(to_json(_recipe()).encode(), rng))
    else: path = _written(folder, 'r.png', damaged(_png(_recipe(), {}), rng))
    return path, lambda: (load_recipe(path), png_note(path, NOTE))

def recipe_content(folder, rng):
    tree = json.loads(to_json(_recipe())) | dict(masks=[dict(sha256='0'*64, name='m', png='AAAA')], revert=dict(lr=1.))
    text = json.dumps(spoilt(tree, rng))
    if rng.random() < .1: text = text.replace('9', '['*100_000)
    if rng.random() < .1: text = text[:-1] + ', ' + json.dumps(spoilt(tree, rng))[1:]  # keys that come twice
    path = _written(folder, 'r.json', text.encode()) if rng.random() < .5 else _written(
        folder, 'r.png', _text_png(recipe=text))
    return path, lambda: to_json(load_recipe(path))

def note(folder, rng):
    text = json.dumps(spoilt(_note(), rng))
    if rng.random() < .1: text = '['*100_000
    data = _text_png(recipe=to_json(_recipe()), note=text)
    if rng.random() < .4: data = damaged(_png(_recipe(), {NOTE: _note()}), rng)
    path = _written(folder, 'x-0123.png', data)
    return path, lambda: repr((item := Item(('a', 'b'), {}, '0123'), read_item(item, folder))[0])

def _saved(make, folder, name):
    path = folder/name
    make(path)
    return path, path.read_bytes()

def state(folder, rng):
    path, data = _saved(lambda p: save_state(_state(), p), folder, 's.safetensors')
    path.write_bytes(damaged(data, rng))
    return path, lambda: load_state(path)

def state_content(folder, rng):
    tree = _state() if rng.random() < .5 else _other_state(rng)
    tree['recipe'] = json.dumps(spoilt(json.loads(tree['recipe']), rng)) if rng.random() < .2 else tree['recipe']
    tree = spoilt(tree, rng)
    path = folder/'s.safetensors'
    write_state(tree if isinstance(tree, dict) else {}, path)
    return path, lambda: load_state(path)

def checkpoint(folder, rng):
    content = rng.random() < .5
    tree = spoilt(_checkpoint(), rng) if content else _checkpoint()
    path = folder/'c.checkpoint'
    write_state(tree if isinstance(tree, dict) else {}, path)
    if not content: path.write_bytes(damaged(path.read_bytes(), rng))
    return path, lambda: read_checkpoint(path, dict(steps=9, lr=.1))

def small_encoder(folder, rng):
    "A small encoder, damaged, or with odd content under a digest that is right"
    path = folder/'e.safetensors'
    toy = random_weights(Encoder('toy', Shape('toy', (4, 6), (1, 1))))
    save_encoder(toy, path, dict(note='a'))
    if rng.random() < .5: path.write_bytes(damaged(path.read_bytes(), rng))
    else:
        tensors = spoilt({k: v.half() for k, v in toy.body.state_dict().items()}, rng) if rng.random() < .3 else None
        if not isinstance(tensors, dict) or not all(isinstance(v, torch.Tensor) for v in tensors.values()):
            tensors = {k: v.half() for k, v in toy.body.state_dict().items()}
        plan, card = spoilt(PLAN, rng), rng.choice(({'note': 'a'}, [], nested(rng)))
        meta = dict(plan=json.dumps(plan), card=json.dumps(card), sha256=weights_digest(tensors))
        save_file(tensors, path, meta)
    return path, lambda: (read_encoder(path), encoder('texnet', weights=path))

def weights(folder, rng):
    "The constants of `random`, and the state dict of a VGG that is none"
    if rng.random() < .5:
        path = _written(folder, 'random.safetensors', damaged((DATA/'random.safetensors').read_bytes(), rng))
        return path, lambda: encoder('random', weights=path)
    if rng.random() < .3: return _vgg(folder, rng)
    f = io.BytesIO()
    torch.save(spoilt({'features.0.weight': torch.rand(64, 3, 3, 3), 'features.0.bias': torch.rand(64)}, rng), f)
    path = _written(folder, 'vgg16.pth', damaged(f.getvalue(), rng) if rng.random() < .7 else f.getvalue())
    return path, lambda: encoder('vgg16', weights=path)

def _odd(t, rng):
    return rng.choice((
        lambda: t.to('meta'), lambda: t.to_sparse(), lambda: t.cfloat(), lambda: t.long(), lambda: t.bool(),
        lambda: t*float('nan'), lambda: t[..., :1].clone(), lambda: t.flatten(), lambda: t[None], lambda: None,
        lambda: torch.quantize_per_tensor(t, .1, 0, torch.qint8), lambda: t.half(), lambda: t.double(),
        lambda: t.requires_grad_(), lambda: nn.Parameter(t), lambda: t.to(torch.float8_e5m2)))()

def _vgg(folder, rng):
    "All the names of a VGG-16, its maps narrow or, over no memory, as wide as they should be; some tensors odd"
    widths = (3, 64, 64, 128, 128, 256, 256, 256, *[512]*6)
    places = 0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28
    sd = {}
    for i, n, out in zip(places, widths, widths[1:]):
        sd |= {f'features.{i}.weight': torch.rand(1).expand(out, n, 3, 3), f'features.{i}.bias': torch.rand(out)}
    for name in rng.sample(list(sd), rng.choice((0, 1, 3))): sd[name] = _odd(sd[name], rng)
    if rng.random() < .2: sd = {f'\n{k}' if rng.random() < .1 else k: v for k, v in sd.items()}
    path = folder/'vgg16.pth'
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.save({'state_dict': sd} if rng.random() < .5 else sd, path)
    if rng.random() < .3: path.write_bytes(damaged(path.read_bytes(), rng))
    return path, lambda: encoder('vgg16', weights=path)

KINDS = {
    'picture': picture, 'mask': mask, 'kept-mask': kept_mask, 'carrier': carrier, 'recipe': recipe,
    'recipe-content': recipe_content, 'note': note, 'state': state, 'state-content': state_content,
    'checkpoint': checkpoint, 'encoder': small_encoder, 'weights': weights}
SHARES = dict(picture=6)  # the others 1
UNNAMED = 'picture', 'mask', 'kept-mask'  # that a picture is too long is said of any; a mask has a name of its own

# ---- tries, each in a child that may hang, die or eat memory

def outcome(call, path, named=True):
    "'opened', 'refused', or what is wrong"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            call()
        return 'opened'
    except StyleNBError as e:
        text = str(e)
        if '\n' in text or len(text) > LONGEST: return f'not one line: {text[:300]!r}'
        if named and path.name not in text: return f'does not name the file: {text}'
        return 'refused'
    except BaseException as e:
        return f'{type(e).__name__}: {str(e)[:200]}'

def one_try(kind, i, seed, show=False):
    rng = random.Random(f'{seed} {kind} {i}')
    with tempfile.TemporaryDirectory() as d:
        path, call = KINDS[kind](Path(d), rng)
        if show:
            print(path, path.stat().st_size, 'bytes')
            try: print('opened', repr(call())[:300])
            except Exception: traceback.print_exc()
        return outcome(call, path, named=kind not in UNNAMED and kind not in BOMBS)

def _memory(what):
    "Bytes this process holds, 'VmRSS', or held at most since its count was begun, 'VmHWM'"
    lines = Path('/proc/self/status').read_text().splitlines()
    return 1024*next(int(line.split()[1]) for line in lines if line.startswith(what))

def _work(jobs, seed, pipe):
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff talks
    Path('/proc/self/clear_refs').write_text('5')  # the count of the most begins anew: a fork has its parent's
    before = _memory('VmRSS')
    for kind, i in jobs:
        pipe.send((kind, i))
        pipe.send((one_try(kind, i, seed), _memory('VmHWM') - before))

def tried(jobs, seed=0):
    "[(kind, i, what came of it)] of jobs (kind, i)"
    jobs, done = list(jobs), []
    torch.set_num_threads(1)
    while len(done) < len(jobs):
        here, there = multiprocessing.Pipe()
        child = multiprocessing.get_context('fork').Process(target=_work, args=(jobs[len(done):], seed, there))
        child.start()
        there.close()
        try:
            while len(done) < len(jobs):
                job = here.recv()
                if not here.poll(SECONDS):
                    done.append((*job, f'takes longer than {SECONDS:g} s'))
                    break
                what, peak = here.recv()
                done.append((*job, what if peak < PEAK else f'needs {peak/1e9:.2f} GB'))
                if peak > PEAK: break
        except EOFError:
            if len(done) < len(jobs): done.append((*jobs[len(done)], 'ends the process'))
        child.kill()
        child.join()
    return done

def plan_of(n, kinds=None):
    "`n` jobs, shared out among the kinds"
    kinds = kinds or [k for k in KINDS for _ in range(SHARES.get(k, 1))]
    return [(kinds[i % len(kinds)], i) for i in range(n)]

def files(n=2000, seed=0, kinds=None):
    "Faults of `n` mutated files"
    done = tried(plan_of(n, kinds), seed)
    for kind in dict.fromkeys(k for k, *_ in done):
        counts = Counter(w if w in ('opened', 'refused') else 'FAULT' for k, _, w in done if k == kind)
        print(f'{kind:<16}', dict(counts))
    return [f'{k}:{i} {w}' for k, i, w in done if w not in ('opened', 'refused')]

# ---- small files that ask for much

def _huge_png(bits, colours, side=10_900, turned=False):
    "A black PNG of nearly as many pixels as are read"
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    row = (side*bits*{0: 1, 2: 3, 4: 2, 6: 4}[colours] + 7)//8 + 1
    packer = zlib.compressobj(1)
    rows = b''.join(packer.compress(bytes(100*row)) for _ in range(side//100)) + packer.flush()
    head = struct.pack('>IIBBBBB', side, side, bits, colours, 0, 0, 0)
    exif = Image.Exif()
    exif[0x112] = 6
    lies = chunk(b'eXIf', exif.tobytes()[6:]) if turned else b''
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + lies + chunk(b'IDAT', rows) + chunk(b'IEND', b'')

def _moving(format, n=100_000):
    "Many frames of a dot"
    if format == 'tif':
        tags = b''.join(struct.pack('<HHII', tag, 4, 1, value) for tag, value in ((256, 1), (257, 1)))
        pages = [struct.pack('<H', 2) + tags + struct.pack('<I', 8 + 30*(i + 1)) for i in range(n)]
        return b'II*\0\x08\0\0\0' + b''.join(pages)
    whole = _encoded(_photo('P', 8), format='GIF')
    frame = whole[whole.index(b',\0\0\0\0\x08'):-1]
    return whole[:-1] + frame*n + b';'

def _words(text='{}', **tensors):
    "The head of a file of tensors"
    head = json.dumps(tensors | dict(__metadata__=dict(text=text, sha256='0'))).encode()
    return struct.pack('<Q', len(head)) + head

def _pickled(body, packed=zipfile.ZIP_STORED):
    f = io.BytesIO()
    with zipfile.ZipFile(f, 'w', packed) as z:
        z.writestr('a/data.pkl', body)
        z.writestr('a/version', b'3\n')
    return f.getvalue()

_ROOM = b'\x80\x02cbuiltins\nbytearray\n(J\xff\xff\xff\x7ftR.'  # a pickle of two gigabytes
_MANY = {str(i): dict(dtype='F32', shape=[0], data_offsets=[0, 0]) for i in range(200_000)}

BOMBS = {  # name of a file: what is in it, who opens it; the first ones are quick
    'lists.json': (lambda: b'[' + b'[],'*5_000_000 + b'0]', load_recipe),
    'moves.json': (lambda: b'{"schema":2,"schedule":[' + b'[1,"lr",1],'*2_000_000 + b'0]}', load_recipe),
    'many.safetensors': (lambda: _words(**_MANY), load_state),
    'many-too.safetensors': (lambda: _words(**_MANY), lambda p: encoder('texnet', weights=p)),
    'vgg16.safetensors': (lambda: _words(**_MANY), lambda p: encoder('vgg16', weights=p)),
    'text.safetensors': (lambda: _words('[' + '[],'*12_000_000 + '0]'), load_state),
    'room.pth': (lambda: _pickled(_ROOM), lambda p: encoder('vgg16', weights=p)),
    'room-too.pth': (lambda: _ROOM, lambda p: encoder('vgg16', weights=p)),
    'packed.pth': (lambda: _pickled(_ROOM, zipfile.ZIP_DEFLATED), lambda p: encoder('vgg16', weights=p)),
    'moving.gif': (lambda: _moving('gif'), lambda p: load_picture(p, 32)),
    'pages.tif': (lambda: _moving('tif'), lambda p: load_picture(p, 32)),
    'text.json': (lambda: b'{"schema":2,"snapshots":[' + b'3,'*4_000_000 + b'3]}', load_recipe),
    'grey.png': (lambda: _huge_png(16, 0), lambda p: load_picture(p, 32)),
    'alpha.png': (lambda: _huge_png(8, 6), lambda p: load_picture(p, 32)),
    'turned.png': (lambda: _huge_png(8, 4, turned=True), lambda p: load_picture(p, 32)),
    'mask.png': (lambda: _huge_png(8, 6), lambda p: load_mask(p, enough=32)),
    'kept.png': (lambda: _huge_png(1, 0), lambda p: mask_of(dict(
        sha256='0', png=base64.b64encode(p.read_bytes()).decode()))),
    'recipe.png': (lambda: _huge_png(16, 6), load_recipe),
}

def bombs(names=tuple(BOMBS)):
    "Faults of small files that ask for much"
    with tempfile.TemporaryDirectory() as d:
        for name in names:
            path = _written(Path(d), name, BOMBS[name][0]())
            KINDS[name] = lambda folder, rng, path=path: (path, lambda: BOMBS[path.name][1](path))
        try: done = tried([(name, 0) for name in names])
        finally:
            for name in names: del KINDS[name]
    return [f'{name}: {what}' for name, _, what in done if what not in ('opened', 'refused')]

# ---- one bit turned over

def _same(a, b):
    if isinstance(a, dict): return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)): return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, torch.Tensor): return a.dtype == b.dtype and torch.equal(a, b)
    return repr(a) == repr(b)

def _found(path):
    item = Item(('a', 'b'), {}, '0123')
    return (item, item.losses, np.asarray(item.image).tobytes()) if read_item(item, path.parent) else None

def _kept(folder):
    "{kind: (path, how to read it)} of files as they should be"
    toy = random_weights(Encoder('toy', Shape('toy', (4, 6), (1, 1))))
    paths = {n: folder/n for n in ('s.safetensors', 'c.checkpoint', 'e.safetensors', 'r.png', 'x-0123.png')}
    save_state(_state(), paths['s.safetensors'])
    write_state(_checkpoint(), paths['c.checkpoint'])
    save_encoder(toy, paths['e.safetensors'], dict(note='a'))
    save_picture(_photo(), paths['r.png'], pnginfo=png_info(_recipe()))
    pixels = hashlib.sha256(_photo().tobytes()).hexdigest()
    info = png_info(_recipe(), {NOTE: _note() | dict(pixels=pixels)})
    save_picture(_photo(), paths['x-0123.png'], pnginfo=info)
    names = 'state', 'checkpoint', 'encoder', 'recipe in a PNG', 'picture of a sweep'
    reads = (load_state, lambda p: read_checkpoint(p, dict(steps=9, lr=.1)), read_encoder, load_recipe, _found)
    return dict(zip(names, zip(paths.values(), reads)))

def flips(n=500, seed=0):
    "Files in which one bit is another, and which are then read as something else"
    found = []
    with tempfile.TemporaryDirectory() as d:
        for kind, (path, read) in _kept(Path(d)).items():
            rng, whole, was, noticed = random.Random(f'{seed} {kind}'), path.read_bytes(), read(path), 0
            for _ in range(n):
                at, bit = rng.randrange(len(whole)), rng.randrange(8)
                path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1:])
                try: now = read(path)
                except StyleNBError: now = None
                except Exception as e: now = e
                noticed += now is None
                if now is None or _same(was, now): continue
                found.append(f'{kind}, bit {bit} of byte {at}: {now!r:.100}')
            print(f'{kind:<20} {noticed} of {n} noticed')
            path.write_bytes(whole)
    return found

# ---- servers

SECRET = 'sesame1234'

class Hostile(http.server.BaseHTTPRequestHandler):
    "What a server may do; the path says which"
    def log_message(self, *_): pass
    def do_GET(self):
        try: getattr(self, self.path.partition('?')[0].strip('/').partition('.')[0], self.missing)()
        except OSError: pass

    def start(self, status=200, **headers):
        self.send_response(status)
        for key, value in headers.items(): self.send_header(key.replace('_', '-'), value)
        self.end_headers()

    def drip(self, piece=b'x', pause=.2):
        while True:
            self.wfile.write(piece)
            time.sleep(pause)

    def missing(self): self.send_error(404)
    def good(self):
        self.start()
        self.wfile.write(_encoded(_photo(), format='PNG'))
    def packed(self):
        self.start(Content_Encoding='gzip')
        self.wfile.write(gzip.compress(_encoded(_photo(), format='PNG')))
    def slow(self):
        self.start()
        self.drip()
    def slow_headers(self):
        self.wfile.write(b'HTTP/1.0 200 OK\r\n')
        self.drip(b'a')
    def silent(self): time.sleep(30)
    def endless(self):
        self.start()
        self.drip(b'x'*65536, 0)
    def endless_headers(self):
        self.wfile.write(b'HTTP/1.0 200 OK\r\n')
        self.drip(b'A: b\r\n', 0)
    def large(self):
        self.start(Content_Length=str(10**12))
        self.wfile.write(b'x')
    def short(self):
        self.start(Content_Length='5000')
        self.wfile.write(b'x')
    def nonsense(self): self.wfile.write(b'\x00\xff not http at all\r\n'*1000)
    def bomb(self):
        self.start(Content_Encoding='gzip')
        self.wfile.write(gzip.compress(bytes(2*10**8)))
    def half_packed(self):
        self.start(Content_Encoding='gzip')
        self.wfile.write(gzip.compress(b'x'*9999)[:-20])
    def badly_packed(self):
        self.start(Content_Encoding='gzip')
        self.wfile.write(zlib.compress(b'x'*9999)[::-1])
    def strange(self):
        self.start(Content_Encoding='y'*50_000)
        self.wfile.write(b'x')
    def long_reason(self): self.wfile.write(b'HTTP/1.0 500 ' + b'no '*20_000 + b'\r\n\r\n')
    def chunks(self):
        self.start(Transfer_Encoding='chunked')
        self.wfile.write(b'zz\r\nx')
    def length(self):
        self.start(Content_Length='-5')
        self.wfile.write(b'x')
    def odd_length(self):
        self.start(Content_Length='9'*5000)
        self.wfile.write(b'x')
    def huge_page(self):
        self.start(404)
        self.drip(b'x'*65536, 0)
    def cut_chunk(self):
        data = _encoded(_photo(), format='PNG')
        self.start(Transfer_Encoding='chunked')
        self.wfile.write(b'%x\r\n' % len(data) + data)
    def nowhere(self): self.start(302)
    def round(self): self.start(302, Location='/round.png')
    def to_file(self): self.start(302, Location='file:///etc/passwd')
    def to_ftp(self): self.start(307, Location=f'ftp://me:{SECRET}@127.0.0.1/a.png')
    def to_data(self): self.start(302, Location='data:image/png;base64,AAAA')
    def to_nonsense(self): self.start(302, Location='http://[::1')
    def to_good(self): self.start(308, Location='/good.png')
    def locked(self):
        told = base64.b64decode((self.headers.get('Authorization') or 'Basic ').split()[-1] + '==').decode()
        if told == f'me:{SECRET}': self.good()
        else: self.start(401)

GOOD = ('good', 'packed', 'to_good', 'locked')

@contextmanager
def site(handler=Hostile):
    "host:port of a server that does all of it"
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(.02,), daemon=True).start()
    yield f'127.0.0.1:{server.server_port}'
    server.shutdown()

def net(seconds=2.):
    "Faults at hostile servers, with limits that are small enough to be reached"
    whole = fetching.SECONDS, fetching.STALL, fetching.MOST
    fetching.SECONDS, fetching.STALL, fetching.MOST = seconds, seconds/2, 2**22
    ways = [w for w in vars(Hostile) if w[0] != '_' and w not in ('log_message', 'do_GET', 'start', 'drip', 'missing')]
    found = []
    try:
        with site() as host:
            for way in [*ways, 'none']:
                begin = time.perf_counter()
                url = f'http://me:{SECRET}@{host}/{way}.png?token={SECRET}'
                what = outcome(lambda: open_picture(url), Path(f'{way}.png'))
                try: open_picture(url)
                except Exception as e: what += ' with a secret'*(SECRET in ''.join(traceback.format_exception(e)))
                took = (time.perf_counter() - begin)/2
                if took > seconds + 1: what += f' after {took:.1f} s'
                if what != ('opened' if way in GOOD else 'refused'): found.append(f'{way}: {what}')
    finally: fetching.SECONDS, fetching.STALL, fetching.MOST = whole
    return found

# ---- disks

@contextmanager
def small_disk(size=64):
    "A folder on a disk of `size` KB, or `None` where none can be mounted"
    with tempfile.TemporaryDirectory() as d:
        how = ['mount', '-t', 'tmpfs', '-o', f'size={size}k', 'tmpfs', d]
        if shutil.which('mount') is None or subprocess.run(how, capture_output=True).returncode:
            yield None
            return
        try: yield Path(d)
        finally: subprocess.run(['umount', '-l', d], capture_output=True)

def _writers():
    "{file: call that writes it}; each is larger than the small disk"
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    x = load_picture(noise)
    found = {f'a{ext}': lambda p: save_picture(x, p) for ext in ('.png', '.jpg', '.webp', '.tif', '.bmp')}
    frames = [Image.fromarray(np.roll(noise, 40*i, 0)) for i in range(8)]
    big = _state() | dict(canvas=x)
    return found | {
        'a.gif': lambda p: animate(frames, p), 'a.mp4': lambda p: animate(frames, p),
        's.safetensors': lambda p: save_state(big | dict(opt={}), p),
        'e.safetensors': lambda p: save_encoder(encoder('texnet-small'), p, {}),
        't.txt': lambda p: _plain_text(p)}

def _plain_text(path):
    with whole_file(path) as tmp: tmp.write_text('x'*10**6)

def _full(folder):
    "What is wrong after each writer met a full disk: an old file must be as it was, and nothing else be there"
    found = []
    for name, write in _writers().items():
        for old in (None, b'old'):
            path = folder/name
            if old: path.write_bytes(old)
            what = outcome(lambda: write(path), path)
            left = sorted(o.name for o in folder.iterdir())
            if what != 'refused' or left != [name]*bool(old) or (old and path.read_bytes() != old):
                found.append(f'{name}: {what}, left {left}')
            for o in folder.iterdir(): o.unlink()
    return found

def _limited(folder, pipe, size=16*1024):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    pipe.send(_full(folder))

def disk(mounted=True):
    "Faults of writers on a full disk"
    with small_disk() as folder:
        if mounted and folder: return _full(folder)
    here, there = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as d:
        child = multiprocessing.get_context('fork').Process(target=_limited, args=(Path(d), there))
        child.start()
        there.close()
        found = here.recv()
        child.join()
    return found

# ---- kills

SWEEP = '''
from style_nb.sweeping import sweep
sweep('a.png', 'b.png', dict(seed=list(range(6))), 'out', size=32, steps=3, levels=1, encoder='random', progress=False)
'''
FIT = '''
import torch, torch.nn as nn
from fastai.learner import Learner
from style_nb.fitting import Crops, fit, loaders, no_loss
from style_nb.learner import LossTerm
from fastai.callback.core import Callback
class Grey(Callback):
    def after_loss(self): self.learn.add_term('grey', 1., (self.pred - .5).square().mean())
torch.manual_seed(0)
net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 3, 3))
pictures = [torch.randint(256, (3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))]*3
learn = Learner(loaders(Crops(pictures, 4, 24)), net, loss_func=no_loss, lr=.01, cbs=[Grey()])
fit(learn, 60, 'x.checkpoint', seconds=.02, progress=False)
torch.save(net.state_dict(), 'net.pth')
'''

def _results(folder):
    "{name: what is in it}, times apart"
    pictures = {p.name: np.asarray(Image.open(p)).tobytes() for p in folder.glob('out/*.png')}
    nets = {p.name: {k: v.tolist() for k, v in torch.load(p).items()} for p in folder.glob('*.pth')}
    return pictures | nets

def killed(text, rng, times=3):
    "Faults of a program that is killed some times and then left to end"
    with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
        whole, cut = Path(a), Path(b)
        for folder in (whole, cut):
            for name in ('a.png', 'b.png'): _photo(side=48).rotate(len(name)*9).save(folder/name)
        begin = time.perf_counter()
        Program(text, whole).ended()
        takes = time.perf_counter() - begin
        for _ in range(times):
            process = Program(text, cut)
            time.sleep(takes*rng.uniform(.1, .9))
            process.kill()
            process.ended()
        last = Program(text, cut)
        found = [f'ends with {last.exitcode}: {last.said()[-300:]}'] if last.ended() else []
        parts = [p.name for p in cut.rglob('.part-*')]
        if parts: found.append(f'left {parts}')
        if _results(whole) != _results(cut): found.append('the result is another one')
        return found

def kills(n=4, seed=0):
    rng = random.Random(seed)
    programs = dict(sweep=SWEEP, fit=FIT)
    return [f'{name} {i}: {w}' for i in range(n) for name, text in programs.items() for w in killed(text, rng)]

if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', nargs='+', choices=['files', 'bombs', 'flips', 'net', 'disk', 'kills'])
    parser.add_argument('--n', type=int, default=2000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--kinds', nargs='+', choices=KINDS)
    parser.add_argument('--only', help='kind:number of one try')
    args = parser.parse_args()
    if args.only:
        kind, i = args.only.split(':')
        one_try(kind, int(i), args.seed, show=True)
        sys.exit()
    calls = dict(net=net, disk=disk, bombs=bombs, files=lambda: files(args.n, args.seed, args.kinds),
                 flips=lambda: flips(args.n, args.seed), kills=lambda: kills(min(args.n, 20), args.seed))
    faults = [f'{what} {w}' for what in args.what for w in calls[what]()]
    print('\n'.join(faults) or 'no fault')
    sys.exit(bool(faults))
