"""The Studio in a real JupyterLab, in headless Chromium driven by Playwright. Needs both; see CONTRIBUTING.

STUDIO_BARS=1: the bars of speed count in full, for a machine that does nothing else; STUDIO_SHOTS=folder:
screenshots; CHROMIUM=path: which browser; STUDIO_SERVER=path: the Python whose Lab, Notebook or Voila serves, if not
this one; the kernel is always this one's."""
import contextlib, json, os, re, secrets, shutil, signal, socket, subprocess, sys, time, urllib.error, urllib.request
from pathlib import Path
import pytest
import axe

playwright = pytest.importorskip('playwright.sync_api', reason='pip install playwright')
CHROMIUM = (os.environ.get('CHROMIUM') or next((p
    for n in ('chromium', 'chromium-browser', 'google-chrome',
        '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome') if (p := shutil.which(n))), None))
pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason='apt-get install chromium')]
root = Path(__file__).resolve().parent.parent
lesson = root/'nbs/lessons/09_studio.ipynb'
SHOTS, BARS, SERVER = (os.environ.get('STUDIO_SHOTS'), bool(os.environ.get('STUDIO_BARS')),
    os.environ.get('STUDIO_SERVER') or sys.executable)
MOVES, STUDIOS = (20, 23) if BARS else (6, 6)  # how often a slider is moved, a Studio opened

OVERRIDES = {'@jupyterlab/apputils-extension:notification': {'fetchNews': 'false', 'checkForUpdates': False,
    'doNotDisturbMode': True},
    '@jupyterlab/docmanager-extension:plugin': {'autosave': False},
    '@jupyterlab/notebook-extension:tracker': {'windowingMode': 'none'}}

def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]

SPEC = dict(argv=[sys.executable, '-m', 'ipykernel_launcher', '-f', '{connection_file}'],
    display_name='Python 3 (ipykernel)', language='python', metadata=dict(debugger=False))

def server_command(kind, folder, port, token):
    if kind == 'voila':
        return [SERVER, '-m', kind, str(folder), '--no-browser', '--Voila.ip=127.0.0.1', f'--port={port}',
            f'--token={token}', '--show_tracebacks=True']
    root = ['--allow-root'] if hasattr(os, 'geteuid') and os.geteuid() == 0 else []
    return [SERVER, '-m', dict(lab='jupyterlab', notebook='notebook')[kind], '--no-browser', '--ip=127.0.0.1',
        f'--port={port}', '--ServerApp.port_retries=0', f'--IdentityProvider.token={token}',
        f'--ServerApp.root_dir={folder}',
        '--LabApp.extension_manager=readonly', '--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate', *root]

