"""The textbook loop of neural style transfer, as the tutorials write it: what the engine is measured against.

fp32, contiguous tensors, torch's L-BFGS (lr 1, history 100, no line search), from the content picture, one size,
torch's own autograd for everything. The objective is that of the recipe, so that both sides minimise the same number.
"""
import time
import torch, torch.nn as nn

def gram(f):
    b, c, h, w = f.shape
    f = f.view(b, c, h*w)
    return torch.bmm(f, f.transpose(1, 2))/(h*w)

def plain_chain(enc, layers):
    "The encoder's slice as an ordinary fp32 nn.Sequential with torch's own pooling"
    names = enc.layers
    mods = [m for n, m in enc.body.named_children() if names.index(n) <= max(map(names.index, layers))]
    return (nn.Sequential(*(nn.AvgPool2d(2) if 'Pool' in type(m).__name__ else nn.ReLU() if isinstance(m, nn.ReLU)
        else copy_conv(m) for m in mods)), {names.index(l): l for l in layers})

def copy_conv(m):
    conv = nn.Conv2d(m.in_channels, m.out_channels, 3, padding=1, padding_mode=m.padding_mode)
    conv.load_state_dict({k: v.float().contiguous() for k, v in m.state_dict().items()})
    return conv.requires_grad_(False)

class Objective:
    "The loss of a recipe with one content and one style picture, unit normalisation, squared total variation"
    def __init__(self, enc, recipe, content, style):
        self.recipe, shape = recipe, enc.shape
        layers = [*recipe.content_weights, *recipe.style_weights]
        self.chain, self.at = plain_chain(enc, layers)
        self.mean, self.std = (torch.tensor(o).view(1, 3, 1, 1) for o in (shape.mean, shape.std))
        with torch.no_grad():
            f, g = self.features(content), self.features(style)
            self.content = {l: (f[l], 1/((f[l] - f[l].mean((2, 3), keepdim=True)).square().sum() + 1e-8))
                for l in recipe.content_weights}
            grams = {l: gram(g[l]) for l in recipe.style_weights}
            self.style = {l: (a, 1/(a.square().sum() + 1e-8)) for l, a in grams.items()}

    def features(self, x):
        x, out = (x - self.mean)/self.std, {}
        for i, m in enumerate(self.chain):
            x = m(x)
            if i in self.at: out[self.at[i]] = x
        return out

    def __call__(self, x):
        r, f = self.recipe, self.features(x)
        loss = sum(r.content_weight*r.content_weights[l]*k*(f[l] - t).square().sum()
            for l, (t, k) in self.content.items())
        loss = (loss + sum(r.style_weight*r.style_weights[l]*k*(gram(f[l]) - t).square().sum()
            for l, (t, k) in self.style.items()))
        tv = (x[..., 1:, :] - x[..., :-1, :]).square().mean() + (x[..., 1:] - x[..., :-1]).square().mean()
        return loss + r.tv_weight*tv

def paint(objective, content, evaluations=500, watch=None):
    "The textbook loop: (picture, seconds, losses)"
    x = content.clone().contiguous().requires_grad_()
    opt = torch.optim.LBFGS([x], lr=1, max_iter=1, max_eval=1, history_size=100, tolerance_grad=0, tolerance_change=0)
    losses, start = [], time.perf_counter()
    def closure():
        opt.zero_grad()
        loss = objective(x)
        loss.backward()
        losses.append(loss.item())
        return loss
    while len(losses) < evaluations:
        opt.step(closure)
        if watch and watch(len(losses), time.perf_counter() - start) is False: break
    return x.detach(), time.perf_counter() - start, losses
