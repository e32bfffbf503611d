"""What is trained, and the training problem as a constrained quadratic binary model."""

from formulations.codes import WeightCode, bipolar, codebook, ternary, uniform
from formulations.errors import QnnError
from formulations.network import Activation, Layer, Network, Weights
from formulations.problem import TrainingProblem
from formulations.qcbo import QCBO
from formulations.sizes import ModelSize, network_size
from formulations.splines import Spline

__all__ = [
    "QCBO",
    "Activation",
    "Layer",
    "ModelSize",
    "Network",
    "QnnError",
    "Spline",
    "TrainingProblem",
    "WeightCode",
    "Weights",
    "bipolar",
    "codebook",
    "network_size",
    "ternary",
    "uniform",
]
