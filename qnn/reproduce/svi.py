"""``qnn reproduce svi``: training by a monotone variational inequality, without its own slope."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from scipy.special import ndtr
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split

from formulations.arrays import Float32Array, FloatArray
from qnn.reproduce.low_bits import low_bits_table
from qnn.reproduce.report import Origin, Report, ReproduceOptions, Row, Table, mean_row
from solvers.classical.gradients.features import GraphFilter
from solvers.classical.gradients.outputs import mean_square, softmax_mean_square
from solvers.classical.gradients.stack import RealLayer, Rule, Stack
from solvers.classical.gradients.units import Unit, probit, relu, sigmoid
from solvers.classical.monotone import MonotoneVI
from solvers.classical.straight_through.solver import StraightThrough

WIDTHS = (8, 16, 32, 64, 128, 256)
SEEDS = (1103, 1111, 1214)
"""Seeds of the paper's three repetitions, from its notebooks."""

MOONS: dict[str, tuple[Rule, int, dict[int, float], Origin]] = {
    "SVI small": ("small", 0, {32: 1.60, 64: 0.93, 128: 0.47, 256: 0.13}, "paper"),
    "SGD, first layer frozen": ("gradient", 1, {32: 1.80, 64: 1.07, 128: 0.60, 256: 0.27}, "paper"),
    "SGD": ("gradient", 0, {32: 0.13, 64: 0.07}, "measured"),
    "SVI full": ("full", 0, {32: 9.67}, "paper"),
    "SVI, last layer alone": ("last", 0, {}, "paper"),
}
"""Rule, frozen layers, figures by width, and their origin."""

