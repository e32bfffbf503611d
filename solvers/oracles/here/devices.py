"""Arrays for dynamics that are the same on every device: numpy here, torch on CPU or GPU.

What both libraries spell alike (``+=``, ``@``, ``clip``, ``sign``, ``where``) is used directly, by
way of ``xp``; a device has what they spell otherwise.  Single precision: amplitudes need no more,
and energies are computed from the QUBO in double precision afterwards.
"""

from __future__ import annotations

import ctypes
import sys
import warnings
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import DeviceArray
from formulations.checks import choose
from formulations.errors import InvalidInputError, MissingExtraError

DEVICES = ["auto", "numpy", "cpu", "cuda"]

DENSE_SHARE = 0.1
"""A matrix with at least this share of entries is multiplied faster as a dense one ..."""

DENSE_SIZE = 8192
"""... up to this many rows, which take 256 MB."""


class Device(Protocol):
    """Where arrays live."""

    xp: Any
    """The library: numpy or torch."""

    def array(self, values: npt.ArrayLike) -> DeviceArray:
        """``values`` in single precision on the device."""
        ...

    def matrix(self, values: sp.csr_array) -> DeviceArray:
        """A sparse matrix to multiply by, kept dense if that is faster."""
        ...

    def normal(self, shape: tuple[int, ...]) -> DeviceArray:
        """The next standard normal numbers of the device's stream."""
        ...

    def host(self, values: DeviceArray) -> DeviceArray:
        """``values`` as a numpy array."""
        ...


class Numpy:
    """The device that is always there.

    Examples
    --------
    >>> Numpy(np.random.SeedSequence(0)).array([1, 2]).dtype
    dtype('float32')
    """

    xp: Any = np

    def __init__(self, seed: np.random.SeedSequence) -> None:
        self._random = np.random.default_rng(seed)

    def array(self, values: npt.ArrayLike) -> DeviceArray:
        """``values`` in single precision."""
        return np.asarray(values, dtype=np.float32)

    def matrix(self, values: sp.csr_array) -> DeviceArray:
        """The matrix, dense or as it is."""
        values = values.astype(np.float32)
        return values.toarray() if _better_dense(values) else values

    def normal(self, shape: tuple[int, ...]) -> DeviceArray:
        """Standard normal numbers."""
        return self._random.standard_normal(shape, dtype=np.float32)

    def host(self, values: DeviceArray) -> DeviceArray:
        """The array itself."""
        return np.asarray(values)


class Torch:
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

    def matrix(self, values: sp.csr_array) -> DeviceArray:
        """The matrix on the device, dense or in compressed rows."""
        if _better_dense(values):
            return self.array(values.toarray())
        parts = (np.asarray(part, np.int64) for part in (values.indptr, values.indices))
        starts, columns = (self.xp.as_tensor(part, device=self._device) for part in parts)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that compressed rows are new in torch
            return self.xp.sparse_csr_tensor(
                starts, columns, self.array(values.data), size=values.shape
            )

    def normal(self, shape: tuple[int, ...]) -> DeviceArray:
        """Standard normal numbers, drawn on the device."""
        return self.xp.randn(shape, generator=self._random, device=self._device)

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
    return choose("device", name, DEVICES)


def device(name: str, seed: np.random.SeedSequence) -> Device:
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
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(
            "this device needs torch: pip install 'qnn-ising[torch]', or take device='numpy'"
        ) from error
    return torch


def _better_dense(values: sp.csr_array) -> bool:
    n = values.shape[0]
    return n <= DENSE_SIZE and values.nnz >= DENSE_SHARE * n * n
