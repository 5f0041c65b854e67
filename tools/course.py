"""Ties the lessons together, and says what each of them lacks.

    python tools/course.py write            the parts of every lesson that are made from something else
    python tools/course.py write 10 11      of these only
    python tools/course.py check            what a lesson lacks, beyond what tools/lacking.txt admits
    python tools/course.py check --heal     and strike from that list what is mended

Made are: the lines at the top and at the end of a lesson, its set-up cell for Colab, the solutions behind a button, its
questions, and links in its prose to lessons, notebooks and modules; the links of the glossary and the reading list; and
whatever else names the address of the repository, which is read from pyproject.toml and kept nowhere else.
"""
import argparse
import copy
import json
import re
import sys
from configparser import ConfigParser
from pathlib import Path
from urllib.parse import quote
import links
from figures import enlarged_pictures
from notebooks import code_cells, decode, images, load, moving, outputs, text

ROOT = Path(__file__).resolve().parent.parent
LACKING = ROOT/'tools/lacking.txt'
MARK = '<!-- written by tools/course.py -->'
LEAST_WIDTH = 400   # px, of a figure that is no thumbnail
BRANCH = 'main'
MADE = 'course-'    # how the ids of made cells begin


# ---- the one setting

def address(root=ROOT, what='Repository'):
    "An address of the project, as pyproject.toml has it"
    return re.search(rf'^{what} = "(.+)"', (root/'pyproject.toml').read_text(encoding='utf-8'), re.M)[1].rstrip('/')


def owner_and_name(root=ROOT): return address(root).removeprefix('https://github.com/')


def settings(root=ROOT):
    config = ConfigParser(delimiters=['='])
    config.read(root/'settings.ini', encoding='utf-8')
    return config['DEFAULT']


def on_colab(path, root=ROOT):
    "Where Colab opens a file of the repository"
    return f'https://colab.research.google.com/github/{owner_and_name(root)}/blob/{BRANCH}/{path}'


def on_binder(path, root=ROOT):
    "Where Binder opens a file of the repository"
    return f'https://mybinder.org/v2/gh/{owner_and_name(root)}/{BRANCH}?labpath={quote(path, safe="")}'


# ---- what there is

def lessons(root=ROOT):
    "The paths of the lessons, in their order"
    return sorted(p for p in (root/'nbs/lessons').glob('[0-9]*.ipynb') if not p.stem.endswith('_solutions'))


def solutions(lesson): return lesson.with_name(f'{lesson.name[:2]}_solutions.ipynb')


def number(lesson): return int(lesson.name[:2])


def title(path): return text(load(path)['cells'][0]['source']).partition('\n')[0].removeprefix('# ')


def named(lesson): return f'[{number(lesson)} {title(lesson)}]({lesson.name})'


def rooms(root=ROOT):
    "{name of a module or of a notebook: path of its notebook}"
    paths = [p for p in sorted((root/'nbs').glob('[0-9]*.ipynb'))]
    return {p.stem[3:]: p for p in paths} | {p.stem: p for p in paths}


def entries(root=ROOT):
    "Of each word of the glossary, the numbers of its lessons"
    found = {}
    for cell in load(root/'nbs/lessons/glossary.ipynb')['cells']:
        words, _, used = text(cell['source']).partition('\nLessons: ')
        if m := re.match('### (.+)', words): found[m[1]] = lesson_numbers(used)
    return found


def papers(root=ROOT):
    "The lines of the reading list, each with the numbers of its lessons"
    lines = [line for cell in load(root/'nbs/lessons/reading.ipynb')['cells']
        for line in text(cell['source']).splitlines() if ' Lessons: ' in line]
    return [(line[2:].partition(' Lessons: ')[0], lesson_numbers(line.partition(' Lessons: ')[2])) for line in lines]


