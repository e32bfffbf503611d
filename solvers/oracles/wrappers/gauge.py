"""Spin reversal: the same problem with the meaning of some bits inverted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from formulations.arrays import BitArray
from solvers.oracles.base import QUBO, Samples, check_question
from solvers.oracles.wrappers.base import Wrapper, rescored


@dataclass(frozen=True)
class SpinReversal(Wrapper):
    """A random gauge for each call: h_i -> g_i h_i, J_ij -> g_i g_j J_ij with signs g.

    A machine's bias, such as a residual field, then favours either state of a spin equally often.
    (Boixo et al., arXiv 1304.4595.)

    Examples
    --------
    >>> from solvers.oracles import ExactOracle
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> samples = SpinReversal(ExactOracle()).sample(qubo, np.random.SeedSequence(0))
    >>> samples.x.tolist(), samples.energies.tolist(), samples.exact
    ([[0, 1]], [-3.0], True)
    """

    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """Return samples of the gauged QUBO, transformed back."""
        check_question(qubo, seed)
        own, inner = seed.spawn(2)
        turned = np.random.default_rng(own).integers(0, 2, qubo.num_variables, dtype=np.int8)
        if states is not None:
            states = states ^ turned
        samples = self.ask(_turned(qubo, turned), states, inner)
        return replace(rescored(qubo, samples, samples.x ^ turned), exact=samples.exact)


def _turned(qubo: QUBO, turned: BitArray) -> QUBO:
    """Return the QUBO of y = x xor turned, up to a constant: x_i = 1 - y_i if turned, else y_i.

    c x_i x_j with x_i = 1 - y_i is c x_j - c y_i x_j, and so on.
    """
    sign = 1.0 - 2.0 * turned
    heads, tails, c = qubo.heads, qubo.tails, qubo.couplings
    n = qubo.num_variables
    from_tails = np.bincount(heads, c * turned[tails], n)
    from_heads = np.bincount(tails, c * turned[heads], n)
    linear = sign * (qubo.linear + from_tails + from_heads)
    return replace(qubo, linear=linear, couplings=c * sign[heads] * sign[tails])
