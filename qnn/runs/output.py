"""Results on disk: JSON and text, written whole or not at all, with their provenance."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from formulations.errors import FileAccessError, FileFormatError, InvalidInputError
from formulations.files.writing import atomic_write, check_distinct, check_regular, file_identity
from qnn.visible import without_credentials

FORMAT, COMPARISON_FORMAT = 1, 2
"""Format versions of results files; comparisons have several data sets since version 2."""

BITS_OF_KIB = 8 * 1024


def plain(value: Any) -> Any:
    """Convert ``value`` to JSON values; non-finite numbers become null.

    Examples
    --------
    >>> plain({"loss": np.float64(2.0), "bound": float("-inf"), "widths": (16, 4)})
    {'loss': 2.0, 'bound': None, 'widths': [16, 4]}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(v) for v in value]
    return value


def to_json(value: Any, indent: int | None = 1) -> str:
    """Convert ``value`` to JSON text with a final line break, hiding credentials."""
    return json.dumps(without_credentials(plain(value)), indent=indent, allow_nan=False) + "\n"


def environment() -> dict[str, Any]:
    """Describe the origin of a result: machine, interpreter, packages and time (UTC)."""
    versions: dict[str, str | None] = {}
    ours = ("qnn-ising", "dimod", "dwave-samplers", "numba", "numpy", "ortools", "scikit-learn")
    for package in (*ours, "scipy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "packages": versions,
    }


def check_head(path: Path, content: Any, kind: str, newest: int) -> None:
    """Refuse a JSON file of another kind, or of a newer release."""
    head = content if isinstance(content, dict) else {}
    found, version = head.get("kind"), head.get("format")
    if found != kind or not isinstance(version, int) or version > newest:
        raise FileFormatError(
            f"{str(path)!r} holds {found!r}, format {version!r}: expected {kind!r}, format "
            f"{newest} or older; check the path, or install a newer release of qnn-ising"
        )


def check_writable(path: str | PathLike[str]) -> Path:
    """Refuse an unwritable path for a result before the work begins."""
    check_regular(path)
    place = Path(path)
    if not place.parent.is_dir():
        raise FileAccessError(
            f"cannot write {str(place)!r}: {str(place.parent)!r} is not a folder; make it first or "
            "choose another place"
        )
    for descriptor, name in ((1, "standard output"), (2, "standard error")):
        if _is_open_as(place, descriptor):  # replacing it would lose its other content
            raise FileAccessError(
                f"cannot write {str(place)!r}: it is where {name} goes; give the name of another "
                "file, or - for standard output"
            )
    if not os.access(place.parent, os.W_OK) or (place.exists() and not os.access(place, os.W_OK)):
        raise FileAccessError(
            f"cannot write {str(place)!r}: no permission; change it or choose another place"
        )
    return place


def _is_open_as(place: Path, descriptor: int) -> bool:
    try:
        return place.is_file() and os.path.samestat(place.stat(), os.fstat(descriptor))
    except OSError:  # the stream is closed
        return False


def check_outputs(
    outputs: Iterable[str | PathLike[str]],
    inputs: Iterable[str | PathLike[str]] = (),
    own: Iterable[str | PathLike[str]] = (),
) -> None:
    """Refuse outputs that are unwritable, or that would overwrite one another or an input.

    Missing inputs are skipped; ``own`` are files that a folder of runs keeps for itself.

    Examples
    --------
    >>> check_outputs(["a.json", "./a.json"])
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: './a.json' and 'a.json' are one file: ...
    """
    outputs = list(outputs)
    check_distinct(outputs)
    for path in outputs:
        check_writable(path)
    read = {file_identity(path): path for path in inputs if os.path.exists(path)}
    kept = {file_identity(path): path for path in own}
    for path in outputs:
        for there, why in ((read, "it is read"), (kept, "the run's folder keeps its own there")):
            if file_identity(path) in there:
                raise InvalidInputError(
                    f"cannot write {os.fspath(path)!r}: {why}; give the name of another file"
                )


def write_text(path: str | PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` whole, or leave the old content."""
    with atomic_write(check_writable(path)) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
