"Encoders: layers, where they stop, hooks, threads, pooling, padding, random and trained weights"
import copy, threading
from urllib.error import URLError
import numpy as np, pytest, torch, torch.nn as nn, torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torchvision.models.vgg import cfgs, make_layers
from torchvision.transforms import Normalize
from style_nb.encoders import *
from style_nb import encoders, layers as layer_room, vgg_files
from style_nb.encoders import WeightsNotFound
from style_nb.gallery import sample
from style_nb.pictures import load_picture

VGG16 = """conv1_1 relu1_1 conv1_2 relu1_2 pool1 conv2_1 relu2_1 conv2_2 relu2_2 pool2 conv3_1 relu3_1 conv3_2 relu3_2
    conv3_3 relu3_3 pool3 conv4_1 relu4_1 conv4_2 relu4_2 conv4_3 relu4_3 pool4
    conv5_1 relu5_1 conv5_2 relu5_2 conv5_3 relu5_3""".split()
VGG19 = """conv1_1 relu1_1 conv1_2 relu1_2 pool1 conv2_1 relu2_1 conv2_2 relu2_2 pool2
    conv3_1 relu3_1 conv3_2 relu3_2 conv3_3 relu3_3 conv3_4 relu3_4 pool3
    conv4_1 relu4_1 conv4_2 relu4_2 conv4_3 relu4_3 conv4_4 relu4_4 pool4
    conv5_1 relu5_1 conv5_2 relu5_2 conv5_3 relu5_3 conv5_4 relu5_4""".split()
TEXNET = [l for l in VGG16 if l not in ('relu5_2', 'relu5_3', 'conv5_2', 'conv5_3')]
LAYERS = dict(random=VGG19, vgg16=VGG16, vgg19=VGG19) | {n: TEXNET for n in packaged()}

@pytest.fixture(scope='module')
def x(): return load_picture(sample('coffee'), 48)

# ---- layers

@pytest.mark.parametrize('name', LAYERS)
def test_layer_names(name): assert layer_names(ENCODERS[name].depths) == LAYERS[name]

def test_every_encoder_of_the_table_is_tested(): assert set(ENCODERS) == set(LAYERS)

def test_layers_of_random(enc): assert enc.layers == VGG19 and list(enc(torch.rand(1, 3, 32, 32))) == VGG19

def test_shapes(enc):
    maps = enc(torch.rand(2, 3, 67, 50), ['relu1_2', 'pool1', 'relu3_1', 'relu5_4'])
    assert {l: tuple(m.shape) for l, m in maps.items()} == dict(relu1_2=(2, 32, 67, 50), pool1=(2, 32, 33, 25),
        relu3_1=(2, 128, 16, 12), relu5_4=(2, 256, 4, 3))

def test_asking_order_is_kept_and_changes_nothing(enc, x):
    a, b = enc(x, ['relu3_1', 'relu1_1', 'conv2_1']), enc(x, ['conv2_1', 'relu1_1', 'relu3_1'])
    assert list(a) == ['relu3_1', 'relu1_1', 'conv2_1'] and all(torch.equal(a[l], b[l]) for l in a)
    assert torch.equal(a['relu3_1'], enc(x, 'relu3_1')['relu3_1'])

def test_relu_does_not_overwrite_the_convolution(enc, x):
    m = enc(x, ['conv1_1', 'relu1_1'])
    assert m['conv1_1'].min() < 0 and torch.equal(m['conv1_1'].relu(), m['relu1_1'])

@pytest.mark.parametrize('layers', ['relu9_9', ['relu1_1', 'relu6_1'], 'Relu1_1', [3], [None], ''])
def test_unknown_layer(enc, refused, layers):
    for f in (lambda: enc(torch.rand(1, 3, 32, 32), layers), lambda: enc.slice(layers), lambda: enc.min_side(layers)):
        refused(f, "Unknown layer of encoder 'random'", 'choose one of', 'relu5_4')

def test_no_layer(enc, refused):
    for f in (lambda: enc(torch.rand(1, 3, 32, 32), []), lambda: enc.slice([]), lambda: enc.min_side([])):
        refused(f, 'layer')

def test_min_side(enc):
    assert [enc.min_side(l) for l in ('relu1_2', 'pool1', 'relu2_1', 'relu4_4', 'relu5_1')] == [2, 4, 4, 16, 32]
    assert (enc(torch.rand(1, 3, 32, 32), 'relu5_1')['relu5_1'].shape[-2:] == (2, 2)
        and enc.min_side(['relu5_1', 'relu1_1']) == 32)

# ---- stops, hooks, threads

@pytest.mark.parametrize('layers,n', [('relu1_1', 1), ('pool1', 2), (['relu2_1', 'relu1_1'], 3), ('conv3_1', 5),
    ('relu4_1', 9),
    (None, 16)])
def test_no_convolution_below_the_deepest_layer(enc, monkeypatch, layers, n):
    ran, one = [], layer_room._convolve
    monkeypatch.setattr(layer_room, '_convolve', lambda x, *a: (ran.append(1), one(x, *a))[1])
    enc(torch.rand(1, 3, 32, 32), layers)
    assert len(ran) == n

@pytest.mark.parametrize('padding', ['zero', 'reflect', 'circular'])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_one_pass_is_the_modules_one_by_one(x, padding, dtype):
    "Maps and gradients of a slice are those of its modules one by one"
    e = encoder('texnet', padding=padding).to(dtype, memory_format=torch.channels_last)
    plain, got = nn.Sequential(*e.body[:e.layers.index('relu3_1') + 1]), e.slice('relu3_1')
    assert bool(got.plan) == (padding != 'circular')
    maps, grads = [], []
    for chain in (plain, got):
        z = e.normalise(x).detach().requires_grad_()
        maps.append(chain(z))
        maps[-1].float().square().sum().backward()
        grads.append(z.grad.float())
    tol = 1e-5 if dtype == torch.float32 else 2e-2
    for a, b in (maps, grads): assert float((a.float() - b.float()).norm()/a.float().norm()) < tol

