"""Contents of the wheel and source distribution, and use with the core dependencies alone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = ("dwave.system", "dwave.cloud", "dwave.graphs", "minorminer", "ortools", "onnx")


def without_extras(code: str) -> str:
    """Return what Python prints in a process with the core dependencies alone."""
    block = f"import sys\nfor name in {EXTRAS!r}: sys.modules[name] = None\n"
    run = subprocess.run([sys.executable, "-c", block + code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_every_file_of_the_packages_is_in_the_wheel() -> None:
    for package, patterns in SETTINGS["tool"]["setuptools"]["package-data"].items():
        folder = ROOT / package
        there = {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".py"}
        named = {path for pattern in patterns for path in folder.glob(pattern)}
        assert {path for path in there if path.parent.name != "__pycache__"} == named


def test_source_distribution_has_docs_examples_tests_and_changelog(tmp_path: Path) -> None:
    tree = tmp_path / "project"
    unwanted = (".*", "__pycache__", "*.egg-info", "_build", "copied", "results", "build", "dist")
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*unwanted))
    build = "import setuptools.build_meta as meta; print(meta.build_sdist('.'))"
    subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True)
    (archive,) = tree.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    for expected in (
        "CHANGELOG.md",
        "CITATION.cff",
        "LICENSE",
        "Makefile",
        "docs/index.md",
        "docs/conf.py",
        "examples/README.md",
        "tests/conftest.py",
        "tests/qnn/test_estimators.py",
        "qnn/export/c/qnn.c",
    ):
        assert expected in names
    assert not [name for name in names if "__pycache__" in name]


def test_conda_recipe_has_the_version_and_dependencies_of_the_wheel() -> None:
    recipe = yaml.safe_load((ROOT / "conda-recipe" / "recipe.yaml").read_text())
    project = SETTINGS["project"]
    assert recipe["context"]["version"] == project["version"]
    python, *run = [need.replace(" ", "") for need in recipe["requirements"]["run"]]
    assert python == f"python{project['requires-python']}"
    assert run == project["dependencies"]
    assert recipe["about"]["summary"] == project["description"]
    (command,) = recipe["build"]["python"]["entry_points"]
    assert dict([command.split(" = ")]) == project["scripts"]


def test_public_names_are_shown_and_the_version_is_the_installed_one() -> None:
    said = without_extras("import qnn; print(*dir(qnn), qnn.__version__)").split()
    assert {"Dataset", "QNNClassifier", "QNNRegressor", "__version__", "load"} <= set(said[:-1])
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", said[-1])


def test_core_dependencies_solve_a_constrained_model_and_train_a_network() -> None:
    said = without_extras(
        """
import dimod, numpy as np, qnn, solvers
x, y = dimod.Binaries("xy")
cqm = dimod.ConstrainedQuadraticModel()
cqm.set_objective(-x - 2 * y)
cqm.add_constraint(x + y <= 1)
print(solvers.QCGDSampler().sample_cqm(cqm, time_limit=0.2, seed=0).first.energy)
X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 5)
print(qnn.QNNClassifier(hidden=(), levels=2, time_limit=0.5).fit(X, X[:, 0]).score(X, X[:, 0]))
"""
    )
    assert said.split() == ["-2.0", "1.0"]


def test_what_needs_an_extra_names_it_and_an_embedding_is_left_open() -> None:
    said = without_extras(
        """
import numpy as np, solvers
from formulations.errors import MissingExtraError
from solvers import oracles
from solvers.oracles import registry
from solvers.cp_sat import import_cp_model
from solvers.oracles.cloud.embedding import clique_fit, expected_fit, hardware_graph
qubo = oracles.QUBO(np.ones(2), np.array([0]), np.array([1]), np.ones(1))
seed = np.random.SeedSequence(0)
for call in (
    lambda: oracles.QPU().sample(qubo, seed),
    lambda: oracles.HybridBQM().sample(qubo, seed),
    lambda: registry.make("mock-qpu").sample(qubo, seed),
    lambda: hardware_graph("P2"),
    import_cp_model,
):
    try: call()
    except MissingExtraError as error: print(str(error).rpartition("pip install ")[2])
print(clique_fit(20, "P16").fits, clique_fit(20, "P16"), expected_fit(20, 40, "P16").fits)
"""
    ).splitlines()
    assert said[:-1] == ["'qnn-ising[ocean]'"] * 4 + ["'qnn-ising[exact]'"]
    assert said[-1].startswith("None not tried: pip install 'qnn-ising[ocean]'")
    assert said[-1].endswith("True")
