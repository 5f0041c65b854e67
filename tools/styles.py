"""Take down the stored styles of the package: the six paintings by its own hands, and works that museums gave away.

    python tools/styles.py FOLDER    holds the works named below, and credits.csv with title, creator, year, museum
"""
import csv
import sys
from pathlib import Path
from style_nb.encoders import DATA
from style_nb.gallery import sample
from style_nb.house import store_style, write_styles

OWN = ['swirls', 'dots', 'woodcut', 'ink', 'mosaic', 'facets']
WORKS = dict(
    bedroom='artic_28560',       # Van Gogh
    portrait='nga_106382',       # Van Gogh, himself
    footbridge='nga_74796',      # Monet
    parliament='nga_46523',      # Monet
    circus='metmuseum_437654',   # Seurat
    cloud='clevelandart_2020.106',  # Cross
    poplars='artic_8980',        # Kandinsky
    drama='nga_52397',           # Delaunay
    glass='nga_166491',          # Gris
    visit='nga_71239',           # Kirchner
    wave='artic_24645',          # Hokusai
    cove='nga_66431',            # Prendergast
)


def main(folder):
    with open(folder/'credits.csv', newline='', encoding='utf-8') as f:
        credits = {row['file']: row for row in csv.DictReader(f)}
    styles = [store_style(name, sample(name), credit='By a painting hand of style_nb') for name in OWN]
    for name, work in WORKS.items():
        row = credits[f'{work}.jpg']
        credit = f"{row['creator']}, {row['year']}; {row['museum']}, CC0"
        styles.append(store_style(name, folder/f'{work}.jpg', row['title'], credit))
    path = write_styles(styles, DATA/'styles.safetensors')
    print(f'{path.name}: {len(styles)} styles, {path.stat().st_size/1e3:.0f} kB')


if __name__ == '__main__':
    main(Path(sys.argv[1]))
