"""Oracles: anything that takes a QUBO and gives back samples."""

from solvers.oracles.annealing import Annealer
from solvers.oracles.base import QUBO, Oracle, Samples, WarmOracle
from solvers.oracles.bifurcation import SimulatedBifurcation
from solvers.oracles.blockwise import Blockwise
from solvers.oracles.budget import Budget
from solvers.oracles.caching import Caching
from solvers.oracles.cloud import QPU, HybridBQM
from solvers.oracles.coherent import CoherentIsing
from solvers.oracles.dimod_sampler import DimodOracle, from_dimod
from solvers.oracles.distortion import Clipping, Noise, Precision
from solvers.oracles.exact import ExactOracle
from solvers.oracles.gauge import SpinReversal
from solvers.oracles.ledger import Ledger
from solvers.oracles.local import PathIntegral, SteepestDescent, Tabu, TreeDecomposition
from solvers.oracles.record import Record, Replay
from solvers.oracles.retry import Retry, Timeout
from solvers.oracles.success import Success

__all__ = [
    "QUBO",
    "Oracle",
    "Samples",
    "WarmOracle",
    "Annealer",
    "QPU",
    "HybridBQM",
    "ExactOracle",
    "PathIntegral",
    "Tabu",
    "SteepestDescent",
    "TreeDecomposition",
    "SimulatedBifurcation",
    "CoherentIsing",
    "DimodOracle",
    "from_dimod",
    "Blockwise",
    "Budget",
    "Caching",
    "Clipping",
    "Ledger",
    "Noise",
    "Precision",
    "Record",
    "Replay",
    "Retry",
    "SpinReversal",
    "Success",
    "Timeout",
]
