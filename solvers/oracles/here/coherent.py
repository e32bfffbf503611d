"""The coherent Ising machine: degenerate optical parametric oscillators with measured feedback."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from formulations.arrays import DeviceArray
from formulations.checks import check_number, check_several, is_number, shown
from formulations.errors import InvalidInputError
from solvers.oracles.here.amplitudes import AmplitudeOracle, Field


class CoherentIsing(AmplitudeOracle):
    """Oracle: the mean-field amplitudes of a coherent Ising machine, with injected noise.

    Pulse i with amplitude x_i and error variable e_i follows

        dx_i = ((p(t) - 1) x_i - x_i^3 - c e_i F_i(x)) dt + noise dW_i,
        de_i/dt = -b e_i (x_i^2 - 1),

    with the pump rate p(t) rising linearly; F is the field of
    :mod:`solvers.oracles.here.amplitudes`.  Euler-Maruyama steps.  Mean fields are wrong where
    amplitudes differ, which the error variables correct.  Without them (``feedback=0``, e = 1)
    these are the equations of Wang et al., "Coherent Ising machine based on degenerate optical
    parametric oscillators", Physical Review A 88, 063853 (2013).  With them: Leleu, Yamamoto,
    McMahon and Aihara, "Destabilization of local minima in analog spin systems by correction of
    amplitude heterogeneity", Physical Review Letters 122, 040607 (2019), equations (2) and (3),
    with the target amplitude 1.

    Parameters
    ----------
    reads, sweeps, device
        See :class:`AmplitudeOracle`.
    pump : (float, float)
        Pump rate p at the start and at the end; 1 is the threshold without couplings.
    coupling : float
        Constant c of the equations.
    feedback : float
        Rate b of the error variables; 0 disables them.
    noise : float
        Strength of the injected noise.
    step : float
        Length dt of a time step.

    Raises
    ------
    InvalidInputError, MissingExtraError
        From ``sample``, for an unavailable device.

    Examples
    --------
    >>> from solvers.oracles.base import QUBO
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> oracle = CoherentIsing(reads=2, sweeps=50, device="numpy")
    >>> oracle.sample(qubo, np.random.SeedSequence(0)).x.tolist()
    [[0, 1], [0, 1]]
    """

    def __init__(
        self,
        reads: int = 10,
        sweeps: int = 500,
        *,
        pump: tuple[float, float] = (0.0, 1.0),
        coupling: float = 1.0,
        feedback: float = 0.2,
        noise: float = 0.03,
        step: float = 0.1,
        device: str = "auto",
    ) -> None:
        super().__init__(reads, sweeps, device)
        rates = check_several("pump", pump, "two pump rates, as (0, 1)")
        if len(rates) != 2 or not all(is_number(rate) and abs(rate) < np.inf for rate in rates):
            raise InvalidInputError(f"pump={shown(pump)}: expected two pump rates, as (0, 1)")
        self.pump = float(rates[0]), float(rates[1])
        self.coupling, self.feedback, self.noise, self.step = coupling, feedback, noise, step
        for name in ("coupling", "step"):
            check_number(name, getattr(self, name))
        for name in ("feedback", "noise"):
            check_number(name, getattr(self, name), zero=True)

    def _amplitudes(self, field: Field, shape: tuple[int, int, int]) -> Iterator[DeviceArray]:
        on, xp, dt = field.on, field.on.xp, self.step
        x = 0.1 * on.normal(shape)
        e = xp.ones_like(x)
        pump, (first, last) = on.array(0.0), self.pump
        pumps = on.array(first + (last - first) * np.arange(self.sweeps) / self.sweeps)

        def move() -> None:
            nonlocal x, e
            force = field.at(x)
            force *= -self.coupling
            force *= e
            square = x * x
            force += (pump - 1.0 - square) * x
            if self.feedback:
                e *= 1.0 + self.feedback * dt * (1.0 - square)
                xp.clip(e, 0.01, 30.0, out=e)
            x += dt * force

        moved = on.repeated(move, self.sweeps)
        for k in range(self.sweeps):
            pump[...] = pumps[k]
            moved()
            if self.noise:
                x += (self.noise * math.sqrt(dt)) * on.normal(shape)
            xp.clip(x, -1.5, 1.5, out=x)  # An overshooting step would never come back.
            yield x
