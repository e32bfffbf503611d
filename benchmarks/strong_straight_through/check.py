"""Checks: folded training computes what the integer network computes; gradients are autograd's."""

import itertools

import numpy as np
import pytest
from integer_network import unit
from joint_losses import CrossEntropy, Hinge, Squared
from latent import Quantizer, Shape, Stack
from straight_through import StraightThrough

CODES = [(-1, 1), (-1, 0, 1), (-3, -1, 1, 3), (-4, -1, 2, 7)]
UNITS = ["sign", "relu:4", "hard-tanh:4", "relu:1", "hard-tanh:2"]


def problem(rng, n=300, d=7, classes=3):
    return (2 * rng.integers(0, 4, (n, d)) - 3).astype(np.int64), rng.integers(0, classes, n)


@pytest.mark.parametrize(
    ("code", "act", "hidden"), itertools.product(CODES, UNITS, [(), (5,), (6, 4)])
)
def test_folded_training_passes_forward_as_the_integer_network_does(code, act, hidden):
    rng = np.random.default_rng(1)
    X, y = problem(rng)
    shape = Shape((7, *hidden, 3), (code,) * (len(hidden) + 1), unit(act))
    stack = Stack(shape, CrossEntropy(), 3, rng)
    for _ in range(5):
        stack.step(X.astype(np.float32), y, 0.05)
    stack.fold(X)
    for _ in range(3):
        networks, outs = stack.networks(), []
        scale = stack._step_size(len(stack.W) - 1)
        stack.loss = Spy(outs)
        stack.step(X.astype(np.float32), y, 0.05)
        # the step moves the weights; what it computed belongs to the networks before
        for r, network in enumerate(networks):
            scaled = outs[-1][r] * scale[r, 0]
            assert np.abs(scaled - network.outputs(X)).max() < 1e-2


class Spy(CrossEntropy):
    def __init__(self, outs):
        object.__setattr__(self, "smoothing", 0.0)
        object.__setattr__(self, "outs", outs)
        object.__setattr__(self, "scale", None)

    def slopes(self, out, y):
        self.outs.append(out * self.scale if self.scale is not None else out)
        return super().slopes(out, y)


@pytest.mark.parametrize("loss", [CrossEntropy(), CrossEntropy(0.1), Hinge(2.0), Squared()])
@pytest.mark.parametrize("outputs", [1, 4])
def test_slopes_are_derivatives(loss, outputs):
    rng = np.random.default_rng(2)
    out = rng.normal(0, 2, (2, 9, outputs)).astype(np.float32)
    y = rng.integers(0, max(2, outputs), 9)
    slope = loss.slopes(out.copy(), y)
    if getattr(loss, "smoothing", 0):
        return
    for c in range(outputs):
        e = np.zeros_like(out)
        e[..., c] = 1e-2
        found = (loss.values(out + e, y) - loss.values(out - e, y)) / 2e-2
        assert np.abs(found - slope[..., c]).mean() < 2e-2


@pytest.mark.parametrize("act", UNITS)
@pytest.mark.parametrize("folded", [False, True])
def test_gradients_are_those_of_autograd(act, folded):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    X, y = problem(rng, 50)
    u_ = unit(act)
    shape = Shape((7, 6, 5, 3), ((-1, 1),) * 3, u_)
    stack = Stack(shape, CrossEntropy(), 1, rng)
    for _ in range(3):
        stack.step(X.astype(np.float32), y, 0.02)
    if folded:
        stack.fold(X)
    rate0 = stack.values.copy()
    # spreads as the step will have them: run the step with rate 0 and read the gradient before Adam
    caught = {}
    stack._adam = lambda rate: caught.update(g=stack.gradient.copy())
    stack.step(X.astype(np.float32), y, 0.0)
    assert (stack.values == rate0).all()
    W = [torch.tensor(w[0].astype(np.float64), requires_grad=True) for w in stack.W]
    b = [torch.tensor(s[0].astype(np.float64), requires_grad=True) for s in stack.soft]
    sharp = torch.tensor(stack.sharpness[0, 0].astype(np.float64), requires_grad=True)
    a = torch.tensor(X.astype(np.float64))
    for n in range(3):
        z = a @ W[n].T
        spread = torch.tensor(stack.spread[n][0].astype(np.float64))
        S = torch.tensor(stack._step_size(n)[0, 0].astype(np.float64))
        if n == 2:
            S = spread * torch.exp(-sharp) if not folded else S
        if folded:
            t = torch.tensor(stack.mean[n][0].astype(np.float64)) - b[n] * spread
            t = t + (torch.ceil(t) - t).detach()
            u = (z - t) / S
        elif n == 2:
            u = (z - z.mean(0)) / S + b[n] * (spread / S).detach()
        else:
            u = (z - z.mean(0)) / S + b[n] * spread / S
        if n < 2:
            if act == "sign":
                soft = torch.clamp(u, -stack.window.item(), stack.window.item())
                hard = torch.where(u >= 0, 1.0, -1.0)
            else:
                soft = u_.gain * torch.clamp(u, u_.low, u_.high + 1 - 1e-9)
                hard = u_.offset + u_.gain * torch.clamp(torch.floor(u), u_.low, u_.high)
            a = soft + (hard - soft).detach()
    torch.nn.functional.cross_entropy(u, torch.tensor(y)).backward()
    at = 0
    g = caught["g"][0]
    for w in W:
        mine = g[at : at + w.numel()].reshape(w.shape)
        assert np.allclose(mine, w.grad.numpy(), atol=1e-4 * np.abs(w.grad.numpy()).max() + 1e-7), (
            act
        )
        at += w.numel()
    for p in b:  # up to one factor a layer, to which Adam is blind
        mine, ref = g[at : at + p.numel()], p.grad.numpy()
        if np.abs(ref).max() > 0:
            ratio = mine[np.abs(ref).argmax()] / ref[np.abs(ref).argmax()]
            assert act == "sign" or np.allclose(mine, ratio * ref, rtol=1e-3, atol=1e-6)
        at += p.numel()


@pytest.mark.parametrize(
    "kind", [{}, {"restarts": 4}, {"dropout": 0.2}, {"loss": Hinge(1.0)}, {"loss": Squared()}]
)
def test_same_seed_same_network(kind):
    X, y = problem(np.random.default_rng(4))
    one, two = (StraightThrough(seed=3, epochs=5, **kind).fit(X, y, (7, 5, 3)) for _ in range(2))
    for a, b in zip(one.network.layers, two.network.layers, strict=True):
        assert (a.weights == b.weights).all()
        assert (a.thresholds == b.thresholds).all()
    assert one.error == (one.network.predict(X) != y).mean()


def test_ternary_cells_are_equally_wide():
    v = np.linspace(-1, 1, 3001, dtype=np.float32)
    counts = np.unique(Quantizer([-1, 0, 1])(v), return_counts=True)[1]
    assert np.ptp(counts) <= 2
