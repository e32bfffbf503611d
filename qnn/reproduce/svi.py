"""``qnn reproduce svi``: training by a monotone variational inequality, without the own slope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr
from sklearn.datasets import make_moons

from qnn.reproduce.low_bits import low_bits_table
from qnn.reproduce.report import Origin, Report, ReproduceOptions, Row, Table, mean_row
from solvers.classical.monotone import MonotoneVI
from solvers.classical.real_network import (
    GraphFilter,
    MeanSquare,
    Probit,
    RealLayer,
    RealNetwork,
    Relu,
    Rule,
    Sigmoid,
    SoftmaxCrossEntropy,
)
from solvers.classical.straight_through import StraightThrough

FloatArray = npt.NDArray[np.float64]

WIDTHS = (8, 16, 32, 64, 128, 256)
SEEDS = 3
"""Repetitions of the two moons in the paper."""

MOONS = {
    "SVI small": (MonotoneVI("small"), {32: 1.60, 64: 0.93, 128: 0.47, 256: 0.13}, Origin.PAPER),
    "SGD, first layer frozen": (
        MonotoneVI("gradient", frozen=1),
        {32: 1.80, 64: 1.07, 128: 0.60, 256: 0.27},
        Origin.PAPER,
    ),
    "SGD": (MonotoneVI("gradient"), {32: 0.13, 64: 0.07}, Origin.EARLIER),
    "SVI full": (MonotoneVI("full"), {}, Origin.PAPER),
}
"""Rule, figures by width, and where these are from."""

FRESH = 20
"""Samples of a step of the probit recovery."""

STEPS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Learning rates of SGD in the graph recovery; those of SVI are less by the number of nodes."""

NODES = 15

GRAPH_SIZES = {False: (800, 20), True: (2000, 100)}
"""Samples and epochs of the graph recovery, in the quick and in the full form."""

PROBIT_STEPS = {False: (100, 300, 1000, 3000, 10_000), True: (100, 300, 1000, 3000, 10_000, 30_000)}
"""Numbers of steps of the probit recovery."""


LOW_BITS = {
    "SVI full": MonotoneVI(draws=2),
    "SVI small": MonotoneVI("small", draws=2),
    "SVI, last layer alone": MonotoneVI("last", draws=2),
    "SVI 20 epochs, then gradients": MonotoneVI(warm=20, draws=2),
    "gradients": MonotoneVI("gradient", draws=2),
    "straight-through": StraightThrough(),
}
"""What is compared on the low-bit network; the first five train real weights and round them."""


def svi(options: ReproduceOptions) -> Report:
    """All tables of the monotone variational inequality."""
    tables = [_moons(options), _probit(options), *_graphs(options)]
    tables.append(low_bits_table(LOW_BITS, options))
    return Report(
        "svi", "Monotone variational inequality (SVI)", "arXiv 2202.08876", tables, REMARKS
    )


REMARKS = [
    "The published SGD on the two moons has its first layer frozen, because its input is cut off "
    "from the gradient: it trains an output on random features. With the first layer trained, "
    "plain SGD errs far less than SVI at every width in the table; the comparison in the paper is "
    "between two ways to leave the first layer as it was drawn.",
    "SVI small divides the hidden layers' steps by the batch of 100, so that these hardly move "
    "either; SVI full moves them, errs more up to 64 units and about as much from there on. With "
    "softmax and cross-entropy the last layer's operator is its gradient: SVI differs from SGD in "
    "the hidden layer alone.",
    "Three seeds, as in the paper, leave a standard error of up to three test errors of 500 (0.2 "
    "points each) at 32 hidden units: the mean over more seeds beside each figure is what the "
    "method gives, the figure itself is one draw of it. Which points, halves and seeds the paper "
    "drew is not known.",
    "In the graph task SVI's step is a sum over the nodes and SGD's a mean: at equal learning "
    "rates SVI steps further by the number of nodes. Compare at matched steps, or at the best "
    "learning rate of each side, both of which are shown.",
]

# -- two moons -------------------------------------------------------------------------------------


