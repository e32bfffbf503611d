"""Local search around samples of a constrained model, as compiled loops over sparse rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from formulations.arrays import Array
from solvers.kernels.compiled import compiled

HOLDS = 1e-6
"""A row whose violation is this small holds."""

NOTHING = 1e-9
"""Changes below this share of the objective's largest coefficient are rounding."""


class Ground(NamedTuple):
    """A model as the searches read it: lower <= row <= upper, objective linear'x + x'Q x / 2.

    Rows are kept by rows (``row_*``) and by variables (``column_*``), Q symmetric by variables
    (``Q_*``, ascending) and, where it is small, in full (``Q_dense``, else of shape (0, 0)).
    ``weight`` is the price of one unit of a row's violation.
    """

    linear: Array
    Q_starts: Array
    Q_others: Array
    Q_values: Array
    Q_dense: Array
    row_starts: Array
    row_columns: Array
    row_values: Array
    column_starts: Array
    column_rows: Array
    column_values: Array
    lower: Array
    upper: Array
    weight: Array


@compiled()
def polish(ground: Ground, points: Array, seeds: Array, effort: int, depth: int) -> int:
    """Mend every point (reads, n) in place and, where that succeeds, descend from there.

    ``effort`` bounds the candidates looked at for each point, half of them for mending; ``depth``
    is the most flips of a chain.
    A point that cannot be mended stays as it was.  Returns how many were looked at.
    """
    looked = 0
    n, m = points.shape[1], len(ground.lower)
    activity, field, weight = np.empty(m), np.empty(n), np.empty(m)
    for read in range(len(points)):
        x = points[read]
        original = x.copy()
        _begin(ground, x, activity, field)
        weight[:] = ground.weight
        half = effort // 2
        holds, left = _mend(ground, x, activity, field, weight, seeds[read], half)
        looked += half - left
        if not holds:
            x[:] = original
            continue
        looked += half - _descend(ground, x, activity, field, seeds[read], half, depth)
    return looked


@compiled()
def _begin(ground: Ground, x: Array, activity: Array, field: Array) -> None:
    """Row sums, and what a growing x_i changes in the objective."""
    for r in range(len(activity)):
        total = 0.0
        for e in range(ground.row_starts[r], ground.row_starts[r + 1]):
            total += ground.row_values[e] * x[ground.row_columns[e]]
        activity[r] = total
    field[:] = ground.linear
    for i in range(len(x)):
        if x[i]:
            for e in range(ground.Q_starts[i], ground.Q_starts[i + 1]):
                field[ground.Q_others[e]] += ground.Q_values[e]


@compiled()
def _excess(ground: Ground, r: int, activity: float) -> float:
    """By how much row r is violated at a row sum."""
    return float(max(activity - ground.upper[r], ground.lower[r] - activity, 0.0))


@compiled()
def _coupling(ground: Ground, i: int, j: int) -> float:
    """Q_ij."""
    if len(ground.Q_dense):
        return float(ground.Q_dense[i, j])
    first, stop = ground.Q_starts[i], ground.Q_starts[i + 1]
    place = first + np.searchsorted(ground.Q_others[first:stop], j)
    if place < stop and ground.Q_others[place] == j:
        return float(ground.Q_values[place])
    return 0.0


@compiled()
def _price(ground: Ground, i: int, step: float, activity: Array, weight: Array) -> float:
    """Change of the weighted violation if x_i changes by ``step``."""
    total = 0.0
    for e in range(ground.column_starts[i], ground.column_starts[i + 1]):
        r = ground.column_rows[e]
        after = _excess(ground, r, activity[r] + step * ground.column_values[e])
        total += weight[r] * (after - _excess(ground, r, activity[r]))
    return total


@compiled()
def _move(ground: Ground, i: int, step: float, activity: Array) -> None:
    """Change the row sums by x_i += step."""
    for e in range(ground.column_starts[i], ground.column_starts[i + 1]):
        activity[ground.column_rows[e]] += step * ground.column_values[e]


