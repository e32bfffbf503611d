"""Losses of one output, as splines of its integer, and joint losses of all outputs of a sample.

A loss of one output is a function of the margin m = y * out.  On the lattice out = step * z, so
that it is a piecewise function of the integer z for each target; hinge and zero-one are exact with
two pieces, and the squared loss is quadratic in z and needs no pieces.

A joint loss compares the outputs of all classes: cross-entropy of their softmax, or the hinge loss
of Weston and Watkins (ESANN 1999).

Outputs are integers times a step, so that their scale is fixed, unlike with real weights: a margin,
or a scale that divides the outputs, belongs to the loss.  ``auto`` derives it from the spread of an
output under random weights, see :mod:`formulations.network.from_inputs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, floor
from typing import Literal

import numpy as np

from formulations.arrays import FloatArray, IntArray
from formulations.checks import EXACT, check_number, choose, shown
from formulations.errors import InvalidInputError
from formulations.network import vocabulary
from formulations.network.splines import Spline, fit


def _hinge(margin: FloatArray, corner: float = 1.0) -> FloatArray:
    return np.maximum(0.0, corner - margin)


def _squared(margin: FloatArray, scale: float = 1.0) -> FloatArray:
    return (scale - margin) ** 2


def _logistic(margin: FloatArray, scale: float = 1.0) -> FloatArray:
    return np.logaddexp(0.0, -margin / scale)


def _zero_one(margin: FloatArray) -> FloatArray:
    return np.where(margin > 0, 0.0, 1.0)


@dataclass(frozen=True)
class Loss:
    """A loss of one output of a sample or, with ``is_joint``, of all outputs together.

    Parameters
    ----------
    name : str
        A name of :data:`formulations.network.vocabulary.LOSSES`, or the name of a callable.
    function : callable
        The loss as a vectorised function of the margin y * out, shape (...) -> (...).
    corner : float, optional
        Margin of hinge and multi-hinge from which the loss is zero; None for other losses.
    scale : float
        Output that counts as 1, for squared and cross-entropy.
    """

    name: str
    function: Callable[[FloatArray], FloatArray]
    corner: float | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not callable(self.function):
            raise InvalidInputError(
                f"loss {shown(self.name)} of function {shown(self.function)}: expected a name and "
                "a callable on the margin"
            )
        if self.corner is not None:
            check_number(f"{self.kind} loss: margin", self.corner)
        check_number(f"{self.kind} loss: scale", self.scale)

    @property
    def kind(self) -> str:
        """Name without the number."""
        return self.name.partition(":")[0]

    @property
    def is_joint(self) -> bool:
        """True for a loss of all outputs of a sample together."""
        return False

    @property
    def is_auto(self) -> bool:
        """True if the margin or scale still depends on the width, see :meth:`resolved`."""
        return self.name.endswith(":auto")

    @property
    def is_quadratic(self) -> bool:
        """True for (out - scale y)^2, which needs no pieces and accepts any real target."""
        return self.kind == "squared"

    @property
    def pieces(self) -> int:
        """Default number of pieces of the spline, larger for cross-entropy."""
        return 8 if self.kind == "cross-entropy" else 4

    def resolved(self, outputs: int, spread: float, step: float, rms_target: float = 1.0) -> Loss:
        """Replace ``auto`` by a number, for a number of outputs.

        Parameters
        ----------
        outputs : int
            Number of outputs; with one, a joint loss becomes a loss of the margin: hinge, or
            logistic of y * out / scale.
        spread : float
            Standard deviation of an output in steps, from which ``auto`` is derived.
        step : float
            One step of the outputs.  Margins and targets of classes are whole steps, so that the
            model represents them exactly.
        rms_target : float
            Root mean square of the targets, 1 for classes.

        Examples
        --------
        >>> loss("hinge:auto").resolved(1, 7.9, 1.0).name
        'hinge:8'
        >>> loss("cross-entropy").resolved(10, 7.9, 1.0).name
        'cross-entropy:5.93'
        """
        if not self.is_auto:
            return self
        whole = step * max(1, round(spread))
        exact = float(f"{spread * step / rms_target:.3g}")
        if self.is_quadratic:
            return squared(whole if rms_target == 1 else exact)
        return hinge(whole)

    def scaled_targets(self, targets: FloatArray) -> FloatArray:
        """Return targets multiplied by the scale of the squared loss."""
        return targets * self.scale if self.is_quadratic else targets

    def margin_slopes(self, margin: FloatArray) -> FloatArray | None:
        """Return the derivative by y * out; for zero-one that of hinge; None for a callable."""
        if self.corner is not None or self.kind == "zero-one":
            return np.where(margin < (self.corner or 1.0), -1.0, 0.0)
        if self.kind in ("logistic", "cross-entropy"):
            return np.asarray((np.tanh(0.5 * margin / self.scale) - 1.0) / (2.0 * self.scale))
        return None

    def spline(
        self,
        target: float,
        step: float,
        lo: int,
        hi: int,
        *,
        pieces: int = 4,
        order: Literal[0, 1] = 1,
    ) -> Spline:
        """Return the loss of target -1 or +1 as a spline of the integer output z on [lo, hi].

        Hinge is max(0, corner - y step z), and zero-one is 1 where the sign rule (+1 for z >= 0)
        errs; other functions are fitted with ``pieces`` pieces of order ``order``.

        Examples
        --------
        >>> loss("hinge").spline(1, 1.0, -3, 3)(np.array([-3, 0, 1, 3])).tolist()
        [4.0, 1.0, 0.0, 0.0]
        >>> loss("hinge:2").spline(1, 1.0, -3, 3)(np.array([-3, 0, 1, 3])).tolist()
        [5.0, 2.0, 1.0, 0.0]
        """
        if self.name == "zero-one":
            values = np.array([1.0, 0.0] if target > 0 else [0.0, 1.0])
            return Spline(np.array([0]), np.zeros(2), values)
        if self.corner is not None:
            bend = self.corner / check_number("step of the outputs", step)
            if bend > EXACT:
                raise InvalidInputError(
                    f"{self.name} loss: its corner is {bend:.3g} steps of the output, and integers "
                    f"are exact up to {EXACT:.3g} only: take a smaller margin or a larger step"
                )
            if target > 0:
                first = ceil(bend - 1e-9)
                return Spline(np.array([first]), np.array([-step, 0.0]), np.array([self.corner, 0]))
            first = floor(-bend + 1e-9) + 1
            return Spline(np.array([first]), np.array([0.0, step]), np.array([0, self.corner]))
        return fit(lambda z: self.function(target * step * z), lo, hi, pieces=pieces, order=order)


def hinge(corner: float = 1.0) -> Loss:
    """Return the loss max(0, corner - margin).

    A larger corner penalises small margins as well, which generalises better for wide networks.

    Raises
    ------
    InvalidInputError
        If ``corner`` is not a positive number.

    Examples
    --------
    >>> hinge(4).function(np.array([-1.0, 1.0, 5.0])).tolist()
    [5.0, 3.0, 0.0]
    """
    corner = check_number("hinge loss: margin", corner)
    return Loss(_named("hinge", corner), partial(_hinge, corner=corner), corner)


def squared(scale: float = 1.0) -> Loss:
    """Return the loss (scale * y - out)^2, with outputs of +-scale as targets of two classes.

    Examples
    --------
    >>> squared(8).scale, squared(8).is_quadratic
    (8.0, True)
    """
    scale = check_number("squared loss: scale", scale)
    return Loss(_named("squared", scale), partial(_squared, scale=scale), scale=scale)


@dataclass(frozen=True)
class JointLoss(Loss):
    """A loss of all outputs of a sample: rising in wrong outputs, falling in the right one."""

    @property
    def is_joint(self) -> bool:
        return True

    def resolved(self, outputs: int, spread: float, step: float, rms_target: float = 1.0) -> Loss:
        """Replace ``auto`` by a number; with one output return a loss of its margin."""
        raise NotImplementedError

    def pair_splines(self, step: float) -> list[Spline]:
        """Return the spline of a wrong class's loss, a function of right output minus wrong one.

        The list has one spline for losses that are sums over wrong classes, and none for others.
        """
        return []

    def values(self, out: FloatArray, classes: IntArray) -> FloatArray:
        """Compute the loss of every sample: outputs (..., N, C), classes (N,) -> (..., N)."""
        raise NotImplementedError

    def slopes(self, out: FloatArray, classes: IntArray) -> FloatArray:
        """Compute the derivative by every output, shape (..., N, C)."""
        raise NotImplementedError


@dataclass(frozen=True)
class CrossEntropy(JointLoss):
    """Negative logarithm of the right class's probability in the softmax of out / scale."""

    def resolved(self, outputs: int, spread: float, step: float, rms_target: float = 1.0) -> Loss:
        """Replace ``auto`` by a number; with one output return logistic of y * out / scale."""
        full = self
        if self.is_auto:
            # accuracy on Fashion-MNIST, 60,000 samples, 196-64-10, sign: .844 with the spread
            # itself, .846 with three quarters, .842 with half
            full = cross_entropy(float(f"{0.75 * spread * step:.3g}"))
        return full if outputs > 1 else Loss(full.name, full.function, scale=full.scale)

    def values(self, out: FloatArray, classes: IntArray) -> FloatArray:
        """Loss of every sample.

        Examples
        --------
        >>> cross_entropy(2).values(np.array([[2.0, 2.0], [8.0, 0.0]]), np.array([0, 0])).round(3)
        array([0.693, 0.018])
        """
        logits = out / self.scale
        top = logits.max(axis=-1)
        total = np.log(np.exp(logits - top[..., None]).sum(axis=-1)) + top
        return np.asarray(total - _right(logits, classes)[..., 0])

    def slopes(self, out: FloatArray, classes: IntArray) -> FloatArray:
        """Compute (softmax probability - 1 for the right class) / scale."""
        logits = out / self.scale
        share = np.exp(logits - logits.max(axis=-1, keepdims=True))
        share /= share.sum(axis=-1, keepdims=True)
        share[..., np.arange(len(classes)), classes] -= 1.0
        return np.asarray(share / self.scale)


