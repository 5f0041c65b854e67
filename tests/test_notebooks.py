"The notebooks are clean, and the package and README.md are what they say; and the checks that say so can fail."
import base64, importlib.util, io, json, shutil, subprocess, sys
from pathlib import Path
import numpy as np, pytest
from PIL import Image

root = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location('notebooks', root/'tools/notebooks.py')
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

def none(problems):
    if problems: pytest.fail('\n'.join(problems), pytrace=False)

def test_notebooks_are_clean(): none(tool.check(tool.notebooks()))
def test_package_is_what_the_notebooks_export(): none(tool.sync())
def test_readme_is_what_the_index_says(): none(tool.check_readme())

# ---- the checks themselves

def picture(width=64, kind='JPEG', mode='RGB'):
    f = io.BytesIO()
    Image.new(mode, (width, 32)).save(f, kind)
    return base64.b64encode(f.getvalue()).decode()

def shown(**data):
    return dict(output_type='display_data', metadata={}, data={k.replace('_', '/'): v for k, v in data.items()})
def printed(s, name='stdout'): return dict(output_type='stream', name=name, text=s)
def md(s, id='m'): return dict(cell_type='markdown', id=id, metadata={}, source=s.splitlines(True))
def code(s, *outs, id='c', count=None):
    return dict(cell_type='code', id=id, metadata={}, source=s.splitlines(True), outputs=list(outs),
        execution_count=count)
def nb(*cells): return dict(cells=list(cells), metadata={}, nbformat=4, nbformat_minor=5)
def save(path, book):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(book), encoding='utf-8')
    return path

def test_a_clean_notebook_passes(tmp_path):
    book = nb(md('# Title'), code('plot()', shown(image_jpeg=picture(480)), printed('see /usr/share or a/tmp/b\n')))
    assert tool.problems(save(tmp_path/'a.ipynb', book)) == []

def test_moving_pictures_may_be_larger(tmp_path):
    book = nb(code('1', shown(text_html=f'<img src="data:image/webp;base64,{"A"*2*tool.max_bytes}+/tmp/x">')))
    assert tool.problems(save(tmp_path/'a.ipynb', book)) == []

def test_moving_pictures_stay_and_their_words_are_scrubbed(tmp_path):
    film = 'data:image/webp;base64,' + 'A'*400_000  # letter by letter, it would take minutes
    said = shown(text_html=f'{Path.home()}/a <img src="{film}"> {root}/b {film}')
    path = save(tmp_path/'a.ipynb', nb(code('1', said)))
    assert not tool.main(['clean', str(path)])
    kept, = tool.outputs(tool.load(path))
    assert tool.text(kept['data']['text/html']) == f'~/a <img src="{film}"> b {film}'

places = '/tmp/', '/work/', '/root/', '/home/me/', '/Users/me/', 'C:\\Users\\me\\'
def film(size): return shown(text_html='<img src="data:image/webp;base64,' + 'A'*size + '">')
no_id = md('no id')
del no_id['id']
error = dict(output_type='error', ename='ValueError', evalue='', traceback=[])
widget = dict(output_type='display_data', metadata={}, data={tool.widget_view: {'model_id': '1'},
    'text/plain': ['interactive()']})
dirty = [(nb(code('1', count=3)), 'execution count'), (nb(code('1', error)), 'an error: ValueError'),
    *[(nb(code('1', printed(f'read {o}x.png\n'))), 'path of one machine') for o in places],
    (nb(code("open('/home/me/x.png')")), 'path of one machine'),
    (nb(md('x'*tool.max_bytes)), 'KB'), (nb(md('x'*tool.max_bytes), code('1', film(9))), 'KB'),
    (nb(code('1', film(tool.max_moving))), 'moving pictures'),
    (nb(code('1', shown(image_png=picture(64, 'PNG')))), 'image/png'),
    (nb(code('1', shown(**{'image_svg+xml': '<svg/>'}))), 'image/svg+xml'),
    (nb(code('1', shown(image_jpeg=picture(481)))), '481 px wide'),
    (nb(no_id), 'without an id'), (nb(md('a'), md('b')), 'same id'),
    (nb(code('1', widget)), 'a widget'),
    (dict(nb(), metadata={'language_info': {}}), 'nbdev-clean'),
    (nb(code('1', printed('<A at 0x7f00>\n'))), 'nbdev-clean')]

