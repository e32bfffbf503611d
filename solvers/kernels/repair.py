"""Local search around samples of a constrained model, in compiled loops over sparse rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from formulations.arrays import Array
from solvers.kernels.compiled import assign, compiled, draw, search

HOLDS = 1e-6
"""A row whose violation is this small holds."""


class Ground(NamedTuple):
    """Model in the searches' form: lower <= row <= upper, objective linear'x + x'Q x / 2.

    Rows are linear and may have products, sum_i a_i x_i + sum_ij p_ij x_i x_j.  Their entries are
    numbered by variables (``column_*``, values a); ``row_entries`` has those of each row, and
    ``partner_*``, for each entry (row, i), the entries (row, j) and the p_ij of its products.
    Q is symmetric by variables (``Q_*``, ascending) and, if small, in full (``Q_dense``).
    ``weight`` is the price per unit of a row's violation.  ``alone`` has, for a variable whose only
    row allows one of its variables to be 1, that row, else -1; no coupler joins two of such a row.
    Changes of the objective up to ``nothing`` count as rounding.
    """

    linear: Array
    Q_starts: Array
    Q_others: Array
    Q_values: Array
    Q_dense: Array
    row_starts: Array
    row_columns: Array
    row_values: Array
    row_entries: Array
    column_starts: Array
    column_rows: Array
    column_values: Array
    partner_starts: Array
    partner_entries: Array
    partner_values: Array
    lower: Array
    upper: Array
    weight: Array
    alone: Array
    nothing: float


class Walk(NamedTuple):
    """Temperatures (reads, 2), number of candidates, and ends of the walks (reads, n)."""

    heats: Array
    length: int
    ends: Array


class Point(NamedTuple):
    """Bits, row sums, and the change per unit of x_i: in rows, by entry, and in the objective."""

    x: Array
    activity: Array
    slope: Array
    field: Array


@compiled()
def polish(ground: Ground, points: Array, seeds: Array, effort: int, depth: int, walk: Walk) -> int:
    """Repair every point (reads, n) in place and, if that succeeds, descend from it.

    ``effort`` bounds the candidates evaluated for each point, half of them for repair; ``depth`` is
    the most flips of a chain.  With ``walk.heats`` above 0, a point first walks and evaluates
    ``length`` more: chains that raise the objective are accepted as in simulated annealing, from
    the first temperature, in units of the mean change of chains that have one, down to the second,
    and the walk's end is written to ``ends``.  A point that cannot be repaired stays unchanged.
    Returns the number of candidates evaluated.
    """
    looked, half = 0, effort // 2
    n, m = points.shape[1], len(ground.lower)
    activity, field, weight = np.empty(m), np.empty(n), np.empty(m)
    slope, chain = np.empty(len(ground.column_values)), np.empty(depth, np.int64)
    todo, place = np.empty(m, np.int64), np.empty(m, np.int64)
    for read in range(len(points)):
        x = points[read]
        kept, at = x.copy(), Point(x, activity, slope, field)
        _begin(ground, at)
        assign(weight, ground.weight)
        holds, left = _mend(ground, at, weight, todo, place, seeds[read], half)
        looked += half - left
        if not holds:
            assign(x, kept)
            continue
        if walk.heats[read, 0] > 0.0:
            looked += _walk(ground, at, kept, chain, seeds[read], walk, read)
            _begin(ground, at)
        looked += half - _descend(ground, at, chain, seeds[read], half)
    return looked


@compiled(counts=False, inner=True)
def _begin(ground: Ground, at: Point) -> None:
    """Compute row sums, slopes and the objective's change per unit of x_i, starting from x = 0."""
    for r in range(len(at.activity)):
        at.activity[r] = 0.0
    assign(at.slope, ground.column_values)
    assign(at.field, ground.linear)
    for i in range(len(at.x)):
        if at.x[i]:
            at.x[i] = 0
            _move(ground, at, i, 1.0)
            _set(ground, at, i, 1.0)


