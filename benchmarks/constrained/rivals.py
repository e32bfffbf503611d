"""Solvers of constrained models at equal time: each takes a CQM, seconds, threads and a seed.

The clock starts with the CQM in memory, so presolve, conversion and compilation of a model count.
dimod judges each answer; a rival that cannot take a model raises an exception.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import dimod
import numpy as np
import scipy.sparse as sp

from formulations.cqm.presolved import Presolved
from formulations.passes import Slack
from solvers import QCGD, Candidates, PenaltyMethod
from solvers.cp_sat import _Program, import_cp_model
from solvers.oracles import Annealer
from solvers.oracles.base import QUBO, Samples
from solvers.qcgd.linear import LinearForm

CQM = dimod.ConstrainedQuadraticModel
Rival = Callable[[CQM, float, int, int], float | dimod.SampleSet | None]
"""Returns the best feasible objective, None if none was found; or samples, which also tell more."""

WEIGHTS = (0.5, 4.0, 16.0, 64.0, 256.0)
"""Penalty weights, in units of QCGD's scale."""


def best_of(samples: dimod.SampleSet) -> float | None:
    """Return the best feasible objective among samples judged by dimod."""
    if not len(samples):
        return None
    good = samples.record.energy[samples.record.is_feasible]
    return float(good.min()) if len(good) else None


def ours(cqm: CQM, seconds: float, threads: int, seed: int) -> dimod.SampleSet:
    """Run QCGD with default options."""
    return QCGD(iterations=None, time_limit=seconds, seed=seed).sample_cqm(cqm)


def oracle_only(cqm: CQM, seconds: float, threads: int, seed: int) -> dimod.SampleSet:
    """Run QCGD with the oracle as its only source of candidates, repaired as usual."""
    candidates = Candidates(sources=("oracle",))
    solver = QCGD(iterations=None, time_limit=seconds, seed=seed, candidates=candidates)
    return solver.sample_cqm(cqm)


