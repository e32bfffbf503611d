"""Local search next to what an oracle found: repair of a model's samples, polish of networks.

A sample is mended first: a variable of a violated row is flipped, the one that costs the objective
least for what it takes off the violation; where every flip only moves the violation elsewhere, that
row's weight is raised [breakout: Morris, AAAI 1993; on mixed-integer rows: Luteberget & Sartor,
Feasibility Jump, Math. Prog. Comp. 15, 2023].  From the feasible point chains of flips descend: one
variable flips, then one of each row that this violates, until all rows hold again, and what fits
into room that was made comes in [ejection chains: Glover, Discrete Applied Mathematics 65, 1996].
With one-hot rows a chain is an exchange, with two families of them a swap in the permutation, with
a capacity some items for others.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import BitArray
from formulations.model.qcbo import QCBO
from solvers.constrained.watch import Watch
from solvers.kernels.blocks import heat_bath
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.kernels.repair import Ground, polish

if TYPE_CHECKING:
    from formulations import TrainingProblem

DENSE = 1024
"""Up to so many variables couplers are looked up in a full matrix, of 8 MB at most."""

DEPTH = 6
"""Most flips of a chain: a swap in a permutation takes four."""

EFFORT, MOST = 1000, 500_000
"""Candidates looked at for each sample: so many per variable of the model, and at most so many."""

LONG = 200_000
"""A call whose predecessor looked at more candidates, about 10 ms, is shared among threads."""


WORK = 1e8
"""Most networks times samples that a call to polish looks at: some tenths of a second."""

IDLE = 2
"""Passes over all weights without a gain after which a network is a local minimum."""


class Repair:
    """Mends samples of a model and descends from them; deterministic in the seed.

    Parameters
    ----------
    model : QCBO
    depth : int
        Most flips of a chain.
    effort : int
        Candidates looked at for each sample, per variable.

    Attributes
    ----------
    looked : int
        Candidates looked at so far.

    Examples
    --------
    >>> model = QCBO.from_arrays([3, 1, 2], [[1, 1, 1]], [1])
    >>> Repair(model)([[1, 1, 0], [0, 0, 0]], np.random.SeedSequence(0)).tolist()
    [[0, 1, 0], [0, 1, 0]]
    """

    def __init__(self, model: QCBO, *, depth: int = DEPTH, effort: int = EFFORT) -> None:
        self.ground = _ground(model)
        self.depth, self.effort = depth, min(effort * max(model.num_variables, 1), MOST)
        self.looked, self.num_variables = 0, model.num_variables
        self._latest = 0

    def __call__(self, x: npt.ArrayLike, seed: np.random.SeedSequence) -> BitArray:
        """Feasible local minima near samples (reads, n); a sample not mended stays as it was."""
        points = np.array(x, dtype=np.int8)
        if points.size:
            numbers = seed.generate_state(len(points), np.uint64) | np.uint64(1)

            def run(part: slice) -> int:
                given = (points[part], numbers[part], self.effort, self.depth)
                return int(polish(self.ground, *given))

            threads = min(os.cpu_count() or 1, len(points)) if self._latest > LONG else 1
            if threads == 1:
                self._latest = run(slice(None))
            else:
                ends = np.linspace(0, len(points), threads + 1).astype(int)
                with ThreadPoolExecutor(threads) as pool:
                    self._latest = sum(pool.map(run, map(slice, ends[:-1], ends[1:])))
            self.looked += self._latest
        return points


class Polish:
    """Local minima among the networks that differ in one or two weights; deterministic in the seed.

    Each pass pairs all weights at random and gives every pair the best of its values, ties drawn
    evenly, by the incremental loss.

    Parameters
    ----------
    problem : TrainingProblem

    Attributes
    ----------
    looked : int
        Networks looked at so far, in candidates that :class:`Repair` looks at in the same time.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1], [-1, 1]], [1, -1, -1])
    >>> start = np.zeros((1, 6), dtype=np.int8)
    >>> bits = Polish(problem)(start, np.random.SeedSequence(0))
    >>> problem.losses(start).tolist(), problem.losses(bits).tolist()
    ([6.0], [0.0])
    """

    def __init__(self, problem: TrainingProblem) -> None:
        self._problem = problem
        self._landscape = IncrementalLoss(problem)
        self._watch = Watch(problem, self._landscape) if problem.constraints else None
        self.looked, self.num_variables = 0, problem.num_free_bits

    def __call__(self, points: BitArray, seed: np.random.SeedSequence) -> BitArray:
        """Networks at least as good, free weight bits (R, k) to free weight bits (R, k)."""
        rng, samples = np.random.default_rng(seed), self._problem.num_samples
        share = int(WORK / (samples * max(len(points), 1))) + 1
        polished = np.empty((len(points), self.num_variables), dtype=np.int8)
        for number, point in enumerate(points):
            looked = self._descend(point, share, rng)
            polished[number] = self._landscape.bits(self._landscape.moves.choice)
            self.looked += looked * (2 + samples // 16)
        return polished

    def _descend(self, bits: BitArray, most: int, rng: np.random.Generator) -> int:
        """Go from these weights to a local minimum; return how many networks were looked at."""
        landscape = self._landscape
        landscape.set_bits(bits)
        moves, looked, idle = landscape.moves, 0, 0
        size = len(moves.choice)
        goal = landscape.value(landscape.floor)
        broken = self._watch.refresh() if self._watch else 0
        best, order = moves.choice.copy(), np.full(size + size % 2, -1)
        while looked < most and idle < IDLE:
            order[:size] = rng.permutation(size)
            pairs = order.reshape(-1, 2)[: most - looked]
            gains = np.zeros(len(pairs))
            cold, least = np.zeros(len(pairs)), float(landscape.state.losses[0])
            if self._watch:
                broken, least, evaluated = self._watch.heat_bath(
                    rng, pairs, cold, gains, best, broken, least, goal
                )
            else:
                least, evaluated = heat_bath(
                    landscape.state, moves, rng, pairs, cold, gains, best, least, goal
                )
            looked += evaluated + 1
            idle = 0 if gains.any() else idle + 1
            if least <= goal and not broken:
                break
        return looked


def _ground(model: QCBO) -> Ground:
    """The arrays of the compiled searches; a product u = v w becomes three rows.

    u <= v, u <= w and v + w - u <= 1 hold on bits just where u = v w.
    """
    n, p = model.num_variables, model.num_products
    u, v, w = model.products.T
    of = np.arange(p)
    triples = sp.csr_array(
        (
            np.repeat([1.0, -1.0, 1.0, -1.0, 1.0, 1.0, -1.0], p),
            (
                np.concatenate([of, of, p + of, p + of, *[2 * p + of] * 3]),
                np.concatenate([u, v, u, w, v, w, u]),
            ),
        ),
        shape=(3 * p, n),
    )
    rows = sp.csr_array(sp.vstack([model.rows, triples], format="csr"))
    rows.eliminate_zeros()
    columns = sp.csr_array(rows.T.tocsr())
    upper = np.concatenate([model.rhs, np.zeros(2 * p), np.ones(p)])
    lower = np.full(len(upper), -np.inf)
    lower[: model.num_rows][model.equality] = model.rhs[model.equality]
    largest = abs(rows).max(axis=1).toarray() if rows.nnz else np.ones(len(upper))
    Q = sp.csr_array(model.quadratic + model.quadratic.T)
    Q.sort_indices()
    dense = Q.toarray() if n <= DENSE else np.zeros((0, 0))
    return Ground(
        model.linear,
        Q.indptr.astype(np.int64), Q.indices.astype(np.int32), Q.data, dense,
        rows.indptr.astype(np.int64), rows.indices.astype(np.int32), rows.data,
        columns.indptr.astype(np.int64), columns.indices.astype(np.int32), columns.data,
        lower, upper, 1.0 / np.where(largest > 0.0, largest, 1.0),
    )  # fmt: skip
