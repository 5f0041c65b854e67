"A network as a file of ONNX: paints what PyTorch paints, in any size and style; lean; refusals"
import sys
import numpy as np, onnx, onnxruntime, pytest, torch, torch.nn as nn, torch.nn.functional as F
from style_nb.encoders import encoder
from style_nb.errors import BadType, BadValue, MissingPackage
from style_nb.exporting import deviation, export, fold_doublings
from style_nb.onepass import ENCODER, SHORT, pack, read_onepass, style_moments, unpack

@pytest.fixture(scope='module')
def net(): return read_onepass()

@pytest.fixture(scope='module')
def file(net, tmp_path_factory): return export(net, tmp_path_factory.mktemp('onnx')/'net.onnx', plan=SHORT, check=False)

@pytest.fixture(scope='module')
def session(file): return onnxruntime.InferenceSession(file)

def test_inputs_and_output(session):
    inputs = {i.name: (i.type, i.shape[1]) for i in session.get_inputs()}
    assert inputs == dict(photo=('tensor(float)', 3), style=('tensor(float)', 12249))
    assert [o.name for o in session.get_outputs()] == ['picture']

@pytest.mark.parametrize('hw', [(64, 160), (192, 96)])
def test_paints_what_pytorch_paints(net, session, hw):
    "A size and a style that `check` has not tried"
    see = encoder(**ENCODER)
    gen = torch.Generator().manual_seed(1)
    photo = F.interpolate(torch.rand(1, 3, 12, 12, generator=gen), size=hw, mode='bilinear')
    painting = F.interpolate(torch.rand(1, 3, 30, 30, generator=gen), size=(128, 160), mode='bicubic').clamp(0, 1)
    row = pack(style_moments(net, painting, see))
    with torch.no_grad(): wanted = net(photo, unpack(row), see, SHORT).clamp(0, 1)
    found, = session.run(None, dict(photo=photo.numpy(), style=row.numpy()))
    assert found.shape == wanted.shape and found.min() >= 0 and found.max() <= 1
    assert np.abs(found - wanted.numpy()).max() < 1e-3 < np.abs(found - photo.numpy()).max()

def test_its_own_check(net, file): assert 0 < deviation(file, net, plan=SHORT) < 1e-3

def test_the_graph_is_lean(file):
    model = onnx.load(file)
    onnx.checker.check_model(model)
    kinds = [node.op_type for node in model.graph.node]
    assert {node.domain for node in model.graph.node} <= {'', 'ai.onnx'} and 'Constant' not in kinds
    assert kinds.count('ConvTranspose') == 3*len(SHORT)
    modes = [a.s for node in model.graph.node if node.op_type == 'Resize' for a in node.attribute if a.name == 'mode']
    assert modes and set(modes) == {b'linear'}
    assert file.stat().st_size < 3.2e6

class Small(nn.Module):
    "Doubles twice, with both kinds of border, beside a doubling that is used twice and must stay"
    def __init__(self):
        super().__init__()
        self.zero = nn.Conv2d(3, 5, 3, padding=1)
        self.mirror = nn.Conv2d(5, 3, 3, padding=1, padding_mode='reflect')

    def forward(self, photo):
        double = lambda x: F.interpolate(x, scale_factor=2, mode='nearest')
        quarter = F.avg_pool2d(photo, 4)
        twice = double(double(1 - quarter))
        return .5*photo + self.mirror(double(self.zero(double(quarter)).relu())) + twice*twice

@pytest.mark.parametrize('size', [None, (64, 96)])
def test_any_network_of_one_input(tmp_path, size):
    torch.manual_seed(0)
    small = Small().train()
    path = export(small, tmp_path/'small.onnx', size=size)
    session = onnxruntime.InferenceSession(path)
    assert [i.name for i in session.get_inputs()] == ['photo'] and small.training
    assert deviation(path, small, size) < 1e-5
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds.count('ConvTranspose') == 2 and 'Conv' not in kinds and 'Resize' in kinds
    assert fold_doublings(onnx.load(path).graph) == 0  # none is left
    if size:
        with pytest.raises(Exception, match='dimensions'): session.run(None, dict(photo=np.zeros((1, 3, 64, 64), 'f4')))

class Chooses(nn.Module):
    def forward(self, photo): return photo if photo.shape[2] < photo.shape[3] else 1 - photo

class Decomposes(nn.Module):
    def forward(self, photo): return photo*torch.linalg.eigh(photo[0, 0, :4, :4]).eigenvalues.sum()

def test_networks_that_have_no_graph(tmp_path, capsys):
    path = tmp_path/'a.onnx'
    with pytest.raises(BadValue, match='differ from the network.s by up to') as choice: export(Chooses(), path)
    with pytest.raises(BadValue, match='cannot become a graph') as step: export(Decomposes(), path)
    assert not list(tmp_path.iterdir()) and '\n' not in str(choice.value) + str(step.value)
    assert capsys.readouterr().out == ''

def test_what_may_be_given(net, tmp_path):
    with pytest.raises(BadValue, match=r'\.onnx'): export(net, tmp_path/'net.pt')
    with pytest.raises(BadValue, match='multiple of 32'): export(net, tmp_path/'a.onnx', size=(64, 100))
    with pytest.raises(BadType, match='size'): export(net, tmp_path/'a.onnx', size=256)
    with pytest.raises(BadType, match='net is'): export('net', tmp_path/'a.onnx')

@pytest.mark.parametrize('package', ['onnx', 'onnxruntime'])
def test_a_package_is_missing(net, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackage, match=r"pip install 'style_nb\[export\]'"): export(net, tmp_path/'a.onnx')
