"""How readable the house is, in figures. Run from the repository's root:

    python tools/house.py            the figures, beside their goals
    python tools/house.py --rooms    and a line for each room
"""
import argparse
import ast
import json
import statistics
from pathlib import Path

ROOT = Path(__file__).parent.parent
FUNCTIONS = ast.FunctionDef, ast.AsyncFunctionDef
BLOCKS = ast.Module, ast.ClassDef, *FUNCTIONS


def rooms(root=ROOT):
    "{name: source} of every exported module"
    return {p.stem: p.read_text() for p in sorted((root/'style_nb').glob('*.py')) if p.stem not in ('_modidx', 'all')}


def cells(root=ROOT):
    "{notebook: [(source, is it exported?)]} of the code cells"
    found = {}
    for path in sorted((root/'nbs').glob('[0-9]*.ipynb')):
        code = [''.join(c['source']) for c in json.loads(path.read_text())['cells'] if c['cell_type'] == 'code']
        found[path.stem] = [(s, s.lstrip().startswith('#| export')) for s in code]
    return found


def without_docstrings(tree):
    "A syntax tree whose docstrings are gone"
    for node in ast.walk(tree):
        if isinstance(node, BLOCKS) and node.body and isinstance(node.body[0], ast.Expr):
            if isinstance(getattr(node.body[0], 'value', None), ast.Constant) and isinstance(node.body[0].value.value,
                    str):
                node.body = node.body[1:]
    return tree


def count_nodes(source):
    "Nodes of a syntax tree without its docstrings"
    return sum(1 for _ in ast.walk(without_docstrings(ast.parse(source))))


def single_letters(tree):
    "Names of one letter, and all names: arguments, and whatever is read or set"
    names = ([n.id for n in ast.walk(tree) if isinstance(n, ast.Name)] + [a.arg for a in ast.walk(tree)
        if isinstance(a, ast.arg)])
    return sum(len(n) == 1 for n in names), len(names)


def private_imports(source):
    "Names with an underscore that a room takes from another"
    found = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ImportFrom)
        and (n.level or (n.module or '').startswith('style_nb'))]
    return [a.name for n in found for a in n.names if a.name.startswith('_') and not a.name.startswith('__')]


def exported_stretches(notebook):
    "Lines of exported code between two cells that run something"
    stretch, found = 0, []
    for source, exported in notebook:
        if exported:
            stretch += len([line for line in source.splitlines() if line.strip()])
        elif not source.lstrip().startswith('#| default_exp'):
            found.append(stretch)
            stretch = 0
    return [*found, stretch]


def figures(root=ROOT):
    "Every figure by its name"
    sources = rooms(root)
    lines = [line for s in sources.values() for line in s.splitlines() if line.strip()]
    functions = [ast.get_source_segment(s, n) for s in sources.values() for n in ast.walk(ast.parse(s))
        if isinstance(n, FUNCTIONS)]
    letters = [single_letters(ast.parse(s)) for s in sources.values()]
    notebooks = cells(root)
    exported = [s for nb in notebooks.values() for s, out in nb if out]
    stretches = {n: max(exported_stretches(nb)) for n, nb in notebooks.items()}
    sizes = {n: len([line for line in s.splitlines() if line.strip()]) for n, s in sources.items()}
    nodes = {n: count_nodes(s) for n, s in sources.items()}
    return {
        'lines': (len(lines), ''),
        'lines over 120 columns, %': (100*sum(len(x) > 120 for x in lines)/len(lines), 'at most 1'),
        'lines over 140 columns': (sum(len(x) > 140 for x in lines), '0'),
        'p95 of a line, columns': (sorted(map(len, lines))[int(.95*len(lines))], 'at most 110'),
        'median function, characters': (statistics.median(map(len, functions)), 'at most 250'),
        'names of one letter, %': (100*sum(a for a, _ in letters)/sum(b for _, b in letters), 'at most 28'),
        'exported cell, mean characters': (statistics.mean(map(len, exported)), 'at most 700'),
        'largest exported cell, characters': (max(map(len, exported)), 'the table of a recipe'),
        'longest exported stretch, lines': (max(stretches.values()), 'at most 100'),
        'nodes of the syntax trees': (sum(nodes.values()), ''),
        'densest room, nodes a line': (
            max(nodes[n]/sizes[n] for n in sizes), f'on average {sum(nodes.values())/sum(sizes.values()):.1f}'),
        'largest room, lines': (max(sizes.values()), 'at most 350'),
        'rooms over 350 lines': (sum(v > 350 for v in sizes.values()), '0'),
        'private names imported': (sum(len(private_imports(s)) for s in sources.values()), '0'),
    }


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rooms', action='store_true')
    args = parser.parse_args()
    for name, (value, goal) in figures().items():
        print(f'{name:<34}{value:10.1f}   {goal}'.replace('.0 ', '   '))
    if args.rooms:
        for name, source in rooms().items():
            lines = [line for line in source.splitlines() if line.strip()]
            nodes = count_nodes(source)
            print(f'{name:<14}{len(lines):6} lines {nodes:6} nodes {sum(len(x) > 120 for x in lines):4} wide')