@pytest.mark.parametrize('padding', ['zero', 'reflect'])
@pytest.mark.parametrize('hw', [(21, 24), (22, 25), (23, 26), (24, 27)])
def test_packed_weights_change_nothing(padding, hw):
    "From the second picture of a size on; else a run that goes on, which starts without them, would be another"
    e = encoder('texnet-small', padding=padding).to(torch.bfloat16, memory_format=torch.channels_last)
    x, chain, maps, grads = torch.rand(1, 3, *hw), e.slice('relu2_2'), [], []
    for _ in range(3):
        z = x.clone().requires_grad_()
        maps.append(chain(e.normalise(z)))
        maps[-1].float().square().sum().backward()
        grads.append(z.grad)
    assert torch.equal(maps[0], maps[1]) and torch.equal(maps[1], maps[2])
    assert torch.equal(grads[0], grads[1]) and torch.equal(grads[1], grads[2])

@pytest.mark.parametrize('padding', ['zero', 'reflect'])
@pytest.mark.parametrize('w', range(4, 12))
def test_the_way_back_to_few_channels(padding, w):
    "Four places a line or one by one, whatever is left over of the last line"
    conv = layer_room.convolution(3, 8, padding).requires_grad_(False).to(memory_format=torch.channels_last)
    x, g = torch.rand(2, 3, 5, w), torch.rand(2, 8, 5, w).contiguous(memory_format=torch.channels_last)
    z = x.clone().requires_grad_()
    conv(z).backward(g)
    back = layer_room._convolve_back(g, conv, x.shape, torch.ops.mkldnn._convolution_pointwise,
        layer_room._packed(conv, x.shape, False)[1])
    assert back.shape == x.shape and torch.allclose(back, z.grad, atol=1e-5)

@pytest.mark.parametrize('h', range(2, 9))
@pytest.mark.parametrize('w', range(2, 9))
def test_a_mirrored_border_and_its_way_back(h, w):
    "At any size, whichever way it is laid out in memory"
    x = torch.rand(1, 4, h, w, dtype=torch.float64)
    z = x.clone().requires_grad_()
    want = F.pad(z, (1, 1, 1, 1), 'reflect')
    g = torch.rand_like(want)
    want.backward(g)
    for kind in (torch.contiguous_format, torch.channels_last):
        assert torch.equal(layer_room._mirrored(x.contiguous(memory_format=kind)), want)
        assert torch.allclose(layer_room._fold(g.clone(memory_format=kind)), z.grad)

@pytest.mark.parametrize('padding,pooling', [('zero', 'avg'), ('reflect', 'avg'), ('circular', 'avg'), ('reflect',
    'max')])
@pytest.mark.parametrize('layers', [['relu1_1', 'relu1_2', 'pool1', 'relu3_1'], ['conv1_1', 'conv2_2', 'relu2_2',
    'conv3_1'], ['conv1_1']])
def test_gradients_of_all_taps_together(padding, pooling, layers):
    "At odd sizes, from convolutions, ReLUs and pools, with a tap that the loss leaves out"
    e = encoder('texnet', pooling=pooling, padding=padding)
    for left_out in (None, layers[0]):
        if [left_out] == layers: continue
        grads = []
        for one_by_one in (False, True):
            x = torch.rand(1, 3, 21, 27, generator=torch.Generator().manual_seed(0)).requires_grad_()
            if one_by_one:
                maps, z = {}, e.normalise(x)
                for n in e.layers[:e.layers.index(layers[-1]) + 1]: maps[n] = z = e.body.get_submodule(n)(z)
            else: maps = e(x, layers)
            sum((i + 1)*maps[l].square().mean() for i, l in enumerate(layers) if l != left_out).backward()
            grads.append(x.grad)
        assert torch.allclose(*grads, rtol=1e-4, atol=1e-7) and float(grads[0].abs().max()) > 0

def hooks(enc):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in enc.modules())

def test_hooks_are_gone_after_use(enc, x):
    enc(x)
    assert hooks(enc) == 0
    with pytest.raises(RuntimeError): enc(torch.rand(1, 7, 32, 32), 'relu1_1')
    assert hooks(enc) == 0

def test_a_slice_shares_weights_but_not_hooks(enc):
    a, b = enc.slice('relu2_1'), enc.slice('relu2_1')
    h = a.relu2_1.register_forward_hook(lambda m, i, o: None)
    assert hooks(b) == hooks(enc) == 0 and a.plan[0][1] is b.plan[0][1] is enc.body[0]
    h.remove()

def test_two_threads_on_one_encoder(enc):
    pair = [torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(i)) for i in (0, 1)]
    jobs = list(zip(pair, [['relu1_1', 'relu3_1'], ['relu2_1', 'relu3_1']]))
    want = [enc(*j) for j in jobs]
    right, start = [0, 0], threading.Barrier(2)
    def work(i):
        start.wait()
        for _ in range(10): right[i] += all(torch.equal(m, want[i][l]) for l, m in enc(*jobs[i]).items())
    threads = [threading.Thread(target=work, args=(i,)) for i in (0, 1)]
    for t in threads: t.start()
    for t in threads: t.join()
    assert right == [10, 10] and hooks(enc) == 0

def test_frozen_but_the_picture_has_a_gradient(enc):
    z = torch.rand(1, 3, 32, 32, requires_grad=True)
    enc(z, 'relu3_1')['relu3_1'].sum().backward()
    assert (z.grad.abs().sum() > 0 and not any(p.requires_grad or p.grad is not None for p in enc.parameters())
        and not enc.training)

# ---- pooling and padding

def blocks(x): return np.stack([x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)])

@pytest.mark.parametrize('pooling,formula',
    [('max', lambda b: b.max(0)), ('avg', lambda b: b.mean(0)), ('l2', lambda b: ((b**2).mean(0) + 1e-6)**.5)])
def test_pooling(pooling, formula):
    m = encoder('random', pooling=pooling)(torch.rand(1, 3, 16, 16), ['relu1_2', 'pool1'])
    assert np.allclose(m['pool1'].numpy(), formula(blocks(m['relu1_2'].double().numpy())), rtol=1e-5, atol=1e-6)

@pytest.mark.parametrize('padding,mode', [('zero', 'constant'), ('reflect', 'reflect'), ('replicate', 'edge'),
    ('circular', 'wrap')])
