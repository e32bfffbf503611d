"""Local search around an oracle's samples: repair for models, polish for networks.

A sample is first repaired: of a violated row's variables, the one with the least increase of the
objective per unit of violation removed is flipped; if every flip only moves the violation
elsewhere, that row's weight is raised [breakout: Morris, AAAI 1993; on mixed-integer rows:
Luteberget & Sartor, Feasibility Jump, Math. Prog. Comp. 15, 2023].  From the feasible point, chains
of flips descend: one variable flips, then one of each row that this violates, until all rows hold
again, and variables that fit into freed capacity are added [ejection chains: Glover, Discrete
Applied Mathematics 65, 1996].  With one-hot rows a chain is an exchange, with two families of them
a swap in the permutation, with a capacity some items for others.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import BitArray, IntArray
from formulations.model.qcbo import QCBO
from solvers.constrained.watch import Watch
from solvers.kernels.blocks import heat_bath
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.kernels.repair import Ground, Walk, polish

if TYPE_CHECKING:
    from formulations import TrainingProblem

DENSE = 1024
"""Up to this many variables, couplers are read from a full matrix of at most 8 MB."""

LONG = 200_000
"""If the previous call evaluated more candidates, about 10 ms, threads share the call."""


class Repair:
    """Repair of a model's samples and descent from them; deterministic in the seed.

    Parameters
    ----------
    model : QCBO
    depth : int
        Most flips of a chain: a swap in a permutation takes four; with triangle inequalities,
        moving a node to another cluster takes as many as both clusters have nodes.
    effort : int
        Candidates evaluated per sample and variable, at most half a million per sample.

    Attributes
    ----------
    looked : int
        Candidates evaluated so far.

    Examples
    --------
    >>> model = QCBO.from_arrays([3, 1, 2], [[1, 1, 1]], [1])
    >>> Repair(model)([[1, 1, 0], [0, 0, 0]], np.random.SeedSequence(0)).tolist()
    [[0, 1, 0], [0, 1, 0]]
    """

    def __init__(self, model: QCBO, *, depth: int = 40, effort: int = 1000) -> None:
        self.model = model
        self.ground, self._flipped, self._products = _ground(model)
        self.depth, self.effort = depth, min(effort * max(len(self._flipped), 1), 500_000)
        self.looked, self.num_variables = 0, model.num_variables
        self._latest = 0

    def __call__(
        self,
        x: npt.ArrayLike,
        seed: np.random.SeedSequence,
        heats: npt.ArrayLike = (0.0, 0.0),
        length: int = 0,
        ends: BitArray | None = None,
    ) -> BitArray:
        """Return feasible local minima near samples (reads, n); an unrepaired sample is unchanged.

        If the first of two temperatures, ``heats`` (2,) or (reads, 2) in units of a move's change,
        is above 0, a sample is first annealed between them: ``length`` candidates are evaluated,
        and the walk's end is written to ``ends`` (reads, n).
        """
        points = np.array(x, dtype=np.int8)
        if points.size:
            numbers = seed.generate_state(len(points), np.uint64) | np.uint64(1)
            # A copy: another layout would be compiled again.
            hot = np.array(np.broadcast_to(heats, (len(points), 2)), dtype=np.float64, order="C")
            flipped = np.ascontiguousarray(points[:, self._flipped])
            last = flipped.copy()

            def run(part: slice) -> int:
                given = (flipped[part], numbers[part], self.effort, self.depth)
                return int(polish(self.ground, *given, Walk(hot[part], length, last[part])))

            threads = min(os.cpu_count() or 1, len(points)) if self._latest > LONG else 1
            if threads == 1:
                self._latest = run(slice(None))
            else:
                cuts = np.linspace(0, len(points), threads + 1).astype(int)
                with ThreadPoolExecutor(threads) as pool:
                    self._latest = sum(pool.map(run, map(slice, cuts[:-1], cuts[1:])))
            self.looked += self._latest
            settled = self._settled(points, flipped)
            mended = self.model.is_feasible(settled)
            if ends is not None:
                ends[:] = self._settled(points, last)
            points[mended] = settled[mended]
        return points

    def _settled(self, points: BitArray, flipped: BitArray) -> BitArray:
        """Return points with new values of the flipped variables and of the products."""
        settled = points.copy()
        settled[:, self._flipped] = flipped
        u, v, w = self._products.T
        settled[:, u] = settled[:, v] & settled[:, w]
        return settled


class Polish:
    """Descent to networks no change of one or two weights improves; deterministic in the seed.

    Each pass pairs all weights at random and sets every pair to its best values by the incremental
    loss, with ties drawn evenly.

    Parameters
    ----------
    problem : TrainingProblem

    Attributes
    ----------
    looked : int
        Networks evaluated so far, in units of :class:`Repair` candidates of equal time.

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
        """Return networks at least as good, free weight bits (R, k) to free weight bits (R, k)."""
        rng, samples = np.random.default_rng(seed), self._problem.num_samples
        share = int(1e8 / (samples * max(len(points), 1))) + 1  # some tenths of a second
        polished = np.empty((len(points), self.num_variables), dtype=np.int8)
        for number, point in enumerate(points):
            looked = self._descend(point, share, rng)
            polished[number] = self._landscape.bits(self._landscape.moves.choice)
            self.looked += looked * (2 + samples // 16)
        return polished

    def _descend(self, bits: BitArray, most: int, rng: np.random.Generator) -> int:
        """Descend from these weights to a local minimum; return the networks evaluated."""
        landscape = self._landscape
        landscape.set_bits(bits)
        moves, looked, idle = landscape.moves, 0, 0
        size = len(moves.choice)
        goal = landscape.value(landscape.floor)
        broken = self._watch.refresh() if self._watch else 0
        best, order = moves.choice.copy(), np.full(size + size % 2, -1)
        while looked < most and idle < 2:  # two passes without a gain: a local minimum
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


def _ground(model: QCBO) -> tuple[Ground, IntArray, IntArray]:
    """Return the compiled searches' arrays, the variables they flip, and the products u, v, w.

    A product u = v w follows its factors, in rows and in the objective.  If u is itself a factor or
    has couplers, it is flipped like the others, with rows u <= v, u <= w and v + w - u <= 1, which
    on bits hold exactly if u = v w.
    """
    n, Q = model.num_variables, sp.csr_array(model.quadratic + model.quadratic.T)
    u, v, w = model.products.T
    free = np.diff(Q.indptr) > 0
    free[model.products[:, 1:].ravel()] = True
    follows = ~free[u] & (v != w)
    followers = model.products[follows]
    rows = _with_rows_of_products(model.rows, model.products[~follows])
    p = np.count_nonzero(~follows)
    upper = np.concatenate([model.rhs, np.zeros(2 * p), np.ones(p)])
    lower = np.full(len(upper), -np.inf)
    lower[: model.num_rows][model.equality] = model.rhs[model.equality]
    largest = abs(rows).max(axis=1).toarray() if rows.nnz else np.ones(len(upper))
    u, v, w = followers.T
    kept = np.setdiff1d(np.arange(n), u)
    place = np.zeros(n, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    v, w = place[v], place[w]
    m, own, of = len(upper), rows[:, kept].tocoo(), rows[:, u].tocoo()
    r, a, left, right = of.coords[0], of.data, v[of.coords[1]], w[of.coords[1]]
    none = np.zeros(len(a))
    columns = sp.csc_array(
        (
            np.concatenate([own.data, none, none]),
            (np.concatenate([own.coords[0], r, r]), np.concatenate([own.coords[1], left, right])),
        ),
        shape=(m, len(kept)),
    )
    columns.sort_indices()
    column = np.repeat(np.arange(len(kept)), np.diff(columns.indptr))
    numbers = column * m + columns.indices  # ascending
    one, other = (np.searchsorted(numbers, side * m + r) for side in (left, right))
    firsts, seconds = np.concatenate([one, other]), np.concatenate([other, one])
    partners = np.argsort(firsts, kind="stable")
    by_row = np.lexsort((column, columns.indices))
    products = sp.csr_array((model.linear[u], (v, w)), shape=(len(kept),) * 2)
    # Rows a x_1 + ... + a x_k <= a or = a, without products, of variables that have no other row.
    least = np.full(m, np.inf)
    np.minimum.at(least, columns.indices, columns.data)
    one = (least == largest) & (least == upper) & (np.isin(lower, -np.inf) | (lower == upper))
    one[columns.indices[firsts]] = False
    alone = np.full(len(kept), -1)
    single = np.flatnonzero(np.diff(columns.indptr) == 1)
    of_single = columns.indices[columns.indptr[single]]
    alone[single] = np.where(one[of_single], of_single, -1)

    couplers = sp.coo_array(Q[kept][:, kept] + products + products.T)
    i, j = couplers.coords
    apart = (alone[i] < 0) | (alone[i] != alone[j])  # Two of such a row are never both 1.
    Q = sp.csr_array((couplers.data[apart], (i[apart], j[apart])), shape=couplers.shape)
    Q.sort_indices()
    dense = Q.toarray() if len(kept) <= DENSE else np.zeros((0, 0))

    def starts(of: IntArray, count: int) -> IntArray:
        return np.append(0, np.cumsum(np.bincount(of, minlength=count)))

    ground = Ground(
        model.linear[kept],
        Q.indptr.astype(np.int64), Q.indices.astype(np.int32), Q.data, dense,
        starts(columns.indices.astype(np.int64), m), column[by_row].astype(np.int32),
        columns.data[by_row], by_row,
        columns.indptr.astype(np.int64), columns.indices.astype(np.int32), columns.data,
        starts(firsts, columns.nnz), seconds[partners], np.tile(a, 2)[partners],
        lower, upper, 1.0 / np.where(largest > 0.0, largest, 1.0), alone,
        1e-9 * max(float(np.abs(of).max(initial=0.0)) for of in (model.linear, Q.data)),
    )  # fmt: skip
    return ground, kept, followers


def _with_rows_of_products(rows: sp.csr_array, products: IntArray) -> sp.csr_array:
    """Append three rows for each product."""
    p, (u, v, w) = len(products), products.T
    of = np.arange(p)
    places = (
        np.concatenate([of, of, p + of, p + of, *[2 * p + of] * 3]),
        np.concatenate([u, v, u, w, v, w, u]),
    )
    signs = np.repeat([1.0, -1.0, 1.0, -1.0, 1.0, 1.0, -1.0], p)
    triples = sp.csr_array((signs, places), shape=(3 * p, rows.shape[1]))
    both = sp.csr_array(sp.vstack([rows, triples], format="csr"))
    both.eliminate_zeros()
    return both
