"""Losses of all outputs together: values, slopes, scales from the width, models and refusals."""

from __future__ import annotations

import dimod
import numpy as np
import pytest

from formulations import Network, QnnError, TrainingProblem
from formulations.network.losses import CrossEntropy, MultiHinge, cross_entropy, loss, multi_hinge
from formulations.training.error_bounds import spline_errors
from formulations.training.sizes import network_size

RNG = np.random.default_rng(0)
X = RNG.integers(-3, 4, (12, 5))
CLASSES = RNG.integers(0, 3, 12)
SIGNS = np.where(CLASSES > 1, 1, -1)


def problem(
    name: str, outputs: int = 3, act: str = "sign", bias: bool | str = "auto", **options: int
) -> TrainingProblem:
    """A small problem with a loss."""
    net = Network.dense([5, 6, outputs], act, bias=bias)
    y = CLASSES if outputs > 1 else SIGNS
    return TrainingProblem(net, X, y, loss=name, **options)  # type: ignore[arg-type]


def by_definition(p: TrainingProblem, z: np.ndarray) -> np.ndarray:
    """Losses of the samples at outputs (N, C), written as a loop."""
    kind, out = p.loss_kind, p.out_step * z
    found = []
    for row, right in zip(out, p.classes, strict=True):
        if isinstance(kind, CrossEntropy):
            found.append(np.log(np.exp(row / kind.scale).sum()) - row[right] / kind.scale)
        else:
            assert isinstance(kind, MultiHinge)
            wrong = np.delete(row, right)
            found.append(np.maximum(0, kind.margin - (row[right] - wrong)).sum())
    return np.array(found)


@pytest.mark.parametrize(
    "name", ["cross-entropy", "cross-entropy:3", "multi-hinge", "multi-hinge:2"]
)
@pytest.mark.parametrize("act", ["sign", "relu:3", "tanh"])
def test_values_are_those_of_the_definition(name: str, act: str) -> None:
    p = problem(name, act=act)
    bits = p.random_bits(np.random.default_rng(1), 4)
    z = p.pre_activations(bits)[-1]
    expected = np.stack([by_definition(p, row) for row in z])
    np.testing.assert_allclose(p.sample_losses(z), expected)
    np.testing.assert_allclose(p.losses(bits), expected.sum(axis=1))
    assert p.loss(p.weights_from_bits(bits[0])) == pytest.approx(expected[0].sum())
    part = p.subset([3, 5])
    np.testing.assert_allclose(part.sample_losses(z[:, [3, 5]]), expected[:, [3, 5]])


def test_no_output_is_too_large_for_cross_entropy() -> None:
    out = np.array([[1e4, -1e4], [-1e4, 1e4]])
    found = cross_entropy(1).values(out, np.array([0, 0]))
    np.testing.assert_allclose(found, [0, 2e4])
    np.testing.assert_allclose(cross_entropy(1).slopes(out, np.array([0, 0]))[1], [-1, 1])


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(
    "name",
    ["cross-entropy:3", "multi-hinge:2.5", "hinge:2.5", "squared:3", "logistic", "hinge:auto"],
)
def test_slopes_are_derivatives(name: str, outputs: int) -> None:
    p = problem(name, outputs, act="tanh")
    z = p.pre_activations(p.random_bits(np.random.default_rng(2), 1))[-1][0].astype(float)
    z += 0.25 + 0.1 * np.arange(outputs)  # away from corners, differences too
    slopes = p.sample_slopes(z)
    assert slopes.shape == z.shape
    h = 1e-5

    def exact(z: np.ndarray) -> np.ndarray:
        """Losses of the samples without splines."""
        kind = p.loss_kind
        if kind.is_joint or kind.is_quadratic:
            return p.sample_losses(z)
        return kind.function(p.targets[p.target_index] * p.out_step * z).sum(axis=1)

    for c in range(outputs):
        step = h * (np.arange(outputs) == c)
        found = (exact(z + step) - exact(z - step)) / (2 * h)
        np.testing.assert_allclose(slopes[:, c], found, atol=1e-6)
    np.testing.assert_array_equal(p.sample_slopes(z[[4, 1]], [4, 1]), slopes[[4, 1]])
    np.testing.assert_array_equal(p.sample_slopes(np.stack([z, z]))[1], slopes)


