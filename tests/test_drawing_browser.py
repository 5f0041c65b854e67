"Masks drawn with the mouse, and explorers, in a real JupyterLab; server and browser are those of test_browser"
import json, re
import pytest
from test_browser import CHROMIUM, SHOTS, at, chromium, open_notebook, server, until

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason='apt-get install chromium')]

CELLS = ["from style_nb.all import *\nfrom style_nb.explorers import explore_contrast, explore_gram",
    "board = explore_masks(sample('astronaut'), {'coat': sample('woodcut'), 'rest': sample('swirls')}, size=128, "
    "steps=4, levels=1)\nboard",
    "gram = explore_gram(sample('swirls'))\ngram", "contrast = explore_contrast(sample('astronaut'))\ncontrast",
    "names = {}; exec(board.as_code(), names)\nprint('the same masks:', all((names['masks'][n] == m).all().item() for "
    "n, m in board.masks.items()))"]

@pytest.fixture(scope='module')
def page(tmp_path_factory):
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook
    d = tmp_path_factory.mktemp('lab')
    (d/'nb').mkdir()
    (d/'home').mkdir()
    nbformat.write(new_notebook(cells=[new_code_cell(c) for c in CELLS],
        metadata=dict(kernelspec=dict(name='python3', display_name='Python 3 (ipykernel)', language='python'))),
        d/'nb/masks.ipynb')
    with server('lab', d/'nb', d/'home') as (base, token), chromium() as page:
        page.home = d/'home'
        open_notebook(page, base, token, 'masks.ipynb')
        page.locator('.jp-OutputArea-output', has_text='the same masks').wait_for(timeout=200_000)
        page.keyboard.press('Control+B')
        page.wait_for_timeout(800)
        yield page

def stroke(page, *points):
    "Draw with the mouse through shares of the picture's sides."
    box = at(page, 'pad').locator('.sn-viewer-sheet').bounding_box()
    xy = [(box['x'] + x*box['width'], box['y'] + y*box['height']) for x, y in points]
    page.mouse.move(*xy[0])
    page.mouse.down()
    for p in xy[1:]: page.mouse.move(*p, steps=6)
    page.mouse.up()

def shot(page, name):
    if not SHOTS: return
    for width in (1280, 900):
        page.set_viewport_size(dict(width=width, height=1300))
        page.mouse.move(5, 5)
        page.wait_for_timeout(700)
        page.screenshot(path=f'{SHOTS}/masks_{name}_{width}.png')
    page.set_viewport_size(dict(width=1280, height=1400))
    page.wait_for_timeout(500)

def share(page, name): return int(re.search(rf'{name} (\d+)%', at(page, 'shares').inner_text())[1])
def strokes(page): return at(page, 'strokes').locator('textarea').input_value()

def test_a_stroke_of_the_mouse_becomes_a_mask(page):
    at(page, 'pad').scroll_into_view_if_needed()
    picture = at(page, 'pad').locator('.sn-viewer-picture')
    until(lambda: picture.is_visible() and 'Nothing is drawn yet' in at(page, 'pad').inner_text())
    shot(page, 'rest')
    before = picture.get_attribute('src')
    stroke(page, (.2, .8), (.5, .7), (.8, .8))
    until(lambda: share(page, 'coat') in range(5, 15) and picture.get_attribute('src') != before)
    assert 'Nothing' not in at(page, 'pad').inner_text()
    until(lambda: 'points' in strokes(page))
    first = json.loads(strokes(page))['coat'][0]['points']
    assert all(abs(v - w) < .01 for p, q in ((first[0], (.2, .8)), (first[-1], (.8, .8))) for v, w in zip(p, q)), first

def test_outline_eraser_undo(page):
    at(page, 'tool').get_by_text('outline').click()
    page.wait_for_timeout(500)  # the brush is on its way
    stroke(page, (.1, .98), (.15, .6), (.5, .5), (.85, .6), (.9, .98))
    until(lambda: share(page, 'coat') > 20)
    shot(page, 'drawn')
    filled = share(page, 'coat')
    at(page, 'tool').get_by_text('eraser').click()
    page.wait_for_timeout(500)
    stroke(page, (.3, .8), (.7, .8))
    until(lambda: share(page, 'coat') < filled)
    at(page, 'undo').click()
    until(lambda: share(page, 'coat') == filled and 'erase' not in strokes(page))

def test_paint_and_code(page):
    at(page, 'paint').click()
    until(lambda: at(page, 'painted').locator('.sn-viewer-picture').count(), 60)
    until(lambda: at(page, 'painted').locator('.sn-viewer-said').inner_text() == '', 60)
    shot(page, 'painted')
    page.locator('.jp-CodeCell').last.locator('.jp-InputPrompt').click()
    page.keyboard.press('Control+Enter')
    until(lambda: 'the same masks: True' in page.locator('.jp-CodeCell').last.inner_text(), 30)

def test_fast_strokes_are_all_heard(page):
    "ipywidgets leaves messages out while the kernel is busy"
    at(page, 'tool').get_by_text('brush').click()
    page.wait_for_timeout(500)
    until(lambda: strokes(page))
    n = len(json.loads(strokes(page))['coat'])
    for k in range(10): stroke(page, (.05 + .09*k, .1), (.05 + .09*k, .3))
    until(lambda: len(json.loads(strokes(page) or '{"coat": []}')['coat']) == n + 10)

@pytest.mark.parametrize('name', ['gram', 'contrast'])
def test_an_explorer_follows_its_slider_and_closes_with_its_cell(page, name):
    cell = page.locator('.jp-CodeCell', has_text=f'{name} = explore_')
    picture = cell.locator('.widget-image')
    picture.scroll_into_view_if_needed()
    until(lambda: picture.is_visible())
    src = picture.get_attribute('src')
    cell.locator('.noUi-handle').first.focus()
    page.keyboard.press('ArrowRight')
    until(lambda: picture.get_attribute('src') != src)
    cell.locator('.jp-InputPrompt').click()
    page.keyboard.press('Control+Enter')
    until(lambda: picture.count() == 1 and cell.locator('.noUi-handle').count()
        and cell.locator('.jp-InputPrompt').inner_text() != '[*]:')

def test_an_error_is_seen(page):
    page.locator('.sn-board').last.get_by_text('Strokes as text').click()
    text = at(page, 'strokes').locator('textarea')
    text.fill('{"sea": []}')
    text.blur()
    until(lambda: 'choose one of coat, rest' in at(page, 'said').inner_text())
    shot(page, 'error')

def test_nothing_went_wrong_unseen(page):
    assert not page.bad, page.bad
    page.get_by_role('menuitem', name='View', exact=True).click()
    page.get_by_role('menuitem', name='Show Log Console').click()
    log = page.locator('.jp-LogConsolePanel')
    log.wait_for()
    assert 'Traceback' not in log.inner_text() and page.locator('.jp-Dialog').count() == 0
    lines = (page.home/'server.log').read_text().splitlines()
    assert not [l for l in lines if l.startswith('[E ') or 'Traceback' in l], lines
