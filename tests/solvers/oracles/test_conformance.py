from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from solvers.oracles import Annealer, ExactOracle
from solvers.oracles.testing import CHECKS, Subject

SUBJECTS = {
    "annealer": Subject(partial(Annealer, reads=3, sweeps=10)),
    "annealer, threads": Subject(partial(Annealer, reads=4, sweeps=10, threads=2)),
    "exact": Subject(ExactOracle, random=False),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SUBJECTS)
def test_conformance(name: str, check: Callable[[Subject], None]) -> None:
    check(SUBJECTS[name])
