"What a reader gets who asks for documentation"
import inspect
from dataclasses import fields
import pytest
from fastcore.docments import docments
import style_nb.all as public
from style_nb.recipe import Recipe, recipe_table

CALLABLES = [n for n in public.__all__ if callable(getattr(public, n))]

@pytest.mark.parametrize('name', CALLABLES)
def test_every_parameter_has_a_text(name):
    "Of every public name, `*` and `**` and what is returned left out"
    what = getattr(public, name)
    texts = docments(what, returns=False)
    kinds = {p.name: p.kind for p in inspect.signature(what).parameters.values()}
    several = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    assert [n for n, text in texts.items() if n != 'self' and kinds.get(n) not in several and not text] == []

def test_every_field_has_a_rule_and_a_text():
    texts = docments(Recipe)
    assert [f.name for f in fields(Recipe) if not texts[f.name] or 'rule' not in f.metadata] == []
    assert all(f.metadata['rule'].allowed for f in fields(Recipe))
    assert set(recipe_table().index) == {f.name for f in fields(Recipe) if f.compare}


# rooms that were divided, and a name of each part
DIVIDED = {
    'callbacks': ['lbfgs', 'LBFGS', 'Guard', 'Average'],
    'cli': ['FIGURES', 'recipe_of', 'recipe_words', 'run_stylize'],
    'encoders': ['AvgPool', 'Chain', 'MirrorConv', 'POOLINGS'],
    'explorers': ['BRUSH', 'DrawnMasks', 'pad_html'],
    'fitting': ['Crops', 'read_pictures', 'split_pictures'],
    'learner': ['Picture', 'FeatureHooks', 'picture_learner'],
    'recipe': ['Recipe', 'setting', 'to_json', 'load_recipe'],
    'shrinking': ['keep_channels', 'likeness', 'solve_weights', 'WhiteSGD'],
    'transfer': ['Result', 'Shared', 'animate', 'load_state', 'settle_levels'],
}


@pytest.mark.parametrize('room', DIVIDED)
def test_a_divided_room_has_its_names(room):
    found = {}
    exec(f'from style_nb.{room} import *', found)
    assert not [name for name in DIVIDED[room] if name not in found]