def lesson_numbers(listed):
    "The numbers in `1, 7` or in `[1](01_a.ipynb), [7](07_b.ipynb)`"
    return [int(o) for o in re.findall(r'\d+', re.sub(r'\([^)]*\)', '', listed))]


# ---- what is made

def new_cell(kind, name, source, **more):
    cell = dict(cell_type=kind, id=MADE + name, metadata={}, source=source.splitlines(True))
    if kind == 'code': cell |= dict(execution_count=None, outputs=[])
    return dict(sorted((cell | more).items()))


def around(lesson, root=ROOT):
    "The lessons before and after, or `None`"
    there = lessons(root)
    at = there.index(lesson)
    return (there[at - 1] if at else None), (there[at + 1] if at + 1 < len(there) else None)


def ways(lesson, root=ROOT):
    "Where one can go from a lesson"
    before, after = around(lesson, root)
    found = ['[Contents](../index.ipynb#The-map)', f'[Solutions]({solutions(lesson).name})',
        '[Glossary](glossary.ipynb)']
    if before: found.insert(0, f'Before: {named(before)}')
    if after: found.append(f'Next: {named(after)}')
    return ' · '.join(found)


def top(path, root=ROOT):
    "What stands below a lesson's title"
    place = path.relative_to(root).as_posix()
    return f'{ways(path, root)}\n\nRun it [on Colab]({on_colab(place, root)}) · [on Binder]({on_binder(place, root)})'


def end(lesson, root=ROOT):
    "What stands at the end of a lesson"
    words = [f'[{word.lower() if word[1:].islower() else word}](glossary.ipynb#{links.notebook_anchor(word)})'
        for word, used in entries(root).items() if number(lesson) in used]
    read = [f'- {line}' for line, used in papers(root) if number(lesson) in used]
    found = [f'**Words**: {", ".join(words)}.'] if words else []
    if read: found.append('**Papers**, from the [reading list](reading.ipynb)\n\n' + '\n'.join(read))
    return '\n\n'.join([*found, ways(lesson, root)])


def setup(root=ROOT):
    "What a rented machine needs first"
    return f'''import sys
if 'google.colab' in sys.modules:  # only there: elsewhere the library is at hand, and this cell does nothing
    get_ipython().run_line_magic('pip', 'install -q git+{address(root)}')
    from google.colab import output
    output.enable_custom_widget_manager()'''


def tagged(cell, tag): return tag in cell['metadata'].get('tags', [])


def checked(source):
    "The checker that a cell asks"
    return re.findall(r'\bcheck_\w+', source)[-1]


def answers(lesson):
    "{name of a checker: the code of its solution}"
    found = {}
    for cell in code_cells(load(solutions(lesson))):
        source = text(cell['source'])
        if tagged(cell, 'solution'): found[checked(source)] = source.replace('lesson.check_', 'check_')
    return found


def behind_a_button(code, lesson):
    "A solution that one click shows"
    more = f'More, and answers that go wrong: [solutions]({solutions(lesson).name})'
    return f'<details><summary>Show a solution</summary>\n\n```python\n{code}\n```\n\n{more}\n\n</details>'


def questions(lesson):
    "The cells with a lesson's questions, as they are stored; none where it has no text of them"
    from style_nb.errors import BadFile
    from style_nb.teaching import quiz
    try: found = quiz(number(lesson))._repr_mimebundle_()
    except BadFile: return []
    data = {k: v.splitlines(True) for k, v in sorted(found.items()) if k.startswith('text/')}
    shown = dict(data=data, execution_count=None, metadata={}, output_type='execute_result')
    code = f'from style_nb.teaching import quiz\nquiz({number(lesson)})'
    return [new_cell('markdown', 'questions', '## Questions'), new_cell('code', 'quiz', code, outputs=[shown])]


