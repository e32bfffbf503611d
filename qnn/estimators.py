"""scikit-learn estimators: what they share, and the classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from formulations import TrainingProblem
from formulations.arrays import Array, FloatArray, IntArray
from formulations.checks import (
    check_flag,
    check_seconds,
    check_several,
    check_whole,
    choose,
    shown,
)
from formulations.constraints import Constraint
from formulations.deprecation import renamed
from formulations.errors import InvalidInputError
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
    hidden_layers,
    likeliest_scale,
    limited,
    repeated,
    warn_far,
    warn_near_chance,
)
from qnn.runs.constraints import constraint
from solvers.run.result import Result
from solvers.run.solver import Solver
from solvers.trainer import Trainer

OF_SOLVER = "solver__"
"""Begins the names of the solver's own parameters, as scikit-learn nests them."""


class Estimator(BaseEstimator):  # type: ignore[misc]
    """What the classifier and the regressor share: levels, network, problem, solver."""

    def __init__(
        self,
        hidden: Sequence[int] | None,
        bits: int | None,
        activation: str | Callable[..., Any],
        weights: str | None,
        bias: bool | str,
        loss: str | Callable[..., Any],
        levels: int | str | None,
        solver: Solver | None,
        time_limit: float | None,
        warm_start: bool,
        random_state: int | np.random.RandomState | None,
        constraints: Sequence[str | Constraint] = (),
    ) -> None:
        self.hidden = hidden
        self.bits = bits
        self.activation = activation
        self.weights = weights
        self.bias = bias
        self.loss = loss
        self.levels = levels
        self.solver = solver
        self.time_limit = time_limit
        self.warm_start = warm_start
        self.random_state = random_state
        self.constraints = constraints

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name; the solver's own as ``solver__iterations`` and so on, if ``deep``."""
        params: dict[str, Any] = super().get_params(deep)
        nested = {OF_SOLVER + name: getattr(self.solver, name) for name in _options(self.solver)}
        return params | nested if deep else params

    def set_params(self, **params: Any) -> Self:
        """Change parameters; ``solver__iterations=20`` changes a copy of the solver.

        Raises
        ------
        InvalidInputError
            If there is no such parameter; nothing is changed then.
        """
        nested = [name for name in params if name.startswith(OF_SOLVER)]
        others = {name: params[name] for name in params if name not in nested}
        for name in others:
            choose(f"parameter of {type(self).__name__}", name, sorted(self.get_params(deep=False)))
        own = {name.removeprefix(OF_SOLVER): params[name] for name in nested}
        solver: Any = others.get("solver", self.solver)
        for name in own:
            old = getattr(type(solver), "old_keywords", ())
            choose(f"parameter of {type(solver).__name__}", name, [*_options(solver), *old])
        if own:
            others["solver"] = replace(solver, **own)
        super().set_params(**others)
        return self

    def _check(self) -> None:
        """Refuse parameters that mean nothing, before any work."""
        hidden_layers(self.hidden)
        if self.bits is not None:
            check_whole("bits", self.bits)
        level_count(self.levels)
        check_solver(self.solver)
        if self.time_limit is not None:
            check_seconds("time_limit", self.time_limit)
        check_flag("warm_start", self.warm_start)
        check_seed(self.random_state)
        self._constraints()

    def _constraints(self) -> list[Constraint]:
        """The constraints, those given by name made; a file would need levels that are not known.

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

    def _train(self, X: FloatArray, outputs: int, target: Callable[[IntArray], Array]) -> None:
        """Fit levels and weights; ``target`` gives the labels of the problem from its inputs."""
        levels = level_count(self.levels)
        self.thresholds_ = None if levels is None else level_thresholds(X, levels)
        lattice = self._on_levels(X)
        self.span_ = span_of(lattice)
        self.data_min_, self.data_max_ = X.min(axis=0), X.max(axis=0)
        self.raw_span_ = whole_span(X)
        network = network_for(
            lattice,
            outputs,
            self.bits,
            hidden=hidden_layers(self.hidden),
            activation=self.activation,
            weights=self.weights,
            bias=self.bias,
        )
        before = getattr(self, "network_", None) if self.warm_start else None
        start = self.weights_ if before is not None and before.widths == network.widths else None
        self.network_ = network
        problem = TrainingProblem(
            network, lattice, target(lattice), self.loss, constraints=self._constraints()
        )
        solver, limit = self._chosen_solver(start)
        self.result_: Result = solver.solve(problem)
        self.weights_: Weights = self.result_.weights
        if limit is not None:
            limit.warn()

    def _on_levels(self, X: FloatArray) -> IntArray:
        if self.thresholds_ is None:
            return whole_numbers(X, "X")
        return on_levels(X, self.thresholds_)

    def _chosen_solver(self, start: Weights | None) -> tuple[Solver, Limit | None]:
        """A copy of the solver, seeded, started and limited; and the limit put on it, if any."""
        given = Trainer() if self.solver is None else self.solver
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
                f"{'warm_start' if missing == 'start' else 'random_state'} needs: leave that out, "
                "or take a solver that does, such as Trainer()"
            )
        return limited(replace(solver, **options) if options else solver, self.time_limit)

    def _outputs(self, X: npt.ArrayLike) -> FloatArray:
        """Outputs z of the network in its own units, shape (N, C)."""
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
        """Stored bits of weights and thresholds over the number of weights."""
        check_is_fitted(self)
        return float(self.network_.bits_per_weight)


def _options(solver: object) -> list[str]:
    """Names of a solver's parameters."""
    if not is_dataclass(solver) or isinstance(solver, type):
        return []
    return [field.name for field in fields(solver)]


