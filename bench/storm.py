"""A thousand random clicks, drags and keys over a Studio or a desk in JupyterLab, in headless Chromium.

    python bench/storm.py --seed 1 --moves 1000              # the Studio
    python bench/storm.py --seed 1 --moves 300 --on revert   # or tile: a desk

The same seed makes the same moves, as far as the page is as quick. Something that goes wrong ends the storm with exit
code 1 and the last moves. In the end the picture is there, `Undo` works, the session can be opened again from disk, and
`close()` leaves no thread."""
import argparse, json, os, random, re, signal, sys, tempfile, threading, time
from pathlib import Path

root = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(root), str(root/'tests')]
SIZE = 96  # px, longer side of what is painted
MADE = dict(
    studio=f"it = Studio('astronaut', 'swirls', size={SIZE}, steps=100000)",
    revert=f"it = ReversionDesk(sample('swirls'), size={SIZE}, steps=30)",
    tile=f"it = TilingDesk(sample('cat'), size={SIZE}, steps=30)")
FIRST = '''import os
os.environ['STYLE_NB_SESSIONS'] = {sessions!r}
from style_nb.all import *
from style_nb.desks import ReversionDesk, TilingDesk
import comm, sys, ipywidgets
names, manager = {{}}, comm.get_comm_manager()
get, register = manager.get_comm, manager.register_comm
def register_comm(c):
    state = sys._getframe(1).f_locals.get('data') or {{}}
    names[c.comm_id] = str(state.get('state', ''))[:600]
    return register(c)
def get_comm(comm_id):
    if comm_id not in names: return manager.comms.get(comm_id)  # the page's own, which ipykernel asks for too early
    if comm_id not in manager.comms:
        known = sys._getframe(1).f_locals
        what = known.get('content') or known.get('msg', {{}}).get('content')
        print('late', what, 'for', names[comm_id], file=sys.stderr)
    return get(comm_id)
manager.get_comm, manager.register_comm = get_comm, register_comm
import faulthandler, signal
faulthandler.register(signal.SIGUSR1, file=open('{stacks}', 'w'))'''

# ---- what the kernel says, and what it is asked

# ipykernel's, when a page is reloaded; and ipywidgets', which gives such a page all widgets in one answer, and
# stumbles over one that is made meanwhile: the page then asks each widget by itself
OWN = re.compile("Task was destroyed|was never awaited|in get_manager_state|in _handle_control_comm_msg")

# JupyterLab's: a message of a page that is loaded again goes to a thread of the kernel that is there no more, and the
# page waits for its answer
LOST = re.compile('Unknown subshell_id')

def plain(text): return re.sub(r'\x1b\[[0-9;]*m', '', text)

class Kernel:
    "The kernel of a notebook: `.ask` gives what an expression is; `.bad` lists errors and what went to stderr."
    def __init__(self, connection_file):
        from jupyter_client import BlockingKernelClient
        self.asks, self.hears = BlockingKernelClient(), BlockingKernelClient()
        for client in (self.asks, self.hears):
            client.load_connection_file(str(connection_file))
            client.start_channels(stdin=False, hb=False)
        self.bad = []
        self.over = False
        self.thread = threading.Thread(target=self._hear, daemon=True)
        self.thread.start()

    def _hear(self):
        import queue
        while not self.over:
            try: m = self.hears.get_iopub_msg(timeout=.3)
            except queue.Empty: continue
            kind, what = m['msg_type'], m['content']
            if kind == 'error': self.bad.append('kernel: ' + plain('\n'.join(what['traceback']))[-3000:])
            if kind != 'stream' or what['name'] != 'stderr' or OWN.search(what['text']): continue
            self.bad.append('stderr: ' + plain(what['text'])[-1500:])

    def ask(self, expression, before='', timeout=120):
        "The value of an expression, told as JSON."
        said = {'it': f'__import__("json").dumps({expression})'}
        asked = self.asks.execute(before, silent=True, user_expressions=said)
        end = time.monotonic() + timeout
        while True:  # by the shell alone: a page that paints fills the other channel, and an end could be lost in it
            reply = self.asks.get_shell_msg(timeout=max(0, end - time.monotonic()))
            if reply['parent_header'].get('msg_id') == asked: break
        reply = reply['content']
        told = reply.get('user_expressions', {}).get('it', reply)
        if told['status'] != 'ok': raise AssertionError(f"{before}; {expression}: {told['ename']}: {told['evalue']}")
        return json.loads(eval(told['data']['text/plain']))

    def close(self):
        self.over = True
        self.thread.join()
        for client in (self.asks, self.hears): client.stop_channels()

