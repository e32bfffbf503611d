"""Every example runs where a newcomer runs it, and prints what it says to expect."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from qnn.cli import main as cli

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples"
NOTEBOOKS = {
    "choose_columns": {"time_limit=5": "time_limit=0.3", "num_reads=500": "num_reads=100"},
    "digits_in_bytes": {"QNNClassifier(": "QNNClassifier(time_limit=0.3, "},
    "own_machine": {
        "time_limit=1": "time_limit=0.1", "num_reads=5": "num_reads=1", "range(3)": "range(1)",
    },
}  # fmt: skip
"""The notebooks, and what is shortened here: no limit, number of reads or number of seeds decides
whether their cells run and draw."""

NEEDS = {"dask_killed_worker": "dask", "hedging_dask": "dask", "read_a_report": "matplotlib"}
SHOWN = {
    "cqm_without_penalties": r"QCGD +cost +\d+ +feasible: True",
    "dask_killed_worker": r"1 worker killed\nidentical to serial: True\n.*1 worker killed\n.*True",
    "digits_pair": r"85 bits; hinge loss 0 on 100 samples\nright on 9\d%",
    "grid_search": r"the search +0\.9\d\d, \d\.\d\d bits a weight\nlogistic regression +0\.9",
    "hedging_dask": r"identical: True",
    "microcontroller": r"C +[\d,]+ bytes(.*\n)+.*(450 test images: True|no C compiler)",
    "own_activation_and_loss": r"12 pieces, .* loss by the pieces 5\.\d, by the functions 5\.\d",
    "own_csv": r"classes: grower 0, grower 1, grower 2; .*\nhinge loss \d+; 5\d of 58 others right",
    "own_oracle": r"Descent passes all \d+ checks\nDescent: hinge loss \d, 20 calls",
    "read_a_report": r"concluded\n- logistic-regression(.*\n)+- annealing(.*\n)+What cannot\n",
    "qpu_dry_run": r"QPU time on P16: .*\n(.*\n)*mock-qpu: loss \d",
}
"""A pattern of what each of them prints; those that need a launcher are tested below."""


@pytest.mark.parametrize("name", SHOWN)
def test_example(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = FOLDER / f"{name}.py"
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(path)])
    runpy.run_path(str(path), run_name="__main__")
    assert re.search(SHOWN[name], capsys.readouterr().out)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("ipykernel")
    monkeypatch.syspath_prepend(ROOT / "docs")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    from notebooks import executed

    run = executed(name, tmp_path, NOTEBOOKS[name])
    kept = json.loads((FOLDER / f"{name}.ipynb").read_text())
    for cells in (run.cells, kept["cells"]):
        shown = [output for cell in cells for output in cell.get("outputs", [])]
        assert any("image/png" in output.get("data", {}) for output in shown)


def test_all_are_tested_and_in_the_table() -> None:
    files = {path.name for path in FOLDER.iterdir() if path.suffix in (".py", ".ipynb")}
    programs = {f"{name}.py" for name in (*SHOWN, "hedging_mpi")}
    assert files == programs | {f"{name}.ipynb" for name in NOTEBOOKS}
    assert set(re.findall(r"\(([a-z_]+\.\w+)\)", (FOLDER / "README.md").read_text())) == files


def test_ten_lines_are_ten() -> None:
    tree = ast.parse((FOLDER / "digits_pair.py").read_text())
    assert len(tree.body[1:]) == 10  # after the docstring; one statement a line


def test_the_command_of_own_csv_gives_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(FOLDER / "own_csv.py"), run_name="__main__")
    shown = capsys.readouterr().out
    command = shown[shown.index("qnn train") :].replace("\\\n", "")
    with pytest.raises(SystemExit):
        cli.main([*shlex.split(command)[1:], "--json", "-"])
    record = json.loads(capsys.readouterr().out)
    assert f"hinge loss {record['train_loss']:g};" in shown
    assert f"{record['test_accuracy'] * 58:.0f} of 58 others right" in shown


def test_the_example_of_mpi() -> None:
    pytest.importorskip("mpi4py")
    mpiexec = shutil.which("mpiexec", path=f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}")
    if mpiexec is None:
        pytest.skip("mpiexec is not installed")
    allowed = {  # of Open MPI: containers run as root, and have fewer cores than processes
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    }
    command = [mpiexec, "-n", "3", sys.executable, "-m", "mpi4py.futures", "hedging_mpi.py"]
    run = subprocess.run(
        command,
        cwd=FOLDER,
        env={**os.environ, **allowed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert "models shipped for 30 rounds" in run.stdout