def test_padding(padding, mode):
    e = encoder('random', padding=padding)
    x = torch.rand(1, 3, 6, 7)
    z, w, b = (o.double().numpy() for o in (e.normalise(x)[0], e.body[0].weight, e.body[0].bias))
    z = np.pad(z, ((0, 0), (1, 1), (1, 1)), mode)
    want = np.array([[(w*z[:, i:i+3, j:j+3]).sum((1, 2, 3)) + b for j in range(7)] for i in range(6)]).transpose(2, 0,
        1)
    assert np.allclose(e(x, 'conv1_1')['conv1_1'][0].numpy(), want, rtol=1e-4, atol=1e-5)

def test_circular_padding_moves_with_the_picture():
    e, x = encoder('random', padding='circular'), torch.rand(1, 3, 32, 32)
    moved, still = (e(o, 'relu3_1')['relu3_1'] for o in (x.roll((8, 16), (2, 3)), x))
    assert torch.allclose(moved, still.roll((2, 4), (2, 3)), atol=1e-4)

@pytest.mark.parametrize('kw,words', [(dict(name='vgg18'),
    ["Unknown encoder 'vgg18'", ', '.join(ENCODERS), 'Did you mean']),
    (dict(name=None), [', '.join(ENCODERS)]),
    (dict(pooling='mean'), ["Unknown pooling 'mean'", 'max, avg, l2']),
    (dict(padding='same'), ["Unknown padding 'same'", 'zero, reflect, replicate, circular'])])
def test_bad_choice(refused, kw, words): refused(lambda: encoder(**kw), *words)

# ---- random weights

def test_random_is_the_same_each_time(enc):
    again = encoder('random').state_dict()
    assert all(torch.equal(v, again[k]) for k, v in enc.state_dict().items())

def test_random_leaves_the_random_numbers_of_others_alone():
    torch.manual_seed(3)
    want = torch.rand(4)
    torch.manual_seed(3)
    encoder('random')
    assert torch.equal(torch.rand(4), want)

CHECKSUMS = dict(conv1_1=(.1630023, .04598833, -.3761276), conv2_1=(.09872308, .01585141, -.05529489),
    conv3_4=(.04004368, .002526731, -.01806911),
    conv5_4=(.02855831, .001286703, .02000646))  # mean size, mean square, the eighth

@pytest.mark.parametrize('layer', CHECKSUMS)
def test_random_weights_are_these(enc, layer):
    w = enc.body.get_submodule(layer).weight.double()
    assert ([w.abs().mean().item(), w.square().mean().item(), w.flatten()[7].item()] == pytest.approx(CHECKSUMS[layer],
        rel=1e-4))

MAPS = dict(relu1_1=(.442605, .684445), relu3_1=(.574554, 1.019179), relu5_1=(.394656, .558075))  # mean, deviation

def test_maps_of_random_are_these(enc):
    i, j = torch.meshgrid(torch.linspace(0, 1, 32), torch.linspace(0, 1, 48), indexing='ij')
    got = enc(torch.stack([i, j, (i*j).sqrt()])[None], list(MAPS))
    for l, m in got.items(): assert (m.mean().item(), m.std().item()) == pytest.approx(MAPS[l], rel=1e-3), l



def test_random_does_not_look_at_the_picture_to_normalise(enc, x):
    both = enc(torch.cat([x, torch.zeros_like(x)]), 'relu4_1')['relu4_1']
    assert torch.allclose(both[:1], enc(x, 'relu4_1')['relu4_1'], atol=1e-4)

def test_calibrate_gives_mean_0_and_deviation_1(x):
    e = random_weights(Encoder('toy', Shape('toy', (4, 8), (2, 1))), seed=5)
    consts = calibrate(e, [x, x.flip(1)])
    for l in ('conv1_1', 'conv1_2', 'conv2_1'):
        m = torch.cat([e(x, l)[l], e(x.flip(1), l)[l]]).transpose(0, 1).flatten(1)
        assert (m.mean(1).abs().max() < 1e-4 and (m.std(1) - 1).abs().max() < 1e-3
            and consts[l+'.mean'].shape == m[:, 0].shape)

def test_random_of_another_seed(tmp_path, x):
    "The file of constants says which weights they are for, and the digest knows the seed"
    write_constants(tmp_path/'a.safetensors', [x], seed=3)
    e = encoder('random', weights=tmp_path/'a.safetensors')
    want = random_weights(Encoder('random', ENCODERS['random']), seed=3)
    calibrate(want, [x])
    assert all(torch.equal(v, e.state_dict()[k]) for k, v in want.state_dict().items())
    m = e(x, 'conv4_1')['conv4_1'][0].flatten(1)
    assert m.mean(1).abs().max() < 1e-3 and (m.std(1) - 1).abs().max() < 1e-2
    save_file(load_file(tmp_path/'a.safetensors'), tmp_path/'b.safetensors', metadata=dict(seed='4'))
    assert (encoder('random', weights=tmp_path/'b.safetensors').digest != e.digest == encoder('random',
        weights=tmp_path/'a.safetensors').digest)

@pytest.mark.parametrize('make', [lambda p: None, lambda p: p.write_text('no weights'),
    lambda p: save_file({'a': torch.ones(2)}, p),
    lambda p: save_file({f'{l}.{k}': torch.ones(3) for l in VGG19 for k in ('mean', 'std')}, p)],
    ids=['missing', 'text', 'other names', 'other shape'])
def test_wrong_constants_for_random(tmp_path, refused, make):
    make(tmp_path/'w.safetensors')
    refused(lambda: encoder('random', weights=tmp_path/'w.safetensors'), 'w.safetensors')

# ---- trained weights: files in the forms of the real ones, filled with random numbers

FILES = dict(vgg16=('D', 'vgg16-397923af.pth'), vgg19=('E', 'vgg19-dcbb9e9d.pth'))