# ---- moves

# kinds of parts on the page, how they are found, and how often one is taken
PARTS = dict(
    button=('.jupyter-button:not([disabled]):not(.sn-upload)', 8),
    zoom=('.sn-viewer-button', 2),
    upload=('.sn-upload', 1),
    tab=('.lm-TabBar-tab', 4),
    slider=('.noUi-target', 8),
    radio=('.widget-radio-box label', 4),
    menu=('select', 4),
    field=('input[type=text], input[type=number]', 3),
    tick=('.widget-checkbox input', 2),
    stage=('.sn-viewer-stage', 5),
    handle=('.sn-viewer-handle', 3),
    drop=('.sn-viewer-stage, .sn-of-style', 1),
    keys=('.sn-viewer-stage', 4),
)
ALONE = dict(start=6, undo=4, redo=2, pin=2, stop=1)  # buttons by their class, so much more often
TYPED = ('', '0', '1', '-3', '7', '40', '64', '1, 2', '0.5, abc', '1e9', 'nan', ',,', '  ', 'ä ö/ü', '<b>x</b>',
         'a'*90, 'studio.png', 'no/such/folder.png', 'other.json', '..')
KEYS = ('Tab', 'Tab', 'Shift+Tab', 'Enter', 'Space', 'Escape', 'ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown',
        'Home', 'End', 'PageUp', 'PageDown', 'b', '+', '-', '0', '1')

# the n-th visible part of a kind, brought into view: where it is, what it is called, how many there are
FIND = '''(root, [selector, n]) => {
  const seen = el => el.checkVisibility({visibilityProperty: true}) && el.getBoundingClientRect().width > 0;
  const all = [...root.querySelectorAll(selector)].filter(seen);
  if (!all.length) return null;
  const el = all[n % all.length];
  el.scrollIntoView({block: 'nearest', inline: 'nearest'});
  const {x, y, width, height} = el.getBoundingClientRect();
  const box = el.closest('[class*=" sn-"], [class^="sn-"]') || el;
  const own = [...box.classList].filter(c => /^sn-/.test(c) && !/-(page|tab|tabs|[0-9a-f]{12})$/.test(c)).join('.');
  return {x, y, width, height, own, text: (el.title || el.textContent || el.value || '').trim().slice(0, 40),
    options: el.options?.length || 0}
}'''
HELD = '''root => root.contains(document.activeElement) && !document.activeElement.closest('.sn-upload')'''
DROP = '''(root, [selector, n, name, type, bytes]) => {
  const all = [...root.querySelectorAll(selector)].filter(el => el.checkVisibility());
  const files = new DataTransfer();
  files.items.add(new File([Uint8Array.from(atob(bytes), c => c.charCodeAt(0))], name, {type}));
  for (const kind of ['dragover', 'drop'])
    all[n % all.length].dispatchEvent(new DragEvent(kind, {dataTransfer: files, bubbles: true, cancelable: true})) }'''

