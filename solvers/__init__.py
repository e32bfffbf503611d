"""From a problem to weights: every solver answers ``solve(problem) -> Result``."""

from solvers.classical.explicit import ExplicitSoftmax
from solvers.classical.manifold import ManifoldNetwork
from solvers.classical.monotone import MonotoneVI
from solvers.classical.random_features import RandomFeatures
from solvers.classical.random_search import RandomSearch
from solvers.classical.rmda import RMDA, ProxSGD
from solvers.classical.rounding import RealTraining, Rounding
from solvers.classical.selection import select_inputs, with_inputs, with_zeros
from solvers.classical.straight_through import StraightThrough
from solvers.cqm_sampler import QCGDSampler
from solvers.exact import ExactSolver
from solvers.hedging import ProgressiveHedging
from solvers.hybrid_cqm import HybridCQM
from solvers.neighborhood import LargeNeighborhoodSearch
from solvers.penalty import PenaltyMethod
from solvers.qcgd import QCGD
from solvers.result import History, Incumbent, Ledger, Progress, Result, Status
from solvers.weight_annealing import WeightAnnealing

__all__ = [
    "QCGD",
    "QCGDSampler",
    "RMDA",
    "ExactSolver",
    "ExplicitSoftmax",
    "History",
    "HybridCQM",
    "Incumbent",
    "LargeNeighborhoodSearch",
    "Ledger",
    "ManifoldNetwork",
    "MonotoneVI",
    "PenaltyMethod",
    "Progress",
    "ProgressiveHedging",
    "ProxSGD",
    "RandomFeatures",
    "RandomSearch",
    "RealTraining",
    "Result",
    "Rounding",
    "Status",
    "StraightThrough",
    "WeightAnnealing",
    "select_inputs",
    "with_inputs",
    "with_zeros",
]
