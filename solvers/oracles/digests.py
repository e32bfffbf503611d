"""Digests of questions to an oracle: equal questions have equal texts."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from formulations.arrays import BitArray
from solvers.oracles.base import QUBO


def qubo_digest(qubo: QUBO, states: BitArray | None = None) -> str:
    """Return the SHA-256 of a QUBO and its starting states, the same on any machine.

    Examples
    --------
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> qubo_digest(qubo)[:16], qubo_digest(qubo, np.zeros((1, 2), np.int8))[:16]
    ('e894e7d144a9282a', '340bdc6f3361c39c')
    """
    digest = hashlib.sha256(b"QUBO")
    for values, kind in (
        (qubo.linear, "<f8"),
        (qubo.heads, "<i8"),
        (qubo.tails, "<i8"),
        (qubo.couplings, "<f8"),
        (states, "|i1"),
    ):
        if values is not None:
            array = np.ascontiguousarray(values, dtype=kind)
            digest.update(f"{kind}{array.shape}".encode())
            digest.update(array.data if array.size else b"")
    return digest.hexdigest()


def seed_digest(seed: np.random.SeedSequence) -> str:
    """Return the SHA-256 of a seed and of the number of children it has spawned.

    Examples
    --------
    >>> seed_digest(np.random.SeedSequence(0)) == seed_digest(np.random.SeedSequence(0))
    True
    """
    entropy = np.atleast_1d(np.asarray(seed.entropy, dtype=object)).tolist()
    parts = [entropy, list(seed.spawn_key), seed.pool_size, seed.n_children_spawned]
    text = json.dumps(parts, default=int, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
