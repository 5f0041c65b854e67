"""The engine against its floor and against the textbook loop of reference.py, the figures of bench/README.md.

    python bench/engine.py step       seconds a step at 256, 432, 768 px: floor, engine and textbook loop, interleaved
    python bench/engine.py target     seconds until the objective is where the textbook loop is after 500 evaluations
    python bench/engine.py memory     peak memory of a run by size
    python bench/engine.py photos     24 million pixels at 432 px: memory at most and after, first step
    python bench/engine.py scaling    cost of a pixel from 256 to 1536 px, and of a layer
    python bench/engine.py start      import, first step
    python bench/engine.py look       how far a look drifts from 192 to 1024 px, enlarged and from scratch
    python bench/engine.py all        all of it; `--quick` does less of each

Each writes bench/results/TASK.json, prints its table, and draws bench/results/TASK.jpg. The floor is a forward and
backward pass of the encoder's slice (convolutions, ReLU, pooling, each a module; bf16 where the machine has it,
channels_last), from the sum of the deepest map. VGG-19 has seeded random weights, normalised: its shape is what
costs. Run it on an idle machine.
"""
import argparse, copy, functools, json, platform, statistics, subprocess, sys, tempfile, time
from pathlib import Path
import numpy as np
import torch
from PIL import Image
from fastai.callback.core import Callback, CancelFitException
import reference
from style_nb.callbacks import PRECISIONS, best_precision
from style_nb.encoders import CALIBRATION, ENCODERS, Encoder, calibrate, encoder, packaged, random_weights
from style_nb.gallery import sample
from style_nb.pictures import Plate, load_picture, resize, whole_file
from style_nb.recipe import named_recipe
from style_nb.planning import settle
from style_nb.transfer import run_transfer, transfer_learner

here = Path(__file__).parent/'results'
PAIRS = [('astronaut', 'swirls'), ('cat', 'dots'), ('coffee', 'woodcut'), ('rocket', 'swirls')]

@functools.lru_cache(None)
def make_encoder(kind):
    if kind in packaged(): return encoder(kind, padding='reflect')
    enc = random_weights(Encoder('vgg19', ENCODERS['vgg19'], padding='reflect'))
    calibrate(enc, [load_picture(sample(n), 192) for n in CALIBRATION])
    return enc.to(memory_format=torch.channels_last)

def recipe_for(kind, **settings):
    "The default recipe; for VGG-19 Gatys' five layers and content layer, unit-free"
    if kind in packaged(): return named_recipe('default', **dict(encoder=kind) | settings)
    return named_recipe('default', encoder='vgg19', style_weights={f'relu{i}_1': 1. for i in range(1, 6)},
        content_weights={'relu4_2': 1.}, **settings)