def test_slopes_of_zero_one_are_those_of_hinge_and_of_a_callable_a_difference() -> None:
    z = np.arange(-6, 6)[:, None]
    first, second = problem("zero-one", 1), problem("hinge", 1)
    np.testing.assert_array_equal(first.sample_slopes(z), second.sample_slopes(z))
    own = TrainingProblem(first.network, X, SIGNS, loss=np.negative, loss_order=1)
    np.testing.assert_allclose(own.sample_slopes(z), -SIGNS[:, None])


def test_classes() -> None:
    np.testing.assert_array_equal(problem("hinge").classes, CLASSES)
    np.testing.assert_array_equal(problem("hinge", 1).classes, SIGNS > 0)
    numbers = TrainingProblem(Network.dense([5, 1]), X, np.arange(12), loss="squared")
    with pytest.raises(QnnError, match="expected classes"):
        _ = numbers.classes


# -- scales from the width -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "outputs", "found"),
    [
        ("hinge:auto", 3, "hinge:8"),
        ("squared:auto", 3, "squared:8"),
        ("multi-hinge", 3, "multi-hinge:8"),
        ("cross-entropy", 3, "cross-entropy:6"),
        ("cross-entropy", 1, "cross-entropy:6"),
        ("multi-hinge", 1, "hinge:8"),
        ("multi-hinge:3", 1, "hinge:3"),
        ("hinge", 3, "hinge"),
        ("squared", 3, "squared"),
    ],
)
def test_auto_is_the_spread_of_an_output(name: str, outputs: int, found: str) -> None:
    net = Network.dense([5, 64, outputs])
    y = CLASSES if outputs > 1 else SIGNS
    kind = TrainingProblem(net, X, y, loss=name).loss_kind
    assert kind.name == found
    assert kind.is_joint == (outputs > 1 and name[:5] in ("cross", "multi"))
    assert not kind.is_auto
    again = TrainingProblem(net, X, y, loss=kind)
    assert again.loss_kind is kind


def test_names_keep_their_numbers_exactly() -> None:
    for number in (1.0, 2.5, 1 / 3, 1e-7, 123456789.0):
        for kind in ("hinge", "squared", "cross-entropy", "multi-hinge"):
            made = loss(f"{kind}:{number!r}")
            assert loss(made.name).name == made.name
            assert number in (made.corner, made.scale)


def test_targets_of_the_squared_loss_are_scaled() -> None:
    p = problem("squared:3")
    assert p.targets.tolist() == [-3, 3]
    y = np.linspace(-40, 60, 12)
    real = TrainingProblem(Network.dense([5, 64, 1]), X, y, loss="squared:auto")
    assert np.sqrt(np.square(real.targets[real.target_index]).mean()) == pytest.approx(8, rel=0.01)
    np.testing.assert_allclose(real.targets[real.target_index][:, 0], real.loss_kind.scale * y)


@pytest.mark.parametrize(
    "spec",
    ["cross-entropy:", "cross-entropy:0", "multi-hinge:-1", "multi-hinge:nan", "squared:x",
     "zero-one:3", "logistic:2", "crossentropy", "multi-hinge:1e400"],
)  # fmt: skip
def test_losses_that_are_none_are_refused(spec: str) -> None:
    with pytest.raises(QnnError, match="expected"):
        loss(spec)


def test_a_joint_loss_is_not_split() -> None:
    p = problem("multi-hinge:2")
    z = p.pre_activations(p.random_bits(np.random.default_rng(0), 1))[-1][0]
    for ask in (lambda: p.output_losses(z), p.loss_table):
        with pytest.raises(QnnError, match="multi-hinge:2 loss is joint over all outputs"):
            ask()
    assert p.one_vs_rest_losses(z).shape == z.shape
    np.testing.assert_array_equal(p.one_vs_rest_losses(z), problem("hinge:2").output_losses(z))


