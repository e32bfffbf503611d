"""Random problems of :mod:`constraints`: no network may wrongly be said to satisfy.

``python benchmarks/constraints.py --parts kept`` runs them.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from formulations import Network, TrainingProblem, Weights
from formulations.constraints import FanIn, LinearRows, Monotone, NofM, NonZeros, Right, Robust
from formulations.errors import InfeasibleModelError, OracleError
from solvers import (
    QCGD,
    ExactSolver,
    HybridCQM,
    LargeNeighborhoodSearch,
    PenaltyMethod,
    ProgressiveHedging,
    RandomSearch,
    StraightThrough,
    Trainer,
    WeightAnnealing,
)
from solvers.oracles import Annealer
from solvers.oracles.cloud.mock import MockHybridCQM


class QuickCQM(MockHybridCQM):
    """Mock of the hybrid solver that answers at once, feasible or not."""

    def sample_cqm(self, cqm: Any, time_limit: float | None = None, **given: Any) -> Any:
        """Return samples of four rounds of QCGD, feasible or not."""
        oracle = Annealer(reads=4, sweeps=20)
        return QCGD(seed=given["seed"] or 0, oracle=oracle, iterations=4).sample_cqm(cqm)


KEEPERS: dict[str, Any] = {
    "RandomSearch": RandomSearch(guesses=50),
    "WeightAnnealing": WeightAnnealing(flips=400),
    "LargeNeighborhoodSearch": LargeNeighborhoodSearch(rounds=60, sizes=(2, 3, 4)),
    "LargeNeighborhoodSearch, oracle": LargeNeighborhoodSearch(
        rounds=4, oracle=Annealer(reads=4, sweeps=20), sizes=(2,)
    ),
    "QCGD": QCGD(oracle=Annealer(reads=4, sweeps=20), iterations=4),
    "PenaltyMethod": PenaltyMethod(oracle=Annealer(reads=4, sweeps=20), iterations=4),
    "ProgressiveHedging": ProgressiveHedging(rounds=4),
    "HybridCQM, a mock": HybridCQM(sampler=QuickCQM),
    "StraightThrough": StraightThrough(epochs=10, restarts=2),
    "Trainer": Trainer(
        gradients=StraightThrough(epochs=10, restarts=2),
        search=LargeNeighborhoodSearch(rounds=60, sizes=(2, 3, 4)),
    ),
}
"""Solvers of the thousand random problems, each with a fraction of a second."""


def random_problem(rng: np.random.Generator) -> TrainingProblem:
    """Draw a network of few weights, few samples, and one to three constraints of any kind."""
    widths = [int(rng.integers(2, 5)), *rng.integers(1, 4, rng.integers(0, 3)).tolist()]
    widths.append(int(rng.choice([1, 1, 2, 3])))
    code = str(rng.choice(["ternary", "ternary", "bipolar", "codebook:-1,0,2"]))
    act = str(rng.choice(["sign", "relu:1", "relu:2", "hard-tanh"]))
    net = Network.dense(widths, act, code, [False, "integer:2"][rng.integers(2)])

    def samples(count: int) -> tuple[Any, Any]:
        X = rng.integers(-2, 3, (count, widths[0]))
        one = widths[-1] == 1
        return X, rng.choice([-1, 1], count) if one else rng.integers(0, widths[-1], count)

    def rule() -> Any:
        number, bits = int(rng.integers(1, 4)), net.num_weight_bits
        kind = rng.integers(0, 7 if code != "bipolar" else 4)
        return [
            lambda: Right(*samples(number), margin=int(rng.integers(1, 3))),
            lambda: Robust(*samples(number), radius=1),
            lambda: Monotone(int(rng.integers(widths[0])), int(rng.choice([-1, 1]))),
            lambda: LinearRows(rng.integers(-2, 3, (1, bits)), [int(rng.integers(0, 3))]),
            lambda: FanIn(number),
            lambda: NonZeros(number + 1),
            lambda: NofM(1, 2),
        ][kind]()

    return TrainingProblem(
        net, *samples(8), "hinge", constraints=[rule() for _ in range(rng.integers(1, 4))]
    )


def holds(rule: Any, net: Network, weights: Weights, bits: Any, X: Any) -> bool:
    """Check a constraint by counts and predictions alone, independently of its own code."""
    nonzero = [matrix != 0 for matrix in weights.matrices]
    if isinstance(rule, FanIn):
        return max(int(part.sum(axis=1).max()) for part in nonzero) <= rule.most
    if isinstance(rule, NonZeros):
        return sum(int(part.sum()) for part in nonzero) <= rule.most
    if isinstance(rule, NofM):
        pairs = [part[:, k : k + rule.of].sum(axis=1) for part in nonzero
                 for k in range(0, part.shape[1], rule.of)]  # fmt: skip
        return max(int(pair.max()) for pair in pairs) <= rule.most
    if isinstance(rule, LinearRows):
        return bool((np.asarray(rule.A) @ bits <= np.asarray(rule.b)).all())
    if isinstance(rule, Monotone):
        line = np.repeat(X, 5, axis=0)
        line[:, rule.feature] = np.tile(np.arange(-2, 3), len(X))
        z = net.pre_activations(weights, line)[-1][:, rule.output].reshape(-1, 5)
        return bool((rule.direction * np.diff(z, axis=1) >= 0).all())
    near = [(0,) * net.widths[0]]
    if isinstance(rule, Robust):
        near = list(itertools.product((-1, 0, 1), repeat=net.widths[0]))
    own, y = np.asarray(rule.X), np.asarray(rule.y)
    low, high = min(own.min(), X.min()), max(own.max(), X.max())  # levels end at the edges
    inputs = np.clip(own[:, None] + np.array(near), low, high)
    found = net.predict(weights, inputs.reshape(-1, own.shape[1])).reshape(len(own), -1)
    return bool((found == y[:, None]).all())


def kept(given: argparse.Namespace) -> list[str]:
    """Check that no network of a random problem is wrongly said to satisfy its constraints."""
    rng, solved, possible, hopeless = np.random.default_rng(0), 0, 0, 0
    asked = {name: KEEPERS[name] for name in KEEPERS if name.startswith(given.solver)}
    said, lied = dict.fromkeys(asked, 0), dict.fromkeys(asked, 0)
    while solved < given.problems:
        try:
            problem = random_problem(rng)
        except InfeasibleModelError:  # proven by interval propagation alone
            hopeless += 1
            continue
        if problem.num_free_bits > 20:  # too many to enumerate a thousand times
            continue
        solved += 1
        try:
            ExactSolver(method="enumeration").solve(problem)
            possible += 1
        except InfeasibleModelError:
            pass
        for name, solver in asked.items():
            try:
                result = replace(solver, seed=solved).solve(problem)
            except (InfeasibleModelError, OracleError):  # of a mock that answers nothing
                continue
            bits = problem.network.encode_bits(result.weights)
            fine = all(
                holds(rule, problem.network, result.weights, bits, problem.X)
                for rule in problem.constraints
            )
            said[name] += result.satisfies
            lied[name] += (result.satisfies and not fine) or (
                result.satisfies == bool(problem.broken(result.weights))
            )
    print(lied, flush=True)
    return [
        "", f"## {given.problems:,} random problems", "",
        "Up to three layers, 20 weight bits, and one to three constraints of any kind.  "
        f"{possible:,} of them have weights that satisfy all, by enumeration, which proves of the "
        f"other {given.problems - possible:,} that none do; {hopeless} more were refused by "
        "interval propagation when they were made.  "
        "Called satisfying though a constraint is broken, by counts and predictions alone: "
        f"**{sum(lied.values())}** of {len(asked) * given.problems:,} results.", "",
        "| solver, with a fraction of a second | problems solved, of those that can be |",
        "| --- | --- |",
        *(f"| {name} | {count:,} of {possible:,} |" for name, count in said.items()),
    ]  # fmt: skip