class Storm:
    "Random moves over a box of a page."
    def __init__(self,
        page,      # Playwright's
        box,       # Locator of the Studio or desk
        files,     # Paths of files to drop and upload, broken ones among them
        seed,      # Of the moves
        reload=None,  # What reloads the page, if it may
    ):
        self.page, self.box, self.files, self.reload = page, box, files, reload
        self.random = random.Random(seed)
        self.made = []  # (kind, what was done)
        page.on('filechooser', lambda chooser: chooser.set_files(self.random.choice(files)))
        page.on('dialog', lambda dialog: dialog.accept())

    def move(self):
        kinds = {k: often for k, (_, often) in PARTS.items()} | ALONE
        if self.reload: kinds['reload'] = .4
        kind, = self.random.choices([*kinds], [*kinds.values()])
        n = self.random.randrange(10**6)
        self.made.append([kind])
        if kind == 'reload':
            self.reload()
        elif kind == 'drop':
            self._drop(n)
        else:
            part = self.box.evaluate(FIND, [f'.sn-{kind}:not([disabled])' if kind in ALONE else PARTS[kind][0], n])
            if part is None: return
            self.made[-1] += [part['own'], part['text']]
            getattr(self, f'_{kind}', self._click)(part)

    def _note(self, *what): self.made[-1] += what

    def _at(self, part, share=None, up=None):
        "A point of a part."
        share, up = (self.random.uniform(.05, .95) if o is None else o for o in (share, up))
        return round(part['x'] + share*part['width']), round(part['y'] + up*part['height'])

    def _click(self, part):
        self.page.mouse.click(*self._at(part, .5, .5), click_count=self.random.choice([1, 1, 1, 1, 2]))

    def _drag(self, *ends):
        mouse = self.page.mouse
        mouse.move(*ends[0])
        mouse.down()
        for end in ends[1:]: mouse.move(*end, steps=3)
        mouse.up()

    def _slider(self, part):
        large = 'sn-size' in part['own']  # a large picture would only make it slow
        share = self.random.uniform(0, .3 if large else 1)
        key = self.random.choice(['', '', '', 'ArrowLeft', 'ArrowRight', 'Home', 'PageUp'])
        if key and not large:
            self.page.mouse.click(*self._at(part, share, .5))
            self.page.keyboard.press(key)
        elif self.random.random() < .5: self.page.mouse.click(*self._at(part, share, .5))
        else: self._drag(self._at(part, self.random.random(), .5), self._at(part, share, .5))
        self._note(round(share, 2), key)

    def _menu(self, part):
        self.page.mouse.move(*self._at(part, .5, .5))
        k = self.random.randrange(max(1, part['options']))
        self.page.evaluate('''([x, y, k]) => {
            const el = document.elementFromPoint(x, y)?.closest('select');
            if (!el) return;
            el.focus();
            el.selectedIndex = k;
            el.dispatchEvent(new Event('change', {bubbles: true})) }''', [*self._at(part, .5, .5), k])
        self._note(k)

    def _field(self, part):
        if 'code-text' in part['own']: return
        text = self.random.choice(TYPED)
        if 'grid' in part['own'] and text == '1e9': text = '4'
        self.page.mouse.click(*self._at(part, .7, .5), click_count=3)
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press(self.random.choice(['Enter', 'Tab']))
        self._note(text)

    def _tick(self, part): self._click(part)

    def _stage(self, part):
        what = self.random.choice(['drag', 'wheel', 'double', 'key', 'click'])
        self._note(what)
        if what == 'drag': return self._drag(*(self._at(part) for _ in range(3)))
        if what == 'double': return self.page.mouse.dblclick(*self._at(part))
        self.page.mouse.click(*self._at(part))
        if what == 'wheel':
            self.page.keyboard.down('Control')
            self.page.mouse.wheel(0, self.random.choice([-300, -60, 60, 300]))
            self.page.keyboard.up('Control')
        if what == 'key':
            self.box.evaluate('el => el.querySelector(".sn-viewer-stage").focus()')
            keys = self.random.choices(['b', '+', '-', '0', '1', 'ArrowLeft', 'ArrowUp'], k=4)
            for key in keys: self.page.keyboard.press(key)

    def _handle(self, part):
        self._drag(self._at(part, .5), *(self._at(part, self.random.uniform(-6, 6)) for _ in range(2)))
        key = self.random.choice(['', '', 'Home', 'End', 'ArrowLeft', 'PageUp'])
        if key: self.page.keyboard.press(key)

    def _keys(self, part):
        for key in self.random.choices(KEYS, k=5):
            if not self.box.evaluate(HELD): return  # what is outside hears keys too
            self.page.keyboard.press(key)
            self._note(key)

    def _drop(self, n):
        import base64, mimetypes
        path = self.random.choice(self.files)
        self._note(path.name)
        kind, data = mimetypes.guess_type(path.name)[0] or '', base64.b64encode(path.read_bytes()).decode()
        if self.box.evaluate(FIND, [PARTS['drop'][0], n]):
            self.box.evaluate(DROP, [PARTS['drop'][0], n, path.name, kind, data])

# ---- what must be so at any time

GONE = re.compile(  # what tornado says of a page that was reloaded
    r'(?m)^Task exception was never retrieved\n.*WebSocketClosedError.*(\n.*){1,20}?\n\S*WebSocketClosedError$')
RAW = re.compile(r'\b(?!StyleNBError)\w*(Error|Exception|Warning)\b')

