"""Networks, codes, losses and problems of odd arguments: refused by name, or right."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError, QnnError
from formulations.network.activations import Activation
from formulations.network.codes import WeightCode, codebook, uniform
from formulations.network.losses import hinge, loss
from formulations.network.network import Weights
from formulations.network.splines import Spline
from formulations.training.sizes import network_size

X, Y = np.array([[1, -1], [1, 1], [-1, 1]]), np.array([1, -1, -1])
NET = Network.dense([2, 2, 1])
ODD: list[Any] = [
    None, True, -1, 0, 1.5, 10**15, 1e15, 1e-300, 10**400, np.nan, np.inf, "x", "", "3", b"3", [],
    [1], {}, {1}, object(), int, NotImplemented,
]  # fmt: skip
WHOLE = [np.int64(3), 1, 2, 7, 2**20, 2**44, 2**49, 2**52, 2**62]
FUNCTIONS: list[Callable[..., Any]] = [
    np.tanh, np.sign, lambda z: z * 1e15, lambda z: z * 1j, lambda z: z[:-1], lambda z: 1 / 0,
    lambda z: np.full_like(z, np.nan), lambda z: None, lambda z: "x", lambda: 1, lambda z: z > 0,
    lambda z: np.exp(np.minimum(z * 300, 700)), lambda z: z.tolist(), lambda z: z.astype(object),
]  # fmt: skip
CODES = [
    "bipolar", "ternary", "uniform", "uniform:0", "uniform:64", "uniform:4", "uniform:",
    "uniform:1.5", "codebook:", "codebook:1", "codebook:1,1", "codebook:nan,1", "codebook:inf,1",
    "codebook:1e300,1", "codebook:1e-300,1", "codebook:-1,0.5,2", "codebook:1,9999", "bipolar:3",
    "codebook:0.1,0.3", "uniform:x",
]  # fmt: skip


def agree(problem: TrainingProblem) -> None:
    """Model and forward pass give one loss, and the forward pass meets every row of the model."""
    model = problem.qcbo(memory_limit=2**28)
    bits = problem.random_bits(np.random.default_rng(0), 3)
    losses = problem.losses(bits)
    for row, expected in zip(bits, losses, strict=True):
        weights = problem.weights_from_bits(row)
        sample = problem.complete(weights)
        assert not model.violations(sample)
        assert problem.loss(weights) == pytest.approx(expected, rel=1e-9)
        assert float(model.objective(sample)) == pytest.approx(expected, rel=1e-9)
        scores = problem.network.forward(weights, problem.X)
        assert np.isfinite(scores).all()


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_odd_networks_are_refused_or_agree_with_their_model(data: st.DataObject) -> None:
    odd = st.sampled_from([*ODD, *WHOLE])
    few = st.one_of(st.none(), odd)
    names = ["sign", "relu", "tanh", "hard-tanh", "sigmoid"]
    options = {
        "activation": data.draw(st.one_of(st.sampled_from([*names, *FUNCTIONS]), odd)),
        "weights": data.draw(st.one_of(st.sampled_from(CODES), odd)),
        "bias": data.draw(st.one_of(st.booleans(), st.sampled_from(CODES), odd)),
        **{name: data.draw(few) for name in ("pieces", "order", "resolution", "scale")},
    }
    kept = data.draw(st.sets(st.sampled_from(sorted(options)), max_size=3))
    inputs = X * data.draw(st.sampled_from([1, 3, 2**8]))
    kind = data.draw(st.sampled_from(["hinge", "squared", "logistic", "zero-one", "hinge:1e9"]))
    if "activation" not in kept and data.draw(st.booleans()):
        kept, options["activation"] = {*kept, "activation"}, data.draw(st.sampled_from(names))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            network = Network.dense([2, 2, 1], **{name: options[name] for name in kept})
            problem = TrainingProblem(network, inputs, Y, loss=kind)
            problem.qcbo(memory_limit=2**28)
        except QnnError:
            return
        agree(problem)


@pytest.mark.parametrize("name", ["resolution", "scale"])
def test_what_is_beyond_exact_integers_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{name}=1000000000000000: expected an integer"):
        Network.dense([2, 2, 1], activation="relu", **{name: 10**15})
    network = Network.dense([2, 2, 1], activation=lambda z: z * 1e15)
    with pytest.raises(InvalidInputError, match=r"(function to fit|layer 2).* exact"):
        TrainingProblem(network, X, Y)
    network = Network.dense([2, 2, 1], activation="relu", resolution=2**48, weights="uniform:8")
    with pytest.raises(InvalidInputError, match=r"(function to fit|layer 2).* exact"):
        TrainingProblem(network, X, Y)
    wide = Network.dense([100_000, 1], weights="uniform:8")
    with pytest.raises(InvalidInputError, match="layer 1: its sums can reach 5"):
        TrainingProblem(wide, np.full((1, 100_000), 2**31), [1])


def test_prediction_beyond_exact_integers_is_refused() -> None:
    weights = TrainingProblem(NET, X, Y).weights_from_bits(np.ones(6, dtype=int))
    assert NET.predict(weights, X * 2**40).tolist() == NET.predict(weights, X).tolist()
    with pytest.raises(InvalidInputError, match="layer 1: its sums can reach"):
        NET.predict(weights, X * 2**52)


def test_a_function_called_sign_is_not_the_sign_rule() -> None:
    network = Network.dense([1, 1, 1], activation=np.sign)
    problem = TrainingProblem(network, [[0]], [1])
    assert network.forward(problem.weights_from_bits([1, 1]), [[0]]).tolist() == [[0.0]]


def test_steep_activations_keep_their_slope_on_fine_lattices() -> None:
    problem = TrainingProblem(
        Network.dense([2, 2, 1], activation="relu", scale=1, resolution=1000), X, Y
    )
    assert problem.splines[0].error == 0.0


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_odd_values_are_refused_everywhere(data: st.DataObject) -> None:
    problem = TrainingProblem(NET, X, Y)
    weights = problem.weights_from_bits([1, 0, 1, 1, 1, 0])
    label = problem.bit_labels[0]
    arrays: list[Any] = [
        *ODD, X * 0.5, X.astype(object), X + 0j, X.astype("M8[s]"), X.astype(str), X[None],
        sp.csr_array(X), np.ma.masked_array(X, X > 0), np.zeros((0, 2)), [[1], [1, 2]], np.zeros(6),
        np.full(6, 256), np.full(6, -1), np.full(6, np.nan), np.zeros(6, dtype=bool), X * 2**60,
    ]  # fmt: skip
    value = data.draw(st.sampled_from(arrays))
    broken: Sequence[Any] = [
        value,
        replace(weights, matrices=value),
        replace(weights, matrices=(value, weights.matrices[1])),
        replace(weights, biases=value),
        replace(weights, biases=(value, None)),
        replace(weights, splines=value),
        replace(weights, splines=(value,)),
    ]
    other: Any = data.draw(st.sampled_from(broken))
    calls: list[Callable[[], object]] = [
        lambda: TrainingProblem(value, X, Y),
        lambda: TrainingProblem(NET, value, Y),
        lambda: TrainingProblem(NET, X, value),
        lambda: TrainingProblem(NET, X, value, loss="squared").qcbo(),
        lambda: TrainingProblem(NET, X, Y, loss=value),
        lambda: TrainingProblem(NET, X, Y, loss="logistic", loss_pieces=value),
        lambda: TrainingProblem(NET, X, Y, loss_order=value),
        lambda: NET.predict(weights, value),
        lambda: NET.forward(weights, value),
        lambda: NET.predict(other, X),
        lambda: NET.forward(other, X),
        lambda: NET.encode_bits(other),
        lambda: NET.decode_bits(value, problem.splines),
        lambda: problem.loss(other),
        lambda: problem.complete(other),
        lambda: problem.losses(value),
        lambda: problem.weights_from_bits(value),
        lambda: problem.complete_bits(value),
        lambda: problem.pre_activations(value),
        lambda: problem.decode(value),
        lambda: problem.decode({**problem.complete(weights), label: value}),
        lambda: problem.subset(value),
        lambda: problem.blocks(value),
        lambda: problem.restrict(value, weights),
        lambda: problem.restrict([0], other),
        lambda: problem.qcbo(memory_limit=value),
        lambda: problem.size(value),
        lambda: network_size(NET, value),
        lambda: network_size(NET, 1, input_range=value),
        lambda: Network(value),
        lambda: Network.dense(value),
        lambda: Spline(value, np.zeros(2), np.zeros(2)),
        lambda: WeightCode("x", value, 0),
        lambda: WeightCode("x", (1,), value),
        lambda: uniform(value),
        lambda: codebook(value),
        lambda: hinge(value),
        lambda: loss(value),
        lambda: Activation("x", value, 1.0),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for call in calls:
            try:
                call()
            except QnnError as error:
                assert len(str(error)) < 600  # noqa: PT017 (either way is right)


@pytest.mark.parametrize("bits", [[0.5] * 6, [2] * 6, [-1] * 6, [256] * 6, [np.nan] * 6, [1] * 5])
def test_bits_that_are_none_are_refused(bits: list[float]) -> None:
    problem = TrainingProblem(NET, X, Y)
    for call in (problem.weights_from_bits, problem.losses, problem.full_bits, problem.repair_bits):
        with pytest.raises(InvalidInputError, match="weight bits"):
            call(bits)


def test_weights_between_two_levels_are_refused_not_cut() -> None:
    problem = TrainingProblem(NET, X, Y)
    good = problem.weights_from_bits([1] * 6)
    for matrix in (good.matrices[0] * 0.5, good.matrices[0] * np.nan, good.matrices[0].astype(str)):
        bad = Weights((matrix, good.matrices[1]), good.biases, good.splines)
        for call in (problem.loss, problem.complete, NET.encode_bits):
            with pytest.raises(InvalidInputError, match="layer 1"):
                call(bad)


def test_a_mask_is_not_taken_for_positions() -> None:
    with pytest.raises(InvalidInputError, match=r"np\.flatnonzero"):
        TrainingProblem(NET, X, Y).subset(np.array([True, False, True]))


def test_masked_and_sparse_inputs_are_refused_by_name() -> None:
    with pytest.raises(InvalidInputError, match="X has masked values"):
        TrainingProblem(NET, np.ma.masked_array(X, X > 0), Y)
    with pytest.raises(InvalidInputError, match=r"X is a sparse matrix: give X\.toarray"):
        TrainingProblem(NET, sp.csr_array(X), Y)  # type: ignore[arg-type]


def test_layers_that_do_not_fit_together_are_refused() -> None:
    for layers in ((), NET.layers[:1], NET.layers[::-1], list(NET.layers)):
        with pytest.raises(InvalidInputError, match="layer"):
            Network(layers)  # type: ignore[arg-type]