class FromNothing:
    """Oracle that draws random states, so that all success is due to repair."""

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Return twenty random points."""
        x = np.random.default_rng(seed).integers(0, 2, (20, qubo.num_variables), dtype=np.int8)
        energies = qubo.energies(x)
        order = np.argsort(energies, kind="stable")
        return Samples(x[order], energies[order], 0.0)


def repair_alone(cqm: CQM, seconds: float, threads: int, seed: int) -> dimod.SampleSet:
    """Repair random states, without an oracle or a pool."""
    candidates = Candidates(sources=("oracle",), fresh=1)
    solver = QCGD(
        oracle=FromNothing(), iterations=None, time_limit=seconds, seed=seed, candidates=candidates
    )
    return solver.sample_cqm(cqm)


def perturbation(cqm: CQM, seconds: float, threads: int, seed: int) -> dimod.SampleSet:
    """Perturb and repair good points, from random states: all sources without an Ising machine.

    Random states take a share of the time by merit, as an oracle would.
    """
    solver = QCGD(
        oracle=FromNothing(), iterations=None, time_limit=seconds, seed=seed,
        candidates=Candidates(sources=("oracle", "perturbation")),
    )  # fmt: skip
    return solver.sample_cqm(cqm)


def penalties(cqm: CQM, seconds: float, threads: int, seed: int) -> float | None:
    """Return the best of five penalty weights at a fifth of the time each, judged like the CQM."""
    found = []
    for weight in WEIGHTS:
        solver = PenaltyMethod(
            penalty=weight, iterations=None, time_limit=seconds / len(WEIGHTS), seed=seed
        )
        found.append(best_of(solver.sample_cqm(cqm)))
    return min((value for value in found if value is not None), default=None)


def saim(cqm: CQM, seconds: float, threads: int, seed: int) -> float | None:
    """Run the self-adaptive Ising machine [arXiv 2501.04971], written from its description.

    Slack words; rows and objective scaled to a largest coefficient of 1; one small fixed penalty P
    = 2 n d with the objective's density d; multipliers lambda += 20 (A s - b) after each anneal of
    1,000 sweeps from a random state, whose final state is judged.
    """
    started = time.perf_counter()
    prepared = Presolved.of(cqm)
    if prepared.model.num_products:
        raise ValueError("rows are to be linear")
    model, inverse = Slack().apply(prepared.model)
    n, top = model.num_variables, abs(model.rows).max(axis=1)
    row_scale = 1.0 / np.maximum(np.asarray(top.todense()).ravel() if model.num_rows else [], 1e-12)
    a = sp.csr_array(sp.diags_array(row_scale) @ model.rows) if model.num_rows else model.rows
    b = row_scale * model.rhs
    size = max(np.abs(model.linear).max(initial=0), np.abs(model.quadratic.data).max(initial=0))
    terms = np.count_nonzero(model.linear) + model.quadratic.nnz
    weight = 2.0 * n * terms / (n * (n + 1) / 2)
    gram = sp.csr_array(weight * (a.T @ a))
    fixed = model.linear / max(size, 1e-12) + gram.diagonal() - 2.0 * weight * (a.T @ b)
    pairs = sp.coo_array(sp.csr_array(model.quadratic / max(size, 1e-12) + 2.0 * sp.triu(gram, 1)))
    order = np.lexsort(pairs.coords[::-1])
    heads, tails = (axis[order].astype(np.int64) for axis in pairs.coords)
    oracle, multipliers, best, t = Annealer(reads=1, sweeps=1000), np.zeros(len(b)), None, 0
    while time.perf_counter() - started < seconds:
        qubo = QUBO(fixed + a.T @ multipliers, heads, tails, pairs.data[order])
        x = oracle.sample(qubo, np.random.SeedSequence(seed, spawn_key=(t,))).x[:1]
        multipliers += 20.0 * (a @ x[0] - b)
        t += 1
        point = inverse.invert(x)
        if prepared.model.is_feasible(point)[0]:
            value = best_of(prepared.samples(point))
            best = value if best is None else best if value is None else min(best, value)
    return best


def cqm_to_bqm(cqm: CQM, seconds: float, threads: int, seed: int) -> float | None:
    """Run dimod's conversion with its default multiplier, and Ocean's annealer repeatedly."""
    from dwave.samplers import SimulatedAnnealingSampler

    started = time.perf_counter()
    bqm, invert = dimod.cqm_to_bqm(cqm)
    sampler, best, call = SimulatedAnnealingSampler(), None, 0

    def late() -> bool:
        return time.perf_counter() - started > seconds

    while not late():
        answer = sampler.sample(
            bqm, num_reads=10, num_sweeps=500, seed=seed + call, interrupt_function=late
        )
        call += 1
        if not len(answer):
            break
        points = [invert(sample) for sample in answer.samples()]
        value = best_of(dimod.SampleSet.from_samples_cqm(points, cqm))
        best = value if best is None else best if value is None else min(best, value)
    return best


def cp_sat(cqm: CQM, seconds: float, threads: int, seed: int) -> float | None:
    """Run CP-SAT on the presolved, linearised model, with nondeterministic threads."""
    started = time.perf_counter()
    prepared, cp_model = Presolved.of(cqm), import_cp_model()
    program, solver = _Program.of(prepared.model, cp_model), cp_model.CpSolver()
    solver.parameters.random_seed, solver.parameters.num_workers = seed, threads
    solver.parameters.max_time_in_seconds = max(seconds - (time.perf_counter() - started), 0.1)
    if solver.solve(program.cp) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    x = np.array([solver.value(variable) for variable in program.x], dtype=np.int8)
    return best_of(prepared.samples(x[None]))


def highs(cqm: CQM, seconds: float, threads: int, seed: int) -> float | None:
    """Run HiGHS on the presolved, linearised model; scipy's build has one thread."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    started = time.perf_counter()
    prepared = Presolved.of(cqm)
    cost, rows, low, high = LinearForm.of(prepared.model)
    left = max(seconds - (time.perf_counter() - started), 0.1)
    n = prepared.model.num_variables
    whole = np.zeros(len(cost))
    whole[:n] = 1
    options: dict[str, Any] = {"time_limit": left, "mip_rel_gap": 0.0}
    constraints = LinearConstraint(rows, low, high) if rows.shape[0] else ()
    found = milp(
        cost, integrality=whole, bounds=Bounds(0, 1), constraints=constraints, options=options
    )
    if found.x is None:
        return None
    x = np.rint(found.x[:n]).astype(np.int8)
    return best_of(prepared.samples(x[None]))


RIVALS: dict[str, Rival] = {
    "ours": ours,
    "oracle alone": oracle_only,
    "repair of random states": repair_alone,
    "perturbation alone": perturbation,
    "best of five penalties": penalties,
    "SAIM": saim,
    "cqm_to_bqm": cqm_to_bqm,
    "CP-SAT": cp_sat,
    "HiGHS": highs,
}
