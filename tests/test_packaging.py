"""What a wheel must hold beside Python's own files."""

from __future__ import annotations

import tomllib

from tests.conftest import ROOT


def test_every_file_of_the_packages_is_in_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for package, patterns in settings["package-data"].items():
        folder = ROOT / package
        there = {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".py"}
        named = {path for pattern in patterns for path in folder.glob(pattern)}
        assert {path for path in there if path.parent.name != "__pycache__"} == named
