"""Every option of every public solver and oracle, given everything that it should not be.

What is accepted must work; what is not must be refused when the object is made, by name.
"""

import inspect
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import solvers
from formulations import Network, TrainingProblem
from formulations.checks import shown
from formulations.errors import InvalidInputError, QnnError
from solvers import oracles
from solvers.hedging import hedging
from solvers.hedging.hedging import AnnealedBlocks
from solvers.neighborhood.neighborhoods import Adaptive, policy
from solvers.oracles import QUBO, Annealer, ExactOracle
from solvers.oracles.cloud.mock import MockHybridBQM, MockHybridCQM, MockQPU
from solvers.oracles.wrappers.audit import Audited
from solvers.run.stopping import NoImprovement

PROBLEM = TrainingProblem(
    Network.dense([2, 2, 1], activation="sign"), [[1, -1], [1, 1], [-1, 1]], [1, -1, -1]
)
NONE = np.zeros(0, dtype=np.int64)
QUESTION = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))

WRONG: list[Any] = [
    *(None, "5", "", 3.7, -1, 0, float("nan"), float("inf"), True, object(), int, [], {}, (1,)),
    *(np.int64(3), np.float32(0.5), np.bool_(True), np.array([1.0, 2.0]), 10**30, 10**5000),
    *(1e300, [None], ["5"], lambda *_: None, Annealer, b"5", 1j, {"a": 1}, "\0"),
]
QUICK: dict[type[Any], dict[str, Any]] = {
    solvers.QCGD: {"oracle": Annealer(1, 1), "iterations": 2, "time_limit": 0.05},
    solvers.PenaltyMethod: {"oracle": Annealer(1, 1), "iterations": 2, "time_limit": 0.05},
    solvers.RandomSearch: {"guesses": 5, "time_limit": 0.05},
    solvers.Trainer: {"gradients": solvers.StraightThrough(epochs=2), "time_limit": 0.05},
    solvers.WeightAnnealing: {"flips": 20, "time_limit": 0.05},
    solvers.LargeNeighborhoodSearch: {"rounds": 3, "time_limit": 0.05},
    solvers.ProgressiveHedging: {"rounds": 2, "time_limit": 0.05},
    solvers.DecomposedQCGD: {"iterations": 2, "time_limit": 0.05},
    solvers.StraightThrough: {"epochs": 1, "time_limit": 0.05},
    solvers.RandomFeatures: {"draws": 1, "units": 4, "time_limit": 0.05},
    solvers.ExplicitSoftmax: {"draws": 1, "time_limit": 0.05},
    solvers.ManifoldNetwork: {"draws": 1, "epochs": 1, "time_limit": 0.05},
    solvers.RMDA: {"draws": 1, "epochs": 1, "time_limit": 0.05},
    solvers.ProxSGD: {"draws": 1, "epochs": 1, "time_limit": 0.05},
    solvers.MonotoneVI: {"draws": 1, "epochs": 1, "time_limit": 0.05},
    solvers.Rounding: {"draws": 1, "time_limit": 0.05},
    solvers.ExactSolver: {"time_limit": 1.0},
    solvers.HybridCQM: {"sampler": MockHybridCQM},
}
INSIDE: dict[type[Any], tuple[dict[str, Any], Callable[[Any], Any]]] = {
    solvers.RealTraining: (
        {"epochs": 1},
        lambda made: solvers.Rounding(weights=made, draws=1, time_limit=0.05).solve(PROBLEM),
    ),
    NoImprovement: ({}, lambda made: solvers.QCGD(Annealer(1, 1), 2, stop=made).solve(PROBLEM)),
    Adaptive: (
        {"arms": [(policy("random"), 2)]},
        lambda made: made.pick(np.random.default_rng(0)),
    ),
} | {
    kind: (
        given,
        lambda made, name=name: solvers.ProgressiveHedging(
            **{"blocks": AnnealedBlocks(20), "rounds": 2, "time_limit": 0.2, name: made}
        ).solve(PROBLEM),
    )
    for kind, name, given in [
        (hedging.FixedRho, "rho", {}),
        (hedging.GrowingRho, "rho", {}),
        (hedging.CycleDetector, "cycles", {}),
        (hedging.Enumeration, "blocks", {}),
        (hedging.AnnealedBlocks, "blocks", {"flips": 20}),
        (hedging.CpSatBlocks, "blocks", {"time_limit": 0.05}),
        (hedging.PenaltyBlocks, "blocks", {"oracle": Annealer(1, 1)}),
        (hedging.QcgdBlocks, "blocks", {"solver": solvers.QCGD(Annealer(1, 1), iterations=2)}),
    ]
}
ORACLES: dict[type[Any], dict[str, Any]] = {
    oracles.QPU: {"reads": 2, "sampler": MockQPU("P2"), "search": 1.0},
    oracles.HybridBQM: {"sampler": MockHybridBQM},
    oracles.Annealer: {"reads": 2, "sweeps": 2},
    oracles.ExactOracle: {},
    oracles.ParallelTempering: {"reads": 2, "sweeps": 2},
    oracles.ParallelAnnealer: {"reads": 2, "sweeps": 2, "device": "numpy"},
    oracles.PathIntegral: {"reads": 2, "sweeps": 2},
    oracles.Tabu: {"reads": 2, "sweeps": 2},
    oracles.SteepestDescent: {"reads": 2},
    oracles.TreeDecomposition: {},
    oracles.SimulatedBifurcation: {"reads": 2, "sweeps": 2, "device": "numpy"},
    oracles.CoherentIsing: {"reads": 2, "sweeps": 2, "device": "numpy"},
    oracles.Blockwise: {"oracle": ExactOracle()},
    oracles.Budget: {"oracle": ExactOracle()},
    oracles.Caching: {"oracle": ExactOracle()},
    oracles.Clipping: {"oracle": ExactOracle(), "share": 0.5},
    oracles.Noise: {"oracle": ExactOracle(), "variance": 0.1},
    oracles.Precision: {"oracle": ExactOracle(), "bits": 4},
    oracles.Record: {"oracle": ExactOracle(), "folder": tempfile.gettempdir()},
    oracles.Replay: {"oracle": ExactOracle(), "folder": tempfile.gettempdir()},
    oracles.Retry: {"oracle": ExactOracle()},
    oracles.SpinReversal: {"oracle": ExactOracle()},
    oracles.Success: {"oracle": ExactOracle(), "probability": 0.5},
    oracles.Timeout: {"oracle": ExactOracle(), "limit": 5.0},
}