def faults(page, box, kernel, log):
    "What is wrong now, in words."
    wrong = [*(b for b in page.bad if 'to activate' not in b), *kernel.bad]  # Lab itself, on a busy machine
    lines = GONE.sub('', log.read_text()).splitlines()
    bad = [i for i, l in enumerate(lines) if re.match(r'\[(E |\w+\] (ERROR|CRITICAL))|Traceback|.*No such comm', l)]
    if bad: wrong.append('server log:\n' + '\n'.join(lines[max(0, bad[0] - 2):bad[0] + 40]))
    said = ' '.join(box.locator('.sn-message, .widget-html-content').all_inner_texts())
    if RAW.search(said): wrong.append('the page says: ' + said[:2000])
    if page.locator('.jp-Dialog').count(): wrong.append('dialog: ' + page.locator('.jp-Dialog').inner_text())
    return wrong

def the_picture_is_there(box):
    "Has every viewer a picture that is as large as it looks?"
    return box.locator('.sn-viewer').evaluate_all('''els => els.filter(el => el.checkVisibility()).every(el => {
        const all = [...el.querySelectorAll('img.sn-viewer-picture, img.sn-viewer-other')];
        return all.some(im => im.complete && im.naturalWidth > 0 && im.getBoundingClientRect().width > 8) })''')

def blow(storm, kernel, log, moves, every=20, say=print):
    "Make moves, and look at everything from time to time; what is wrong ends it with the last moves."
    page, box = storm.page, storm.box
    def check():
        wrong = faults(page, box, kernel, log)
        if not the_picture_is_there(box):
            page.wait_for_timeout(1500)
            if not the_picture_is_there(box): wrong.append('no picture on the page')
        if wrong:
            last = '\n'.join(f'{len(storm.made) - 40 + i:5} {m}' for i, m in enumerate(storm.made[-40:]))
            raise AssertionError('\n'.join(map(str, wrong)) + f'\nThe last of {len(storm.made)} moves:\n{last}')
    try:
        for i in range(moves):
            storm.move()
            if i % every == every - 1: check()
            if i % 100 == 99: say(f'{i + 1} moves', flush=True)
    except AssertionError: raise
    except Exception as e:
        storm.made.append(['!', f'{type(e).__name__}: {e}'])
        check()
        raise
    page.wait_for_timeout(500)
    check()
    return check

def main():
    import test_browser as tb
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--moves', type=int, default=1000)
    p.add_argument('--on', choices=[*MADE], default='studio')
    p.add_argument('--no-reload', action='store_true', help='never reload the page')
    p.add_argument('--shot', help='PNG to write in the end, or when something goes wrong')
    args = p.parse_args()
    d = Path(tempfile.mkdtemp(prefix='storm'))
    for name in ('nb', 'home', 'files'): (d/name).mkdir()
    files = some_files(d/'files')
    first = FIRST.format(sessions=str(d/'sessions'), stacks=d/'stacks.txt')
    tb.write(d/'nb/storm.ipynb', [first, MADE[args.on] + '\nit', 'print("all ran")'])
    with tb.server('lab', d/'nb', d/'home') as (base, token), tb.chromium(1366, 900) as page:
        tb.open_notebook(page, base, token, 'storm.ipynb')
        page.locator('.jp-OutputArea-output', has_text='all ran').wait_for(timeout=300_000)
        page.keyboard.press('Control+B')
        page.locator('.jp-Notebook').click(position=dict(x=3, y=3))
        page.keyboard.press('Control+S')  # a page that is loaded again shows the outputs of the file
        tb.until(lambda: 'widget-view' in (d/'nb/storm.ipynb').read_text(), 60, 'the notebook is saved')
        ident = tb.sessions(base, token)[0]['kernel']['id']
        kernel = Kernel(d/f'home/run/kernel-{ident}.json')
        try: whole_storm(page, kernel, d, args, files)
        finally:
            if args.shot: page.screenshot(path=args.shot)
            kernel.close()

def some_files(d):
    "Files to drop and upload: two pictures, one that is broken, one that is none, an empty one."
    from PIL import Image
    Image.new('RGB', (120, 80), (90, 140, 60)).save(d/'green.png')
    Image.radial_gradient('L').convert('RGB').resize((90, 130)).save(d/'round.jpg')
    (d/'broken.jpg').write_bytes(b'not a picture')
    (d/'words.txt').write_text('words')
    (d/'empty.png').touch()
    (d/'recipe.json').write_text('{"settings": 3}')
    return sorted(d.glob('*'))

