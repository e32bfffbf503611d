"""Parameters, sample weights, ranges, limits and warnings shared by the estimators."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import wraps
from math import sqrt
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_sample_weight

from formulations.arrays import Array, FloatArray, IntArray
from formulations.checks import check_flag, check_has, check_whole, shown
from formulations.errors import InvalidInputError
from formulations.network.convolution import Part, check_parts
from solvers.neighborhood.search import ASKED_ROUNDS, ROUNDS, STRETCHES, LargeNeighborhoodSearch
from solvers.run.run import Progress
from solvers.trainer import Trainer

T = TypeVar("T")


def hidden_layers(hidden: object) -> list[Part] | None:
    """Return the given hidden layers as widths or words; None if the budget determines them.

    Raises
    ------
    InvalidInputError
        For anything but a sequence of positive integers and words such as ``conv:8:3x3``,
        ``"auto"`` or None.

    Examples
    --------
    >>> hidden_layers(("conv:8:3x3", 2)), hidden_layers(None)
    (['conv:8:3x3', 2], None)
    """
    if hidden is None or (isinstance(hidden, str) and hidden == "auto"):
        return None
    try:
        return check_parts(hidden)
    except InvalidInputError:
        raise InvalidInputError(
            f"hidden={shown(hidden)}: expected positive widths of the hidden layers, such as (8,) "
            "or (16, 4), or convolutions as ('conv:8:3x3', 16), () for none, or 'auto'"
        ) from None


def check_solver(solver: object) -> None:
    """Refuse anything but a solver, or None for the default.

    Examples
    --------
    >>> check_solver("qcgd")
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: solver='qcgd': expected an object with solve(...), ...
    """
    if solver is not None:
        check_has("solver", solver, "solve", "solvers.QCGD() or LargeNeighborhoodSearch()")


def check_seed(random_state: object) -> None:
    """Refuse anything but a valid scikit-learn seed."""
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return
    try:
        check_whole("random_state", random_state, least=0, most=2**32 - 1)
    except InvalidInputError as error:
        raise InvalidInputError(f"{error}, a numpy.random.RandomState, or None") from None


def check_verbose(verbose: object) -> None:
    """Refuse anything but an integer or a bool."""
    if not isinstance(verbose, bool):
        check_whole("verbose", verbose, least=0)


def old_options(cls: type[T]) -> type[T]:
    """Decorate a class to accept deprecated ``bias``, ``calibrate``, ``warm_start``, with warnings.

    Examples
    --------
    >>> from qnn import QNNClassifier
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     classifier = QNNClassifier(weights="bipolar", bias=False)
    >>> classifier, print(caught[0].message)
    bias is deprecated: give weights a pair, ('bipolar', False)
    (QNNClassifier(weights=('bipolar', False)), None)
    """
    init: Any = cls.__init__

    @wraps(init)
    def construct(self: Any, *args: Any, **given: Any) -> None:
        init(self, *args, **renewed(self, given))

    cls.__init__ = construct  # type: ignore[method-assign]
    return cls


def renewed(estimator: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Translate deprecated options to a pair of codes and the estimator's warm start."""
    given = dict(given)
    if "bias" in given:
        code = given.get("weights", getattr(estimator, "weights", None))
        code = code[0] if isinstance(code, tuple | list) else code
        given["weights"] = (code, given.pop("bias"))
        _deprecated(f"bias is deprecated: give weights a pair, {given['weights']!r}")
    if "warm_start" in given:
        estimator._warm_start = check_flag("warm_start", given.pop("warm_start"))
        _deprecated("warm_start is deprecated: partial_fit goes on from the weights as they are")
    if "calibrate" in given:
        given.pop("calibrate")
        _deprecated("calibrate is deprecated and has no effect")
    return given


def _deprecated(advice: str) -> None:
    warnings.warn(advice, DeprecationWarning, stacklevel=4)


def check_inputs(X: object, name: str = "X") -> None:
    """Refuse dates, durations and texts, which would silently be taken for numbers.

    Examples
    --------
    >>> check_inputs(np.array([["2026-01-01"]], dtype="M8[D]"))
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: X of type datetime64[D]: expected numbers; encode it ...
    """
    kinds = [*getattr(X, "dtypes", ())] if hasattr(X, "columns") else [getattr(X, "dtype", None)]
    for kind in kinds:
        if isinstance(kind, np.dtype) and kind.kind in "mMUS":
            raise InvalidInputError(
                f"{name} of type {kind}: expected numbers; encode it as such first, dates for "
                "instance in days from one of your choice"
            )


