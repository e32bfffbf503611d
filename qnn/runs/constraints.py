"""Parse constraints named in commands and estimators: ``fan-in:6``, ``right:FILE``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from formulations.arrays import IntArray
from formulations.checks import choose, shown
from formulations.constraints import Constraint, FanIn, Monotone, NofM, NonZeros, Right, Robust
from formulations.errors import InvalidInputError
from formulations.network.vocabulary import CONSTRAINTS, names
from qnn.data.datasets import Dataset, on_lattice
from qnn.runs.scoring import labelled

Read = Callable[[str], tuple[IntArray, IntArray]]
"""Function that reads a file's samples on the lattice, and their labels."""


def constraint(spec: str | Constraint, read: Read) -> Constraint:
    """Return the constraint in ``spec``, see :data:`formulations.network.vocabulary.CONSTRAINTS`.

    ``read`` returns a file's samples on the lattice, and their labels.

    Examples
    --------
    >>> constraint("fan-in:6", read=None), constraint("n-of-m:2,4", read=None)
    (FanIn(most=6, layer=None), NofM(most=2, of=4, layer=None))
    """
    if isinstance(spec, Constraint):
        return spec
    if not isinstance(spec, str):
        raise InvalidInputError(
            f"constraints: {shown(spec)}: expected a name, such as 'fan-in:6', or a Constraint"
        )
    name, _, rest = spec.partition(":")
    if name == "tied":
        raise InvalidInputError(
            f"constraint {shown(spec)}: groups of weights are given in Python, as "
            "formulations.constraints.Tied(groups); commands share weights by --hidden conv:8:3x3"
        )
    choose("name in constraints", name, names(CONSTRAINTS))
    expected = [entry for entry in CONSTRAINTS if entry.partition(":")[0] == name]
    words = rest.split(",") if rest else []
    try:
        if name == "right":
            number = words[0].isascii() and words[0].isdigit()
            margin, _, file = rest.partition(",") if number else ("1", "", rest)
            return Right(*read(file), margin=int(margin))
        if name == "robust":
            return Robust(*read(",".join(words[1:])), radius=int(words[0]))
        numbers = [int(word) for word in words]
        kinds: dict[str, Callable[..., Constraint]] = {
            "fan-in": FanIn, "non-zeros": NonZeros, "n-of-m": NofM, "monotone": Monotone
        }  # fmt: skip
        return kinds[name](*numbers)
    except (ValueError, TypeError, IndexError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(
            f"constraint {shown(spec)}: expected {' or '.join(expected)}"
        ) from error


def constraints_of(
    specs: Sequence[str | Constraint],
    data: Dataset,
    *,
    target: str | None = None,
    data_dir: str | None = None,
) -> list[Constraint]:
    """Return the constraints for some data, whose columns and classes the files must share."""
    image, inputs = data.image, data.num_inputs
    raw = image[0] * image[1] if image else inputs // data.repeat

    def read(file: str) -> tuple[IntArray, IntArray]:
        X, y = labelled(file, (raw, inputs), data.classes, target=target, data_dir=data_dir)
        if X.shape[1] == raw:
            lattice = on_lattice(X, inputs, data.thresholds, image, data.repeat)
        else:
            lattice = on_lattice(X, inputs, data.thresholds)
        return lattice, np.asarray(y if data.num_outputs > 1 else 2 * y - 1)

    return [constraint(spec, read) for spec in specs]


def kept(broken: dict[str, int], specs: Sequence[object]) -> str | None:
    """Describe for a report whether constraints are kept, or which are violated and by how much.

    Examples
    --------
    >>> kept({}, ["fan-in:6"]), kept({"right: sample 3": 2}, ["right:tests.csv"])
    ('kept by construction', 'violated by right: sample 3 (2)')
    >>> kept({}, []) is None
    True
    """
    if not specs:
        return None
    if not broken:
        return "kept by construction"
    worst = sorted(broken.items(), key=lambda item: -item[1])
    more = f" and {len(worst) - 3} more" if len(worst) > 3 else ""
    return "violated by " + ", ".join(f"{what} ({by})" for what, by in worst[:3]) + more
