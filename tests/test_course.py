"Lessons lead to each other, no link is dead, no figure is small or enlarged, and what is lacking is in a list."
import io
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
import numpy as np
import pytest
from PIL import Image
from packaging.requirements import Requirement
from style_nb.gallery import sample

root = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root/'tools'))
import course
import figures
import links


def none(problems):
    if problems: pytest.fail('\n'.join(problems), pytrace=False)


def test_no_link_is_dead(): none(links.all_dead())
def test_what_is_made_is_as_it_is_made(): none(course.stale())
def test_what_lessons_lack_is_in_the_list(): none(course.compare(course.all_lacks(), course.admitted()))


# ---- the checks themselves

@pytest.fixture
def copied(tmp_path):
    "The parts of the repository that tie the course together, to be spoilt; numbered notebooks are empty"
    for o in ('pyproject.toml', 'settings.ini', 'README.md', 'CONTRIBUTING.md', 'LICENSE', 'CITATION.cff'):
        shutil.copy(root/o, tmp_path)
    shutil.copytree(root/'nbs/lessons', tmp_path/'nbs/lessons')
    for o in (root/'nbs').glob('[0-9]*.ipynb'): shutil.copy(o, tmp_path/'nbs')
    for o in ('index.ipynb', 'nbdev.yml'): shutil.copy(root/'nbs'/o, tmp_path/'nbs')
    return tmp_path


def changed(path, old, new):
    words = path.read_text(encoding='utf-8')
    assert old in words
    path.write_text(words.replace(old, new), encoding='utf-8')


def test_a_dead_link_is_found(tmp_path):
    (tmp_path/'b.md').write_text('# A house, built\n\n## Two `rooms`\n')
    page = tmp_path/'a.md'
    good = '[a](b.md#a-house-built) [b](b.md#two-rooms) [c](#here) `[no](link.md)` [w](https://a.org)'
    page.write_text(good + '\n\n# Here\n')
    assert list(links.dead(page, tmp_path)) == []
    page.write_text('[a](b.md#a-house) [c](#there) ![p](c.png)')
    assert [o.partition('links to ')[2] for o in links.dead(page, tmp_path)] == [
        'b.md#a-house: there is no such heading', '#there: there is no such heading', 'c.png: there is no such file']


def test_a_notebook_has_its_own_kind_of_places(tmp_path):
    cell = dict(cell_type='markdown', source=['## Gram matrix'])
    (tmp_path/'a.ipynb').write_text(json.dumps(dict(cells=[cell])))
    (tmp_path/'b.md').write_text('[a](a.ipynb#Gram-matrix) [a](a.ipynb#gram-matrix)')
    found, = links.dead(tmp_path/'b.md', tmp_path)
    assert 'a.ipynb#gram-matrix' in found


def test_a_lesson_changed_by_hand_is_stale(copied):
    assert course.stale(copied) == []
    changed(copied/'nbs/lessons/09_studio.ipynb', 'Next: [10 From the loop', 'Next: [12 From the loop')
    assert [o.split(' ')[0] for o in course.stale(copied)] == ['nbs/lessons/09_studio.ipynb']
    assert [o.name for o in course.write(copied)] == ['09_studio.ipynb'] and course.stale(copied) == []


def test_writing_twice_changes_nothing_more(copied):
    lesson = copied/'nbs/lessons/12_film.ipynb'
    once = course.as_json(course.made_lesson(lesson, copied))
    lesson.write_text(once, encoding='utf-8')
    assert course.as_json(course.made_lesson(lesson, copied)) == once


def test_the_address_is_kept_in_one_place(copied):
    "With another address in pyproject.toml, `write` leaves the old one nowhere"
    old, new = course.owner_and_name(), 'someone/something'
    changed(copied/'pyproject.toml', old, new)
    changed(copied/'pyproject.toml', 'style-nb.github.io/style_nb', 'someone.github.io/something')
    course.write(copied)
    from notebooks import load, readme
    (copied/'README.md').write_text(readme(load(copied/'nbs/index.ipynb')), encoding='utf-8')
    files = [o for o in copied.rglob('*') if o.is_file()]
    assert [o.name for o in files if old in o.read_text(encoding='utf-8')] == []
    assert sum(new in o.read_text(encoding='utf-8') for o in files) > len(course.lessons(copied))


