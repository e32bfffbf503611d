"""Random tiny training problems with constraints of every kind."""

from __future__ import annotations

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from formulations.constraints import (
    Constraint,
    FanIn,
    LinearRows,
    Monotone,
    NofM,
    NonZeros,
    Right,
    Robust,
    Tied,
)
from formulations.errors import InvalidInputError

KINDS = ["fan-in", "non-zeros", "n-of-m", "linear-rows", "right", "robust", "monotone"]
CODES = ["bipolar", "ternary", "uniform:2", "codebook:-1,0,2", "integer:2"]
ACTIVATIONS = ["sign", "relu:1", "hard-tanh", "relu"]


@st.composite
def constraints(draw: st.DrawFn, network: Network, kind: str | None = None) -> Constraint:
    """A constraint of any kind, or of one."""
    kind = draw(st.sampled_from(KINDS)) if kind is None else kind
    layer = draw(st.sampled_from([None, 1]))
    if kind == "fan-in":
        return FanIn(1, layer)
    if kind == "non-zeros":
        return NonZeros(draw(st.integers(1, 3)), layer)
    if kind == "n-of-m":
        return NofM(1, 2, layer)
    if kind == "monotone":
        feature = draw(st.integers(0, network.widths[0] - 1))
        output = draw(st.integers(0, network.num_outputs - 1))
        return Monotone(feature, draw(st.sampled_from([1, -1])), output)
    number = st.integers(-2, 2)
    if kind == "linear-rows":
        row = st.lists(number, min_size=network.num_weight_bits, max_size=network.num_weight_bits)
        return LinearRows(
            [draw(row)], [draw(st.integers(-1, 1))], draw(st.sampled_from(["<=", ">=", "="]))
        )
    samples = draw(st.integers(1, 2))
    X = draw(
        st.lists(
            st.lists(number, min_size=network.widths[0], max_size=network.widths[0]),
            min_size=samples,
            max_size=samples,
        )
    )
    label = st.sampled_from([-1, 1]) if network.num_outputs == 1 else st.integers(
        0, network.num_outputs - 1
    )  # fmt: skip
    y = draw(st.lists(label, min_size=samples, max_size=samples))
    margin = draw(st.integers(1, 2))
    return Right(X, y, margin) if kind == "right" else Robust(X, y, margin, draw(st.integers(1, 2)))


@st.composite
def tied(draw: st.DrawFn, network: Network) -> Network:
    """A network with some weights of its first layer shared, or a convolution before the last."""
    layer = network.layers[0]
    if draw(st.booleans()):
        word = draw(st.sampled_from(["conv:1:1x2", "conv:2:1x2", "conv:1:1x2:1:0x1"]))
        rest = {"activation": "sign", "weights": layer.code, "bias": layer.bias_code or False}
        hidden = [word, *(["pool:max:1x2"] if draw(st.booleans()) else [])]
        return Network.conv((1, 3), hidden, network.num_outputs, **rest)
    places = [(1, j, i) for j in range(layer.outputs) for i in range(layer.inputs)]
    assume(len(places) > 1)
    pair = draw(st.lists(st.sampled_from(places), min_size=2, max_size=3, unique=True))
    return Tied([pair]).applied(network)


@st.composite
def constrained(
    draw: st.DrawFn,
    max_bits: int = 8,
    kind: str | None = None,
    count: int = 1,
    shared: bool = False,
) -> TrainingProblem:
    """Problems with one constraint or more, small enough to enumerate."""
    depth = draw(st.integers(1, 3))
    widths = [draw(st.integers(1, 3)), *(draw(st.integers(1, 2)) for _ in range(depth - 1))]
    widths.append(draw(st.sampled_from([1, 1, 2])))
    network = Network.dense(
        widths,
        activation=draw(st.sampled_from(ACTIVATIONS)),
        weights=draw(st.sampled_from(CODES)),
        bias=draw(st.sampled_from([False, False, True, "integer:2"])),
    )
    if shared:
        network = draw(tied(network))
    assume(network.num_weight_bits <= max_bits)
    samples = draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    X = rng.integers(-2, 3, (samples, widths[0]))
    y = rng.integers(0, widths[-1], samples) if widths[-1] > 1 else rng.choice([-1, 1], samples)
    loss = draw(st.sampled_from(["hinge", "zero-one", "squared", "multi-hinge:1"]))
    try:
        given = [draw(constraints(network, kind)) for _ in range(count)]
        return TrainingProblem(network, X, y, loss, constraints=given)
    except InvalidInputError:  # a code without zero, bits that no row allows
        assume(False)
        raise