@renamed(calibrate=None)
class QNNClassifier(ClassifierMixin, Estimator):  # type: ignore[misc]
    """A classifier whose weights have one or a few bits.

    Inputs are put on a few integer levels by their quantiles in the training data.  Two classes
    need one output, C classes C outputs.

    Parameters
    ----------
    hidden : sequence of int or None
        Widths of the hidden layers; ``()`` for none.  None takes one layer whose width follows from
        the budget of bits, see :func:`qnn.architecture.network_for`.
    bits : int or None
        Most bits that weights and thresholds may take together; None: 128 hidden units of two bits
        a weight.
    activation, bias : see :meth:`formulations.Network.dense`
    weights : str or None
        Code of the weights, see :meth:`formulations.Network.dense`; None follows from the budget.
    loss : str or callable
        See :class:`formulations.TrainingProblem`.
    levels : int, str or None
        Integer levels of each input, see :func:`qnn.data.levels.level_thresholds`: 16 puts as
        many samples on each, ``"even:16"`` (of pixels) makes all equally wide,
        ``"thermometer:4"`` makes four inputs of two levels of each; None for inputs that
        are whole numbers already.  An input beyond the training data takes the outermost level;
        with None it is used as it is.  ``predict`` warns of inputs that are far outside.
    solver : solver, optional
        Anything with ``solve(problem)``; it is copied, never changed.  None takes
        :class:`solvers.Trainer`: gradients, then restricted problems where held-out samples prefer
        them.
    time_limit : float or None
        Seconds after which a solver without a limit of its own is stopped at the end of its step,
        with a ``ConvergenceWarning``; None for no limit.
    warm_start : bool
        Whether ``fit`` begins at the weights of the fit before, if they fit the network.
    constraints : sequence of str or Constraint
        What the weights have to satisfy: names as ``"fan-in:6"`` of
        :data:`formulations.network.vocabulary.CONSTRAINTS`, or objects of
        :mod:`formulations.constraints`; ``result_.satisfies`` says whether they do.
    class_weight : dict, "balanced" or None
        How much a sample of each class counts, as scikit-learn's classifiers have it.
    random_state : int, RandomState or None
        Seed of the solver; None leaves the solver's own, so that the same fit gives the same
        network.

    Attributes
    ----------
    classes_ : ndarray
    network_ : Network
    weights_ : Weights
    result_ : Result
        Loss, status, history and costs of the training.
    thresholds_ : ndarray of float64, shape (levels - 1, d) or (1, T d), or None
    data_min_, data_max_ : ndarray of float64, shape (d,)
        Range of the training data.
    span_ : (int, int, int)
        Least and greatest level in the training data, and the step between levels.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = QNNClassifier(bits=400).fit(X, y)
    >>> bool(classifier.score(X, y) > 0.9), classifier.network_.stored_bits
    (True, 394)
    """

    def __init__(
        self,
        hidden: Sequence[int] | None = None,
        *,
        bits: int | None = None,
        activation: str | Callable[..., Any] = "relu:4",
        weights: str | None = None,
        bias: bool | str = "auto",
        loss: str | Callable[..., Any] = "cross-entropy",
        levels: int | str | None = 16,
        solver: Solver | None = None,
        time_limit: float | None = 20.0,
        warm_start: bool = False,
        class_weight: Mapping[Any, float] | str | None = None,
        random_state: int | np.random.RandomState | None = None,
        constraints: Sequence[str | Constraint] = (),
    ) -> None:
        super().__init__(
            hidden, bits, activation, weights, bias, loss, levels, solver, time_limit, warm_start,
            random_state, constraints,
        )  # fmt: skip
        self.class_weight = class_weight

    def fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Train.

        Parameters
        ----------
        X : array, shape (N, d)
        y : array, shape (N,)
            Labels of at least two classes.
        sample_weight : array, shape (N,), optional
            A sample counts as often as its weight says: whole numbers of a mean up to 16 exactly,
            other weights in proportion, to a sixteenth of their mean, see
            :func:`qnn.fitting.repeated`.

        Warns
        -----
        ConvergenceWarning
            Where the training accuracy is near that of naming the commonest class each time, or the
            time limit stopped the solver.
        """
        self._check()
        known = isinstance(self.class_weight, Mapping)
        if self.class_weight is not None and not known and self.class_weight != "balanced":
            raise InvalidInputError(
                f"class_weight={shown(self.class_weight)}: expected a weight for each class in a "
                "dict, 'balanced' or None"
            )
        check_inputs(X)
        inputs, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        if self.class_weight is not None:
            own = compute_sample_weight(self.class_weight, labels)
            sample_weight = own if sample_weight is None else own * np.asarray(sample_weight)
        inputs, labels = repeated(sample_weight, inputs, labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        count = len(self.classes_)
        if count < 2:
            raise InvalidInputError("y has 1 class: a classifier needs samples of two at least")
        if count == 2:
            self._train(inputs, 1, lambda _: 2 * numbers - 1)
        else:
            self._train(inputs, count, lambda _: numbers)
        logits = _logits(self._of_checked(inputs))
        warn_near_chance(float(np.mean(np.argmax(logits, axis=1) == numbers)), numbers)
        self.scale_ = likeliest_scale(logits, numbers)
        return self

    def decision_function(self, X: npt.ArrayLike) -> FloatArray:
        """Output for two classes, shape (N,), positive for the second; else (N, classes)."""
        z = self._outputs(X)
        return z if z.shape[1] > 1 else z[:, 0] + 0.5  # the sign rule counts zero as positive

    def predict(self, X: npt.ArrayLike) -> Array:
        """Predicted labels, shape (N,)."""
        largest = np.argmax(_logits(self._outputs(X)), axis=1)
        return np.asarray(self.classes_[largest])

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Probabilities softmax(scale * outputs), shape (N, classes).

        The scale is fitted to the training data by logistic loss.  For probabilities that hold on
        other data put the classifier into ``sklearn.calibration.CalibratedClassifierCV``.
        """
        check_is_fitted(self, "scale_")
        return np.asarray(softmax(self.scale_ * _logits(self._outputs(X)), axis=1))


def _logits(z: FloatArray) -> FloatArray:
    """Outputs as those of two classes or more, shape (N, classes), the largest being predicted."""
    return z if z.shape[1] > 1 else np.concatenate([-z - 0.5, z + 0.5], axis=1)
