"""Consistency of version, release notes and citation."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from tests.conftest import ROOT


def settings() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_version_is_the_same_everywhere() -> None:
    version = settings()["project"]["version"]
    (cited,) = re.findall(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    released = re.findall(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert cited == released[0] == version


def test_every_fragment_of_the_release_notes_has_a_known_kind() -> None:
    towncrier = settings()["tool"]["towncrier"]
    kinds = "|".join(kind["directory"] for kind in towncrier["type"])
    names = {path.name for path in (ROOT / towncrier["directory"]).iterdir()} - {"README.md"}
    assert [name for name in names if not re.fullmatch(rf"[\w+-]+\.({kinds})\.md", name)] == []


def test_release_notes_are_added_below_a_mark_in_the_changelog() -> None:
    towncrier = settings()["tool"]["towncrier"]
    assert (ROOT / towncrier["filename"]).read_text().count(towncrier["start_string"]) == 1
