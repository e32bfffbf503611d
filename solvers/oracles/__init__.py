"""Oracles: anything that takes a QUBO and gives back samples."""

from solvers.oracles.annealing import Annealer
from solvers.oracles.base import QUBO, Oracle, Samples, WarmOracle
from solvers.oracles.exact import ExactOracle

__all__ = ["QUBO", "Annealer", "ExactOracle", "Oracle", "Samples", "WarmOracle"]