@pytest.fixture(scope='module')
def cache(tmp_path_factory):
    "A TORCH_HOME with a checkpoint of each VGG, and torchvision's own networks: (folder, {name: network})"
    home, nets = tmp_path_factory.mktemp('home'), {}
    (home/'hub/checkpoints').mkdir(parents=True)
    for name, (cfg, file) in FILES.items():
        torch.manual_seed(len(name) + ord(cfg))
        nets[name] = make_layers(cfgs[cfg]).eval().requires_grad_(False)
        for m in nets[name]:
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)
                nn.init.normal_(m.bias, std=.1)
        sd = {f'features.{k}': v for k, v in nets[name].state_dict().items()}
        if name == 'vgg16': sd |= {f'classifier.{i}.{k}': torch.zeros(2) for i in (0, 3, 6) for k in ('weight', 'bias')}
        torch.save(sd, home/'hub/checkpoints'/file)
    return home, nets

@pytest.fixture
def cached(cache, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(cache[0]))
    monkeypatch.delenv('STYLE_NB_WEIGHTS', raising=False)
    return cache[1]

def reference(net, z, names, layers):
    "Maps of torchvision's own chain, one pass"
    maps = {}
    for l, m in zip(names, net):
        z = m(z.clone())
        if l in layers: maps[l] = z
        if len(maps) == len(layers): return maps

def no_net(*args, **kwargs): raise URLError('no route to host')

def close(a, b, tol=1e-4): return (a - b).abs().max() <= tol*b.abs().max() and b.abs().max() > 0

NORM = Normalize([.485, .456, .406], [.229, .224, .225])

@pytest.mark.parametrize('name', FILES)
def test_vgg_is_torchvisions(cached, monkeypatch, x, name):
    monkeypatch.setattr(torch.hub, 'urlopen', no_net)
    e, layers = encoder(name, pooling='max', padding='zero'), ['conv1_1', 'relu1_2', 'pool1', 'relu2_1', 'relu3_1',
        'relu4_2',
        'relu5_1', 'relu5_3']
    assert e.layers == LAYERS[name]
    got, want = e(x, layers), reference(cached[name], NORM(x), LAYERS[name], layers)
    for l in layers: assert close(got[l], want[l]), l

def test_average_pooling_is_the_default_for_vgg(cached, x):
    e = encoder('vgg16')
    assert e.pooling == 'avg' and close(e(x, 'pool1')['pool1'], F.avg_pool2d(cached['vgg16'][:4](NORM(x)), 2))

def test_a_path_does_as_well(cached, cache, clean_env, x):
    e = encoder('vgg16', pooling='max', weights=cache[0]/'hub/checkpoints'/FILES['vgg16'][1])
    assert close(e(x, 'relu3_1')['relu3_1'], cached['vgg16'][:12](NORM(x)))

def test_a_safetensors_file_does_as_well(cached, tmp_path, x):
    save_file({f'features.{k}': v for k, v in cached['vgg16'].state_dict().items()}, tmp_path/'w.safetensors')
    assert close(encoder('vgg16', pooling='max', weights=tmp_path/'w.safetensors')(x, 'relu2_1')['relu2_1'],
        cached['vgg16'][:7](NORM(x)))

def bgr(x): return x.flip(1)*255 - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)

SCHEMES = dict(torchvision=lambda i, l: f'features.{i}', gatys=lambda i, l: l, bare=lambda i, l: str(i),
    parallel=lambda i, l: f'module.features.{i}',
    within=lambda i, l: f'module.vgg.{l}')

def renamed(net, name, scheme):
    "The state dict of a torchvision network under other names"
    ours = dict(zip([str(i) for i in range(len(net))], LAYERS[name]))
    return {f"{SCHEMES[scheme](k.split('.')[0], ours[k.split('.')[0]])}.{k.split('.')[1]}": v
        for k, v in net.state_dict().items()}

def as_caffe(net, kind, size=1.):
    "The same network as if made for Caffe's colours: tiny as Gatys' is, or with positive biases as the original"
    net = copy.deepcopy(net)
    if kind == 'tiny': net[0].weight.mul_(size/58)
    else: net[0].bias.abs_().add_(.3)
    return net

@pytest.mark.parametrize('name', FILES)
@pytest.mark.parametrize('scheme', SCHEMES)
def test_names_in_a_file(cached, tmp_path, x, name, scheme):
    "Whatever its tensors are called, a network is the same"
    torch.save(renamed(cached[name], name, scheme), tmp_path/'own.pth')
    e = encoder(name, pooling='max', weights=tmp_path/'own.pth')
    assert e.inputs == 'torchvision' and close(e(x, 'relu2_1')['relu2_1'], cached[name][:7](NORM(x)))

@pytest.mark.parametrize('wrap', [lambda sd: {'state_dict': sd, 'epoch': 3}, lambda sd: {'model': {'state_dict': sd}},
    lambda sd: sd | {'epoch': 3, 'classifier.0.weight': torch.ones(2, 2)}], ids=['state_dict', 'nested', 'more in it'])
@pytest.mark.parametrize('suffix', ['.pth', '.pt'])
def test_a_wrapped_state(cached, tmp_path, x, wrap, suffix):
    torch.save(wrap(renamed(cached['vgg16'], 'vgg16', 'parallel')), tmp_path/f'own{suffix}')
    assert close(encoder('vgg16', weights=tmp_path/f'own{suffix}')(x, 'relu1_2')['relu1_2'],
        cached['vgg16'][:4](NORM(x)))

def test_16_bits(cached, tmp_path, x):
    save_file({k: v.half() for k, v in renamed(cached['vgg16'], 'vgg16', 'gatys').items()}, tmp_path/'half.safetensors')
    e = encoder('vgg16', weights=tmp_path/'half.safetensors')
    assert (e.body[0].weight.dtype == torch.float32 and close(e(x, 'relu1_2')['relu1_2'], cached['vgg16'][:4](NORM(x)),
        1e-2))

@pytest.mark.parametrize('kind', ['tiny', 'positive'])
@pytest.mark.parametrize('name,scheme', [('vgg19', 'gatys'), ('vgg19', 'torchvision'), ('vgg16', 'bare')])
def test_a_caffe_file_is_known_by_its_first_layer(cached, tmp_path, x, name, scheme, kind, recwarn):
    net = as_caffe(cached[name], kind)
    torch.save(renamed(net, name, scheme), tmp_path/'holiday.pth')
    e = encoder(name, pooling='max', weights=tmp_path/'holiday.pth')
    got = e(x, ['relu1_1', 'relu3_1', 'relu5_1'])
    want = reference(net, bgr(x), LAYERS[name], list(got))
    assert e.inputs == 'caffe' and e.shape.weights == 'Caffe file' and not recwarn.list
    for l, m in got.items(): assert close(m, want[l]), l
    assert not close(got['relu1_1'], net[:2](NORM(x)), .1)