@compiled(counts=False, inner=True)
def _excess(ground: Ground, r: int, activity: float) -> float:
    """Return the violation of row r at a row sum."""
    return float(max(activity - ground.upper[r], ground.lower[r] - activity, 0.0))


@compiled(counts=False, inner=True)
def _coupling(ground: Ground, i: int, j: int) -> float:
    """Return Q_ij."""
    if len(ground.Q_dense):
        return float(ground.Q_dense[i, j])
    first, stop = ground.Q_starts[i], ground.Q_starts[i + 1]
    place = search(ground.Q_others, first, stop, j)
    return float(ground.Q_values[place]) if place < stop and ground.Q_others[place] == j else 0.0


@compiled(counts=False, inner=True)
def _price(ground: Ground, at: Point, i: int, step: float, weight: Array) -> float:
    """Return the change of the weighted violation if x_i changes by ``step``."""
    total = 0.0
    for e in range(ground.column_starts[i], ground.column_starts[i + 1]):
        r = ground.column_rows[e]
        after = _excess(ground, r, at.activity[r] + step * at.slope[e])
        total += weight[r] * (after - _excess(ground, r, at.activity[r]))
    return total


@compiled(counts=False, inner=True)
def _move(ground: Ground, at: Point, i: int, step: float) -> int:
    """Change the row sums and slopes by x_i += step; return the number of slopes."""
    column, stop = ground.column_starts[i], ground.column_starts[i + 1]
    for e in range(column, stop):
        at.activity[ground.column_rows[e]] += step * at.slope[e]
    first, last = ground.partner_starts[column], ground.partner_starts[stop]
    for k in range(first, last):
        at.slope[ground.partner_entries[k]] += step * ground.partner_values[k]
    return int(last - first)


@compiled(counts=False, inner=True)
def _set(ground: Ground, at: Point, i: int, step: float) -> None:
    """Change x_i and the objective's fields."""
    at.x[i] = 1 - at.x[i]
    for e in range(ground.Q_starts[i], ground.Q_starts[i + 1]):
        at.field[ground.Q_others[e]] += step * ground.Q_values[e]


@compiled(counts=False, inner=True)
def _mend(
    ground: Ground, at: Point, weight: Array, todo: Array, place: Array, state: np.uint64, left: int
) -> tuple[bool, int]:
    """Flip variables of violated rows one by one until none is violated.

    Of the flips that lower the weighted violation, the one with the least increase of the objective
    per unit is made.  If there is none, the row's weight is raised; if no flip helps the row, any
    is made.  Returns whether all rows hold, and the remaining effort.
    """
    count = 0
    for r in range(len(at.activity)):
        place[r] = -1
        if _excess(ground, r, at.activity[r]) > HOLDS:
            todo[count], place[r] = r, count
            count += 1
    while count and left > 0:
        state = draw(state)
        row = todo[state % np.uint64(count)]
        best, least, helped = -1, np.inf, False
        first, stop = ground.row_starts[row], ground.row_starts[row + 1]
        left -= stop - first + 1
        for e in range(first, stop):
            i = ground.row_columns[e]
            step = 1.0 - 2.0 * at.x[i]
            if not _helps(ground, at, row, e, step):
                continue
            helped = True
            price = _price(ground, at, i, step, weight)
            if price < 0.0 and step * at.field[i] / -price < least:
                best, least = i, step * at.field[i] / -price
        if best < 0:
            weight[row] += ground.weight[row]
            if helped or first == stop:
                continue
            state = draw(state)  # Products need another factor first.
            best = ground.row_columns[first + np.int64(state % np.uint64(stop - first))]
        step = 1.0 - 2.0 * at.x[best]
        _set(ground, at, best, step)
        left -= _move(ground, at, best, step)
        for e in range(ground.column_starts[best], ground.column_starts[best + 1]):
            r = ground.column_rows[e]
            violated = _excess(ground, r, at.activity[r]) > HOLDS
            if violated and place[r] < 0:
                todo[count], place[r] = r, count
                count += 1
            elif not violated and place[r] >= 0:
                count -= 1
                last = todo[count]
                todo[place[r]], place[last] = last, place[r]
                place[r] = -1
    return count == 0, left


