"A film in the notebook: both videos in the page, of bounded size, names that are no HTML, knobs that follow"
import base64, re
import numpy as np
import pytest
from test_browser import CHROMIUM, chromium
import style_nb.screening as screening
from style_nb.clips import Clip, write_clip
from style_nb.screening import Screening

WILD = '<script>alert(1)<!--&"\'.mp4'.replace('/', '')

def frames(n, seed=0, side=64):
    noise = np.random.default_rng(seed).integers(0, 256, (n, side*3//4, side, 3))
    return [frame.astype(np.uint8) for frame in noise]

@pytest.fixture
def film(tmp_path): return write_clip(frames(10, 1), tmp_path/WILD, 10)

@pytest.fixture
def clip(tmp_path): return Clip(write_clip(frames(20), tmp_path/'before.mp4', 10), 5, 15)

def videos(page): return [base64.b64decode(text) for text in re.findall(r'data:video/mp4;base64,([^"]*)"', page)]

def test_both_are_in_the_page_frame_for_frame(film, clip, tmp_path):
    page = Screening(film, clip)._repr_html_()
    for video, source in zip(videos(page), (clip, Clip(film)), strict=True):
        (tmp_path/'shown.mp4').write_bytes(video)
        shown = Clip(tmp_path/'shown.mp4')
        assert (shown.count, shown.fps, shown.size) == (10, 10, (64, 48))
        for found, want in zip(shown, source): assert np.corrcoef(found.ravel(), want.ravel())[0, 1] > .7

def test_names_are_no_html(film, clip):
    page = Screening(film, clip)._repr_html_()
    assert 'alert(1)&lt;!--&amp;&quot;&#x27;.mp4' in page and page.count('<script>') == 1 and '<!--' not in page
    assert page.count('aria-label="') == 4 and str(film.parent) not in page

@pytest.mark.parametrize('most', [20_000, 60_000])
def test_a_page_is_bounded(tmp_path, monkeypatch, most):
    "Noise is the worst that can be coded"
    monkeypatch.setattr(screening, 'MOST_BYTES', most)
    monkeypatch.chdir(tmp_path)
    path = write_clip(frames(30, side=256), tmp_path/'a film.mp4', 10)
    page = Screening(path, path)._repr_html_()
    assert sum(map(len, videos(page))) <= most and len(page) < 10_000 + 4*most/3
    if not videos(page): assert '<a href="a%20film.mp4">a film.mp4</a> is too large' in page

def test_what_is_gone_is_said(film, clip):
    shown, alone = Screening(film, clip), Screening(film, clip)
    clip.path.unlink()
    assert len(videos(alone._repr_html_())) == 1
    film.unlink()
    assert 'There is no clip' in shown._repr_html_() and '<video' not in shown._repr_html_()

@pytest.mark.skipif(CHROMIUM is None, reason='apt-get install chromium')
def test_knobs_in_a_browser(film, clip, tmp_path):
    "Reached by Tab, moved by arrows; both videos stand at the same time"
    (tmp_path/'page.html').write_text('<!doctype html><meta charset=utf-8>' + Screening(film, clip)._repr_html_())
    with chromium(900, 600) as page:
        page.goto((tmp_path/'page.html').as_uri())
        page.wait_for_function("[...document.querySelectorAll('video')].every(v => v.readyState > 1)")
        def times(): return page.evaluate("[...document.querySelectorAll('video')].map(v => v.currentTime)")
        boxes = [page.locator('video').nth(n).bounding_box() for n in (0, 1)]
        assert boxes[0] == boxes[1] and boxes[0]['width'] == 640
        for _ in range(10): page.keyboard.press('ArrowRight') if _ else page.keyboard.press('Tab')
        assert page.evaluate("document.querySelector('figure').style.getPropertyValue('--at')") == '59%'
        page.keyboard.press('Tab')
        page.keyboard.press('Space')
        page.wait_for_function("document.querySelector('video').currentTime > .2")
        page.keyboard.press('Space')
        first, second = times()
        assert abs(first - second) < .1
        page.get_by_role('slider', name='Time').focus()
        page.keyboard.press('Home')
        page.wait_for_function("[...document.querySelectorAll('video')].every(v => v.currentTime === 0)")
        page.get_by_role('button', name='Side by side').click()
        boxes = [page.locator('video').nth(n).bounding_box() for n in (0, 1)]
        assert boxes[0]['x'] + boxes[0]['width'] <= boxes[1]['x']
