"""Arrays for the same dynamics on every device: numpy, or torch on CPU or GPU.

Operations with the same spelling in both libraries (``+=``, ``@``, ``clip``, ``sign``, ``where``)
are used directly through ``xp``; the device classes provide the others.  The dynamics run in single
precision; energies are computed from the QUBO in double precision afterwards.  Only the model goes
to the device and only the states come back: schedules are stored and random numbers drawn there.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import Array, DeviceArray
from formulations.checks import choose
from formulations.errors import InvalidInputError, MissingExtraError
from formulations.extras import load_extra

LOGISTIC_TAIL = 2.0**-23
"""Smallest tail probability: near one, single precision resolves none below it, so near zero none
is used either.
"""

_CAPTURING = threading.Lock()
"""Only one thread at a time records a graph."""


class Numpy:
    """The numpy device, always available; torch's has the same methods.

    Examples
    --------
    >>> Numpy(np.random.SeedSequence(0)).array([1, 2]).dtype
    dtype('float32')
    """

    xp: Any = np
    """The library: numpy or torch."""

    def __init__(self, seed: np.random.SeedSequence) -> None:
        self._random: Any = np.random.default_rng(seed)

    def array(self, values: npt.ArrayLike) -> DeviceArray:
        """Return ``values`` in single precision on the device."""
        return np.asarray(values, dtype=np.float32)

    def matrix(self, values: Array | sp.csr_array) -> DeviceArray:
        """Return a matrix in single precision, dense or in compressed rows as given."""
        return values.astype(np.float32)

    def normal(self, shape: tuple[int, ...]) -> DeviceArray:
        """Return the next standard normal numbers of the device's stream."""
        return self._random.standard_normal(shape, dtype=np.float32)

    def logistic(self, out: DeviceArray) -> None:
        """Fill an array with standard logistic numbers, the logit of uniform ones, at most 16."""
        u = self._random.random(out.shape, dtype=np.float32)
        np.clip(u, LOGISTIC_TAIL, 1.0 - LOGISTIC_TAIL, out=u)
        np.log(u / (1.0 - u), out=out)

    def add_product(self, out: DeviceArray, one: DeviceArray, other: DeviceArray) -> None:
        """Add the product of two arrays, broadcast, to ``out`` in place."""
        out += one * other

    def repeated(self, step: Callable[[], None], times: int) -> Callable[[], None]:
        """Return a function to be called ``times`` times instead of ``step``.

        ``step`` works in place on arrays that it keeps, and draws no random numbers.
        """
        return step

    def wait(self) -> None:
        """Wait until all submitted work is done."""

    def host(self, values: DeviceArray) -> DeviceArray:
        """Return ``values`` as a numpy array."""
        return np.asarray(values)


class Torch(Numpy):
    """Torch device.

    Parameters
    ----------
    device : {"cpu", "cuda"}
    seed : SeedSequence

    Raises
    ------
    MissingExtraError
        Without the extra ``torch``.
    InvalidInputError
        If torch does not find the device.
    """

    def __init__(self, device: str, seed: np.random.SeedSequence) -> None:
        self.xp: Any = _torch()
        if device == "cuda" and not self.xp.cuda.is_available():
            raise InvalidInputError(
                "device='cuda': torch finds no GPU here; take device='numpy', or 'auto', which "
                "takes a GPU where there is one"
            )
        self._device = self.xp.device(device)
        self._random = self.xp.Generator(self._device)
        self._random.manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))

    def array(self, values: npt.ArrayLike) -> DeviceArray:
        """Return ``values`` in single precision on the device."""
        return self.xp.as_tensor(np.asarray(values, np.float32), device=self._device)

    def matrix(self, values: Array | sp.csr_array) -> DeviceArray:
        """Return the matrix on the device, dense or in compressed rows."""
        if not sp.issparse(values):
            return self.array(values)
        fits = max(values.nnz, *values.shape) < 2**31  # halves the bytes to read
        parts = (
            np.asarray(part, np.int32 if fits else np.int64)
            for part in (values.indptr, values.indices)
        )
        starts, columns = (self.xp.as_tensor(part, device=self._device) for part in parts)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch: compressed rows are new
            return self.xp.sparse_csr_tensor(
                starts, columns, self.array(values.data), size=values.shape
            )

    def normal(self, shape: tuple[int, ...]) -> DeviceArray:
        """Draw standard normal numbers on the device."""
        return self.xp.randn(shape, generator=self._random, device=self._device)

    def logistic(self, out: DeviceArray) -> None:
        """Draw standard logistic numbers, the logit of uniform ones, on the device."""
        out.uniform_(generator=self._random).logit_(LOGISTIC_TAIL)

    def add_product(self, out: DeviceArray, one: DeviceArray, other: DeviceArray) -> None:
        """Add a product in place, in one pass over ``out``."""
        out.addcmul_(one, other)

    def repeated(self, step: Callable[[], None], times: int) -> Callable[[], None]:
        """Return the step; on a GPU its launches are recorded once and replayed as one graph.

        Small steps are limited by their launches, a few microseconds each from Python.  The first
        call is not recorded, since libraries initialise in it.  A step that cannot be recorded is
        launched each time.
        """
        # From 20 repetitions on, recording the launches once is cheaper than repeating them.
        if self._device.type != "cuda" or times < 20:
            return step
        graph = self.xp.cuda.CUDAGraph()
        calls = 0

        def run() -> None:
            nonlocal calls, graph
            calls += 1
            if calls == 2:
                try:
                    with (
                        _CAPTURING,
                        self.xp.cuda.graph(graph, capture_error_mode="thread_local"),
                    ):
                        step()
                except RuntimeError as error:
                    warnings.warn(f"no CUDA graph, and slower for it: {error}", stacklevel=2)
                    graph = None
            if calls == 1 or graph is None:
                step()
            else:
                graph.replay()

        return run

    def wait(self) -> None:
        """Wait until the device is done."""
        if self._device.type == "cuda":
            self.xp.cuda.synchronize(self._device)

    def host(self, values: DeviceArray) -> DeviceArray:
        return np.asarray(values.cpu().numpy())


def checked_device(name: str) -> str:
    """Check the name of a device and return it.

    Raises
    ------
    InvalidInputError
        Naming the available ones.

    Examples
    --------
    >>> checked_device("auto")
    'auto'
    """
    return choose("device", name, ["auto", "numpy", "cpu", "cuda"])


def device(name: str, seed: np.random.SeedSequence) -> Numpy:
    """Make the device called ``name``, with random numbers from ``seed``.

    Parameters
    ----------
    name : {"auto", "numpy", "cpu", "cuda"}
        ``cpu`` and ``cuda`` are torch's.  ``auto`` is ``cuda`` if torch finds a GPU, else
        ``numpy``: on a CPU torch is no faster.
    seed : SeedSequence

    Raises
    ------
    MissingExtraError, InvalidInputError
        If it is a torch device and unavailable.

    Examples
    --------
    >>> type(device("numpy", np.random.SeedSequence(0))).__name__
    'Numpy'
    """
    if name == "auto":
        name = "cuda" if _sees_gpu() else "numpy"
    return Numpy(seed) if name == "numpy" else Torch(name, seed)


def _sees_gpu() -> bool:
    """Return whether torch finds a GPU; skip torch's slow import if there is no driver."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        return bool(_torch().cuda.is_available())
    except (OSError, MissingExtraError):
        return False


def _torch() -> Any:
    return load_extra("torch", "torch", "this device", ", or take device='numpy'")
