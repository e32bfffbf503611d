"""The scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from formulations.arrays import Array, FloatArray, IntArray
from formulations.checks import shown
from formulations.constraints import Constraint
from formulations.errors import InvalidInputError
from qnn.architecture import fits_linear, recipe_by_folds
from qnn.estimator import Estimator
from qnn.fitting import (
    check_inputs,
    hidden_layers,
    likeliest_scale,
    old_options,
    repeated,
    warn_near_chance,
)
from solvers.run.solver import Solver


@old_options
class QNNClassifier(ClassifierMixin, Estimator):  # type: ignore[misc]
    """A classifier whose weights have one or a few bits.

    Inputs are put on integer levels, by their quantiles or their spread in the training data.
    Two classes need one output, C classes C outputs.

    Parameters
    ----------
    hidden : sequence of int or None
        Widths of the hidden layers; ``()`` for none.  None takes one layer whose width follows from
        the budget of bits, see :func:`qnn.architecture.network_for`, or with ``levels="auto"`` none
        if cross-validation favours a linear network.
    bits : int or None
        Budget in bits for weights and thresholds together; None: 128 hidden units of two bits a
        weight.
    activation : see :meth:`formulations.Network.dense`
    weights : str, pair or None
        Code of the weights, see :meth:`formulations.Network.dense`; None follows from the budget.
        A pair adds the code of the thresholds, such as ``("bipolar", False)`` for no thresholds;
        otherwise these are integers as wide as the inputs require.
    loss : str or callable
        See :class:`formulations.TrainingProblem`.
    levels : int, str or None
        Integer levels of each input, see :func:`qnn.data.levels.level_thresholds`: 16 gives all the
        same number of samples, ``"even:16"`` (for pixels) the same width, ``"scaled:64"`` the same
        width within each column's spread, ``"thermometer:4"`` makes four two-level inputs of each
        column; None for integer inputs.  ``"auto"``: 16 or ``"scaled:64"``, see
        :func:`qnn.architecture.recipe_by_folds`; 16 if a ``solver`` is given.  An input outside the
        training range takes the outermost level; with None it is used unchanged.  ``predict`` warns
        of inputs far outside.
    solver : solver, optional
        Anything with ``solve(problem)``; it is copied, never changed.  None:
        :class:`solvers.Trainer`, which uses gradients, then restricted problems if held-out samples
        prefer them; a linear network is a rounded logistic regression.
    time_limit : float or None
        Seconds after which a solver without a limit of its own is stopped at the end of its step,
        with a ``ConvergenceWarning``; None for no limit.
    constraints : sequence of str or Constraint
        Constraints on the weights: names such as ``"fan-in:6"`` of
        :data:`formulations.network.vocabulary.CONSTRAINTS`, or objects of
        :mod:`formulations.constraints`; ``result_.satisfies`` is True if the weights satisfy them.
    class_weight : dict, "balanced" or None
        Weight of each class's samples, as in scikit-learn's classifiers.
    verbose : int
        1 shows results of training on standard error, 2 each step; see :mod:`solvers.shown`. (There
        is no ``n_jobs``: a fit uses one core, and tools that fit several times offer it.)
    random_state : int, RandomState or None
        Seed of the solver; None leaves the solver's own, so that the same fit gives the same
        network.

    Attributes
    ----------
    classes_ : ndarray
    network_ : Network
    weights_ : Weights
    result_ : Result
        Loss, status, history and costs of training.
    thresholds_ : ndarray of float64, shape (levels - 1, d) or (1, T d), or None
    data_min_, data_max_ : ndarray of float64, shape (d,)
        Range of the training data.
    span_ : (int, int, int)
        Smallest and largest level in the training data, and the step between levels.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = QNNClassifier(bits=400).fit(X, y)
    >>> bool(classifier.score(X, y) > 0.9), classifier.network_.stored_bits
    (True, 117)
    """

    def __init__(
        self,
        hidden: Sequence[int] | None = None,
        *,
        bits: int | None = None,
        activation: str | Callable[..., Any] = "relu:4",
        weights: str | tuple[str | None, bool | str] | None = None,
        loss: str | Callable[..., Any] = "cross-entropy",
        levels: int | str | None = "auto",
        solver: Solver | None = None,
        time_limit: float | None = 20.0,
        class_weight: Mapping[Any, float] | str | None = None,
        random_state: int | np.random.RandomState | None = None,
        constraints: Sequence[str | Constraint] = (),
        verbose: int = 0,
    ) -> None:
        super().__init__(
            hidden, bits, activation, weights, loss, levels, solver, time_limit, random_state,
            constraints, verbose,
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
            Repetitions of each sample: integers with a mean of at most 16 are exact, other weights
            are rounded to a sixteenth of their mean, see :func:`qnn.fitting.repeated`.

        Warns
        -----
        ConvergenceWarning
            If the training accuracy is near that of always predicting the commonest class, or the
            time limit stopped the solver.
        """
        return self._fit(X, y, sample_weight, None, anew=True)

    @available_if(Estimator._takes_start)
    def partial_fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        classes: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Continue training from the current weights, on these samples alone.

        The first call, like ``fit``, fixes network and levels, so its samples should cover the full
        range.  Samples absent from later calls are gradually forgotten: to refine, pass the same
        samples again.  Requires a solver with a parameter ``start``, such as the default.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.
        classes : array, optional
            All labels that will occur, for the first call; default: those of ``y``.
        """
        return self._fit(X, y, sample_weight, classes, anew=not hasattr(self, "weights_"))

    def _fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None,
        classes: npt.ArrayLike | None,
        *,
        anew: bool,
    ) -> Self:
        self._check()
        known = isinstance(self.class_weight, Mapping)
        if self.class_weight is not None and not known and self.class_weight != "balanced":
            raise InvalidInputError(
                f"class_weight={shown(self.class_weight)}: expected a weight for each class in a "
                "dict, 'balanced' or None"
            )
        check_inputs(X)
        inputs, labels = validate_data(self, X, y, dtype=np.float64, reset=anew)
        check_classification_targets(labels)
        if self.class_weight is not None:
            own = compute_sample_weight(self.class_weight, labels)
            sample_weight = own if sample_weight is None else own * np.asarray(sample_weight)
        given = np.arange(len(inputs))
        inputs, labels, given = repeated(sample_weight, inputs, labels, given)
        if anew:
            self.classes_ = np.unique(labels if classes is None else np.asarray(classes))
        other = np.setdiff1d(labels, self.classes_)
        if len(other):
            raise InvalidInputError(
                f"y has the class {other.tolist()[0]!r}: expected those of the first call, or of "
                "classes="
            )
        numbers, count = np.searchsorted(self.classes_, labels), len(self.classes_)
        if count < 2:
            raise InvalidInputError("y has 1 class: a classifier needs samples of two at least")
        target = 2 * numbers - 1 if count == 2 else numbers
        if anew:
            levels, self._strength = self.levels, None
            if levels == "auto":
                once = np.unique(given, return_index=True)[1]  # duplicates would enter both sides
                levels, self._strength = self._recipe(inputs[once], numbers[once])
            self._train(inputs, 1 if count == 2 else count, lambda _: target, levels)
        else:
            self._solve(self._on_levels(inputs), target, self.weights_)
        logits = _logits(self._of_checked(inputs))
        warn_near_chance(float(np.mean(np.argmax(logits, axis=1) == numbers)), numbers)
        self.scale_ = likeliest_scale(logits, numbers)
        return self

    def _recipe(self, X: FloatArray, numbers: IntArray) -> tuple[int | str, float | None]:
        """Choose levels ``"auto"``, and whether a network that may be linear is."""
        present = np.unique(numbers, return_inverse=True)[1]
        if self.solver is not None or not present.any():
            return 16, None
        limit = None if self.time_limit is None else self.time_limit / 5
        free = hidden_layers(self.hidden) is None and self.weights is None
        linear = free and self.loss == "cross-entropy" and not self.constraints
        return recipe_by_folds(
            X,
            present,
            self._network,
            linear=linear and fits_linear(X, present, self.bits),
            time_limit=limit,
        )

    def decision_function(self, X: npt.ArrayLike) -> FloatArray:
        """Return outputs: two classes, shape (N,), positive for the second; else (N, classes)."""
        z = self._outputs(X)
        return z if z.shape[1] > 1 else z[:, 0] + 0.5  # the sign rule counts zero as positive

    def predict(self, X: npt.ArrayLike) -> Array:
        """Return predicted labels, shape (N,)."""
        largest = np.argmax(_logits(self._outputs(X)), axis=1)
        return np.asarray(self.classes_[largest])

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Return probabilities softmax(scale * outputs), shape (N, classes).

        The scale is fitted to the training data by logistic loss.  For probabilities calibrated on
        other data, wrap the classifier in ``sklearn.calibration.CalibratedClassifierCV``.
        """
        check_is_fitted(self, "scale_")
        return np.asarray(softmax(self.scale_ * _logits(self._outputs(X)), axis=1))


def _logits(z: FloatArray) -> FloatArray:
    """Return one output per class, shape (N, classes); the largest is predicted."""
    return z if z.shape[1] > 1 else np.concatenate([-z - 0.5, z + 0.5], axis=1)
