"""The Studio in Notebook 7 and as a Voila page, in headless Chromium; servers, browser and steps are those of
test_browser"""
import re, subprocess
import pytest
from test_browser import (BIG, CHROMIUM, SERVER, SHOTS, a_broken_upload_says_so,
    a_layer_slider_moves_a_run_that_paints, at, chromium, no_error_in_page_or_log, open_notebook,
    pause_pin_compare, server, status, the_lesson_ran_without_an_error, until, write)

def missing(module):
    find = f'import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)'
    return CHROMIUM is None or subprocess.run([SERVER, '-c', find], capture_output=True).returncode != 0
def needs(module): return pytest.mark.skipif(missing(module), reason=f'apt-get install chromium; pip install {module}')

@pytest.fixture
def folder(tmp_path):
    (tmp_path/'nb').mkdir()
    (tmp_path/'home').mkdir()
    (tmp_path/'broken.jpg').write_bytes(b'not a picture')
    return tmp_path

def ready(page, d): page.folder, page.home = d, d/'home'

def it_works_without_its_style(page):
    "Where no CSS is let through, the button over a pinned picture shows its label."
    assert page.locator('.sn-studio style').evaluate_all('els => els.map(el => el.remove()).length')
    button, readout = page.locator('.sn-restore').first, at(page, 'style_weight').locator('.widget-readout')
    assert (button.evaluate('el => getComputedStyle(el).color') != 'rgba(0, 0, 0, 0)'
        and button.inner_text() == 'Restore')
    if SHOTS: page.screenshot(path=f'{SHOTS}/plain.png', full_page=True)
    page.get_by_role('tab', name='Look').click()
    was = readout.inner_text()
    button.click()
    until(lambda: readout.inner_text() != was)

@needs('notebook')
def test_notebook_7(folder):
    "The lesson around it runs in JupyterLab, in test_browser"
    write(folder/'nb/studio.ipynb', ['from style_nb.all import *', BIG])
    with server('notebook', folder/'nb', folder/'home') as (base, token), chromium() as page:
        ready(page, folder)
        open_notebook(page, base, token, 'studio.ipynb', 'notebooks')
        page.locator('.jp-CodeCell').last.locator('.sn-studio').wait_for(timeout=400_000)
        for step in (the_lesson_ran_without_an_error, a_layer_slider_moves_a_run_that_paints, pause_pin_compare,
                a_broken_upload_says_so):
            step(page)
        if SHOTS: page.screenshot(path=f'{SHOTS}/notebook7.png')
        no_error_in_page_or_log(page, 'warning')

@needs('voila')
def test_voila(folder):
    write(folder/'nb/page.ipynb', ["from style_nb.all import *\nStudio('astronaut', 'swirls', size=96, steps=100000)"])
    with server('voila', folder/'nb/page.ipynb', folder/'home') as (base, token), chromium() as page:
        ready(page, folder)
        # Voila links its icons on the web
        page.route(re.compile('fontawesome'), lambda route: route.fulfill(body='', content_type='text/css'))
        page.goto(f'{base}/?token={token}')
        page.locator('.sn-studio').wait_for(timeout=120_000)
        for step in (a_layer_slider_moves_a_run_that_paints, pause_pin_compare, a_broken_upload_says_so): step(page)
        at(page, 'stop').click()
        until(lambda: 'stopped' in status(page))
        if SHOTS: page.screenshot(path=f'{SHOTS}/voila.png')
        it_works_without_its_style(page)
        # Voila's core is older than the extensions of Lab that it finds
        no_error_in_page_or_log(page, 'warning', 'error: Error: The getter for the shared module')
