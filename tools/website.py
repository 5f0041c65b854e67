"""Builds the site from stored outputs and source: nothing is run, and nothing is asked of another host.

    python tools/website.py [--out build/site] [--page FOLDER]

Home, lessons, a page for each module with every public name, a gallery and a search. FOLDER is the page of `make page`,
which is then shown in the gallery. Needs `pip install '.[docs]'`.
"""
import argparse
import base64
import html
import json
import posixpath
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlparse
import mistune
from latex2mathml.converter import convert
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound
import course
import names
from links import notebook_anchor
from notebooks import images, load, moving, text

ROOT = Path(__file__).resolve().parent.parent
LOOKS = ROOT/'website'
NAV = {'index.html': 'Home', 'lessons/index.html': 'Lessons', 'api/index.html': 'API', 'gallery.html': 'Gallery',
    'guide.html': 'Guide'}


def relative(to, page): return posixpath.relpath(to, posixpath.dirname(page) or '.')


def shown_at(path, root=ROOT):
    "Where the site has a file of the repository, or `None`"
    place = path.relative_to(root).as_posix() if path.is_relative_to(root) else ''
    if place in ('nbs/index.ipynb', 'README.md'): return 'index.html'
    if place.startswith('nbs/images/'): return place.removeprefix('nbs/')
    if m := re.fullmatch(r'nbs/lessons/(\w+)\.ipynb', place): return f'lessons/{m[1]}.html'
    if m := re.fullmatch(r'nbs/\d\d_(\w+)\.ipynb', place): return f'api/{m[1]}.html'


def moved(url, source, page, root=ROOT):
    "A link of a notebook as the site has it: a page of its own, else the file in the repository"
    if re.match(r'[a-z]+:|#', url): return url
    file, _, place = url.partition('#')
    path = (source.parent/unquote(file)).resolve()
    if (path.name, place) == ('index.ipynb', 'The-map'): return relative('lessons/index.html', page)
    there = shown_at(path, root)
    if there is None: return f'{course.address(root)}/blob/{course.BRANCH}/{path.relative_to(root).as_posix()}'
    return relative(there, page) + (f'#{place}' if place and not there.startswith('api/') else '')


def coloured(code, language='python'):
    try: lexer = get_lexer_by_name(language or 'text')
    except ClassNotFound: lexer = get_lexer_by_name('text')
    return highlight(code, lexer, HtmlFormatter(nowrap=True))


class Renderer(mistune.HTMLRenderer):
    "Markdown of one page: its links moved, headings with places, code in colours, formulas as MathML"
    def __init__(self, source, page, public=(), root=ROOT):
        super().__init__(escape=False)
        self.at, self.public = (source, page, root), public

    def moved(self, url): return moved(url, *self.at)

    def link(self, text, url, title=None): return f'<a href="{html.escape(self.moved(url))}">{text}</a>'

    def image(self, text, url, title=None):
        if urlparse(url).scheme: return html.escape(text)  # a badge of another host: its words will do
        said = html.escape(re.sub('<[^>]*>', '', text))
        return f'<img src="{html.escape(self.moved(url))}" alt="{said}" loading="lazy">'

    def heading(self, text, level, **attrs):
        plain = html.unescape(re.sub(r'<[^>]*>', '', text))
        return f'<h{level} id="{html.escape(notebook_anchor(plain))}">{text}</h{level}>\n'

    def block_code(self, code, info=None): return f'<pre><code>{coloured(code.rstrip(), info)}</code></pre>\n'

    def codespan(self, text):
        module = self.public.get(text.removesuffix('()')) if self.public else None
        code = f'<code>{html.escape(text)}</code>'
        if module is None: return code
        return f'<a href="{relative(f"api/{module}.html", self.at[1])}#{text.removesuffix("()")}">{code}</a>'

    def block_html(self, html): return self.inline_html(html)

    def inline_html(self, html):
        return re.sub(r'((?:src|href)=")([^"]+)', lambda m: m[1] + self.moved(m[2]), html)

    def inline_math(self, text): return convert(text)

    def block_math(self, text): return convert(text, display='block')


def unlinked(rendered):
    "HTML in which no link stands inside a link"
    inner = re.compile(r'(<a [^>]*>(?:(?!</a>).)*?)<a [^>]*>(<code>[^<]*</code>)</a>', re.S)
    while inner.search(rendered): rendered = inner.sub(r'\1\2', rendered)
    return rendered


