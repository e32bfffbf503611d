"""Accuracy against stored size: networks of several sizes beside published ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from formulations import TrainingProblem
from formulations.checks import check_number, check_several
from qnn.architecture import network_for
from qnn.data.images import IMAGES
from qnn.data.warped import warped
from qnn.runs.output import BITS_OF_KIB, FORMAT, environment
from qnn.runs.solver_options import SolverOptions
from qnn.runs.training import DataOptions, ModelOptions, Training, train, trained
from solvers.classical.straight_through.solver import StraightThrough


def published(spec: str) -> Sequence[tuple[str, float, float, str]]:
    """Return the published networks for a data set with all of its classes.

    A data set in a file goes by the file's name without extension.  Each network has name, test
    accuracy, stored KiB including thresholds, and source.

    Examples
    --------
    >>> [kib for _, _, kib, _ in published("tables/vehicle.csv")], published("mnist:3,8")
    ([2.25], ())
    """
    bitnet, logic = "github.com/cpldcpu/BitNetMCU", "logic gates that are learned"
    finn = "Umuroglu et al. 2017 (FINN); Brevitas' model zoo"
    tables = "Susskind et al. 2022 (BTHOWeN); other splits than here"
    known: dict[str, Sequence[tuple[str, float, float, str]]] = {
        "mnist": (
            ("BitNetMCU, 2-bit weights", 0.9422, 1.1, bitnet),
            ("BitNetMCU, 4-bit weights", 0.9902, 12.3, bitnet),
            ("TFC, 1-bit weights and units", 0.9317, 7.2, finn),
            ("SFC, 1-bit weights and units", 0.9781, 40.8, finn),
            ("LFC, 1-bit weights and units", 0.9888, 355.0, finn),
            ("LILogicNet, small", 0.9796, 12.0, logic),
            ("LILogicNet, large", 0.9845, 24.0, logic),
            ("BTHOWeN", 0.934, 70.0, tables),
        ),
        "fashion": (("LILogicNet", 0.906, 94.0, logic),),
        "iris": (("BTHOWeN", 0.98, 0.28, tables),),
        "wine": (("BTHOWeN", 0.983, 0.42, tables),),
        "vehicle": (("BTHOWeN", 0.762, 2.25, tables),),
        "satellite": (("BTHOWeN", 0.88, 9.0, tables),),
        "letterrecognition": (("BTHOWeN", 0.9, 78.0, tables),),
        "shuttle": (("BTHOWeN", 0.999, 2.63, tables),),
    }
    return known.get(spec.replace("\\", "/").rpartition("/")[2].removesuffix(".csv"), ())


def _of_images(
    data: DataOptions, model: ModelOptions, epochs: int | None, limit: float | None, seed: int
) -> Training:
    """Train a network on images of bytes: deep, one-bit weights, by gradients, on warped images.

    From 2 KiB on it has a third hidden layer and trains on warped images; below, it errs as often
    on seen images as on others.  Accuracy on 10,000 held-out images of MNIST, 12 x 12 inputs of 16
    levels, 40 epochs on 50,000 images: two hidden layers at 12.1 KiB .9864, three at 12.6 KiB
    .9881, four at 9.7 KiB .9846; with labels smoothed by .1 .9837; hard-tanh:4 .9843.
    """
    assert model.bits is not None
    drawn, roomy = data.load(seed), model.bits >= 2.0 * BITS_OF_KIB
    network = network_for(
        drawn.X_train,
        drawn.num_outputs,
        model.bits,
        hidden=None if model.hidden is None else list(model.hidden),
        activation=model.activation,
        weights=model.weights or "bipolar",
        bias=model.bias,
        shape=(1.0, 0.68, 0.4) if roomy else (1.0, 1.0),
    )
    problem = TrainingProblem(network, drawn.X_train, drawn.y_train, loss=model.loss)
    augment: Any = None
    if roomy and drawn.pixels is not None and drawn.thresholds is not None:
        turn, stretch = {"mnist": (0.12, 0.1), "fashion": (0.03, 0.05)}.get(
            data.spec.partition(":")[0], (0.0, 0.0)
        )
        augment = partial(warped, drawn.pixels, drawn.thresholds, turn=turn, stretch=stretch)
    chosen = StraightThrough(epochs, augment=augment, time_limit=limit, seed=seed)
    options = SolverOptions(time_limit=limit)
    return trained(drawn, problem, chosen, "straight-through", options, None, seed)


def check_sizes(kib: object) -> list[float]:
    """Return the sizes as positive numbers, refusing any other.

    Examples
    --------
    >>> check_sizes([0.5, 1])
    [0.5, 1.0]
    """
    return [check_number("kib", size) for size in check_several("kib", kib, "sizes in KiB")]


def frontier(
    data: DataOptions,
    model: ModelOptions,
    *,
    kib: Sequence[float] = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0),
    seeds: int = 1,
    epochs: int | None = None,
    time_limit: float | None = None,
    seed: int = 0,
    progress: Callable[[str], object] = lambda note: None,
) -> dict[str, Any]:
    """Train a network of each size: by the default trainer, or on images by gradients.

    Networks on images of bytes have two or three hidden layers of one-bit weights; from 2 KiB on,
    the images are warped anew at each epoch, see :func:`qnn.data.warped.warped`.

    Parameters
    ----------
    data : DataOptions
    model : ModelOptions
        Values that are None are chosen from each size.
    kib : sequence of float
        Stored sizes in KiB of 1,024 bytes: weights and thresholds together.
    seeds : int
        Number of draws of the training part, and of trainer starts, for each size.
    epochs : int, optional
        Passes over images; None: as many as fit in a minute.
    time_limit : float, optional
        Seconds per network.
    seed : int
        The first of the seeds.
    progress : callable
        Called with each network before it is trained.

    Returns
    -------
    dict
        ``points`` has the figures of every network, ``published`` those of the literature,
        ``references`` those of logistic regression with real weights.

    Examples
    --------
    >>> small = ModelOptions(None, "relu:4", None, "auto", "cross-entropy")
    >>> found = frontier(DataOptions("iris", samples=None, levels=16), small, kib=[0.02, 0.05])
    >>> [point["stored_bits"] <= point["kib_asked"] * 8192 for point in found["points"]]
    [True, True]
    """
    from qnn.compare.references import refer

    points, references = [], []
    are_images = data.spec.partition(":")[0] in IMAGES or "idx3" in data.spec
    for number in range(seed, seed + seeds):
        progress("logistic regression")
        largest = replace(model, bits=int(max(check_sizes(kib)) * BITS_OF_KIB))
        reference = refer("logistic-regression", data, largest, number)
        references.append({"variant": "logistic-regression", "seed": number, **reference})
        for size in check_sizes(kib):
            progress(f"{size:g} KiB, seed {number}")
            own = replace(model, bits=int(size * BITS_OF_KIB))
            if are_images:
                run = _of_images(data, own, epochs, time_limit, number)
            else:
                run = train(data, own, "trainer", SolverOptions(time_limit=time_limit), seed=number)
            code = run.problem.network.layers[0].code.name
            about = {"variant": f"{size:g} KiB", "kib_asked": size, "weights": code}
            points.append({**about, **run.figures, "kib": run.figures["stored_bits"] / BITS_OF_KIB})
    return {
        "format": FORMAT,
        "kind": "frontier",
        "data": asdict(data),
        "model": asdict(model),
        "options": {"kib": list(kib), "epochs": epochs, "time_limit": time_limit},
        "seeds": list(range(seed, seed + seeds)),
        "points": points,
        "references": references,
        "published": [
            dict(zip(("name", "accuracy", "kib", "source"), known, strict=True))
            for known in published(data.spec)
        ],
        "environment": environment(),
    }
