"What CONTRIBUTING says of adding a loss and a recipe: run as it stands there, and used by every door"
import re
from pathlib import Path
import numpy as np
import pytest
import torch
from style_nb import recipe, zoo
from style_nb.cli import main
from style_nb.pictures import save_picture
from style_nb.recipe import RECIPES, Recipe, recipe_card, rule_of
from style_nb.transfer import stylize

TEXT = (Path(__file__).parent.parent/'CONTRIBUTING.md').read_text(encoding='utf-8')


def example(kind):
    "The code below `A new loss takes N lines`, after a look at N"
    said, code = re.search(rf'A new {kind} takes (\d+) lines.*?```python\n(.*?)```', TEXT, re.S).groups()
    assert int(said) == len([line for line in code.splitlines() if line.strip()])
    return code


@pytest.fixture
def loss():
    exec(example('loss'), dict(vars(zoo)))
    yield zoo.STYLE_KINDS['means']
    del zoo.STYLE_KINDS['means']


@pytest.fixture
def soft():
    exec(example('recipe'), dict(vars(recipe)))
    yield RECIPES['soft']
    del RECIPES['soft']


@pytest.fixture
def small(): return dict(size=48, steps=8, levels=1, encoder='random', progress=False)


def test_a_new_loss_is_free_of_units(loss):
    maps = torch.rand(2, 1, 4, 6, 5)
    plain, louder = (float(loss(k*maps[0], loss.target(k*maps[1]))) for k in (1, 7))
    assert plain > 0 and abs(louder/plain - 1) < 1e-5


def test_a_new_loss_is_a_setting(loss, photo, painting, small, tmp_path):
    r = stylize(photo, painting, style_kind='means', **small)
    assert r.history.loss.iloc[-1] < .9*r.history.loss.iloc[0]
    assert Recipe.load(r.save(tmp_path/'a.png')).style_kind == 'means' and 'means' in rule_of('style_kind').allowed


def test_a_new_recipe_has_a_name(soft, photo, painting, small):
    assert (soft.style_weight, soft.tv_weight, soft.style_weights) == (4., 20., RECIPES['default'].style_weights)
    assert 'smooth strokes' in recipe_card('soft')
    mild, usual = (stylize(photo, painting, name, **small).image for name in ('soft', 'default'))
    assert not np.array_equal(np.asarray(mild), np.asarray(usual))


def test_both_on_the_command_line(loss, soft, photo, painting, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_picture(photo, 'photo.png')
    save_picture(painting, 'painting.png')
    words = 'stylize photo.png painting.png -o out.png --recipe soft --style-kind means --size 48 --steps 2 --levels 1'
    assert main(words.split()) == 0
    got = Recipe.load('out.png')
    assert (got.style_kind, got.style_weight, got.tv_weight) == ('means', 4., 20.)
