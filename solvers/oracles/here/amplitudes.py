"""Base of oracles whose spins are the signs of amplitudes under an equation of motion.

All share one field: spin i feels F_i = (h_i g + sum_j J_ij x_j) / f_i, where f_i is the root mean
square field f_i^2 = h_i^2 + sum_j J_ij^2 and g is the amplitude of a settled spin.  The published
equations replace the f_i by one constant, which suits models with similar spins.  The rows of a
training problem couple some spins a hundred times as strongly as others: with one constant, either
these diverge or the rest stay undecided.  In measurements on such models no constant came close to
the f_i.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from formulations.arrays import DeviceArray
from solvers.oracles.base import QUBO, Samples
from solvers.oracles.here.devices import Numpy, checked_device, device
from solvers.oracles.here.stacking import check_questions, stacked_matrix, unstacked
from solvers.oracles.ising import Ising, Neighbours
from solvers.run.option_checks import check_effort


@dataclass(frozen=True)
class Field:
    """Field on the spins of B models of one pattern, on a device, in units of each spin's f_i.

    Parameters
    ----------
    on : Numpy or Torch
    scale, h : array, shape (B, n, 1)
        f_i, as a share of the largest of its model, and h_i / f_i.
    J : matrix, shape (B, n, n), or sparse with shape (B n, B n)
        J_ij / f_i.
    """

    on: Numpy
    scale: DeviceArray
    h: DeviceArray
    J: DeviceArray

    @classmethod
    def of(cls, qubos: Sequence[QUBO], on: Numpy) -> Field:
        """Compute the field of ``qubos``; a spin without a field gets scale 1 and field 0."""
        count, n = len(qubos), qubos[0].num_variables
        around = Neighbours.of(n, qubos[0].heads, qubos[0].tails)
        models = [Ising.of(qubo) for qubo in qubos]
        h, J = np.stack([m.h for m in models]), np.stack([m.J for m in models])
        largest = np.maximum(np.abs(h).max(1, initial=0.0), np.abs(J).max(1, initial=0.0))
        largest = np.where(largest > 0.0, largest, 1.0)[:, None]  # prevents underflow of squares
        h, J = h / largest, (J / largest)[:, around.coupler]
        rows = np.repeat(np.arange(n), np.diff(around.starts))
        at = (rows + n * np.arange(count)[:, None]).ravel()
        square = h**2 + np.bincount(at, J.ravel() ** 2, count * n).reshape(count, n)
        scale = np.where(square > 0.0, np.sqrt(square), 1.0)
        matrix = stacked_matrix(around, J / scale[:, rows])
        h = h / scale
        return cls(on, on.array(scale[..., None]), on.array(h[..., None]), on.matrix(matrix))

    def at(self, x: DeviceArray, settled: float = 1.0) -> DeviceArray:
        """Compute F for amplitudes x, shapes (B, n, reads); settled spins have ``settled``."""
        force = self._couplings(x)
        force += settled * self.h
        return force

    def energies(self, spins: DeviceArray) -> DeviceArray:
        """Return each read's sum_i f_i s_i (h_i / f_i + sum_j J_ij s_j / (2 f_i)), (B, reads)."""
        terms = self._couplings(spins)
        terms *= 0.5
        terms += self.h
        terms *= spins
        terms *= self.scale
        return terms.sum(1)

    def _couplings(self, x: DeviceArray) -> DeviceArray:
        rows = x if self.J.ndim == 3 else x.reshape(self.J.shape[0], x.shape[-1])
        return (self.J @ rows).reshape(x.shape)


class AmplitudeOracle(ABC):
    """Base of amplitude oracles; a subclass defines how the amplitudes move.

    Parameters
    ----------
    reads : int
        Independent runs of each call, updated in parallel.
    sweeps : int
        Time steps of each run; a step moves every amplitude once.
    device : {"auto", "numpy", "cpu", "cuda"}
        ``cpu`` and ``cuda`` are torch's; ``auto`` is ``cuda`` if available, else ``numpy``.  A seed
        reproduces a result only with the same device and ``reads``.
    """

    def __init__(self, reads: int, sweeps: int, device: str) -> None:
        check_effort(reads, sweeps)
        self.reads, self.sweeps = int(reads), int(sweeps)
        self.device = checked_device(device)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(reads={self.reads}, sweeps={self.sweeps})"

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Return samples of ``qubo``, best energy first."""
        return self.sample_many([qubo], seed)[0]

    def sample_many(self, qubos: Sequence[QUBO], seed: np.random.SeedSequence) -> list[Samples]:
        """Return samples of each of several QUBOs with the same couplers, updated in parallel.

        A seed reproduces them only for the same number of QUBOs.

        Raises
        ------
        InvalidInputError
            If there are none, or their couplers differ.
        """
        started = time.perf_counter()
        check_questions(qubos, seed)
        on = device(self.device, seed.spawn(1)[0])
        field = Field.of(qubos, on)
        shape = (len(qubos), qubos[0].num_variables, self.reads)
        best, least = on.array(np.ones(shape)), on.array(np.full((shape[0], shape[2]), np.inf))
        up, down = on.array(1.0), on.array(-1.0)
        for step, x in enumerate(self._amplitudes(field, shape), 1):
            # Read the signs; the best state seen in each read is returned.
            if step % 10 == 0 or step == self.sweeps:
                spins = on.xp.where(x < 0.0, down, up)
                energies = field.energies(spins)
                better = energies < least
                least = on.xp.where(better, energies, least)
                best = on.xp.where(better[:, None], spins, best)
        return unstacked(qubos, on.host(best), started)

    @abstractmethod
    def _amplitudes(self, field: Field, shape: tuple[int, int, int]) -> Iterator[DeviceArray]:
        """Yield the amplitudes after each step, shape (B, n, reads), in one reused array."""