@contextlib.contextmanager
def server(kind, folder, home, timeout=120):
    """JupyterLab or Notebook over a folder, or Voila over a notebook; gives its address and token, and ends it by
    its own pid."""
    for d in ('cfg/labconfig', 'data/kernels/python3'): (home/d).mkdir(parents=True)
    (home/'cfg/labconfig/default_setting_overrides.json').write_text(json.dumps(OVERRIDES))
    (home/'data/kernels/python3/kernel.json').write_text(json.dumps(SPEC))
    port, token = free_port(), secrets.token_hex(16)
    cmd, ready = (server_command(kind, folder, port, token),
        f'http://127.0.0.1:{port}/' + ('voila/ping' if kind == 'voila' else f'api/status?token={token}'))
    env = dict(os.environ, JUPYTER_CONFIG_DIR=f'{home}/cfg', JUPYTER_DATA_DIR=f'{home}/data',
        JUPYTER_PATH=f'{home}/data', JUPYTER_RUNTIME_DIR=f'{home}/run', IPYTHONDIR=f'{home}/ipython',
        PYTHONPATH=os.pathsep.join([str(root), os.environ.get('PYTHONPATH', '')]))
    with open(home/'server.log', 'w') as log:
        p = subprocess.Popen(cmd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            end = time.monotonic() + timeout
            while True:
                try:
                    with urllib.request.urlopen(ready, timeout=60): break
                except (urllib.error.URLError, OSError) as e:
                    # it answers, if only that one may not
                    if kind == 'voila' and isinstance(e, urllib.error.HTTPError):
                        break
                    if p.poll() is not None or time.monotonic() > end:
                        pytest.fail(f'server: {e}\n' + (home/'server.log').read_text()[-3000:])
                    time.sleep(.1)
            yield f'http://127.0.0.1:{port}', token
        finally:
            p.send_signal(signal.SIGTERM)
            try: p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()

def watched(context):
    "A page that may reach nothing but this machine; `page.bad` lists what went wrong in it."
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.bad = []
    page.on('console', lambda m: m.type in ('error', 'warning') and page.bad.append(f'{m.type}: {m.text}'))
    page.on('pageerror', lambda e: page.bad.append(f'pageerror: {e}'))
    page.on('response', lambda r: r.status >= 400 and page.bad.append(f'http {r.status}: {r.url}'))
    page.route(re.compile(r'^https?://(?!127\.0\.0\.1:)'),
        lambda route: (page.bad.append(f'external: {route.request.url}'), route.abort()))
    return page

@contextlib.contextmanager
def chromium(width=1280, height=1400, *flags):
    with playwright.sync_playwright() as pw:
        b = pw.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox', '--disable-gpu', *flags,
            '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1'])
        try: yield watched(b.new_context(viewport=dict(width=width, height=height)))
        finally: b.close()

def sessions(base, token):
    with urllib.request.urlopen(f'{base}/api/sessions?token={token}', timeout=60) as r: return json.load(r)

def open_notebook(page, base, token, name, page_of='lab/tree'):
    "Show a notebook, wait for its kernel, run all of it."
    page.goto(f'{base}/{page_of}/{name}?reset&token={token}')
    page.locator('.jp-Notebook .jp-Cell').first.wait_for()
    if page_of == 'lab/tree':
        page.locator('#jp-main-statusbar').get_by_text('Python 3 (ipykernel) | Idle').wait_for(timeout=120_000)
    else:
        until(lambda: any(s['path'] == name and s['kernel']['execution_state'] == 'idle' and s['kernel']['connections']
            for s in sessions(base, token)), 120)
        page.wait_for_timeout(1000)
        page.bad.clear()  # what the page says of itself while it opens
    page.get_by_role('menuitem', name='Run', exact=True).click()
    page.get_by_role('menuitem', name='Run All Cells', exact=True).click()

SIZE = 256 if BARS else 128  # px; a run paints as fast as it can while the page is looked at
BIG = f"studio = Studio('astronaut', 'swirls', size={SIZE}, steps=100000)\nstudio"
SAME = '''import os
names = {}
exec(studio.code.value, names)
same = bool(studio.code.value) and np.array_equal(np.asarray(names['result'].image), np.asarray(studio.result.image))
print(f"process {os.getpid()}; the same bytes: {same if studio.code.value else 'no code yet'}")'''
SMALL = ["from style_nb.all import *", "one = Studio('astronaut', 'swirls', size=96, steps=100000)\none",
    "two = Studio('cat', 'dots', size=96, steps=100000, optimizer='adam')\ntwo"]
PIXELS = '''async el => {
  for (;;) {  // a picture may just be on its way
    try { await el.decode() } catch {}
    if (el.complete && el.naturalWidth) break;
    await new Promise(r => setTimeout(r, 20)) }
  const c = document.createElement('canvas'); c.width = el.naturalWidth; c.height = el.naturalHeight;
  const g = c.getContext('2d'); g.drawImage(el, 0, 0);
  return Array.from(g.getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 101 == 0)); }'''

def write(path, cells, nb=None):
    import nbformat
    nb = nb or nbformat.v4.new_notebook()
    nb.cells += [nbformat.v4.new_code_cell(c) for c in cells]
    nb.metadata['kernelspec'] = dict(name='python3', display_name='Python 3 (ipykernel)', language='python')
    nbformat.write(nb, path)