def lesson_with(folder, **parts):
    "A small lesson that lacks nothing, with its solutions, but for the cells given by name"
    def md(name, s): return dict(cell_type='markdown', id=name, metadata={}, source=[s])
    def code(name, s, tag, outputs=()):
        return dict(cell_type='code', id=name, metadata=dict(tags=[tag]), source=[s], outputs=list(outputs))
    def shown(width):
        file = io.BytesIO()
        Image.new('RGB', (width, 80), 'white').save(file, 'JPEG')
        import base64
        return dict(data={'image/jpeg': base64.b64encode(file.getvalue()).decode()})
    asked = dict(data={'text/html': '<div class="quiz">' + '<p><b>1.</b>'*parts.get('asked', 5)})
    cells = dict(time='**Time**: 9 minutes', goals='**You will be able to**\n\n- see,\n- say.\n', recap='## Recap',
        end='**Papers** · [Contents](../index.ipynb)') | {k: v for k, v in parts.items() if isinstance(v, str)}
    book = [md('title', '# A lesson'), md('time', cells['time']), md('goals', cells['goals']),
        code('figure', 'show()', parts.get('tag', ''), [shown(parts.get('width', 480))]),
        code('exercise', 'check_it(...)', 'exercise'), code('quiz', 'quiz(1)', '', [asked]),
        md('recap', cells['recap']), md('end', cells['end'])]
    answers = [code('s', 'lesson.check_it(1)', 'solution'),
        *(code(str(i), 'lesson.check_it(0)', 'wrong') for i in range(parts.get('wrong', 3)))]
    (folder/'nbs/lessons').mkdir(parents=True, exist_ok=True)
    for name in ('glossary', 'reading'): shutil.copy(root/f'nbs/lessons/{name}.ipynb', folder/'nbs/lessons')
    lesson = folder/'nbs/lessons/01_a.ipynb'
    lesson.write_text(json.dumps(dict(cells=book)))
    course.solutions(lesson).write_text(json.dumps(dict(cells=answers)))
    return lesson


spoilt = [(dict(time='**Time**: a while'), 'does not say its time'), (dict(goals='You will be glad.'), 'no objectives'),
    (dict(recap='## The end'), 'no recap'), (dict(end='**Papers**'), 'leads nowhere'),
    (dict(end='Next: ['), 'no paper'), (dict(asked=4), 'no five questions'),
    (dict(wrong=2), 'check_it is shown 2 wrong answers'), (dict(width=399), '1 figures are under 400 px'),
    (dict(recap='## Recap\n\n**New words**: Gram matrix, glurk.'), 'the glossary has no "glurk"'),
    (dict(recap='## Recap\n\n**New words**: halo.'), 'does not say that "halo" is used here'),
    (dict(recap='## Recap\n\n[x](https://arxiv.org/abs/0000.00000)'), 'no https://arxiv.org/abs/0000.00000')]


@pytest.mark.parametrize('parts,words', spoilt, ids=[o[1] for o in spoilt])
def test_what_is_lacking_is_found(tmp_path, parts, words):
    assert course.lacks(lesson_with(tmp_path), tmp_path) == []
    found, = course.lacks(lesson_with(tmp_path, **parts), tmp_path)
    assert words in found


def test_a_thumbnail_may_be_small(tmp_path):
    assert course.lacks(lesson_with(tmp_path, width=200, tag='thumbnail'), tmp_path) == []


def test_the_list_of_what_is_lacking_only_shrinks(tmp_path):
    "A thing that is not in it is said, and so is one that is mended and still in it"
    listed = tmp_path/'lacking.txt'
    listed.write_text('# Why\n\na: no time\nb: no recap\n')
    assert course.admitted(listed) == ['a: no time', 'b: no recap']
    assert course.compare(['a: no time', 'b: no recap'], course.admitted(listed)) == []
    new, mended = course.compare(['a: no time', 'c: no time'], course.admitted(listed))
    assert new == 'c: no time' and mended.startswith('b: no recap: mended')
    course.heal(listed, ['a: no time', 'c: no time'])
    assert listed.read_text() == '# Why\n\na: no time\n'


# ---- prose with links

def test_prose_is_linked_and_code_is_not(copied):
    said = '`style_nb.zoo`, lesson 3, lessons 0, 1 and 10; `zoo`, `72_palettes`, lesson 99.\n\n```\nlesson 3\n```\n'
    done = course.linked(said, copied)
    assert done == ('[`style_nb.zoo`](../32_zoo.ipynb), lesson [3](03_same_look.ipynb), lessons '
        '[0](00_first_picture.ipynb), [1](01_style_transfer.ipynb) and [10](10_one_pass.ipynb); `zoo`, '
        '[`72_palettes`](../72_palettes.ipynb), lesson 99.\n\n```\nlesson 3\n```\n')
    assert course.linked(done, copied) == done
    assert '[`zoo`](../32_zoo.ipynb)' in course.linked('**Time**: 9 minutes. Code: `zoo`.', copied)
    for kept in ('## After lesson 3', '[lesson 3](x.md)', '`lesson 3`'): assert course.linked(kept, copied) == kept


