"""Integer thresholds and clip-and-shift activations, against plain integer arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import Network, QnnError, TrainingProblem
from formulations.files.saved import load_weights, save_weights
from formulations.network.activations import activation, is_named
from formulations.network.codes import AUTO, WeightCode, code, integer
from formulations.network.layer import lattice_units
from formulations.network.splines import Clip, clip_shift

FIXTURES = Path(__file__).parents[2] / "fixtures"
CLIPS = [f"{name}:{bits}" for name in ("relu", "hard-tanh") for bits in (1, 2, 4, 8)]


def by_hand(name: str, z: np.ndarray, shift: int) -> np.ndarray:
    """The activation with integers alone, as the benchmark of the straight-through study has it."""
    kind, bits = name.split(":")
    half = 2 ** (int(bits) - 1)
    if kind == "relu":
        return np.clip(z >> shift, 0, 2 * half - 1)
    return 1 + 2 * np.clip(z >> shift, -half, half - 1)


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("shift", [0, 1, 5])
def test_clip_and_shift_is_that_of_integers(name: str, shift: int) -> None:
    clip = activation(name).function
    assert isinstance(clip, Clip)
    spline = clip_shift(clip, shift)
    z = np.arange(-3 - (300 << shift), 4 + (300 << shift))
    np.testing.assert_array_equal(spline.units(z), by_hand(name, z, shift))
    np.testing.assert_array_equal(spline(z), activation(name).function(z / 2**shift))
    assert (spline.order, spline.error, spline.step) == (0, 0.0, 1.0)
    assert spline.num_pieces == activation(name).pieces == 2 ** int(name.split(":")[1])


def test_hard_tanh_of_one_bit_is_the_sign_rule_and_all_are_odd_about_minus_a_half() -> None:
    z = np.arange(-40, 40)
    np.testing.assert_array_equal(by_hand("hard-tanh:1", z, 3), np.where(z >= 0, 1, -1))
    for bits in (1, 2, 3):
        a = activation(f"hard-tanh:{bits}").function
        np.testing.assert_array_equal(a((-1.0 - z) / 4), -a(z / 4))


@pytest.mark.parametrize("bits", [1, 2, 7, 13])
def test_integer_codes_are_twos_complement(bits: int) -> None:
    c = integer(bits)
    levels = np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1))
    np.testing.assert_array_equal(c.levels, levels)
    np.testing.assert_array_equal(c.decode(c.encode(levels)), levels)
    assert (c.low, c.high, c.stored_bits, c.is_integer) == (levels[0], levels[-1], bits, True)
    assert code(f"integer:{bits}") == c


def test_wide_integer_codes_list_nothing() -> None:
    c = integer(32)
    levels = np.array([[c.low, -1], [0, c.high]])
    np.testing.assert_array_equal(c.decode(c.encode(levels)), levels)
    with pytest.raises(QnnError, match="level 2147483648 does not belong"):
        c.encode([2**31])


@pytest.mark.parametrize("spec", ["integer", "integer:0", "integer:33", "integer:x", "auto"])
def test_integer_codes_that_are_none_are_refused(spec: str) -> None:
    with pytest.raises(QnnError, match="expected"):
        code(spec)


def test_wide_codes_are_for_thresholds() -> None:
    Network.dense([2, 1], weights="integer:16", bias="integer:32")
    with pytest.raises(QnnError, match="wider codes are for thresholds"):
        Network.dense([2, 1], weights="integer:17")


def test_another_code_cannot_be_called_integer() -> None:
    with pytest.raises(QnnError, match="a different name"):
        WeightCode("integer:2", (1, 1), -1)


@pytest.mark.parametrize("spec", ["relu:", "relu:0", "relu:9", "hard-tanh:x", "relu:1.5", "sign:2"])
def test_activations_that_are_none_are_refused(spec: str) -> None:
    with pytest.raises(QnnError, match="expected"):
        activation(spec)


def test_a_shift_is_a_power_of_two() -> None:
    with pytest.raises(QnnError, match="power of two"):
        Network.dense([4, 3, 1], "relu:2", scale=6)
    net = Network.dense([4, 3, 1], "relu:2", scale=8)
    assert TrainingProblem(net, [[1, 2, 3, 4]], [1]).network is net


# -- what follows from the inputs ------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    act=st.sampled_from(["sign", "relu", "tanh", *CLIPS]),
    weights=st.sampled_from(["bipolar", "ternary", "uniform:2", "codebook:-1,2"]),
    bias=st.sampled_from(["auto", "integer:5", "integer:9", False]),
    depth=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_forward_pass_is_that_of_integers(
    act: str, weights: str, bias: str, depth: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    X = rng.integers(-4, 12, (20, 5))
    net = Network.dense([5, *[4] * (depth - 1), 3], act, weights, bias)
    problem = TrainingProblem(net, X, rng.integers(0, 3, 20), loss="cross-entropy")
    bits = problem.random_bits(rng, 1)
    found = problem.weights_from_bits(bits[0])
    a = X
    for number, layer in enumerate(problem.network.layers):
        threshold = found.biases[number]
        z = a @ found.matrices[number].T + (0 if threshold is None else threshold)
        np.testing.assert_array_equal(problem.pre_activations(bits)[number][0], z)
        if act in CLIPS and layer.activation is not None:
            assert layer.scale is not None
            a = by_hand(act, z, layer.scale.bit_length() - 1)
        elif layer.activation is not None:
            a = problem.splines[number].units(z).astype(int)
    np.testing.assert_array_equal(problem.network.predict(found, X), z.argmax(axis=1))
    np.testing.assert_array_equal(net.predict(found, X), z.argmax(axis=1))
    if weights != "ternary":  # whose zero has two words
        np.testing.assert_array_equal(problem.bits_from_weights(found), bits[0])


@pytest.mark.parametrize("act", ["sign", "relu:3", "tanh"])
def test_thresholds_reach_every_sum_and_no_bit_further(act: str) -> None:
    X = np.random.default_rng(0).integers(0, 16, (50, 9))
    net = Network.dense([9, 6, 3], act, "ternary", "auto")
    done = net.for_inputs(X)
    bare = TrainingProblem(
        Network.dense([9, 6, 3], act, "ternary", scale=done.layers[0].scale), X, [0] * 50
    )
    first = done.layers[0].bias_code
    assert first is not None
    reach = int(np.abs(X).sum(axis=1).max())
    assert bare.bounds[0].z_high.max() == reach
    assert first.high >= reach > first.high // 2
    last = done.layers[1].bias_code
    assert last is not None
    assert last.high >= int(bare.bounds[1].z_high.max()) > last.high // 4


def test_a_network_without_auto_stays_itself() -> None:
    net = Network.dense([4, 3, 1], "tanh", bias=True)
    assert net.for_inputs([[1, 2, 3, 4]]) is net
    done = Network.dense([4, 3, 1], "relu:2", bias="auto").for_inputs([[1, 2, 3, 4]])
    assert done.for_inputs([[9, 9, 9, 9]]) is done


def test_sizes_of_thresholds_without_width_are_refused() -> None:
    net = Network.dense([4, 3, 1], bias="auto")
    assert net.layers[0].bias_code == AUTO
    for ask in ("stored_bits", "num_weight_bits", "bits_per_weight"):
        with pytest.raises(QnnError, match=r"ask problem\.network or network\.for_inputs"):
            getattr(net, ask)
    with pytest.raises(QnnError, match="expected"):
        net.for_inputs([[1, 2]])
    with pytest.raises(QnnError, match="the shift of the activation relu:2 follows"):
        Network.dense([4, 3, 1], "relu:2").layers[0].place(-5, 5)


def test_a_shift_spans_the_spread() -> None:
    """One doubling of the inputs is one doubling of the scale."""
    X = np.random.default_rng(0).integers(0, 16, (500, 100))
    scales = []
    for factor in (1, 2, 4):
        layer = Network.dense([100, 8, 1], "relu:4", bias="auto").for_inputs(factor * X).layers[0]
        assert layer.scale is not None
        scales.append(layer.scale)
    assert scales == [scales[0], 2 * scales[0], 4 * scales[0]]
    spread = np.sqrt(X.var(axis=0).sum())
    assert 0.5 < scales[0] * 16 / (1.75 * 2.5 * spread) < 2


def test_integer_thresholds_have_unit_one() -> None:
    X = [[1, 2]]
    for bias, last in (("auto", 1), ("uniform:2", 3)):
        net = Network.dense([2, 3, 1], "tanh", bias=bias, resolution=3)
        problem = TrainingProblem(net, X, [1])
        assert lattice_units(problem.splines) == [1, 3]
        assert problem.bias_units == [1, last]


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["sign", "hard-tanh:3", "relu:8"])
@pytest.mark.parametrize("bias", ["auto", "integer:20"])
def test_files_keep_the_network(act: str, bias: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    X = rng.integers(0, 16, (30, 6))
    problem = TrainingProblem(Network.dense([6, 4, 3], act, "uniform:2", bias), X, [0] * 30)
    weights = problem.weights_from_bits(problem.random_bits(rng, 1)[0])
    save_weights(problem.network, weights, tmp_path / "network.npz")
    network, read = load_weights(tmp_path / "network.npz")
    assert network == problem.network
    np.testing.assert_array_equal(network.predict(read, X), problem.network.predict(weights, X))


def test_files_of_integers_stay_readable() -> None:
    network, weights = load_weights(FIXTURES / "network-v1-integers.npz")
    names = [layer.bias_code and layer.bias_code.name for layer in network.layers]
    assert names == ["integer:9"] * 3
    assert [layer.scale for layer in network.layers] == [8, 4, None]
    assert network.stored_bits == 172
    outputs = network.forward(weights, [[15, 0, 3, 9, 1], [0, 0, 0, 15, 15]])
    assert outputs.tolist() == [[-11.0, 8.0, -11.0], [-13.0, 6.0, -17.0]]


def test_files_of_thresholds_without_width_are_refused(tmp_path: Path) -> None:
    net = Network.dense([2, 3], bias="auto")
    problem = TrainingProblem(net, [[1, 2]], [0])
    weights = problem.weights_from_bits(np.zeros(problem.num_free_bits, dtype=int))
    with pytest.raises(QnnError, match=r"problem\.network"):
        save_weights(net, weights, tmp_path / "network.npz")


def test_a_function_that_is_called_relu_4_is_not_relu_4() -> None:
    def own(z: np.ndarray) -> np.ndarray:
        return z

    own.__name__ = "relu:4"
    assert is_named(activation("relu:4"))
    assert not is_named(activation(own))
