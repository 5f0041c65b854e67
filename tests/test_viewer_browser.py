"The viewer in a real JupyterLab: handle, zoom, pan, brush and files, by mouse, keyboard and touch, light and dark"
import re
import pytest
import axe
from test_browser import CHROMIUM, SHOTS, chromium, open_notebook, server, until, write

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason='apt-get install chromium')]

MAKE = '''import io, threading
from PIL import Image
from style_nb.gallery import sample
from style_nb.pictures import load_picture, to_pil
from style_nb.viewer import Viewer

def jpeg(name, size):
    file = io.BytesIO()
    named = isinstance(name, str)
    picture = to_pil(load_picture(sample(name), size)) if named else Image.new('RGB', (size, size), name)
    picture.save(file, 'JPEG')
    return file.getvalue()

heard, files = [], []
v = Viewer(jpeg('astronaut', 800), jpeg((200, 30, 30), 800), names=('red', 'astronaut'), alt='an astronaut')
v.on_stroke(heard.append)
e = Viewer(alt='yours')
e.on_files(files.extend)
v'''
TELL = '''print('now', v.split, v.zoom, [(s['region'], len(s['points']), s['erase']) for s in heard])'''
TOLD = '''print('files', [(f['name'], f['type'], len(f['content']), sum(f['content'][:1000])) for f in files])'''
DRAW = '''v.brush = dict(region='sky', tint='#2f6fbf', radius=.04)'''
BUSY = '''v.brush, v.busy, v.note = None, True, 'about 3 s\''''
NEXT = '''v.busy, v.note, v.picture = False, '', jpeg((20, 160, 60), 400)'''
DESKS = '''from style_nb.desks import ReversionDesk, TilingDesk
from style_nb.explorers import explore_contrast, explore_masks
made = [TilingDesk(sample('cat'), size=64), explore_contrast(sample('cat'), 64), explore_masks(sample('cat'), ['sky'])]
for one in made: display(one)
ReversionDesk(sample('swirls'), {name: sample(name) for name in ('cat', 'coffee')}, size=64)'''
CELLS = [MAKE, 'e', TELL, TOLD, DRAW, BUSY, NEXT]

@pytest.fixture(scope='module')
def page(tmp_path_factory):
    d = tmp_path_factory.mktemp('lab')
    (d/'nb').mkdir()
    (d/'home').mkdir()
    write(d/'nb/viewer.ipynb', [*CELLS[:2], DESKS, *CELLS[2:4]])
    with server('lab', d/'nb', d/'home') as (base, token), chromium(1280, 900) as page:
        page.home, page.base, page.token = d/'home', base, token
        open_notebook(page, base, token, 'viewer.ipynb')
        page.locator('.jp-OutputArea-output', has_text='files []').wait_for(timeout=200_000)
        page.keyboard.press('Control+B')
        page.wait_for_timeout(800)
        yield page

def part(page, name, of=0): return page.locator('.sn-viewer').nth(of).locator(f'.sn-viewer-{name}')

def run(page, text):
    "Run a cell anew."
    cell = page.locator('.jp-CodeCell', has_text=text).last
    cell.locator('.jp-InputPrompt').click()
    page.keyboard.press('Control+Enter')
    page.wait_for_timeout(150)
    until(lambda: re.fullmatch(r'\[\d+\]:', cell.locator('.jp-InputPrompt').inner_text()))
    return cell.locator('.jp-OutputArea-output').inner_text()

def shown(page, image='picture'):
    "Where the picture is seen, px of the stage: left, right."
    return part(page, image).evaluate('''el => {
        const stage = el.closest('.sn-viewer-stage').getBoundingClientRect(), box = el.getBoundingClientRect();
        return [box.left - stage.left, box.top - stage.top, box.width, box.height] }''')

def seen(locator):
    "The middle of something, brought into view."
    locator.evaluate('el => el.scrollIntoView({block: "center"})')
    locator.page.wait_for_timeout(200)
    box = locator.bounding_box()
    return box['x'] + box['width']/2, box['y'] + box['height']/2