def _moons(options: ReproduceOptions) -> Table:
    """Test errors of four rules; three seeds as published, and the mean over more beside them."""
    seeds = options.seeds(100 if options.full else 10)
    rows = []
    for name, (rule, published, origin) in MOONS.items():
        for width in WIDTHS:
            options.progress(f"two moons, {name}, {width} units")
            errors = [_moons_error(rule, width, seed) for seed in seeds]
            wide = f"{np.mean(errors):.2f} ± {np.std(errors, ddof=1):.2f} over {len(seeds)} seeds"
            rows.append(
                mean_row(
                    f"{name}, {width} units",
                    errors[:SEEDS],
                    published.get(width),
                    origin=origin,
                    remark=wide,
                )
            )
    conditions = (
        "Test error; 500 + 500 standardised points of noise 0.1, two layers, ReLU and softmax with "
        "cross-entropy, batch 100, learning rate 0.15, momentum 0.9, 100 epochs, last epoch; mean "
        f"and standard deviation over {SEEDS} seeds. One test error is 0.2 points."
    )
    return Table("Two moons", rows, conditions)


def _moons_error(rule: MonotoneVI, width: int, seed: int) -> float:
    """Test error in per cent; the seed draws points, halves, weights and batches."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    X, y = make_moons(1000, noise=0.1, random_state=int(rng.integers(2**31)))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    order = rng.permutation(len(X))
    train, test = order[:500], order[500:]
    layers = [RealLayer.drawn(rng, (width, 2), Relu()), RealLayer.drawn(rng, (2, width))]
    network = RealNetwork(layers, SoftmaxCrossEntropy())
    rule.fit(network, X[train], np.eye(2)[y[train]])
    return 100.0 * float(np.mean(network.predict(X[test]).argmax(axis=1) != y[test]))


# -- probit ----------------------------------------------------------------------------------------


def _probit(options: ReproduceOptions) -> Table:
    """Squared error of the last layer alone by the number of steps, and its rate of decay."""
    steps, seeds, errors = PROBIT_STEPS[options.full], options.seeds(20), []
    for count in steps:
        options.progress(f"probit recovery, {count} steps")
        errors.append([_probit_error(count, seed) for seed in seeds])
    means = np.mean(errors, axis=1)
    slope = float(np.polyfit(np.log(steps[1:]), np.log(means[1:]), 1)[0])
    rows = [
        mean_row(f"squared error after {count} steps", values, form="{:.2e}")
        for count, values in zip(steps, errors, strict=True)
    ]
    rate = Row(
        "slope of log squared error over log steps",
        slope,
        -1.0,
        form="{:.2f}",
        origin=Origin.THEORY,
    )
    conditions = (
        f"P(y = 1 | x) = Phi(x'w), 10 standard normal inputs, |w| = 1; {FRESH} fresh samples a "
        f"step of 1 / (kappa (t + 1)); {len(seeds)} seeds. The slope leaves the first row out."
    )
    return Table("Probit recovery by the last layer alone", [rate, *rows], conditions)


def _probit_error(steps: int, seed: int, inputs: int = 10) -> float:
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    truth = rng.normal(size=(1, inputs))
    truth /= np.linalg.norm(truth)
    X = rng.normal(size=(steps * FRESH, inputs))
    Y = (rng.random((len(X), 1)) < ndtr(X @ truth.T)).astype(float)
    layer = RealLayer(np.zeros((1, inputs)), None, None)
    network = RealNetwork([layer], MeanSquare(Probit()))
    MonotoneVI("last", kappa=_modulus(), epochs=1, batch=FRESH).fit(network, X, Y)
    return float(np.square(layer.W - truth).sum())


def _modulus() -> float:
    """Least eigenvalue of E[phi'(x'w) x x'] at |w| = 1, x standard normal.

    Across w it is E[phi'(s)] = 1 / sqrt(4 pi), along w E[phi'(s) s^2] = 1 / (2 sqrt(4 pi)).
    """
    return float(1 / (2 * np.sqrt(4 * np.pi)))


# -- graphs ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _GraphTask:
    """A teacher on a random graph: inputs, labels that it draws, and its own probabilities."""

    filter: GraphFilter
    X: FloatArray
    Y: FloatArray
    X_test: FloatArray
    P_test: FloatArray

    @classmethod
    def drawn(
        cls, seed: int, samples: int, nodes: int = NODES, density: float = 0.15
    ) -> _GraphTask:
        rng = np.random.default_rng(np.random.SeedSequence(seed))
        upper = np.triu(rng.random((nodes, nodes)) < density, 1).astype(float)
        graph = GraphFilter.normalized(upper + upper.T)
        teacher = _graph_network(graph, rng, hidden=2, scale=3.0)
        X, X_test = rng.normal(size=(2, samples, nodes, 2))
        Y = (rng.random((samples, nodes, 1)) < teacher.predict(X)).astype(float)
        return cls(graph, X, Y, X_test, teacher.predict(X_test))

    def error(self, rule: MonotoneVI, seed: int, hidden: int = 16) -> float:
        """Relative error |P - teacher's P| / |teacher's P| on the test inputs."""
        rng = np.random.default_rng(np.random.SeedSequence(seed))
        network = _graph_network(self.filter, rng, hidden)
        rule.fit(network, self.X, self.Y)
        P = network.predict(self.X_test)
        return float(np.linalg.norm(P - self.P_test) / np.linalg.norm(self.P_test))


def _graphs(options: ReproduceOptions) -> list[Table]:
    """Both sides at equal learning rates, at matched steps, and at the best of their sweeps."""
    samples, epochs = GRAPH_SIZES[options.full]
    seeds = options.seeds(3)
    tasks = [_GraphTask.drawn(seed, samples) for seed in seeds]

    def errors(rule: Rule, rate: float) -> list[float]:
        options.progress(f"graph recovery, {rule}, {rate:g}")
        method = MonotoneVI(rule, rate=rate, epochs=epochs)
        return [task.error(method, seed) for task, seed in zip(tasks, seeds, strict=True)]

    form = "{:.4f}"
    sides: list[tuple[str, Rule, float]] = [
        ("SVI full", "full", 1 / NODES),
        ("SVI small", "small", 1 / NODES),
        ("SGD", "gradient", 1.0),
    ]
    sweeps = {
        name: {step: errors(rule, step * scale) for step in STEPS} for name, rule, scale in sides
    }
    equal = STEPS[1] / NODES
    unmatched = [
        mean_row(f"SVI full, rate {equal:.1g}", sweeps["SVI full"][STEPS[1]], form=form),
        mean_row(f"SGD, rate {equal:.1g}", errors("gradient", equal), form=form),
    ]
    rows, best = [], []
    for step in STEPS:
        rows += [
            mean_row(f"{name}, step {step:g}", sweeps[name][step], form=form) for name in sweeps
        ]
    for name, sweep in sweeps.items():
        step = min(STEPS, key=lambda s: float(np.mean(sweep[s])))
        best.append(mean_row(f"{name}, its best step {step:g}", sweep[step], form=form))
    conditions = (
        f"Relative error of the probabilities on test inputs. Random graph of {NODES} nodes, "
        "density 0.15; teacher of two graph filters, 2-2-1, ReLU and sigmoid, whose labels are "
        f"learned by 2-16-1 from {samples:,} samples, batch 100, momentum 0.9, {epochs} epochs; "
        f"{len(seeds)} seeds."
    )
    return [
        Table("Graph recovery, as compared in the paper: equal learning rates", unmatched),
        Table("Graph recovery, each side at its best", best, conditions),
        Table(
            "Graph recovery, sweep at matched steps",
            rows,
            "A step of s is the learning rate s of SGD, whose loss is a mean over the nodes, and "
            f"s / {NODES} of SVI, whose direction is a sum over them.",
        ),
    ]


def _graph_network(
    graph: GraphFilter, rng: np.random.Generator, hidden: int, scale: float = 1.0
) -> RealNetwork:
    """Two graph filters with ReLU and sigmoid, mean square loss."""
    layers = [
        RealLayer.drawn(rng, (hidden, 2), Relu(), graph),
        RealLayer.drawn(rng, (1, hidden), None, graph),
    ]
    for layer in layers:
        layer.W *= scale
    return RealNetwork(layers, MeanSquare(Sigmoid()))