@compiled()
def _set(ground: Ground, i: int, step: float, x: Array, field: Array) -> None:
    """Change x_i and the fields."""
    x[i] = 1 - x[i]
    for e in range(ground.Q_starts[i], ground.Q_starts[i + 1]):
        field[ground.Q_others[e]] += step * ground.Q_values[e]


@compiled()
def _draw(state: np.uint64) -> np.uint64:
    """The next number of xorshift64."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    return state


@compiled()
def _mend(
    ground: Ground,
    x: Array,
    activity: Array,
    field: Array,
    weight: Array,
    state: np.uint64,
    effort: int,
) -> tuple[bool, int]:
    """Flip one variable of a violated row after the other until none is violated.

    Of those that lower the weighted violation, the one that costs the objective least per unit.
    Where there is none, the row's weight is raised.  Returns whether all rows hold, and what is
    left of the effort.
    """
    m = len(activity)
    broken, place = np.empty(m, np.int64), np.full(m, -1)
    count = 0
    for r in range(m):
        if _excess(ground, r, activity[r]) > HOLDS:
            broken[count], place[r] = r, count
            count += 1
    while count and effort > 0:
        state = _draw(state)
        row = broken[state % np.uint64(count)]
        best, least = -1, np.inf
        first, stop = ground.row_starts[row], ground.row_starts[row + 1]
        effort -= stop - first + 1
        for e in range(first, stop):
            i = ground.row_columns[e]
            step = 1.0 - 2.0 * x[i]
            if (activity[row] > ground.upper[row]) == (step * ground.row_values[e] > 0.0):
                continue  # makes it worse
            price = _price(ground, i, step, activity, weight)
            if price < 0.0 and step * field[i] / -price < least:
                best, least = i, step * field[i] / -price
        if best < 0:
            weight[row] += ground.weight[row]
            continue
        step = 1.0 - 2.0 * x[best]
        _set(ground, best, step, x, field)
        _move(ground, best, step, activity)
        for e in range(ground.column_starts[best], ground.column_starts[best + 1]):
            r = ground.column_rows[e]
            violated = _excess(ground, r, activity[r]) > HOLDS
            if violated and place[r] < 0:
                broken[count], place[r] = r, count
                count += 1
            elif not violated and place[r] >= 0:
                count -= 1
                last = broken[count]
                broken[place[r]], place[last] = last, place[r]
                place[r] = -1
    return count == 0, effort


@compiled()
def _descend(
    ground: Ground,
    x: Array,
    activity: Array,
    field: Array,
    state: np.uint64,
    effort: int,
    depth: int,
) -> int:
    """Chains of flips that keep every row and lower the objective, until there is none.

    A chain begins with any variable; as long as a row is violated, one of its variables follows:
    the one that leaves the least violation, then the least objective.  Where a variable that was
    taken out has made room, another one that fits comes in.  So one mechanism finds single flips,
    exchanges within a one-hot row or a knapsack, and swaps in a permutation.
    """
    n = len(x)
    chain = np.empty(depth, np.int64)
    tolerance = NOTHING * max(np.abs(ground.linear).max(), np.abs(field).max())
    state = _draw(state)
    i, failures = np.int64(state % np.uint64(n)), 0
    stride = int(0.618 * n) | 1
    while np.gcd(stride, n) > 1:
        stride += 2
    while failures < n and effort > 0:
        i = (i + stride) % n
        length, change = 1, (1.0 - 2.0 * x[i]) * field[i]
        chain[0] = i
        _move(ground, i, 1.0 - 2.0 * x[i], activity)
        while True:
            row = _first_broken(ground, chain, length, activity)
            if row < 0 or length == depth:
                break
            effort -= ground.row_starts[row + 1] - ground.row_starts[row]
            j, more = _follower(ground, x, activity, field, chain, length, row)
            if j < 0:
                break
            chain[length] = j
            length += 1
            change += more
            _move(ground, j, 1.0 - 2.0 * x[j], activity)
        while row < 0 and change >= -tolerance and length < depth and x[chain[length - 1]]:
            j, more, looked = _filler(ground, x, activity, field, chain, length)
            effort -= looked
            if j < 0:
                break
            chain[length] = j
            length += 1
            change += more
            _move(ground, j, 1.0 - 2.0 * x[j], activity)
        effort -= 1
        if row < 0 and change < -tolerance:
            for j in chain[:length]:
                _set(ground, j, 1.0 - 2.0 * x[j], x, field)
            failures = 0
        else:
            for j in chain[:length]:
                _move(ground, j, 2.0 * x[j] - 1.0, activity)
            failures += 1
    return effort


@compiled()
def _first_broken(ground: Ground, chain: Array, length: int, activity: Array) -> int:
    """A violated row of the chain's variables, -1 if all hold."""
    for k in range(length):
        for e in range(ground.column_starts[chain[k]], ground.column_starts[chain[k] + 1]):
            r = ground.column_rows[e]
            if _excess(ground, r, activity[r]) > HOLDS:
                return int(r)
    return -1


