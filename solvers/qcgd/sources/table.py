"""The sources by name."""

from __future__ import annotations

from collections.abc import Callable, Collection

from solvers.qcgd.repair import Repair
from solvers.qcgd.scoring import ModelScoring, Scoring
from solvers.qcgd.sources.base import Source
from solvers.qcgd.sources.halves import Halves
from solvers.qcgd.sources.perturbation import Annealing, Perturbation
from solvers.qcgd.sources.relinking import Relinking
from solvers.qcgd.sources.restricted import Restricted
from solvers.qcgd.sources.spectral import Spectral

SOURCES: dict[str, Callable[[Scoring, int], Source | None]] = {
    "perturbation": lambda target, size: Perturbation(size),
    "relinking": lambda target, size: Relinking(),
    "annealing": lambda target, size: (  # linear models: restricted ones find what it would
        Annealing(Repair(target.model))
        if isinstance(target, ModelScoring)
        and (target.model.quadratic.nnz or target.model.num_products)
        else None
    ),
    "restricted": lambda target, size: (  # a few bits do not free products that others make
        Restricted(target.model, target.relaxation)
        if isinstance(target, ModelScoring) and 2 * target.model.num_products <= size
        else None
    ),
    "halves": lambda target, size: Halves.of(target) if isinstance(target, ModelScoring) else None,
    "spectral": lambda target, size: (
        Spectral.of(target) if isinstance(target, ModelScoring) else None
    ),
}
"""From what is scored, and the bits of a candidate, to a source; None where there is none of it.
The oracle is one more."""


def sources_of(target: Scoring, size: int, names: Collection[str]) -> dict[str, Source]:
    """The named sources that there are for ``target``.

    Examples
    --------
    >>> from formulations import QCBO
    >>> target = ModelScoring(QCBO.from_arrays([1, -1], [[1, 1]], [1]))
    >>> list(sources_of(target, 2, ["oracle", "relinking", "perturbation"]))
    ['perturbation', 'relinking']
    """
    made = {name: make(target, size) for name, make in SOURCES.items() if name in names}
    return {name: source for name, source in made.items() if source is not None}
