"""``qnn reproduce rmda``: dual averaging, proximal gradients, and the use of group sparsity."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import Float32Array
from qnn.reproduce.data import Split, available, not_run, split
from qnn.reproduce.low_bits import low_bits_table, three_or_eight
from qnn.reproduce.report import Origin, Report, ReproduceOptions, Row, Table
from solvers.classical.gradients.objectives import NetworkObjective
from solvers.classical.gradients.outputs import softmax_cross_entropy
from solvers.classical.gradients.proximal import group_lasso
from solvers.classical.gradients.stack import RealLayer, Stack
from solvers.classical.input_selection import select_inputs, with_inputs
from solvers.classical.rmda import RMDA, STRENGTH, ProxSGD
from solvers.classical.rounding import RealTraining, Rounding
from solvers.classical.straight_through.solver import StraightThrough
from solvers.qcgd.qcgd import QCGD
from solvers.run.run import Progress

INPUTS = 64
"""Number of inputs in the table of fewer inputs, before some are dropped."""


def rmda(options: ReproduceOptions) -> Report:
    """Return all tables of regularised dual averaging."""
    names = {"mnist": "MNIST", "fashion": "Fashion-MNIST"}
    found = [spec for spec in names if available(spec, options)]
    title = "Regularised dual averaging with momentum (RMDA)"
    source = (
        "Z.-S. Huang, C. Lee, Training Structured Neural Networks Through Manifold Identification "
        "and Variance Reduction, ICLR 2022, arXiv 2112.02612"
    )
    remarks = [
        "The published sparsity of ProxSGD is that of its best epoch, of RMDA that of the last: "
        "the rival's zeros come and go to the end. Here it stands beside the last epoch of both.",
        "The authors' program standardises the inputs by one mean and one deviation. On that "
        "scale, RMDA's published accuracy and sparsity on the whole of MNIST are found again to "
        "one image in 10,000; ProxSGD has the published accuracy and no group of zeros at all. "
        "With pixels from 0 to 1 it has some 42 %, but mostly leaves at zero what began there: "
        "pixels that are dark in nearly every image and have hardly any gradient, as the rows "
        "count.",
        "The pattern of zeros settles only when a stage is long enough for averages to lose their "
        "noise: with 100 epochs to a stage in its first few, with 8 not at all.",
        "Published figures are of MNIST's 60,000 + 10,000 images, 500 epochs; ours are of the "
        "sizes in the titles. With fewer images accuracy is lower.",
        "On the low-bit network RMDA does best with the distance to the levels as its psi, and "
        "straight-through, which sees the rounded network at every step, remains the better way "
        "to train. What group sparsity is good for there is fewer inputs, before the model is "
        "built.",
    ]
    remarks += not_run(names, options)
    return Report("rmda", title, source, _tables(found, options), remarks)


def _tables(found: Sequence[str], options: ReproduceOptions, epochs: int = 500) -> Iterator[Table]:
    """Return the tables; the paper runs 500 epochs, with a tenth of the learning rate each 100."""
    full = options.full
    data = {spec: split(spec, options, train=None if full else 10_000) for spec in found}
    if "mnist" in data:
        mnist = data["mnist"]
        known: Published = {
            "test accuracy": {"RMDA": 91.34, "ProxSGD": 91.31},
            "group sparsity": {"RMDA": 57.02, "ProxSGD": 39.29},
        }
        published = known if mnist.known else {}
        yield _regression(mnist, "standardised", epochs if full else 100, options, published)
        yield _regression(mnist, "from 0 to 1", epochs, options)
    if "fashion" in data:
        fashion = data["fashion"]
        known = {
            "group sparsity": {"RMDA": 38.5, "ProxSGD": 0.0},
            "objective": {"RMDA": 0.6145, "ProxSGD": 0.6131},
        }
        published = known if fashion.whole else {}
        yield _regression(fashion, "standardised", 40, options, published, "measured")
        if full:
            yield _regression(fashion, "standardised", epochs, options)
            yield _regression(fashion, "from 0 to 1", epochs, options)
    if not found:
        yield _regression(split("digits", options), "from 0 to 1", epochs, options)
    yield _left_out(options)
    solvers = {
        "RMDA, to the levels": RMDA(),
        "RMDA, group lasso": RMDA("group-lasso", 1e-3),
        "ProxSGD, to the levels": ProxSGD(),
        "gradients, rounded": Rounding(weights=RealTraining()),
        "straight-through": StraightThrough(),
    }
    yield low_bits_table(solvers, options)


# -- logistic regression ---------------------------------------------------------------------------


Published = Mapping[str, Mapping[str, float]]
"""Figures to reproduce, by measure and by method."""


def _regression(
    data: Split,
    scale: str,
    epochs: int,
    options: ReproduceOptions,
    published: Published = MappingProxyType({}),
    origin: Origin = "paper",
) -> Table:
    """Table of both methods on the same batches, from zero: accuracy, sparsity, and movement."""

    def rows() -> Iterator[Row]:
        methods, task = {"RMDA": RMDA, "ProxSGD": ProxSGD}, (data, scale)
        found = options.map(
            _figures,
            [(method(epochs=epochs, seed=options.seed), *task) for method in methods.values()],
        )
        for name in methods:
            options.progress(f"{data.name}, inputs {scale}, {name}")
            for what, value, form, remark in next(found):
                known = published.get(what, {}).get(name)
                yield Row(f"{name}, {what}", value, known, None, form, origin, remark)

    conditions = (
        f"Logistic regression, inputs {scale}, from zero: batch 128, learning rate 0.1 falling to "
        f"a tenth at each fifth of {epochs} epochs, group lasso of strength {STRENGTH:g}, groups "
        "the pixels. Sparsity: share of the weights in groups of zeros. The objective is over the "
        "training part."
    )
    return Table(f"{data.name}, inputs {scale}, {epochs} epochs", rows(), conditions)


def _figures(method: RMDA | ProxSGD, data: Split, scale: str) -> list[tuple[str, float, str, str]]:
    """Return a method's figures with their names, formats and remarks."""
    epochs = method.epochs
    X_train, X_test = _scaled(data, scale)
    shape = (data.num_classes, X_train.shape[1])
    layer = RealLayer(np.zeros(shape, np.float32), np.zeros(shape[0], np.float32), None)
    network = Stack([layer], softmax_cross_entropy())
    targets = np.eye(data.num_classes, dtype=np.float32)[data.y_train]
    history = method.fit(NetworkObjective(network, X_train, targets))
    accuracy = np.mean(network.predict(X_test).argmax(axis=1) == data.y_test)
    objective = network.loss(X_train, targets) + STRENGTH * group_lasso().value(layer.W)
    settled, changed = 100 * history["settled"], history["changed"]
    stage = changed[round(0.8 * epochs) + 1 :]
    ends = settled[-max(2, epochs // 10) :]
    last_change = int(np.flatnonzero(changed)[-1]) + 1 if changed.any() else 0
    dark = (data.X_train > 0).mean(axis=0) < 0.01
    zeros = group_lasso().settled(layer.W)
    steady = f"from {ends.min():.1f} to {ends.max():.1f} in the last {len(ends)} epochs"
    percent, number = "{:.2f} %", "{:g}"
    gone = f"of {zeros.sum()}; dark in over 99 % of the images: {dark.sum()}"
    changes = f"of {len(stage)}; last change in epoch {last_change} of {epochs}"
    return [
        ("test accuracy", 100 * float(accuracy), percent, ""),
        ("group sparsity", float(settled[-1]), percent, steady),
        ("most at any epoch", float(settled.max()), percent, ""),
        ("zero groups that are no dark pixels", float((zeros & ~dark).sum()), number, gone),
        ("objective", objective, "{:.4f}", ""),
        ("last stage: epochs that change the zeros", float((stage > 0).sum()), number, changes),
    ]


def _scaled(data: Split, scale: str) -> tuple[Float32Array, Float32Array]:
    """Scale training and test inputs to 0 .. 1, or to mean 0 and variance 1 over all pixels."""
    if scale == "from 0 to 1":
        shift, size = 0.0, float(data.X_train.max())
    else:
        shift, size = float(data.X_train.mean()), float(data.X_train.std())
    first, second = ((X - shift) / size for X in (data.X_train, data.X_test))
    return first.astype(np.float32), second.astype(np.float32)


# -- fewer inputs before the model is built --------------------------------------------------------


def _left_out(options: ReproduceOptions) -> Table:
    """Table of model size and QCGD's result, with all inputs and with the remaining ones."""
    seconds, samples = (30.0, 200) if options.full else (5.0, 100)
    seeds = options.seeds(5 if options.full else 2)
    conditions = (
        f"Digits 3 against 8, {INPUTS}-5-1 sign units, bipolar, N = {samples}, hinge; inputs that "
        f"keep weights under the group lasso; QCGD on the threshold encoding for {seconds:g} s; "
        f"medians of {len(seeds)} draws."
    )
    rows = _left_out_rows(options, seeds, seconds, samples)
    return Table("Inputs left out before the QCBO is built", rows, conditions)


def _left_out_rows(
    options: ReproduceOptions, seeds: Sequence[int], seconds: float, samples: int
) -> Iterator[Row]:
    numbers = (INPUTS, INPUTS // 2, INPUTS // 4)
    found = options.map(
        _with_fewer, [(seed, most, seconds, samples) for most in numbers for seed in seeds]
    )
    targets: Sequence[float] = ()
    for most in numbers:
        options.progress(f"inputs left out: {most} of {INPUTS}")
        figures, selection, traces = zip(*islice(found, len(seeds)), strict=True)
        inputs, bits, variables, best, accuracy = zip(*figures, strict=True)
        targets = targets or best
        when = np.median([
            next((at for at, loss in trace if loss <= target), np.inf)
            for trace, target in zip(traces, targets, strict=True)
        ])  # fmt: skip
        name = "all inputs" if most == INPUTS else f"at most {most} inputs"
        remark = "what all inputs reach: "
        remark += f"after {when:.1f} s" if np.isfinite(when) else "not reached"
        if most < INPUTS:
            remark += f"; {np.median(selection):.1f} s to choose the inputs"
        yield _median(f"{name}: their number", inputs)
        yield _median(f"{name}: weight bits", bits)
        yield _median(f"{name}: variables of the QCBO", variables, "{:,.0f}")
        yield _median(f"{name}: loss after {seconds:g} s", best, "{:g}", remark)
        yield _median(f"{name}: test accuracy", accuracy, "{:.1f} %")


def _median(what: str, values: Sequence[float], form: str = "{:g}", remark: str = "") -> Row:
    return Row(what, float(np.median(values)), form=form, remark=remark)


def _with_fewer(
    seed: int, most: int, seconds: float, samples: int
) -> tuple[tuple[float, ...], float, list[tuple[float, float]]]:
    """Run QCGD on the problem with some of its inputs.

    Return the numbers of inputs, weight bits and variables, loss and test accuracy, the seconds to
    choose the inputs, and the loss by seconds.
    """
    data, network = three_or_eight(seed, inputs=INPUTS, samples=samples)
    problem = TrainingProblem(network, data.X_train, data.y_train)
    kept, selection = np.arange(INPUTS), 0.0
    if most < INPUTS:
        started = time.perf_counter()
        kept = select_inputs(problem, most, RMDA(rate=3.0, seed=seed))
        selection = time.perf_counter() - started
        problem = with_inputs(problem, kept)
    trace: list[tuple[float, float]] = []

    def watch(progress: Progress) -> None:
        trace.append((progress.seconds, progress.loss))

    result = QCGD(seed=seed, time_limit=seconds, callbacks=(watch,)).solve(problem)
    predicted = problem.network.predict(result.weights, data.X_test[:, kept])
    accuracy = 100 * float(np.mean(predicted == data.y_test))
    variables = problem.size("threshold").num_variables
    return (len(kept), problem.num_free_bits, variables, result.loss, accuracy), selection, trace