def drag(page, start, *ends):
    page.mouse.move(*start)
    page.mouse.down()
    for end in ends: page.mouse.move(*end, steps=6)
    page.mouse.up()

def test_two_pictures_lie_on_each_other(page):
    until(lambda: part(page, 'picture').count() and part(page, 'handle').is_visible())
    stage = part(page, 'stage').bounding_box()
    assert stage['height'] <= 461 and shown(page) == shown(page, 'other')
    assert abs(shown(page)[3] - stage['height']) < 1 and part(page, 'picture').get_attribute('alt') == 'an astronaut'
    assert part(page, 'left').inner_text() == 'red' and part(page, 'right').inner_text() == 'astronaut'

def test_the_handle_follows_mouse_and_keys(page):
    handle = part(page, 'handle')
    x, y = seen(handle)
    src = part(page, 'picture').get_attribute('src')
    drag(page, (x, y), (x - .25*shown(page)[2], y + 30))
    assert handle.get_attribute('aria-valuenow') == '25' and 'inset(0' in part(page, 'picture').get_attribute('style')
    assert handle.get_attribute('aria-valuetext') == '25% red, 75% astronaut'
    for key, now in (('ArrowRight', '27'), ('PageUp', '37'), ('End', '100'), ('Home', '0'), ('ArrowUp', '2')):
        page.keyboard.press(key)
        assert handle.get_attribute('aria-valuenow') == now
    assert handle.evaluate('el => el === document.activeElement')
    assert part(page, 'picture').get_attribute('src') == src, 'Python makes no other picture'
    page.wait_for_timeout(300)
    assert 'now 0.02' in run(page, 'now')

def test_zoom_and_pan(page):
    stage = part(page, 'stage')
    x, y = seen(stage)
    fit = shown(page)
    page.mouse.dblclick(x - 40, y)
    assert shown(page)[2] == 800, 'a pixel for a pixel'
    page.wait_for_timeout(300)
    assert re.search(r'now 0.02 1(\.0)? ', run(page, 'now'))
    x, y = seen(stage)
    before = shown(page)
    drag(page, (x, y), (x, y - 50))
    after = shown(page)
    assert after[1] == before[1] - 50 and shown(page, 'other') == after
    drag(page, (x, y), (x, y - 900))
    assert shown(page)[1] == stage.bounding_box()['height'] - 800, 'no further than its border'
    page.mouse.move(x, y)
    page.keyboard.down('Control')
    page.mouse.wheel(0, -300)
    page.keyboard.up('Control')
    assert shown(page)[2] > 1000
    part(page, 'button').get_by_text('Fit').click()
    assert shown(page) == fit and part(page, 'button').get_by_text('Fit').get_attribute('aria-pressed') == 'true'
    stage.focus()
    for key in ('1', 'ArrowDown', '0'): page.keyboard.press(key)
    assert shown(page) == fit
    top = page.locator('.jp-WindowedPanel-outer').first.evaluate('el => el.scrollTop')
    page.mouse.wheel(0, 100)
    until(lambda: page.locator('.jp-WindowedPanel-outer').first.evaluate('el => el.scrollTop') > top)

DROP = '''(el, [name, type, size]) => {
    const files = new DataTransfer();
    files.items.add(new File([new Uint8Array(size).fill(7)], name, {type}));
    for (const kind of ['dragover', 'drop'])
        el.dispatchEvent(new DragEvent(kind, {dataTransfer: files, bubbles: true, cancelable: true})) }'''
PASTE = '''el => {
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File(['abc'], 'image.png', {type: 'image/png'}));
    el.dispatchEvent(new ClipboardEvent('paste', {clipboardData, bubbles: true, cancelable: true})) }'''

