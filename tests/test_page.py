"The page that paints in a browser, as `make page` builds it; test_page_browser opens it"
import os
import sys
from pathlib import Path
import pytest
from page_model import write_stand_in
from style_nb.errors import StyleNBError
sys.path.insert(0, str(Path(__file__).resolve().parent.parent/'tools'))
import page as tool

def no_fetch(folder, engines): (folder/'runtime.txt').touch()

def refused(call, *words):
    with pytest.raises(StyleNBError) as e: call()
    assert '\n' not in str(e.value) and not [w for w in words if w not in str(e.value)], str(e.value)

def test_a_page_is_whole_or_not_there(tmp_path, monkeypatch):
    "What went wrong leaves the page of before, or none; another folder than a page is never touched"
    monkeypatch.setattr(tool, 'write_runtime', no_fetch)
    (tmp_path/'model').mkdir()
    write_stand_in(tmp_path/'model')
    model = tool.copied_model(tmp_path/'model')
    out = tool.build(tmp_path/'page', model)
    assert {o.name for o in out.iterdir()} == {'index.html', 'page.js', 'painter.js', 'scene.js', 'sources.js',
        'styles.js', 'worker.js', 'style.css', 'about.json', 'net.onnx', 'styles.json', 'runtime', 'pictures'}
    before = (out/'net.onnx').stat().st_ino
    refused(lambda: tool.build(out, tool.copied_model(tmp_path)), 'net.onnx')
    assert (out/'net.onnx').stat().st_ino == before
    tool.build(out, model)
    assert (out/'net.onnx').stat().st_ino != before
    (tmp_path/'mine').mkdir()
    (tmp_path/'mine/letter.txt').touch()
    refused(lambda: tool.build(tmp_path/'mine', model), 'mine', 'another folder')
    assert sorted(o.name for o in tmp_path.iterdir()) == ['mine', 'model', 'page']

def fake_npm(folder, script):
    (folder/'npm').write_text(f'#!/bin/sh\n{script}\n')
    (folder/'npm').chmod(0o755)

@pytest.mark.skipif(os.name == 'nt', reason='a shell script stands for npm')
def test_npm_that_is_missing_offline_or_false(tmp_path, monkeypatch):
    "One line each, that says what to do"
    monkeypatch.setenv('PATH', str(tmp_path))
    fetch = lambda: tool.packed(tmp_path)
    refused(fetch, 'npm is needed', 'apt-get install npm')
    fake_npm(tmp_path, 'echo "npm error code ENOTFOUND" >&2; echo "npm error network request failed" >&2; exit 1')
    refused(fetch, 'network request failed', 'Is the network there?')
    fake_npm(tmp_path, f'echo other > onnxruntime-web-{tool.VERSION}.tgz')
    refused(fetch, 'is not the one', 'sha512')