def linked(markdown, root=ROOT, folder='..'):
    "Prose in which lessons, notebooks and modules are links; headings, code and links stay as they are"
    known, where = rooms(root), {number(o): o for o in lessons(root)}
    here = markdown.lstrip().startswith('**Time**')  # this cell names modules without the package
    def module(m):
        path = known.get(m[1].removeprefix('style_nb.'))
        if path is None or not (here or m[1].startswith('style_nb.') or m[1][:2].isdigit()): return m[0]
        return f'[`{m[1]}`]({folder}/{path.name})'
    def lesson(m):
        return re.sub(r'\d+', lambda n: f'[{n[0]}]({where[int(n[0])].name})' if int(n[0]) in where else n[0], m[0])
    whole = r'(!?\[[^]]*\]\([^)]*\)|<[^>]*>|^#.*$|`[^`\n]*`)'
    done = []
    for at, piece in enumerate(re.split(r'(^```.*?^```$)', markdown, flags=re.M | re.S)):
        for i, bit in enumerate([piece] if at % 2 else re.split(whole, piece, flags=re.M)):
            if at % 2: done.append(bit)
            elif i % 2: done.append(re.sub(r'^`([a-z0-9_.]+)`$', module, bit))
            else: done.append(re.sub(r'\b[Ll]essons? \d+(?:(?:, \d+)* and \d+)?(?!\d)', lesson, bit))
    return ''.join(done)


def unmade(book):
    "A notebook without what is made"
    book = copy.deepcopy(book)
    book['cells'] = [c for c in book['cells'] if not c['id'].startswith(MADE)]
    first = book['cells'][0]
    first['source'] = text(first['source']).partition(f'\n\n{MARK}')[0].splitlines(True)
    return book


def under_title(book, words):
    first = book['cells'][0]
    first['source'] = f'{text(first["source"])}\n\n{MARK}\n\n{words}'.splitlines(True)


def made_lesson(lesson, root=ROOT):
    "A lesson with all that is made for it"
    book, shown, cells = unmade(load(lesson)), answers(lesson), []
    asked = questions(lesson)
    under_title(book, top(lesson, root))
    prepared = False
    for cell in book['cells']:
        source = text(cell['source'])
        if cell['cell_type'] == 'markdown':
            if source.startswith('## Recap'): cells += asked
            if cells: cell['source'] = linked(source, root).splitlines(True)
        elif not prepared:
            cells.append(new_cell('code', 'setup', setup(root), metadata=dict(tags=['setup'])))
            prepared = True
        cells.append(cell)
        if tagged(cell, 'exercise'):
            check = checked(source)
            cells.append(new_cell('markdown', f'solution-{check}', behind_a_button(shown[check], lesson)))
    book['cells'] = [*cells, new_cell('markdown', 'end', end(lesson, root))]
    return book


def made_solutions(lesson, root=ROOT):
    "The solutions of a lesson, with the way back"
    book = unmade(load(solutions(lesson)))
    under_title(book, f'Back to the lesson: {named(lesson)} · [Contents](../index.ipynb#The-map)')
    return book


def made_list(path, root=ROOT):
    "The glossary or the reading list, whose numbers of lessons are links"
    book, there = unmade(load(path)), {number(o): o for o in lessons(root)}
    under_title(book, '[Contents](../index.ipynb#The-map) · [Glossary](glossary.ipynb) · [Reading](reading.ipynb)')
    def relinked(m): return 'Lessons: ' + ', '.join(f'[{n}]({there[n].name})' for n in lesson_numbers(m[1]))
    for cell in book['cells']:
        cell['source'] = re.sub(r'Lessons: (.+)$', relinked, text(cell['source']), flags=re.M).splitlines(True)
    return book


def made_index(root=ROOT):
    "The index with the buttons that run the course elsewhere"
    first = lessons(root)[0].relative_to(root).as_posix()
    book = load(root/'nbs/index.ipynb')
    badge = 'https://colab.research.google.com/assets/colab-badge.svg'
    buttons = ' '.join([f'[![Open in Colab]({badge})]({on_colab(first, root)})',
        f'[![Launch Binder](https://mybinder.org/badge_logo.svg)]({on_binder(first, root)})',
        f'[![Open in Codespaces](https://github.com/codespaces/badge.svg)](https://codespaces.new/{owner_and_name(root)})'])
    for cell in book['cells']:
        if cell['id'] == MADE + 'buttons': cell['source'] = [buttons]
    return book


