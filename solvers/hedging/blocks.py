"""Minimise the loss of a block of samples plus a linear term in the weight bits.

    minimise  L_k(x) + c'x     over the weight bits x, some of them fixed.

Every subproblem of progressive hedging has this form, since the proximal term is linear on bits.  A
block solver prepares everything that does not depend on c once, and then solves for many c.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from formulations import TrainingProblem
from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.errors import InvalidInputError
from formulations.network.weight_bits import distinct_rows
from solvers.hedging.products import Products
from solvers.oracles.deadline import answer_by
from solvers.oracles.ledger import Ledger
from solvers.oracles.together import Asking, together

FREE = -1
"""Entry of a pattern whose bit is not fixed."""


@dataclass(frozen=True)
class Question:
    """Subproblem of one block: a linear term, fixed bits, and starting points.

    Parameters
    ----------
    linear : ndarray of float64, shape (n,)
        The linear term c on the weight bits.
    pattern : ndarray of int8, shape (n,)
        Value of each fixed bit; ``FREE`` for bits that may change.
    starts : ndarray of int8, shape (S, n)
        Points to compare with, such as the incumbent; best first.
    seed : tuple of int
        Entropy and spawn key of the question's random stream.
    seconds : float, optional
        Remaining time of the run.
    products : Products, optional
        Further terms in products of weight bits.
    memory : optional
        State left by this block's latest answer; it travels because workers may change.
    """

    linear: FloatArray
    pattern: BitArray
    starts: BitArray
    seed: tuple[int, ...]
    seconds: float | None = None
    products: Products | None = None
    memory: Any = None

    def seed_sequence(self) -> np.random.SeedSequence:
        """Random stream of the question, independent of the worker that answers it."""
        return np.random.SeedSequence(self.seed[0], spawn_key=self.seed[1:])


@dataclass(frozen=True)
class Answer:
    """Points found for a :class:`Question`, with a bound.

    Parameters
    ----------
    bits : ndarray of int8, shape (R, n)
        Points, best first.
    values : ndarray of float64, shape (R,)
        Their L_k(x) + c'x, ascending.
    losses : ndarray of float64, shape (R,)
        Their L_k(x).
    bound : float
        Certified lower bound on every value under the pattern; -inf if nothing is proven.
    ledger : Ledger
        Cost of the oracle calls.
    memory : optional
        State for the next question: numbers, arrays, and lists and mappings of these.
    """

    bits: BitArray
    values: FloatArray
    losses: FloatArray
    bound: float
    ledger: Ledger = field(default_factory=Ledger)
    memory: Any = None


Minimise = Callable[..., Answer | Asking[Answer]]
"""Maps (linear, starts, seed) to points with a small L_k(x) + linear'x over the free bits of a
block's problem.  Questions that it yields go to the solver's attribute ``oracle``.

Optional parameters: ``seconds`` gets the remaining time of the run, ``products`` the further terms
(:class:`~solvers.hedging.products.Products` or None), and ``memory`` that of the block's latest
answer."""


class BlockSolver(Protocol):
    """Solver that minimises the loss of a block of samples plus a linear term."""

    @property
    def certifies(self) -> bool:
        """True if answers carry bounds."""
        ...

    def prepare(self, problem: TrainingProblem) -> Minimise:
        """Do the work that does not depend on the linear term."""
        ...


class Block:
    """A block's problem with its solver, as sent to a worker.

    Parameters
    ----------
    problem : TrainingProblem
        One of ``problem.blocks(size)``.
    solver : BlockSolver

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> from solvers.hedging.exact_blocks import Enumeration
    >>> problem = TrainingProblem(Network.dense([2, 1]), [[1, 1], [1, -1]], [1, -1])
    >>> nothing_fixed = np.array([FREE, FREE], dtype=np.int8)
    >>> question = Question(np.array([0.5, 0.0]), nothing_fixed, np.zeros((0, 2), np.int8), (0,))
    >>> answer = ask(Block(problem, Enumeration()), question)
    >>> answer.bits[0].tolist(), answer.values.tolist()[0], answer.bound
    ([0, 1], 1.0, 1.0)
    """

    def __init__(self, problem: TrainingProblem, solver: BlockSolver) -> None:
        self.problem, self.solver = problem, solver
        self._prepared: OrderedDict[bytes, Minimise] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[Block], tuple[TrainingProblem, BlockSolver]]:
        return Block, (self.problem, self.solver)  # workers prepare anew

    def prepared(self, pattern: BitArray) -> Minimise:
        """Prepare the block restricted to a pattern's free bits; bound propagation shrinks it."""
        key = pattern.tobytes()
        with self._lock:
            if key not in self._prepared:
                free = pattern == FREE
                problem = self.problem
                if not free.all():
                    base = problem.repair_bits(np.where(free, 0, pattern))
                    problem = problem.restrict(problem.free[free], problem.full_bits(base))
                self._prepared[key] = self.solver.prepare(problem)
                while len(self._prepared) > 64:  # keep the latest patterns only
                    self._prepared.popitem(last=False)
            self._prepared.move_to_end(key)
            return self._prepared[key]


def ask(block: Block, question: Question) -> Answer:
    """Answer a question; a module-level function, so that it can be pickled."""
    return ask_all([(block, question)])[0]


