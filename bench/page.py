"""Frames a second of the page that paints in a browser: headless Chromium, one thread, the moving scene.

    python bench/page.py [--page build/page] [--sizes 192,256,384] [--seconds 10]

The page must be built: make page. A frame is all of it: the scene drawn on a canvas and read back, the net, strength
mixed in, the picture put on a canvas. Run it on an idle machine; Chromium: CHROMIUM=path, else the one on the PATH.
"""
import argparse
import functools
import http.server
import os
import shutil
import statistics
import sys
import threading
from pathlib import Path
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get('CHROMIUM') or shutil.which('chromium') or shutil.which('google-chrome')
WARM = 3  # seconds, in which the browser compiles and the little pictures are painted
HEAD = '| size | frames/s | a frame, ms | net, ms | rest, ms |\n| --- | --- | --- | --- | --- |'


class Quiet(http.server.SimpleHTTPRequestHandler):
    "A plain file server without a log"
    def log_message(self, *args): pass


def serve(folder):
    "Serve a folder while the process runs; its address"
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f'http://127.0.0.1:{server.server_address[1]}/?test'


def measured(page, size, seconds):
    "Frames of `seconds` at a size: a second, and median ms of all and of the net"
    page.locator('#size').select_option(size)
    page.wait_for_timeout(1000*WARM)
    page.evaluate('styleNB.frames.length = 0')
    page.wait_for_timeout(1000*seconds)
    frames = page.evaluate('styleNB.frames')
    middle = {key: statistics.median(frame[key] for frame in frames) for key in ('all', 'net')}
    return len(frames)/seconds, middle['all'], middle['net']


def main():
    "Measure each size, print a row"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--page', type=Path, default=ROOT/'build/page')
    parser.add_argument('--sizes', default='256')
    parser.add_argument('--seconds', type=float, default=10)
    args = parser.parse_args()
    if not (args.page/'about.json').exists(): sys.exit(f'{args.page} is not a built page: make page')
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox', '--disable-gpu'])
        page = browser.new_page()
        page.goto(serve(args.page))
        page.locator('#rate b').wait_for(timeout=60_000)
        page.wait_for_timeout(1000*WARM)
        print(HEAD)
        for size in args.sizes.split(','):
            rate, whole, net = measured(page, size, args.seconds)
            print(f'| {size} | {rate:.1f} | {whole:.1f} | {net:.1f} | {whole - net:.1f} |', flush=True)
        browser.close()


if __name__ == '__main__': main()
