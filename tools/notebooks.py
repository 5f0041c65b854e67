"Runs, cleans and checks the notebooks, writes README.md from one of them, and compares the package with its notebooks."
import argparse, base64, io, json, os, posixpath, re, shutil, site, subprocess, sys, tempfile
from itertools import zip_longest
from pathlib import Path

root = Path(__file__).resolve().parent.parent
max_bytes, max_width = 600_000, 480
wide_bytes, wide_width = 1_500_000, 1000  # of the lessons whose figures are read closely
wide_lessons = {
    '00_first_picture', '01_style_transfer', '02_trained_or_not', '03_same_look', '04_anything', '05_reversion',
    '06_one_hand', '07_recipes', '08_where', '09_studio', '10_one_pass', '11_poster', '12_film', '13_painter',
    '14_dreams', '15_mending', '16_after_gatys'}
max_moving = 3_000_000  # a notebook with moving pictures, all in all
moving = re.compile(r'data:image/webp;base64,[A-Za-z0-9+/=]+')
machine_path = re.compile(r'(?<![\w.~])(?:/tmp|/work|/root|/home|/Users|/private|[A-Z]:\\+Users)[/\\]+[\w.]')
progress = re.compile(r'\d+%\||\[\d+:\d\d.*(it/s|s/it|\?it)')
widget_view = 'application/vnd.jupyter.widget-view+json'

def notebooks(top=root/'nbs'):
    "Every notebook under `top` that nbdev looks at"
    return sorted(o for o in Path(top).rglob('*.ipynb') if not any(p[0] in '._' for p in o.relative_to(top).parts))

def text(o): return o if isinstance(o, str) else ''.join(o)
def most_bytes(path): return wide_bytes if Path(path).stem in wide_lessons else max_bytes
def most_width(path): return wide_width if Path(path).stem in wide_lessons else max_width
def load(path): return json.loads(Path(path).read_text(encoding='utf-8'))
def code_cells(nb): return [c for c in nb['cells'] if c['cell_type'] == 'code']
def outputs(nb): return [o for c in code_cells(nb) for o in c.get('outputs', [])]
def images(data): return [k for k in data if k.startswith('image/')]

# ---- store outputs: scrubbed

def decode(data):
    from PIL import Image
    return Image.open(io.BytesIO(base64.b64decode(text(data))))

def as_jpeg(im, width=max_width):
    "`im` over white, at most `width` wide, as base64 of a JPEG"
    from PIL import Image
    im = im.convert('RGBA')
    im = Image.alpha_composite(Image.new('RGBA', im.size, 'white'), im).convert('RGB')
    if im.width > width: im = im.resize((width, max(1, round(im.height * width/im.width))), Image.LANCZOS)
    f = io.BytesIO()
    im.save(f, 'JPEG', quality=80, optimize=True)
    return base64.b64encode(f.getvalue()).decode()

def one_picture(data, width=max_width):
    "Leave one small JPEG of the raster images in `data`; PNG is the better source where there are both"
    raster = [k for k in ('image/png', 'image/jpeg') if k in data]
    if not raster: return
    im, stored = decode(data[raster[0]]), data.pop(raster[0])
    data.pop('image/jpeg', None)
    small = raster[0] == 'image/jpeg' and im.width <= width
    data['image/jpeg'] = text(stored).replace('\n', '') if small else as_jpeg(im, width)

def plain(s):
    "Text as a terminal would leave it: no colours, no overwritten lines, no paths of this machine; a film stays"
    films = moving.findall(s)
    return ''.join(map(''.join, zip_longest(map(plain_words, moving.split(s)), films, fillvalue='')))

def plain_words(s):
    s = re.sub(r'\x1b\[[0-9;?]*[A-Za-z]', '', s)
    s = re.sub(r'^[^\n]*\r', '', s.replace('\r\n', '\n'), flags=re.M)
    s = re.sub(r'\S*ipykernel_\d+[/\\]\d+\.py', '<cell>', s)
    for place in sorted({*site.getsitepackages(), str(root)}, key=len, reverse=True): s = s.replace(place + os.sep, '')
    return s.replace(str(Path.home()) + os.sep, '~' + os.sep)