@pytest.mark.parametrize('file', ['vgg16-00b39a1b.pth', 'vgg16-397923af.pth', 'vgg_conv.pth'])
def test_the_name_of_a_file_says_nothing(cached, tmp_path, file):
    for net, inputs in ((cached['vgg16'], 'torchvision'), (as_caffe(cached['vgg16'], 'tiny'), 'caffe')):
        torch.save(renamed(net, 'vgg16', 'torchvision'), tmp_path/file)
        assert encoder('vgg16', weights=tmp_path/file).inputs == inputs

@pytest.mark.parametrize('turned', [False, True])
@pytest.mark.parametrize('rescaled', [False, True])
def test_the_original_is_known_by_its_colours(turned, rescaled):
    "Four of its filters tell, also after fine-tuning or rescaling of each filter, and tell BGR from RGB"
    g = torch.Generator().manual_seed(0)
    w = torch.randn(64, 3, 3, 3, generator=g)*.2
    for i, sums in vgg_files._OXFORD.items():
        w[i] += (torch.tensor(sums) - w[i].sum((1, 2)) + .05*torch.randn(3, generator=g))[:, None, None]/9
    if turned: w = w.flip(1)
    if rescaled: w = w*torch.rand(64, 1, 1, 1, generator=g)/40
    assert told_inputs(w, torch.zeros(64)) == ('caffe-rgb' if turned else 'caffe', True)

TORCHVISIONS = """.4034 .3778 .4644 -.3228 .3940 -.3953 .3951 -.5496 .2693 -.7602 -.3508 .2334 -1.3239 -.1694 .3938
    -.1026 .0460 -.6995 .1549 .5628 .3011 .3425 .1073 .4651 .1295 .0788 -.0492 -.5638 .1465 -.3890 -.0715 .0649 .2768
    .3279 .5682 -1.2640 -.8368 -.9485 .1358 .2727 .1841 -.5325 .3507 -.0827 -1.0248 -.6912 -.7711 .2612 .4033 -.4802
    -.3066 .5807 -1.3325 .4844 -.8160 .2386 .2300 .4979 .5553 .5230 -.2182 .0117 -.5516 .2108""".split()
ORIGINALS = """.7344 .0934 .0677 .8862 .2600 .6641 -.0158 .3250 .6860 .0625 .5815 .2362 .6968 .1945 .4858
    .4458""".split()

def test_biases_of_the_two_families(cached):
    "As printed from torchvision's VGG-16, and the first of those of the original"
    theirs, oxfords = (torch.tensor([float(o) for o in os]) for os in (TORCHVISIONS, ORIGINALS*4))
    assert told_inputs(cached['vgg16'][0].weight, theirs) == ('torchvision', True)
    assert told_inputs(cached['vgg16'][0].weight, oxfords) == ('caffe', True)

@pytest.mark.parametrize('size', [58/7, 58/16])
def test_a_first_layer_between_the_families(cached, tmp_path, refused, size):
    torch.save(renamed(as_caffe(cached['vgg16'], 'tiny', size), 'vgg16', 'gatys'), tmp_path/'own.pth')
    with pytest.warns(UserWarning, match="own.pth is read as .*one of torchvision, caffe, caffe-rgb") as seen:
        encoder('vgg16', weights=tmp_path/'own.pth')
    assert len(seen) == 1 and '\n' not in str(seen[0].message)

def test_inputs_said_are_not_guessed(cached, tmp_path, x, recwarn, refused):
    net = as_caffe(cached['vgg16'], 'tiny', 8.)
    torch.save(renamed(net, 'vgg16', 'gatys'), tmp_path/'own.pth')
    read = dict(torchvision=NORM(x), caffe=bgr(x)) | {'caffe-rgb': bgr(x).flip(1)}
    assert tuple(read) == INPUTS[1:]
    for inputs, z in read.items():
        e = encoder('vgg16', weights=tmp_path/'own.pth', inputs=inputs)
        assert e.inputs == inputs and close(e(x, 'relu1_2')['relu1_2'], net[:4](z))
    assert not recwarn.list
    refused(lambda: encoder('vgg16', weights=tmp_path/'own.pth', inputs='bgr'), "Unknown inputs 'bgr'",
        ', '.join(INPUTS))
    for n in ('random', *packaged()):
        refused(lambda: encoder(n, inputs='caffe'), f'{n} knows its own', 'vgg16 and vgg19')

# ---- trained weights that are not there, or not right

@pytest.mark.parametrize('name', FILES)
def test_neither_cache_nor_network(clean_env, refused, name):
    clean_env.setattr(torch.hub, 'urlopen', no_net)
    refused(lambda: encoder(name), f'weights of {name}', 'no route to host', FILES[name][1], 'checkpoints',
        "encoder='texnet' needs no file")
    with pytest.raises(WeightsNotFound): encoder(name)
    with pytest.raises(FileNotFoundError): encoder(name)

def test_closed_port(clean_env, refused):
    "The real loader, sent to a port where nobody listens"
    clean_env.setenv('https_proxy', 'http://127.0.0.1:9')
    clean_env.delenv('no_proxy')
    refused(lambda: encoder('vgg19'), "encoder='texnet' needs no file")

@pytest.mark.parametrize('data', [b'', b'not a checkpoint', None], ids=['empty', 'text', 'cut'])
def test_corrupt_cache(clean_env, tmp_path, refused, data):
    p = tmp_path/'torch_home/hub/checkpoints'/FILES['vgg19'][1]
    p.parent.mkdir(parents=True)
    if data is None:
        torch.save({'features.0.weight': torch.rand(64, 3, 3, 3)}, p)
        data = p.read_bytes()[:-200]
    p.write_bytes(data)
    refused(lambda: encoder('vgg19'), 'vgg19', 'cannot be read', 'delete', p.name)

