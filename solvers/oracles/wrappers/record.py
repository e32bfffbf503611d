"""Record and replay: every answer is on disk before it is used, and is paid for only once.

One file per answer, an archive (:mod:`formulations.files.archive`) whose name is the digest of the
question: the QUBO, the starting states, the seed, and the options that determine the oracle's
answers.  A killed run that is started again asks the same questions and finds the recorded answers.
A record can be replayed anywhere, without the oracle.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from formulations.arrays import Array, BitArray
from formulations.checks import check_folder
from formulations.errors import (
    FileAccessError,
    FileFormatError,
    OracleError,
    UnusableAnswerError,
)
from formulations.files.archive import read_archive, write_archive
from formulations.files.bounded import access_error, damaged
from formulations.files.schema import (
    ArrayForm,
    anything,
    fields,
    flag,
    mapping,
    number,
    text,
    whole,
)
from formulations.files.writing import check_no_link
from solvers.oracles.base import QUBO, Samples
from solvers.oracles.cloud.secrets import Redactor
from solvers.oracles.digests import qubo_digest, seed_digest
from solvers.oracles.wrappers.audit import checked
from solvers.oracles.wrappers.base import Transparent, layers

ANSWER, REFUSED = "a recorded answer", "an answer that was refused"
"""Kinds of content that the files declare."""

LAYOUT = 1
"""Version of the content's layout."""