def test_a_lesson_may_have_wide_figures_up_to_its_own_bounds(tmp_path):
    "Those of `wide_lessons` only; `store` keeps such a figure as wide as it may be, elsewhere 480 px."
    name = f'{sorted(tool.wide_lessons)[0]}.ipynb'
    def said(width, name): return tool.problems(save(tmp_path/name, nb(code('1', shown(image_jpeg=picture(width))))))
    assert said(1000, name) == []
    assert '1001 px wide, 1000' in said(1001, name)[0] and '1000 px wide, 480' in said(1000, 'a.ipynb')[0]
    assert 'KB, 1500' in tool.problems(save(tmp_path/name, nb(md('x'*tool.wide_bytes))))[0]
    for file, width in [(name, 1000), ('a.ipynb', 480)]:
        tool.store(nb(code('1', shown(image_png=picture(1200, 'PNG')))), path := tmp_path/file)
        assert tool.decode(tool.outputs(tool.load(path))[0]['data']['image/jpeg']).width == width

@pytest.mark.parametrize('book,reason', dirty, ids=[f'{i}-{o[1]}' for i, o in enumerate(dirty)])
def test_a_dirty_notebook_is_refused(tmp_path, capsys, book, reason):
    path = save(tmp_path/'a.ipynb', book)
    found = tool.problems(path)
    assert len(found) == 1 and reason in found[0]
    assert tool.main(['check', str(path)]) and reason in capsys.readouterr().err

def test_not_json(tmp_path):
    (tmp_path/'a.ipynb').write_text('hello')
    assert 'not JSON' in tool.problems(tmp_path/'a.ipynb')[0]

def test_a_missing_notebook_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match='no such notebook'): tool.main(['check', str(tmp_path/'none.ipynb')])

def test_clean_scrubs_and_keeps_the_rest(tmp_path):
    noise = [printed('\r 50%|##   | 1/2 [00:01<00:01, 1.00it/s]', 'stderr'),
        printed('\r100%|####| 2/2 [00:02<00:00, 1.00it/s]\n', 'stderr')]
    both = shown(image_png=picture(960, 'PNG', 'RGBA'), image_jpeg=picture(960), text_plain='<A at 0x7f00>')
    book = nb(code('1', *noise, printed('mind\n', 'stderr'), printed('step 1\rst'),
        printed('ep 2\n\x1b[31mred\x1b[0m\n'),
        widget, shown(text_html='<progress value=1></progress>'), both,
        printed(f'{root}/nbs/x.png {Path.home()}/y.png\n'), count=7))
    path = save(tmp_path/'a.ipynb', book)
    assert not tool.main(['clean', str(path)])
    cell, = tool.load(path)['cells']
    outs = cell['outputs']
    assert cell['id'] == 'c' and cell['execution_count'] is None
    said = [''.join(o.get('text') or o['data']['text/plain']) for o in outs]
    assert said == ['mind\n', 'step 2\nred\n', '<A>', 'nbs/x.png ~/y.png\n']
    im = tool.decode(outs[2]['data']['image/jpeg'])
    assert set(outs[2]['data']) == {'image/jpeg', 'text/plain'} and im.size == (480, 16) and np.asarray(im).min() > 250
    before = path.read_bytes()
    assert not tool.main(['clean', str(path)]) and path.read_bytes() == before

