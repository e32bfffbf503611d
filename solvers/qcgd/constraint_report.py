"""Report of the constraints that an answer violates, those that bind, and their multipliers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from formulations.checks import check_whole
from formulations.errors import InvalidInputError
from formulations.shown_table import ShownTable
from solvers.qcgd.cqm import states_of

if TYPE_CHECKING:
    import dimod


def constraint_report(
    cqm: dimod.ConstrainedQuadraticModel, samples: Any, *, number: int = 0
) -> ShownTable:
    """Report each constraint of an answer: its value, slack and multiplier.

    Parameters
    ----------
    cqm : dimod.ConstrainedQuadraticModel
    samples : SampleSet, mapping, or anything that dimod takes for samples
        Answers of ``sample_cqm``, or of any other sampler, which give no multipliers.
    number : int
        Index of the sample.

    Returns
    -------
    ShownTable
        Its ``rows`` are mappings from

        ``constraint``   its label;
        ``state``        "violated", "soft, violated" if a weight prices it, "binding" or "slack";
        ``value``, ``sense``, ``bound``  of the constraint: left side; ==, <= or >=; right side;
        ``slack``        the distance to the bound, negative if violated;
        ``multiplier``   the search's last price per unit of the left side, in units of the
        objective; None if presolve needed no row, or there is none.

        Violated constraints come first, then binding ones, by the size of their multiplier.  A
        multiplier shows which constraints the search finds hard to satisfy.  It is not a dual of
        the model: binary models have duality gaps, and its value is that at which the descent
        stopped.

    Raises
    ------
    InvalidInputError
        If the sample lacks variables, or there is no such sample.

    Examples
    --------
    >>> import dimod
    >>> x, y = dimod.Binaries("xy")
    >>> cqm = dimod.ConstrainedQuadraticModel()
    >>> _ = cqm.add_constraint(x + y <= 1, label="one at most")
    >>> _ = cqm.add_constraint(x - y <= 5, label="never reached")
    >>> print(constraint_report(cqm, {"x": 1, "y": 1}))
    constraint     state     value  sense  bound  slack  multiplier
    one at most    violated  2      <=     1      -1     -
    never reached  slack     0      <=     5      5      -
    """
    values = states_of(cqm, samples, "samples")
    if not len(values):
        raise InvalidInputError("samples are empty: there is no answer to report on")
    place = check_whole("number", number, least=0, most=len(values) - 1)
    sample = dict(zip(cqm.variables, values[place].tolist(), strict=True))
    info = getattr(samples, "info", {})
    multipliers: Mapping[Any, float] = info.get("multipliers", {}).get("linear", {})
    rows = []
    for data in cqm.iter_constraint_data(sample):
        slack = data.rhs_energy - data.lhs_energy
        if data.sense.value == ">=":
            slack = -slack
        elif data.sense.value == "==":
            slack = -abs(slack)
        tight = 1e-6 * max(1.0, abs(data.rhs_energy))  # dimod's tolerance
        state = "violated" if slack < -tight else "binding" if slack <= tight else "slack"
        if state == "violated" and cqm.constraints[data.label].lhs.is_soft():
            state = "soft, violated"
        rows.append(
            {
                "constraint": data.label,
                "state": state,
                "value": float(data.lhs_energy),
                "sense": data.sense.value,
                "bound": float(data.rhs_energy),
                "slack": float(slack) + 0.0,
                "multiplier": multipliers.get(str(data.label)),
            }
        )
    order = ["violated", "soft, violated", "binding", "slack"]
    rows.sort(key=lambda row: (order.index(row["state"]), -abs(row["multiplier"] or 0.0)))
    return ShownTable(rows)
