"""Build the page that paints in a browser into a folder that any file server can serve.

    python tools/page.py [--out build/page] [--model FOLDER | --painter FILE] [--webgpu]

FILE is a painter of one painting, as `train_painter` writes it. FOLDER holds a net of your own: net.onnx (photo
[1,3,H,W] and, if it has styles, style [1,n] in, picture out) and styles.json (a list of name, title, credit and vector:
float16 in base64). --webgpu adds a second runtime, 27 MB. Needs npm and the network for onnxruntime-web, which npm
keeps in its cache.
"""
import argparse
import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from style_nb.errors import BadFile, BadValue, MissingPackage, StyleNBError
from style_nb.exporting import export
from style_nb.gallery import samples
from style_nb.house import house_of_styles
from style_nb.instant import STYLE_SIDE
from style_nb.onepass import SHORT, pack, read_onepass
from style_nb.painter import load_painter

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = 'onnxruntime-web'
VERSION = '1.30.0'
INTEGRITY = 'sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=='
RUNTIMES = {
    'wasm': dict(script='ort.wasm.bundle.min.mjs', binary='ort-wasm-simd-threaded.wasm'),
    'webgpu': dict(script='ort.webgpu.bundle.min.mjs', binary='ort-wasm-simd-threaded.asyncify.wasm'),
}
PICTURES = {'cat': 'Cat', 'astronaut': 'Astronaut', 'coffee': 'Coffee', 'rocket': 'Rocket'}
MODEL = 'net.onnx', 'styles.json'


def vector(style):
    "A stored style as the row of numbers that the net takes for a picture of 256 px, in base64"
    return base64.b64encode(pack(style.moments(STYLE_SIDE*256)).half().numpy().tobytes()).decode()


def write_model(folder, styles=None):
    "Write net.onnx of the package's own net and styles.json into `folder`; `None` is all its stored styles"
    export(read_onepass(), folder/MODEL[0], plan=SHORT)
    told = [dict(name=style.name, title=style.name.capitalize(), credit=f'{style.title}. {style.credit}',
        vector=vector(style)) for style in styles or house_of_styles().values()]
    (folder/MODEL[1]).write_text(json.dumps(told), encoding='utf-8')


def painter_model(file):
    "What writes the net of a painter of one painting"
    painter = load_painter(file)
    def write(folder):
        export(painter.module(), folder/MODEL[0])
        told = dict(name='own', title=Path(painter.card['painting']).stem, credit=painter.card['licence'], vector='')
        (folder/MODEL[1]).write_text(json.dumps([told]), encoding='utf-8')
    return write


def copied_model(source):
    "What writes the model that lies in the folder `source`"
    def write(folder):
        for name in MODEL:
            try: shutil.copy(Path(source)/name, folder)
            except OSError as e: raise BadFile(f'cannot read {Path(source)/name}: {e.strerror}') from e
    return write


def packed(folder):
    "Have npm fetch the pinned onnxruntime-web; the path of its archive, whose digest is right"
    npm = shutil.which('npm')
    if npm is None:
        raise MissingPackage(f'npm is needed to fetch {PACKAGE} and is not here; install Node.js (https://nodejs.org), '
                             'on Debian or Ubuntu: apt-get install npm')
    command = [npm, 'pack', f'{PACKAGE}@{VERSION}', '--prefer-offline', '--fetch-retries=1',
        '--fetch-retry-mintimeout=1000', '--loglevel=error', f'--pack-destination={folder}']
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode: raise StyleNBError(f'npm could not fetch {PACKAGE} {VERSION} ({npm_says(done.stderr)}). Is the '
                                           'network there? The same command tries again.')
    archive = folder/f'{PACKAGE}-{VERSION}.tgz'
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f'sha512-{digest}' != INTEGRITY:
        raise BadFile(f'{PACKAGE} {VERSION} as npm fetched it is not the one this page was written for: its sha512 is '
                      f'{digest}; try again with another registry')
    return archive


def npm_says(text):
    "The line of npm's complaint that tells most"
    lines = [line.removeprefix('npm').strip().removeprefix('error').removeprefix('ERR!').strip()
        for line in text.splitlines()]
    return next((line for line in lines if line and not line.startswith(('code ', 'syscall ', 'errno '))), 'no word')


def write_runtime(folder, engines):
    "Put the files of onnxruntime-web that `engines` need into `folder`"
    with tempfile.TemporaryDirectory() as temporary, tarfile.open(packed(Path(temporary))) as archive:
        for name in [name for engine in engines for name in RUNTIMES[engine].values()]:
            (folder/name).write_bytes(archive.extractfile(f'package/dist/{name}').read())


def write_pictures(folder):
    "Put the bundled photos into `folder`, at most 640 px; what the page says of them"
    told = []
    for picture in samples():
        if picture.name not in PICTURES: continue
        image = picture.open()
        image.thumbnail((640, 640))
        image.save(folder/f'{picture.name}.jpg', quality=88)
        told.append(dict(name=picture.name, title=PICTURES[picture.name], credit=picture.source))
    return told


def about(engines, pictures):
    "What the page says of itself, and where it finds its runtime"
    photos = '; '.join(f"{p['title']}: {p['credit'].removesuffix(', via skimage.data')}" for p in pictures)
    runtime = {engine: {kind: f'runtime/{name}' for kind, name in RUNTIMES[engine].items()} for engine in engines}
    return dict(runtime=runtime, pictures=pictures,
        text=f'Made with style_nb; the net is run by {PACKAGE} {VERSION} (MIT). Photos, free of rights: {photos}.')


def build(out, write_model=write_model, engines=('wasm',)):
    "Build the page into the folder `out`, whole or not at all"
    out = Path(out).resolve()
    if out.exists() and not (out/'about.json').exists() and any(out.iterdir()):
        raise BadValue(f'{out} holds something else than this page; name another folder')
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix='.page-') as temporary:
        new = Path(temporary)/'new'
        shutil.copytree(ROOT/'page', new, ignore=shutil.ignore_patterns('README.md'))
        (new/'pictures').mkdir()
        write_model(new)
        write_runtime(new/'runtime', engines)
        text = json.dumps(about(engines, write_pictures(new/'pictures')), indent=1)
        (new/'about.json').write_text(text, encoding='utf-8')
        if out.exists(): out.rename(Path(temporary)/'old')
        new.rename(out)
    return out


def chosen_model(args):
    "What writes the net that the command line asks for"
    if args.painter: return painter_model(args.painter)
    return copied_model(args.model) if args.model else write_model


def main():
    "Read the command line, build"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', default=ROOT/'build/page')
    nets = parser.add_mutually_exclusive_group()
    nets.add_argument('--model', help='folder with net.onnx and styles.json (else the package\'s own net)')
    nets.add_argument('--painter', help='file of a painter of one painting')
    parser.add_argument('--webgpu', action='store_true')
    args = parser.parse_args()
    engines = ('wasm', 'webgpu') if args.webgpu else ('wasm',)
    try: out = build(args.out, chosen_model(args), engines)
    except (StyleNBError, OSError) as e: sys.exit(f'No page: {e}')
    megabytes = sum(f.stat().st_size for f in out.rglob('*') if f.is_file())/1e6
    print(f'{out}: {megabytes:.0f} MB. See it: {Path(sys.executable).name} -m http.server -d {out}, then '
          'http://localhost:8000')


if __name__ == '__main__': main()