def markdown(words, source, page, public=None, root=ROOT):
    render = mistune.create_markdown(escape=False, renderer=Renderer(source, page, public or {}, root),
        plugins=['table', 'math', 'url'])
    done = unlinked(render(words))
    return done.replace('<table>', '<div class="wide"><table>').replace('</table>', '</table></div>')


# ---- notebooks

class Files:
    "Pictures taken out of a notebook's outputs, each a file beside its page"
    def __init__(self, page): self.stem, self.found = page.removesuffix('.html'), {}

    def add(self, data, kind):
        name = f'{self.stem}_{len(self.found)}.{kind}'
        self.found[name] = base64.b64decode(text(data))
        return posixpath.basename(name)


def ending(kind): return kind.partition('/')[2].replace('jpeg', 'jpg')


def shown(output, files, alt):
    "One stored output as HTML"
    data = output.get('data', {})
    if 'text' in output: return f'<pre>{html.escape(text(output["text"]))}</pre>'
    for kind in images(data):
        return f'<img src="{files.add(data[kind], ending(kind))}" alt="{alt}" loading="lazy">'
    if 'text/html' in data:
        return moving.sub(lambda m: files.add(m[0].partition(',')[2], 'webp'), text(data['text/html']))
    return f'<pre>{html.escape(text(data.get("text/plain", "")))}</pre>'


def cell_html(cell, source, page, files, public, root=ROOT):
    code = text(cell['source'])
    if cell['cell_type'] == 'markdown': return markdown(code, source, page, public, root)
    if 'setup' in cell['metadata'].get('tags', []) or re.search(r'^#\|\s*(hide|default_exp)', code, re.M): return ''
    code = re.sub(r'^#\|.*\n?', '', code, flags=re.M).strip()
    parts = [f'<pre><code>{coloured(code)}</code></pre>'] if code and cell['id'] != 'course-quiz' else []
    alt = html.escape(code.splitlines()[-1] if code else 'output')
    parts += [f'<div class="output">{shown(o, files, alt)}</div>' for o in cell['outputs']]
    return '\n'.join(parts)


def notebook_html(source, page, public, root=ROOT):
    "The body of a notebook, and the files it needs"
    files = Files(page)
    cells = [cell_html(c, source, page, files, public, root) for c in load(source)['cells']]
    return '\n'.join(cells), files.found


# ---- the pages

def plain(body): return ' '.join(html.unescape(re.sub(r'<[^>]+>', ' ', body)).split())


def aside(title, entries, page):
    "A list of neighbours; `entries` are {page: title}"
    here = lambda o: ' aria-current="page"' if o == page else ''
    items = ''.join(f'<li><a href="{relative(o, page)}"{here(o)}>{html.escape(t)}</a></li>' for o, t in entries.items())
    return f'<aside><details open><summary>{title}</summary><ul>{items}</ul></details></aside>'


def whole(page, title, body, side='', root=ROOT):
    "A page from its body"
    up = '../'*page.count('/')
    current = lambda o: ' aria-current="true"' if posixpath.dirname(o) == posixpath.dirname(page) and (
        '/' in o or o == page) else ''
    nav = ''.join(f'<a href="{relative(o, page)}"{current(o)}>{t}</a>' for o, t in NAV.items())
    return f'''<!doctype html>
<html lang="en" data-root="{up}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)} · style_nb</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{up}style.css">
<link rel="stylesheet" href="{up}code.css">
<script type="module" src="{up}search.js"></script>
</head>
<body>
<header class="bar"><a class="brand" href="{relative('index.html', page)}">style_nb</a>
<nav aria-label="Site">{nav}<a href="{course.address(root)}">Source</a></nav>
<form class="search" role="search" onsubmit="return false">
<input type="search" placeholder="Search" aria-label="Search"><ol></ol></form></header>
<div class="columns{'' if side else ' single'}">{side}<main>
{body}
</main></div>
</body>
</html>
'''


def sections(root=ROOT):
    "{heading of the index: its Markdown}, the top under an empty heading"
    found, here = {'': []}, ''
    for cell in load(root/'nbs/index.ipynb')['cells']:
        source = re.sub(r'^#\|.*\n?', '', text(cell['source']), flags=re.M)
        if cell['cell_type'] == 'code':
            found[here].append(f'```python\n{source.strip()}\n```')
            continue
        for i, part in enumerate(re.split(r'^## (.+)$', source, flags=re.M)):
            if i % 2: here = part.strip()
            found.setdefault(here, []).append(part if not i % 2 else f'## {part}')
    return {k: '\n\n'.join(v) for k, v in found.items()}


