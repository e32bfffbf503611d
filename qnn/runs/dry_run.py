"""Estimate what a run would take, without sending anything: ``--dry-run`` and ``qnn size``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from formulations import QCBO, Network, TrainingProblem
    from formulations.training.sizes import ModelSize
    from qnn.runs.resume import Asked
    from solvers.footprint import Calls, Footprint
    from solvers.oracles import Oracle

SENT_NOTHING = "this was a dry run: nothing was sent"


def footprint(
    ask: Callable[[Oracle], object],
    calls: Calls,
    *,
    model: QCBO | None = None,
    search: float | None = None,
    seed: int = 0,
) -> Footprint | None:
    """Return the footprint of a run's first question; None if it asks no oracle.

    ``ask`` starts the run with an oracle that answers nothing; ``model`` is the model for a hybrid
    CQM solver; ``search`` is the option ``--search``, and ``seed`` its seed.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> from solvers import QCGD
    >>> from solvers.footprint import Calls
    >>> problem = TrainingProblem(Network.dense([2, 2, 1]), [[1, -1], [1, 1]], [1, -1])
    >>> found = footprint(
    ...     lambda oracle: QCGD(oracle=oracle).solve(problem), Calls(100, 10), search=0
    ... )
    >>> found.variables, found.couplers
    (28, 109)
    """
    from solvers.footprint import Footprint, first_qubo
    from solvers.oracles.cloud.estimates import cqm_seconds

    qubo = first_qubo(ask)
    if qubo is None:
        return None
    return Footprint.of(
        qubo,
        calls,
        cqm_seconds=None if model is None else cqm_seconds(model),
        search=_search_seconds(search, qubo.num_variables),
        seed=seed,
    )


def _search_seconds(asked: float | None, variables: int) -> float | None:
    """Return the seconds to search for an embedding; small ones are always searched for."""
    if asked is None:
        return 10.0 if variables <= 64 else None
    return asked or None


def of_training(asked: Asked, search: float | None = None) -> dict[str, Any]:
    """Return the record of a dry run of ``qnn train``: counts, and the footprint or None."""
    from formulations.errors import InvalidInputError
    from qnn.runs.solver_table import make_solver
    from qnn.runs.training import problem_of
    from solvers.footprint import Calls
    from solvers.neighborhood.search import ASKED_ROUNDS
    from solvers.oracles.wrappers.base import layers

    _, problem = problem_of(asked.data, asked.model, asked.seed)
    encoding, options = asked.model.encoding, asked.options
    solver: Any = make_solver(asked.solver, options, encoding=encoding, seed=asked.seed)
    found, real = None, getattr(solver, "oracle", None)
    if real is not None:
        times = (getattr(layer, "annealing_time", None) for layer in layers(real))
        found = footprint(
            lambda oracle: replace(solver, oracle=oracle).solve(problem),
            Calls(
                getattr(solver, "iterations", ASKED_ROUNDS),
                int(getattr(real, "reads", 1)),
                next((time for time in times if time is not None), None),
            ),
            model=problem.qcbo(encoding),
            search=search,
            seed=asked.seed,
        )
    try:
        size = problem.size(encoding)
    except InvalidInputError:
        size = None
    return {
        "solver": asked.solver,
        "widths": problem.network.widths,
        **_counts(size),
        "footprint": found,
    }


def _counts(size: ModelSize | None) -> dict[str, int | None]:
    """Return the counts of a model's size; None if there is no model, as for cross-entropy."""
    names = (
        "num_variables", "weight_bits", "state_bits", "num_rows", "num_products", "nonzeros",
        "bytes",
    )  # fmt: skip
    return {name: getattr(size, name, None) for name in names}


def drawn_problem(
    network: Network, samples: int, values: np.ndarray[Any, Any], loss: str, seed: int
) -> TrainingProblem:
    """Return a training problem with random inputs and labels."""
    import numpy as np

    from formulations import TrainingProblem

    random = np.random.default_rng(np.random.SeedSequence(seed))
    classes = [-1, 1] if network.num_outputs == 1 else np.arange(network.num_outputs)
    X = random.choice(values, (samples, network.widths[0]))
    return TrainingProblem(network, X, random.choice(classes, samples), loss=loss)


