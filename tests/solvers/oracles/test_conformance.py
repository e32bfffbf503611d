"""The conformance kit passes for every local oracle."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import dimod
import pytest
from dwave.samplers import RandomSampler, RotorModelAnnealingSampler, SimulatedAnnealingSampler

from solvers.oracles import Annealer, ExactOracle
from solvers.oracles.dimod_sampler import from_dimod
from solvers.oracles.here.bifurcation import SimulatedBifurcation
from solvers.oracles.here.coherent import CoherentIsing
from solvers.oracles.here.descent import SteepestDescent
from solvers.oracles.here.parallel import ParallelAnnealer
from solvers.oracles.here.path_integral import PathIntegral
from solvers.oracles.here.tabu import Tabu
from solvers.oracles.here.tempering import ParallelTempering
from solvers.oracles.here.tree import TreeDecomposition
from solvers.oracles.testing import CHECKS, Subject


def adapted(sampler: type[dimod.Sampler], **options: int) -> Subject:
    return Subject(lambda: from_dimod(sampler(), **options))


SUBJECTS = {
    "annealer": Subject(partial(Annealer, reads=3, sweeps=10)),
    "annealer, threads": Subject(partial(Annealer, reads=4, sweeps=10, threads=2)),
    "exact": Subject(ExactOracle, random=False),
    "tempering": Subject(partial(ParallelTempering, reads=2, sweeps=10)),
    "tempering, threads": Subject(partial(ParallelTempering, reads=4, sweeps=10, threads=2)),
    "parallel-annealer": Subject(partial(ParallelAnnealer, 3, 20, device="numpy")),
    "parallel-annealer, torch": Subject(partial(ParallelAnnealer, 3, 20, device="cpu")),
    "path-integral": Subject(partial(PathIntegral, reads=3, sweeps=20)),
    "tabu": Subject(partial(Tabu, reads=3, sweeps=20, restarts=2)),
    "steepest-descent": Subject(partial(SteepestDescent, reads=3)),
    "tree-decomposition": Subject(partial(TreeDecomposition, reads=3), random=False),
    "bifurcation": Subject(partial(SimulatedBifurcation, 3, 20, device="numpy")),
    "bifurcation, discrete": Subject(
        partial(SimulatedBifurcation, 3, 20, kind="discrete", device="numpy")
    ),
    "bifurcation, torch": Subject(partial(SimulatedBifurcation, 3, 20, device="cpu")),
    "coherent": Subject(partial(CoherentIsing, 3, 20, device="numpy")),
    "coherent, torch": Subject(partial(CoherentIsing, 3, 20, device="cpu")),
    "dimod's exact solver": Subject(lambda: from_dimod(dimod.ExactSolver()), random=False),
    "Ocean's annealer": adapted(SimulatedAnnealingSampler, num_reads=3, num_sweeps=10),
    "Ocean's rotors": adapted(RotorModelAnnealingSampler, num_reads=3, num_sweeps=10),
    "guesses": Subject(lambda: from_dimod(RandomSampler(), num_reads=3), searching=False),
}


@pytest.mark.filterwarnings("ignore:All bqm biases are zero")
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.torch] if "torch" in n else []) for n in SUBJECTS],
)
def test_conformance(name: str, check: Callable[[Subject], None]) -> None:
    if "torch" in name:
        pytest.importorskip("torch", reason="needs the extra torch")
    check(SUBJECTS[name])
