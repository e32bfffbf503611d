"""Semidefinite relaxation of a model: a proven bound and rounded points.

With multipliers p of the lifted rows (:mod:`solvers.qcgd.lifting`), G = C + A*(p) and spins z,
z_0 = 1, every feasible point has an objective of at least

    constant + min z'Mz  >=  constant + sum_i d_i + (n + 1) lambda_min(M - Diag d)    for any d,

the dual value of min <M, Z>, diag Z = 1, Z psd.  Z = V V' with short vectors of length one is
found by coordinates, v_i <- -g_i / |g_i| with g_i = sum_j M_ij v_j, and -|g_i| is the dual d_i
[mixing method: Wang, Chang, Kolter, arXiv 1706.00476]; multipliers follow the residuals of V, as
with an oracle.  The least eigenvalue is lowered by the possible rounding error, so that the bound
holds.  Points are the signs of V r for random r [Goemans, Williamson, J. ACM 42, 1995].
"""

from __future__ import annotations

import numpy as np

from formulations.arrays import Array, BitArray, FloatArray
from solvers.kernels.compiled import compiled
from solvers.qcgd.lifting import Lifting
from solvers.qcgd.linear import ROUNDING
from solvers.qcgd.scoring import ModelScoring, Pool
from solvers.qcgd.sources.base import AFFORDED, BATCH, Source

ROUNDS, SWEEPS = 10, 5
"""Steps of the multipliers per batch, and sweeps over all vectors before each."""


@compiled()
def mix(M: Array, V: Array, lengths: Array, sweeps: int) -> None:
    """Turn every vector against the others' weighted sum repeatedly, and write the sum's length."""
    size, rank = V.shape
    g = np.empty(rank)
    for _ in range(sweeps):
        for i in range(size):
            for r in range(rank):
                g[r] = 0.0
            for j in range(size):
                if M[i, j] != 0.0:
                    for r in range(rank):
                        g[r] += M[i, j] * V[j, r]
            length = 0.0
            for r in range(rank):
                length += g[r] * g[r]
            length = np.sqrt(length)
            lengths[i] = length
            if length > 0.0:
                for r in range(rank):
                    V[i, r] = -g[r] / length