def as_json(book): return json.dumps(book, indent=1, ensure_ascii=False) + '\n'


def citation(root=ROOT):
    "CITATION.cff"
    s = settings(root)
    return f'''cff-version: 1.2.0
message: If you use style_nb in your work, please cite it as below.
type: software
title: "style_nb: {s["description"]}"
authors:
  - name: {s["author"]}
version: {s["version"]}
license:
{chr(10).join(f"  - {o}" for o in s["license_expression"].split(" AND "))}
repository-code: {address(root)}
url: {address(root, "Documentation")}
keywords:
{chr(10).join(f"  - {o}" for o in s["keywords"].split())}
'''


def site_settings(root=ROOT):
    "What nbdev and quarto are told of the site"
    words = (root/'nbs/nbdev.yml').read_text(encoding='utf-8')
    told = {'site-url': f'"{address(root, "Documentation")}"', 'repo-url': f'"{address(root)}"', 'repo-branch': BRANCH}
    for name, value in told.items(): words = re.sub(rf'{name}: .*', f'{name}: {value}', words)
    return words


def made(root=ROOT, only=None):
    "{path: the text it should have}; `only` some lessons, by number"
    chosen = [o for o in lessons(root) if only is None or number(o) in only]
    found = {o: as_json(made_lesson(o, root)) for o in chosen}
    found |= {solutions(o): as_json(made_solutions(o, root)) for o in chosen}
    folder = root/'nbs/lessons'
    found |= {folder/o: as_json(made_list(folder/o, root)) for o in ('glossary.ipynb', 'reading.ipynb')}
    found |= {root/'nbs/index.ipynb': as_json(made_index(root)), root/'CITATION.cff': citation(root)}
    return found | {root/'nbs/nbdev.yml': site_settings(root)}


def write(root=ROOT, only=None):
    "Write what is made, where it differs; what was written"
    found = {p: s for p, s in made(root, only).items() if not p.exists() or p.read_text(encoding='utf-8') != s}
    for path, words in found.items(): path.write_text(words, encoding='utf-8')
    return sorted(found)


# ---- what a lesson lacks

def new_words(lesson):
    "The words that a lesson says are new"
    found = re.findall(r'\*\*New words\*\*: (.+)', '\n'.join(links.parts(lesson)))
    return [o.strip(' .') for line in found for o in line.split(',')]


def lacking_words(lesson, root=ROOT):
    known = {word.lower(): used for word, used in entries(root).items()}
    for word in new_words(lesson):
        if word.lower() not in known: yield f'the glossary has no "{word}"'
        elif number(lesson) not in known[word.lower()]: yield f'the glossary does not say that "{word}" is used here'


def lacking_papers(lesson, root=ROOT):
    listed = ' '.join(line for line, used in papers(root) if number(lesson) in used)
    for url in dict.fromkeys(re.findall(r'https://(?:arxiv|doi)\.org/[^)\s"]+', '\n'.join(links.parts(lesson)))):
        if url not in listed: yield f'the reading list has no {url} for it'


def figures(cell):
    "The stored pictures of a cell, of a moving one its first frame"
    for data in (o.get('data', {}) for o in cell['outputs']):
        for name in images(data): yield decode(data[name])
        for film in moving.findall(text(data.get('text/html', ''))): yield decode(film.partition(',')[2])