@pytest.mark.parametrize('obj,words', [({'a': torch.ones(2)},
    ['no features.0.weight', 'features.0.weight', 'conv1_1.weight']),
    ({'state_dict': {}}, ['features.0.weight']),
    ([1, 2], ['own.pth']), (torch.ones(3), ['own.pth']), (None, ['own.pth']), ({'features.0.weight': 3}, ['own.pth'])])
def test_wrong_object(tmp_path, refused, obj, words):
    torch.save(obj, tmp_path/'own.pth')
    refused(lambda: encoder('vgg16', weights=tmp_path/'own.pth'), *words)

def test_whole_module_instead_of_a_state_dict(tmp_path, refused):
    torch.save(nn.Conv2d(3, 3, 3), tmp_path/'own.pth')
    refused(lambda: encoder('vgg16', weights=tmp_path/'own.pth'), 'own.pth', 'state dict')

def test_wrong_files(tmp_path, refused):
    (tmp_path/'text.pth').write_text('hello')
    (tmp_path/'text.safetensors').write_text('hello')
    (tmp_path/'folder.pth').mkdir()
    for f in ('text.pth', 'text.safetensors', 'folder.pth', 'none.pth'):
        refused(lambda: encoder('vgg16', weights=tmp_path/f), f, 'weights')

def test_the_other_vgg(cache, refused):
    for ours, theirs in (('vgg16', 'vgg19'), ('vgg19', 'vgg16')):
        words = f'{theirs.upper()[:3]}-{theirs[3:]}, not a {ours.upper()[:3]}-{ours[3:]}', f'say encoder {theirs!r}'
        refused(lambda: encoder(ours, weights=cache[0]/'hub/checkpoints'/FILES[theirs][1]), FILES[theirs][1], *words)

@pytest.mark.parametrize('scheme', SCHEMES)
def test_the_other_vgg_by_any_name(cached, tmp_path, refused, scheme):
    "With names such as conv1_1 a VGG-19 has all a VGG-16 needs, and more"
    torch.save(renamed(cached['vgg19'], 'vgg19', scheme), tmp_path/'own.pth')
    refused(lambda: encoder('vgg16', weights=tmp_path/'own.pth'), 'own.pth is a VGG-19, not a VGG-16',
        "say encoder 'vgg19'")

def test_wrong_shape_and_missing_bias(cached, tmp_path, refused):
    sd = {f'features.{k}': v for k, v in cached['vgg16'].state_dict().items()}
    torch.save(sd | {'features.0.weight': torch.rand(64, 4, 3, 3)}, tmp_path/'wide.pth')
    refused(lambda: encoder('vgg16', weights=tmp_path/'wide.pth'), 'wide.pth does not fit vgg16', 'conv1_1.weight')
    torch.save({k: v for k, v in sd.items() if k != 'features.2.bias'}, tmp_path/'bare.pth')
    refused(lambda: encoder('vgg16', weights=tmp_path/'bare.pth'), 'bare.pth', 'features.2.bias')

def test_wrong_shape_in_the_cache_is_named(clean_env, cached, tmp_path, refused):
    clean_env.setenv('TORCH_HOME', str(tmp_path))
    p = tmp_path/'hub/checkpoints'/FILES['vgg16'][1]
    p.parent.mkdir(parents=True)
    torch.save({f'features.{k}': v[:1] for k, v in cached['vgg16'].state_dict().items()}, p)
    refused(lambda: encoder('vgg16'), "torchvision's vgg16", 'conv1_1.weight')

# ---- mean pooling

@pytest.mark.parametrize('hw', [(8, 6), (7, 9), (8, 5), (2, 3)])
def test_avg_pool_is_torchs(hw):
    x = torch.randn(2, 3, *hw, dtype=torch.float64, requires_grad=True)
    y, want = AvgPool()(x), F.avg_pool2d(x, 2)
    w = torch.randn_like(want)
    assert torch.equal(y, want)
    assert torch.allclose(*(torch.autograd.grad((o*w).sum(), x)[0] for o in (y, want)))

@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('hw', [(8, 6), (7, 9), (2, 3)])
def test_halving_by_a_convolution_is_the_mean_pool(dtype, hw):
    x = torch.randn(2, 24, *hw, dtype=dtype).contiguous(memory_format=torch.channels_last)
    for fused in (True, None):
        assert torch.allclose(layer_room._halve(x, fused), F.avg_pool2d(x, 2),
            rtol=1e-2 if dtype == torch.bfloat16 else 1e-6, atol=1e-6)

def test_what_is_at_hand(clean_env, tmp_path):
    assert all(map(at_hand, packaged())) and at_hand('random') and not at_hand('vgg19')
    (tmp_path/'torch_home/hub/checkpoints').mkdir(parents=True)
    (tmp_path/'torch_home/hub/checkpoints/vgg19-dcbb9e9d.pth').touch()
    assert at_hand('vgg19') and not at_hand('vgg16')

# ---- a folder of the user's own files

@pytest.fixture
def folder(clean_env, tmp_path):
    "The folder that STYLE_NB_WEIGHTS names, empty, and no network"
    (tmp_path/'mine').mkdir()
    clean_env.setenv('STYLE_NB_WEIGHTS', str(tmp_path/'mine'))
    clean_env.setattr(torch.hub, 'urlopen', no_net)
    return tmp_path/'mine'

def states(net, name, n):
    "The same network `n` times, told apart by one number of its last bias"
    for i in range(n):
        sd = renamed(net, name, 'gatys')
        sd[f'{LAYERS[name][-2]}.bias'] = torch.full((512,), float(i + 1))
        yield sd

def which(name): return round(float(encoder(name).body[-2].bias[0]))

def test_a_file_by_its_bare_name_is_found_in_the_folder(cache, folder, refused):
    "A recipe keeps no more of a weights file than its name"
    torch.save(next(states(cache[1]['vgg16'], 'vgg16', 1)), folder/'painted_with.pth')
    assert encoder('vgg16', weights='painted_with.pth').body[-2].bias[0] == 1
    refused(lambda: encoder('vgg16', weights='other.pth'), 'There is no weights file other.pth', 'STYLE_NB_WEIGHTS',
        'encoder weights')

