"""Table of the sources by name."""

from __future__ import annotations

from collections.abc import Callable, Collection

from solvers.qcgd.repair import Repair
from solvers.qcgd.scoring import ModelScoring, Scoring
from solvers.qcgd.sources.base import Source
from solvers.qcgd.sources.enumeration import Enumeration
from solvers.qcgd.sources.halves import Halves
from solvers.qcgd.sources.perturbation import Annealing, Perturbation
from solvers.qcgd.sources.relinking import Relinking
from solvers.qcgd.sources.restricted import Restricted
from solvers.qcgd.sources.spectral import Spectral

SOURCES: dict[str, Callable[[Scoring, int], Source | None]] = {
    "perturbation": lambda target, size: Perturbation(
        size, corners=isinstance(target, ModelScoring)
    ),
    "relinking": lambda target, size: Relinking(),
    "annealing": lambda target, size: (  # Linear models need only restricted ones.
        Annealing(Repair(target.model))
        if isinstance(target, ModelScoring)
        and (target.model.quadratic.nnz or target.model.num_products)
        else None
    ),
    "restricted": lambda target, size: (  # Few bits cannot free others' products.
        Restricted(target.model, target.relaxation)
        if isinstance(target, ModelScoring) and 2 * target.model.num_products <= size
        else None
    ),
    "enumeration": lambda target, size: (
        Enumeration.of(target) if isinstance(target, ModelScoring) else None
    ),
    "halves": lambda target, size: Halves.of(target) if isinstance(target, ModelScoring) else None,
    "spectral": lambda target, size: (
        Spectral.of(target) if isinstance(target, ModelScoring) else None
    ),
}
"""Functions from a scoring and the number of a candidate's bits to a source, or None if it does not
apply.  The oracle is a further source."""


def sources_of(target: Scoring, size: int, names: Collection[str]) -> dict[str, Source]:
    """Make the named sources that apply to ``target``.

    Examples
    --------
    >>> from formulations import QCBO
    >>> target = ModelScoring(QCBO.from_arrays([1, -1], [[1, 1]], [1]))
    >>> list(sources_of(target, 2, ["oracle", "relinking", "perturbation"]))
    ['perturbation', 'relinking']
    """
    made = {name: make(target, size) for name, make in SOURCES.items() if name in names}
    return {name: source for name, source in made.items() if source is not None}