@compiled(counts=False, inner=True)
def _helps(ground: Ground, at: Point, row: int, e: int, step: float) -> bool:
    """Return whether a step of the variable at ``e`` reduces the row's violation."""
    linear = len(ground.partner_entries) == 0
    change = step * (ground.row_values[e] if linear else at.slope[ground.row_entries[e]])
    return bool(change < 0.0 if at.activity[row] > ground.upper[row] else change > 0.0)


@compiled(counts=False, inner=True)
def _descend(ground: Ground, at: Point, chain: Array, state: np.uint64, effort: int) -> int:
    """Apply chains of flips that keep every row and lower the objective, until there is none."""
    n = len(at.x)
    state = draw(state)
    i, failures = np.int64(state % np.uint64(n)), 0
    stride = int(0.618 * n) | 1
    while np.gcd(stride, n) > 1:
        stride += 2
    while failures < n and effort > 0:
        i = (i + stride) % n
        holds, change, length, moved, looked = _chain(ground, at, chain, i)
        take = holds and change < -ground.nothing
        effort -= looked + (_settle(ground, at, chain, length, take) if take or moved else 0)
        failures = 0 if take else failures + 1
    return effort


@compiled(counts=False, inner=True)
def _walk(
    ground: Ground, at: Point, best: Array, chain: Array, state: np.uint64, walk: Walk, read: int
) -> int:
    """Anneal by chains of flips between two temperatures; only x becomes the best point found."""
    left, hot, cold = walk.length, walk.heats[read, 0], walk.heats[read, 1]
    assign(best, at.x)
    value, least, total, count = 0.0, 0.0, 0.0, 0
    while left > 0:
        state = draw(state)
        i = np.int64((state >> np.uint64(11)) % np.uint64(len(at.x)))
        holds, change, length, moved, looked = _chain(ground, at, chain, i)
        left -= looked
        if holds and abs(change) > ground.nothing and count < 1000:  # the unit of temperatures
            total += abs(change)
            count += 1
        state, take = draw(state), holds
        if holds and change > ground.nothing:
            chance = (np.float64(state >> np.uint64(11)) + 1.0) * 2.0**-53
            now = cold + (hot - cold) * max(left, 0) / walk.length
            take = change < -now * total / count * np.log(chance)
        left -= _settle(ground, at, chain, length, take) if take or moved else 0
        if take:
            value += change
            if value < least - ground.nothing:
                least = value
                assign(best, at.x)
    for j in range(len(best)):
        walk.ends[read, j] = at.x[j]
    assign(at.x, best)
    return walk.length - left


@compiled(counts=False, inner=True)
def _chain(ground: Ground, at: Point, chain: Array, i: int) -> tuple[bool, float, int, bool, int]:
    """Build a chain of flips that starts with x_i, in the row sums and slopes alone.

    As long as a row is violated, one of its variables follows: the one that leaves the least
    violation, then the least objective.  If a removed variable has freed capacity, another one that
    fits is added.  Returns whether all rows hold, the change of the objective, the number of flips,
    whether row sums have moved, and the number of candidates evaluated.
    """
    depth, length, change = len(chain), 1, (1.0 - 2.0 * at.x[i]) * at.field[i]
    chain[0] = i
    row = -1 if at.x[i] or depth == 1 else ground.alone[i]
    if row >= 0:  # The only chain is an exchange, which leaves the row's sum as it is.
        for e in range(ground.row_starts[row], ground.row_starts[row + 1]):
            j = ground.row_columns[e]
            if at.x[j] and ground.alone[j] == row:
                chain[1] = j
                return True, change - at.field[j], 2, False, 1
    looked = 1 + _move(ground, at, i, 1.0 - 2.0 * at.x[i])
    while True:
        row = _first_broken(ground, at, chain, length)
        if length == depth or (row < 0 and (change < 0.0 or not at.x[chain[length - 1]])):
            break
        if row < 0:
            j, more, tried = _filler(ground, at, chain, length)
        else:
            j, more = _follower(ground, at, chain, length, row)
            tried = ground.row_starts[row + 1] - ground.row_starts[row]
        looked += tried
        if j < 0:
            break
        chain[length] = j
        length += 1
        change += more
        looked += _move(ground, at, j, 1.0 - 2.0 * at.x[j])
    return row < 0, change, length, True, looked