def lesson_table(root=ROOT):
    "[(lesson, what one will be able to do, minutes)] of the map in the index"
    rows = re.findall(r'^\| \[[^]]+\]\(lessons/([^)]+)\) \| (.+?) \| (.+?) \|$', sections(root)['The map'], re.M)
    return [(root/'nbs/lessons'/name, what, minutes) for name, what, minutes in rows]


def cards(page, root=ROOT):
    "The lessons as cards"
    def card(lesson, what, minutes):
        title = html.escape(f'{course.number(lesson)} {course.title(lesson)}')
        return (f'<li><a href="{relative(shown_at(lesson, root), page)}"><b>{title}</b></a>'
            f'<span>{html.escape(what)}</span><small>{minutes} minutes</small></li>')
    return f'<ul class="cards">{"".join(card(*row) for row in lesson_table(root))}</ul>'


def home(public, root=ROOT):
    parts, source = sections(root), root/'nbs/index.ipynb'
    first = list(parts)[:list(parts).index('The map')]
    body = ''.join(markdown(parts[o], source, 'index.html', public, root) for o in first)
    return body.replace('</blockquote>', '</blockquote>\n<p><a href="lessons/index.html">Lessons</a> · '
        '<a href="gallery.html">Gallery</a> · <a href="api/index.html">API</a></p>', 1)


def guide(public, root=ROOT):
    parts, source = sections(root), root/'nbs/index.ipynb'
    last = list(parts)[list(parts).index('The names') + 1:]
    return '<h1>Guide</h1>' + ''.join(markdown(parts[o], source, 'guide.html', public, root) for o in last)


def turn(page, entries):
    "Links to the neighbours of a page"
    pages = list(entries)
    at = pages.index(page)
    before = f'<a href="{relative(pages[at - 1], page)}">← {html.escape(entries[pages[at - 1]])}</a>' if at else ''
    after = pages[at + 1] if at + 1 < len(pages) else None
    after = f'<a href="{relative(after, page)}">{html.escape(entries[after])} →</a>' if after else ''
    return f'<div class="turn"><span>{before}</span><span>{after}</span></div>'


def lesson_pages(public, root=ROOT, only=None):
    "{page: (title, body, aside)} and {file: bytes} of the lessons and what belongs to them"
    folder, pages, files = root/'nbs/lessons', {}, {}
    entries = {shown_at(p, root): f'{course.number(p)} {course.title(p)}' for p in course.lessons(root)}
    beside = entries | {f'lessons/{o}.html': course.title(folder/f'{o}.ipynb') for o in ('glossary', 'reading')}
    for path in sorted(folder.glob('*.ipynb')):
        page = shown_at(path, root)
        if only is not None and path.stem not in only: continue
        body, found = notebook_html(path, page, public, root)
        files |= found
        if page in entries: body += turn(page, entries)
        pages[page] = course.title(path), body, aside('Lessons', beside, page)
    page = 'lessons/index.html'
    pages[page] = 'Lessons', f'<h1>Lessons</h1>{cards(page, root)}', aside('Lessons', beside, page)
    return pages, files


def api_pages(root=ROOT):
    "{page: (title, body, aside)} of the modules"
    modules = names.modules(root)
    entries = {'api/index.html': 'All names'} | {f'api/{m}.html': m for m in modules}
    public = names.public(modules)
    pages = {}
    for module, found in modules.items():
        page = f'api/{module}.html'
        notebook = next(p for p in sorted((root/'nbs').glob('[0-9]*.ipynb')) if p.stem[3:] == module)
        link = f'{course.address(root)}/blob/{course.BRANCH}/{notebook.relative_to(root).as_posix()}'
        def words(md, page=page, notebook=notebook): return markdown(md, notebook, page, public, root)
        body = f'<h1>style_nb.{module}</h1><blockquote>{html.escape(found.summary)}</blockquote>' + (
            f'<p>Built and taught in the notebook <a href="{link}">{notebook.stem}</a>.</p>')
        body += ''.join(names.as_html(o, words) for o in found.names)
        pages[page] = f'style_nb.{module}', body, aside('Modules', entries, page)
    page = 'api/index.html'
    groups = markdown(sections(root)['The names'].replace('## The names', '# The names'), root/'nbs/index.ipynb', page,
        public, root)
    rows = ''.join(f'<tr><td><a href="{m}.html">{m}</a></td><td>{html.escape(o.summary)}</td></tr>'
        for m, o in modules.items())
    body = f'{groups}<h2 id="modules">Modules</h2><div class="wide"><table>{rows}</table></div>'
    pages[page] = 'The names', body, aside('Modules', entries, page)
    return pages