def scrub_output(o, width=max_width):
    "`o` as it is stored; None for progress bars and for widgets, which need a live kernel"
    if 'text' in o:
        lines = plain(text(o['text'])).splitlines(True)
        o['text'] = [l for l in lines if o['name'] != 'stderr' or not progress.search(l)]
        return o if ''.join(o['text']).strip() else None
    data = o.get('data', {})
    if '<progress' in text(data.get('text/html', '')): return
    widget = data.pop(widget_view, None)
    if widget and set(data) <= {'text/plain'}: return
    one_picture(data, width)
    for k in data:
        if k.startswith('text/'): data[k] = plain(text(data[k])).splitlines(True)
    return o

def merge_streams(outs):
    "One output for each run of chunks of the same stream"
    res = []
    for o in outs:
        if res and o['output_type'] == res[-1]['output_type'] == 'stream' and o['name'] == res[-1]['name']:
            res[-1]['text'] = text(res[-1]['text']) + text(o['text'])
        else: res.append(o)
    return res

def scrub(nb, width=max_width):
    "Make the stored outputs of `nb` small, and the same on every machine"
    for c in code_cells(nb):
        c['outputs'] = [s for o in merge_streams(c['outputs']) if (s := scrub_output(o, width))]
    nb['metadata'].pop('widgets', None)
    nbdev_clean(nb)
    return nb

def nbdev_clean(nb):
    "What `nbdev-clean` does to `nb`, with the settings of pyproject.toml"
    from nbdev.clean import clean_nb
    from nbdev.config import get_config
    cfg = get_config(root)
    clean_nb(nb, allowed_cell_metadata_keys=cfg.get('allowed_cell_metadata_keys'))

def execute(path, timeout):
    "The notebook at `path` with the outputs of a real run in its own folder; cells marked `eval: false` keep theirs"
    import nbclient, nbformat
    os.environ.pop('IN_TEST', None)
    os.environ['STYLE_NB_SESSIONS'] = '0'  # what is run for a figure is kept nowhere
    nb = nbformat.read(path, 4)
    tags = [c.metadata.get('tags') for c in nb.cells]
    for c in nb.cells:
        if re.search(r'^#\|\s*eval:\s*false', c.source, re.M): c.metadata['tags'] = ['skip-execution']
    nbclient.NotebookClient(nb, timeout=timeout, kernel_name='python3', extra_arguments=['--log-level=ERROR'],
        force_raise_errors=True,
        skip_cells_with_tag='skip-execution',
        resources={'metadata': {'path': str(Path(path).resolve().parent)}}).execute()
    for c, o in zip(nb.cells, tags): c.metadata.pop('tags', None) if o is None else c.metadata.update(tags=o)
    return json.loads(nbformat.writes(nb))

def store(nb, path):
    "Scrub `nb`, write it to `path`, say how large it is; the number of problems"
    from fastcore.nbio import write_nb
    write_nb(scrub(nb, most_width(path)), path)
    found = problems(path)
    print(f'{show(path)}: {Path(path).stat().st_size/1e3:.0f} KB', flush=True)
    for o in found: print(f'  {o}', flush=True)
    return len(found)

def run(paths, timeout=600):
    "Execute each notebook and store its outputs, unless a cell fails; the number of problems"
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    bad = 0
    for p in paths:
        try: nb = execute(p, timeout)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as e:
            print(f'{show(p)}: not stored, a cell failed\n{plain(str(e))}', file=sys.stderr, flush=True)
            bad += 1
        else: bad += store(nb, p)
    return bad

# ---- check

def show(path):
    path = Path(path).resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)

def without_images(nb):
    "`nb` as text, less its pictures, whose base64 can spell anything"
    nb = json.loads(json.dumps(nb))
    for o in outputs(nb):
        for k in images(o.get('data', {})): del o['data'][k]
    return moving.sub('', json.dumps(nb, ensure_ascii=False))

