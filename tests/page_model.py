"A small net for the page that paints in a browser, so that its tests need no trained one"
import base64
import contextlib
import importlib
import json
import warnings
from pathlib import Path
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class StandIn(nn.Module):
    "What any net of the page does: a photo and a style in, a picture of the photo's size out"
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(48, 32, 3, padding=1, padding_mode='reflect')
        self.gain = nn.Linear(8, 64)
        self.out = nn.Conv2d(32, 48, 3, padding=1)

    def forward(self, photo, style):
        maps = F.instance_norm(self.stem(F.pixel_unshuffle(photo, 4)))
        gain, shift = self.gain(style)[..., None, None].chunk(2, 1)
        return photo + .5*F.pixel_shuffle(self.out(F.relu(maps*(1 + gain) + shift)), 4)


def stand_in():
    "The net, the same each time"
    torch.manual_seed(0)
    return StandIn().eval().requires_grad_(False)


def styles():
    "{name: vector} as the page reads them: numbers in halves, one of them subnormal"
    numbers = np.random.default_rng(0).normal(size=(3, 8)).astype('<f2')
    numbers[0, :2] = 2e-6, -4
    return dict(zip(('first', 'second', 'third'), numbers.astype('f4')))


def export(net, path):
    "Write a net as ONNX with torch alone, which wants the package onnx only to look for functions of one's own"
    kept = []
    for name in 'torch.onnx._internal.torchscript_exporter.onnx_proto_utils', 'torch.onnx._internal.onnx_proto_utils':
        with contextlib.suppress(ImportError): kept.append(importlib.import_module(name))
    before = [(module, module._add_onnxscript_fn) for module in kept]
    sizes = {2: 'height', 3: 'width'}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for module in kept: module._add_onnxscript_fn = lambda model, functions: model
        try:
            torch.onnx.export(net, (torch.rand(1, 3, 64, 64), torch.rand(1, 8)), str(path), dynamo=False,
                opset_version=17, input_names=['photo', 'style'], output_names=['picture'],
                dynamic_axes=dict(photo=sizes, picture=sizes))
        finally:
            for module, function in before: module._add_onnxscript_fn = function


def encoded(vector):
    "A vector as styles.json holds it"
    return base64.b64encode(np.asarray(vector, '<f2').tobytes()).decode()


def write_stand_in(folder):
    "Write the net and its styles as tools/page.py writes the package's own"
    folder = Path(folder)
    export(stand_in(), folder/'net.onnx')
    told = [dict(name=name, title=name.title(), credit=f'The {name} style', vector=encoded(vector))
        for name, vector in styles().items()]
    (folder/'styles.json').write_text(json.dumps(told))
