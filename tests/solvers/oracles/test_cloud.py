"""D-Wave's machines as oracles, against mocks: nothing here leaves this computer."""

from __future__ import annotations

import copy
import functools
import os
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formulations.errors import InvalidInputError, OracleError
from solvers.oracles.base import QUBO, Oracle
from solvers.oracles.cloud import QPU, HybridBQM, costs, presentable
from solvers.oracles.mock import MockHybridBQM, MockQPU
from solvers.oracles.testing import CHECKS, Subject, random_qubo

TOKEN = "DEV-0123456789abcdef0123456789abcdef01234567"


def seed(number: int = 0) -> np.random.SeedSequence:
    return np.random.SeedSequence(number)


MAKERS: dict[str, Callable[[], Oracle]] = {
    "Pegasus": functools.partial(QPU, reads=3, search=10.0, sampler=MockQPU("P3")),
    "Zephyr": functools.partial(QPU, reads=3, search=10.0, sampler=MockQPU("Z3")),
    "clique": functools.partial(QPU, reads=3, embedding="clique", sampler=MockQPU("P3")),
    "hybrid": functools.partial(HybridBQM, sampler=MockHybridBQM),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", list(MAKERS))
def test_conformance(name: str, check: Callable[[Subject], None]) -> None:
    # up to 16 variables both mocks put the minimum first, whatever the seed
    check(Subject(MAKERS[name], variables=8, random=False))
