"""Oracles whose spins are the signs of amplitudes that follow an equation of motion.

One field for all: spin i feels F_i = (h_i g + sum_j J_ij x_j) / f_i, where f_i is the root mean
square field f_i^2 = h_i^2 + sum_j J_ij^2 and g is the amplitude of a settled spin.  The published
equations have one constant in place of the f_i, right for models whose spins are all alike.  The
rows of a training problem tie some spins a hundred times as strongly as others: with one constant
either these fly off or the rest stay undecided, and measured on such models no constant came near
the f_i.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from formulations.arrays import DeviceArray
from solvers.oracles.answers import best_first
from solvers.oracles.base import QUBO, Samples, check_question
from solvers.oracles.here.devices import Device, checked_device, device
from solvers.oracles.ising import Ising, Neighbours
from solvers.run.option_checks import check_effort

LOOK = 10
"""Steps between two looks at the signs: of each read the best that was seen is returned."""


@dataclass(frozen=True)
class Field:
    """What spins feel, on a device, in units of each spin's own scale f_i.

    Parameters
    ----------
    on : Device
    scale, h : array, shape (n, 1)
        f_i, as a share of the largest, and h_i / f_i.
    J : matrix, shape (n, n)
        J_ij / f_i.
    """

    on: Device
    scale: DeviceArray
    h: DeviceArray
    J: DeviceArray

    @classmethod
    def of(cls, qubo: QUBO, on: Device) -> Field:
        """The field of ``qubo``; a spin that feels nothing has scale 1 and field 0."""
        n, ising = qubo.num_variables, Ising.of(qubo)
        around = Neighbours.of(n, ising.heads, ising.tails)
        largest = max(np.abs(ising.h).max(initial=0.0), np.abs(ising.J).max(initial=0.0)) or 1.0
        h, J = ising.h / largest, ising.J[around.coupler] / largest  # so that squares do not vanish
        rows = np.repeat(np.arange(n), np.diff(around.starts))
        scale = np.sqrt(h**2 + np.bincount(rows, J**2, n))
        scale[scale == 0.0] = 1.0
        matrix = sp.csr_array((J / scale[rows], around.others, around.starts), shape=(n, n))
        return cls(on, on.array(scale[:, None]), on.array((h / scale)[:, None]), on.matrix(matrix))

    def at(self, x: DeviceArray, settled: float = 1.0) -> DeviceArray:
        """F for amplitudes x, shapes (n, reads), those of settled spins being ``settled``."""
        force = self.J @ x
        force += settled * self.h
        return force

    def energies(self, spins: DeviceArray) -> DeviceArray:
        """sum_i f_i s_i (h_i / f_i + sum_j J_ij s_j / (2 f_i)) of each read, shape (reads,)."""
        terms = self.J @ spins
        terms *= 0.5
        terms += self.h
        terms *= spins
        terms *= self.scale
        return terms.sum(0)


class AmplitudeOracle(ABC):
    """An oracle of this kind; a class says how its amplitudes move.

    Parameters
    ----------
    reads : int
        Independent runs of each call, all moved at once.
    sweeps : int
        Time steps of each run; a step moves every amplitude once.
    device : {"auto", "numpy", "cpu", "cuda"}
        Where: ``cpu`` and ``cuda`` are torch's, ``auto`` is ``cuda`` where there is one and
        ``numpy`` elsewhere.  Like ``reads``, it is a part of what a seed reproduces.
    """

    def __init__(self, reads: int, sweeps: int, device: str) -> None:
        check_effort(reads, sweeps)
        self.reads, self.sweeps = int(reads), int(sweeps)
        self.device = checked_device(device)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(reads={self.reads}, sweeps={self.sweeps})"

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Samples of ``qubo``, best energy first."""
        started = time.perf_counter()
        check_question(qubo, seed)
        on = device(self.device, seed.spawn(1)[0])
        field = Field.of(qubo, on)
        shape = (qubo.num_variables, self.reads)
        best, least = on.array(np.ones(shape)), on.array(np.full(self.reads, np.inf))
        for step, x in enumerate(self._amplitudes(field, shape), 1):
            if step % LOOK == 0 or step == self.sweeps:
                spins = on.xp.where(x < 0.0, on.array(-1.0), on.array(1.0))
                energies = field.energies(spins)
                better = energies < least
                least = on.xp.where(better, energies, least)
                best = on.xp.where(better, spins, best)
        return best_first(qubo, on.host(best).T > 0.0, started)

    @abstractmethod
    def _amplitudes(self, field: Field, shape: tuple[int, int]) -> Iterator[DeviceArray]:
        """Amplitudes after each step, shape (n, reads)."""