@pytest.fixture(scope='module')
def page(tmp_path_factory):
    "The lesson's copy in JupyterLab, all cells run, and the Studio of its last cell but one in view"
    import nbformat
    from style_nb.all import sample
    d = tmp_path_factory.mktemp('lab')
    (d/'nb').mkdir()
    (d/'home').mkdir()
    shutil.copytree(root/'nbs/images', d/'nb/images')  # the lesson shows one
    write(d/'nb/lesson.ipynb', [BIG, SAME], nbformat.read(lesson, 4))
    write(d/'nb/small.ipynb', SMALL)
    (d/'broken.jpg').write_bytes(b'not a picture')
    sample('coffee').save(d/'mine.png') if hasattr(sample('coffee'), 'save') else shutil.copy(sample('coffee'),
        d/'mine.png')
    with pytest.MonkeyPatch.context() as m:
        m.setenv('IN_TEST', '1')  # small pictures in the lesson's own cells
        with server('lab', d/'nb', d/'home') as (base, token), chromium() as page:
            page.folder, page.home, page.base, page.token = d, d/'home', base, token
            open_notebook(page, base, token, 'lesson.ipynb')
            page.locator('.jp-OutputArea-output', has_text='no code yet').wait_for(timeout=400_000)
            page.keyboard.press('Control+B')
            yield page
            if SHOTS: page.screenshot(path=f'{SHOTS}/last.png')

def at(page, name): return page.locator(f'.sn-{name}').last  # or of a Studio among several
def painted(page): return at(page, 'canvas').locator('.sn-viewer-picture')
def status(page): return at(page, 'status').inner_text()
def steps_done(page): return int(re.search(r'step (\d+)', status(page))[1])
def heeded(page): return int(at(page, 'status').locator('[data-moves]').get_attribute('data-moves'))
def shot(page, name, *widths):
    if not SHOTS: return
    for width in widths or (1280, 900):
        page.set_viewport_size(dict(width=width, height=1900))
        page.wait_for_timeout(500)
        page.locator('.sn-studio').last.evaluate(
            'el => { el.style.scrollMarginTop = "16px"; el.scrollIntoView({block: "start"}) }')
        page.wait_for_timeout(500)
        page.screenshot(path=f'{SHOTS}/{name}_{width}.png')
    page.set_viewport_size(dict(width=1280, height=1400))
    page.wait_for_timeout(500)

def drag(page, name, share, mouse=None):
    "Drag a slider's handle to a share of its track, and let go."
    mouse = mouse or page.mouse
    handle, track = at(page, name).locator('.noUi-handle'), at(page, name).locator('.noUi-target')
    handle.scroll_into_view_if_needed()
    h, t = handle.bounding_box(), track.bounding_box()
    mouse.move(h['x'] + h['width']/2, h['y'] + h['height']/2)
    mouse.down()
    mouse.move(t['x'] + t['width']*share, h['y'] + h['height']/2, steps=8)
    mouse.up()

def until(check, seconds=30, what=''):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, what or 'it did not happen in time'
        time.sleep(.01)

def tab(page, name):
    page.locator('.sn-studio').last.locator('.lm-TabBar-tabLabel').get_by_text(name, exact=True).click()
def run_cell(page, text):
    "Run the cell that starts with `text`."
    page.locator('.jp-CodeCell', has=page.locator('.jp-InputArea-editor',
        has_text=text)).last.locator('.jp-InputPrompt').click()
    page.keyboard.press('Control+Enter')

def the_lesson_ran_without_an_error(page):
    assert (page.locator('.jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"]',
        has_text='Traceback').count() == 0)
    assert page.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    assert page.locator('.jp-CodeCell .jp-InputPrompt').last.inner_text() != '[ ]:'