def too_large(path):
    "Why a notebook is too large, or nothing; moving pictures do not count among its bytes, up to a bound of their own"
    size, still = Path(path).stat().st_size, len(moving.sub('', Path(path).read_text(encoding='utf-8')))
    most = most_bytes(path)
    if still > most: yield f'has {still/1e3:.0f} KB, {most/1e3:.0f} at most'
    elif size > max_moving: yield f'has {size/1e3:.0f} KB with its moving pictures, {max_moving/1e3:.0f} at most'

def image_problems(data, width=max_width):
    for k in images(data):
        if k != 'image/jpeg': yield f'stores {k}, only image/jpeg is stored'
        elif (w := decode(data[k]).width) > width: yield f'stores a picture {w} px wide, {width} at most'

def cell_problems(c, width=max_width):
    if c.get('execution_count') is not None: yield 'has an execution count'
    for o in c.get('outputs', []):
        if o['output_type'] == 'error': yield f"stores an error: {o.get('ename')}"
        if widget_view in o.get('data', {}): yield 'stores a widget, which nobody sees without a kernel'
        yield from image_problems(o.get('data', {}), width)

def problems(path):
    "Why the notebook at `path` may not be committed as it is"
    try: nb = load(path)
    except ValueError as e: return [f'is not JSON: {e}']
    res, width = [*too_large(path)], most_width(path)
    if m := machine_path.search(without_images(nb)): res.append(f'holds a path of one machine: {m[0]}...')
    ids = [c.get('id') for c in nb['cells']]
    if None in ids: res.append('has cells without an id')
    if len(set(ids)) < len(ids): res.append('has two cells with the same id')
    for c in code_cells(nb): res += [f"cell {c.get('id')} {o}" for o in cell_problems(c, width)]
    cleaned = json.loads(json.dumps(nb))
    nbdev_clean(cleaned)
    if not res and cleaned != nb: res.append('has metadata or object addresses that nbdev-clean removes')
    return [o for i, o in enumerate(res) if o not in res[:i]]

def check(paths):
    "Every problem of every notebook, one line each"
    return [f'{show(p)} {o}' for p in paths for o in problems(p)]

# ---- README.md

link = re.compile(r'(\]\(|(?:src|href)=")([^)"\s]+)')

def prose(md):
    "The pieces of a Markdown text; every second one is code"
    return re.split(r'(^```.*?^```$|`[^`\n]+`)', md, flags=re.M | re.S)

def elsewhere(target): return re.match(r'[a-z]+:|[#/]', target, re.I)

def relink(md, folder='nbs'):
    "Links relative to `folder` made relative to the folder above it"
    def f(m): return m[0] if elsewhere(m[2]) else m[1] + posixpath.normpath(posixpath.join(folder, m[2]))
    return ''.join(p if i%2 else link.sub(f, p) for i, p in enumerate(prose(md)))

def local_links(md):
    "The files a Markdown text links to"
    return [m[2].split('#')[0] for p in prose(md)[::2] for m in link.finditer(p) if not elsewhere(m[2])]

def fence(s, lang=''): return f'```{lang}\n{s.strip()}\n```'

def readme_output(o):
    "A text output as a block; pictures are committed files that the Markdown shows"
    data = o.get('data', {})
    if images(data) or o.get('name') == 'stderr': return
    s = text(o['text']) if 'text' in o else text(data.get('text/markdown', data.get('text/plain', '')))
    if s.strip(): return s.strip() if 'text/markdown' in data else fence(s)

def readme(nb):
    "README.md's text from the index notebook: Markdown as it stands, code and text outputs in blocks"
    res = ['<!-- Written from nbs/index.ipynb by `tools/notebooks.py readme`: edit that. -->']
    for c in nb['cells']:
        src = text(c['source'])
        if re.search(r'^#\|\s*(hide\s*$|include:\s*false|echo:\s*false)', src, re.M): continue
        src = re.sub(r'^#\|.*\n?', '', src, flags=re.M).strip()
        if c['cell_type'] == 'markdown': res.append(relink(src))
        elif c['cell_type'] == 'code':
            if src: res.append(fence(src, 'python'))
            res += map(readme_output, c['outputs'])
    return '\n\n'.join(filter(None, res)) + '\n'

