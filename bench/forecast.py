"""Forecasts beside what came: CPU seconds and peak memory of twelve runs that gave none of its factors.

Run from the repository's root:

    python bench/forecast.py              all of them, each in a process of its own; the machine is measured on the way
    python bench/forecast.py 3 7          only these
    python bench/forecast.py --list 9     twelve others, written down before any of them was run; --list 2 to 8 too
    STYLE_NB_WEIGHTS=FOLDER python bench/forecast.py    with the real VGG-16, of which three runs are

Wall time is printed too; it means something where nothing else runs.
"""
import argparse, json, os, subprocess, sys, tempfile, time

PX = 1300  # longer side of photo and paintings
LISTS = {}
LISTS[1] = [
    dict(size=240, steps=200),
    dict(size=400),
    dict(size=820, steps=40, levels=3),
    dict(size=1480, steps=5, levels=1),
    dict(encoder='texnet-small', size=1100, steps=30),
    dict(encoder='vgg16', size=540, steps=16),
    dict(encoder='vgg16', size=352, steps=8, levels=1, precision='fp32'),
    dict(optimizer='adam', size=680, steps=50),
    dict(size=620, steps=40, styles=2, masks=True),
    dict(style_kind='moments', size=540, steps=40),
    dict(size=1200, steps=4, levels=1, tile=320),
    dict(finish='vgg16', finish_steps=6, size=460, steps=50)]
LISTS[2] = [
    dict(size=300, steps=120, levels=2),
    dict(size=560, steps=60, styles=2, masks=True),
    dict(size=1000, steps=16, styles=2),
    dict(encoder='vgg16', size=640, steps=12, levels=1),
    dict(encoder='texnet-small', size=512, steps=100),
    dict(optimizer='adam', size=960, steps=30),
    dict(style_kind='covariance', size=720, steps=24),
    dict(size=1500, steps=4, levels=1, tile=384),
    dict(precision='fp32', size=640, steps=20),
    dict(encoder='texnet-small', finish='texnet', finish_steps=8, size=700, steps=40),
    dict(style_scale=.5, size=880, steps=24),
    dict(encoder='vgg16', size=400, steps=24, styles=2, masks=True)]
LISTS[3] = [
    dict(size=350, steps=90),
    dict(size=700, steps=30, styles=2, masks=True),
    dict(size=900, steps=20, levels=1),
    dict(encoder='vgg16', size=480, steps=16),
    dict(encoder='texnet-small', size=840, steps=40),
    dict(optimizer='adam', size=500, steps=80),
    dict(style_kind='moments', size=640, steps=30),
    dict(size=1340, steps=5, levels=1, tile=448),
    dict(precision='fp32', size=440, steps=40, levels=2),
    dict(encoder='texnet-small', finish='texnet', finish_steps=10, size=560, steps=60),
    dict(style_scale=1.5, size=600, steps=40),
    dict(size=520, steps=40, styles=2)]
LISTS[4] = [  # written down after list 3 had shown what was wrong with the cost of targets
    dict(size=320, steps=120),
    dict(size=760, steps=24, styles=2),
    dict(size=1040, steps=12, levels=2),
    dict(encoder='vgg16', size=512, steps=16, levels=2),
    dict(encoder='texnet-small', size=720, steps=60),
    dict(optimizer='adam', size=580, steps=60),
    dict(style_kind='covariance', size=560, steps=40),
    dict(size=1240, steps=6, levels=1, tile=512),
    dict(precision='fp32', size=500, steps=30),
    dict(encoder='texnet-small', finish='texnet', finish_steps=12, size=640, steps=50),
    dict(style_scale=.7, size=800, steps=30),
    dict(size=480, steps=60, styles=2, masks=True)]
