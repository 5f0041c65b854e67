"Every notebook runs from its first cell to its last, each in a process of its own."
import json
from pathlib import Path
import pytest
from forked import Program

root = Path(__file__).resolve().parent.parent
NOTEBOOKS = [str(path.relative_to(root/'nbs').with_suffix('')) for path in sorted((root/'nbs').rglob('*.ipynb'))
    if '.ipynb_checkpoints' not in path.parts]
RUN = '''
import sys
from nbdev.config import get_config
from nbdev.test import test_nb
path, root = sys.argv[1:]
passed, seconds = test_nb(path, skip_flags=get_config(path).tst_flags.split(), basepath=root)
sys.exit(not passed)'''

def run(path):
    "How a notebook ended, and what it said of it"
    program = Program(RUN, path.parent, path, root)
    try: return program.ended(600), program.said(2)
    finally: program.kill()

@pytest.mark.parametrize('name', NOTEBOOKS)
def test_notebook(name):
    code, said = run(root/'nbs'/f'{name}.ipynb')
    if code: pytest.fail(f'nbdev-test nbs/{name}.ipynb ended with {code}:\n{said[-4000:]}', pytrace=False)

def test_a_cell_that_fails_is_told(tmp_path):
    "In a notebook that has one"
    cell = dict(cell_type='code', id='a', metadata={}, source=['assert 1 == 2, "they differ"'], outputs=[],
        execution_count=None)
    path = tmp_path/'wrong.ipynb'
    path.write_text(json.dumps(dict(cells=[cell], metadata={}, nbformat=4, nbformat_minor=5)))
    (tmp_path/'pyproject.toml').write_text((root/'pyproject.toml').read_text())
    code, said = run(path)
    assert code == 1 and 'they differ' in said