@pytest.mark.parametrize('name', FILES)
def test_a_folder_of_own_files(cache, folder, x, name):
    "Files called just so come first, .safetensors before .pth before .pt; then any whose name starts so"
    other, = set(FILES) - {name}
    names = [f'{name}_conv.pt', f'{name}-a.pth', f'{name}.pt', f'{name}.pth', f'{name}.safetensors']
    (folder/f'{name}_notes.txt').write_text('hello')
    torch.save({}, folder/f'{name}_bn.pth')
    torch.save({}, folder/f'my_{name}.pth')
    assert not at_hand(name)
    for i, (file, sd) in enumerate(zip(names, states(cache[1][name], name, len(names))), 1):
        (save_file if file.endswith('safetensors') else torch.save)(sd, folder/file)
        assert at_hand(name) and not at_hand(other) and which(name) == i, file
    assert close(encoder(name, pooling='max')(x, 'relu2_1')['relu2_1'], cache[1][name][:7](NORM(x)))

def test_own_files_come_before_the_cache_and_after_weights(cache, folder, clean_env):
    clean_env.setenv('TORCH_HOME', str(cache[0]))
    assert (at_hand('vgg16') and encoder('vgg16').digest == encoder('vgg16',
        weights=cache[0]/'hub/checkpoints'/FILES['vgg16'][1]).digest)
    kept = encoder('vgg16').digest
    torch.save(next(states(cache[1]['vgg16'], 'vgg16', 1)), folder/'VGG16.pth')
    assert encoder('vgg16').digest != kept
    assert encoder('vgg16', weights=cache[0]/'hub/checkpoints'/FILES['vgg16'][1]).digest == kept

def test_own_files_are_recognised_like_any_other(cache, folder, x, refused):
    net = as_caffe(cache[1]['vgg16'], 'positive')
    save_file(renamed(net, 'vgg16', 'gatys'), folder/'vgg16_conv.safetensors')
    e = encoder('vgg16', pooling='max')
    assert e.inputs == 'caffe' and close(e(x, 'relu1_2')['relu1_2'], net[:4](bgr(x)))
    assert encoder('vgg16', inputs='torchvision').inputs == 'torchvision'
    torch.save(renamed(cache[1]['vgg19'], 'vgg19', 'gatys'), folder/'vgg16.pth')
    (folder/'vgg16_conv.safetensors').unlink()
    refused(lambda: encoder('vgg16'), 'vgg16.pth is a VGG-19, not a VGG-16')
    (folder/'vgg16.pth').write_text('hello')
    refused(lambda: encoder('vgg16'), 'vgg16.pth is not a weights file')

def test_no_such_folder_of_own_files(folder, clean_env, refused):
    refused(lambda: encoder('vgg19'), 'STYLE_NB_WEIGHTS', 'weights of vgg19')
    for gone in (folder/'none', folder/'file'):
        (folder/'file').touch()
        clean_env.setenv('STYLE_NB_WEIGHTS', str(gone))
        refused(lambda: encoder('vgg19'), 'STYLE_NB_WEIGHTS names', 'which is no folder')
        with pytest.raises(WeightsNotFound): encoder('vgg16')
        assert not at_hand('vgg16') and at_hand('random')
    clean_env.setenv('STYLE_NB_WEIGHTS', '')
    refused(lambda: encoder('vgg19'), 'no route to host')

# ---- digests, and more than one encoder in the package

def test_digests(cached, tmp_path):
    "Each names the weights: the package's own, those of a file, and another once one number is another"
    for n in packaged(): assert encoder(n).digest == ENCODERS[n].sha256
    assert (len(encoder('random').digest) == 64 and encoder('random', padding='reflect',
        pooling='max').digest == encoder('random').digest)
    sd = renamed(cached['vgg16'], 'vgg16', 'gatys')
    found = []
    for i in (0, 0, 1):
        sd['conv5_3.bias'][0] += i
        torch.save(sd, tmp_path/f'{len(found)}.pth')
        found.append(encoder('vgg16', weights=tmp_path/f'{len(found)}.pth').digest)
    sd['conv5_3.bias'][0] -= 1
    assert found[0] == found[1] != found[2]

def test_a_digest_is_made_once_and_stays(cached, monkeypatch):
    e, made = encoder('vgg16'), []
    monkeypatch.setattr(encoders, 'weights_digest', lambda sd: made.append(1) or 'd')
    assert (e.digest, e.digest, e.to(torch.bfloat16).digest, made) == ('d', 'd', 'd', [1])

@pytest.fixture
def another(tmp_path, monkeypatch):
    "A second encoder in the package: a file, and a line in the table"
    e = random_weights(Encoder('texnet-small', Shape('small', (4, 6, 8), (1, 2, 1))))
    save_encoder(e, tmp_path/'texnet-small.safetensors', dict(objective='none'))
    state = read_encoder(tmp_path/'texnet-small.safetensors')[0]
    monkeypatch.setattr(encoders, 'DATA', tmp_path)
    monkeypatch.setitem(ENCODERS, 'texnet-small', Shape('a second one', (4, 6, 8), (1, 2, 1), weights='in the package',
        sha256=weights_digest(state)))
    return e

def test_a_second_encoder_is_a_line_in_the_table(another, x, refused):
    from style_nb.cli import list_encoders
    from style_nb.recipe import Recipe, nearest_layers
    e = encoder('texnet-small')
    assert (e.name, e.shape.widths, e.digest) == ('texnet-small', (4, 6, 8), ENCODERS['texnet-small'].sha256)
    assert close(e(x, 'relu2_2')['relu2_2'], another(x, 'relu2_2')['relu2_2'], 1e-2)
    assert ('texnet-small' in packaged() and at_hand('texnet-small')
        and encoder_card(name='texnet-small') == dict(objective='none'))
    assert 'texnet-small' in list_encoders() and nearest_layers({'relu2_9': 1.}, 'texnet-small') == {'relu2_2': 1.}
    refused(lambda: encoder('texnet-smal'), ', '.join(ENCODERS), "Did you mean 'texnet-small'?")
    refused(lambda: Recipe(encoder='texnet-small', content_weights='relu4_1'), "encoder 'texnet-small'", 'relu3_1')
    refused(lambda: encoder_card(name='vgg16'), "'vgg16'", ', '.join(packaged()))

