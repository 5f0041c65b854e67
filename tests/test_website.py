"The site: its pages from stored outputs, every public name with its parameters, and no link that leads nowhere."
import inspect
import json
import sys
from pathlib import Path
import pytest
import yaml
from fastcore.docments import docments
import style_nb.all as everything

root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root/'tools'))
import course
import names
import website


@pytest.fixture(scope='module')
def modules(): return names.modules()


@pytest.fixture(scope='module')
def site(): return website.every()


def test_no_link_of_the_site_is_dead(site):
    assert list(website.dead(site)) == []
    for o in ('index.html', 'gallery.html', 'guide.html', 'lessons/glossary.html', 'style.css'): assert o in site


def test_dead_links_are_found():
    site = {'a/b.html': '<a href="../c.html#here">c</a><img src="d.jpg"><a href="https://e.org/x">e</a>',
        'c.html': '<h2 id="there">'}
    assert list(website.dead(site)) == ['a/b.html links to ../c.html#here: there is no such place',
        'a/b.html links to d.jpg: there is no such file']
    assert list(website.dead(site | {'c.html': '<p id="here">'}, there=['a/d.jpg'])) == []


def test_every_lesson_and_module_has_a_page(site, modules):
    for lesson in course.lessons():
        for path in (lesson, course.solutions(lesson)): assert f'lessons/{path.stem}.html' in site
    packaged = {p.stem for p in (root/'style_nb').glob('*.py')} - {'__init__', '_modidx', 'all'}
    assert packaged <= set(modules) and all(f'api/{o}.html' in site for o in modules)


def test_every_public_name_has_its_place(site):
    "Of the star import, each on the page of its module, and in the search"
    places = names.public(names.modules())
    listed = {o['title']: o['url'] for o in json.loads(site['search.json']) if o['url'].startswith('api/')}
    for name in everything.__all__:
        page = f'api/{places[name]}.html'
        assert name in website.Links(site[page]).places and listed[name] == f'{page}#{name}'


def test_every_word_of_the_glossary_is_found(site):
    listed = {o['title']: o for o in json.loads(site['search.json']) if 'glossary.html#' in o['url']}
    assert set(listed) == set(course.entries()) and len(listed) > 60
    places = website.Links(site['lessons/glossary.html']).places
    assert all(o['url'].partition('#')[2] in places and o['text'] for o in listed.values())


@pytest.mark.parametrize('name', [n for n in everything.__all__ if inspect.isfunction(getattr(everything, n))])
def test_parameters_are_those_that_help_tells(modules, name):
    "Read from the source they are what docments finds in the running function"
    function = getattr(everything, name)
    found = next(o for o in modules[function.__module__.partition('.')[2]].names if o.name == name)
    told = {k: ' '.join((v or '').split()) for k, v in docments(function, returns=False).items()}
    plain = {o.name: o.text for o in found.parameters if o.name != 'returns' and not o.name.startswith('*')}
    assert plain and plain == {k: told[k] for k in plain}  # docments adds what stands behind `**settings`
    own = inspect.signature(function).parameters.values()
    assert set(plain) >= {o.name for o in own if o.name in plain or o.kind == o.POSITIONAL_OR_KEYWORD}


def test_a_function_is_read(tmp_path):
    (tmp_path/'room.py').write_text('''"A room"
__all__ = ['f', 'SIZE', 'Pair']
SIZE = 3  # px
def f(
    x,          # A picture
    *,
    size:int=3, # Longer side, px
)->list:        # Its tiles
    "Tile `x`."
class Pair:
    "Two of them"
    left: int = 1  # The left one
    def swap(self): "The other way round"
''')
    found = names.module(tmp_path/'room.py')
    f, size, pair = found.names
    assert (found.summary, f.doc, f.signature) == ('A room', 'Tile `x`.', 'f(x, size: int=3) -> list')
    assert [o.text for o in f.parameters] == ['A picture', 'Longer side, px', 'Its tiles']
    assert (size.signature, size.doc) == ('SIZE = 3', 'px')
    assert [(o.name, o.text) for o in pair.parameters] == [('left', 'The left one')]
    assert [o.name for o in pair.parts] == ['swap']
    page = names.as_html(pair, lambda md: f'<p>{md}</p>')
    assert 'id="Pair"' in page and 'id="Pair.swap"' in page and 'The left one' in page


def rendered(words, page='lessons/09_studio.html'):
    return website.markdown(words, root/'nbs/lessons/09_studio.ipynb', page, dict(stylize='transfer'))


def test_markdown_becomes_a_page_of_the_site():
    assert 'href="15_mending.html"' in rendered('[next](15_mending.ipynb)')
    assert 'href="../api/zoo.html"' in rendered('[`style_nb.zoo`](../32_zoo.ipynb)')
    assert 'href="index.html"' in rendered('[Contents](../index.ipynb#The-map)')
    assert 'href="glossary.html#Gram-matrix"' in rendered('[Gram](glossary.ipynb#Gram-matrix)')
    assert f'href="{course.address()}/blob/main/CONTRIBUTING.md"' in rendered('[how](../../CONTRIBUTING.md)')
    assert 'src="../images/first.jpg"' in rendered('![a](../images/first.jpg)')
    assert '<a href="../api/transfer.html#stylize"><code>stylize</code></a>' in rendered('Call `stylize`.')
    assert rendered('[`stylize` it](x.ipynb)').count('<a ') == 1
    assert '<h2 id="Gram-matrix">' in rendered('## Gram matrix')
    assert '<math' in rendered(r'a $F F^\top$ b') and 'display="block"' in rendered('$$\na^2\n$$')
    assert 'Open in Colab' in rendered('[![Open in Colab](https://a.org/x.svg)](https://b.org)')
    assert 'a.org' not in rendered('[![Open in Colab](https://a.org/x.svg)](https://b.org)')