NODES, STEPS = 15, (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Graph recovery: number of nodes, and learning rates of SGD, divided by the nodes for SVI."""


def svi(options: ReproduceOptions) -> Report:
    """Return all tables of the monotone variational inequality."""
    title = "Monotone variational inequality (SVI)"
    source = (
        "C. Xu, X. Cheng, Y. Xie, An alternative approach to train neural networks using monotone "
        "variational inequality, arXiv 2202.08876; figures from the authors' notebooks "
        "(simulation_two_moon_old_exact_as_paper)"
    )
    remarks = [
        "The two moons are those of the authors' notebooks: their three seeds, for points, halves "
        "and first weights (drawn as torch draws them), their batches in the order of the points, "
        "and their loss, the mean square of the probabilities. Every published entry is found "
        "again, as is each seed's own figure where the notebooks print it.",
        "The published SGD has its first layer frozen, because its input is cut off from the "
        "gradient: it trains an output on random features. With the first layer trained, plain "
        "SGD errs less than SVI at every width, and by far where it is narrow; the comparison in "
        "the paper is between ways to leave the first layer nearly as it was drawn.",
        "What sets the two published columns apart is the last layer. SVI leaves out the slope of "
        "the softmax there, which makes its direction the gradient of the cross-entropy; the "
        "frozen SGD descends the mean square. The last layer alone, with no step in the hidden "
        "layer, errs least of the three over many seeds: what SVI does to the hidden layer does "
        "not help here. SVI full moves it most, and errs most.",
        "Three seeds say little: at 32 hidden units they happen to err about half as much as the "
        "mean over more seeds, which stands beside each figure.",
        "In the graph task SVI's step is a sum over the nodes and SGD's a mean: at equal learning "
        "rates SVI steps further by the number of nodes. Compare at matched steps, or at the best "
        "learning rate of each side, both of which are shown.",
    ]
    return Report("svi", title, source, _tables(options), remarks)


def _tables(options: ReproduceOptions) -> Iterator[Table]:
    steps = (100, 300, 1000, 3000, 10_000)
    yield _moons(options)
    yield _probit(options, (*steps, 30_000) if options.full else steps)
    yield from _graphs(options, *((2000, 100) if options.full else (800, 20)))
    # the first five round trained real weights
    solvers = {
        "SVI full": MonotoneVI(draws=2),
        "SVI small": MonotoneVI("small", draws=2),
        "SVI, last layer alone": MonotoneVI("last", draws=2),
        "SVI 20 epochs, then gradients": MonotoneVI(warm=20, draws=2),
        "gradients": MonotoneVI("gradient", draws=2),
        "straight-through": StraightThrough(),
    }
    yield low_bits_table(solvers, options)


# -- two moons -------------------------------------------------------------------------------------


def _moons(options: ReproduceOptions) -> Table:
    """Table of test errors of all rules: the published seeds, and the mean over more."""
    conditions = (
        "Test error; 500 + 500 standardised points of noise 0.1, two layers, ReLU and softmax with "
        "mean square loss, batch 100, learning rate 0.15, momentum 0.9, 100 epochs, last epoch; "
        f"mean and standard deviation over the paper's {len(SEEDS)} seeds. One test error of one "
        "seed is 0.2 points."
    )
    return Table("Two moons", _moons_rows(options), conditions)


def _moons_rows(options: ReproduceOptions) -> Iterator[Row]:
    seeds = [*SEEDS, *options.seeds(100 if options.full else 10)]
    cases = [(name, width) for name in MOONS for width in WIDTHS]
    found = options.map(
        _moons_error,
        [(*MOONS[name][:2], width, seed) for name, width in cases for seed in seeds],
    )
    for name, width in cases:
        options.progress(f"two moons, {name}, {width} units")
        errors = list(islice(found, len(seeds)))
        published, more = errors[: len(SEEDS)], errors[len(SEEDS) :]
        wide = f"{np.mean(more):.2f} ± {np.std(more, ddof=1):.2f} over {len(more)} other seeds"
        _, _, known, origin = MOONS[name]
        yield mean_row(
            f"{name}, {width} units", published, known.get(width), origin=origin, remark=wide
        )


def _moons_error(rule: Rule, frozen: int, width: int, seed: int) -> float:
    """Return the test error in per cent; the seed draws points, halves and weights as published."""
    X, y = make_moons(1000, noise=0.1, random_state=seed)
    X = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, random_state=seed)
    words = np.random.RandomState(seed)
    layers = [_as_torch(words, (width, 2), relu()), _as_torch(words, (2, width))]
    network = Stack(layers, softmax_mean_square())
    method = MonotoneVI(rule, frozen=frozen, shuffled=False)
    method.fit(network, X, np.eye(2, dtype=np.float32)[y])
    return 100.0 * float(np.mean(network.predict(X_test).argmax(axis=1) != y_test))


def _as_torch(
    words: np.random.RandomState, shape: tuple[int, int], unit: Unit | None = None
) -> RealLayer:
    """Draw a layer as torch does after ``manual_seed``: 24 bits per Mersenne Twister word."""
    limit = np.float32(1 / np.sqrt(shape[1]))

    def uniform(size: tuple[int, ...]) -> Float32Array:
        bits = words.randint(0, 2**32, size, dtype=np.uint32) & np.uint32(2**24 - 1)
        return bits.astype(np.float32) * np.float32(2**-24) * (2 * limit) - limit

    return RealLayer(uniform(shape), uniform(shape[:1]), unit)


# -- probit ----------------------------------------------------------------------------------------


def _probit(options: ReproduceOptions, steps: Sequence[int]) -> Table:
    """Table of the last layer's squared error by the number of steps, and its decay rate."""
    seeds = options.seeds(20)

    def rows() -> Iterator[Row]:
        means = []
        found = options.map(_probit_error, [(count, seed) for count in steps for seed in seeds])
        for count in steps:
            options.progress(f"probit recovery, {count} steps")
            errors = list(islice(found, len(seeds)))
            means.append(np.mean(errors))
            yield mean_row(f"squared error after {count} steps", errors, form="{:.2e}")
        slope = float(np.polyfit(np.log(steps[1:]), np.log(means[1:]), 1)[0])
        what = "slope of log squared error over log steps"
        yield Row(what, slope, -1.0, form="{:.2f}", origin="theory")

    conditions = (
        "P(y = 1 | x) = Phi(x'w), 10 standard normal inputs, |w| = 1; 20 fresh samples a "
        f"step of 1 / (kappa (t + 1)); {len(seeds)} seeds. The slope leaves the first row out."
    )
    return Table("Probit recovery by the last layer alone", rows(), conditions)


def _probit_error(steps: int, seed: int, inputs: int = 10, fresh: int = 20) -> float:
    """Return the squared error after this many steps of ``fresh`` samples."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    truth = rng.normal(size=(1, inputs))
    truth /= np.linalg.norm(truth)
    X = rng.normal(size=(steps * fresh, inputs))
    Y = (rng.random((len(X), 1)) < ndtr(X @ truth.T)).astype(float)
    layer = RealLayer(np.zeros((1, inputs)), None, None)
    network = Stack([layer], mean_square(probit()))
    MonotoneVI("last", kappa=_modulus(), epochs=1, batch=fresh).fit(network, X, Y)
    return float(np.square(layer.W - truth).sum())


def _modulus() -> float:
    """Smallest eigenvalue of E[phi'(x'w) x x'] at |w| = 1, x standard normal.

    The eigenvalue across w is E[phi'(s)] = 1 / sqrt(4 pi), that along w is E[phi'(s) s^2] = 1 / (2
    sqrt(4 pi)).
    """
    return float(1 / (2 * np.sqrt(4 * np.pi)))


# -- graphs ----------------------------------------------------------------------------------------


Task = tuple[GraphFilter, FloatArray, FloatArray, FloatArray, FloatArray]
"""A graph; inputs X with a teacher's labels Y; test inputs, and the teacher's P on them."""


def _task(seed: int, samples: int, density: float = 0.15) -> Task:
    """Draw a teacher on a random graph."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    upper = np.triu(rng.random((NODES, NODES)) < density, 1).astype(float)
    graph = GraphFilter.normalized(upper + upper.T)
    teacher = _graph_network(graph, rng, hidden=2, scale=3.0)
    X, X_test = rng.normal(size=(2, samples, NODES, 2))
    Y = (rng.random((samples, NODES, 1)) < teacher.predict(X)).astype(float)
    return graph, X, Y, X_test, teacher.predict(X_test)


def _graph_error(task: Task, rule: MonotoneVI, seed: int, hidden: int = 16) -> float:
    """Return the relative error |P - teacher's P| / |teacher's P| on the test inputs."""
    graph, X, Y, X_test, P_test = task
    network = _graph_network(graph, np.random.default_rng(np.random.SeedSequence(seed)), hidden)
    rule.fit(network, X, Y)
    return float(np.linalg.norm(network.predict(X_test) - P_test) / np.linalg.norm(P_test))


def _graphs(options: ReproduceOptions, samples: int, epochs: int) -> list[Table]:
    """Table of both methods at equal learning rates, at matched steps, and at their best rates."""
    seeds = options.seeds(3)
    tasks = [_task(seed, samples) for seed in seeds]

    def sweep(rule: Rule, scale: float) -> dict[float, list[float]]:
        """Return errors at each step; learning rates are divided by a factor."""
        options.progress(f"graph recovery, {rule}")
        methods = [MonotoneVI(rule, rate=step * scale, epochs=epochs) for step in STEPS]
        found = options.map(
            _graph_error,
            [(task, m, seed) for m in methods for task, seed in zip(tasks, seeds, strict=True)],
        )
        return {step: list(islice(found, len(seeds))) for step in STEPS}

    form = "{:.4f}"
    sweeps = {
        "SVI full": sweep("full", 1 / NODES),
        "SVI small": sweep("small", 1 / NODES),
        "SGD": sweep("gradient", 1.0),
    }
    equal = STEPS[1] / NODES
    method = MonotoneVI("gradient", rate=equal, epochs=epochs)
    slow = [_graph_error(task, method, seed) for task, seed in zip(tasks, seeds, strict=True)]
    unmatched = [
        mean_row(f"SVI full, rate {equal:.1g}", sweeps["SVI full"][STEPS[1]], form=form),
        mean_row(f"SGD, rate {equal:.1g}", slow, form=form),
    ]
    rows, best = [], []
    for step in STEPS:
        rows += [
            mean_row(f"{name}, step {step:g}", sweeps[name][step], form=form) for name in sweeps
        ]
    for name, errors in sweeps.items():
        step = min(STEPS, key=lambda s: float(np.mean(errors[s])))
        best.append(mean_row(f"{name}, its best step {step:g}", errors[step], form=form))
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
) -> Stack:
    """Build a network of two graph filters with ReLU and sigmoid, for mean square loss."""
    layers = [
        RealLayer.drawn(rng, (hidden, 2), relu(), graph),
        RealLayer.drawn(rng, (1, hidden), None, graph),
    ]
    for layer in layers:
        layer.W *= scale
    return Stack(layers, mean_square(sigmoid()))
