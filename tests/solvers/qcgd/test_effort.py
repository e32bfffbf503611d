"""How a call's flips are shared: the same number always, and where the duels were won."""

from __future__ import annotations

import numpy as np

from formulations import QCBO
from solvers import QCGD
from solvers.oracles import Annealer
from solvers.qcgd.effort import LONG, MANY, SPLITS, Effort
from solvers.qcgd.scoring import ModelScoring


def played(worth, duels: int = 12) -> Effort:
    """After so many duels of warm calls, each worth what ``worth(sweeps)`` says."""
    effort = Effort(Annealer(reads=20, sweeps=200))
    for _ in range(2 * duels):
        effort.begin(warm=True)
        assert 0.95 * 4000 < effort.annealer.reads * effort.annealer.sweeps <= 4000
        effort.end(worth(effort.annealer.sweeps))
    return effort


def test_the_level_follows_the_winners() -> None:
    assert played(lambda sweeps: -sweeps).level == LONG
    assert played(lambda sweeps: sweeps).level == MANY
    assert played(lambda sweeps: 7.0).level == 0.0


def test_going_on_from_a_snapshot_changes_nothing() -> None:
    one = played(lambda sweeps: -sweeps, duels=3)
    other = Effort(Annealer(reads=20, sweeps=200))
    other.restore(one.snapshot())
    for warm in (True, False, False, True, True):
        for effort in (one, other):
            effort.begin(warm)
            effort.end(float(effort.annealer.reads))
        assert repr(one.annealer) == repr(other.annealer)
        assert one.snapshot() == other.snapshot()


def test_a_given_oracle_stays_as_it_is_and_its_own_changes() -> None:
    rng = np.random.default_rng(0)
    model = QCBO.from_arrays(rng.normal(size=30), [np.ones(30)], [9])
    oracle = Annealer(reads=3, sweeps=7)
    run, loop = QCGD(oracle, iterations=5)._descend(ModelScoring(model), model)
    assert (oracle.reads, oracle.sweeps, loop.search.effort) == (3, 7, None)
    assert run.ledger.reads == 15
    for split in SPLITS:
        _, loop = QCGD(iterations=5, split=split)._descend(ModelScoring(model), model)
        assert (loop.search.effort is None) == (split == "constant")
