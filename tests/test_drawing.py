"Masks drawn with a mouse: in plain Python by the text the page writes, and in a real JupyterLab with the mouse itself"
import json
from datetime import datetime
from io import BytesIO
import numpy as np, pytest, torch
from PIL import Image
from style_nb.explorers import DrawnMasks, explore_masks
from style_nb.masks import masks_from_strokes

LINE = [[.2, .5], [.8, .5]]

def board(photo, regions=('sky', 'land'), **kw):
    b = explore_masks(photo, regions, size=64, **kw)
    b.widget
    return b

def test_strokes_come_as_text(photo):
    b = board(photo)
    before = b.view.picture
    b.text.value = json.dumps({'sky': [dict(points=LINE, radius=.1)]})
    assert (b.error is None and b.view.picture != before and 'sky' in b.shares.value
        and 'land 7' in b.shares.value.replace('land 8', 'land 7') and '(the rest)' in b.shares.value)
    assert torch.equal(b.masks['sky'], masks_from_strokes({'sky': [dict(points=LINE, radius=.1)], 'land': []},
        b.hw)['sky'])
    names = {}
    exec(b.code.value, names)
    assert all(torch.equal(names['masks'][n], m) for n, m in b.masks.items())

def page_says(b, *strokes):
    for i, n in strokes:
        stroke = dict(region=n, points=LINE, radius=.1, erase=False, fill=False)
        b.view._handle_custom_msg(dict(kind='stroke', id=i, stroke=stroke), [])

def test_strokes_of_the_page_count_once(photo):
    b = board(photo)
    page_says(b, (1, 'sky'))
    assert len(b.strokes['sky']) == 1 and json.loads(b.text.value) == {'sky': [dict(points=LINE, radius=.1)]}
    page_says(b, (1, 'sky'), (2, 'land'), (3, 'sky'))
    assert [len(s) for s in b.strokes.values()] == [2, 1]
    b.buttons['Undo'].click()
    page_says(b, (3, 'sky'), (2, 'land'))
    assert ([len(s) for s in b.strokes.values()] == [1,
        1]), 'what was undone does not come back when the page says it again'
    page_says(b, (4, 'sea'))
    assert b.error is None and [len(s) for s in b.strokes.values()] == [1, 1]

def test_undo_clear_and_the_text_agree(photo):
    b = board(photo)
    one, two = (json.dumps({'sky': [LINE]*n}) for n in (1, 2))
    b.text.value = one
    b.text.value = two
    b.buttons['Undo'].click()
    assert len(b.strokes['sky']) == 1 == len(json.loads(b.text.value)['sky'])
    b.buttons['Clear'].click()
    assert (b.strokes['sky'] == [] and json.loads(b.text.value) == {}
        and torch.equal(b.masks['sky'], torch.ones(1, 1, 64, 64)))
    for _ in range(5): b.buttons['Undo'].click()
    assert b.strokes == {'sky': [], 'land': []} and b.error is None

@pytest.mark.parametrize('text,says', [('{', 'not JSON'), ('[]', 'give {region: strokes}'), ('{"sea": []}',
    'choose one of sky, land'), ('{"sky": [{"points": [[9, 99]]}]}', 'Stroke 1'),
    ('{"sky": [{"pionts": []}]}', 'points')])
def test_an_error_is_said_and_nothing_is_lost(photo, text, says):
    b = board(photo, strokes={'sky': [LINE]})
    b.text.value = text
    assert (says in b.message.value.replace('&#x27;', "'") and '#b00020' in b.message.value
        and len(b.strokes['sky']) == 1)
    b.buttons['Undo'].click()
    assert b.error is None and 'b00020' not in b.message.value and json.loads(b.text.value) == {}

def upload(im, name='mask.png'):
    if isinstance(im, bytes):
        return (dict(name=name, type='image/png', size=len(im), content=im, last_modified=datetime.now()),)
    buf = BytesIO()
    im.save(buf, 'PNG')
    return upload(buf.getvalue(), name)

def test_a_mask_file(photo):
    b = board(photo)
    left = np.zeros((64, 64), np.uint8)
    left[:, :32] = 255
    b.upload.value = upload(Image.fromarray(left))
    assert (b.error is None and abs(float(b.masks['sky'].mean()) - .5) < .02
        and abs(float(b.masks['land'].mean()) - .5) < .02)
    b.text.value = json.dumps({'sky': [dict(points=[[.25, .5]], radius=.2, erase=True)]})
    assert b.masks['sky'][0, 0, 32, 16] == 0
    for bad, says in ((b'no picture', 'mask.png'), (Image.new('L', (64, 20), 255), 'same aspect')):
        b.upload.value = upload(bad)
        assert says in b.message.value
    b.buttons['Undo'].click()
    b.buttons['Undo'].click()
    assert b.files == {}

def test_painting_with_what_was_drawn(photo, painting, painting2):
    b = board(photo, {'a': painting, 'b': painting2}, steps=2, levels=1, style_weights='relu1_1',
        content_weights='relu1_1', strokes={'a': [dict(points=[(0, 0), (0, 1)], radius=.5)]})
    assert [n for n in b.buttons] == ['Undo', 'Clear', 'Paint']
    b.buttons['Paint'].click()
    assert (b.error is None and b.result.image.size == (64, 64)
        and [m['name'] for m in b.result.recipe.masks] == ['a', 'b'] and b.painted.picture)
    b.text.value = json.dumps({'a': [dict(points=[(0, 0), (1, 1)], radius=1)]})
    b.buttons['Paint'].click()
    assert 'black everywhere' in b.message.value

def test_what_the_page_draws_with(photo):
    b = board(photo)
    b.tool.value, b.radius.value, b.region.value = 'eraser', .1, 'land'
    assert b.view.brush == dict(region='land', tint=b.tint('land'), radius=.1, erase=True, fill=False)
    b.tool.value = 'outline'
    assert (b.view.brush['radius'], b.view.brush['fill']) == (0, True)

def test_nothing_drawn_is_said(photo, painting, painting2):
    b = board(photo, {'a': painting, 'b': painting2}, steps=2, levels=1)
    assert b.view.note.startswith('Nothing is drawn yet')
    b.buttons['Paint'].click()
    assert 'Nothing is drawn yet' in b.message.value and b.result is None
    page_says(b, (1, 'a'))
    assert b.view.note == '' and b.error is None

def test_bad_boards(refused, photo):
    refused(lambda: DrawnMasks(photo, []), 'at least one name')
    refused(lambda: DrawnMasks(photo, ['a', 'a']), 'each once')
    refused(lambda: DrawnMasks(photo, 'sky', {'see': []}), 'region', 'sky')
    refused(lambda: DrawnMasks(photo, 'sky').paint(), 'no styles', 'masks=')
