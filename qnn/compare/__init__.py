"""Comparison of solvers on the same draws of data and the same budget, keeping every figure.

A comparison is a list of independent cells, one per data set, solver, penalty weight and seed.  A
cell is a plain value and its outcome a plain dictionary, so that finished cells can be skipped and
others run elsewhere:

    plan -> run -> results
"""

from qnn.compare.cells import Cell, Outcome, plan, words_to_data
from qnn.compare.execute import run
from qnn.compare.store import Store, in_folder
from qnn.compare.summary import results, summarize

__all__ = [
    "Cell",
    "Outcome",
    "Store",
    "in_folder",
    "plan",
    "results",
    "run",
    "summarize",
    "words_to_data",
]