# ---- gallery

GALLERY = [  # (heading, notebook below nbs, words in the source of the cell, which figures, caption)
    ('Dreams', 'lessons/14_dreams.ipynb', 'contact_sheet(', slice(0, 1),
        'One loop, three losses: a photo rebuilt, painted, and dreamed.'),
    ('A painting as a photo', 'lessons/05_reversion.ipynb', '', slice(-1, None), 'The last picture of the lesson.'),
    ('Styles at once', '78_instant.ipynb', 'style_sheet(', slice(0, 1),
        'A photo in the stored styles, each in one pass of a network.'),
]
SHEETS = [  # (heading, file of bench/results, caption)
    ('Photos and paintings', 'sheet.jpg', 'Each photo on the left in the style of each painting above. The paintings '
        'are in the public domain, or by this project.'),
    ('Paintings as photos', 'reversion_sheet.jpg', 'Reversion: the painting, the photo whose style it gets, and the '
        'result. All paintings are in the public domain.'),
]
FILMS = 'lessons/12_film.ipynb'


def stored(path, words):
    "The stored pictures of the cells whose source has `words`, each with its kind"
    for cell in load(path)['cells']:
        if cell['cell_type'] != 'code' or words not in text(cell['source']): continue
        for data in (o.get('data', {}) for o in cell['outputs']):
            for kind in images(data): yield data[kind], ending(kind)
            for film in moving.findall(text(data.get('text/html', ''))): yield film.partition(',')[2], 'webp'


def film_names(path):
    "What each film of a lesson is called"
    said = ' '.join(text(o['data'].get('text/html', '')) for c in load(path)['cells'] if c['cell_type'] == 'code'
        for o in c['outputs'] if 'data' in o)
    return re.findall(r'<img alt="([^"]+)" src="data:image/webp', said)


def from_where(notebook, root=ROOT):
    "A link to where a figure comes from"
    path = root/'nbs'/notebook
    kind = 'lesson' if path.parent.name == 'lessons' else 'notebook'
    return f'<a href="{shown_at(path, root)}">{kind} {course.number(path)}</a>'


def figure(src, caption, where=''):
    "A picture with its caption; `where` is HTML"
    return (f'<figure><a href="{src}"><img src="{src}" alt="{html.escape(caption)}" loading="lazy"></a><figcaption>'
        f'{html.escape(caption)}{where}</figcaption></figure>')


def living(page_folder, root=ROOT):
    "The page that paints in a browser, or where it comes from"
    if page_folder: return ('<p>A network in one pass, in your browser alone; no picture leaves it. <a href="page/'
        'index.html">On a page of its own</a>.</p><iframe src="page/index.html" title="Painted while it moves" '
        'loading="lazy"></iframe>')
    where = f'{course.address(root)}/blob/{course.BRANCH}/page/README.md'
    return ('<p>A network in one pass, in the browser alone: <code>make page</code> builds it, <code>make site</code> '
        f'then shows it here (<a href="{where}">page/README.md</a>).</p>')


def gallery(page_folder=None, root=ROOT):
    "The body of the gallery, and its files"
    files = Files('gallery.html')
    parts = ['<h1>Gallery</h1>', '<blockquote>What the course paints, as it is stored in the notebooks</blockquote>']
    def heading(title): parts.append(f'<h2 id="{notebook_anchor(title)}">{title}</h2>')
    for title, name, caption in SHEETS:
        heading(title)
        parts.append(figure(f'images/{name}', caption))
    heading('Films')
    parts.append('<div class="films">')
    films = [o for o in stored(root/'nbs'/FILMS, '') if o[1] == 'webp']
    for data, name in zip(films, film_names(root/'nbs'/FILMS)):
        parts.append(figure(files.add(*data), f'Beside each other: {name}.', f' From {from_where(FILMS, root)}.'))
    parts.append('</div>')
    heading('Painted while it moves')
    parts.append(living(page_folder, root))
    for title, notebook, words, which, caption in GALLERY:
        found = list(stored(root/'nbs'/notebook, words))[which]
        if not found: raise SystemExit(f'{notebook} stores no figure of {words!r}: mend GALLERY of tools/website.py')
        heading(title)
        parts += [figure(files.add(*o), caption, f' From {from_where(notebook, root)}.') for o in found]
    return '\n'.join(parts), files.found


