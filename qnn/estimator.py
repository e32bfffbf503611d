"""Base class of the scikit-learn estimators: levels, network, problem, solver."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from formulations import Network, TrainingProblem
from formulations.arrays import Array, FloatArray, IntArray
from formulations.checks import check_seconds, check_several, check_whole, choose
from formulations.constraints import Constraint
from formulations.errors import InvalidInputError
from formulations.network.convolution import Part
from formulations.network.network import Weights
from qnn.architecture import network_for
from qnn.data.levels import (
    level_count,
    level_thresholds,
    on_levels,
    span_of,
    whole_numbers,
    whole_span,
)
from qnn.fitting import (
    Limit,
    check_inputs,
    check_seed,
    check_solver,
    check_verbose,
    hidden_layers,
    limited,
    renewed,
    warn_far,
)
from qnn.runs.constraints import constraint
from solvers.classical.logistic import RidgeLogistic
from solvers.run.result import Result
from solvers.run.solver import Solver
from solvers.shown import verbosely
from solvers.trainer import Trainer

log = logging.getLogger(__name__)

OF_SOLVER = "solver__"
"""Prefix of the solver's own parameters, nested as in scikit-learn."""


class Estimator(BaseEstimator):  # type: ignore[misc]
    """Base class of the classifier and the regressor: levels, network, problem, solver."""

    _strength: float | None = None  # of the penalty, for a linear network chosen by folds

    def __init__(
        self,
        hidden: Sequence[int] | None,
        bits: int | None,
        activation: str | Callable[..., Any],
        weights: str | tuple[str | None, bool | str] | None,
        loss: str | Callable[..., Any],
        levels: int | str | None,
        solver: Solver | None,
        time_limit: float | None,
        random_state: int | np.random.RandomState | None,
        constraints: Sequence[str | Constraint],
        verbose: int,
    ) -> None:
        self.hidden = hidden
        self.bits = bits
        self.activation = activation
        self.weights = weights
        self.loss = loss
        self.levels = levels
        self.solver = solver
        self.time_limit = time_limit
        self.random_state = random_state
        self.constraints = constraints
        self.verbose = verbose

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return parameters by name; if ``deep``, also the solver's, such as ``solver__seed``."""
        params: dict[str, Any] = super().get_params(deep)
        nested = {OF_SOLVER + name: getattr(self.solver, name) for name in _options(self.solver)}
        return params | nested if deep else params

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``solver__iterations=20`` changes a copy of the solver.

        Raises
        ------
        InvalidInputError
            If there is no such parameter; nothing is then changed.
        """
        params = renewed(self, params)
        nested = [name for name in params if name.startswith(OF_SOLVER)]
        others = {name: params[name] for name in params if name not in nested}
        for name in others:
            choose(f"parameter of {type(self).__name__}", name, sorted(self.get_params(deep=False)))
        own = {name.removeprefix(OF_SOLVER): params[name] for name in nested}
        solver: Any = others.get("solver", self.solver)
        old: dict[str, str | None] = getattr(type(solver), "old_keywords", {})
        for name in own:
            choose(f"parameter of {type(solver).__name__}", name, [*_options(solver), *old])
        if own:
            renamed = {old.get(name) for name in own}
            kept = {name: getattr(solver, name) for name in set(_options(solver)) - renamed}
            others["solver"] = type(solver)(**kept | own)
        super().set_params(**others)
        return self

    def _check(self) -> None:
        """Refuse invalid parameters before any work."""
        hidden_layers(self.hidden)
        if self.bits is not None:
            check_whole("bits", self.bits)
        level_count(self.levels)
        check_solver(self.solver)
        if self.time_limit is not None:
            check_seconds("time_limit", self.time_limit)
        check_verbose(self.verbose)
        check_seed(self.random_state)
        self._constraints()

    def _constraints(self) -> list[Constraint]:
        """Return the constraints, building named ones; file constraints would need unknown levels.

        Raises
        ------
        InvalidInputError
            For unknown names, and those of files.
        """

        def read(file: str) -> tuple[IntArray, IntArray]:
            raise InvalidInputError(
                f"constraint on the samples of {file!r}: give Right or Robust of "
                "formulations.constraints, on the levels of the inputs"
            )

        what = "constraints, such as 'fan-in:6'"
        given = check_several("constraints", self.constraints, what, empty=True)
        return [constraint(spec, read) for spec in given]

    def _train(
        self,
        X: FloatArray,
        outputs: int,
        target: Callable[[IntArray], Array],
        levels: int | str | None,
    ) -> None:
        """Fit levels and weights; ``target`` maps the problem's inputs to its labels."""
        levels = level_count(levels)
        self.thresholds_ = None if levels is None else level_thresholds(X, levels)
        lattice = self._on_levels(X)
        self.span_ = span_of(lattice)
        self.data_min_, self.data_max_ = X.min(axis=0), X.max(axis=0)
        self.raw_span_ = whole_span(X)
        linear = self._strength is not None
        network = self._network(lattice, outputs, [] if linear else None)
        before = getattr(self, "network_", None) if getattr(self, "_warm_start", False) else None
        start = self.weights_ if before is not None and before.widths == network.widths else None
        self.network_ = network
        self._solve(lattice, target(lattice), start)

    def _network(
        self, lattice: IntArray, outputs: int, hidden: list[Part] | None = None
    ) -> Network:
        """Build the network for inputs on their levels; ``hidden`` unless layers are given."""
        both: Any = self.weights
        pair = isinstance(both, tuple | list) and len(both) == 2
        code, bias = both if pair else (both, "auto")
        return network_for(
            lattice,
            outputs,
            self.bits,
            hidden=hidden if hidden is not None else hidden_layers(self.hidden),
            activation=self.activation,
            weights=code,
            bias=bias,
        )

    def _solve(self, lattice: IntArray, target: Array, start: Weights | None) -> None:
        """Find the weights of the network."""
        problem = TrainingProblem(
            self.network_, lattice, target, self.loss, constraints=self._constraints()
        )
        solver, limit = self._chosen_solver(start)
        with verbosely(self.verbose):
            log.info("training %s, %d bits", self.network_, self.network_.stored_bits)
            self.result_: Result = solver.solve(problem)
        self.weights_: Weights = self.result_.weights
        if limit is not None:
            limit.warn()

    def _takes_start(self) -> bool:
        """True if ``partial_fit`` is available: the solver must accept start weights."""
        return self.solver is None or "start" in _options(self.solver)

    def _on_levels(self, X: FloatArray) -> IntArray:
        if self.thresholds_ is None:
            return whole_numbers(X, "X")
        return on_levels(X, self.thresholds_)

    def _chosen_solver(self, start: Weights | None) -> tuple[Solver, Limit | None]:
        """Return a copy of the solver with seed, start and limit, and the limit added, if any."""
        given: Any = self.solver
        if given is None:
            strength = self._strength if start is None else None
            given = Trainer() if strength is None else RidgeLogistic(strength)
        solver: Any = clone(given, safe=False)
        options: dict[str, Any] = {}
        if self.random_state is not None:
            options["seed"] = int(check_random_state(self.random_state).randint(2**31 - 1))
        if start is not None:
            options["start"] = start
        missing = min(options.keys() - set(_options(solver)), default=None)
        if missing is not None:
            raise InvalidInputError(
                f"solver {type(solver).__name__} takes no {missing!r}, which "
                f"{'going on' if missing == 'start' else 'random_state'} needs: leave that out, "
                "or take a solver that does, such as Trainer()"
            )
        return limited(replace(solver, **options) if options else solver, self.time_limit)

    def _outputs(self, X: npt.ArrayLike) -> FloatArray:
        """Return the network's outputs z in its own units, shape (N, C)."""
        check_is_fitted(self)
        check_inputs(X)
        inputs = validate_data(self, X, dtype=np.float64, reset=False)
        warn_far(inputs, self.data_min_, self.data_max_, self.thresholds_ is not None)
        return self._of_checked(inputs)

    def _of_checked(self, X: FloatArray) -> FloatArray:
        inputs = self._on_levels(X)
        return self.network_.pre_activations(self.weights_, inputs)[-1].astype(float)

    @property
    def bits_per_weight_(self) -> float:
        """Stored bits of weights and thresholds per weight."""
        check_is_fitted(self)
        return float(self.network_.bits_per_weight)


def _options(solver: object) -> list[str]:
    """Return the names of a solver's parameters."""
    if not is_dataclass(solver) or isinstance(solver, type):
        return []
    return [field.name for field in fields(solver)]
