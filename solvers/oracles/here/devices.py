"""Arrays for dynamics that are the same on every device: numpy here, torch on CPU or GPU.

What both libraries spell alike (``+=``, ``@``, ``clip``, ``sign``, ``where``) is used directly, by
way of ``xp``; a device has what they spell otherwise.  Single precision: the dynamics need no more,
and energies are computed from the QUBO in double precision afterwards.  Nothing but the model goes
to the device and nothing but the states comes back: schedules lie there as arrays, random numbers
are drawn there.
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
"""Single precision has no smaller chances near one, so that none is taken near zero either."""

_CAPTURING = threading.Lock()
"""One thread at a time records."""


class Numpy:
    """The device that is always there; torch's has the same methods.

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
        """``values`` in single precision on the device."""
        return np.asarray(values, dtype=np.float32)

    def matrix(self, values: Array | sp.csr_array) -> DeviceArray:
        """A matrix to multiply by in single precision, dense or in compressed rows as it is."""
        return values.astype(np.float32)

    def normal(self, shape: tuple[int, ...]) -> DeviceArray:
        """The next standard normal numbers of the device's stream."""
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
        """A function to be called ``times`` times in place of ``step``.

        ``step`` works in place on arrays that it keeps, and draws no random numbers.
        """
        return step

    def wait(self) -> None:
        """Return when all that was asked for is done."""

    def host(self, values: DeviceArray) -> DeviceArray:
        """``values`` as a numpy array."""
        return np.asarray(values)


class Torch(Numpy):
    """A device of torch's.

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
        """``values`` in single precision on the device."""
        return self.xp.as_tensor(np.asarray(values, np.float32), device=self._device)

    def matrix(self, values: Array | sp.csr_array) -> DeviceArray:
        """The matrix on the device, dense or in compressed rows."""
        if not sp.issparse(values):
            return self.array(values)
        fits = max(values.nnz, *values.shape) < 2**31  # the half of the bytes to read
        parts = (
            np.asarray(part, np.int32 if fits else np.int64)
            for part in (values.indptr, values.indices)
        )
        starts, columns = (self.xp.as_tensor(part, device=self._device) for part in parts)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that compressed rows are new in torch
            return self.xp.sparse_csr_tensor(
                starts, columns, self.array(values.data), size=values.shape
            )

    def normal(self, shape: tuple[int, ...]) -> DeviceArray:
        """Standard normal numbers, drawn on the device."""
        return self.xp.randn(shape, generator=self._random, device=self._device)

    def logistic(self, out: DeviceArray) -> None:
        """Standard logistic numbers, the logit of uniform ones, drawn on the device."""
        out.uniform_(generator=self._random).logit_(LOGISTIC_TAIL)

    def add_product(self, out: DeviceArray, one: DeviceArray, other: DeviceArray) -> None:
        """Add a product in place, in one pass over ``out``."""
        out.addcmul_(one, other)

    def repeated(self, step: Callable[[], None], times: int) -> Callable[[], None]:
        """The step; on a GPU its launches are recorded once and replayed as one graph.

        Small steps are bound by their launches, a few microseconds each from Python.  The first
        call is not recorded, since libraries set themselves up in it.  Where a step cannot be
        recorded it is issued anew each time.
        """
        # from 20 repetitions on, recording the launches once is cheaper than issuing them again
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
        """Return when the device is done."""
        if self._device.type == "cuda":
            self.xp.cuda.synchronize(self._device)

    def host(self, values: DeviceArray) -> DeviceArray:
        """A numpy array of the values."""
        return np.asarray(values.cpu().numpy())


def checked_device(name: str) -> str:
    """The name of a device, if it is one.

    Raises
    ------
    InvalidInputError
        Naming those that there are.

    Examples
    --------
    >>> checked_device("auto")
    'auto'
    """
    return choose("device", name, ["auto", "numpy", "cpu", "cuda"])


def device(name: str, seed: np.random.SeedSequence) -> Numpy:
    """The device called ``name``, its random numbers drawn from ``seed``.

    Parameters
    ----------
    name : {"auto", "numpy", "cpu", "cuda"}
        ``cpu`` and ``cuda`` are torch's.  ``auto`` is ``cuda`` where torch finds a GPU, and
        ``numpy`` elsewhere: on a CPU torch is no faster.
    seed : SeedSequence

    Raises
    ------
    MissingExtraError, InvalidInputError
        If it is torch's and not there.

    Examples
    --------
    >>> type(device("numpy", np.random.SeedSequence(0))).__name__
    'Numpy'
    """
    if name == "auto":
        name = "cuda" if _sees_gpu() else "numpy"
    return Numpy(seed) if name == "numpy" else Torch(name, seed)


def _sees_gpu() -> bool:
    """Whether torch finds a GPU; torch takes seconds to import and is not, without a driver."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        return bool(_torch().cuda.is_available())
    except (OSError, MissingExtraError):
        return False


def _torch() -> Any:
    return load_extra("torch", "torch", "this device", ", or take device='numpy'")