class Spectral(Source):
    """Source of bounds from least eigenvalues and of points rounded from their vectors.

    Parameters
    ----------
    target : ModelScoring
        Its floor rises with the bound.

    Examples
    --------
    >>> from formulations.model.qcbo import QCBO
    >>> cut = QCBO.from_arrays([-4] * 5, quadratic=np.triu(np.full((5, 5), 2), 1))  # of K_5
    >>> target = ModelScoring(cut)
    >>> target.floor
    -10.0
    >>> points = Spectral(target).points(Pool(1), np.random.default_rng(0))
    >>> target.floor, float(cut.objective(points).min())
    (-6.0, -6.0)
    """

    repaired, kept = False, ("_V", "_p", "_pace", "_best", "_asked")

    def __init__(self, target: ModelScoring) -> None:
        self._target, self._lifting = target, Lifting.of(target.model)
        size = target.model.num_variables + 1
        rank = int(np.sqrt(2.0 * size)) + 2
        self._V, self._p = np.zeros((size, rank)), np.zeros(self._lifting.num_multipliers)
        self._V[0, 0] = 1.0
        self._pace, self._best = 1.0, -np.inf
        sweeps = ROUNDS * SWEEPS * rank + 20.0 * size
        self.effort, self._asked = 0.0, 0
        self._cost = 2e5 + 1e-2 * size * size * sweeps  # measured, in repair candidates

    @classmethod
    def of(cls, target: ModelScoring) -> Spectral | None:
        """Make the source for a model of at most some hundred variables whose bounds matter."""
        fits = target.model.num_variables <= 250 and target.tolerance is not None  # .1 s per batch
        return cls(target) if fits else None

    def points(self, pool: Pool, rng: np.random.Generator) -> BitArray:
        """Take some more steps and return the signs of random projections."""
        self._asked += 1
        if self._cost > self._asked * AFFORDED:
            return np.zeros((0, len(self._V) - 1), dtype=np.int8)
        self.effort = self._cost
        if not self._V[1:].any():
            self._V[:] = rng.standard_normal(self._V.shape)
            self._V /= np.linalg.norm(self._V, axis=1, keepdims=True)
        model, lifting, above = self._target.model, self._lifting, np.inf
        if len(pool.losses) and pool.losses[0] <= self._target.ceiling:
            above = (float(pool.losses[0]) - model.offset) / lifting.unit
        for _ in range(ROUNDS):
            M, constant = self._matrix()
            lengths = np.zeros(len(M))
            mix(M, self._V, lengths, SWEEPS)
            held, value = self._p, constant - float(lengths.sum())
            self._p = self._ahead(self._residuals(), above - value)
        bound = self._bound(M, constant, lengths, held)
        self._pace = self._pace if bound > self._best else max(0.8 * self._pace, 0.1)
        self._best = max(self._best, bound)
        self._target.prove(bound, "semidefinite relaxation")
        signs = self._V @ rng.standard_normal((self._V.shape[1], BATCH))
        return np.asarray((signs[1:] * signs[0] > 0.0).T, dtype=np.int8)

    def _ahead(self, residuals: FloatArray, gap: float) -> FloatArray:
        """Return the multipliers after a step that would close the gap if the dual were linear.

        [Polyak, USSR Comp. Math. Math. Phys. 9(3), 1969].
        """
        lifting, signed = self._lifting, self._lifting.signed
        residuals = np.where(signed & (self._p <= 0.0), np.maximum(residuals, 0.0), residuals)
        square = float(residuals @ residuals)
        if np.isfinite(gap) and square > 0.0:
            p = self._p + self._pace * max(gap, 0.0) / square * residuals
        else:
            p = self._p + self._pace * lifting.plausible_scale() * residuals
        return np.where(signed, np.maximum(p, 0.0), p)

    def _matrix(self) -> tuple[FloatArray, float]:
        """Compute M and the constant at the multipliers, in units of the lifting."""
        qubo, n = self._lifting.qubo(self._p), len(self._V) - 1
        M = np.zeros((n + 1, n + 1))
        M[1 + qubo.heads, 1 + qubo.tails] = qubo.couplings / 8
        M += M.T
        M[0, 1:] = M[1:, 0] = qubo.linear / 4 + M[1:, 1:].sum(axis=1)
        constant = qubo.linear.sum() / 2 + qubo.couplings.sum() / 4
        return M, float(constant + self._p @ self._lifting.constant)

    def _bound(self, M: FloatArray, constant: float, lengths: FloatArray, p: FloatArray) -> float:
        """Compute the dual value, lowered by the possible rounding error."""
        lifting, size = self._lifting, len(M)
        shifted = M + np.diag(lengths)
        least = float(np.linalg.eigvalsh(shifted)[0])
        least -= 10 * size * np.finfo(float).eps * float(np.linalg.norm(shifted))
        sizes = np.abs(M).sum() + lengths.sum() + np.abs(p) @ np.abs(lifting.constant)
        sizes += np.abs(p) @ abs(lifting.adjoint).sum(axis=0)
        value = constant - lengths.sum() + size * least - size * ROUNDING * sizes
        return float(self._target.model.offset + lifting.unit * value)

    def _residuals(self) -> FloatArray:
        """Compute the lifted rows' residuals, averaged over the points that V represents."""
        lifting, V = self._lifting, self._V
        mean = V[1:] @ V[0]
        heads, tails = lifting.heads, lifting.tails
        both = np.einsum("er,er->e", V[1 + heads], V[1 + tails])
        moments = np.append((1.0 + mean) / 2, (1.0 + mean[heads] + mean[tails] + both) / 4)
        return np.asarray(lifting.adjoint.T @ moments + lifting.constant)
