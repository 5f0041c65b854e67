"""The figure of "what you see, which knob mends it": runs lesson 15 as a reader would and writes its pairs. Run from
the repository's root:

    python bench/mending.py     nbs/images/mending.jpg, about three minutes
"""
import ast, io, json
from pathlib import Path
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent

def run_lesson(path):
    "Names of a lesson after its cells; those with sliders or exercises are left out."
    names = {}
    for c in json.loads(path.read_text(encoding='utf-8'))['cells']:
        source = ''.join(c['source'])
        if c['cell_type'] == 'code' and not c['metadata'].get('tags') and 'panel' not in source:
            exec(compile(ast.parse(source), path.name, 'exec'), names)
        if len(names.get('pairs', ())) == 8: return names

if __name__ == '__main__':
    from style_nb.pictures import Plate
    pairs = run_lesson(ROOT/'nbs/lessons/15_mending.ipynb')['pairs']
    fig = Plate(figsize=(9.6, 9.2), layout='constrained', dpi=100)
    axs = fig.subplots(4, 4).ravel()
    for ax, (p, t, colour) in zip(axs, [o for n, (b, a, k) in pairs.items() for o in ((b, n, 'C3'), (a, k, 'C2'))]):
        ax.imshow(p if isinstance(p, Image.Image) else p[0].permute(1, 2, 0))
        ax.axis('off')
        ax.set_title(t, fontsize=11, color=colour, fontweight='bold')
    f = io.BytesIO()
    fig.savefig(f, format='png')
    im = Image.open(f).convert('RGB')
    quality = 85
    while True:
        f = io.BytesIO()
        im.save(f, 'JPEG', quality=quality, optimize=True)
        if len(f.getvalue()) < 148_000: break
        quality -= 5
    (ROOT/'nbs/images/mending.jpg').write_bytes(f.getvalue())
    print(f'{len(f.getvalue())//1024} KB at quality {quality}, {im.size}')