def all_of_it_is_on_a_laptop(page):
    "Bar of issue 21: at 1366x640 canvas, buttons, small pictures and the first panel are seen without scrolling."
    was = page.viewport_size
    page.set_viewport_size(dict(width=1366, height=640))
    page.wait_for_timeout(500)
    studio = page.locator('.sn-studio').last
    studio.evaluate('el => el.scrollIntoView({block: "start"})')
    page.wait_for_timeout(300)
    frame = page.locator('.jp-WindowedPanel-outer, .jp-NotebookPanel-notebook').last.bounding_box()
    until(lambda: at(page, 'thumbs').locator('img').count() == 2)
    for name in ('message', 'thumbs', 'canvas', 'start', 'save', 'style_weight', 'size', 'presets'):
        box = at(page, name).bounding_box()
        assert box['y'] >= frame['y'] - 1 and box['y'] + box['height'] <= frame['y'] + frame['height'] + 1, (name, box)
    slider = at(page, 'style_weight').get_by_role('slider')
    assert (slider.get_attribute('aria-label'), slider.get_attribute('aria-valuetext')) == ('strength', '12')
    assert painted(page).get_attribute('alt') == 'the canvas'
    assert at(page, 'shelf-style').get_by_role('radio', name='dots', include_hidden=True).get_attribute('name')
    page.set_viewport_size(was)

def a_layer_slider_moves_a_run_that_paints(page):
    until(lambda: at(page, 'status').is_visible())
    at(page, 'reset').click() if steps_done(page) else None
    shot(page, 'rest')
    at(page, 'start').click()
    until(lambda: steps_done(page) > 10, 60)
    before, moved = steps_done(page), heeded(page)
    pixels = painted(page).evaluate(PIXELS)
    tab(page, 'Layers')
    drag(page, 'style_weights-relu4_2', .9)
    until(lambda: heeded(page) > moved)
    assert painted(page).evaluate(PIXELS) != pixels and steps_done(page) > before and 'painting' in status(page)
    shot(page, 'painting')

