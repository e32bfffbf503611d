"""Reproductions of published tables: each is a function from options to a report.

To add a table, add a file and a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from formulations.checks import choose
from qnn.reproduce.baselines import baselines
from qnn.reproduce.bemi import bemi
from qnn.reproduce.explicit import explicit
from qnn.reproduce.manifold import manifold
from qnn.reproduce.report import Report, ReproduceOptions, finished
from qnn.reproduce.rmda import rmda
from qnn.reproduce.svi import svi

REPRODUCTIONS: Mapping[str, Callable[[ReproduceOptions], Report]] = MappingProxyType(
    {
        "baselines": baselines,
        "bemi": bemi,
        "explicit": explicit,
        "manifold": manifold,
        "rmda": rmda,
        "svi": svi,
    }
)
"""Reproductions by name."""


def reproduce(name: str, options: ReproduceOptions | None = None) -> Report:
    """Run the reproduction called ``name``; Ctrl-C ends it with the rows finished so far."""
    table = REPRODUCTIONS[choose("published table", name, list(REPRODUCTIONS))]
    return finished(table(options or ReproduceOptions()))


__all__ = ["REPRODUCTIONS", "ReproduceOptions", "Report", "reproduce"]
