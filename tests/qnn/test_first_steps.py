"""What a newcomer runs first works as it is printed: README's Python, and the examples."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_python_of_the_readme() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        names: dict[str, float] = {}
        exec(compile(block, "README.md", "exec"), names)
        assert names.get("accuracy", 1.0) > 0.5


HERE = [path for path in sorted((ROOT / "examples").glob("*.py")) if path.stem != "hedging_mpi"]


@pytest.mark.parametrize("path", HERE, ids=lambda p: p.name)
def test_examples(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for extra in ("dask", "torch"):
        if re.search(rf"^(import|from) {extra}\b", path.read_text(), flags=re.MULTILINE):
            pytest.importorskip(extra)
    monkeypatch.setattr("sys.argv", [str(path)])
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out


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
        cwd=ROOT / "examples",
        env={**os.environ, **allowed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert "models shipped for 30 rounds" in run.stdout