@dataclass(frozen=True)
class MultiHinge(JointLoss):
    """Sum over the wrong classes c of max(0, margin - (out_right - out_c))."""

    @property
    def margin(self) -> float:
        """Gap to every wrong class from which the loss is zero."""
        return 1.0 if self.corner is None else self.corner

    def resolved(self, outputs: int, spread: float, step: float, rms_target: float = 1.0) -> Loss:
        """Replace ``auto`` by a number; with one output return hinge of the same margin."""
        full = multi_hinge(step * max(1, round(spread))) if self.is_auto else self
        return full if outputs > 1 else hinge(full.margin)

    def pair_splines(self, step: float) -> list[Spline]:
        """Return the hinge of right output minus wrong one."""
        return [hinge(self.margin).spline(1.0, step, 0, 0)]

    def _shortfalls(self, out: FloatArray, classes: IntArray) -> FloatArray:
        """Return how far each wrong class falls short of the margin; zero for the right class."""
        short = np.asarray(np.maximum(0.0, self.margin - _right(out, classes) + out))
        short[..., np.arange(len(classes)), classes] = 0.0
        return short

    def values(self, out: FloatArray, classes: IntArray) -> FloatArray:
        """Loss of every sample.

        Examples
        --------
        >>> multi_hinge(2).values(np.array([[3.0, 2.0, 0.0]]), np.array([0])).item()
        1.0
        """
        return np.asarray(self._shortfalls(out, classes).sum(axis=-1))

    def slopes(self, out: FloatArray, classes: IntArray) -> FloatArray:
        """Compute 1 for each class within the margin, and minus their number for the right one."""
        slope = (self._shortfalls(out, classes) > 0).astype(float)
        slope[..., np.arange(len(classes)), classes] = -slope.sum(axis=-1)
        return slope


