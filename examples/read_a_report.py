"""Reading a report: three ways to train on the same data, eight seeds, and what that shows.

Keeps every run in the folder ``runs``, writes ``report.html``, one page to open in any browser, and
prints what the page says in words.  The same on the command line:

    qnn compare breast_cancer --hidden 2 --seeds 8 --keep runs --iterations 50 \\
        --solvers annealing,random,logistic-regression
    qnn report runs --html report.html

Expect it to say that annealing has a smaller training loss than random networks, by how much, and
all that this does not mean; fewer seeds could not have told it, however large the difference.
"""

from pathlib import Path

from qnn import compare, report
from qnn.runs.solver_options import SolverOptions
from qnn.runs.training import DataOptions, ModelOptions

cells = compare.plan(
    DataOptions("breast_cancer", samples=100),
    ModelOptions(hidden=(2,)),
    SolverOptions(iterations=50),
    solvers=["annealing", "random", "logistic-regression"],
    seeds=range(8),
    penalties=[1.0],
)
runs = compare.Store("runs")
runs.write_plan(cells)
compare.run(cells, keep=runs)

results = report.load("runs")
Path("report.html").write_text(report.html([results]))
print(*report.told([results]), sep="\n")
