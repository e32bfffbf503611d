"""Combine parallel QCGD runs on one constrained model into one answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from solvers.run.run import Progress

if TYPE_CHECKING:
    import dimod

    from solvers import QCGD

Points = list[tuple[float, float]]


def answer(
    cqm: dimod.ConstrainedQuadraticModel,
    solvers: Sequence[QCGD],
    initial_states: Any = None,
    show: Callable[[Progress], object] | None = None,
) -> dimod.SampleSet:
    """Return the best points found by any of the solvers, each running in a thread.

    Each solver has its own seed and oracle; one that proves its answer ends the others. After each
    step of any, ``show`` receives the joint progress, with the best loss, bound and source.

    The sample set is like that of :meth:`solvers.QCGD.sample_cqm`. Its ``info`` is that of the run
    with the best point, with the oracle's calls, reads and seconds summed over all runs. It adds
    ``runs``, the result of each run, and ``trace``, the times of improvements of the objective.

    Examples
    --------
    >>> import dimod
    >>> from solvers import QCGD
    >>> cqm = dimod.ConstrainedQuadraticModel.from_bqm(dimod.Binary("x") - 2 * dimod.Binary("y"))
    >>> found = answer(cqm, [QCGD(iterations=2, seed=seed) for seed in (1, 2)])
    >>> float(found.first.energy), len(found.info["runs"])
    (-2.0, 2)
    """
    traces: list[Points] = [[] for _ in solvers]
    lock, stop = Lock(), Event()
    best: Progress | None = None

    def watch(trace: Points) -> Callable[[Progress], bool]:
        """Return a run's callback, which adds seconds and objectives of improvements to trace."""

        def told(progress: Progress) -> bool:
            nonlocal best
            with lock:
                if progress.feasible and (not trace or progress.loss < trace[-1][1]):
                    trace.append((progress.seconds, progress.loss))
                own = (progress.feasible, -progress.loss)
                if best is None or own > (best.feasible, -best.loss):
                    bound, best = None if best is None else best.bound, progress
                else:
                    bound = progress.bound
                bounds = [one for one in (best.bound, bound) if one is not None]
                best = replace(best, bound=max(bounds, default=None))
                if show is not None:
                    show(replace(best, iteration=progress.iteration, seconds=progress.seconds))
            return stop.is_set()

        return told

    watched = [
        replace(solver, callbacks=(*solver.callbacks, watch(trace)))
        for solver, trace in zip(solvers, traces, strict=True)
    ]

    def one(solver: QCGD) -> dimod.SampleSet:
        samples = solver.sample_cqm(cqm, initial_states=initial_states)
        if samples.info["status"] in ("optimal", "infeasible"):
            stop.set()
        return samples

    if len(solvers) == 1:
        found = [one(watched[0])]
    else:
        with ThreadPoolExecutor(len(solvers)) as pool:
            futures = [pool.submit(one, solver) for solver in watched]
            try:
                found = [future.result() for future in futures]
            except KeyboardInterrupt:  # threads do not receive the interrupt
                stop.set()
                found = [future.result() for future in futures]
                for samples in found:
                    samples.info["status"] = "interrupted"
            except BaseException:
                stop.set()
                raise
    return _together(found, traces)


def _together(found: Sequence[dimod.SampleSet], traces: Sequence[Points]) -> dimod.SampleSet:
    """Merge the distinct samples of all runs, best first; infeasible ones only if all are."""
    import dimod

    def rank(samples: dimod.SampleSet) -> tuple[bool, float]:
        if not len(samples):
            return True, np.inf
        return not samples.record.is_feasible[0], float(samples.record.energy[0])

    first = min(found, key=rank)
    records = [one.record for one in found if len(one)]
    if records:
        labels = list(first.variables)
        records = [
            one.record[np.flatnonzero(one.record.is_feasible == first.record.is_feasible[0])]
            for one in found
            if len(one) and list(one.variables) == labels
        ]
        record = np.concatenate(records).view(np.recarray)
        _, place = np.unique(record.sample, axis=0, return_index=True)
        order = place[np.lexsort((place, record.energy[place]))]
        first = dimod.SampleSet(record[order], first.variables, first.info, first.vartype)
    infos = [samples.info for samples in found]
    info = first.info
    for name in ("oracle_calls", "oracle_reads", "oracle_seconds"):
        info[name] = sum(one[name] for one in infos)
    info["ledger"] = {
        name: sum(one["ledger"][name] for one in infos) for name in infos[0]["ledger"]
    }
    if all("sources" in one for one in infos):
        info["sources"] = _all_sources([one["sources"] for one in infos])
    proven = [one["lower_bound"] for one in infos if one["lower_bound"] is not None]
    info["lower_bound"] = max(proven, default=None)
    statuses = [one["status"] for one in infos]
    info["status"] = next((s for s in statuses if s in ("optimal", "infeasible")), info["status"])
    info["seconds"] = max(one["seconds"] for one in infos)
    info["trace"] = _merged(traces)
    info["runs"] = [_run(one, trace) for one, trace in zip(found, traces, strict=True)]
    return first


def _all_sources(found: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Sum the contributions of each source of candidates over all runs.

    Examples
    --------
    >>> one = {"oracle": {"calls": 2, "seconds": 0.5, "improvements": 1, "best": -3.0}}
    >>> none = {"oracle": {"calls": 1, "seconds": 0.5, "improvements": 0, "best": None}}
    >>> _all_sources([one, none])
    {'oracle': {'calls': 3, 'seconds': 1.0, 'improvements': 1, 'best': -3.0}}
    """
    return {
        name: {
            **{n: sum(one[name][n] for one in found) for n in ("calls", "seconds", "improvements")},
            "best": min(
                (one[name]["best"] for one in found if one[name]["best"] is not None), default=None
            ),
        }
        for name in found[0]
    }


def _run(samples: dimod.SampleSet, trace: Points) -> dict[str, Any]:
    """Describe the result of one run."""
    feasible = bool(len(samples)) and bool(samples.record.is_feasible[0])
    objective = float(samples.record.energy[0]) if feasible else None
    reached = [at for at, value in trace if objective is not None and value <= objective + 1e-9]
    return {
        "status": samples.info["status"],
        "objective": objective,
        "seconds": samples.info["seconds"],
        "seconds_to_best": reached[0] if reached else None,
        "oracle_calls": samples.info["oracle_calls"],
        "trace": {"seconds": [at for at, _ in trace], "loss": [value for _, value in trace]},
    }


def _merged(traces: Sequence[Points]) -> dict[str, list[float]]:
    """Merge the improvements of the best over all runs, by time.

    Examples
    --------
    >>> _merged([[(1.0, 5.0), (3.0, 2.0)], [(2.0, 3.0), (4.0, 2.5)]])
    {'seconds': [1.0, 2.0, 3.0], 'loss': [5.0, 3.0, 2.0]}
    """
    seconds: list[float] = []
    losses: list[float] = []
    for at, value in sorted(point for trace in traces for point in trace):
        if not losses or value < losses[-1]:
            seconds.append(at)
            losses.append(value)
    return {"seconds": seconds, "loss": losses}