@compiled(counts=False, inner=True)
def _settle(ground: Ground, at: Point, chain: Array, length: int, take: bool) -> int:
    """Apply a chain's flips or undo them; return the equivalent number of candidates."""
    changed = 0
    for k in range(length):
        j = chain[k]
        if take:
            _set(ground, at, j, 1.0 - 2.0 * at.x[j])
            changed += ground.Q_starts[j + 1] - ground.Q_starts[j]
        else:
            _move(ground, at, j, 2.0 * at.x[j] - 1.0)
    return int(changed // 4)


@compiled(counts=False, inner=True)
def _first_broken(ground: Ground, at: Point, chain: Array, length: int) -> int:
    """Return a violated row of the chain's variables, -1 if all hold."""
    for k in range(length):
        for e in range(ground.column_starts[chain[k]], ground.column_starts[chain[k] + 1]):
            r = ground.column_rows[e]
            if _excess(ground, r, at.activity[r]) > HOLDS:
                return int(r)
    return -1


@compiled(counts=False, inner=True)
def _follower(ground: Ground, at: Point, chain: Array, length: int, row: int) -> tuple[int, float]:
    """Choose the next variable of a violated row, or -1, with its change of the objective."""
    best, least, cheapest = -1, np.inf, np.inf
    for e in range(ground.row_starts[row], ground.row_starts[row + 1]):
        j = ground.row_columns[e]
        step = 1.0 - 2.0 * at.x[j]
        if not _helps(ground, at, row, e, step):
            continue
        price = _price(ground, at, j, step, ground.weight)
        if price > least + HOLDS:
            continue
        cost = _cost(ground, at, chain, length, j)
        if cost < np.inf and (price < least - HOLDS or cost < cheapest):
            best, least, cheapest = j, price, cost
    return best, cheapest


@compiled(counts=False, inner=True)
def _filler(ground: Ground, at: Point, chain: Array, length: int) -> tuple[int, float, int]:
    """Choose the variable that fits the freed capacity and lowers the objective most.

    Only variables of the tightest inequality with capacity are considered. -1 if there is none.
    """
    best, cheapest, tightest, slack = -1, 0.0, -1, np.inf
    last = chain[length - 1]
    for place in range(ground.column_starts[last], ground.column_starts[last + 1]):
        row, value = ground.column_rows[place], at.slope[place]
        if ground.lower[row] > -np.inf or value <= 0.0:
            continue  # An equality has no capacity, and this one has gained none.
        room = (ground.upper[row] - at.activity[row]) / value
        if room < slack:
            tightest, slack = row, room
    if tightest < 0:
        return best, cheapest, 1
    first, stop = ground.row_starts[tightest], ground.row_starts[tightest + 1]
    for e in range(first, stop):
        j = ground.row_columns[e]
        if at.x[j]:
            continue
        cost = _cost(ground, at, chain, length, j)
        fits = cost < cheapest
        for place in range(ground.column_starts[j], ground.column_starts[j + 1] * fits):
            r = ground.column_rows[place]
            if _excess(ground, r, at.activity[r] + at.slope[place]) > HOLDS:
                fits = False
                break
        if fits:
            best, cheapest = j, cost
    return best, cheapest, 1 + stop - first


@compiled(counts=False, inner=True)
def _cost(ground: Ground, at: Point, chain: Array, length: int, j: int) -> float:
    """Return the objective's change if x_j flips after the chain; infinite for its members."""
    pull = at.field[j]
    coupled = ground.Q_starts[j] < ground.Q_starts[j + 1]
    for k in range(length):
        if chain[k] == j:
            return np.inf
        if coupled:
            pull += (1.0 - 2.0 * at.x[chain[k]]) * _coupling(ground, j, chain[k])
    return float((1.0 - 2.0 * at.x[j]) * pull)
