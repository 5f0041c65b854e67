"The Studio in a real JupyterLab, in headless Chromium driven by Playwright. Needs both; see CONTRIBUTING."
import contextlib, json, os, re, secrets, shutil, signal, socket, subprocess, sys, time, urllib.error, urllib.request
from pathlib import Path
import pytest

playwright = pytest.importorskip('playwright.sync_api', reason='pip install playwright')
CHROMIUM = os.environ.get('CHROMIUM') or next((p for n in ('chromium', 'chromium-browser', 'google-chrome') if (p := shutil.which(n))), None)
pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason='apt-get install chromium'), pytest.mark.slow, pytest.mark.xdist_group('browser')]
root = Path(__file__).resolve().parent.parent
lesson = root/'nbs/lessons/10_studio.ipynb'
SHOTS = os.environ.get('STUDIO_SHOTS')  # a folder for screenshots

OVERRIDES = {'@jupyterlab/apputils-extension:notification': {'fetchNews': 'false', 'checkForUpdates': False, 'doNotDisturbMode': True},
    '@jupyterlab/docmanager-extension:plugin': {'autosave': False}, '@jupyterlab/notebook-extension:tracker': {'windowingMode': 'none'}}

def free_port():
    with socket.socket() as s: s.bind(('127.0.0.1', 0)); return s.getsockname()[1]

@contextlib.contextmanager
def jupyterlab(folder, home, timeout=120):
    "A JupyterLab over `folder`; gives its address and token, and ends it by its own pid."
    (home/'cfg/labconfig').mkdir(parents=True)
    (home/'cfg/labconfig/default_setting_overrides.json').write_text(json.dumps(OVERRIDES))
    port, token = free_port(), secrets.token_hex(16)
    cmd = [sys.executable, '-m', 'jupyterlab', '--no-browser', '--ip=127.0.0.1', f'--port={port}', '--ServerApp.port_retries=0', f'--IdentityProvider.token={token}',
        f'--ServerApp.root_dir={folder}', '--LabApp.extension_manager=readonly', '--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate']
    if hasattr(os, 'geteuid') and os.geteuid() == 0: cmd.append('--allow-root')
    env = dict(os.environ, JUPYTER_CONFIG_DIR=f'{home}/cfg', JUPYTER_DATA_DIR=f'{home}/data', JUPYTER_RUNTIME_DIR=f'{home}/run', IPYTHONDIR=f'{home}/ipython',
        PYTHONPATH=os.pathsep.join([str(root), os.environ.get('PYTHONPATH', '')]))
    with open(home/'server.log', 'w') as log:
        p = subprocess.Popen(cmd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            end = time.monotonic() + timeout
            while True:
                try:
                    with urllib.request.urlopen(f'http://127.0.0.1:{port}/api/status?token={token}', timeout=60): break
                except (urllib.error.URLError, OSError) as e:
                    if p.poll() is not None or time.monotonic() > end: pytest.fail(f'server: {e}\n' + (home/'server.log').read_text()[-3000:])
                    time.sleep(.1)
            yield f'http://127.0.0.1:{port}', token
        finally:
            p.send_signal(signal.SIGTERM)
            try: p.wait(20)
            except subprocess.TimeoutExpired: p.kill(); p.wait()

@contextlib.contextmanager
def chromium(width=1280, height=1400):
    "A page that may reach nothing but this machine; `page.bad` lists what went wrong in it."
    with playwright.sync_playwright() as pw:
        b = pw.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1'])
        page = b.new_context(viewport=dict(width=width, height=height)).new_page()
        page.set_default_timeout(60_000)
        page.bad = []
        page.on('console', lambda m: m.type in ('error', 'warning') and page.bad.append(f'{m.type}: {m.text}'))
        page.on('pageerror', lambda e: page.bad.append(f'pageerror: {e}'))
        page.on('response', lambda r: r.status >= 400 and page.bad.append(f'http {r.status}: {r.url}'))
        page.route(re.compile(r'^https?://(?!127\.0\.0\.1:)'), lambda route: (page.bad.append(f'external: {route.request.url}'), route.abort()))
        try: yield page
        finally: b.close()

def open_notebook(page, base, token, name):
    "Show a notebook, wait for its kernel, run all of it."
    page.goto(f'{base}/lab/tree/{name}?reset&token={token}')
    page.locator('.jp-Notebook .jp-Cell').first.wait_for()
    page.locator('#jp-main-statusbar').get_by_text('Python 3 (ipykernel) | Idle').wait_for(timeout=120_000)
    page.get_by_role('menuitem', name='Run', exact=True).click()
    page.get_by_role('menuitem', name='Run All Cells', exact=True).click()
