"""Finds links inside the repository that lead nowhere: files, and places in them.

    python tools/links.py        every dead link of the notebooks and the Markdown files, one a line
"""
import json
import re
import sys
from pathlib import Path
from urllib.parse import unquote
from notebooks import elsewhere, link, notebooks, prose, text

ROOT = Path(__file__).resolve().parent.parent


def pages(root=ROOT):
    "Every notebook and Markdown file whose links are looked at"
    return [*notebooks(root/'nbs'), *sorted(root.glob('*.md')), *sorted(root.glob('*/*.md'))]


def parts(path):
    "The Markdown of a page, in pieces"
    if path.suffix != '.ipynb': return [path.read_text(encoding='utf-8')]
    book = json.loads(path.read_text(encoding='utf-8'))
    return [text(c['source']) for c in book['cells'] if c['cell_type'] == 'markdown']


def headings(markdown):
    "The headings of a Markdown text as they are read, without marks and links"
    for line in re.sub(r'^```.*?^```$', '', markdown, flags=re.M | re.S).splitlines():
        if m := re.match(r'#{1,6} +(.+?) *#*$', line): yield re.sub(r'[`*]|!?\[([^]]*)\]\([^)]*\)', r'\1', m[1])


def notebook_anchor(heading):
    "The place of a heading in Jupyter, nbviewer and on our site"
    return heading.replace(' ', '-')


def markdown_anchor(heading):
    "The place of a heading where a Markdown file is shown"
    return re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')


def anchors(path):
    "The places of a page that a link can lead to"
    name = notebook_anchor if path.suffix == '.ipynb' else markdown_anchor
    md = '\n\n'.join(parts(path))
    return {name(o) for o in headings(md)} | set(re.findall(r'\b(?:id|name)="([^"]+)"', md))


def targets(markdown):
    "What a Markdown text links to inside the repository: a file, with a place or without"
    for piece in prose(markdown)[::2]:
        for m in link.finditer(piece):
            if m[2].startswith('#') or not elsewhere(m[2]): yield unquote(m[2])


def dead(path, root=ROOT):
    "The links of a page that lead nowhere"
    for target in [o for md in parts(path) for o in targets(md)]:
        file, _, place = target.partition('#')
        there = (path.parent/file).resolve() if file else path
        if not there.exists(): yield f'{path.relative_to(root)} links to {target}: there is no such file'
        elif place and there.suffix in ('.md', '.ipynb') and place not in anchors(there):
            yield f'{path.relative_to(root)} links to {target}: there is no such heading'


def all_dead(root=ROOT): return [o for path in pages(root) for o in dead(path, root)]


if __name__ == '__main__':
    found = all_dead()
    print('\n'.join(found) or 'no dead links')
    sys.exit(bool(found))