def repeated(
    sample_weight: npt.ArrayLike | None, X: FloatArray, *others: Array
) -> tuple[Array, ...]:
    """Repeat every sample according to its weight, exactly or in proportion.

    Integers with a mean of at most 16 are exact repetitions.  Other weights are scaled to a mean of
    16, so their unit does not matter, and rounded, positive ones to at least 1.  If this gives more
    than 200,000 rows, the mean is reduced, down to 1.

    Examples
    --------
    >>> X = np.array([[1.0], [2.0], [3.0]])
    >>> repeated([2, 0, 1], X)[0].ravel().tolist()
    [1.0, 1.0, 3.0]
    >>> [len(repeated(np.multiply(weights, scale), X)[0]) for weights in ([1, 2, 3],)
    ...  for scale in (1, 1000, 70_000.5, 1e300)]
    [6, 48, 48, 48]
    """
    if sample_weight is None:
        return (X, *others)
    weight = np.asarray(_check_sample_weight(sample_weight, X, ensure_non_negative=True))
    counted = weight > 0
    if not counted.any():
        raise InvalidInputError("sample_weight is zero everywhere: expected a positive one")
    if not np.isfinite(weight.sum()):
        weight = weight / weight.max()
    counts = np.rint(weight)
    if not np.array_equal(counts, weight) or weight.sum() > 16 * counted.sum():
        mean = min(16, max(1, 200_000 // int(counted.sum())))
        # The mean over all samples, including zero weights, keeps earlier results.
        counts = np.rint(mean * (weight / weight.mean()))
        counts = np.where(counted, np.maximum(counts, 1), 0)
    return tuple(np.repeat(part, counts.astype(np.int64), axis=0) for part in (X, *others))


@dataclass
class Limit:
    """Callback that stops a solver without its own limit when time is up.

    Parameters
    ----------
    seconds : float
    reached : bool
        True once it has stopped the solver.
    """

    seconds: float
    reached: bool = field(default=False, init=False)

    def __call__(self, progress: Progress) -> bool:
        """Return True if time is up; the last step is never cut off."""
        last = progress.iterations is not None and progress.iteration >= progress.iterations
        self.reached = self.reached or (progress.seconds >= self.seconds and not last)
        return self.reached

    def warn(self) -> None:
        """Warn if the solver was stopped."""
        if self.reached:
            warnings.warn(
                f"training was stopped after {self.seconds:g} s, before the solver had finished: "
                "give more time by time_limit=, or None for no limit, or the solver less to do",
                ConvergenceWarning,
                stacklevel=6,
            )


def limited(solver: Any, seconds: float | None) -> tuple[Any, Limit | None]:
    """Return a copy of a solver that stops in time, and its limit; the solver if none applies.

    The limit is a callback, so a run that ends in time has its usual result.  A neighbourhood
    search has few, long steps, so one that exceeds the limit is cut short.
    """
    names = {item.name for item in fields(solver)} if is_dataclass(solver) else set()
    if seconds is None or "callbacks" not in names or getattr(solver, "time_limit", None):
        return solver, None
    limit = Limit(seconds)
    options: dict[str, Any] = {"callbacks": (*solver.callbacks, limit)}
    # The trial run and the final one have this share of the limit each, or a single run twice that.
    share = 0.4
    if isinstance(solver, Trainer) and solver.gradients.time_limit is None:
        # Gradients that know their limit do better than those that are cut off.
        options["gradients"] = replace(solver.gradients, time_limit=2 * share * seconds)
    if isinstance(solver, Trainer) and solver.search.time_limit is None:
        # A stretch of the search takes a share of its limit, so the search needs one.
        part = min(share * STRETCHES * seconds, 1e9)
        options["search"] = replace(solver.search, time_limit=part)
    if isinstance(solver, LargeNeighborhoodSearch):
        usual = ROUNDS if solver.oracle is None else ASKED_ROUNDS
        options["rounds"] = usual if solver.rounds is None else solver.rounds
        options["time_limit"] = min(STRETCHES * seconds, 1e9)
    return replace(solver, **options), limit


def warn_near_chance(correct: float, numbers: IntArray) -> None:
    """Warn if training hardly beats always predicting the commonest class.

    Parameters
    ----------
    correct : float
        Fraction of training samples predicted correctly.
    numbers : array of int, shape (N,)
        Their classes 0 .. C-1.  With p the fraction of the commonest class, an accuracy is near
        chance if its gain over p, (correct - p) / (1 - p), is below 0.2, or ``correct`` is within
        two standard errors of p.
    """
    commonest = float(np.bincount(numbers).max()) / len(numbers)
    if commonest == 1.0:  # a batch of a single class
        return
    gain = (correct - commonest) / (1 - commonest)
    error = sqrt(commonest * (1 - commonest) / len(numbers))
    if correct == 1.0 or (gain >= 0.2 and correct > commonest + 2 * error):
        return
    warnings.warn(
        f"training accuracy is {correct:.1%}, near chance: the commonest class alone has "
        f"{commonest:.1%} of the samples; take a wider network (hidden=), weights of more bits, "
        "more levels, or a solver with more to do",
        ConvergenceWarning,
        stacklevel=4,
    )


def warn_far(X: FloatArray, low: FloatArray, high: FloatArray, levels: bool) -> None:
    """Warn of inputs more than ten times the training range outside it.

    That is most likely a change of units rather than a tail of the data.
    """
    with np.errstate(over="ignore"):
        margin = 10.0 * np.where(high > low, high - low, np.maximum(np.abs(high), 1.0))
        far = (X < low - margin) | (X > high + margin)
    if far.any():
        count, columns = int(far.any(axis=1).sum()), np.flatnonzero(far.any(axis=0))
        warnings.warn(
            f"{count} of {len(X)} samples are far outside the range of the training data, first in "
            f"column {columns[0]}: {'they take the outermost levels' if levels else 'used as is'}",
            UserWarning,
            stacklevel=3,
        )


def likeliest_scale(logits: FloatArray, numbers: IntArray) -> float:
    """Return the inverse temperature that maximises the labels' likelihood (Guo et al. 2017)."""
    size = float(np.abs(logits).max()) or 1.0

    def cost(log_scale: float) -> float:
        likely = log_softmax(np.exp(log_scale) * logits / size, axis=1)
        return -float(likely[np.arange(len(numbers)), numbers].mean())

    return float(np.exp(minimize_scalar(cost, bounds=(-6, 6), method="bounded").x) / size)
