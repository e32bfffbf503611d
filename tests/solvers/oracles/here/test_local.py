"""Ocean's local samplers, and the oracles that follow equations of motion."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError, MissingExtraError
from solvers import PenaltyMethod
from solvers.footprint import first_qubo
from solvers.oracles import (
    QUBO,
    CoherentIsing,
    ExactOracle,
    Oracle,
    PathIntegral,
    SimulatedBifurcation,
    SteepestDescent,
    Tabu,
    TreeDecomposition,
)
from solvers.oracles.here.amplitudes import Field
from solvers.oracles.here.devices import Numpy, device
from solvers.oracles.here.stacking import DENSE_SHARE
from solvers.oracles.ising import Ising
from solvers.oracles.testing import every_state, random_qubo


def seed() -> np.random.SeedSequence:
    """A new one each time: asking spawns from it."""
    return np.random.SeedSequence(0)


BIFURCATION = partial(SimulatedBifurcation, 10, 300, device="numpy")
HEURISTIC: dict[str, Oracle] = {
    "path-integral": PathIntegral(10, 100),
    "tabu": Tabu(10, 100),
    "ballistic": BIFURCATION(),
    "discrete": BIFURCATION(kind="discrete"),
    "coherent": CoherentIsing(10, 300, device="numpy"),
    "coherent, without feedback": CoherentIsing(10, 300, feedback=0.0, device="numpy"),
}


@pytest.mark.parametrize("name", HEURISTIC)
def test_they_find_the_minimum_of_small_models(name: str) -> None:
    found = 0
    for number in range(8):
        qubo = random_qubo(14, number)
        least = ExactOracle().sample(qubo, seed()).energies[0]
        found += HEURISTIC[name].sample(qubo, seed()).energies[0] <= least + 1e-9
    assert found >= 6


@pytest.mark.parametrize("name", ["ballistic", "discrete", "coherent"])
def test_spins_of_very_different_stiffness(name: str) -> None:
    """The QUBO of a network: a flip costs a hundred times as much at some bits as at others."""
    random = np.random.default_rng(0)
    X, y = random.choice([-1, 1], (20, 8)), random.choice([-1, 1], 20)
    problem = TrainingProblem(Network.dense([8, 3, 1]), X, y)
    qubo = first_qubo(lambda oracle: PenaltyMethod(oracle=oracle).solve(problem))
    assert qubo is not None
    descents = SteepestDescent(10).sample(qubo, seed()).energies
    assert HEURISTIC[name].sample(qubo, seed()).energies[0] < descents[0]


def test_descent_ends_in_local_minima() -> None:
    for n in (30, 600):
        qubo = random_qubo(n, share=0.05)
        x = SteepestDescent(3).sample(qubo, seed()).x
        for state in x:
            flipped = np.abs(state - np.eye(n, dtype=np.int8))
            assert (qubo.energies(flipped) >= qubo.energies(state[None]) - 1e-9).all()


def test_elimination_gives_the_least_energies_in_order() -> None:
    qubo = random_qubo(9)
    samples = TreeDecomposition(reads=5).sample(qubo, seed())
    np.testing.assert_allclose(samples.energies, np.sort(qubo.energies(every_state(9)))[:5])
    assert samples.exact


def test_a_long_chain_is_narrow_and_zero_couplers_do_not_widen_it() -> None:
    heads, tails = (ends.astype(np.int64) for ends in np.triu_indices(60, 1))
    chain = tails == heads + 1
    random = np.random.default_rng(0)
    qubo = QUBO(random.normal(size=60), heads, tails, np.where(chain, random.normal(), 0.0))
    samples = TreeDecomposition(max_width=1).sample(qubo, seed())
    assert samples.exact
    assert samples.energies[0] <= Tabu(10).sample(qubo, seed()).energies[0] + 1e-9


@pytest.mark.parametrize("n", [12, 200])
def test_what_is_too_wide_is_refused_at_once(n: int) -> None:
    with pytest.raises(InvalidInputError, match=r"width \d+ .*max_width is 5"):
        TreeDecomposition(max_width=5).sample(random_qubo(n), seed())


@pytest.mark.parametrize("share", [0.02, 1.0])
def test_the_field_is_that_of_the_model(share: float) -> None:
    """On both sides of the choice between sparse and dense."""
    qubo = random_qubo(60, share=share)
    ising, field = Ising.of(qubo), Field.of([qubo], Numpy(seed()))
    assert sp.issparse(field.J) == (share < DENSE_SHARE)
    J = np.zeros((60, 60))
    J[ising.heads, ising.tails] = ising.J
    J += J.T
    scale = np.sqrt(ising.h**2 + (J**2).sum(1))
    scale[scale == 0.0] = 1.0
    x = np.random.default_rng(1).normal(size=(60, 3)).astype(np.float32)
    expected = (ising.h[:, None] + J @ x) / scale[:, None]
    np.testing.assert_allclose(field.at(x[None])[0], expected, atol=1e-5)
    spins = np.sign(x)
    energies = (spins * (ising.h[:, None] + 0.5 * J @ spins)).sum(0)
    shares = field.energies(spins[None])[0] / energies
    np.testing.assert_allclose(shares, shares[0], rtol=1e-4)  # up to one constant for all
    assert shares[0] > 0


@pytest.mark.torch
@pytest.mark.parametrize("share", [0.02, 1.0])
def test_torch_has_the_same_field(share: float) -> None:
    pytest.importorskip("torch", reason="needs the extra torch")
    qubo = random_qubo(60, share=share)
    on = device("cpu", seed())
    x = np.random.default_rng(1).normal(size=(1, 60, 3))
    here, there = Field.of([qubo], Numpy(seed())), Field.of([qubo], on)
    np.testing.assert_allclose(
        on.host(there.at(on.array(x))), here.at(x.astype(np.float32)), atol=1e-5
    )


@pytest.mark.torch
def test_torch_finds_the_same_minima() -> None:
    pytest.importorskip("torch", reason="needs the extra torch")
    qubo = random_qubo(14, 1)
    least = ExactOracle().sample(qubo, seed()).energies[0]
    for oracle in (SimulatedBifurcation(10, 300, device="cpu"), CoherentIsing(device="cpu")):
        assert oracle.sample(qubo, seed()).energies[0] == pytest.approx(least)


def test_without_torch_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'qnn-ising\[torch\]'"):
        SimulatedBifurcation(device="cpu").sample(random_qubo(4), seed())
    assert type(device("auto", seed())).__name__ == "Numpy"


def test_the_best_state_on_the_way_is_kept() -> None:
    """More steps of the same run, at a constant pump, never end with less."""
    qubo = random_qubo(40)
    energies = [
        CoherentIsing(5, sweeps, pump=(1.0, 1.0), device="numpy").sample(qubo, seed()).energies[0]
        for sweeps in (50, 100, 200, 400)
    ]
    assert energies == sorted(energies, reverse=True)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (PathIntegral, {"reads": 0}, "reads=0"),
        (PathIntegral, {"beta": 0.0}, "beta=0.0: expected a finite number above 0"),
        (PathIntegral, {"gamma": np.inf}, "gamma=inf"),
        (Tabu, {"sweeps": 0}, "sweeps=0"),
        (Tabu, {"restarts": -1}, "restarts=-1"),
        (SteepestDescent, {"reads": 1.5}, "reads=1.5"),
        (TreeDecomposition, {"max_width": 26}, "max_width=26: expected an integer from 1 to 25"),
        (SimulatedBifurcation, {"kind": "adiabatic"}, "unknown kind 'adiabatic'"),
        (SimulatedBifurcation, {"step": "long"}, "step='long'"),
        (SimulatedBifurcation, {"coupling": -1.0}, "coupling=-1.0"),
        (SimulatedBifurcation, {"device": "gpu"}, "unknown device 'gpu'"),
        (CoherentIsing, {"pump": 1.0}, "pump=1.0: expected a sequence of two pump rates"),
        (CoherentIsing, {"noise": -0.1}, "noise=-0.1: expected a finite number of at least 0"),
        (CoherentIsing, {"feedback": np.nan}, "feedback=nan"),
        (CoherentIsing, {"sweeps": True}, "sweeps=True"),
    ],
)
def test_bad_options_are_refused(make: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        make(**options)