def fast_enough(page):
    """Bars of issue 7: 10 steps/s while the page is live, half a second from the slider's release to a canvas
    that shows it."""
    tab(page, 'Look')
    at(page, 'tv_weight').scroll_into_view_if_needed()
    track, waits = at(page, 'tv_weight').locator('.noUi-target').bounding_box(), []
    n, start = steps_done(page), time.perf_counter()
    time.sleep(5 if BARS else 2)
    rate = (steps_done(page) - n)/(time.perf_counter() - start)
    for i in range(MOVES):
        moved, src = heeded(page), painted(page).get_attribute('src')
        page.mouse.move(track['x'] + track['width']*(.3 + .4*(i % 2)), track['y'] + track['height']/2)
        page.mouse.down()
        page.mouse.up()
        start = time.perf_counter()
        page.wait_for_function('([n, src]) => { const all = c => [...document.querySelectorAll(c)].pop(); return '
                               '+all(".sn-status [data-moves]").dataset.moves > n '
                               '&& all(".sn-canvas .sn-viewer-picture").src != src }',
            arg=[moved, src], polling=10)
        waits.append(time.perf_counter() - start)
        time.sleep(.4)  # while its handle glides, a slider takes no click
    print(f'{rate:.1f} steps/s live; slider to canvas: median {sorted(waits)[MOVES//2]*1000:.0f} ms, longest '
          f'{max(waits)*1000:.0f} ms')
    assert sorted(waits)[MOVES//2] <= (.5 if BARS else 4) and rate >= (10 if BARS else .5)

def pause_pin_compare(page):
    at(page, 'pin').click()
    page.get_by_role('tab', name='Look').click()
    drag(page, 'style_weight', .1)
    n = steps_done(page)
    until(lambda: steps_done(page) > n + 15, 60)
    at(page, 'start').click()  # it says Pause
    until(lambda: 'paused' in status(page))
    n, pixels = steps_done(page), painted(page).evaluate(PIXELS)
    page.wait_for_timeout(500)
    assert steps_done(page) == n and painted(page).evaluate(PIXELS) == pixels
    before_and_after(page)
    at(page, 'pin').click()
    until(lambda: 'style weight' in at(page, 'diff').inner_text())
    handle = page.locator('.sn-both .sn-viewer-handle')
    def moved():
        handle.focus()  # a notebook that has just run takes it back
        page.keyboard.press('Home')
        return handle.get_attribute('aria-valuenow') == '0'
    until(moved)
    page.wait_for_timeout(500)
    shot(page, 'comparing')
    readout = at(page, 'style_weight').locator('.widget-readout')
    was = readout.inner_text()
    a_click_on_a_pinned_picture_brings_its_settings_back(page, readout)
    assert was != '12' and steps_done(page) == n

def before_and_after(page):
    "A button and a key put the handle between photo and painting on the canvas; 1:1 shows every pixel."
    handle = at(page, 'canvas').locator('.sn-viewer-handle')
    toggle = at(page, 'canvas').get_by_role('button', name='Before/after')
    assert not handle.is_visible()
    toggle.click()
    assert handle.is_visible() and toggle.get_attribute('aria-pressed') == 'true'
    photo = at(page, 'canvas').locator('.sn-viewer-other')
    assert photo.evaluate(PIXELS) != painted(page).evaluate(PIXELS) and photo.get_attribute('alt') == 'photo'
    shot(page, 'before_after')
    stage = at(page, 'canvas').locator('.sn-viewer-stage')
    until(lambda: stage.evaluate('el => { el.focus(); return document.activeElement === el }'))
    page.wait_for_timeout(300)  # a notebook that has just run takes the focus back
    until(lambda: stage.evaluate('el => { el.focus(); return document.activeElement === el }'))
    page.keyboard.press('b')
    until(lambda: not handle.is_visible())
    at(page, 'canvas').get_by_role('button', name='1:1').click()
    assert painted(page).evaluate('el => el.getBoundingClientRect().width*devicePixelRatio/el.naturalWidth') == 1
    at(page, 'canvas').get_by_role('button', name='Fit').click()

def a_click_on_a_pinned_picture_brings_its_settings_back(page, readout):
    strip, was = page.locator('.sn-strip').last, readout.inner_text()
    picture, button = strip.locator('img').first, strip.locator('.sn-restore').first
    picture.scroll_into_view_if_needed()
    box, over = picture.bounding_box(), button.bounding_box()
    assert (all(abs(box[k] - over[k]) <= 1 for k in box)
        and button.evaluate('el => getComputedStyle(el).color') == 'rgba(0, 0, 0, 0)'), 'the button is the picture'
    assert button.get_attribute('title') == 'pin 1: bring its settings back'
    page.mouse.click(box['x'] + box['width']/3, box['y'] + box['height']/3)
    until(lambda: readout.inner_text() == '12')
    shot(page, 'restoring')
    strip.locator('.sn-restore').last.focus()
    page.keyboard.press('Enter')
    until(lambda: readout.inner_text() == was)

def show_code_and_run_it(page):
    tab(page, 'Save')
    at(page, 'show-code').click()
    text = at(page, 'code-text').locator('textarea')
    until(lambda: 'schedule=' in text.input_value())
    assert (text.input_value().count('stylize(') == 1
        and text.input_value().count("'tv_weight'") >= MOVES), 'the run began anew when a weight or a layer moved'
    shot(page, 'code')
    run_cell(page, 'exec(studio.code.value')
    out = page.locator('.jp-OutputArea-output', has_text=re.compile('the same bytes: (True|False)'))
    out.wait_for(timeout=300_000)
    assert 'the same bytes: True' in out.inner_text()

def a_broken_upload_says_so(page):
    tab(page, 'Pictures')
    with page.expect_file_chooser() as chooser: at(page, 'upload-content').click()
    chooser.value.set_files(page.folder/'broken.jpg')
    until(lambda: 'broken.jpg' in at(page, 'message').inner_text())
    assert 'not a picture that can be read' in at(page, 'message').inner_text()
    assert not axe.violations(page, '.sn-studio')
    shot(page, 'error')

def as_it_is(page):
    "Are the proportions of the canvas on the page those of its picture?"
    return painted(page).evaluate(
        'el => Math.abs(el.clientHeight/el.clientWidth - el.naturalHeight/el.naturalWidth) < .015')

def a_good_one_is_used(page):
    shape = lambda: painted(page).evaluate('el => el.naturalHeight/el.naturalWidth')
    assert (at(page, 'upload-content').evaluate(
        'el => [getComputedStyle(el).fontSize, getComputedStyle(el, "::after").content]') == ['0px',
        '"Upload a photo"']), 'no count in the label'
    with page.expect_file_chooser() as chooser: at(page, 'upload-content').click()
    chooser.value.set_files(page.folder/'mine.png')
    until(lambda: steps_done(page) == 0 and shape() < .8, what='another photo is another picture')
    assert as_it_is(page)
    assert at(page, 'content').locator('input:checked').evaluate('el => el.parentElement.textContent') == 'mine.png'
    at(page, 'blending').locator('input').click()
    at(page, 'shelf-style').get_by_label('dots').click()
    at(page, 'blend-1').wait_for()
    drag(page, 'blend-1', .4)
    at(page, 'step').click()
    until(lambda: steps_done(page) == 1, 60)
    assert as_it_is(page)
    shot(page, 'pictures')
    tab(page, 'Expert')
    shot(page, 'expert')

def a_grid_and_on_from_a_cell(page):
    tab(page, 'Grid')
    for box, value in enumerate((64, 6)):
        page.locator('.sn-grid').last.locator('input[type=number]').nth(box).fill(str(value))
    page.locator('.sn-grid').last.locator('select').nth(1).select_option('contrast')
    at(page, 'paint-grid').click()
    until(lambda: 'grid: 9 of 9' in at(page, 'message').inner_text(), 240)
    assert page.locator('.sn-grid').last.locator('.sn-go-on').count() == 9
    shot(page, 'grid')
    pixels = painted(page).evaluate(PIXELS)
    page.locator('.sn-grid').last.locator('.sn-go-on').nth(8).click()
    until(lambda: steps_done(page) == 6)
    until(lambda: painted(page).evaluate(PIXELS) != pixels)
    tab(page, 'Look')

def theme(page, name):
    "JupyterLab light or dark."
    for menu in ('Settings', 'Theme', f'JupyterLab {name}'):
        page.locator('.lm-MenuBar-itemLabel, .lm-Menu-itemLabel').get_by_text(menu, exact=True).click()
    until(lambda: page.evaluate('document.body.dataset.jpThemeLight') == str(name == 'Light').lower())
    page.wait_for_timeout(500)

def nobody_is_kept_out(page):
    "Bar of issue 21: nothing serious for axe-core in any tab, light and wide, dark and narrow, with pins and a grid."
    was = page.viewport_size
    names = page.locator('.sn-studio').last.locator('.lm-TabBar-tabLabel').all_inner_texts()
    at(page, 'canvas').get_by_role('button', name='Before/after').click()
    for look, width in (('Light', 1280), ('Dark', 390)):
        page.set_viewport_size(was)
        theme(page, look)
        page.set_viewport_size(dict(width=width, height=was['height']))
        for name in names:
            tab(page, name)
            assert not (found := axe.violations(page, '.sn-studio')), (look, width, name, found)
        shot(page, f'{look}_narrow', 390)
    page.set_viewport_size(was)
    theme(page, 'Light')
    at(page, 'canvas').get_by_role('button', name='Before/after').click()

STOPS = '''root => {
  const el = document.activeElement;
  return {inside: root.contains(el), name: el.getAttribute('aria-label') || el.title || el.textContent.trim(),
    pinned: Boolean(el.closest('.sn-pinned')),
    of: [...(el.closest('.widget-inline-hbox, .widget-radio') || el).classList].filter(c => c.startsWith('sn-'))} }'''

def the_way_by_tab_is_short(page):
    "From Start to the first pin: each slider and each shelf is one stop, and the order is that of the page."
    tab(page, 'Look')
    at(page, 'start').focus()
    root, stops = page.locator('.sn-studio').last, []
    while not stops or stops[-1]['inside'] and not stops[-1]['pinned'] and len(stops) < 40:
        page.keyboard.press('Tab')
        stops.append(root.evaluate(STOPS))
    assert stops[-1]['pinned'], stops
    of = [c for stop in stops for c in stop['of']]
    for name in ('sn-style_weight', 'sn-size', 'sn-presets'): assert of.count(name) == 1, (name, stops)
    print(f'{len(stops)} stops from Start to the first pin')
    assert len(stops) <= 20, stops

def a_storm_leaves_it_whole(page):
    "Bar of issue 21: random clicks, drags and keys; all of it is bench/storm.py, with a thousand and without pity."
    sys.path.insert(0, str(root/'bench'))
    import storm
    session, = [s for s in sessions(page.base, page.token) if s['path'] == 'lesson.ipynb']
    kernel = storm.Kernel(page.home/f"run/kernel-{session['kernel']['id']}.json")
    (page.folder/'files').mkdir()
    try:
        kernel.ask('None', before='studio.session.set(size=96); studio.fill()')
        box = page.locator('.sn-studio').last
        moves = storm.Storm(page, box, storm.some_files(page.folder/'files'), seed=21)
        storm.blow(moves, kernel, page.home/'server.log', 80)
        storm.the_session_is_whole(page, box, kernel, 'studio')
    finally: kernel.close()

def memory(page):
    "MB that the kernel holds."
    pid = re.search(r'process (\d+)', page.locator('.jp-OutputArea-output', has_text='the same bytes').inner_text())[1]
    return int(Path(f'/proc/{pid}/statm').read_text().split()[1])*os.sysconf('SC_PAGE_SIZE')/2**20

def an_instant_picture_comes(page):
    "Bar of issue 21: a picture other than the photo within 1.5 s, loose without STUDIO_BARS; no run has begun."
    from style_nb.all import load_picture, sample, to_pil
    start = time.perf_counter()
    until(lambda: 'instant picture' in status(page), 1.5 if BARS else 30)
    print(f'{time.perf_counter() - start:.2f} s to the instant picture')
    photo = to_pil(load_picture(sample('astronaut'), SIZE)).convert('RGBA').tobytes()
    photo, shown = [photo[i] for i in range(0, len(photo), 101)], painted(page).evaluate(PIXELS)
    assert len(shown) == len(photo) and steps_done(page) == 0
    assert sum(abs(a - b) for a, b in zip(shown, photo))/len(photo) > 8
    shot(page, 'instant')

def running_the_cell_again_closes_the_first_and_frees_its_memory(page):
    """Bar of issue 21: twenty times open, paint and close leave less than 50 MB; without STUDIO_BARS three, as
    one left open holds twice that."""
    linux, held, shown = sys.platform.startswith('linux'), [], []
    for _ in range(STUDIOS):
        at(page, 'canvas').evaluate('el => el.classList.add("before")')
        start = time.perf_counter()
        run_cell(page, 'steps=100000')
        page.locator('.sn-studio .sn-canvas:not(.before) .sn-viewer-picture').wait_for()
        shown.append(time.perf_counter() - start)
        until(lambda: 'ready' in status(page), 60)
        assert page.locator('.sn-studio').count() == 1
        an_instant_picture_comes(page)
        page.wait_for_timeout(1000)  # what the one before has left is looked for now
        if linux: held.append(memory(page))  # it is closed, the new one has not begun
        at(page, 'start').click()
        until(lambda: steps_done(page) >= 5, 60)
    print(f'{sorted(shown)[STUDIOS//2]:.2f} s from the cell to the Studio, the median of {STUDIOS}')
    if linux:
        print(f'{STUDIOS - 3} times open, paint, close: {held[-1] - held[2]:.1f} MB more than {held[2]:.0f} MB')
        assert held[-1] - held[2] < 50
    assert sorted(shown)[STUDIOS//2] <= (2.5 if BARS else 30), 'bar of issue 21'

def nothing_went_wrong_unseen(page):
    no_error_in_page_or_log(page)
    page.get_by_role('menuitem', name='View', exact=True).click()
    page.get_by_role('menuitem', name='Show Log Console').click()
    log = page.locator('.jp-LogConsolePanel')
    log.wait_for()
    assert not re.search('Traceback|Error', log.inner_text()), log.inner_text()

def no_error_in_page_or_log(page, *but):
    bad = [b for b in page.bad if not b.startswith(but)]
    assert not bad, bad
    assert page.locator('.jp-Dialog').count() == 0
    lines = (page.home/'server.log').read_text().splitlines()
    assert not [l for l in lines if re.match(r'\[(E |\w+\] (ERROR|CRITICAL))', l) or 'Traceback' in l], lines

def without_subshells_and_two_at_once(page):
    """The other way for messages, as in older Labs: all handlers in the kernel's main thread. Two Studios, each
    heeds its own sliders."""
    url = f'{page.base}/lab/api/settings/@jupyterlab/apputils-extension:kernels-settings'
    request = urllib.request.Request(url, json.dumps(dict(raw='{"commsOverSubshells": "disabled"}')).encode(),
        {'Authorization': f'token {page.token}', 'Content-Type': 'application/json'}, method='PUT')
    with urllib.request.urlopen(request, timeout=60) as r: assert r.status < 300
    other = watched(page.context)
    other.home = page.home
    open_notebook(other, page.base, page.token, 'small.ipynb')
    other.locator('.sn-studio').nth(1).wait_for()
    one, two = (other.locator('.sn-studio').nth(i) for i in (0, 1))
    for studio in (one, two): at(studio, 'start').click()
    for studio in (one, two): until(lambda: steps_done(studio) > 5, 60)
    moves, pixels = [heeded(studio) for studio in (one, two)], painted(one).evaluate(PIXELS)
    one.locator('.lm-TabBar-tabLabel').get_by_text('Layers', exact=True).click()
    drag(one, 'style_weights-relu3_2', .8, other.mouse)
    until(lambda: heeded(one) > moves[0])
    assert painted(one).evaluate(PIXELS) != pixels and heeded(two) == moves[1]
    read = lambda studio: at(studio, 'style_weights-relu3_2').locator('.widget-readout').text_content()
    assert read(one) != 'off' and read(two) == 'off'
    at(one, 'start').click()
    until(lambda: 'paused' in status(one))
    n = steps_done(two)
    until(lambda: steps_done(two) > n, 60)
    at(two, 'stop').click()
    until(lambda: 'stopped' in status(two))
    at(one, 'step').click()
    until(lambda: 'paused' in status(one))
    nothing_went_wrong_unseen(other)

def test_the_studio_in_a_browser(page):
    "One test, since each step goes on where the one before left the page, and so that one worker has it all."
    for step in (the_lesson_ran_without_an_error, all_of_it_is_on_a_laptop,
            a_layer_slider_moves_a_run_that_paints, fast_enough,
            pause_pin_compare, show_code_and_run_it, a_broken_upload_says_so, a_good_one_is_used,
            a_grid_and_on_from_a_cell, nobody_is_kept_out, the_way_by_tab_is_short, a_storm_leaves_it_whole,
        running_the_cell_again_closes_the_first_and_frees_its_memory, nothing_went_wrong_unseen,
        without_subshells_and_two_at_once):
        start = time.perf_counter()
        step(page)
        print(f'{time.perf_counter() - start:5.1f} s  {step.__name__.replace("_", " ")}', flush=True)
