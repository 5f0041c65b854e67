"What a reader gets who asks for documentation"
import inspect
import re
import warnings
from dataclasses import fields
from pathlib import Path
import pytest
from fastcore.docments import docments
import style_nb.all as public
from style_nb.recipe import Recipe, recipe_table

# a name of the star import has to be documented, and so has one that it brought in 0.1.0
LEFT_OUT = """Average Controls ContentLoss Encoder EncoderPrecision FeatureHooks Guard LiveView LossTerm Picture
    Pyramid Result Shared Shares Snapshots StartLoss StyleLoss Sweep TVLoss Within at_fidelity band_distances
    barycentre best_match colour_distance colour_masks compatibility contact_sheet content_loss explore_contrast
    explore_gram explore_layers explore_reversion explore_tiles from_afar from_unit gradient_maps gram_errors
    granularity_sweep local_contrast mask_from_strokes masks_from_strokes match_histogram new_dark open_picture
    picture_learner plot_shares presence retrieval show_contrast sigmoid_contrast style_loss to_unit tones tv_loss
    under_paint""".split()
CONSTANTS = ['CONTENT_KINDS', 'ENCODERS', 'NOISES', 'STYLE_KINDS']


@pytest.fixture(scope='module')
def readme(): return (Path(__file__).parent.parent/'README.md').read_text(encoding='utf-8')


def test_the_readme_lists_the_names(readme):
    "Each name of the star import once, in the table of groups"
    table = readme.partition('## The names')[2].partition('\n## ')[0]
    rows = [line.split('|')[2] for line in table.splitlines() if line.startswith('|')][2:]
    assert sorted(re.findall(r'`(\w+)`', ' '.join(rows))) == sorted(public.__all__)
    assert len(public.__all__) <= 58


def test_the_readme_has_every_notebook(readme):
    "Each numbered notebook has one row in the map of modules, in their order"
    there = sorted(p.name for p in (Path(__file__).parent.parent/'nbs').glob('[0-9]*.ipynb'))
    assert re.findall(r'^\| \[[^]]+\]\((?:nbs/)?(\d\d_\w+\.ipynb)\) \|', readme, re.M) == there


@pytest.mark.parametrize('name', LEFT_OUT + CONSTANTS)
def test_a_name_left_out_is_found(name):
    "It says in one line where it is, and it is there"
    with pytest.warns(DeprecationWarning, match=rf'from style_nb\.\w+ import {name}$') as said:
        value = getattr(public, name)
    found = {}
    exec(str(said[0].message).partition(': ')[2], found)
    assert found[name] is value and said[0].filename == __file__


def test_a_name_that_never_was():
    with pytest.raises(AttributeError, match='no_such_name'): public.no_such_name
    with pytest.raises(ImportError, match='no_such_name'): exec('from style_nb.all import no_such_name')


CALLABLES = [n for n in [*public.__all__, *LEFT_OUT] if n not in ('RECIPES', 'TILED')]

@pytest.mark.parametrize('name', CALLABLES)
def test_every_parameter_has_a_text(name):
    "Of every public name, `*` and `**` and what is returned left out"
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
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
    'callbacks': ['lbfgs', 'LBFGS', 'Guard', 'Average', 'Stopped'],
    'clips': ['FrameStore', 'cuts', 'shots'],
    'cli': ['FIGURES', 'recipe_of', 'recipe_words', 'run_stylize'],
    'encoders': ['AvgPool', 'Chain', 'MirrorConv', 'POOLINGS'],
    'explorers': ['DrawnMasks', 'TINTS'],
    'fitting': ['Crops', 'read_pictures', 'split_pictures'],
    'pictures': ['in_range', 'one_of'],
    'learner': ['Picture', 'FeatureHooks', 'picture_learner'],
    'recipe': ['Recipe', 'setting', 'to_json', 'load_recipe'],
    'session': ['Remote', 'Given', 'given', 'FIELDS', 'EXTRAS', 'Leg', 'Session', 'give_back', 'leg_code', 'NOTE',
                'settings_of', 'Pin', 'differing', 'split_view', 'draw_curves', 'plot_curves'],
    'shrinking': ['keep_channels', 'likeness', 'solve_weights', 'WhiteSGD'],
    'studio': ['GREY', 'GRIDS', 'ladder', 'nested', 'typed', 'upload_button'],
    'transfer': ['Result', 'Shared', 'animate', 'load_state', 'settle_levels'],
    'widgets': ['Explorer', 'close_widgets', 'on_rerun', 'one_line'],
}


@pytest.mark.parametrize('room', DIVIDED)
def test_a_divided_room_has_its_names(room):
    found = {}
    exec(f'from style_nb.{room} import *', found)
    assert not [name for name in DIVIDED[room] if name not in found]