LISTS[5] = [  # written down after list 4 had shown that a tiny run may fall into a slow second
    dict(size=300, steps=150),
    dict(size=820, steps=20, styles=2, masks=True),
    dict(size=960, steps=16, levels=1),
    dict(encoder='vgg16', size=440, steps=20),
    dict(encoder='texnet-small', size=900, steps=40),
    dict(optimizer='adam', size=620, steps=50),
    dict(style_kind='moments', size=500, steps=50),
    dict(size=1300, steps=6, levels=1, tile=400),
    dict(precision='fp32', size=560, steps=24, levels=2),
    dict(encoder='texnet-small', finish='texnet', finish_steps=8, size=600, steps=60),
    dict(style_scale=.6, size=720, steps=30),
    dict(size=540, steps=40, styles=2)]
LISTS[6] = [  # written down after list 5 had shown that a second tiny run of 192 or 256 px says too little
    dict(size=330, steps=110),
    dict(size=680, steps=30, styles=2, masks=True),
    dict(size=880, steps=20, levels=1),
    dict(encoder='vgg16', size=500, steps=18),
    dict(encoder='texnet-small', size=780, steps=50),
    dict(optimizer='adam', size=660, steps=50),
    dict(style_kind='covariance', size=620, steps=30),
    dict(size=1280, steps=5, levels=1, tile=480),
    dict(precision='fp32', size=480, steps=32, levels=2),
    dict(encoder='texnet-small', finish='texnet', finish_steps=10, size=620, steps=50),
    dict(style_scale=.8, size=700, steps=30),
    dict(encoder='vgg16', size=380, steps=30, styles=2, masks=True)]
LISTS[7] = [  # written down after list 6 had shown that one level leaves no gaps in memory; its factors are new
    dict(size=310, steps=130),
    dict(size=740, steps=26, styles=2, masks=True),
    dict(size=920, steps=18, levels=1),
    dict(encoder='vgg16', size=460, steps=20),
    dict(encoder='texnet-small', size=860, steps=44),
    dict(optimizer='adam', size=600, steps=60),
    dict(style_kind='moments', size=580, steps=40),
    dict(size=1360, steps=5, levels=1, tile=416),
    dict(precision='fp32', size=520, steps=28, levels=2),
    dict(encoder='texnet-small', finish='texnet', finish_steps=9, size=660, steps=50),
    dict(style_scale=1.2, size=640, steps=36),
    dict(size=500, steps=50, styles=2)]
LISTS[8] = [  # written down after list 7 had shown that each level costs something that has no size
    dict(size=290, steps=140),
    dict(size=720, steps=28, styles=2, masks=True),
    dict(size=940, steps=18, levels=1),
    dict(encoder='vgg16', size=520, steps=16),
    dict(encoder='texnet-small', size=820, steps=48),
    dict(optimizer='adam', size=540, steps=70),
    dict(style_kind='covariance', size=600, steps=36),
    dict(size=1320, steps=5, levels=1, tile=352),
    dict(precision='fp32', size=460, steps=36, levels=2),
    dict(encoder='texnet-small', finish='texnet', finish_steps=11, size=580, steps=56),
    dict(style_scale=.9, size=760, steps=28),
    dict(encoder='vgg16', size=360, steps=36, styles=2)]
LISTS[9] = [  # written down after list 8, when a usual step was 1.1 of the fastest instead of 1.05
    dict(size=340, steps=100),
    dict(size=780, steps=24, styles=2, masks=True),
    dict(size=980, steps=16, levels=1),
    dict(encoder='vgg16', size=480, steps=20),
    dict(encoder='texnet-small', size=880, steps=42),
    dict(optimizer='adam', size=640, steps=56),
    dict(style_kind='moments', size=560, steps=44),
    dict(size=1260, steps=6, levels=1, tile=448),
    dict(precision='fp32', size=540, steps=26, levels=2),
    dict(encoder='texnet-small', finish='texnet', finish_steps=10, size=640, steps=54),
    dict(style_scale=1.4, size=560, steps=44),
    dict(encoder='vgg16', size=420, steps=26, styles=2, masks=True)]

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
            parser.add_argument('--list', type=int, default=1, choices=LISTS)
            asked_for = parser.parse_args()
            main(asked_for.numbers, LISTS[asked_for.list])