@dataclass(frozen=True)
class Record(Transparent):
    """Wrapper that writes each answer to a folder, completely or not at all, before it is used.

    A recorded answer is read from the folder, with its original cost.  The same question from two
    threads, or again after a timeout, is asked once.  An unusable answer
    (:func:`~solvers.oracles.wrappers.audit.checked`) is kept under another name, and the question
    is asked again when it recurs.

    Parameters
    ----------
    oracle : Oracle
    folder : path-like
        Created if missing.  Several runs may share it.

    Raises
    ------
    FileAccessError
        If the folder cannot be created or written to.
    FileFormatError
        From a call, for a file that is damaged or from a newer release.
    OracleError
        From a call, if the latest answer could not be written: it was used, but no further answer
        is bought.

    Examples
    --------
    >>> import tempfile
    >>> from solvers.oracles import Annealer
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> oracle = Record(Annealer(reads=2, sweeps=5), tempfile.mkdtemp())
    >>> first = oracle.sample(qubo, np.random.SeedSequence(0))
    >>> again = Replay(oracle.oracle, oracle.folder).sample(qubo, np.random.SeedSequence(0))
    >>> again.seconds == first.seconds
    True
    """

    folder: str | Path
    _unsaved: dict[Path, tuple[Any, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _questions: WeakValueDictionary[Path, threading.Lock] = field(
        default_factory=WeakValueDictionary, init=False, repr=False, compare=False
    )
    _lock: threading.Lock = field(
        default_factory=threading.Lock, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_folder("folder", self.folder)
        try:
            Path(self.folder).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder) as probe:  # check space before paying
                probe.write(bytes(4096))
                probe.flush()
                os.fsync(probe.fileno())
        except (OSError, ValueError) as error:
            reason = error if isinstance(error, OSError) else OSError(str(error))
            raise access_error("keep a record in", self.folder, reason) from error

    def path(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Path:
        """Return the path of the answer to a question."""
        question = f"{qubo_digest(qubo, states)} {seed_digest(seed)} {_identity(self)}"
        return Path(self.folder) / f"{hashlib.sha256(question.encode()).hexdigest()[:40]}.npz"

    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """Return the recorded answer, or else ask the oracle and record its answer."""
        path = self.path(qubo, states, seed)
        with self._lock:
            asked = self._questions.setdefault(path, threading.Lock())
        with asked:
            if path.exists():
                return _read(path, qubo)
            return self.missing(path, qubo, states, seed)

    def missing(
        self, path: Path, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence
    ) -> Samples:
        """Ask for a missing answer and write it."""
        with _as_oracle_error("a paid answer could not be recorded, so none is asked for"):
            self.flush()
            check_no_link(path)
        samples = self.ask(qubo, states, seed)
        try:
            samples = checked(qubo, samples)
        except UnusableAnswerError as error:
            with _as_oracle_error(f"{error}; it could not be kept"):
                write_archive(_free(path), REFUSED, *_refused(samples, error))
            raise
        content, arrays = _packed(samples, type(list(layers(self))[-1]).__name__)
        try:
            write_archive(path, ANSWER, content, arrays)
        except KeyboardInterrupt:
            write_archive(path, ANSWER, content, arrays)
            raise
        except FileAccessError:  # Use the answer that is paid for, and stop at the next question.
            self._unsaved[path] = (path, ANSWER, content, arrays)
        return _unpacked(content, arrays)

    def flush(self) -> None:
        """Write the answers that could not be written earlier.

        Raises
        ------
        FileAccessError
            If one still cannot be written.
        """
        for path, unsaved in list(self._unsaved.items()):
            write_archive(*unsaved)
            self._unsaved.pop(path, None)  # another thread may have written it


def unrecorded(oracle: object) -> str | None:
    """Return why answers are missing from a record after one more try; None if all are written."""
    for layer in layers(oracle):
        if isinstance(layer, Record):
            try:
                layer.flush()
            except FileAccessError as error:
                return f"an answer that was paid for is not in the record: {error}"
    return None


@dataclass(frozen=True)
class Replay(Record):
    """Wrapper that answers from a record and never asks the oracle.

    Parameters
    ----------
    oracle : Oracle
        The recorded oracle, whose answers are looked up.
    folder : path-like

    Raises
    ------
    OracleError
        From a call, if the record has no answer to the question.
    """

    def __post_init__(self) -> None:
        super(Record, self).__post_init__()
        check_folder("folder", self.folder)
        if not Path(self.folder).is_dir():
            raise FileAccessError(
                f"there is no record {str(self.folder)!r}: name a folder that was recorded to"
            )

    def missing(
        self, path: Path, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence
    ) -> Samples:
        """Raise: there is no answer."""
        raise OracleError(
            f"the record in {str(self.folder)!r} has no answer to this question: the run was "
            "stopped here when it was recorded, or its problem, solver, seed or oracle was "
            "another; give the same, or go on by recording to the folder"
        )


def _identity(record: Record) -> str:
    """Return a text that identifies everything that determines the oracle's answers."""
    from solvers.run.identity import text  # It imports oracles.

    return text(record.oracle)


# -- files -----------------------------------------------------------------------------------------


def _packed(samples: Samples, oracle: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return samples as JSON and arrays; ``info`` keeps what JSON can hold, without credentials."""
    content = {
        "layout": LAYOUT,
        "oracle": oracle,
        "seconds": float(samples.seconds),
        "exact": bool(samples.exact),
        "info": _plain(samples.info, Redactor()),
    }
    return content, {"x": samples.x, "energies": samples.energies}


def _unpacked(content: Mapping[str, Any], arrays: Mapping[str, Array]) -> Samples:
    """Rebuild samples from the JSON and arrays of :func:`_packed`."""
    return Samples(
        arrays["x"], arrays["energies"], content["seconds"], content["exact"], content["info"]
    )


def _content(value: Any, where: str) -> None:
    """Return the form of an answer's content; a newer layout is not inspected."""
    fields({"layout": whole(1)}, more=True)(value, where)
    if value["layout"] <= LAYOUT:
        table = {"oracle": text, "seconds": number(0), "exact": flag, "info": mapping(anything)}
        fields({"layout": whole(1), **table})(value, where)


def _arrays(content: Mapping[str, Any], names: list[str]) -> dict[str, ArrayForm]:
    """Return the form of an answer's arrays."""
    if content["layout"] > LAYOUT:
        return dict.fromkeys(names, ArrayForm(finite=False))
    return {"x": ArrayForm("biu", (None, None)), "energies": ArrayForm("biuf", (None,))}


def _read(path: Path, qubo: QUBO) -> Samples:
    """Read the answer to a question from a file."""
    content, arrays = read_archive(path, ANSWER, _content, _arrays)
    try:
        if content["layout"] > LAYOUT:
            raise FileFormatError(
                f"{str(path)!r} was recorded by a newer release (layout {content['layout']}, here "
                f"up to {LAYOUT}): install that"
            )
        return checked(qubo, _unpacked(content, arrays))
    except FileFormatError:
        raise
    except Exception as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error


def _refused(samples: Any, error: Exception) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return an unusable answer as it came, as far as a file can hold it."""
    arrays = {name: np.asarray(getattr(samples, name, ())) for name in ("x", "energies")}
    arrays = {name: array for name, array in arrays.items() if array.dtype.kind in "biuf"}
    hide = Redactor()
    info = _plain(getattr(samples, "info", None), hide)
    return {"layout": LAYOUT, "why": hide(str(error)), "info": info}, arrays


def _free(path: Path) -> Path:
    """Return the next free name for a refused answer to this question."""
    number = 1 + len(list(path.parent.glob(f"{path.stem}.refused-*.npz")))
    return path.with_name(f"{path.stem}.refused-{number}.npz")


def _plain(value: Any, hide: Redactor) -> Any:
    """Return ``value`` as far as JSON can hold it, without credentials; None for anything else."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, Mapping):
        return {hide(str(name)): _plain(part, hide) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, hide) for part in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float) else None


@contextmanager
def _as_oracle_error(what: str) -> Iterator[None]:
    """Convert a file system error to an oracle error: the run stops and keeps its result."""
    try:
        yield
    except FileAccessError as error:
        raise OracleError(f"{what}: {error}") from error
