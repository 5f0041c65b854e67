"The viewer without a page: what Python says to it, and what it hears"
import base64, subprocess, sys, threading
import pytest
from style_nb.errors import MissingPackage
from style_nb.parts import jpeg
from style_nb.pictures import to_pil
from style_nb.viewer import Viewer

STROKE = dict(region='sky', points=[[.2, .5], [.8, .5]], radius=.1, erase=False, fill=False)

def says(v, content, *buffers): v._handle_custom_msg(content, [memoryview(b) for b in buffers])

def test_a_stroke_counts_once_from_any_thread():
    v, heard, sent = Viewer(), [], []
    v.on_stroke(heard.append)
    v.send = sent.append
    def page(): [says(v, dict(kind='stroke', id=k, stroke=STROKE | dict(region=str(k)))) for k in range(50)]
    threads = [threading.Thread(target=page) for _ in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()
    assert sorted(int(s['region']) for s in heard) == list(range(50))
    assert {s['heard'] for s in sent} == set(range(50)), 'the page is told of each'
    v.on_stroke(heard.append, remove=True)
    says(v, dict(kind='stroke', id='new', stroke=STROKE))
    assert len(heard) == 50

def test_files_come_in_parts_of_several_at_once():
    v, got = Viewer(), []
    assert v.accept == ''
    v.on_files(got.append)
    assert v.accept == 'image/*'
    one = dict(kind='files', id='1', parts=2, files=[dict(name='a', type='', size=2), dict(name='b', type='', size=4)])
    two = dict(kind='files', id='2', parts=1, files=[dict(name='c', type='', size=0)])
    says(v, one | dict(part=0), b'aab')
    says(v, two | dict(part=0), b'')
    says(v, one | dict(part=1), b'bbb')
    told = [[(f['name'], f['content']) for f in files] for files in got]
    assert told == [[('c', b'')], [('a', b'aa'), ('b', b'bbbb')]]
    v.on_files(got.append, remove=True)
    assert v.accept == ''

def test_an_error_of_a_listener_is_no_end():
    v, heard = Viewer(), []
    def fails(stroke): raise ValueError('no')
    v.on_stroke(fails)
    v.on_stroke(heard.append)
    says(v, dict(kind='stroke', id='1', stroke=STROKE))
    says(v, dict(kind='something of a later version'))
    assert len(heard) == 1

@pytest.mark.parametrize('kind', ['jpeg', 'png'])
def test_a_page_without_scripts_has_the_picture(photo, kind):
    image = to_pil(photo)
    file = jpeg(image) if kind == 'jpeg' else image._repr_png_()
    data, about = Viewer(file)._repr_mimebundle_()
    assert base64.b64decode(data[f'image/{kind}']) == file and 'application/vnd.jupyter.widget-view+json' in data
    assert not [k for k in Viewer()._repr_mimebundle_()[0] if k.startswith('image/')]

def test_without_anywidget():
    code = '''
import sys
sys.modules['anywidget'] = None
from style_nb.all import *
from style_nb.viewer import Viewer
try: Viewer()
except ImportError as e: print(type(e).__name__, e)
explore_masks(sample('cat'), size=48)._ipython_display_()'''
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=300)
    assert out.returncode == 0, out.stderr
    assert f'{MissingPackage.__name__} The viewer needs anywidget: pip install anywidget' in out.stdout
    assert 'To draw: pip install anywidget' in out.stdout
