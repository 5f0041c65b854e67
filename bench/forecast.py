"""Forecasts beside what came: CPU seconds and peak memory of twelve runs that gave none of its factors.

Run from the repository's root:

    python bench/forecast.py              all of them, each in a process of its own; the machine is measured on the way
    python bench/forecast.py 3 7          only these
    STYLE_NB_WEIGHTS=FOLDER python bench/forecast.py    with the real VGG-16, of which three runs are

Wall time is printed too; it means something where nothing else runs.
"""
import argparse, json, os, subprocess, sys, tempfile, time

PX = 1300  # longer side of photo and paintings
LIST = [  # the 17th, written down before any of it was run; the ones before are in this file's history
    dict(size=340, steps=110),
    dict(size=640, steps=36, styles=2, masks=True),
    dict(size=980, steps=15, levels=1),
    dict(encoder='vgg16', size=460, steps=22),
    dict(encoder='texnet-small', size=900, steps=40),
    dict(optimizer='adam', size=560, steps=66),
    dict(style_kind='moments', size=660, steps=34),
    dict(size=1360, steps=5, levels=1, tile=480),
    dict(precision='fp32', size=460, steps=34, levels=2),
    dict(encoder='texnet-small', finish='texnet', finish_steps=9, size=740, steps=40),
    dict(style_scale=.7, size=640, steps=38),
    dict(encoder='vgg16', size=420, steps=28, styles=2, masks=True)]

def pictures(n):
    from style_nb.gallery import sample
    def large(name):
        im = sample(name)
        return im.resize([round(PX*side/max(im.size)) for side in im.size], 3)
    return large('cat'), [large(name) for name in ('swirls', 'dots')[:n]]

def asked(how):
    "Pictures and settings of a run"
    how = dict(how)
    content, styles = pictures(how.pop('styles', 1))
    if how.pop('masks', False):
        import numpy as np
        left = np.zeros((content.height, content.width))
        left[:, :content.width//2] = 1
        how['masks'] = [left, 1 - left]
    return content, styles, how

def peak():
    with open('/proc/self/status') as f: said = dict(line.split(':', 1) for line in f)
    return int(said['VmHWM'].split()[0])*1024

def tell(how):
    "Forecast, as JSON"
    from style_nb.transfer import forecast
    content, styles, how = asked(how)
    made = forecast(content, styles, **how)
    return dict(cpu=made.cpu_seconds, wall=made.seconds, peak=made.peak_bytes)

def paint(how):
    "Paint, and what it took, as JSON"
    from style_nb.footing import resident
    from style_nb.transfer import stylize
    content, styles, how = asked(how)
    with open('/proc/self/clear_refs', 'w') as f: f.write('5')  # the peak from now on
    before, cpu, wall = resident(), time.process_time(), time.perf_counter()
    stylize(content, styles, progress=False, **how)
    return dict(cpu=time.process_time() - cpu, wall=time.perf_counter() - wall, peak=peak() - before)

def child(task, how):
    out = subprocess.run([sys.executable, __file__, task, json.dumps(how)], capture_output=True, text=True)
    if out.returncode: raise SystemExit(out.stderr)
    return json.loads(out.stdout.splitlines()[-1])

def main(numbers, runs):
    good = 0
    print(f'{"":3} {"CPU s":>16} {"ratio":>6} {"MB":>13} {"ratio":>6} {"wall s":>12}   run', flush=True)
    for i in numbers or range(1, len(runs) + 1):
        how = runs[i - 1]
        told, came = child('tell', how), child('paint', how)
        time_ratio, peak_ratio = told['cpu']/came['cpu'], told['peak']/came['peak']
        fine = abs(time_ratio - 1) <= .25, abs(peak_ratio - 1) <= .2 or abs(told['peak'] - came['peak']) <= 2e8
        good += all(fine)
        words = ' '.join(f'{k}={v}' for k, v in how.items())
        print(f'{i:2}{" " if all(fine) else "!"} {told["cpu"]:7.1f} {came["cpu"]:8.1f} {time_ratio:6.2f} '
              f'{told["peak"]/1e6:6.0f} {came["peak"]/1e6:6.0f} {peak_ratio:6.2f} '
              f'{told["wall"]:5.1f} {came["wall"]:6.1f}   {words}', flush=True)
    print(f'{good} within 25% of the CPU seconds and 20% or 200 MB of the peak')

if __name__ == '__main__':
    if sys.argv[1:2] in (['tell'], ['paint']):
        print(json.dumps(dict(tell=tell, paint=paint)[sys.argv[1]](json.loads(sys.argv[2]))))
    else:
        with tempfile.TemporaryDirectory() as d:
            os.environ['XDG_CACHE_HOME'] = d
            parser = argparse.ArgumentParser()
            parser.add_argument('numbers', nargs='*', type=int)
            main(parser.parse_args().numbers, LIST)