def _every(kind: type[Any], given: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, parameter in inspect.signature(kind).parameters.items():
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            for value in WRONG:
                yield name, value


def _tried(
    kind: type[Any], given: dict[str, Any], use: Callable[[Any], Any], where: Any
) -> list[str]:
    """What went wrong: an error that is none of ours, or one of an option's kind too late."""
    wrong = []
    for name, value in _every(kind, given):
        what = f"{kind.__name__}({name}={shown(value)[:40]})"
        try:
            made = kind(**{**given, name: value})
        except QnnError as error:
            if not isinstance(error, InvalidInputError) and name != "folder":
                wrong.append(f"{what}: {type(error).__name__} {error}")
            continue
        except BaseException as error:
            wrong.append(f"{what}: {type(error).__name__} {error}")
            continue
        try:
            use(made)
        except QnnError:
            pass
        except BaseException as error:
            wrong.append(f"{what} was accepted and then failed: {type(error).__name__} {error}")
    return wrong


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)  # folders named by chance are made here
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_all_public_classes_are_tried() -> None:
    named = {getattr(solvers, name) for name in solvers.__all__}
    assert {kind for kind in named if hasattr(kind, "solve")} == set(QUICK)
    named = {getattr(oracles, name) for name in oracles.__all__}
    apart = {oracles.Oracle, oracles.WarmOracle, oracles.BatchOracle, oracles.DimodOracle}
    assert {kind for kind in named if hasattr(kind, "sample")} - apart == set(ORACLES)


@pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.__name__)
def test_solvers_refuse_a_bad_option_at_once(kind: type[Any], tmp_path: Any) -> None:
    assert _tried(kind, QUICK[kind], lambda made: made.solve(PROBLEM), tmp_path) == []


@pytest.mark.parametrize("kind", INSIDE, ids=lambda kind: kind.__name__)
def test_parts_of_solvers_refuse_a_bad_option_at_once(kind: type[Any], tmp_path: Any) -> None:
    given, use = INSIDE[kind]
    assert _tried(kind, given, use, tmp_path) == []


@pytest.mark.parametrize("kind", ORACLES, ids=lambda kind: kind.__name__)
def test_oracles_refuse_a_bad_option_at_once(kind: type[Any], tmp_path: Any) -> None:
    def use(made: Any) -> None:
        Audited(made).sample(QUESTION, np.random.SeedSequence(0))  # as solvers ask

    assert _tried(kind, ORACLES[kind], use, tmp_path) == []


@pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("problem", [None, "digits", 3, [[1]], TrainingProblem, QUESTION, object()])
def test_solvers_refuse_what_is_no_problem(kind: type[Any], problem: Any) -> None:
    with pytest.raises(InvalidInputError, match="problem=.*: expected a TrainingProblem"):
        kind(**QUICK[kind]).solve(problem)


@pytest.mark.parametrize("kind", ORACLES, ids=lambda kind: kind.__name__)
def test_oracles_refuse_what_is_no_question(kind: type[Any]) -> None:
    oracle, seed = kind(**ORACLES[kind]), np.random.SeedSequence(0)
    broken = [
        QUBO(np.zeros(2), np.array([0]), np.array([5]), np.array([1.0])),  # no such variable
        QUBO(np.zeros(2), np.array([-1]), np.array([1]), np.array([1.0])),
        QUBO(np.zeros(2), np.array([0, 0]), np.array([1]), np.array([1.0])),
        QUBO(np.zeros((2, 2)), NONE, NONE, np.zeros(0)),
        QUBO(np.array([np.nan, 0.0]), NONE, NONE, np.zeros(0)),
        QUBO([1.0, 2.0], NONE, NONE, np.zeros(0)),  # type: ignore[arg-type]
    ]
    for qubo in [None, "x", 3, PROBLEM, QUBO, {}, np.eye(2), *broken]:
        with pytest.raises(InvalidInputError):
            oracle.sample(qubo, seed)
    for bad in [None, 0, "0", np.random.default_rng(0)]:
        with pytest.raises(InvalidInputError, match="seed="):
            oracle.sample(QUESTION, bad)
    if isinstance(oracle, oracles.WarmOracle):
        for states in [None, "01", [[0]], [[0, 2]], [[0, np.nan]], [[0, 1], [0]], [], [0, 1]]:
            with pytest.raises(InvalidInputError, match="initial states"):
                oracle.sample_from(QUESTION, states, seed)
