"""A trained network with all that is needed to use it: input levels, class names."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from formulations.arrays import Array, FloatArray, IntArray
from formulations.errors import FileAccessError, FileFormatError, InvalidInputError
from formulations.files.bounded import damaged
from formulations.files.saved import load_network, save_weights
from formulations.files.schema import fields, items, may, nothing_or, number, text, whole
from formulations.network.network import Network, Weights
from qnn.data.datasets import Dataset, on_lattice
from qnn.data.images import poolable
from qnn.data.levels import level_values, span_of


@dataclass(frozen=True)
class TrainedModel:
    """A trained network, ready for use or export.

    Parameters
    ----------
    network : Network
    weights : Weights
    thresholds : ndarray of float64, shape (levels - 1, d), optional
        Upper ends of the levels of an input; None if inputs are already integers.
    classes : tuple of str
        Names of the classes; by default the labels of :meth:`Network.predict`.
    span : (int, int, int), optional
        Smallest and largest input on the lattice and the step, 1 or 2; determined by the thresholds
        if there are any.
    line : (float, float), optional
        Slope and intercept that convert the output to a predicted number; None for a classifier.
    raw_span : (int, int), optional
        Smallest and largest raw number, if these are integers; None: any real numbers.
    image : (int, int), optional
        Height and width of raw images, which are pooled by sums over equal square blocks.
    repeat : int
        Number of inputs that each raw number feeds: above 1, a thermometer code of one threshold
        an input.

    Examples
    --------
    >>> net = Network.dense([2, 1])
    >>> model = TrainedModel(net, Weights((np.array([[1, -1]]),), (None,), ()), span=(-1, 1, 2))
    >>> model.labels([[1, -1], [-1, 1]]).tolist(), model.predict([[1, -1], [-1, 1]]).tolist()
    ([1, 0], ['+1', '-1'])
    """

    network: Network
    weights: Weights
    thresholds: FloatArray | None = None
    classes: tuple[str, ...] = ()
    span: tuple[int, int, int] | None = None
    line: tuple[float, float] | None = None
    raw_span: tuple[int, int] | None = None
    image: tuple[int, int] | None = None
    repeat: int = 1

    def __post_init__(self) -> None:
        self.network.encode_bits(self.weights)  # raises if they do not fit
        if self.thresholds is not None:
            given = np.asarray(self.thresholds)
            if given.ndim != 2 or given.shape[1] != self.num_inputs or not len(given):
                raise InvalidInputError(
                    f"thresholds of shape {given.shape}: expected "
                    f"(levels - 1, {self.num_inputs}), one column per input"
                )
            if given.dtype.kind not in "biuf" or not (np.diff(given, axis=0) >= 0).all():
                raise InvalidInputError(
                    f"thresholds of type {given.dtype}: expected numbers that ascend in each column"
                )
            values = level_values(len(self.thresholds) + 1)
            object.__setattr__(self, "span", span_of(values))
        if self.span is not None and not (self.span[0] <= self.span[1] and self.span[2] in (1, 2)):
            raise InvalidInputError(
                f"span {self.span!r}: expected the least and the greatest input, and 1 or 2"
            )
        if self.raw_span is not None and self.raw_span[0] > self.raw_span[1]:
            raise InvalidInputError(
                f"raw_span {self.raw_span!r}: expected the least raw number before the greatest"
            )
        if self.num_inputs % self.repeat or (self.image and self.repeat > 1):
            raise InvalidInputError(
                f"repeat={self.repeat} of {self.num_inputs} inputs: expected a divisor, and 1 for "
                "images"
            )
        if self.image is not None:
            k = isqrt(self.num_inputs)
            if k * k != self.num_inputs or not poolable(self.image, k):
                raise InvalidInputError(
                    f"images of {self.image} for {self.num_inputs} inputs: expected equal square "
                    "blocks, one for each input, in the middle of the image"
                )
        if self.line is not None and self.network.num_outputs != 1:
            raise InvalidInputError(
                f"a line for {self.network.num_outputs} outputs: a regression has one"
            )
        if self.classes and len(self.classes) != self.num_classes:
            raise InvalidInputError(
                f"{len(self.classes)} class names for {self.num_classes} classes: give one each"
            )

    # -- where one comes from ----------------------------------------------------------------------

    @classmethod
    def of(cls, source: Any) -> Self:
        """Return the trained network of a file, a run's folder, or a fitted estimator.

        Parameters
        ----------
        source : path or estimator
            A file of ``qnn train --save``, a folder of ``qnn train --checkpoint``, a
            ``QNNClassifier`` or a ``QNNRegressor``.

        Raises
        ------
        FileAccessError, FileFormatError
            If a file cannot be read, is damaged, or holds something else.
        InvalidInputError
            If the source is none of these.
        """
        if isinstance(source, cls):
            return source
        if isinstance(source, (str, PathLike)):
            return cls.of_run(source) if Path(source).is_dir() else cls.load(source)
        if hasattr(source, "get_params"):
            return cls.of_estimator(source)
        raise InvalidInputError(
            f"{type(source).__name__}: expected the path of a network file or of a run's folder, "
            "or a fitted QNNClassifier or QNNRegressor"
        )

    @classmethod
    def of_data(cls, data: Dataset, network: Network, weights: Weights) -> Self:
        """Return the network of a training run, from its data and the weights found."""
        return cls(
            network,
            weights,
            data.thresholds,
            data.classes,
            span_of(np.concatenate([data.X_train, data.X_test])),
            raw_span=data.raw_span,
            image=data.image,
            repeat=data.repeat,
        )

    @classmethod
    def of_run(cls, folder: str | PathLike[str]) -> Self:
        """Return the best network so far of a run kept by ``qnn train --checkpoint`` in a folder.

        The data are read again, since they determine the input levels.
        """
        from qnn.runs import resume
        from qnn.runs.training import problem_of
        from solvers.run.checkpoint import FILE, peek

        asked = resume.read(str(folder))
        path = Path(folder) / FILE
        if not path.exists():
            raise FileAccessError(
                f"{str(folder)!r} holds no network yet: there is no {FILE}; begin the run with "
                f"qnn resume {folder}"
            )
        saved = peek(folder) or {}
        incumbent = saved.get("incumbent")
        bits = incumbent.get("bits") if isinstance(incumbent, dict) else None
        if bits is None:
            raise FileFormatError(
                f"{str(path)!r} holds no network yet: go on with qnn resume {folder}"
            )
        with asked.in_folder():
            data, problem = problem_of(asked.data, asked.model, asked.seed)
        try:
            return cls.of_data(data, problem.network, problem.weights_from_bits(bits))
        except InvalidInputError as error:
            raise damaged(path, str(error)) from error

    @classmethod
    def of_estimator(cls, estimator: Any) -> Self:
        """Return the network of a fitted ``QNNClassifier`` or ``QNNRegressor``."""
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(estimator, "network_")
        line = (estimator.slope_, estimator.intercept_) if hasattr(estimator, "slope_") else None
        classes = tuple(str(c) for c in getattr(estimator, "classes_", ()))
        return cls(
            estimator.network_,
            estimator.weights_,
            estimator.thresholds_,
            classes,
            estimator.span_,
            line,
            raw_span=getattr(estimator, "raw_span_", None),
            repeat=estimator.network_.widths[0] // estimator.n_features_in_,
        )

    # -- files -------------------------------------------------------------------------------------

    def save(self, path: str | PathLike[str]) -> None:
        """Save everything to one NPZ file, written whole or not at all.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "network.npz"
        >>> weights = Weights((np.array([[1, -1]]),), (None,), ())
        >>> TrainedModel(Network.dense([2, 1]), weights, classes=("no", "yes")).save(path)
        >>> TrainedModel.load(path).classes
        ('no', 'yes')
        """
        about: dict[str, object] = {name: getattr(self, name) for name in ("span", "line")}
        about["classes"] = list(self.classes)
        for name, usual in (("raw_span", None), ("image", None), ("repeat", 1)):
            if getattr(self, name) != usual:  # absent fields keep older files unchanged
                about[name] = getattr(self, name)
        beside = {} if self.thresholds is None else {"thresholds": self.thresholds}
        save_weights(self.network, self.weights, path, about=about, beside=beside)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Load a file of :meth:`save` or ``save_weights``, of this or an older release.

        Raises
        ------
        FileAccessError
            If the file cannot be read.
        FileFormatError
            If it is of another kind, written by a newer version, cut off or damaged.
        """
        added = {
            "classes": may(items(text)),
            "span": may(nothing_or(items(whole(-(2**31), 2**31), 3, 3))),
            "line": may(nothing_or(items(number(), 2, 2))),
            "raw_span": may(nothing_or(items(whole(-(2**31), 2**31), 2, 2))),
            "image": may(nothing_or(items(whole(1, 2**15), 2, 2))),
            "repeat": may(whole(1, 255)),
        }
        network, weights, about, arrays = load_network(path, fields(added, more=True))
        known: dict[str, Any] = {
            name: tuple(about[name])
            for name in ("classes", "span", "line", "raw_span", "image")
            if about.get(name) is not None
        }
        if "repeat" in about:
            known["repeat"] = about["repeat"]
        try:
            return cls(network, weights, arrays.get("thresholds"), **known)
        except InvalidInputError as error:
            raise damaged(path, str(error)) from error

    # -- what it is --------------------------------------------------------------------------------

    @property
    def num_inputs(self) -> int:
        """Number of inputs d."""
        return self.network.widths[0]

    @property
    def num_raw(self) -> int:
        """Number of raw numbers per sample: pixels of an image, or columns."""
        return self.image[0] * self.image[1] if self.image else self.num_inputs // self.repeat

    @property
    def columns(self) -> tuple[int, int]:
        """Numbers of raw numbers and of inputs per sample."""
        return self.num_raw, self.num_inputs

    @property
    def num_classes(self) -> int:
        """Number of classes: two for one output, 0 for a regression."""
        if self.line is not None:
            return 0
        return max(2, self.network.num_outputs)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names, or their numbers if unnamed; ``-1`` and ``+1`` for two."""
        if self.classes or self.line is not None:
            return self.classes
        count = self.num_classes
        single = self.network.num_outputs == 1
        return ("-1", "+1") if single else tuple(str(c) for c in range(count))

    @property
    def scale(self) -> float:
        """Factor from an integer output to a score."""
        return self.line[0] if self.line else self.network.out_step(self.weights.splines)

    @property
    def shift(self) -> float:
        """Offset of a score, added after scaling."""
        return self.line[1] if self.line else 0.0

    # -- its use -----------------------------------------------------------------------------------

    def on_lattice(self, X: npt.ArrayLike) -> IntArray:
        """Convert raw inputs, also pooled images, to integers, shape (N, num_raw) to (N, d)."""
        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2 or X.shape[1] not in (self.num_raw, self.num_inputs):
            raise InvalidInputError(
                f"X of shape {X.shape}: expected (N, {self.num_raw}), the raw numbers of a sample"
            )
        if X.shape[1] == self.num_inputs != self.num_raw:
            return on_lattice(X, self.num_inputs, self.thresholds)
        return on_lattice(X, self.num_inputs, self.thresholds, self.image, self.repeat)

    def scores(self, X: npt.ArrayLike) -> FloatArray:
        """Return the real outputs of integer inputs, shape (N, outputs)."""
        z = self.network.pre_activations(self.weights, X)[-1]
        return np.asarray(z * self.scale + self.shift, dtype=np.float64)

    def labels(self, X: npt.ArrayLike) -> IntArray:
        """Return the class numbers of integer inputs, shape (N,): 0 or 1 for one output."""
        predicted = self.network.predict(self.weights, X)
        return np.where(predicted > 0, 1, 0) if self.network.num_outputs == 1 else predicted

    def predict(self, X: npt.ArrayLike) -> Array:
        """Predict the class names of raw inputs, or numbers, shape (N,)."""
        inputs = self.on_lattice(X)
        if self.line is not None:
            return self.scores(inputs)[:, 0]
        return np.asarray(self.names)[self.labels(inputs)]