def machine():
    name = (next((l.split(':')[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name')),
        platform.processor()) if Path('/proc/cpuinfo').exists() else platform.processor())
    return dict(processor=name, threads=torch.get_num_threads(), torch=torch.__version__, precision=best_precision(),
        date=time.strftime('%Y-%m-%d'))

def pictures(pair, hw):
    "Content at (height, width), style as the pair has it"
    content = load_picture(sample(pair[0]))
    h, w = content.shape[-2:]
    ch, cw = min(h, round(w*hw[0]/hw[1])), min(w, round(h*hw[1]/hw[0]))
    t, l = (h - ch)//2, (w - cw)//2
    return resize(content[..., t:t+ch, l:l+cw], hw), load_picture(sample(pair[1]))

class Engine:
    "A run of ours that can be stepped a few at a time"
    def __init__(self, kind, content, style, **settings):
        r = recipe_for(kind, size=max(content.shape[-2:]), **settings)
        self.plan = settle(content, style, r, device='cpu', enc=make_encoder(kind))
        self.learn = transfer_learner(self.plan)

    def run(self, *cbs): return run_transfer(self.learn.add_cbs(cbs), self.plan)

class Interleave(Callback):
    "Times every step, and between two of them lets something else run"
    order = 90
    def __init__(self, other, every): self.other, self.every, self.seconds = other, every, []
    def before_batch(self): self.t = time.perf_counter()
    def after_step(self):
        self.seconds.append(time.perf_counter() - self.t)
        if len(self.seconds) % self.every == 0: self.other()

def floor(kind, hw, layers):
    "A function: seconds of one forward and backward of the slice"
    enc, dtype = make_encoder(kind), PRECISIONS[best_precision()]
    last = max(map(enc.layers.index, layers))
    chain = copy.deepcopy(enc.body[:last + 1]).to(dtype, memory_format=torch.channels_last)
    x = torch.rand(1, 3, *hw).to(dtype, memory_format=torch.channels_last).requires_grad_()
    def once():
        x.grad, t = None, time.perf_counter()
        chain(x).sum().backward()
        return time.perf_counter() - t
    return once

def step_task(args):
    rows = []
    for kind in args.kinds.split(','):
        for side in (256, 432) if args.quick else (256, 432, 768):
            hw = (side, side) if side == 256 else (side*3//4, side)
            content, style = pictures(PAIRS[0], hw)
            n = 10 if args.quick else 20
            engine = Engine(kind, content, style, steps=n + 5, levels=1)
            layers = [*engine.plan.recipe.content_weights, *engine.plan.recipe.style_weights]
            fl = floor(kind, hw, layers)
            for _ in range(2): fl()
            floors, books = [], []
            objective = reference.Objective(make_encoder(kind), engine.plan.recipe, content,
                resize(style, min(max(style.shape[-2:]), round(max(hw)*engine.plan.recipe.style_scale))))
            book = TextBook(objective, content)
            def other():
                floors.append(fl())
                books.append(book.step())
            inter = Interleave(other, 1)
            engine.run(inter)
            ours, floors, books = inter.seconds[5:], floors[5:], books[5:]
            rows.append(dict(encoder=kind, size=f'{hw[1]}x{hw[0]}', floor=min(floors), engine=min(ours),
                             textbook=min(books), floor_median=statistics.median(floors),
                             engine_median=statistics.median(ours), textbook_median=statistics.median(books),
                             ratio=min(ours)/min(floors), n=len(ours)))
            print(rows[-1], flush=True)
    write('step', rows)
    table(['encoder', 'size', 'floor ms', 'engine ms', 'engine / floor', 'textbook ms', 'textbook / engine'],
          [[r['encoder'], r['size'], ms(r['floor'], r['floor_median']), ms(r['engine'], r['engine_median']),
              f"{r['ratio']:.2f}", ms(r['textbook'], r['textbook_median']), f"{r['textbook']/r['engine']:.1f}"]
              for r in rows])
    labels = [f"{r['encoder']} {r['size']}" for r in rows]
    def draw(ax):
        for i, k in enumerate(('floor', 'engine', 'textbook')):
            ax.barh([j + .27*(1 - i) for j in range(len(rows))], [r[k+'_median']/r['floor_median'] for r in rows], .25,
                label=k)
        ax.set(yticks=range(len(rows)), yticklabels=labels, xlabel='a step over its floor, medians')
        ax.legend(frameon=False)
    plot('step', draw)

class TextBook:
    "The textbook loop, a step at a time"
    def __init__(self, objective, content):
        self.x, self.objective = content.clone().contiguous().requires_grad_(), objective
        self.opt = torch.optim.LBFGS([self.x], lr=1, max_iter=1, max_eval=1, history_size=100, tolerance_grad=0,
            tolerance_change=0)
    def step(self):
        t = time.perf_counter()
        def closure():
            self.opt.zero_grad()
            loss = self.objective(self.x)
            loss.backward()
            return loss
        self.opt.step(closure)
        return time.perf_counter() - t

class Reach(Callback):
    """Evaluates the full-resolution objective in fp32 at the last level, outside the clock, and ends the run when
    it is low enough"""
    order = 91
    def __init__(self, objective, goals, every=4):
        self.objective, self.goals, self.every, self.out, self.best, self.n = (objective, list(goals), every, 0.,
            float('inf'), 0)
    def before_fit(self): self.t0, self.seconds, self.trace = time.perf_counter(), {}, []
    def after_step(self):
        self.n += 1
        x = self.learn.picture_so_far()
        if tuple(x.shape[-2:]) != self.objective.hw or self.n % self.every: return
        t = time.perf_counter()
        with torch.no_grad(): v = float(self.objective(x))
        now = t - self.t0 - self.out
        self.best = min(self.best, v)
        self.trace.append((round(now, 2), v, self.n))
        for g in self.goals:
            if v <= g and g not in self.seconds: self.seconds[g] = now
        self.out += time.perf_counter() - t
        if len(self.seconds) == len(self.goals): raise CancelFitException

def target_task(args):
    rows, hw = [], (240, 320) if args.quick else (args.size*3//4, args.size)
    for kind in args.kinds.split(','):
        for pair in PAIRS[:2] if args.quick else PAIRS:
            content, style = pictures(pair, hw)
            r = recipe_for(kind)
            objective = reference.Objective(make_encoder(kind), r, content,
                resize(style, min(max(style.shape[-2:]), round(max(hw)*r.style_scale))))
            objective.hw = tuple(hw)
            goal, seconds, losses = book_result(args, objective, content, kind, pair, hw)
            reach, usual = Reach(objective, [1.05*goal, goal]), Reach(objective, [0.])
            Engine(kind, content, style, steps=args.steps, levels=1).run(reach)
            Engine(kind, content, style).run(usual)
            near, exact = (reach.seconds.get(g) for g in (1.05*goal, goal))
            rows.append(dict(encoder=kind, pair='+'.join(pair), size=f'{hw[1]}x{hw[0]}', textbook=seconds,
                             objective=goal, start=losses[0], near=near, exact=exact, best=reach.best,
                             default=usual.best, default_seconds=usual.trace[-1][0], trace=reach.trace, curve=losses))
            print({k: v for k, v in rows[-1].items() if k not in ('trace', 'curve')}, flush=True)
            write('target', rows)
    show = lambda t, base: '-' if t is None else f'{t:.1f} s, 1/{base/t:.1f}'
    table(['encoder', 'pair', 'textbook, 500 evaluations', 'its objective', 'engine, one level, to within 5%',
        'to the same value', "its best", 'default recipe: seconds, objective'],
          [[r['encoder'], f"{r['pair']}, {r['size']}", f"{r['textbook']:.0f} s", f"{r['objective']:.3f}",
              show(r['near'], r['textbook']), show(r['exact'], r['textbook']), f"{r['best']:.3f}",
              f"{r['default_seconds']:.0f} s, {r['default']:.3f}"] for r in rows])
    for kind in args.kinds.split(','):
        got = [r['textbook']/r['near'] if r['near'] else 0 for r in rows if r['encoder'] == kind]
        print(f'{kind}: within 5% at the median in 1/{statistics.median(got):.2f} of its time')
    def draw(ax):
        for i, r in enumerate(rows):
            ax.plot([r['textbook']*(j + 1)/len(r['curve']) for j in range(len(r['curve']))],
                [v/r['objective'] for v in r['curve']], f'C{i % 10}:', lw=1)
            ax.plot([t for t, _, _ in r['trace']], [v/r['objective'] for _, v, _ in r['trace']], f'C{i % 10}',
                label=f"{r['encoder']} {r['pair']}")
        ax.set(xscale='log', ylim=(.8, 3), xlabel="seconds; dotted: textbook, solid: engine's last level",
            ylabel='objective over the textbook\'s at 500')
        ax.legend(frameon=False, fontsize=7)
    plot('target', draw)

def book_result(args, objective, content, kind, pair, hw):
    "Objective, seconds and curve of the textbook loop; with --cached from an earlier run, for tuning"
    f = here/'cache'/f"{kind}_{'_'.join(pair)}_{hw[1]}.json"
    if args.cached and f.exists(): return json.loads(f.read_text())
    x, seconds, losses = reference.paint(objective, content, 500)
    with torch.no_grad(): goal = float(objective(x))
    f.parent.mkdir(parents=True, exist_ok=True)
    f.write_text(json.dumps([goal, seconds, losses]))
    return goal, seconds, losses

CHILD = '''
import sys, json, resource, time
sys.path.insert(0, {here!r})
t = time.perf_counter()
import engine
from style_nb.all import stylize
imported = time.perf_counter() - t
{body}
'''
def child(body):
    "Run `body` in a fresh interpreter; it prints one line of JSON"
    out = subprocess.run([sys.executable, '-c', CHILD.format(here=str(Path(__file__).parent), body=body)],
        capture_output=True, text=True)
    if out.returncode: sys.exit(out.stderr)
    return json.loads(out.stdout.strip().splitlines()[-1])

def memory_task(args):
    body = '''
content, style = engine.pictures(engine.PAIRS[0], ({h}, {w}))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024
engine.Engine({kind!r}, content, style, steps=4, levels=1).run()
print(json.dumps(dict(before=before, peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024)))'''
    rows = []
    for kind in args.kinds.split(','):
        for side in (256, 432, 768) if args.quick else (256, 432, 768, 1024, 1536):
            h, w = side*3//4, side
            got = child(body.format(h=h, w=w, kind=kind))
            rows.append(dict(encoder=kind, size=f'{w}x{h}', pixels=h*w, **got))
            print(rows[-1], flush=True)
    write('memory', rows)
    table(['encoder', 'size', 'before the run MB', 'peak MB', 'bytes a pixel'],
        [[r['encoder'], r['size'], f"{r['before']:.0f}", f"{r['peak']:.0f}",
            f"{(r['peak'] - r['before'])*2**20/r['pixels']:.0f}"] for r in rows])
    def draw(ax):
        for k in args.kinds.split(','):
            ax.loglog([r['pixels'] for r in rows if r['encoder'] == k],
                [r['peak'] - r['before'] for r in rows if r['encoder'] == k], 'o-', label=k)
        ax.set(xlabel='pixels', ylabel='peak above the start, MB')
        ax.legend(frameon=False)
    plot('memory', draw)

def photo(seed, form, w, h):
    "A picture file with the detail and noise of a photo, in a folder for temporary files"
    path = Path(tempfile.gettempdir())/f'style_nb_photo_{seed}_{w}x{h}.{form}'
    if path.exists(): return path
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
    values = np.asarray(small.resize((w, h), Image.BICUBIC), np.int16)
    noisy = (values + rng.integers(-6, 7, values.shape, dtype=np.int16)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(path)
    return path

def photos_task(args):
    body = '''
def held(what):
    for line in open('/proc/self/status'):
        if line.startswith(what): return int(line.split()[1])/1024
first = []
class First(engine.Callback):
    def after_batch(self): first.append(time.perf_counter())
before, got = held('VmRSS'), dict(peak=0., after=0.)
for _ in range(2):
    first.clear()
    begun = time.perf_counter()
    r = None
    r = stylize({content!r}, {style!r}, size=432, steps={steps}, cbs=[First()], progress=False)
    got = dict(peak=held('VmHWM') - before, after=held('VmRSS') - before, first=first[0] - begun)
print(json.dumps(dict(before=before, **got)))'''
    rows = []
    for form in ('jpg', 'png', 'webp', 'tif', 'bmp'):
        files = [str(photo(seed, form, 6000, 4000)) for seed in (1, 2)]
        got = child(body.format(content=files[0], style=files[1], steps=10 if args.quick else 100))
        rows.append(dict(format=form, **got))
        print(rows[-1], flush=True)
    write('photos', rows)
    table(['6000x4000', 'most above import, MB', 'after two runs, MB', 'first step of the second, s'],
        [[r['format'], f"{r['peak']:.0f}", f"{r['after']:.0f}", f"{r['first']:.2f}"] for r in rows])

def scaling_task(args):
    rows, sides = [], (256, 432, 768) if args.quick else (256, 432, 768, 1024, 1536)
    times = {side: [] for side in sides}
    for _ in range(2):  # once through all sizes, then again: a slow moment of the machine hits all alike
        for side in sides:
            content, style = pictures(PAIRS[0], (side, side))
            Engine('texnet', content, style, steps=8 if side > 1000 else 14,
                levels=1).run(one := Interleave(lambda: None, 1))
            times[side] += one.seconds[3:]
    for side, t in times.items():
        rows.append(dict(size=f'{side}x{side}', pixels=side*side, best=min(t), median=statistics.median(t)))
    layers = []
    content, style = pictures(PAIRS[0], (324, 432))
    for n in range(1, 6):
        engine = Engine('texnet', content, style, steps=12, levels=1, content_weights={'relu1_2': 1.},
            style_weights={f'relu{i}_1': 1. for i in range(1, n + 1)})
        engine.run(one := Interleave(lambda: None, 1))
        layers.append(dict(layers=f'relu1_1 .. relu{n}_1', best=min(one.seconds[3:]),
            median=statistics.median(one.seconds[3:])))
    write('scaling', dict(pixels=rows, layers=layers))
    table(['size', 'ms a step', 'ns a pixel'], [[r['size'], ms(r['best'], r['median']),
        f"{r['best']/r['pixels']*1e9:.0f}"] for r in rows])
    table(['style layers, 432x324', 'ms a step'], [[r['layers'], ms(r['best'], r['median'])] for r in layers])
    per = [r['best']/r['pixels'] for r in rows]
    print(f'dearest pixel over cheapest: {max(per)/min(per):.2f}')
    def draw(ax):
        ax.semilogx([r['pixels'] for r in rows], [r['best']/r['pixels']*1e9 for r in rows], 'o-')
        ax.set(xlabel='pixels', ylabel='ns a pixel and step', ylim=(0, None))
    plot('scaling', draw)

def look_task(args):
    "192 px, then 1024: enlarged, and with the same settings from scratch"
    from style_nb.enlarging import enlarge, fine_energy, look_drift
    from style_nb.transfer import stylize
    rows, small_side, side = [], 192, 512 if args.quick else 1024
    for c, s in [*PAIRS, ('astronaut', 'dots')][:2 if args.quick else 5]:
        content, style = (load_picture(sample(o)) for o in (c, s))
        small = stylize(content, style, size=small_side, progress=False)
        made = {'tied': enlarge(small, content, style, side, progress=False),
            'untied': stylize(content, style, size=side, progress=False)}
        row = dict(pair=f'{c}+{s}')
        for n, r in made.items():
            row |= ({f'{n} {k}': v for k, v in look_drift(r, small).items()} | {f'{n} fine': fine_energy(r, small_side),
                f'{n} seconds': float(r.history.seconds.iloc[-1])})
        rows.append(row)
        print({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
        for n, r in made.items(): r.save(here/f'look_{c}_{s}_{n}.png')
        write('look', rows)
    pair = lambda r, k, f: f"{r[f'tied {k}']*f:.3g} / {r[f'untied {k}']*f:.3g}"
    table(['pair, tied / untied', 'palette', 'structure', 'fine energy, thousandths', 'seconds'],
          [[r['pair'], pair(r, 'palette', 1), pair(r, 'structure', 1), pair(r, 'fine', 1e3), pair(r, 'seconds', 1)]
              for r in rows])
    for k in ('palette', 'structure', 'fine'):
        print(f'{k}: tied over untied, mean '
              f'{statistics.mean(r[f"tied {k}"] for r in rows)/statistics.mean(r[f"untied {k}"] for r in rows):.2f}, '
              f'worst {(min if k == "fine" else max)(r[f"tied {k}"]/r[f"untied {k}"] for r in rows):.2f}')

def start_task(args):
    body = '''
t = time.perf_counter()
pictures = [engine.load_picture(engine.sample(n)) for n in ('astronaut', 'swirls')]
r = stylize(*pictures, steps=1, levels=1, progress=False)
print(json.dumps(dict(imported=imported, first=time.perf_counter() - t)))'''
    got = [child(body) for _ in range(3)]
    rows = [dict(what='import style_nb.all, s', **spread([g['imported'] for g in got])),
        dict(what='pictures, encoder, targets and one step at 432 px, s', **spread([g['first'] for g in got]))]
    write('start', rows)
    table(['', 'median', 'least', 'most'], [[r['what'], f"{r['median']:.2f}", f"{r['least']:.2f}", f"{r['most']:.2f}"]
        for r in rows])

def spread(xs): return dict(median=statistics.median(xs), least=min(xs), most=max(xs))
def ms(best, median): return f'{best*1e3:.0f} ({median*1e3:.0f})'
def table(head, rows):
    print('\n| ' + ' | '.join(head) + ' |\n|' + '---|'*len(head))
    for r in rows: print('| ' + ' | '.join(map(str, r)) + ' |')
    print()
def write(name, rows):
    here.mkdir(exist_ok=True)
    with whole_file(here/f'{name}.json') as tmp:
        tmp.write_text(json.dumps(dict(machine=machine(), rows=rows), indent=1))
def plot(name, draw):
    fig = Plate(figsize=(6.4, 3.6), layout='constrained', dpi=100)
    ax = fig.subplots()
    draw(ax)
    ax.spines[['top', 'right']].set_visible(False)
    fig.savefig(here/f'{name}.jpg', facecolor='white')

TASKS = dict(step=step_task, target=target_task, memory=memory_task, photos=photos_task, scaling=scaling_task,
    start=start_task, look=look_task)
def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('task', choices=[*TASKS, 'all'])
    p.add_argument('--quick', action='store_true')
    p.add_argument('--cached', action='store_true', help='take the textbook runs of an earlier call')
    p.add_argument('--kinds', default='texnet,vgg19')
    p.add_argument('--size', type=int, default=432, help='of target, px')
    p.add_argument('--steps', type=int, default=500, help='most steps of the engine')
    args = p.parse_args()
    print(machine())
    for name in TASKS if args.task == 'all' else [args.task]: TASKS[name](args)

if __name__ == '__main__': main()