@compiled()
def _follower(
    ground: Ground, x: Array, activity: Array, field: Array, chain: Array, length: int, row: int
) -> tuple[int, float]:
    """The variable of a violated row that should follow, or -1, and its change of the objective."""
    best, least, cheapest = -1, np.inf, np.inf
    for e in range(ground.row_starts[row], ground.row_starts[row + 1]):
        j = ground.row_columns[e]
        step = 1.0 - 2.0 * x[j]
        if (activity[row] > ground.upper[row]) == (step * ground.row_values[e] > 0.0):
            continue
        price = _price(ground, j, step, activity, ground.weight)
        if price > least + HOLDS:
            continue
        cost = _cost(ground, x, field, chain, length, j)
        if cost < np.inf and (price < least - HOLDS or cost < cheapest):
            best, least, cheapest = j, price, cost
    return best, cheapest


@compiled()
def _filler(
    ground: Ground, x: Array, activity: Array, field: Array, chain: Array, length: int
) -> tuple[int, float, int]:
    """The variable that fits where the chain's last has made room and lowers the objective most.

    Only variables of the tightest inequality with room are looked at.  -1 if there is none; with it
    its change of the objective and how many were looked at.
    """
    best, cheapest, tightest, slack = -1, 0.0, -1, np.inf
    last = chain[length - 1]
    for place in range(ground.column_starts[last], ground.column_starts[last + 1]):
        row, value = ground.column_rows[place], ground.column_values[place]
        if ground.lower[row] > -np.inf or value <= 0.0:
            continue  # an equality has no room, and this one has not got more
        room = (ground.upper[row] - activity[row]) / value
        if room < slack:
            tightest, slack = row, room
    if tightest < 0:
        return best, cheapest, 1
    first, stop = ground.row_starts[tightest], ground.row_starts[tightest + 1]
    for e in range(first, stop):
        j = ground.row_columns[e]
        if x[j]:
            continue
        cost = _cost(ground, x, field, chain, length, j)
        if cost < cheapest and _fits(ground, j, activity):
            best, cheapest = j, cost
    return best, cheapest, 1 + stop - first


@compiled()
def _fits(ground: Ground, j: int, activity: Array) -> bool:
    """Whether every row still holds if x_j becomes 1."""
    for e in range(ground.column_starts[j], ground.column_starts[j + 1]):
        r = ground.column_rows[e]
        if _excess(ground, r, activity[r] + ground.column_values[e]) > HOLDS:
            return False
    return True


@compiled()
def _cost(ground: Ground, x: Array, field: Array, chain: Array, length: int, j: int) -> float:
    """Change of the objective if x_j flips after the chain; infinite for one of its variables."""
    pull = field[j]
    coupled = ground.Q_starts[j] < ground.Q_starts[j + 1]
    for k in range(length):
        if chain[k] == j:
            return np.inf
        if coupled:
            pull += (1.0 - 2.0 * x[chain[k]]) * _coupling(ground, j, chain[k])
    return float((1.0 - 2.0 * x[j]) * pull)