# -- models ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", [None, "twos-complement", "one-hot", "threshold"])
@pytest.mark.parametrize("act", ["sign", "relu:2", "hard-tanh:2"])
def test_multi_hinge_is_exact_in_every_encoding(encoding: str | None, act: str) -> None:
    p = problem("multi-hinge", act=act)
    rng = np.random.default_rng(3)
    bits = p.random_bits(rng, 10)
    free = rng.choice(p.num_free_bits, 12, replace=False)
    for part, candidates in (
        (p, bits),
        (p.restrict(free, bits[0]), bits[:, np.sort(free)]),
        (p.subset([2, 7, 8]), bits),
    ):
        model, size = part.qcbo(encoding), part.size(encoding)
        points = np.stack([part.complete_bits(b, encoding) for b in candidates])
        assert model.is_feasible(points).all()
        np.testing.assert_allclose(model.objective(points), part.losses(candidates))
        assert size.num_variables == model.num_variables
        assert (size.num_rows, size.num_products) == (model.num_rows, model.num_products)
        assert size.nonzeros >= model.rows.nnz
    assert spline_errors(p).loss == 0.0


def test_the_threshold_encoding_takes_one_slack_word_a_pair() -> None:
    p = problem("multi-hinge:2", bias=False)
    words = {label.partition(",r=")[0] for label in p.qcbo("threshold").labels if label[:2] == "e["}
    assert len(words) == 2 * p.num_samples


@pytest.mark.parametrize("encoding", ["twos-complement", "threshold"])
def test_penalties_keep_the_least_multi_hinge(encoding: str) -> None:
    p = TrainingProblem(Network.dense([1, 3]), [[2]], [1], loss="multi-hinge:5")
    bits = np.array([[b >> i & 1 for i in range(3)] for b in range(8)])
    bqm = p.qcbo(encoding).to_bqm(penalty=50)
    assert bqm.num_variables < 20
    least = dimod.ExactSolver().sample(bqm).first
    assert least.energy == pytest.approx(p.losses(bits).min()) == 2.0


def test_cross_entropy_of_several_outputs_has_no_model() -> None:
    p = problem("cross-entropy")
    for ask in (p.qcbo, p.size, lambda: network_size(p.network, 9, loss="cross-entropy:2")):
        with pytest.raises(QnnError, match="take loss='multi-hinge' or 'squared:auto'"):
            ask()


def test_cross_entropy_of_one_output_is_a_spline_with_its_error() -> None:
    p = problem("cross-entropy:2", 1, bias=False)
    error = spline_errors(p).loss
    assert 0 < error < 0.02
    z = np.arange(p.output_low, p.output_high + 1)
    margins = np.abs(p.loss_splines[1](z) - np.logaddexp(0, -z / 2))
    assert margins.max() == pytest.approx(error)
    assert problem("cross-entropy:2", 1, bias=False, loss_pieces=64).loss_splines[0].error < 1e-9
    bits = p.random_bits(np.random.default_rng(0), 3)
    points = np.stack([p.complete_bits(b) for b in bits])
    np.testing.assert_allclose(p.qcbo().objective(points), p.losses(bits))


def test_bounds_decide_a_joint_loss() -> None:
    p = problem("multi-hinge:1", bias=False)
    z = p.pre_activations(p.random_bits(np.random.default_rng(5), 1))[-1][0]
    for name in ("multi-hinge:1", "cross-entropy:2"):
        q = problem(name, bias=False)
        assert not q.output_undecided(z, z).any()
        assert q.decided_loss(z, z) == pytest.approx(q.sample_losses(z).sum())
        least, greatest = q.loss_bounds(z - 1, z + 1)
        inside = q.sample_losses(z)
        assert (least.sum(axis=1) <= inside).all()
        assert (inside <= greatest.sum(axis=1)).all()


def test_multi_hinge_of_one_margin() -> None:
    assert multi_hinge(1).name == "multi-hinge:1"
    assert multi_hinge(1).margin == 1.0
