"Reads the public names of the package, and the comments beside their parameters, from its source: imports nothing."
import ast
import html
import io
import re
import tokenize
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ast.FunctionDef, ast.AsyncFunctionDef


@dataclass
class Parameter:
    "What a function takes, a class keeps, or comes back"
    name: str
    kind: str
    default: str
    text: str


@dataclass
class Name:
    "A public name, with what `help` would say of it"
    name: str
    kind: str
    signature: str
    doc: str
    parameters: list
    parts: list


@dataclass
class Module:
    "The public names of a module, in the order of its `__all__`"
    summary: str
    names: list


def comments(source):
    "{line: its comment}, and a comment that goes on below is put together"
    found = {t.start[0]: t.string.lstrip('# ').strip() for t in tokenize.generate_tokens(io.StringIO(source).readline)
        if t.type == tokenize.COMMENT}
    alone = {n for n in found if source.splitlines()[n - 1].lstrip().startswith('#')}
    for n in sorted(alone, reverse=True):
        if n - 1 in found: found[n - 1] += ' ' + found.pop(n)
    return found


def words(node): return '' if node is None else ast.unparse(node)


def taken(fn, said):
    "The parameters of a function, and what it gives back"
    a = fn.args
    plain = [*a.posonlyargs, *a.args]
    defaults = dict(zip(plain[len(plain) - len(a.defaults):], a.defaults)) | dict(zip(a.kwonlyargs, a.kw_defaults))
    every = [(o.arg, o) for o in plain] + ([('*' + a.vararg.arg, a.vararg)] if a.vararg else [])
    every += [(o.arg, o) for o in a.kwonlyargs] + ([('**' + a.kwarg.arg, a.kwarg)] if a.kwarg else [])
    found = [Parameter(name, words(o.annotation), words(defaults.get(o)), said.get(o.end_lineno, ''))
        for name, o in every if name not in ('self', 'cls')]
    first, last = fn.lineno, fn.body[0].lineno
    back = [said[n] for n in range(first, last + 1) if n in said and n not in {o.end_lineno for _, o in every}]
    if fn.returns is None and not back: return found
    return found + [Parameter('returns', words(fn.returns), '', back[-1] if back else '')]


def signature(name, parameters):
    def one(o): return o.name + (f': {o.kind}' if o.kind else '') + (f'={o.default}' if o.default else '')
    back = next((f' -> {o.kind}' for o in parameters if o.name == 'returns' and o.kind), '')
    return f'{name}({", ".join(one(o) for o in parameters if o.name != "returns")}){back}'


def function(node, said):
    found = taken(node, said)
    return Name(node.name, 'function', signature(node.name, found), ast.get_docstring(node) or '', found, [])


def klass(node, said):
    methods = [o for o in node.body if isinstance(o, FUNCTIONS)]
    start = next((o for o in methods if o.name == '__init__'), None)
    kept = [o for o in node.body if isinstance(o, ast.AnnAssign) and isinstance(o.target, ast.Name)]
    fields = [Parameter(o.target.id, words(o.annotation), words(o.value), said.get(o.end_lineno) or
        said.get(o.lineno, '')) for o in kept]
    found = taken(start, said) if start else fields
    shown = [function(o, said) for o in methods if not o.name.startswith('_')]
    call = signature(node.name, [o for o in found if o.name != 'returns']) if start or fields else node.name
    return Name(node.name, 'class', call, ast.get_docstring(node) or '', found, shown)


def constant(name, node, said):
    value = words(node.value)
    value = value if len(value) <= 200 else value[:200] + ' ...'
    return Name(name, 'value', f'{name} = {value}', said.get(node.lineno, ''), [], [])


def listed(tree):
    "The names in `__all__`"
    for node in tree.body:
        if not isinstance(node, ast.Assign) or getattr(node.targets[0], 'id', '') != '__all__': continue
        return ast.literal_eval(node.value)
    return []


def module(path):
    "What a module has, from its file"
    source = path.read_text(encoding='utf-8')
    tree, said, there = ast.parse(source), comments(source), {}
    for node in tree.body:
        if isinstance(node, FUNCTIONS): there[node.name] = function(node, said)
        elif isinstance(node, ast.ClassDef): there[node.name] = klass(node, said)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                for o in target.elts if isinstance(target, ast.Tuple) else [target]:
                    if isinstance(o, ast.Name): there[o.id] = constant(o.id, node, said)
    names = [there.get(o) or Name(o, 'value', o, '', [], []) for o in listed(tree)]
    doc = (ast.get_docstring(tree) or '').partition('\n')[0]
    return Module(doc, names)


def modules(root=ROOT):
    "{name: Module} of the package, in the order of its notebooks"
    order = [p.stem[3:] for p in sorted((root/'nbs').glob('[0-9]*.ipynb'))]
    return {o: module(root/f'style_nb/{o}.py') for o in order if (root/f'style_nb/{o}.py').exists()}


def public(found):
    "{public name: its module}, and of one that two modules have the first"
    return {o.name: module for module, m in reversed(found.items()) for o in reversed(m.names)}


def table(parameters, render):
    def code(said): return f'<code>{html.escape(said)}</code>' if said else ''
    rows = ''.join(f'<tr><td>{code(o.name)}</td><td>{code(o.kind)}</td><td>{code(o.default)}</td>'
        f'<td>{inline(o.text, render)}</td></tr>' for o in parameters)
    return ('<div class="wide"><table class="parameters"><thead><tr><th>name</th><th>type</th><th>default</th>'
        f'<th>what it is</th></tr></thead><tbody>{rows}</tbody></table></div>') if parameters else ''


def inline(said, render): return re.sub(r'^<p>|</p>\s*$', '', render(said)) if said else ''


def as_html(name, render, within=''):
    "A name as a section of its module's page; `render` turns Markdown into HTML"
    place = f'{within}.{name.name}' if within else name.name
    level = 3 if within else 2
    kind = 'method' if within else name.kind
    heading = f'<h{level} id="{place}"><code>{place}</code> <small class="kind">{kind}</small>'
    body = f'{heading}</h{level}><div class="signature">{html.escape(name.signature)}</div>'
    body += render(name.doc) + table(name.parameters, render) + ''.join(as_html(o, render, place) for o in name.parts)
    return body if within else f'<section class="name">{body}</section>'
