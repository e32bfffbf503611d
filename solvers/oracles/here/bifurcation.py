"""Simulated bifurcation: classical oscillators that settle on one of two sides."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from formulations.arrays import DeviceArray
from formulations.checks import check_number, choose
from solvers.oracles.here.amplitudes import AmplitudeOracle, Field


class SimulatedBifurcation(AmplitudeOracle):
    """Oracle: simulated bifurcation, ballistic or discrete, all reads at once.

    Oscillator i with position x_i and momentum y_i follows

        dy_i/dt = -(1 - a(t)) x_i - c F_i(x),   dx_i/dt = y_i,   a(t) from 0 to 1,

    between walls at x_i = -1 and 1, where it stops (y_i = 0); F is the field of
    :mod:`solvers.oracles.here.amplitudes`.  In the ballistic kind F is taken at x, in the discrete
    kind at sign(x).  Symplectic Euler steps.  Goto, Tatsumura and Dixon, "Combinatorial
    optimization by simulating adiabatic bifurcations in nonlinear Hamiltonian systems", Science
    Advances 5, eaav2372 (2019); Goto et al., "High-performance combinatorial optimization based on
    classical mechanics", Science Advances 7, eabe7953 (2021), equations (4) to (7).

    Parameters
    ----------
    reads, sweeps, device
        See :class:`AmplitudeOracle`.
    kind : {"ballistic", "discrete"}
    step : float
        Length dt of a time step.
    coupling : float, optional
        Constant c of the equations.  None: 0.5 for the ballistic kind, 1 for the discrete one.

    Raises
    ------
    InvalidInputError, MissingExtraError
        From ``sample``, for an unavailable device.

    Examples
    --------
    >>> from solvers.oracles.base import QUBO
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> oracle = SimulatedBifurcation(reads=2, sweeps=50, device="numpy")
    >>> oracle.sample(qubo, np.random.SeedSequence(0)).x.tolist()
    [[0, 1], [0, 1]]
    """

    def __init__(
        self,
        reads: int = 10,
        sweeps: int = 500,
        *,
        kind: str = "ballistic",
        step: float = 1.0,
        coupling: float | None = None,
        device: str = "auto",
    ) -> None:
        super().__init__(reads, sweeps, device)
        # The published 0.5 / (sigma sqrt(n)) in units of the field, and the value that did better.
        couplings = {"ballistic": 0.5, "discrete": 1.0}
        self.kind = choose("kind", kind, list(couplings))
        self.coupling = couplings[self.kind] if coupling is None else coupling
        self.step = step
        check_number("step", self.step)
        check_number("coupling", self.coupling)

    def _amplitudes(self, field: Field, shape: tuple[int, int, int]) -> Iterator[DeviceArray]:
        on, xp = field.on, field.on.xp
        x, y = 0.1 * on.normal(shape), 0.1 * on.normal(shape)
        step, push, pull = (on.array(c) for c in (self.step, -self.coupling * self.step, 0.0))
        pulls = on.array(self.step * (np.arange(1, self.sweeps + 1) / self.sweeps - 1.0))

        def move() -> None:
            nonlocal y
            force = field.at(xp.sign(x) if self.kind == "discrete" else x)
            on.add_product(y, force, push)
            on.add_product(y, x, pull)
            on.add_product(x, y, step)
            y *= xp.abs(x) <= 1.0
            xp.clip(x, -1.0, 1.0, out=x)

        moved = on.repeated(move, self.sweeps)
        for k in range(self.sweeps):
            pull[...] = pulls[k]
            moved()
            yield x