THREADS = ('[t.name for t in __import__("threading").enumerate() if t.name.startswith(("style_nb", "Thread-", "pin_"))'
           ' and t is not __import__("threading").main_thread()]')
MEMORY = 'int(open("/proc/self/statm").read().split()[1])*__import__("os").sysconf("SC_PAGE_SIZE")/2**20'

def whole_storm(page, kernel, d, args, files):
    "The storm, and what must be so after it."
    import test_browser as tb
    log, kind = d/'home/server.log', '.sn-studio' if args.on == 'studio' else '.sn-desk'
    box = page.locator(kind).last
    box.wait_for()
    tb.until(lambda: the_picture_is_there(box), 60)
    def reload():
        page.keyboard.press('Control+S')
        page.wait_for_timeout(400)
        page.reload()
        try: box.wait_for()
        except tb.playwright.TimeoutError:
            if not LOST.search(log.read_text()): raise AssertionError('loaded again, no page:\n' + stacks()) from None
            page.reload()
            box.wait_for()
        tb.until(lambda: the_picture_is_there(box), 60)
    pid = kernel.ask('__import__("os").getpid()')
    def stacks():
        "What the kernel's threads are at"
        os.kill(pid, signal.SIGUSR1)
        time.sleep(1)
        return (d/'stacks.txt').read_text()
    before, start = kernel.ask(MEMORY), time.perf_counter()
    threads = set(kernel.ask(THREADS, before='it.wait() if hasattr(it, "wait") else it.session.pause().wait()'))
    storm = Storm(page, box, files, args.seed, None if args.no_reload else reload)
    check = blow(storm, kernel, log, args.moves)
    print(f'{time.perf_counter() - start:.0f} s; {before:.0f} MB before, {kernel.ask(MEMORY):.0f} MB after')
    if args.on == 'studio': the_session_is_whole(page, box, kernel)
    check()
    kernel.ask('None', before='it.close()')
    tb.until(lambda: not page.locator(kind).count(), 30, 'it is still on the page')
    page.wait_for_timeout(500)
    left = [t for t in kernel.ask(THREADS) if t.startswith('style_nb')]
    print(f'threads: {sorted(threads)} before, {sorted(kernel.ask(THREADS))} after; {kernel.ask(MEMORY):.0f} MB closed')
    assert not left, left
    wrong = faults(page, page.locator('body'), kernel, log)
    assert not wrong, wrong

def the_session_is_whole(page, box, kernel, name='it'):
    "After a storm: pins are as many as there are, `Undo` works, the session can be opened again if it is kept."
    from test_browser import until
    ask = lambda what, before='': kernel.ask(what.replace('it.', f'{name}.'), before.replace('it.', f'{name}.'))
    before, now = None, ''
    while before != now:  # a busy kernel heeds the last moves late
        page.wait_for_timeout(1500)
        before, now = now, ask('[it.session.done, len(it.session.past.done), len(it.session.pins), it.session.note]',
            'it.session.pause().wait()')
    until(lambda: box.locator('.sn-pinned').count() == now[2], 10, 'pins and their boxes')
    box.locator('.lm-TabBar-tab').first.click()
    box.locator('.sn-pin').click()
    until(lambda: box.locator('.sn-pinned').count() == ask('len(it.session.pins)') == now[2] + 1, 30, 'Pin')
    before = ask('it.session.settings["tv_weight"]')
    ask('None', f'it.session.set(tv_weight={before + 1}); it.fill()')
    box.locator('.sn-undo').click()
    try: until(lambda: ask('it.session.settings["tv_weight"]') == before, 20)
    except AssertionError:
        past = "[it.session.note, it.session.state, [m.names for m in it.session.past.done[-3:]], it.message.value]"
        raise AssertionError(f"Undo did not bring {before} back: {ask(past)}") from None
    if not ask('bool(it.session.keeper)'): return
    same = ('[two.session.done == it.session.done, len(two.session.pins) == len(it.session.pins),'
            ' two.session.settings == it.session.settings]')
    told = ask(same, 'it.session.pause().wait(); it.session.keeper.save(); two = Studio.reopen()')
    assert told == [True]*3, told
    ask('None', 'two.close()')

if __name__ == '__main__':
    try: main()
    except AssertionError as e:
        print(f'{e}', file=sys.stderr)
        sys.exit(1)
