"""Every lesson has its parts; every checker accepts its solution and refuses wrong answers. Parts are found by cell
tags: exercise, checker, solution, wrong."""
import ast, json, re
from pathlib import Path
import pytest
from style_nb.teaching import Verdict, checkers

folder = Path(__file__).resolve().parent.parent/'nbs/lessons'
books = {p.stem: json.loads(p.read_text(encoding='utf-8'))['cells'] for p in sorted(folder.glob('[0-9]*.ipynb'))}
lessons, solutions = [n for n in books if 'solutions' not in n], [n for n in books if 'solutions' in n]

def text(c): return ''.join(c['source'])
def cells(name, kind=None, tag=None):
    return [c for c in books[name] if kind in (None, c['cell_type'])
        and (tag is None or tag in c['metadata'].get('tags', []))]
def words(name): return '\n'.join(text(c) for c in cells(name, 'markdown'))
def checks(name): return [re.search(r'^def (check_\w+)', text(c), re.M)[1] for c in cells(name, tag='checker')]

def missing(name):
    "The parts a lesson lacks."
    md, code = words(name), '\n'.join(text(c) for c in cells(name, 'code'))
    first = text(books[name][0])
    need = {'a title and a line below it': re.match(r'# .+\n\n> .+', first),
        'a time': re.search(r'\*\*Time\*\*: .*minutes', md), 'what you will be able to do': 'You will be able to' in md,
        'a guess': '**Guess**' in md, 'a slider': 'explore(' in code, 'a strip of the slider': '.strip(' in code,
        'something going wrong': re.search(r'^## .*wrong', md, re.M),
        'a recap': '## Recap' in md, 'exercises': '## Exercises' in md and 2 <= len(cells(name, tag='exercise')) <= 5,
        'a hint, a level and minutes for each exercise': len(
            re.findall(r'^### \d.*\((?:one|two|three) stars?, \d+ minutes\)[\s\S]*?<details><summary>Hint</summary>',
                md, re.M)) == len(cells(name, tag='exercise')),
        'a checker for each exercise': len(cells(name, tag='checker')) == len(cells(name, tag='exercise')),
        'solutions': f'{name[:2]}_solutions' in books and f'{name[:2]}_solutions' in md}
    return [k for k, v in need.items() if not v]

def test_there_are_lessons():
    assert (lessons[:3] == ['00_first_picture', '01_style_transfer', '02_trained_or_not']
        and len(lessons) == len(solutions))

@pytest.mark.parametrize('name', lessons)
def test_a_lesson_has_its_parts(name): assert missing(name) == []

def test_missing_parts_are_found(monkeypatch):
    name = lessons[0]
    for i, gone in [(0, 'a title and a line below it'), (-1, None)]:
        monkeypatch.setitem(books, name, [c for j, c in enumerate(books[name]) if j != i % len(books[name])])
        assert gone is None or gone in missing(name)
    monkeypatch.setitem(books, name, [])
    with pytest.raises(IndexError): missing(name)

@pytest.mark.parametrize('name', list(books))
def test_nothing_is_exported_and_cells_are_short(name):
    for c in cells(name, 'code'):
        assert not re.search(r'^#\|\s*(default_exp|exporti?s?)\b', text(c), re.M), text(c)
        assert len(text(c).splitlines()) <= 20, text(c)
        for word in ('IN_TEST', 'environ'):
            assert word not in text(c), f'a lesson shrinks through quick only: {text(c)}'

@pytest.mark.parametrize('name', lessons)
def test_a_figure_is_followed_by_words(name):
    "No two figures without prose between, except the two strips of one slider."
    book = books[name]
    for a, b in zip(book, book[1:]):
        if all(c['cell_type'] == 'code' and text(c).splitlines()[-1].startswith('show_pictures(') for c in (a, b)):
            pytest.fail(text(b))

def is_figure(c): return any(k.startswith('image/') for o in c.get('outputs', []) for k in o.get('data', {}))
def unsaid(book):
    """Indices of figures with a heading, or nothing, where a sentence about them should be; figures in
    neighbouring cells, or with a table between, share one."""
    md = [i for i, c in enumerate(book) if c['cell_type'] == 'markdown'] + [None]
    after = {i: next(j for j in md if j is None or j > i) for i, c in enumerate(book) if is_figure(c)}
    return [i for i, j in after.items() if j is None or not re.match(r'(?!#)(\S+\s+){4}', text(book[j]))]

@pytest.mark.parametrize('name', lessons)
def test_every_figure_is_spoken_of(name):
    assert not unsaid(books[name]), [text(books[name][i]) for i in unsaid(books[name])]

def test_a_silent_figure_is_found():
    figure, table, say = (dict(cell_type='code', source='', outputs=[dict(data={'image/jpeg': ''})]),
        dict(cell_type='code', source='', outputs=[]), lambda s: dict(cell_type='markdown', source=s))
    assert (unsaid([figure, say('## A heading')]) == [0] and unsaid([say('Words before it do not count.'), figure,
        table]) == [1])
    assert unsaid([figure, table, say('The left one is darker than the right.')]) == []

@pytest.mark.parametrize('name', lessons)
def test_exercises_ask_their_checker_and_start_untried(name, monkeypatch):
    monkeypatch.chdir(folder)
    found = checkers(f'{name}.ipynb')
    assert sorted(vars(found)) == sorted(checks(name))
    for c, check in zip(cells(name, tag='exercise'), checks(name)):
        verdict = run(text(c), dict(vars(found)))
        assert verdict.name == check and not verdict and not verdict.tried

def run(source, names):
    "Run a cell; the value of its last line."
    body = ast.parse(source).body
    last = ast.Expression(body.pop().value) if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), 'cell', 'exec'), names)
    return None if last is None else eval(compile(last, 'cell', 'eval'), names)

@pytest.mark.parametrize('name', solutions)
def test_solutions_are_right_and_wrong_answers_are_not(name, monkeypatch):
    monkeypatch.chdir(folder)
    lesson, = [n for n in lessons if n[:2] == name[:2]]
    names, said = {}, {'solution': [], 'wrong': []}
    for c in cells(name, 'code'):
        v = run(text(c), names)
        for tag in said:
            if tag not in c['metadata'].get('tags', []): continue
            assert isinstance(v, Verdict), f'does not end with a checker: {text(c)}'
            assert bool(v) == (tag == 'solution'), f'{v}\n{text(c)}'
            assert v.tried and len(str(v)) > 5 and '\n' not in str(v)
            assert 'raised' not in str(v), f'refused by accident: {v}\n{text(c)}'
            said[tag].append(v.name)
    for check in checks(lesson):
        assert said['solution'].count(check) >= 1 and said['wrong'].count(check) >= 3, check