def check_readme(top=root):
    "Why README.md is not what the index notebook says"
    index, out = top/'nbs/index.ipynb', top/'README.md'
    if not index.exists(): return ['nbs/index.ipynb is missing: README.md is written from it']
    want = readme(load(index))
    res = [f'README.md links to {o}, which does not exist' for o in local_links(want) if not (top/o).exists()]
    have = out.read_text(encoding='utf-8') if out.exists() else ''
    if have != want: res.append('README.md differs from nbs/index.ipynb: run tools/notebooks.py readme')
    return res

# ---- package and notebooks in step

def exported(top):
    "The files that `nbdev-export` may write, by name"
    names = [*top.glob('style_nb/**/*.py'), top/'pyproject.toml', top/'nbs/llms.txt']
    return {o.relative_to(top).as_posix(): o.read_bytes() for o in names if o.exists()}

def sync(top=root):
    "How the package differs from what its notebooks export, found in a copy: the checkout stays as it is"
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        for o in [*exported(top), *(o.relative_to(top) for o in notebooks(top/'nbs'))]:
            (tmp/o).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(top/o, tmp/o)
        for o in tmp.glob('style_nb/**/*.py'):
            if 'AUTOGENERATED! DO NOT EDIT!' in o.read_text(encoding='utf-8'): o.unlink()
        env = {k: v for k, v in os.environ.items() if k != 'IN_TEST'}
        r = subprocess.run([sys.executable, '-c', 'from nbdev.doclinks import nbdev_export; nbdev_export()'],
            cwd=tmp, env=env, capture_output=True, text=True)
        if r.returncode: return [f'nbdev-export fails: {r.stderr.strip().splitlines()[-1]}']
        have, want = exported(top), exported(tmp)
    return ([f'{o} differs from its notebook: run nbdev-export' for o in sorted(have.keys() & want.keys())
        if have[o] != want[o]] +
        [f'{o} is exported by a notebook but missing: run nbdev-export' for o in sorted(want.keys() - have.keys())] +
        [f'{o} has no notebook any more: remove it' for o in sorted(have.keys() - want.keys())])

def main(argv=None):
    p = argparse.ArgumentParser(prog='notebooks.py', description=__doc__)
    sub = p.add_subparsers(dest='task', required=True)
    def add(name, help): return sub.add_parser(name, help=help, description=help)
    r = add('run', 'execute notebooks and store their outputs, scrubbed')
    r.add_argument('--timeout', type=int, default=600, help='seconds a cell may take')
    for o in (r, add('clean', 'scrub the stored outputs without running'),
            add('check', 'list what keeps notebooks from being committed')):
        o.add_argument('nb', nargs='*', type=Path, help='default: every notebook under nbs/')
    add('readme', 'write README.md from nbs/index.ipynb').add_argument('--check', action='store_true',
        help='compare only')
    add('sync', 'compare the package with what the notebooks export')
    a = p.parse_args(argv)
    paths = getattr(a, 'nb', None) or notebooks()
    if missing := [str(o) for o in paths if not o.is_file()]: sys.exit('no such notebook: ' + ', '.join(missing))
    if a.task == 'run': return bool(run(paths, a.timeout))
    if a.task == 'clean': return bool(sum(store(load(o), o) for o in paths))
    index = root/'nbs/index.ipynb'
    if a.task == 'readme' and not a.check and index.exists():
        (root/'README.md').write_text(readme(load(index)), encoding='utf-8')
    found = check(paths) if a.task == 'check' else check_readme() if a.task == 'readme' else sync()
    for o in found: print(o, file=sys.stderr)
    return bool(found)

if __name__ == '__main__': sys.exit(main())
