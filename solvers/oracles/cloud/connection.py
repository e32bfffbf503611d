"""Connections to D-Wave's machines, configured only by Ocean.

The account and the solver come from ``dwave.conf`` and the variables ``DWAVE_*``; nothing of them
is stored here.  A client is made at the first call and belongs to this process alone, so an oracle
can be made, shown, compared and sent elsewhere without an account.  Each has a mock for trials:
:mod:`solvers.oracles.cloud.mock`.

``Samples.info`` holds the cost of a call:

    timing    seconds by kind: ``sampling``, ``programming`` and ``waiting`` (queue, network, and
              work on the way), beside Ocean's own by their names, such as ``qpu_access_time``;
    charged   seconds that are charged: a QPU's access time, a hybrid solver's charge time.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from formulations.checks import is_finite, is_number, shown
from formulations.errors import InvalidInputError, OracleError, QnnError
from formulations.extras import load_extra
from solvers.oracles.base import Samples
from solvers.oracles.cloud.secrets import redacted

Answer = TypeVar("Answer")


Factory = Callable[[], Any]
"""Makes a sampler, such as the class ``dwave.system.DWaveSampler``."""


REMEDY = (
    "run `dwave config create`, or set DWAVE_API_TOKEN; `dwave ping` says whether it works.  "
    "Without an account, try mock-qpu, mock-hybrid or solvers.oracles.cloud.mock.MockHybridCQM"
)


class Connection:
    """Sampler made on first use; copies make their own.

    Parameters
    ----------
    make : callable, optional
        Makes the sampler; None makes the class of ``dwave.system`` called ``name``.
    name, what : str
        That class, and what it samples on, for messages.

    Raises
    ------
    InvalidInputError
        If ``make`` is not callable, or holds a token.
    """

    def __init__(self, make: Factory | None, name: str, what: str) -> None:
        if make is None:
            make = functools.partial(_ocean_sampler, name, what)
        if not callable(make):
            raise InvalidInputError(
                f"sampler={type(make).__name__}(...): expected a function that makes a sampler, so "
                "that none is made before it is needed; put `lambda:` before it"
            )
        if isinstance(make, functools.partial) and "token" in make.keywords:
            raise InvalidInputError(
                "sampler holds a token, which would be kept with the oracle: leave it out, and "
                + REMEDY
            )
        self._make, self._sampler, self._lock = make, None, threading.Lock()

    def __call__(self) -> Any:
        """Return the sampler.

        Raises
        ------
        OracleError
            If credentials are missing or refused; the message says what to do.
        """
        with self._lock:
            if self._sampler is None:
                self._sampler = presentably(self._make, connecting=True)
            return self._sampler


def _ocean_sampler(name: str, what: str) -> Any:
    return getattr(load_extra("dwave.system", "ocean", what), name)()


def presentably(call: Callable[[], Answer], *, connecting: bool = False) -> Answer:
    """Return the result of ``call``; strip from errors anything that could show a token.

    Ocean's errors carry the failed request, which carries the token.  They keep their types, by
    which a caller decides whether to retry, and lose their attachments.

    Raises
    ------
    OracleError
        If access is refused, or nothing is configured while ``connecting``.
    """
    try:
        return call()
    except Exception as error:
        failure = _without_credentials(error, connecting)
    raise failure  # outside the handler, so that the original error is not attached


def _without_credentials(error: Exception, connecting: bool) -> Exception:
    """Make the error to raise: advice if access is refused, else the same error redacted."""
    if isinstance(error, QnnError):
        return error
    kinds = {kind.__name__ for kind in type(error).__mro__}
    refused = kinds & {"ResourceAuthenticationError", "ResourceAccessForbiddenError"}
    unset = connecting and kinds & {"ValueError", "ConfigFileError"}
    if refused or unset:
        why = redacted(" ".join(str(error).split()))
        return OracleError(f"no access to D-Wave's machines ({why}): {REMEDY}")
    link: BaseException | None = error
    while link is not None:
        link.args = tuple(redacted(a) if isinstance(a, str) else a for a in link.args)
        for name in ("request", "response"):
            if hasattr(link, name):
                setattr(link, name, None)
        link = link.__cause__ or link.__context__
    return error


def booked(samples: Samples) -> Samples:
    """Attach the cost to the samples: see this module's ``timing`` and ``charged``.

    Examples
    --------
    >>> import numpy as np
    >>> ocean = {"qpu_programming_time": 0.01, "qpu_sampling_time": 0.02, "qpu_access_time": 0.03}
    >>> none = Samples(np.zeros((1, 0), np.int8), np.zeros(1), 1.0, info={"timing": ocean})
    >>> info = booked(none).info
    >>> info["charged"], info["timing"]["sampling"], round(info["timing"]["waiting"], 2)
    (0.03, 0.02, 0.97)
    """
    return replace(samples, info={**samples.info, **costs(samples.info["timing"], samples.seconds)})


def costs(timing: Mapping[str, float], seconds: float) -> dict[str, Any]:
    """Return ``timing`` and ``charged`` of a call of this many seconds, from Ocean's timings."""
    programming = timing.get("qpu_programming_time", 0.0)
    sampling = timing.get("run_time", timing.get("qpu_sampling_time", 0.0))
    kinds = {
        "programming": programming,
        "sampling": sampling,
        "waiting": max(0.0, seconds - programming - sampling),
    }
    charged = timing.get("charge_time", timing.get("qpu_access_time", 0.0))
    return {"timing": {**timing, **kinds}, "charged": charged}


def check_mapping(name: str, value: object) -> None:
    """Refuse anything but a mapping with text keys.

    Examples
    --------
    >>> check_mapping("options", 3)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: options=3: expected a mapping from parameters of the ...
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InvalidInputError(
            f"{name}={shown(value)}: expected a mapping from parameters of the sampler to values"
        )


def check_positive(name: str, value: object, what: str) -> None:
    """Refuse anything but a positive number, or None.

    Raises
    ------
    InvalidInputError
        Naming the option and what was expected.

    Examples
    --------
    >>> check_positive("time_limit", -1.0, "seconds")
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: time_limit=-1.0: expected a positive number of seconds
    """
    if value is not None and not (is_number(value) and is_finite(value) and value > 0):  # type: ignore[operator]
        raise InvalidInputError(f"{name}={shown(value)}: expected a positive number of {what}")
