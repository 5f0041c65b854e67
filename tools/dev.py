"What `make` runs: sets up .venv once, then does the task. Needs only Python; without make: python3 tools/dev.py TASK"
import sys
if sys.version_info < (3, 10):
    sys.exit('style_nb needs Python 3.10 or newer and this is %d.%d. Name a newer one, for example: make '
             'PYTHON=python3.12'
        % sys.version_info[:2])
import hashlib, os, shutil, subprocess, time
from pathlib import Path

root = Path(__file__).resolve().parent.parent
venv = root/'.venv'
scripts = venv/('Scripts' if os.name == 'nt' else 'bin')
stamp = venv/'.installed'

def sh(*cmd, **env):
    "Run `cmd` at the top of the checkout; its exit code"
    # without bytecode each start takes 17 s, not 7
    env = {k: v for k, v in {**os.environ, **env}.items() if k != 'PYTHONDONTWRITEBYTECODE'}
    return subprocess.run([str(o) for o in cmd], cwd=root, env=env).returncode

def tool(name): return scripts/(name + ('.exe' if os.name == 'nt' else ''))

def wanted():
    "What the stamp of a finished installation holds: it changes with the files that say what to install"
    parts = [str(root).encode(), *(root.joinpath(o).read_bytes() for o in ('settings.ini', 'setup.py',
        'pyproject.toml'))]
    return hashlib.sha256(b'\0'.join(parts)).hexdigest()

def runs(python):
    "Is there a Python at `python` that starts?"
    return python.exists() and sh(python, '-c', '') == 0

def install():
    "Create .venv and install the package in it with what development needs, unless that is done"
    python = tool('python')
    if stamp.exists() and stamp.read_text() == wanted() and runs(python): return
    start = time.time()
    print('Setting up .venv and installing: once, a few minutes, mostly for PyTorch.', flush=True)
    if not runs(python) and sh(sys.executable, '-m', 'venv', '--clear', venv):
        shutil.rmtree(venv, ignore_errors=True)
        sys.exit(f'{sys.executable} cannot create a virtual environment; on Debian or Ubuntu: apt-get install '
                 f'python3-venv')
    quiet = [] if sys.stdout.isatty() else ['-q']
    if sh(python, '-m', 'pip', 'install', *quiet, '--no-compile', '--disable-pip-version-check', '-e', '.[dev]'):
        sys.exit('Installing failed, see the lines above. Is the package registry reachable? The same command tries '
                 'again.')
    sh(python, '-W', 'ignore', '-c', 'import style_nb.transfer, style_nb.gallery')  # writes the bytecode once
    stamp.write_text(wanted())
    print(f'Installed in {time.time()-start:.0f} s.', flush=True)

def demo(*args):
    "repaint a bundled photo: demo/*.png"
    return sh(tool('style_nb'), 'demo', '-o', 'demo', *args)

def test(*args):
    "read the code with ruff, run every notebook and every test; ARGS='--lot 0/12': a twelfth of the slow ones"
    steps = dict(
        ruff=[tool('ruff'), 'check', '--no-cache'],
        # three workers for two cores: what is tested in a browser mostly waits
        pytest=[tool('python'), '-m', 'pytest', '-q', '-n', '3', '--dist', 'worksteal', '--durations=30', *args],
    )
    failed = []
    for name, command in steps.items():
        print(f'== {name}', flush=True)
        start = time.time()
        if sh(*command, OMP_NUM_THREADS='1', STYLE_NB_SESSIONS='0'): failed.append(name)
        print(f'== {name}: {"FAILED" if name in failed else "passed"} in {time.time()-start:.0f} s', flush=True)
    if failed: print('Failed: ' + ' and '.join(failed), file=sys.stderr)
    return bool(failed)

def lab(*args):
    "open the lessons in JupyterLab"
    return sh(tool('jupyter'), 'lab', *(args or ['nbs/lessons']))

def lessons(*args):
    "run notebooks (ARGS=..., else all), store their outputs, write README.md"
    return sh(tool('python'), 'tools/notebooks.py', 'run', *args) or sh(tool('python'), 'tools/notebooks.py', 'readme')

def bench(*args):
    "measure the engine beside a plain loop, for hours; ARGS='step --quick' for less"
    return sh(tool('python'), 'bench/engine.py', *(args or ['all']))

def page(*args):
    "build the page that paints in a browser: build/page; needs npm"
    return sh(tool('python'), 'tools/page.py', *args)

def site(*args):
    "build the site from stored outputs: build/site, with build/page in it where that is built"
    page = ['--page', 'build/page'] if (root/'build/page/index.html').exists() else []
    return sh(tool('python'), 'tools/website.py', *page, *args)

def clean():
    "remove .venv and everything built"
    for o in ('.venv', 'demo', 'build', 'dist', '_proc', '_docs', '.pytest_cache', '.hypothesis'):
        shutil.rmtree(root/o, ignore_errors=True)
    for o in root.glob('*.egg-info'): shutil.rmtree(o)

def usage():
    "show this list"
    print('make TASK, or python3 tools/dev.py TASK. The first one to need it creates .venv.')
    for name, f in tasks.items(): print(f'  {name:8} {f.__doc__}')

tasks = dict(demo=demo, test=test, lab=lab, lessons=lessons, bench=bench, page=page, site=site, clean=clean, help=usage)

def main(task='help', *args):
    if task not in tasks: sys.exit(f'no task {task!r}; choose from ' + ', '.join(tasks))
    if task not in ('clean', 'help'): install()
    try: return tasks[task](*args)
    except KeyboardInterrupt: return 130

if __name__ == '__main__': sys.exit(main(*sys.argv[1:]))
