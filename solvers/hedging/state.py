"""State of progressive hedging between two rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from formulations.arrays import BitArray, FloatArray, IntArray

OPEN, AGREED, BEATEN = range(3)
"""A branch still runs; its copies all agree; its bound has reached the incumbent's loss."""


@dataclass
class HedgingState:
    """State after a round: B branches, K blocks, n free weight bits.

    A round makes a new state and leaves the old one unchanged, so an interrupted round has no
    effect.

    Parameters
    ----------
    restarts : ndarray of int64, shape (B,)
        Number of restarts of each branch.
    W : ndarray of float64, shape (B, K, n)
        Multipliers; sum_k p_k W_k = 0.
    x : ndarray of float64, shape (B, K, n)
        Copies of the bits.
    xbar : ndarray of float64, shape (B, n)
        Mean of the copies, sum_k p_k x_k.
    rho : ndarray of float64, shape (B, n)
        Weight of the proximal term.
    pattern : ndarray of int8, shape (B, n)
        Value of each fixed bit; -1 if it is free.
    hashes : ndarray of float64, shape (B, H, n)
        Hash of each bit's multipliers in the latest H rounds, latest first; NaN if unused.
    outcome : ndarray of int8, shape (B,)
        ``OPEN``, ``AGREED`` or ``BEATEN``.
    bounds : ndarray of float64, shape (B,)
        Best certified bound of each branch over all restarts; -inf if there is none.
    cycles : int
        Number of weights fixed because their branch cycled.
    """

    restarts: IntArray
    W: FloatArray
    x: FloatArray
    xbar: FloatArray
    rho: FloatArray
    pattern: BitArray
    hashes: FloatArray
    outcome: BitArray
    bounds: FloatArray
    cycles: int = 0

    @classmethod
    def first(
        cls, base: BitArray, xbar: FloatArray, rho: FloatArray, blocks: int, window: int
    ) -> Self:
        """Return a state with all copies at ``xbar`` (B, n), zero multipliers, and one rho (n,)."""
        B, n = base.shape
        return cls(
            restarts=np.zeros(B, dtype=np.int64),
            W=np.zeros((B, blocks, n)),
            x=np.repeat(xbar[:, None], blocks, axis=1),
            xbar=xbar,
            rho=np.tile(rho, (B, 1)),
            pattern=base.copy(),
            hashes=np.full((B, window, n), np.nan),
            outcome=np.full(B, OPEN, dtype=np.int8),
            bounds=np.full(B, -np.inf),
        )

    @property
    def open(self) -> IntArray:
        """Indices of the open branches."""
        return np.flatnonzero(self.outcome == OPEN)

    def begin_anew(self, b: int, fresh: HedgingState) -> None:
        """Copy branch b from another state, but keep its bound, which is still valid."""
        for name in ("W", "x", "xbar", "rho", "pattern", "hashes", "outcome"):
            getattr(self, name)[b] = getattr(fresh, name)[b]
        self.restarts[b] += 1

    def copy(self) -> Self:
        """Return a deep copy for a round to change."""
        return replace(self, **{k: v.copy() for k, v in self._arrays().items()})

    def snapshot(self) -> dict[str, Any]:
        """Return the fields by name, for a checkpoint.

        Examples
        --------
        >>> one = np.zeros((1, 2))
        >>> state = HedgingState.first(one.astype(np.int8), one, one[0], blocks=3, window=4)
        >>> HedgingState.of(state.snapshot()).W.shape
        (1, 3, 2)
        """
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def of(cls, snapshot: Mapping[str, Any]) -> Self:
        """Build the state from a snapshot; fields that only older releases had are dropped."""
        return cls(**{item.name: snapshot[item.name] for item in fields(cls)})

    def _arrays(self) -> dict[str, Any]:
        return {k: v for k, v in self.snapshot().items() if isinstance(v, np.ndarray)}