def test_a_packaged_file_that_was_swapped(another, tmp_path, monkeypatch, refused):
    save_encoder(random_weights(another, seed=1), tmp_path/'texnet-small.safetensors', {})
    refused(lambda: encoder('texnet-small'), 'texnet-small.safetensors is damaged')
    assert (encoder('texnet-small',
        weights=tmp_path/'texnet-small.safetensors').digest != ENCODERS['texnet-small'].sha256)

# ---- weights changed by others, and files that are no good

def seen_twice(chain, enc, x):
    "The maps of a chain that has packed its weights, where the machine packs"
    for _ in range(3): y = chain(enc.normalise(x))
    return y

@pytest.mark.parametrize('change', [
    lambda w: w.data.mul_(2), lambda w: w.data[0, 0, 0].add_(1), lambda w: w.data.copy_(w.flip(1)),
    lambda w: setattr(w, 'data', w.data.clone()*3)])
def test_packed_weights_follow_a_change_of_data(x, change):
    enc = encoder('texnet-small', padding='reflect').to(torch.bfloat16)
    chain = enc.slice('relu2_1')
    before = seen_twice(chain, enc, x)
    change(enc.body.conv1_2.weight)
    after = chain(enc.normalise(x))
    assert torch.equal(after, enc.slice('relu2_1')(enc.normalise(x))) and not torch.equal(after, before)

def test_a_chain_with_packed_weights_can_be_copied(x):
    enc = encoder('texnet-small', padding='reflect').to(torch.bfloat16)
    chain = enc.slice(['relu1_1', 'relu2_1'])
    want = seen_twice(chain, enc, x)
    twin = copy.deepcopy(chain)
    assert torch.equal(seen_twice(twin, enc, x), want)
    twin.run[0][1].weight.data.zero_()
    assert torch.equal(seen_twice(chain, enc, x), want)  # its weights are its own

@pytest.mark.parametrize('when', ['before', 'after'])
def test_a_bias_in_training_gets_its_gradient(x, when):
    enc = encoder('texnet-small', padding='reflect')
    bias = enc.body.conv1_1.bias
    chain = enc.slice('relu2_1')
    bias.requires_grad_()
    if when == 'before': chain = enc.slice('relu2_1')
    chain(enc.normalise(x)).square().sum().backward()
    assert bias.grad is not None and bias.grad.abs().sum() > 0

def small_file(path, **plan):
    "The file of a small encoder, its plan changed"
    e = random_weights(Encoder('texnet-small', Shape('small', (4, 6, 8), (1, 2, 1))))
    e.shape = encoders.replace(e.shape, **plan)
    return save_encoder(e, path, {})

@pytest.mark.parametrize('plan,word', [
    (dict(std=(1., 0., 1.)), 'std'), (dict(std=(1., 1.)), 'std'), (dict(mean=(float('nan'), 0., 0.)), 'mean'),
    (dict(widths=(4, -6, 8)), 'widths'), (dict(widths=(4, 6.5, 8)), 'widths'), (dict(depths=(1, 2, 10**9)), 'depths'),
    (dict(depths=(1,)*9, widths=(4,)*9), 'stages'), (dict(depths=(1, 2)), 'stages'), (dict(widths='abc'), 'widths'),
    (dict(mean=None), 'mean'), (dict(depths=()), 'stages')], ids=str)
def test_a_plan_that_no_network_has(tmp_path, refused, plan, word):
    path = small_file(tmp_path/'odd.safetensors', **plan)
    words = [word] if plan.get('mean', 1) else []
    refused(lambda: encoder('texnet-small', weights=path), 'odd.safetensors', 'plan', *words)

def test_mean_and_deviation_belong_to_the_digest(tmp_path):
    made = [encoder('texnet-small', weights=small_file(tmp_path/f'{i}.safetensors', **plan))
            for i, plan in enumerate([{}, dict(mean=(.1, .2, .3)), dict(std=(.1, .2, .3)), dict(mean=(.1, .2, .3))])]
    digests = [e.digest for e in made]
    assert len(set(digests)) == 3 and digests[1] == digests[3]

def test_a_plan_changed_behind_the_digest(tmp_path, refused):
    path = small_file(tmp_path/'a.safetensors')
    state = load_file(path)
    with encoders.open_tensors(path) as f: meta = f.metadata()
    save_file(state, path, meta | dict(plan=meta['plan'].replace('0.485', '0.585')))
    refused(lambda: encoder('texnet-small', weights=path), 'a.safetensors', 'damaged')

@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_no_numbers_in_a_weights_file_are_the_files_fault(tmp_path, refused, value):
    vgg = random_weights(Encoder('vgg16', ENCODERS['vgg16'])).body.state_dict()
    vgg['conv2_1.weight'][0, 0, 0, 0] = value
    torch.save(vgg, tmp_path/'vgg.pth')
    refused(lambda: encoder('vgg16', weights=tmp_path/'vgg.pth'), 'vgg.pth', 'conv2_1.weight', 'NaN or infinity')
    consts = load_file(encoders.DATA/'random.safetensors')
    consts['conv1_1.std'][0] = value
    save_file(consts, tmp_path/'own.safetensors', {'seed': '0'})
    refused(lambda: encoder('random', weights=tmp_path/'own.safetensors'), 'own.safetensors', 'conv1_1.std')
    e = random_weights(Encoder('texnet-small', Shape('small', (4, 6), (1, 1))))
    e.body[0].bias.data[0] = value
    path = save_encoder(e, tmp_path/'small.safetensors', {})
    refused(lambda: encoder('texnet-small', weights=path), 'small.safetensors', 'conv1_1.bias')

def test_other_networks_are_named(tmp_path, refused):
    import torchvision
    with torch.device('meta'):
        bn = torchvision.models.vgg11_bn(weights=None).state_dict()
        resnet = torchvision.models.resnet18(weights=None).state_dict()
        alex = torchvision.models.alexnet(weights=None).state_dict()
    for name, state, words in (('bn', bn, ['batch normalisation', 'vgg16_bn']), ('resnet', resnet, ['is a ResNet']),
                               ('alex', alex, ['is no VGG-16 or VGG-19', 'features.0.weight'])):
        path = tmp_path/f'{name}.pth'
        torch.save({k: torch.zeros(2) for k in state}, path)
        refused(lambda: encoder('vgg16', weights=path), path.name, *words)