# ---- all of it

def meanings(root=ROOT):
    "{word of the glossary: what it says}"
    cells = [text(c['source']) for c in load(root/'nbs/lessons/glossary.ipynb')['cells']]
    return {m[1]: m[2].strip() for o in cells if (m := re.match(r'### (.+)\n\n(.+)', o))}


def every(root=ROOT, page_folder=None):
    "{file: text or bytes} of the site"
    api, public = api_pages(root), names.public(names.modules(root))
    pages, files = lesson_pages(public, root)
    pages |= api
    body, found = gallery(page_folder, root)
    pages |= {'gallery.html': ('Gallery', body, ''), 'index.html': ('Home', home(public, root), ''),
        'guide.html': ('Guide', guide(public, root), '')}
    site = {name: whole(name, title, body, side, root) for name, (title, body, side) in pages.items()}
    listed = [dict(title=title, url=name, text=plain(body)[:4000]) for name, (title, body, _) in pages.items()
        if not name.endswith('_solutions.html')]
    listed += [dict(title=name, url=f'api/{module}.html#{name}', text=f'style_nb.{module}')
        for name, module in public.items()]
    listed += [dict(title=word, url=f'lessons/glossary.html#{notebook_anchor(word)}', text=f'Glossary: {said}')
        for word, said in meanings(root).items()]
    style = HtmlFormatter(style='default').get_style_defs('pre')
    dark = HtmlFormatter(style='github-dark').get_style_defs('pre')
    dark = re.sub(r'^pre \{.*$', '', dark, flags=re.M)
    looks = re.sub(r'^pre \{.*$', '', style, flags=re.M) + f'\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n'
    pictures = [*(root/'nbs/images').iterdir(), *(root/'bench/results'/name for _, name, _ in SHEETS)]
    files |= {f'images/{o.name}': o.read_bytes() for o in pictures}
    for o in ('style.css', 'search.js'): files[o] = (LOOKS/o).read_text(encoding='utf-8')
    return site | files | found | {'search.json': json.dumps(listed, ensure_ascii=False), 'code.css': looks}


class Links(HTMLParser):
    "The links and the places of a page"
    def __init__(self, words):
        super().__init__()
        self.urls, self.places = [], set()
        self.feed(words)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.urls += [attrs[o] for o in ('href', 'src') if attrs.get(o)]
        if 'id' in attrs: self.places.add(attrs['id'])


def dead(site, there=()):
    "Links of a site, {file: text or bytes}, that lead nowhere; `there` are files it does not hold"
    read = {name: Links(words) for name, words in site.items() if name.endswith('.html')}
    for name, found in read.items():
        for url in found.urls:
            if urlparse(url).scheme: continue
            file, _, place = unquote(url).partition('#')
            to = posixpath.normpath(posixpath.join(posixpath.dirname(name), file)) if file else name
            if to not in site and to not in there: yield f'{name} links to {url}: there is no such file'
            elif place and to in read and place not in read[to].places:
                yield f'{name} links to {url}: there is no such place'


def build(out, page_folder=None, root=ROOT):
    "Write the site into `out`; its dead links"
    site = every(root, page_folder)
    shutil.rmtree(out, ignore_errors=True)
    for name, words in site.items():
        path = Path(out)/name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(words if isinstance(words, bytes) else words.encode())
    if page_folder: shutil.copytree(page_folder, Path(out)/'page')
    return list(dead(site, {'page/index.html'} if page_folder else ()))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=ROOT/'build/site')
    parser.add_argument('--page', type=Path, help='the folder that `make page` has built')
    args = parser.parse_args(argv)
    found = build(args.out, args.page)
    print('\n'.join(found) or f'{args.out}: {sum(1 for _ in args.out.rglob("*.html"))} pages, no dead links')
    return bool(found)


if __name__ == '__main__': sys.exit(main())
