"""What axe-core, the usual checker of accessibility, finds on a page. It is MPL 2.0 and 600 kB, so it is not part
of this repository: npm fetches it, as for the page of `make page`, and keeps it in its cache; AXE=path/to/axe.min.js
names a copy."""
import functools, os, shutil, subprocess, tarfile, tempfile, warnings
from pathlib import Path

VERSION = '4.11.0'

@functools.cache
def script():
    "The text of axe.min.js, '' where it cannot be had"
    if os.environ.get('AXE'): return Path(os.environ['AXE']).read_text('utf-8')
    npm = shutil.which('npm')
    if npm is None: return missing('there is no npm: apt-get install npm')
    with tempfile.TemporaryDirectory() as d:
        done = subprocess.run([npm, 'pack', f'axe-core@{VERSION}', '--prefer-offline', '--fetch-retries=1',
            f'--pack-destination={d}'], cwd=d, capture_output=True, text=True)
        if done.returncode: return missing('npm could not fetch it: ' + done.stderr.strip()[-300:])
        with tarfile.open(next(Path(d).glob('*.tgz'))) as archive:
            return archive.extractfile('package/axe.min.js').read().decode()

def missing(why):
    warnings.warn(f'accessibility was not checked by axe-core, {why}', stacklevel=2)
    return ''

RUN = '''async where => (await axe.run(where, {resultTypes: ['violations']})).violations
  .filter(v => ['serious', 'critical'].includes(v.impact))
  .map(v => `${v.impact} ${v.id}: ` + v.nodes.slice(0, 3).map(n => n.html.slice(0, 200)).join(' | '))'''

def violations(page, where):
    "Serious and critical ones in the part of a page that a selector names, in words"
    if not script(): return []
    if not page.evaluate('Boolean(window.axe)'): page.evaluate(script())
    return page.evaluate(RUN, where)
