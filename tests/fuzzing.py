"""Hostile files: JSON, arrays and bytes, randomly changed by a seed."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import numpy as np

from formulations.files.archive import write_archive

ODD: list[Any] = [
    None, True, False, -1, 0, 1, 2, 1.5, 1.0, -0.0, 10**6, 2**31, 2**63, 10**15, 10**400, 1e300,
    5e-324, "", "x", "1", "\0", "nan", "../x", "\ud800", "é" * 50, [], {}, [[]], [None], ["x", 1],
    [1, 2, 3], {"": 0}, {"a": {"b": []}},
]  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to everything inside a JSON value."""
    inside: dict[Any, Any] = value if isinstance(value, dict) else {}
    if isinstance(value, list):
        inside = dict(enumerate(value))
    found = []
    for key, part in inside.items():
        found.append((*path, key))
        found += _places(part, (*path, key))
    return found


def rewritten(rng: random.Random, value: Any, changes: int = 1) -> Any:
    """Return a JSON value with fields replaced, dropped, renamed or duplicated."""
    value = copy.deepcopy(value)
    for _ in range(changes):
        places = _places(value)
        if not places:
            return rng.choice(ODD)
        *way, last = rng.choice(places)
        owner = value
        for key in way:
            owner = owner[key]
        kind = rng.randrange(8)
        if kind == 0:
            del owner[last]
        elif kind == 1 and isinstance(owner, dict):
            owner[rng.choice(["x", "", str(last) + " "])] = owner.pop(last)
        elif kind == 1:
            owner.append(copy.deepcopy(owner[last]))
        elif kind == 2 and isinstance(owner[last], int | float):
            owner[last] = rng.choice([-owner[last], owner[last] * 10**6, float(owner[last]), 0.3])
        elif kind == 3:
            owner[last] = [owner[last]]
        else:
            owner[last] = rng.choice(ODD)
    return value


def reshaped(rng: random.Random, array: np.ndarray) -> np.ndarray:
    """Return an array of another type or shape, or with other numbers."""
    changed = np.array(array)
    kind = rng.randrange(10)
    if kind == 0:
        with np.errstate(invalid="ignore"):
            return changed.astype(rng.choice([float, bool, complex, str, "i1", "f4", ">i8", "u8"]))
    if kind == 1:
        return changed[None]
    if kind == 2:
        return changed.ravel()
    if kind == 3 and changed.ndim:
        return changed[: len(changed) // 2]
    if kind == 4 and changed.ndim:
        return np.concatenate([changed, changed])
    if kind == 5:
        return np.zeros(0, changed.dtype)
    if kind == 6 and changed.ndim > 1:
        return np.asfortranarray(changed.T)
    if changed.size:
        values = [-1, 0, 1, 50] if changed.dtype.kind != "f" else [np.nan, np.inf, -1e300, 3]
        values += [2**40, -(2**62)] if changed.dtype.itemsize == 8 else []
        changed = changed.copy()
        changed.flat[rng.randrange(changed.size)] = rng.choice(values)
    return changed


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Return bytes truncated, flipped, duplicated, zeroed or inserted."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 3, 20])):
        place = rng.randrange(max(1, len(changed)))
        match rng.randrange(6):
            case 0:
                del changed[place:]
            case 1:
                changed[place : place + 1] = bytes([rng.randrange(256)])
            case 2:
                changed[place:place] = changed[: rng.randrange(1, 60)]
            case 3:
                changed[place : place + 8] = bytes(8)
            case 4:
                changed[place : place + 4] = b"\xff" * 4
            case _ if changed:
                changed[place % len(changed)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def hostile_archive(
    rng: random.Random,
    path: Path,
    file_format: str,
    content: dict[str, Any],
    arrays: dict[str, np.ndarray],
) -> None:
    """Write an intact archive with a valid checksum but other content, or a damaged one."""
    content, arrays = copy.deepcopy(content), dict(arrays)
    kind = rng.randrange(8)
    if kind < 4:
        content = rewritten(rng, content, rng.choice([1, 1, 2]))
    elif kind < 6 and arrays:
        name = rng.choice(sorted(arrays))
        arrays[name] = reshaped(rng, arrays[name])
    elif kind == 6 and arrays:
        name = rng.choice(sorted(arrays))
        other = rng.choice([*sorted(arrays), "x"])
        arrays[other] = arrays.pop(name)
    try:
        write_archive(path, file_format, content, arrays)
    except (ValueError, UnicodeEncodeError):  # JSON and NPY cannot hold this
        write_archive(path, file_format, {}, {})
    if kind == 7:
        path.write_bytes(damaged(rng, path.read_bytes()))
