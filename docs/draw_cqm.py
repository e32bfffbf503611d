"""Residual and incumbent of QCGD over its rounds, on the model of the page about CQMs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from drawing import label
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

HERE = Path(__file__).parent
PAGE = "from-a-cqm-to-a-feasible-answer.md"


def history() -> dict[str, list[float]]:
    """What the page's own code finds, round by round."""
    names: dict[str, Any] = {"print": lambda *_: None}
    for block in re.findall(r"```python\n(.*?)```", (HERE / PAGE).read_text(), flags=re.DOTALL):
        exec(compile(block, PAGE, "exec"), names)
        if "samples" in names:
            return dict(names["samples"].info["history"])
    raise SystemExit(f"{PAGE} has no code that makes samples")


def draw() -> Figure:
    """Residual of the rows above, cost of the incumbent and of the oracle's best below."""
    found = history()
    rounds = found["iteration"]
    figure, (above, below) = plt.subplots(2, sharex=True, figsize=(6, 5), layout="constrained")
    above.semilogy(rounds, found["residual_mean"], label="residual of the rows, averaged")
    above.semilogy(rounds, found["residual_square"], label="squared residual, averaged")
    label(above, "", "norm over the rows")
    below.step(rounds, found["loss"], where="post", label="best feasible so far")
    floor, ceiling = min(found["loss"]), max(found["loss"])
    shown = [loss if loss < 2 * ceiling else float("nan") for loss in found["oracle_loss"]]
    below.step(rounds, shown, where="post", linestyle="--", label="by the oracle, without repair")
    below.set_ylim(floor - 0.1 * (ceiling - floor) - 1, None)
    label(below, "round (one oracle call each)", "cost")
    above.legend()
    below.legend()
    return figure
