"""Machines that distort coefficients: noise, low precision, short range.

An Ising machine holds fields h and couplers J of spins s = 2x - 1,

    h_i = linear_i / 2 + sum_e couplings_e / 4 over the couplers e at i,     J_e = couplings_e / 4,

each of them inexactly.  The wrappers here change h and J, let the inner oracle solve the result,
and score its samples by the original QUBO.  All are relative to the largest |h| or |J|, since a
problem is scaled to a machine's range.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from formulations.arrays import BitArray, FloatArray
from formulations.checks import check_number, check_whole
from solvers.oracles.base import QUBO, Samples, check_question
from solvers.oracles.ising import at_both_ends
from solvers.oracles.wrappers.base import Wrapper, rescored


@dataclass(frozen=True)
class Distorted(Wrapper):
    """Oracle that receives distorted fields and couplers."""

    @abstractmethod
    def distorted(
        self, h: FloatArray, J: FloatArray, largest: float, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Return the distorted h and J; ``largest`` is the largest |h| or |J|."""

    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """Return samples of the distorted QUBO, scored by the original one."""
        check_question(qubo, seed)
        own, inner = seed.spawn(2)
        n, heads, tails, J = qubo.num_variables, qubo.heads, qubo.tails, qubo.couplings / 4.0
        h = qubo.linear / 2.0 + at_both_ends(n, heads, tails, J)
        largest = float(max(np.abs(h).max(initial=0.0), np.abs(J).max(initial=0.0)))
        h, J = self.distorted(h, J, largest, np.random.default_rng(own))
        linear = 2.0 * (h - at_both_ends(n, heads, tails, J))
        held = replace(qubo, linear=linear, couplings=4.0 * J)
        return rescored(qubo, self.ask(held, states, inner))


@dataclass(frozen=True)
class Noise(Distorted):
    """Normal noise on every field and coupler, drawn anew for each call.

    Parameters
    ----------
    oracle : Oracle
    variance : float
        Variance of the noise when the largest field or coupler is 1.

    Examples
    --------
    >>> from solvers.oracles import ExactOracle
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> Noise(ExactOracle(), variance=1e-4).sample(qubo, np.random.SeedSequence(0)).x.tolist()
    [[0, 1]]
    """

    variance: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("variance", self.variance, zero=True)

    def distorted(
        self, h: FloatArray, J: FloatArray, largest: float, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Return h + e, J + e with e ~ N(0, variance largest^2)."""
        sigma = np.sqrt(float(self.variance)) * largest
        return h + sigma * rng.standard_normal(len(h)), J + sigma * rng.standard_normal(len(J))


@dataclass(frozen=True)
class Precision(Distorted):
    """Fields and couplers rounded to a number of bits, sign included.

    Parameters
    ----------
    oracle : Oracle
    bits : int
        Number of bits q: values are whole multiples of largest / (2^(q-1) - 1).

    Examples
    --------
    >>> from solvers.oracles import ExactOracle
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> Precision(ExactOracle(), bits=4).sample(qubo, np.random.SeedSequence(0)).x.tolist()
    [[0, 1]]
    """

    bits: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("bits", self.bits, 2, 53)

    def distorted(
        self, h: FloatArray, J: FloatArray, largest: float, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Round to the nearest multiples of the step."""
        step = largest / (2 ** (self.bits - 1) - 1) or 1.0
        return step * np.rint(h / step), step * np.rint(J / step)


@dataclass(frozen=True)
class Clipping(Distorted):
    """Fields and couplers clipped to a share of the largest, which leaves bits for small ones.

    Parameters
    ----------
    oracle : Oracle
    share : float
        From 0 to 1.

    Examples
    --------
    >>> from solvers.oracles import ExactOracle
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> coarse = Precision(ExactOracle(), bits=4)
    >>> Clipping(coarse, share=0.5).sample(qubo, np.random.SeedSequence(0)).x.tolist()
    [[0, 1]]
    """

    share: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("share", self.share, most=1.0)

    def distorted(
        self, h: FloatArray, J: FloatArray, largest: float, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Clip h and J to plus and minus share * largest."""
        most = self.share * largest
        return np.clip(h, -most, most), np.clip(J, -most, most)