def lacking_figures(book):
    "Figures that are small or enlarged; a cell tagged `thumbnail` may be small, one tagged `blocks` means its blocks"
    narrow = large = 0
    for cell in code_cells(book):
        for im in figures(cell):
            narrow += im.width < LEAST_WIDTH and not tagged(cell, 'thumbnail')
            large += bool(enlarged_pictures(im)) and not tagged(cell, 'blocks')
    if narrow: yield f'{narrow} figures are under {LEAST_WIDTH} px wide'
    if large: yield f'{large} figures hold pictures enlarged from fewer pixels'


def lacking_wrong(lesson):
    "Checkers that are shown fewer than three wrong answers"
    wrong = [text(c['source']) for c in code_cells(load(solutions(lesson))) if tagged(c, 'wrong')]
    for check in answers(lesson):
        shown = sum(checked(o) == check for o in wrong)
        if shown < 3: yield f'{check} is shown {shown} wrong answers, 3 are wanted'


def lacking_parts(lesson, book):
    md = '\n'.join(text(c['source']) for c in book['cells'] if c['cell_type'] == 'markdown')
    goals = re.search(r'\*\*You will be able to\*\*\n\n((?:- .+\n?)+)', md)
    shown = [text(o.get('data', {}).get('text/html', '')) for o in outputs(book)]
    asked = [len(re.findall(r'<p><b>\d+\.', o)) for o in shown if o.startswith('<div class="quiz">')]
    there = {
        'it has no objectives': goals and len(goals[1].splitlines()) >= 2,
        'it does not say its time': re.search(r'\*\*Time\*\*: \d+', md),
        'it has no five questions': asked == [5],
        'it has no exercises': any(tagged(c, 'exercise') for c in book['cells']),
        'it has no recap': '## Recap' in md,
        'it leads nowhere': re.search(r'Next: \[|Contents\]\(', text(book['cells'][-1]['source'])),
        'it names no paper': '**Papers**' in text(book['cells'][-1]['source']),
    }
    return [o for o, yes in there.items() if not yes]


def lacks(lesson, root=ROOT):
    "All that a lesson lacks"
    book = load(lesson)
    return [*lacking_parts(lesson, book), *lacking_figures(book), *lacking_wrong(lesson), *lacking_words(lesson, root),
        *lacking_papers(lesson, root)]


def admitted(path=LACKING):
    "What is known to be lacking"
    lines = path.read_text(encoding='utf-8').splitlines()
    return [o for o in lines if o.strip() and not o.startswith('#')]


def compare(found, known):
    "Lines of what is new, and of what is mended and still listed"
    mended = [f'{o}: mended, so strike it from tools/lacking.txt (course.py check --heal does)' for o in known
        if o not in found]
    return [o for o in found if o not in known] + mended


def all_lacks(root=ROOT): return [f'{o.stem}: {words}' for o in lessons(root) for words in lacks(o, root)]


def stale(root=ROOT):
    "What is not as `write` would write it"
    return [f'{p.relative_to(root)} is not as tools/course.py write makes it' for p, s in made(root).items()
        if not p.exists() or p.read_text(encoding='utf-8') != s]


def heal(path=LACKING, found=None):
    "Strike what is mended from the list"
    found = all_lacks() if found is None else found
    lines = path.read_text(encoding='utf-8').splitlines(True)
    kept = [o for o in lines if o.startswith('#') or not o.strip() or o.strip() in found]
    path.write_text(''.join(kept), encoding='utf-8')


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest='task', required=True)
    tasks.add_parser('write').add_argument('lessons', nargs='*', type=int)
    tasks.add_parser('check').add_argument('--heal', action='store_true')
    args = parser.parse_args(argv)
    if args.task == 'write':
        for o in write(only=args.lessons or None): print(o.relative_to(ROOT))
        return 0
    if args.heal: heal()
    found = compare(all_lacks(), admitted()) + stale() + links.all_dead()
    print('\n'.join(found) or f'{len(lessons())} lessons, {len(admitted())} things admitted to be lacking, none beyond')
    return bool(found)


if __name__ == '__main__': sys.exit(main())
