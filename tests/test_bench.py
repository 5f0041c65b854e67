"The benchmark measures what it says: both sides minimise the same, the clock runs for the engine alone"
import sys
from pathlib import Path
import pytest
from style_nb.encoders import encoder
from style_nb.pictures import load_picture, resize
from style_nb.recipe import named_recipe
from style_nb.transfer import stylize
sys.path.insert(0, str(Path(__file__).resolve().parent.parent/'bench'))

def test_the_textbook_loop_minimises_the_same(photo, painting):
    "Both sides of the benchmark start from the same objective, and the textbook loop lowers it"
    import reference
    r = named_recipe('default', init='content')
    c, s = load_picture(photo, 64), load_picture(painting)
    enc = encoder('texnet', padding='reflect')
    objective = reference.Objective(enc, r, c, resize(s, min(max(s.shape[-2:]), round(64*r.style_scale))))
    ours = stylize(c, s, r, size=64, steps=1, levels=1, precision='fp32', progress=False)
    assert float(objective(c)) == pytest.approx(ours.history.loss[0], rel=1e-4)
    x, seconds, losses = reference.paint(objective, c, 12)
    assert len(losses) == 12 and float(objective(x)) < .5*losses[0] and seconds > 0

def test_engine_is_stylize(photo, painting):
    "What the benchmark steps is the run that users get, and its clock stands still while others work"
    import engine, time
    content, style = load_picture(photo, 64), load_picture(painting)
    run = engine.Engine('texnet', content, style, steps=6, levels=1)
    slept = []
    inter = engine.Interleave(lambda: slept.append(time.sleep(.2)), 2)
    r = run.run(inter)
    whole = stylize(content, style, size=64, steps=6, levels=1, device='cpu', progress=False)
    assert r.image.tobytes() == whole.image.tobytes()
    assert len(inter.seconds) == 6 and len(slept) == 3 and sum(inter.seconds) < .2*3 + 2
    objective = engine.reference.Objective(engine.make_encoder('texnet'), run.plan.recipe, content, resize(style, 64))
    objective.hw = (64, 64)
    reach = engine.Reach(objective, [1e9, 0.], every=1)
    engine.Engine('texnet', content, style, steps=4, levels=1).run(reach)
    assert list(reach.seconds) == [1e9] and len(reach.trace) == 4 and reach.best > 0
    assert engine.floor('texnet', (64, 64), ['relu2_1'])() > 0