def test_files_dropped_and_pasted(page):
    stage = part(page, 'stage', 1)
    stage.scroll_into_view_if_needed()
    assert 'Drop a photo' in part(page, 'drop', 1).inner_text()
    stage.evaluate(DROP, ['mine.jpg', 'image/jpeg', 9_500_000])
    until(lambda: "('mine.jpg', 'image/jpeg', 9500000, 7000)" in run(page, 'files'))
    stage.evaluate(PASTE)
    until(lambda: "('image.png', 'image/png', 3, 294)" in run(page, 'files'))
    stage.evaluate(DROP, ['scan.tif', 'image/tiff', 65_000_000])
    assert part(page, 'said', 1).inner_text() == 'scan.tif has 65 MB: give at most 64 MB.'
    with page.expect_file_chooser(): part(page, 'drop', 1).click()
    part(page, 'stage').evaluate(DROP, ['mine.jpg', 'image/jpeg', 100])
    assert 'scan' not in run(page, 'files'), 'nobody listens to the first one'

def test_a_file_dropped_onto_a_desk_is_no_error(page):
    page.locator('.sn-desk').first.evaluate(DROP, ['mine.jpg', 'image/jpeg', 100])
    page.wait_for_timeout(100)
    assert not page.bad, page.bad

def use(page, code):
    "Run other code in the last cell."
    cell = page.locator('.jp-CodeCell').last
    cell.locator('.cm-content').click()
    page.keyboard.press('Control+A')
    page.keyboard.insert_text(code)
    page.keyboard.press('Control+Enter')
    page.keyboard.press('Escape')
    page.wait_for_timeout(300)

def test_strokes_are_heard_once_each(page):
    use(page, DRAW)
    until(lambda: not part(page, 'handle').is_visible())
    x, y = seen(part(page, 'stage'))
    for k in range(10): drag(page, (x - 150 + 30*k, y), (x - 150 + 30*k, y + 80))
    use(page, TELL)
    told = page.locator('.jp-CodeCell').last.locator('.jp-OutputArea-output')
    until(lambda: told.count() and told.inner_text().count("'sky'") == 10)

def test_busy_and_the_next_picture(page):
    use(page, BUSY)
    part(page, 'stage').scroll_into_view_if_needed()
    until(lambda: part(page, 'said').inner_text() == 'about 3 s' and part(page, 'handle').is_visible())
    assert part(page, 'stage').get_attribute('aria-busy') == 'true'
    before = shown(page, 'other')
    use(page, NEXT)
    until(lambda: part(page, 'picture').evaluate('el => el.naturalWidth') == 400)
    assert shown(page) == shown(page, 'other') == before and part(page, 'picture').count() == 1

def shoot(page, name):
    if not SHOTS: return
    part(page, 'stage').evaluate('el => el.scrollIntoView({block: "center"})')
    page.wait_for_timeout(500)
    page.screenshot(path=f'{SHOTS}/viewer_{name}.png')

@pytest.mark.parametrize('width', [1280, 390])
@pytest.mark.parametrize('theme', ['Light', 'Dark'])
def test_light_dark_narrow(page, theme, width):
    page.set_viewport_size(dict(width=1280, height=900))
    page.get_by_role('menuitem', name='Settings', exact=True).click()
    page.locator('.lm-Menu-itemLabel').get_by_text('Theme', exact=True).click()
    page.locator('.lm-Menu-itemLabel').get_by_text(f'JupyterLab {theme}', exact=True).click()
    until(lambda: page.evaluate('document.body.dataset.jpThemeLight') == str(theme == 'Light').lower())
    page.set_viewport_size(dict(width=width, height=900))
    page.wait_for_timeout(700)
    stage = part(page, 'stage').bounding_box()
    assert stage['width'] <= width and shown(page)[2] <= stage['width'] + 1
    for part_of in ('.sn-viewer', '.sn-desk', '.sn-board', '.sn-page:not(.sn-desk, .sn-board)'):
        assert page.locator(part_of).count() and not (found := axe.violations(page, part_of)), (part_of, found)
    shoot(page, f'{theme}_{width}')
    part(page, 'stage', 1).scroll_into_view_if_needed()
    if SHOTS: page.screenshot(path=f'{SHOTS}/viewer_{theme}_{width}_drop.png')

def test_nothing_went_wrong_unseen(page):
    assert not page.bad, page.bad
    lines = (page.home/'server.log').read_text().splitlines()
    assert not [l for l in lines if l.startswith('[E ') or 'Traceback' in l], lines
