"Reads settings.ini, the one source of this package's metadata and requirements."
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

here = Path(__file__).resolve().parent
config = ConfigParser(delimiters=['='])
config.read(here/'settings.ini', encoding='utf-8')
s = config['DEFAULT']
name = s['lib_name']
app, cluster, docs, export, film = (s[f'{extra}_requirements'].split()
    for extra in ('app', 'cluster', 'docs', 'export', 'film'))

setup(
    name=name, version=s['version'], description=s['description'], author=s['author'],
    license_expression=s['license_expression'], license_files=s['license_files'].split(),
    keywords=s['keywords'].split(),
    classifiers=s['classifiers'].strip().splitlines(),
    long_description=(here/'README.md').read_text(encoding='utf-8'), long_description_content_type='text/markdown',
    install_requires=s['requirements'].split(),
    extras_require={'app': app, 'cluster': cluster, 'docs': docs, 'export': export, 'film': film,
        'dev': s['dev_requirements'].split() + cluster + docs + export},
    entry_points={'console_scripts': s['console_scripts'].split(), 'nbdev': [f'{name}={name}._modidx:d']},
    packages=find_packages(include=[name, f'{name}.*']),
    include_package_data=False, package_data={name: ['data/**/*']}, zip_safe=False)