def _right(out: FloatArray, classes: IntArray) -> FloatArray:
    """Return the output of the right class, shape (..., N, 1)."""
    index = np.broadcast_to(classes[:, None], (*out.shape[:-1], 1))
    return np.take_along_axis(out, index, axis=-1)


def cross_entropy(scale: float) -> CrossEntropy:
    """Return softmax cross-entropy of out / scale; with one output logistic of y * out / scale."""
    scale = check_number("cross-entropy loss: scale", scale)
    name = _named("cross-entropy", scale, always=True)
    return CrossEntropy(name, partial(_logistic, scale=scale), scale=scale)


def multi_hinge(margin: float) -> MultiHinge:
    """Return the Weston-Watkins hinge over all classes; with one output hinge of the margin."""
    margin = check_number("multi-hinge loss: margin", margin)
    name = _named("multi-hinge", margin, always=True)
    return MultiHinge(name, partial(_hinge, corner=margin), margin)


def _named(kind: str, number: float, always: bool = False) -> str:
    """Return the name with its exact number; the default 1 is left out unless ``always``."""
    if number == 1 and not always:
        return kind
    return f"{kind}:{number:g}" if float(f"{number:g}") == number else f"{kind}:{number!r}"


def loss(spec: str | Callable[[FloatArray], FloatArray] | Loss) -> Loss:
    """Return the loss called ``spec``, or wrap a callable on the margin.

    The names are listed in :data:`formulations.network.vocabulary.LOSSES`.

    Raises
    ------
    InvalidInputError
        For unknown names, and for margins that are not positive numbers.

    Examples
    --------
    >>> loss("squared").is_quadratic, loss("hinge:2.5").corner, loss("cross-entropy:8").is_joint
    (True, 2.5, True)
    """
    if isinstance(spec, Loss):
        return spec
    if isinstance(spec, type):
        raise InvalidInputError(
            f"loss {spec.__name__} is a class: expected a name or a function of the margin"
        )
    if callable(spec):
        return Loss(getattr(spec, "__name__", "callable"), spec)
    name, colon, rest = spec.partition(":") if isinstance(spec, str) else (spec, "", "")
    choose("loss", name, vocabulary.names(vocabulary.LOSSES))
    plain = {"zero-one": Loss("zero-one", _zero_one), "logistic": Loss("logistic", _logistic)}
    if name in plain:
        if colon:
            raise InvalidInputError(f"loss {shown(spec)}: expected {name!r} alone")
        return plain[name]
    makers: dict[str, Callable[[float], Loss]] = {
        "hinge": hinge,
        "squared": squared,
        "cross-entropy": cross_entropy,
        "multi-hinge": multi_hinge,
    }
    if not colon and name in ("hinge", "squared"):
        return makers[name](1.0)
    if not colon or rest == "auto":
        return replace(makers[name](1.0), name=f"{name}:auto")
    return makers[name](_number(name, rest))


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInputError(
            f"loss {f'{name}:{text}'!r}: expected a number or auto after the colon, such as "
            f"{name}:4"
        ) from None
