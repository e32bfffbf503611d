"""Accuracy against stored size: networks of a range of sizes, and published ones beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

from formulations.checks import check_number, check_several
from qnn.runs.output import FORMAT, environment
from qnn.runs.solver_options import SolverOptions
from qnn.runs.training import DataOptions, ModelOptions, train

BITS_OF_KIB = 8 * 1024

KIB = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Default sizes."""


@dataclass(frozen=True)
class Published:
    """A network of the literature: its test accuracy, its stored size in KiB, and where it is."""

    name: str
    accuracy: float
    kib: float
    source: str


_BITNET = "github.com/cpldcpu/BitNetMCU"
_FINN = "Umuroglu et al. 2017 (FINN); Brevitas' model zoo"
_BTHOWEN = "Susskind et al. 2022 (BTHOWeN); other splits than here"

PUBLISHED: Mapping[str, tuple[Published, ...]] = MappingProxyType(
    {
        "mnist": (
            Published("BitNetMCU, 2-bit weights", 0.9422, 1.1, _BITNET),
            Published("BitNetMCU, 4-bit weights", 0.9902, 12.3, _BITNET),
            Published("TFC, 1-bit weights and units", 0.9317, 7.2, _FINN),
            Published("SFC, 1-bit weights and units", 0.9781, 40.8, _FINN),
            Published("LFC, 1-bit weights and units", 0.9888, 355.0, _FINN),
            Published("LILogicNet, small", 0.9796, 12.0, "logic gates that are learned"),
            Published("LILogicNet, large", 0.9845, 24.0, "logic gates that are learned"),
            Published("BTHOWeN", 0.934, 70.0, _BTHOWEN),
        ),
        "fashion": (Published("LILogicNet", 0.906, 94.0, "logic gates that are learned"),),
        "iris": (Published("BTHOWeN", 0.98, 0.28, _BTHOWEN),),
        "wine": (Published("BTHOWeN", 0.983, 0.42, _BTHOWEN),),
        "vehicle": (Published("BTHOWeN", 0.762, 2.25, _BTHOWEN),),
        "satellite": (Published("BTHOWeN", 0.88, 9.0, _BTHOWEN),),
        "letterrecognition": (Published("BTHOWeN", 0.9, 78.0, _BTHOWEN),),
        "shuttle": (Published("BTHOWeN", 0.999, 2.63, _BTHOWEN),),
    }
)
"""By the name of the data set, or of its file without the end.  Sizes count thresholds."""


def published(spec: str) -> tuple[Published, ...]:
    """The published networks for a data set, all of its classes together.

    Examples
    --------
    >>> [point.kib for point in published("tables/vehicle.csv")], published("mnist:3,8")
    ([2.25], ())
    """
    return PUBLISHED.get(spec.replace("\\", "/").rpartition("/")[2].removesuffix(".csv"), ())


def check_sizes(kib: object) -> list[float]:
    """The sizes as numbers above zero.

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
    kib: Sequence[float] = KIB,
    seeds: int = 1,
    time_limit: float | None = None,
    seed: int = 0,
    progress: Callable[[str], object] = lambda note: None,
) -> dict[str, Any]:
    """Train a network of each size with the default trainer.

    Parameters
    ----------
    data : DataOptions
    model : ModelOptions
        What is None in it follows from each size.
    kib : sequence of float
        Stored sizes in KiB of 1,024 bytes: weights and thresholds together.
    seeds : int
        Draws of the training part, and starts of the trainer, for each size.
    time_limit : float, optional
        Seconds of a network.
    seed : int
        The first of the seeds.
    progress : callable
        Told of each network before it is trained.

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
    for number in range(seed, seed + seeds):
        progress("logistic regression")
        reference = refer("logistic-regression", data, model, number)
        references.append({"variant": "logistic-regression", "seed": number, **reference})
        for size in check_sizes(kib):
            progress(f"{size:g} KiB, seed {number}")
            own = replace(model, bits=int(size * BITS_OF_KIB))
            run = train(data, own, "trainer", SolverOptions(time_limit=time_limit), seed=number)
            code = run.task.network.layers[0].code.name
            about = {"variant": f"{size:g} KiB", "kib_asked": size, "weights": code}
            points.append({**about, **run.figures, "kib": run.figures["stored_bits"] / BITS_OF_KIB})
    return {
        "format": FORMAT,
        "kind": "frontier",
        "data": asdict(data),
        "model": asdict(model),
        "options": {"kib": list(kib), "time_limit": time_limit},
        "seeds": list(range(seed, seed + seeds)),
        "points": points,
        "references": references,
        "published": [asdict(point) for point in published(data.spec)],
        "environment": environment(),
    }
