"""Every name that the command line takes, each with a line that says what it is.

Help and completion read them here, so that neither has to load what the names stand for.  The tests
hold them against the tables themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SOLVERS: Mapping[str, str] = MappingProxyType(
    {
        "qcgd": "the whole training as one model, by conditional gradients; asks an oracle",
        "qcgd-cold": "the same without warm starts: every call begins anew; asks an oracle",
        "penalty": "the model with its rows as penalties of weight --penalty; asks an oracle",
        "random": "as many random networks as an oracle would have reads",
        "annealing": "simulated annealing of the weights themselves, without a model",
        "restricted": "a few weights at a time, enumerated, or by an oracle that is named",
        "hedging": "blocks of samples that come to agree; exact, with a bound, where small",
        "straight-through": "gradients through the rounding, as low-bit networks are usually made",
        "random-features": "random hidden layers, only the last one trained",
        "explicit": "weights as logarithms of sums over the data, in closed form; rounded",
        "manifold": "every layer in closed form, from the last to the first; rounded",
        "rmda": "dual averaging with momentum, on real weights; rounded",
        "svi": "a monotone variational inequality, on real weights; rounded",
        "rounding": "a network with real weights, rounded weight by weight",
        "rounding-qubo": "a network with real weights, rounded together by an oracle",
        "exact": "the best weights, proven: by enumeration, or by CP-SAT (extra exact)",
    }
)

ORACLES: Mapping[str, str] = MappingProxyType(
    {
        "annealer": "simulated annealing, here",
        "path-integral": "simulated quantum annealing of Ocean's, here",
        "tabu": "tabu search of Ocean's, here",
        "steepest-descent": "downhill from random states, here",
        "tree-decomposition": "exact for models like trees, here",
        "exact": "every state, up to 24 variables, here",
        "bifurcation": "simulated bifurcation, here",
        "coherent-ising": "a simulated coherent Ising machine, here",
        "qpu": "D-Wave's quantum annealer; needs an account, and is charged",
        "hybrid": "D-Wave's hybrid solver; needs an account, and is charged",
        "mock-qpu": "a stand-in for qpu, with its graph and its times, here",
        "mock-hybrid": "a stand-in for hybrid, with its times, here",
    }
)

DATA: Mapping[str, str] = MappingProxyType(
    {
        "digits": "1,797 images of 8 x 8, ten digits (bundled with scikit-learn)",
        "breast_cancer": "569 samples of 30 columns, two classes (bundled)",
        "wine": "178 samples of 13 columns, three classes (bundled)",
        "iris": "150 samples of 4 columns, three classes (bundled)",
        "mnist": "70,000 images of 28 x 28, ten digits",
        "fashion": "70,000 images of 28 x 28, ten kinds of clothing",
    }
)

ACTIVATIONS: Mapping[str, str] = MappingProxyType(
    {
        "sign": "-1 below zero, else +1; exact in the model",
        "hard-tanh": "z between -1 and +1, else the nearer of them; exact in the model",
        "relu": "max(0, z); exact in the model",
        "tanh": "by a few constant pieces",
        "sigmoid": "by a few constant pieces",
    }
)

WEIGHTS: Mapping[str, str] = MappingProxyType(
    {
        "bipolar": "-1 and +1: one bit",
        "ternary": "-1, 0 and +1: two bits",
        "uniform:BITS": "2^BITS odd numbers around zero, BITS from 1 to 8",
        "codebook:VALUES": "these values, as codebook:-1,0.5,2: a bit for each value",
    }
)

LOSSES: Mapping[str, str] = MappingProxyType(
    {
        "hinge": "max(0, 1 - y out); hinge:MARGIN has another number than 1",
        "zero-one": "1 for every sample that is wrong",
        "squared": "(y - out)^2",
        "logistic": "log(1 + exp(-y out)), by a few straight pieces",
    }
)

ENCODINGS: Mapping[str, str] = MappingProxyType(
    {
        "twos-complement": "a sum as one binary number: fewest rows; the default for two pieces",
        "one-hot": "a bit for every piece of the activation; the default for more pieces",
        "threshold": "a bit for every threshold that a sum may cross: most variables",
    }
)

TABLES: Mapping[str, str] = MappingProxyType(
    {
        "baselines": "what a user would pick instead, in its own game",
        "explicit": "the explicit softmax solution, without iteration",
        "manifold": "the non-gradient manifold network",
        "rmda": "dual averaging, proximal gradients, sparsity by groups",
        "svi": "training by a monotone variational inequality",
    }
)