def test_a_solution_is_folded_and_in_colours():
    page = rendered('<details><summary>Show</summary>\n\n```python\ndef f(): ...\n```\n\n</details>')
    assert page.index('<details>') < page.index('class="k"') < page.index('</details>')


def test_outputs_are_files_beside_the_page():
    film = 'UklGRg=='
    outputs = [dict(output_type='stream', name='stdout', text=['a < b\n']),
        dict(output_type='display_data', metadata={}, data={'image/jpeg': 'AAAA', 'text/plain': 'x'}),
        dict(output_type='display_data', metadata={}, data={'text/html': f'<img src="data:image/webp;base64,{film}">'})]
    cell = dict(cell_type='code', id='c', metadata={}, source=['#| slow\n', 'show()'], outputs=outputs)
    files = website.Files('lessons/09_studio.html')
    page = website.cell_html(cell, root/'nbs/lessons/09_studio.ipynb', 'lessons/09_studio.html', files, {})
    assert 'a &lt; b' in page and 'src="09_studio_0.jpg"' in page and 'src="09_studio_1.webp"' in page
    assert files.found == {'lessons/09_studio_0.jpg': b'\0\0\0', 'lessons/09_studio_1.webp': b'RIFF'}
    assert 'slow' not in page and 'data:' not in page


def test_nothing_is_asked_of_another_host(site):
    "Pages load nothing from elsewhere; links may lead there"
    for name, words in site.items():
        if not name.endswith('.html'): continue
        for tag in ('src="http', '<link rel="stylesheet" href="http'): assert tag not in words, name


def test_the_gallery_has_its_parts(site):
    page = site['gallery.html']
    for part in ('id="Films"', '.webp"', 'images/sheet.jpg', 'images/reversion_sheet.jpg', 'Painted while it moves'):
        assert part in page
    assert '<iframe src="page/index.html"' in website.gallery(page_folder=Path('page'))[0]


def test_a_gallery_without_its_figure_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(website, 'GALLERY', [('A', 'lessons/09_studio.ipynb', 'no such words', slice(0, 1), 'b')])
    with pytest.raises(SystemExit, match="09_studio.ipynb stores no figure of 'no such words'"): website.gallery()


# ---- files that other programs read

def test_the_citation_file():
    found = yaml.safe_load((root/'CITATION.cff').read_text(encoding='utf-8'))
    s = course.settings()
    assert found['cff-version'] == '1.2.0' and found['type'] == 'software' and found['message'] and found['title']
    assert found['version'] == s['version'] and found['authors'] == [{'name': s['author']}]
    assert ' AND '.join(found['license']) == s['license_expression']
    assert found['repository-code'] == course.address() and len(found['keywords']) > 2


def test_the_dev_container():
    found = json.loads((root/'.devcontainer/devcontainer.json').read_text(encoding='utf-8'))
    python = found['image'].rpartition(':')[2]
    assert tuple(map(int, python.split('.'))) >= tuple(map(int, course.settings()['min_python'].split('.')))
    assert "'.[dev]'" in found['postCreateCommand']
    for o in found['customizations']['codespaces']['openFiles']: assert (root/o).exists()


def test_binder_installs_this_library():
    from packaging.requirements import Requirement
    lines = (root/'.binder/requirements.txt').read_text(encoding='utf-8').splitlines()
    wanted = [o for o in lines if o and not o.startswith(('#', '--'))]
    assert '.' in wanted and [Requirement(o).name for o in wanted if o != '.'] == ['jupyterlab']
    python = (root/'.binder/runtime.txt').read_text(encoding='utf-8').strip().removeprefix('python-')
    assert tuple(map(int, python.split('.'))) >= tuple(map(int, course.settings()['min_python'].split('.')))


@pytest.mark.parametrize('path', sorted((root/'.github/workflows').glob('*.yaml')), ids=lambda o: o.stem)
def test_workflows_are_read(path):
    "And each task of make that they run is there"
    found = yaml.safe_load(path.read_text(encoding='utf-8'))
    steps = [step for job in found['jobs'].values() for step in job['steps']]
    assert steps and all(('run' in o) != ('uses' in o) for o in steps)
    import dev
    for step in steps:
        words = step.get('run', '').split()
        assert words[:1] != ['make'] or words[1] in dev.tasks


def test_quarto_is_told_what_is_there():
    found = yaml.safe_load((root/'nbs/_quarto.yml').read_text(encoding='utf-8'))
    links = [o['href'] for o in found['website']['navbar']['left']]
    assert links and all((root/'nbs'/o).exists() for o in links)
    told = yaml.safe_load((root/'nbs/nbdev.yml').read_text(encoding='utf-8'))['website']
    assert told['repo-url'] == course.address() and told['site-url'] == course.address(what='Documentation')


def test_building_writes_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(website, 'every', lambda root, page: {'index.html': '<a href="b/c.html">', 'b/c.jpg': b'1'})
    (tmp_path/'site').mkdir()
    (tmp_path/'site/old.html').write_text('old')
    assert website.build(tmp_path/'site') == ['index.html links to b/c.html: there is no such file']
    assert sorted(o.name for o in (tmp_path/'site').rglob('*.*')) == ['c.jpg', 'index.html']
