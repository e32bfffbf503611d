"""Split OPB files into words with numpy: numbers, literals, relations and semicolons."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from formulations.arrays import BoolArray, FloatArray, IntArray
from formulations.errors import FileFormatError
from qnn.data.model_files.draft import Path
from qnn.data.model_files.text import wrong

EXACT = 2.0**53
"""Sums of integers are exact in double precision if their absolute values add up to less."""

SPACE, WORD, RELATION, END = range(4)
"""Kinds of characters."""


@dataclass(frozen=True)
class Words:
    """Start, end and kind of each word of a file."""

    path: Path
    data: bytes
    start: IntArray
    end: IntArray
    kind: IntArray

    @classmethod
    def of(cls, path: Path, data: bytes) -> Words:
        """Find numbers, literals, relations and semicolons; skip comments."""
        announced = re.match(rb"\s*\*.*#constraint=\s*(\d+)", data)
        count = int(announced[1][:20]) if announced else None
        data = re.sub(rb"(?m)^[ \t]*\*.*$", lambda comment: b" " * len(comment[0]), data)
        data = re.sub(rb"([+-])([ \t\r\n]+)(?=\d)", rb"\2\1", data)
        data = re.sub(rb"\A(\s*(?:min|max)\s*:)", rb"\1 ", data, flags=re.IGNORECASE)
        kinds = np.full(256, WORD, dtype=np.int8)
        kinds[list(b" \t\r\n\v\f*")] = SPACE  # older files write 3*x1
        kinds[list(b"<>=")] = RELATION
        kinds[ord(";")] = END
        begins = np.zeros(256, dtype=bool)
        begins[list(b"+-~;")] = True
        letters = np.frombuffer(data, dtype=np.uint8)
        kind = kinds[letters]
        edge = np.ones(len(kind) + 1, dtype=bool)
        edge[1:-1] = kind[1:] != kind[:-1]
        first = np.flatnonzero((edge[:-1] | begins[letters]) & (kind != SPACE))
        last = np.flatnonzero(edge[1:] & (kind != SPACE)) + 1
        # A word ends with its run of characters, or where the next word begins.
        end = last[np.searchsorted(last, first, side="right")] if len(first) else first
        end[:-1] = np.minimum(end[:-1], first[1:])
        words = cls(path, data, first, end, kind[first].astype(np.int64))
        words.check(count)
        return words

    def check(self, announced: int | None) -> None:
        """Refuse a file that is cut off."""
        if not len(self.start):
            raise FileFormatError(f"{str(self.path)!r}: expected an OPB file, and it is empty")
        ends = int((self.kind == END).sum())
        if self.kind[-1] != END:
            raise self.wrong(len(self.start) - 1, "it is cut off, the last ';' is missing")
        aim = int(self.text(0).lower().startswith(("min", "max")))
        if announced is not None and ends - aim != announced:
            raise FileFormatError(
                f"{str(self.path)!r} announces {announced} constraints and holds {ends - aim}: it "
                "is cut off or was changed, copy it again from where it came from"
            )

    def text(self, word: int) -> str:
        """Return a word, cut to a length that can be shown."""
        start, end = int(self.start[word]), int(self.end[word])
        return self.data[start : min(end, start + 200)].decode(errors="replace")

    def wrong(self, word: int, what: str) -> FileFormatError:
        """Return the error at a word."""
        line = self.data.count(b"\n", 0, int(self.start[word])) + 1
        return wrong(self.path, line, f"{self.text(word)!r}: {what}")

    def integers(self, words: IntArray) -> tuple[FloatArray, dict[int, int]]:
        """Return words as integers; those beyond 2^53 also exactly, by position."""
        letters = np.frombuffer(self.data, dtype=np.uint8)
        start, end = self.start[words].copy(), self.end[words]
        negative = letters[start] == ord("-")
        start += negative | (letters[start] == ord("+"))
        value, size = np.zeros(len(words), dtype=np.int64), end - start
        bad = size <= 0
        for place in range(min(int(size.max(initial=0)), 18)):
            some = np.flatnonzero(size > place)
            digit = letters[start[some] + place].astype(np.int64) - ord("0")
            bad[some] |= (digit < 0) | (digit > 9)
            value[some] = 10 * value[some] + digit
        if bad.any():
            raise self.wrong(int(words[np.argmax(bad)]), "expected an integer")
        result = np.where(negative, -value, value).astype(np.float64)
        exact = {}
        for place in np.flatnonzero((size > 18) | (value > EXACT)).tolist():
            digits = self.data[start[place] : end[place]]
            if not digits.isdigit() or len(digits) > 300:
                raise self.wrong(int(words[place]), "expected an integer of at most 300 digits")
            exact[place] = -int(digits) if negative[place] else int(digits)
            result[place] = float(exact[place])
        return result, exact

    def names(self, words: IntArray) -> tuple[list[str], IntArray, BoolArray]:
        """Return the literals' variables: distinct names, and each literal's index and negation."""
        letters = np.frombuffer(self.data, dtype=np.uint8)
        start, end = self.start[words].copy(), self.end[words]
        negated = letters[start] == ord("~")
        start += negated
        if (bad := start >= end).any():
            raise self.wrong(int(words[np.argmax(bad)]), "expected a variable")
        size = end - start - 1
        number, plain = np.zeros(len(words), dtype=np.int64), letters[start] == ord("x")
        plain &= (size > 0) & (size < 10)
        if plain.all():
            plain &= (letters[start + 1] != ord("0")) | (size == 1)
            for place in range(int(size.max(initial=0))):
                some = np.flatnonzero(size > place)
                digit = letters[start[some] + 1 + place].astype(np.int64) - ord("0")
                plain[some] &= (digit >= 0) & (digit <= 9)
                number[some] = 10 * number[some] + digit
        if plain.all():
            known, of = np.unique(number, return_inverse=True)
            return [f"x{k}" for k in known.tolist()], of.astype(np.int64), negated
        found: dict[bytes, int] = {}
        ends = end.tolist()
        of = np.array(
            [found.setdefault(self.data[i:j], len(found))
             for i, j in zip(start.tolist(), ends, strict=True)], dtype=np.int64)  # fmt: skip
        if max(map(len, found)) > 255:
            long = int(np.argmax(end - start))
            raise self.wrong(int(words[long]), "expected a name of at most 255 characters")
        for name, place in found.items():
            if not re.fullmatch(rb"[^\W\d][^~]*|[A-Za-z_\x80-\xff][^~]*", name):
                raise self.wrong(int(words[np.argmax(of == place)]), "expected a variable")
        return [name.decode() for name in found], of, negated
