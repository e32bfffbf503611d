"""Draws docs/cqm_rounds.svg: residual and incumbent of QCGD over its rounds, on the page's model.

    python docs/draw_cqm.py [FILE.svg]

Needs matplotlib: pip install 'qnn-ising[plot]'.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "qnn"  # the same figure is the same file

from matplotlib import pyplot as plt  # noqa: E402

HERE = Path(__file__).parent
PAGE = "from-a-cqm-to-a-feasible-answer.md"


def history() -> dict[str, list[float]]:
    """What the page's own code finds, round by round."""
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", (HERE / PAGE).read_text(), flags=re.DOTALL):
        exec(compile(block, PAGE, "exec"), names)
        if "samples" in names:
            return dict(names["samples"].info["history"])
    raise SystemExit(f"{PAGE} has no code that makes samples")


def draw(found: dict[str, list[float]], path: Path) -> None:
    """Residual of the rows above, cost of the incumbent and of the oracle's best below."""
    rounds = found["iteration"]
    figure, (above, below) = plt.subplots(2, sharex=True, figsize=(7, 5), layout="constrained")
    above.semilogy(rounds, found["residual_square"], label="(ii) averaged squared residual")
    above.semilogy(rounds, found["residual_mean"], label="(i) averaged residual")
    above.set_ylabel("norm over the rows")
    below.step(rounds, found["loss"], where="post", label="best feasible so far")
    floor, ceiling = min(found["loss"]), max(found["loss"])
    shown = [loss if loss < 2 * ceiling else float("nan") for loss in found["oracle_loss"]]
    below.step(rounds, shown, where="post", linestyle="--", label="by the oracle, without repair")
    below.set_ylim(floor - 0.1 * (ceiling - floor) - 1, None)
    below.set_ylabel("cost")
    below.set_xlabel("round (one oracle call each)")
    for axes in (above, below):
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    draw(history(), Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "cqm_rounds.svg")
