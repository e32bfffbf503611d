"""Linear rows on the weight bits, for constraints without their own class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from formulations.array_checks import check_integers
from formulations.arrays import BitArray, IntArray
from formulations.checks import choose
from formulations.constraints.base import Constraint
from formulations.constraints.parts import Parts, Subject
from formulations.errors import InfeasibleModelError, InvalidInputError
from formulations.model.assembly import Terms
from formulations.model.labels import Family


@dataclass(frozen=True, eq=False)
class LinearRows(Constraint):
    """Integer rows A x <= b, A x >= b or A x = b over all weight bits x in canonical order.

    A level with several words, such as the zero of a ternary code, is judged by the bits it has, or
    by those of the first word if weights are given as levels.

    Parameters
    ----------
    A : array of int, shape (m, num_weight_bits)
    b : array of int, shape (m,)
    sense : {"<=", ">=", "="}

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> at_most_one = LinearRows([[1, 1, 1]], [1])
    >>> problem = TrainingProblem(
    ...     Network.dense([3, 1]), [[1, 1, 1]], [1], constraints=[at_most_one]
    ... )
    >>> problem.broken(problem.weights_from_bits([1, 1, 1]))
    {'linear-rows: row 0': 2}
    """

    A: npt.ArrayLike
    b: npt.ArrayLike
    sense: Literal["<=", ">=", "="] = "<="

    def __post_init__(self) -> None:
        choose("sense of LinearRows", self.sense, ["<=", ">=", "="])
        A, b = check_integers("LinearRows: A", self.A), check_integers("LinearRows: b", self.b)
        if A.ndim != 2 or b.shape != A.shape[:1] or not A.size:
            raise InvalidInputError(
                f"LinearRows with A of shape {A.shape} and b of shape {b.shape}: expected (m, n) "
                "and (m,)"
            )
        object.__setattr__(self, "A", A)
        object.__setattr__(self, "b", b)

    @property
    def name(self) -> str:
        return "linear-rows"

    def at_most(self) -> tuple[IntArray, IntArray]:
        """Return the rows as A x <= b; an equality gives two."""
        A, b = np.asarray(self.A), np.asarray(self.b)
        signs = {"<=": [1], ">=": [-1], "=": [1, -1]}[self.sense]
        return np.concatenate([s * A for s in signs]), np.concatenate([s * b for s in signs])

    def check(self, subject: Subject) -> None:
        """Refuse rows of another length and rows that no bits satisfy."""
        A, b = self.at_most()
        if A.shape[1] != subject.network.num_weight_bits:
            raise InvalidInputError(
                f"LinearRows with {A.shape[1]} columns: expected one for each of the network's "
                f"{subject.network.num_weight_bits} weight bits"
            )
        least = np.minimum(A, 0).sum(axis=1)
        if (least > b).any():
            row = int(np.argmax(least > b)) % len(np.asarray(self.b))
            raise InfeasibleModelError(f"linear-rows: no weight bits satisfy row {row}")

    def labels(self, subject: Subject) -> list[str]:
        return [f"linear-rows: row {row}" for row in range(len(np.asarray(self.b)))]

    def amounts(self, subject: Subject, bits: BitArray) -> IntArray:
        A, b = self.at_most()
        beyond = np.maximum(bits.astype(np.int64) @ A.T - b, 0)
        return np.asarray(beyond.reshape(len(bits), -1, len(np.asarray(self.b))).sum(axis=1))

    def add_rows(self, parts: Parts, number: int) -> None:
        """Add the rows over the free bits; the others' contribution moves to the right side."""
        A, b = np.asarray(self.A), np.asarray(self.b)
        sign = -1 if self.sense == ">=" else 1
        rest = sign * (b - A @ parts.held)
        row, bit = np.nonzero(A[:, parts.free_bits])
        terms = Terms.linear(row, parts.weights[bit], sign * A[row, parts.free_bits[bit]])
        table = np.stack([np.full(len(b), number), np.arange(len(b))], axis=1)
        parts.assembly.rows(
            terms,
            rest.astype(float),
            self.name,
            Family(self.name, ("c", "r"), table, (2, len(str(len(b))))),
            equality=self.sense == "=",
        )