# ---- figures

def figure(*ims, gap=12):
    "Pictures side by side on white, as they come back from a JPEG"
    sheet = Image.new('RGB', (sum(im.width + gap for im in ims) + gap, max(im.height for im in ims) + 2*gap), 'white')
    left = gap
    for im in ims:
        sheet.paste(im, (left, gap))
        left += im.width + gap
    file = io.BytesIO()
    sheet.save(file, 'JPEG', quality=80)
    return Image.open(file)


photos = {n: Image.fromarray(np.asarray(sample(n).convert('RGB'))).resize((224, 168), Image.LANCZOS)
    for n in ('astronaut', 'cat', 'swirls', 'woodcut')}
ways = {'repeated': (Image.NEAREST, 'in blocks'), 'bilinear': (Image.BILINEAR, 'smoothly'),
    'Lanczos': (Image.LANCZOS, 'smoothly')}


def test_pictures_of_their_own_size_pass():
    sheet = figure(*photos.values())
    assert len(figures.pictures(sheet)) == 4 and figures.enlarged_pictures(sheet) == []


@pytest.mark.parametrize('name', photos)
@pytest.mark.parametrize('way', ways)
@pytest.mark.parametrize('times', [2, 3])
def test_an_enlarged_picture_is_found(name, way, times):
    method, words = ways[way]
    small = photos[name].resize((224//times, 168//times), Image.LANCZOS).resize((224, 168), method)
    assert figures.enlarged_pictures(figure(photos['cat'], small)) == [words]


def test_a_mask_and_a_chart_are_not_judged():
    mask = Image.new('L', (40, 40))
    mask.paste(255, (10, 10, 30, 30))
    bars = Image.new('RGB', (160, 160), 'white')
    for i in range(4): bars.paste('steelblue', (10 + 40*i, 150 - 30*i, 40 + 40*i, 160))
    assert figures.enlarged_pictures(figure(mask.resize((160, 160), Image.NEAREST).convert('RGB'), bars)) == []


# ---- where it runs

def run_setup(modules, monkeypatch):
    "What the set-up cell asks of a shell that has these modules"
    asked = []
    for name, module in modules.items(): monkeypatch.setitem(sys.modules, name, module)
    shell = SimpleNamespace(run_line_magic=lambda *words: asked.append(words))
    exec(course.setup(), dict(get_ipython=lambda: shell))
    return asked


def test_the_set_up_cell_installs_on_colab_only(monkeypatch):
    assert run_setup({}, monkeypatch) == []
    widgets = []
    output = SimpleNamespace(enable_custom_widget_manager=lambda: widgets.append(True))
    colab = SimpleNamespace(output=output)
    modules = {'google': SimpleNamespace(colab=colab), 'google.colab': colab, 'google.colab.output': output}
    asked, = run_setup(modules, monkeypatch)
    assert asked[0] == 'pip' and widgets == [True]
    source = asked[1].split()[-1]
    assert Requirement(f'style_nb @ {source}').url == f'git+{course.address()}'


@pytest.mark.parametrize('lesson', course.lessons(), ids=lambda o: o.stem)
def test_the_set_up_cell_comes_first_and_once(lesson):
    cells = course.code_cells(course.load(lesson))
    assert [course.tagged(c, 'setup') for c in cells] == [True] + [False]*(len(cells) - 1)


@pytest.mark.parametrize('lesson', course.lessons(), ids=lambda o: o.stem)
def test_colab_and_binder_open_files_that_are_there(lesson):
    from urllib.parse import parse_qs, urlparse
    place = lesson.relative_to(root).as_posix()
    words = course.text(course.load(lesson)['cells'][0]['source'])
    colab, binder = (urlparse(url) for url in (course.on_colab(place), course.on_binder(place)))
    for url in (colab, binder): assert url.geturl() in words
    owner, name = course.owner_and_name().split('/')
    assert colab.path.split('/')[1:6] == ['github', owner, name, 'blob', course.BRANCH]
    assert (root/'/'.join(colab.path.split('/')[6:])) == lesson
    assert binder.path == f'/v2/gh/{owner}/{name}/{course.BRANCH}' and parse_qs(binder.query)['labpath'] == [place]
