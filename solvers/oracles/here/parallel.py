"""Simulated annealing that updates many spins, reads and models at once, for a GPU.

A heat-bath update sets spin i to -1 with probability 1 / (1 + exp(-2 beta F_i)), F_i being its
field h_i + sum_j J_ij s_j: equivalently s_i = -sign(F_i + T L_i / 2) with T = 1 / beta and a
standard logistic number L_i.  Spins without couplers between them can be updated at once with the
same result as one after the other, so a sweep takes as many steps as the model's graph has colours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp

from formulations.arrays import Array, BitArray, DeviceArray, IntArray
from solvers.kernels.annealing import colours
from solvers.oracles.base import QUBO, Samples
from solvers.oracles.deadline import time_left
from solvers.oracles.here.annealing import Annealer
from solvers.oracles.here.devices import Numpy, checked_device, device
from solvers.oracles.here.stacking import check_questions, exact_sums, stacked_matrix, unstacked
from solvers.oracles.ising import Ising, Neighbours


class ParallelAnnealer(Annealer):
    """Oracle: simulated annealing by heat-bath sweeps over all reads and independent spins at once.

    The spins of a sparse model are coloured so that no two of one colour are coupled, and a colour
    is updated by one product of a sparse matrix with all reads: exact Gibbs updates.  A dense model
    is swept spin by spin over all reads at once, with its fields kept in blocks.  Temperatures,
    warm starts and the time limit are those of :class:`Annealer`.  A GPU pays off for sparse models
    and many reads; on a CPU the :class:`Annealer` is faster.

    In single precision no probability is below 2^-23: a flip that costs more than 16 temperatures
    never happens.  Couplings are rounded to 2^-23 of the sum of their spin's, so the same seed
    gives the same samples even on a GPU, where sums come in any order.

    Parameters
    ----------
    reads : int
        Independent annealing runs of each call.
    sweeps : int
        Sweeps over all variables in each run, one for each temperature.
    beta_range, schedule, reheat
        As for :class:`Annealer`.
    device : {"auto", "numpy", "cpu", "cuda"}
        ``cpu`` and ``cuda`` are torch's; ``auto`` is ``cuda`` if available, else ``numpy``.  A seed
        reproduces a result only with the same device and ``reads``.

    Raises
    ------
    InvalidInputError, MissingExtraError
        From ``sample``, for an unavailable device.

    Examples
    --------
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> oracle = ParallelAnnealer(reads=2, sweeps=50, device="numpy")
    >>> oracle.sample(qubo, np.random.SeedSequence(0)).x.tolist()
    [[0, 1], [0, 1]]
    >>> both = oracle.sample_many([qubo, qubo], np.random.SeedSequence(0))
    >>> [samples.energies.tolist() for samples in both]
    [[-3.0, -3.0], [-3.0, -3.0]]
    """

    OPTIONS = ("reads", "sweeps", "beta_range", "schedule", "reheat", "device")

    def __init__(
        self,
        reads: int = 64,
        sweeps: int = 500,
        *,
        beta_range: tuple[float, float] | None = None,
        schedule: str = "geometric",
        reheat: tuple[float, float] = (0.03, 0.08),
        device: str = "auto",
    ) -> None:
        super().__init__(reads, sweeps, beta_range=beta_range, schedule=schedule, reheat=reheat)
        self.device = checked_device(device)

    def sample_many(self, qubos: Sequence[QUBO], seed: np.random.SeedSequence) -> list[Samples]:
        """Return samples of each of several QUBOs with the same couplers, annealed in parallel.

        A seed reproduces them only for the same number of QUBOs.

        Raises
        ------
        InvalidInputError
            If there are none, or their couplers differ.
        """
        started = time.perf_counter()
        check_questions(qubos, seed)
        stream, seed = seed.spawn(2)
        shape = len(qubos), self.reads, qubos[0].num_variables
        states = np.random.default_rng(stream).integers(0, 2, shape, dtype=np.int8)
        return self._together(qubos, states, seed, 1.0, started)

    def _anneal(
        self,
        qubo: QUBO,
        states: BitArray,
        seed: np.random.SeedSequence,
        heat: float,
        started: float,
    ) -> Samples:
        return self._together([qubo], states[None], seed, heat, started)[0]

    def _together(
        self,
        qubos: Sequence[QUBO],
        states: BitArray,
        seed: np.random.SeedSequence,
        heat: float,
        started: float,
    ) -> list[Samples]:
        """Anneal states (B, reads, n), each model in units of its own hot temperature."""
        on = device(self.device, seed)
        around = self._neighbours(qubos[0])
        models = [Ising.of(qubo) for qubo in qubos]
        ranges = np.array([self.beta_range or model.beta_range() for model in models])
        hot, span = ranges[:, :1], float((ranges[:, 1] / ranges[:, 0]).max())
        h = hot * np.stack([model.h for model in models])
        J = hot * np.stack([model.J for model in models])[:, around.coupler]
        matrix = stacked_matrix(around, -exact_sums(around, J))
        spins = (2 * states - 1).transpose(0, 2, 1)
        shape = spins.shape
        if sp.issparse(matrix):
            colour = _colours(around)
            place = np.argsort(np.tile(colour, len(qubos)), kind="stable")
            sizes = len(qubos) * np.bincount(colour)
            s = on.array(spins.reshape(-1, self.reads)[place])
            fixed = on.array(h.reshape(-1, 1)[place])
            update = _by_colour(on, matrix[place][:, place], sizes, s)
        else:
            s, fixed = on.array(spins), on.array(h[..., None])
            update = _by_spin(on, matrix, s)
        noise, half = on.xp.zeros_like(s), on.array(0.0)

        def step() -> None:
            nonlocal noise
            noise *= half
            noise += fixed
            update(noise)

        sweep = on.repeated(step, self.sweeps)
        betas = self._betas(min(1.0 / heat, span), span)
        halves, cut = on.array(0.5 / betas), False
        for k in range(self.sweeps):
            on.logistic(noise)
            half[...] = halves[k]
            sweep()
            if time_left() < np.inf:
                on.wait()  # Unfinished device work would not be counted.
                cut = time_left() <= 0.0
                if cut:
                    break
        found = on.host(s)
        if sp.issparse(matrix):
            found = found[np.argsort(place)]
        info = {"cut": True} if cut else {}
        return unstacked(qubos, found.reshape(shape), started, info)


def _colours(around: Neighbours) -> IntArray:
    degrees = np.diff(around.starts)
    order = np.argsort(-degrees, kind="stable")
    return np.asarray(colours(around.starts, around.others, order), dtype=np.int64)


def _by_colour(
    on: Numpy, matrix: sp.csr_array, sizes: IntArray, s: DeviceArray
) -> Callable[[DeviceArray], None]:
    """Update spins s (rows, reads), given h + T L / 2; ``sizes`` are those of successive colours.

    ``matrix`` is -J.
    """
    ends = np.cumsum(sizes)
    parts = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    rows = [on.matrix(matrix[part]) for part in parts]
    one, copysign = on.array(1.0), on.xp.copysign

    def update(noise: DeviceArray) -> None:
        for part, row in zip(parts, rows, strict=True):
            pull = row @ s
            pull -= noise[part]
            copysign(one, pull, out=s[part])

    return update


def _by_spin(on: Numpy, matrix: Array, s: DeviceArray) -> Callable[[DeviceArray], None]:
    """Update spins s (B, n, reads) one after the other, given h + T L / 2; ``matrix`` is -J.

    A block's fields are one matrix product, without the couplers to spins updated earlier in the
    same block; those are added as each spin is decided.
    """
    ahead, blocks, size = np.array(matrix), [], 64
    for first in range(0, matrix.shape[1], size):
        block = slice(first, first + size)
        ahead[:, block, block] = np.triu(matrix[:, block, block])
        blocks.append((first, block, on.matrix(matrix[:, block, block].copy())))
    rows = on.matrix(ahead)
    one, copysign = on.array(1.0), on.xp.copysign

    def update(noise: DeviceArray) -> None:
        for first, block, inside in blocks:
            pull = rows[:, block] @ s
            pull -= noise[:, block]
            for i in range(pull.shape[1]):
                own = s[:, first + i]
                copysign(one, pull[:, i], out=own)
                on.add_product(pull[:, i + 1 :], inside[:, i + 1 :, i, None], own[:, None])

    return update