def ask_all(tasks: Sequence[tuple[Block, Question]]) -> list[Answer]:
    """Answer several questions, with all their QUBOs in one call if the oracle allows it."""
    seconds = tasks[0][1].seconds
    until = None if seconds is None else time.perf_counter() + seconds
    with answer_by(until):
        askers = [_asker(block, question) for block, question in tasks]
        return together(askers, getattr(tasks[0][0].solver, "oracle", None))


def _asker(block: Block, question: Question) -> Asking[Answer]:
    """Yield the questions to the oracle, and return the answer."""
    free = question.pattern == FREE
    if not free.any():  # the pattern leaves one point
        bits = question.pattern[None]
        losses = block.problem.losses(bits)
        values = losses + bits @ question.linear
        if question.products is not None:
            values += question.products.at(bits)
        return Answer(bits, values, losses, float(values[0]))
    starts = question.starts[:, free]
    minimise = block.prepared(question.pattern)
    products, fixed = None, float(question.linear[~free] @ question.pattern[~free])
    if question.products is not None:
        products, constant = question.products.under(question.pattern)
        fixed += constant
    more = {"seconds": question.seconds, "products": products, "memory": question.memory}
    taken = inspect.signature(minimise).parameters
    if products is not None and "products" not in taken:
        raise InvalidInputError(
            f"blocks={type(block.solver).__name__}: takes linear terms only, and so level=1 only"
        )
    told = {name: value for name, value in more.items() if name in taken}
    answer = minimise(question.linear[free], starts, question.seed_sequence(), **told)
    if not isinstance(answer, Answer):
        answer = yield from answer
    bits = np.tile(question.pattern, (len(answer.bits), 1))
    bits[:, free] = answer.bits
    return replace(answer, bits=bits, values=answer.values + fixed, bound=answer.bound + fixed)


def ranked(
    problem: TrainingProblem,
    bits: BitArray,
    linear: FloatArray,
    most: int,
    products: Products | None = None,
) -> tuple[BitArray, FloatArray, FloatArray]:
    """Return bits, values and losses of the best distinct points by loss plus added terms."""
    distinct = distinct_rows(canonical_bits(problem, bits))[0]
    losses = problem.losses(distinct)
    values = losses + distinct @ linear + (0.0 if products is None else products.at(distinct))
    order = np.argsort(values, kind="stable")[:most]
    return distinct[order], values[order], losses[order]


# -- the weights of a block -----------------------------------------------------------------------


@dataclass(frozen=True)
class FreeWeight:
    """A weight or threshold with free bits.

    Parameters
    ----------
    slots : ndarray of int64, shape (f,)
        Positions of the bits among the problem's free bits.
    words : ndarray of int8, shape (W, f)
        One word per reachable level, levels ascending.
    coefficients : ndarray of int64, shape (f,)
        Change of the level when a bit is set.
    one_hot : bool
        If True, exactly one bit must be set.
    """

    slots: IntArray
    words: BitArray
    coefficients: IntArray
    one_hot: bool

    def canonical(self, bits: BitArray) -> BitArray:
        """Replace words by those of the same level in ``words``, shape (R, f) -> (R, f)."""
        levels = self.words @ self.coefficients
        return np.asarray(self.words[np.searchsorted(levels, bits @ self.coefficients)])


def free_weights(problem: TrainingProblem) -> Iterator[FreeWeight]:
    """Return every weight and threshold with free bits, in canonical order.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> problem = TrainingProblem(Network.dense([1, 1], weights="ternary"), [[1]], [1])
    >>> [(weight.slots.tolist(), weight.words.tolist()) for weight in free_weights(problem)]
    [([0, 1], [[0, 0], [1, 0], [1, 1]])]
    """
    for layer, free in zip(problem.network.layers, problem.free_layers, strict=True):
        for j, i in np.argwhere(free.free_bits > 0).tolist():
            code = layer.code if i < layer.inputs else layer.bias_code
            assert code is not None
            slots = free.slot[j, i, : code.bits]
            loose = slots >= 0
            size, coefficients = int(loose.sum()), np.array(code.coefficients)[loose]
            words = np.eye(size, dtype=np.int8)
            if not code.one_hot:
                words = ((np.arange(2**size)[:, None] >> np.arange(size)) & 1).astype(np.int8)
            _, first = np.unique(words @ coefficients, return_index=True)
            yield FreeWeight(slots[loose], words[first], coefficients, code.one_hot)


def canonical_bits(problem: TrainingProblem, bits: npt.ArrayLike) -> BitArray:
    """Use the first word of every level, so that equal networks have equal bits.

    Shape (R, num_free_bits) -> the same.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> problem = TrainingProblem(Network.dense([1, 1], weights="ternary"), [[1]], [1])
    >>> canonical_bits(problem, [[0, 1], [1, 0], [1, 1]]).tolist()
    [[1, 0], [1, 0], [1, 1]]
    """
    bits = problem.repair_bits(bits)
    for weight in free_weights(problem):
        if len(weight.words) < 2 ** len(weight.slots) and not weight.one_hot:
            bits[:, weight.slots] = weight.canonical(bits[:, weight.slots])
    return bits
