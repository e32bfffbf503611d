"""Read a report: three ways to train on the same data, eight seeds, and what the runs show.

Keeps every run in the folder ``runs``, writes ``report.html``, a single page for any browser, and
prints the conclusions of that page.  The same on the command line:

    qnn compare breast_cancer --hidden 2 --seeds 8 --keep runs --iterations 50 \\
        --solvers annealing,random,logistic-regression
    qnn report runs --html report.html

Expect it to say that annealing has a smaller training loss than random networks, by how much, and
what this does not show.  With five seeds or fewer, no difference could be significant.
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
