"""Record and replay: every answer is on disk before it is used, and need not be paid for again.

One file per answer, an archive (:mod:`formulations.files.archive`) whose name is the digest of the
question: the QUBO, the states to start from, the seed, and what decides the oracle's answers.  So
a run that was killed asks the same questions when it is begun again, and finds the answers there;
what is recorded once can be replayed anywhere, without the oracle.
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
from formulations.files.archive import access_error, damaged, read_archive, write_archive
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
"""What the files hold, by their own account."""

LAYOUT = 1
"""Version of what is put in."""


@dataclass(frozen=True)
class Record(Transparent):
    """Answers are written to a folder, whole or not at all, before anything is made of them.

    An answer that is there is taken from there, with what it cost when it was given.  The same
    question from two threads, or again after a timeout, is asked once.  An answer that is unusable
    (:func:`~solvers.oracles.wrappers.audit.checked`) is kept under another name, and is asked for
    anew when the question comes again.

    Parameters
    ----------
    oracle : Oracle
    folder : path-like
        Made if there is none.  Several runs may share it.

    Raises
    ------
    FileAccessError
        If the folder cannot be made or written to.
    FileFormatError
        When asked, for a file that is damaged or of a newer release.
    OracleError
        When asked, if the latest answer could not be written: it has been used, but there is no
        room for another.

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
            with tempfile.TemporaryFile(
                dir=self.folder
            ) as probe:  # room, before anything is paid for
                probe.write(bytes(4096))
                probe.flush()
                os.fsync(probe.fileno())
        except (OSError, ValueError) as error:
            reason = error if isinstance(error, OSError) else OSError(str(error))
            raise access_error("keep a record in", self.folder, reason) from error

    def path(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Path:
        """Where the answer to a question is kept."""
        question = f"{qubo_digest(qubo, states)} {seed_digest(seed)} {_identity(self)}"
        return Path(self.folder) / f"{hashlib.sha256(question.encode()).hexdigest()[:40]}.npz"

    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """The answer on disk, or else the oracle's, which is there from now on."""
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
        """Ask for an answer that is not there, and write it."""
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
        except FileAccessError:  # use what is paid for, and stop at the next question
            self._unsaved[path] = (path, ANSWER, content, arrays)
        return _unpacked(content, arrays)

    def flush(self) -> None:
        """Write the answers that could not be written when they came.

        Raises
        ------
        FileAccessError
            If one still cannot be written.
        """
        for path, unsaved in list(self._unsaved.items()):
            write_archive(*unsaved)
            self._unsaved.pop(path, None)  # another thread may have been as fast


def unrecorded(oracle: object) -> str | None:
    """Why answers that an oracle gave are in no record, after one more try; None if all are."""
    for layer in layers(oracle):
        if isinstance(layer, Record):
            try:
                layer.flush()
            except FileAccessError as error:
                return f"an answer that was paid for is not in the record: {error}"
    return None


@dataclass(frozen=True)
class Replay(Record):
    """Answers from a record alone: the oracle is never asked.

    Parameters
    ----------
    oracle : Oracle
        The one that was recorded: what it would answer is looked up.
    folder : path-like

    Raises
    ------
    OracleError
        When asked what the record has no answer to.
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
        """There is no answer."""
        raise OracleError(
            f"the record in {str(self.folder)!r} has no answer to this question: the run was "
            "stopped here when it was recorded, or its problem, solver, seed or oracle was "
            "another; give the same, or go on by recording to the folder"
        )


def _identity(record: Record) -> str:
    """What decides the oracle's answers, as a text."""
    from solvers.run.identity import text  # which needs what a run is, which needs oracles

    return text(record.oracle)


# -- files -----------------------------------------------------------------------------------------


def _packed(samples: Samples, oracle: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """Samples as JSON and arrays.  Of ``info`` what JSON can hold; it holds no credentials."""
    content = {
        "layout": LAYOUT,
        "oracle": oracle,
        "seconds": float(samples.seconds),
        "exact": bool(samples.exact),
        "info": _plain(samples.info, Redactor()),
    }
    return content, {"x": samples.x, "energies": samples.energies}


def _unpacked(content: Mapping[str, Any], arrays: Mapping[str, Array]) -> Samples:
    """The samples that :func:`_packed` made JSON and arrays of."""
    return Samples(
        arrays["x"], arrays["energies"], content["seconds"], content["exact"], content["info"]
    )


def _content(value: Any, where: str) -> None:
    """The form of an answer's content; that of a newer layout is not looked into."""
    fields({"layout": whole(1)}, more=True)(value, where)
    if value["layout"] <= LAYOUT:
        table = {"oracle": text, "seconds": number(0), "exact": flag, "info": mapping(anything)}
        fields({"layout": whole(1), **table})(value, where)


def _arrays(content: Mapping[str, Any], names: list[str]) -> dict[str, ArrayForm]:
    """The form of an answer's arrays."""
    if content["layout"] > LAYOUT:
        return dict.fromkeys(names, ArrayForm(finite=False))
    return {"x": ArrayForm("biu", (None, None)), "energies": ArrayForm("biuf", (None,))}


def _read(path: Path, qubo: QUBO) -> Samples:
    """The answer to a question in a file."""
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
    """An unusable answer as it came, as far as a file can hold it."""
    arrays = {name: np.asarray(getattr(samples, name, ())) for name in ("x", "energies")}
    arrays = {name: array for name, array in arrays.items() if array.dtype.kind in "biuf"}
    hide = Redactor()
    info = _plain(getattr(samples, "info", None), hide)
    return {"layout": LAYOUT, "why": hide(str(error)), "info": info}, arrays


def _free(path: Path) -> Path:
    """The next name for an answer to this question that was refused."""
    number = 1 + len(list(path.parent.glob(f"{path.stem}.refused-*.npz")))
    return path.with_name(f"{path.stem}.refused-{number}.npz")


def _plain(value: Any, hide: Redactor) -> Any:
    """``value`` as far as JSON can hold it, without credentials; None for anything else."""
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
    """A file system's refusal as an oracle's: the run stops, with what it has."""
    try:
        yield
    except FileAccessError as error:
        raise OracleError(f"{what}: {error}") from error