def of_network(
    network: Network,
    samples: int,
    values: np.ndarray[Any, Any],
    calls: Calls,
    *,
    loss: str = "hinge",
    encoding: str | None = None,
    search: float | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Count a network's model by formula and, unless it is too large, by building it.

    The model is built on inputs drawn with ``seed`` from ``values``, the levels of an input.

    Besides the counts, the record holds the largest errors of the splines propagated to each layer,
    the output and the loss; ``num_variables_built`` for the model that was built, or None; and the
    footprint.
    """
    import numpy as np

    from formulations import network_size
    from formulations.passes import Slack
    from formulations.training.error_bounds import spline_errors
    from solvers import QCGD
    from solvers.footprint import MOST_PAIRS, Footprint, couplers_by_formula, num_pairs
    from solvers.oracles.cloud.estimates import hybrid_cqm_seconds

    largest = int(np.max(values))
    size = network_size(network, samples, input_range=largest, loss=loss, encoding=encoding)
    one, model = drawn_problem(network, 1, np.array([largest]), loss, seed), None
    if one.size(encoding).nonzeros <= MOST_PAIRS:
        model, _ = Slack().apply(one.qcbo(encoding))
    couplers = None if model is None else couplers_by_formula(model, samples)
    errors = spline_errors(one)  # the largest inputs, which no data exceed
    record = {
        **_counts(size),
        "couplers_by_formula": couplers,
        "layer_error_bounds": list(errors.layers),
        "output_error_bound": errors.output,
        "loss_error_bound": errors.loss,
    }
    if model is not None and samples * num_pairs(model) <= MOST_PAIRS:
        problem = drawn_problem(network, samples, values, loss, seed)
        built = problem.qcbo(encoding)
        found = footprint(
            lambda oracle: QCGD(oracle=oracle, encoding=encoding).solve(problem),
            calls,
            model=built,
            search=search,
            seed=seed,
        )
        return {**record, "num_variables_built": built.num_variables, "footprint": found}
    cqm = hybrid_cqm_seconds(
        size.num_variables,
        size.num_variables + size.nonzeros + 4 * size.num_products,
        size.num_rows + size.num_products,
    )
    found = Footprint.by_formula(size.num_variables, couplers, calls, cqm_seconds=cqm)
    return {**record, "num_variables_built": None, "footprint": found}


def lines(found: Footprint | None) -> Mapping[str, Any]:
    """Format a footprint as lines of a table."""
    from solvers.oracles.cloud.embedding import GRAPHS
    from solvers.oracles.cloud.estimates import TIMINGS

    if found is None:
        return {"oracle": "none that is paid for: nothing would be sent or charged"}
    calls = found.calls
    run = f"{calls.calls:,} calls of {calls.reads:,} reads"
    bits, density = found.coefficient_bits, found.density
    cqm = found.hybrid_cqm_seconds
    shown: dict[str, Any] = {
        "variables of the first QUBO": found.variables,
        "its couplers": found.couplers,
        "its density": None if density is None else f"{density:.2%}",
        "its coefficients' range": None if bits is None else f"{bits:.1f} bits",
    }
    for graph, seconds in found.qpu_seconds.items():
        machine = f"{GRAPHS.get(graph, 'QPU')} ({graph})"
        fits = {fit.method: fit for fit in found.fits if fit.graph == graph}
        shown[f"{machine}, as a clique"] = str(fits["clique"])
        shown[f"{machine}, by search"] = str(fits["search"])
        if fits["search"].fits is None and "expected" in fits:
            shown[f"{machine}, by search"] += f"; {fits['expected']}"
        if seconds is not None:
            shown[f"{machine}, {run}"] = f"{seconds:,.3g} s ({TIMINGS[graph[0]].name})"
    shown[f"hybrid BQM, {calls.calls:,} calls, at least"] = f"{found.hybrid_bqm_seconds:,.0f} s"
    if cqm is not None:
        shown["hybrid CQM, 1 call, at least"] = f"{cqm:,.0f} s"
    return shown