def test_run_stores_or_refuses(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('IN_TEST', '1')
    kept = code('#| eval: false\n1/0', printed('kept\n'), id='k')
    kept['metadata']['tags'] = ['exercise']
    good = nb(code("import os\nprint('IN_TEST' in os.environ)"), kept,
        code("from PIL import Image\nImage.new('RGB', (600, 300))", id='d'),
        code('import ipywidgets as w\nw.interact(lambda x: print(x), x=(0, 3)); print("beside")', id='w'))
    path = save(tmp_path/'good.ipynb', good)
    bad = save(tmp_path/'bad.ipynb', nb(dict(code('1/0'), metadata={'tags': ['raises-exception']})))
    before = bad.read_bytes()
    assert tool.run([path, bad], timeout=60) == 1
    a, k, b, w = tool.load(path)['cells']
    assert [o['text'] for o in w['outputs']] == [['beside\n']]
    assert k['outputs'][0]['text'] == ['kept\n'] and k['metadata'] == {'tags': ['exercise']}
    assert a['outputs'][0]['text'] == ['False\n'] and (a['id'], b['id']) == ('c', 'd')
    assert tool.decode(b['outputs'][0]['data']['image/jpeg']).size == (480, 240)
    io = capsys.readouterr()
    assert bad.read_bytes() == before and 'ZeroDivisionError' in io.err and 'KB' in io.out

index = nb(md('# Top\n\n[lesson](lessons/00_first.ipynb), ![a](images/first.jpg "A"), <img src="images/x.png">,\n'
        '[web](https://a.org), [here](#top), [licence](../LICENSE) and `f[0](x)`.\n\n```\n[x](y)\n```'),
    code('#| hide\nsecret = 1', id='h'), code('#| echo: false\nplot()', id='e'),
    code('#| eval: false\nprint(2)', printed('2\n'), printed('warn\n', 'stderr'),
        shown(image_jpeg='AAAA', text_plain='<PIL>'), id='p'))

def test_readme_text():
    want = '''# Top

[lesson](nbs/lessons/00_first.ipynb), ![a](nbs/images/first.jpg "A"), <img src="nbs/images/x.png">,
[web](https://a.org), [here](#top), [licence](LICENSE) and `f[0](x)`.

```
[x](y)
```

```python
print(2)
```

```
2
```
'''
    assert tool.readme(index).partition('\n\n')[2] == want

def test_readme_check_can_fail(tmp_path):
    assert 'missing' in tool.check_readme(tmp_path)[0]
    save(tmp_path/'nbs/index.ipynb', index)
    for o in ('LICENSE', 'nbs/images/first.jpg', 'nbs/images/x.png', 'nbs/lessons/00_first.ipynb'):
        (tmp_path/o).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path/o).write_text('')
    assert tool.check_readme(tmp_path) == ['README.md differs from nbs/index.ipynb: run tools/notebooks.py readme']
    (tmp_path/'README.md').write_text(tool.readme(index), encoding='utf-8')
    assert tool.check_readme(tmp_path) == []
    (tmp_path/'LICENSE').unlink()
    assert tool.check_readme(tmp_path) == ['README.md links to LICENSE, which does not exist']

@pytest.fixture
def project(tmp_path):
    "A tiny project in step with its one notebook"
    shutil.copy(root/'pyproject.toml', tmp_path)
    (tmp_path/'style_nb').mkdir()
    (tmp_path/'style_nb/__init__.py').write_text('__version__ = "0.1.0"\n')
    save(tmp_path/'nbs/00_a.ipynb', nb(code('#| default_exp a'), md('# A\n\n> A module'),
        code('#| export\ndef f(): return 1', id='d')))
    assert {o.split(' ')[0] for o in tool.sync(tmp_path)} == {'style_nb/a.py', 'style_nb/_modidx.py'}
    export(tmp_path)
    assert tool.sync(tmp_path) == []
    return tmp_path

def export(top):
    subprocess.run([sys.executable, '-c', 'from nbdev.doclinks import nbdev_export; nbdev_export()'], cwd=top,
        check=True)

def test_sync_can_fail(project, monkeypatch):
    monkeypatch.setenv('IN_TEST', '1')
    def state(): return {o: o.read_bytes() for o in project.rglob('*') if o.is_file()}
    module = project/'style_nb/a.py'
    module.write_text(module.read_text() + '\ng = 2\n')
    before = state()
    assert tool.sync(project) == ['style_nb/a.py differs from its notebook: run nbdev-export']
    assert state() == before
    (project/'nbs/00_a.ipynb').unlink()
    assert 'style_nb/a.py has no notebook any more: remove it' in tool.sync(project)

def test_export_leaves_pyproject_alone(project):
    assert (project/'pyproject.toml').read_bytes() == (root/'pyproject.toml').read_bytes()
