"""Reader of OPB files: pseudo-Boolean models of any degree.

    * #variable= 3 #constraint= 1
    min: +2 x1 x2 -3 ~x3 ;
    +1 x1 +2 x2 x3 >= 2 ;

Format of the pseudo-Boolean competitions [Roussel, Manquinho, 2012].  A literal ~x is 1 - x.
Products of three or more literals get a bit u = v w for each pair of factors, which is exact.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import gcd

import numpy as np

from formulations.arrays import BoolArray, FloatArray, IntArray
from formulations.model.assembly import Terms
from qnn.data.model_files.draft import Draft, Path
from qnn.data.model_files.products import Literals, reduced
from qnn.data.model_files.words import END, EXACT, RELATION, WORD, Words


def read_opb(path: Path, data: bytes) -> tuple[Draft, bool]:
    """Read the model of an OPB file, to be minimised, and True if the file maximises.

    Integers of the objective beyond 2^53 are rounded to double precision.  A row of such integers
    is divided by their common divisor, which is exact.

    Raises
    ------
    FileFormatError
        Naming the line if the file is not OPB, is cut off, has soft constraints, or has a row that
        exceeds double precision.

    Examples
    --------
    >>> draft, maximise = read_opb("m.opb", b"max: 2 x1 ~x2 +1 x3;\\n1 x1 2 x1 x2 x3 >= 2;\\n")
    >>> print(draft.labels, maximise)
    ['x1', 'x2', 'x3', 'x1 * x2'] True
    >>> draft.products.tolist()
    [[3, 0, 1]]
    """
    words = Words.of(path, data)
    model = _Statements.of(words)
    sign = -1.0 if model.maximise else 1.0
    literals = reduced(
        len(model.coefficient), model.owner, model.variable, model.negated, model.labels
    )
    rows, lower, upper = _rows(words, model, literals)
    objective, constants = literals.expanded(model.coefficient, model.statement == 0)
    count = len(literals.labels)
    draft = Draft(
        labels=literals.labels,
        low=np.zeros(count),
        high=np.ones(count),
        objective=Terms(
            objective.owner, objective.variable, sign * objective.coefficient, objective.second
        ),
        offset=sign * float(constants.sum()),
        rows=rows,
        lower=lower,
        upper=upper,
        row_labels=[f"c{r + 1}" for r in range(len(lower))],
        products=literals.products,
        complements=literals.complements,
    )
    return draft, model.maximise


# -- statements ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Statements:
    """Terms of the statements 0 .. m; statement 0 is the objective."""

    statement: IntArray
    coefficient: FloatArray
    wide: dict[int, int]
    owner: IntArray
    variable: IntArray
    negated: BoolArray
    labels: list[str]
    relation: list[str]
    rhs: FloatArray
    wide_rhs: dict[int, int]
    word: IntArray
    maximise: bool

    @classmethod
    def of(cls, words: Words) -> _Statements:
        letters = np.frombuffer(words.data, dtype=np.uint8)
        kind, first = words.kind, letters[words.start].astype(np.int64)
        number = np.cumsum(kind == END) - (kind == END)  # number of the statement
        aim = re.match(r"(min|max)(:?)$", words.text(0).lower())
        plain = np.ones(len(kind), dtype=bool)
        if aim is None:
            number = number + 1
        else:
            plain[: 1 if aim[2] else 2] = False
            if not aim[2] and words.text(1) != ":":
                raise words.wrong(1, f"expected {aim[1]}: and the objective")
        is_word = (kind == WORD) & plain
        numeric = is_word & np.isin(first, np.frombuffer(b"+-0123456789", dtype=np.uint8))
        literal = is_word & ~numeric
        cls._refuse_soft(words, literal, first)
        relation = kind == RELATION
        rhs = np.zeros(len(kind), dtype=bool)
        rhs[1:] = relation[:-1]
        cls._check_grammar(words, number, numeric, literal, relation, rhs)
        head = np.flatnonzero(numeric & ~rhs)
        coefficient, wide = words.integers(head)
        right, wide_rhs = words.integers(np.flatnonzero(rhs))
        places = np.flatnonzero(literal)
        labels, variable, negated = words.names(places)
        return cls(
            number[head],
            coefficient,
            wide,
            np.cumsum(numeric & ~rhs)[places] - 1,
            variable,
            negated,
            labels,
            [words.text(place) for place in np.flatnonzero(relation).tolist()],
            right,
            wide_rhs,
            np.flatnonzero(relation),
            aim is not None and aim[1] == "max",
        )

    @staticmethod
    def _refuse_soft(words: Words, literal: BoolArray, first: IntArray) -> None:
        soft = literal & ((first == ord("[")) | (first == ord("s")))
        for place in np.flatnonzero(soft).tolist():
            text = words.text(place)
            if text[0] == "[" or text.lower().startswith("soft:"):
                raise words.wrong(
                    place,
                    "soft constraints (WBO) are not read: give each a bit of its own that pays "
                    "its cost in the objective",
                )
            if first[place] == ord("s"):
                break

    @staticmethod
    def _check_grammar(
        words: Words,
        number: IntArray,
        numeric: BoolArray,
        literal: BoolArray,
        relation: BoolArray,
        rhs: BoolArray,
    ) -> None:
        """Refuse statements that are not sums of products with one relation and one integer."""
        ends = words.kind == END
        start = np.ones(len(ends), dtype=bool)
        start[1:] = ends[:-1]
        orphan = literal & start
        orphan[1:] |= literal[1:] & ~(literal | numeric)[:-1]
        if orphan.any():
            raise words.wrong(int(np.argmax(orphan)), "expected an integer in front of it")
        bad = rhs & ~numeric
        bad[1:] |= rhs[:-1] & ~ends[1:]
        if bad.any():
            raise words.wrong(int(np.argmax(bad)), "expected an integer and ';' after the relation")
        count = np.bincount(number[relation], minlength=int(number[-1]) + 1)
        wanted = np.ones(len(count), dtype=np.int64)
        wanted[0] = 0
        if (count != wanted).any():
            at = int(np.argmax(count != wanted))
            place = int(np.flatnonzero(number == at)[0]) if (number == at).any() else 0
            what = "no relation in the objective" if at == 0 else "a relation in each constraint"
            raise words.wrong(place, f"expected {what}")
        for place in np.flatnonzero(relation).tolist():
            if words.text(place) not in (">=", "<=", "="):
                raise words.wrong(place, "expected >=, <= or =")


# -- rows ------------------------------------------------------------------------------------------


def _rows(
    words: Words, model: _Statements, literals: Literals
) -> tuple[Terms, FloatArray, FloatArray]:
    """Return the terms and bounds of the rows, followed by the rows that tie x to ~x."""
    m = len(model.relation)
    row = model.statement - 1
    constraints = row >= 0
    terms, constants = literals.expanded(model.coefficient, constraints)
    rhs = model.rhs - np.bincount(row[constraints], constants[constraints], minlength=m)
    size = np.bincount(row[constraints], np.abs(model.coefficient[constraints]), minlength=m)
    wide = np.flatnonzero(size + np.abs(model.rhs) >= EXACT / 4)
    owner, coefficient = row[terms.owner], terms.coefficient
    parts = [Terms(owner, terms.variable, coefficient, terms.second)]
    if len(wide):
        parts = [parts[0].take(~np.isin(owner, wide))]
        units, constants = literals.expanded(np.ones_like(model.coefficient), np.isin(row, wide))
        for r in wide.tolist():
            some = units.take(row[units.owner] == r)
            narrow, rhs[r] = _narrowed(words, model, some, constants, r)
            parts.append(narrow)
    pairs = literals.complements
    ties = m + np.arange(len(pairs))
    parts += [Terms.linear(ties, pairs[:, side], 1.0) for side in (0, 1)]
    relation = np.array([*model.relation, *["="] * len(pairs)], dtype="U2")
    right = np.concatenate([rhs, np.ones(len(pairs))])
    lower = np.where(relation == "<=", -np.inf, right)
    upper = np.where(relation == ">=", np.inf, right)
    return Terms.join(parts), lower, upper


def _narrowed(
    words: Words, model: _Statements, units: Terms, constants: FloatArray, r: int
) -> tuple[Terms, float]:
    """Divide a row of wide integers by their common divisor, in exact arithmetic.

    ``units`` and ``constants`` are its terms with all coefficients 1; owners are the original
    terms.
    """
    whole = {t: model.wide.get(t, int(model.coefficient[t]))
             for t in np.flatnonzero(model.statement == r + 1).tolist()}  # fmt: skip
    rhs = model.wide_rhs.get(r, int(model.rhs[r]))
    rhs -= sum(value * int(constants[t]) for t, value in whole.items())
    low = np.where(units.second < 0, units.variable, np.minimum(units.variable, units.second))
    high = np.where(units.second < 0, -1, np.maximum(units.variable, units.second))
    sums: dict[tuple[int, int], int] = {}
    for v, w, t, factor in zip(
        low.tolist(), high.tolist(), units.owner.tolist(), units.coefficient.tolist(), strict=True
    ):
        sums[v, w] = sums.get((v, w), 0) + whole[t] * int(factor)
    sums = {pair: value for pair, value in sums.items() if value}
    divisor = gcd(*sums.values()) or 1
    # No sum equals a value between two multiples; for >= the next multiple is equivalent.
    above = {"=": 0.5, ">=": 1.0, "<=": 0.0}[model.relation[r]] if rhs % divisor else 0.0
    numbers = [value // divisor for value in sums.values()]
    least, most = (sum(clip(value, 0) for value in numbers) for clip in (min, max))
    right = min(max(rhs // divisor, least - 1), most + 1)  # equivalent beyond these bounds
    numbers.append(right)
    if any(abs(value) > 10**300 or int(float(value)) != value for value in numbers):
        raise words.wrong(
            int(model.word[r]),
            f"the integers of constraint {r + 1} have no common divisor that leaves them below "
            "2^53, which double precision needs; expected smaller ones, scale and round the row",
        )
    pairs = np.array(list(sums), dtype=np.int64).reshape(-1, 2)
    values = np.array(numbers[:-1], dtype=np.float64)
    owner = np.full(len(pairs), r, dtype=np.int64)
    return Terms(owner, pairs[:, 0], values, pairs[:, 1]), float(numbers[-1]) + above
