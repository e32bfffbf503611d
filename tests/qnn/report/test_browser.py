"""The page in a real browser: light, dark, narrow and on paper, with no network at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from qnn import report
from tests.qnn.report.browser import NAMES, Browser, find
from tests.qnn.report.results import comparison, of_cells, outcome, reference

PROBE = """(() => {
  document.querySelectorAll("details.researchers").forEach(one => { one.open = true; });
  const outside = [], sizes = [];
  for (const svg of document.querySelectorAll("svg")) {
    const frame = svg.getBoundingClientRect();
    for (const text of svg.querySelectorAll("text")) {
      const box = text.getBoundingClientRect();
      sizes.push(text.getScreenCTM().a * parseFloat(getComputedStyle(text).fontSize));
      if (box.width && (box.left < frame.left - 1 || box.right > frame.right + 1
          || box.top < frame.top - 1 || box.bottom > frame.bottom + 1))
        outside.push(text.textContent);
    }
  }
  return {
    width: innerWidth, needed: document.documentElement.scrollWidth, outside,
    heads: Math.max(...[...document.querySelectorAll("tbody th")].map(th => th.offsetWidth)),
    smallest: Math.min(...sizes.filter(size => size > 0)),
    loaded: performance.getEntriesByType("resource").length,
    charts: [...document.querySelectorAll("svg")].filter(s => s.checkVisibility()).length,
  };
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests."""
    program = find()
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} on PATH")
    opened = Browser(program, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two data sets, one with a long name, and of a solver that fails at length."""
    pytest.importorskip("matplotlib")
    losses = {"qcgd": [5.0, 6.0, 8.0], "penalty 0.3": [6.0] * 3, "penalty 1": [7.0] * 3}
    losses |= {"hedging": [9.0, 7.0, 8.0], "straight-through": [9.5, 7.5, 8.5]}
    long = "a-folder/with-quite-a-long-name/data-that-nobody-has-shortened.csv"
    cells = comparison({"digits:3,8": losses, long: losses})["cells"]
    cells += [outcome("digits:3,8", "random", s, None, error="x" * 300) for s in range(3)]
    cells += [reference("digits:3,8", s) for s in range(3)]
    path = tmp_path_factory.mktemp("report") / "report.html"
    report.write(str(path), [of_cells(cells, command="qnn compare " + 40 * "word ")])
    return path


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_window_or_comes_from_elsewhere(
    browser: Browser, page: Path, width: int
) -> None:
    browser.open(page, width)
    found = browser.value(PROBE)
    assert found["width"] == width
    assert found["needed"] <= width
    assert found["heads"] < 0.5 * width  # they stay where they are while a table is scrolled
    assert found["loaded"] == 0
    assert found["charts"] >= 8
    assert found["smallest"] > 9  # pixels
    assert found["outside"] == []


@pytest.mark.parametrize(
    ("dark", "paper", "blue"), [(False, "#ffffff", "#012fde"), (True, "#15181d", "#5291ff")]
)
def test_it_is_drawn_in_the_colors_of_the_theme(
    browser: Browser, page: Path, dark: bool, paper: str, blue: str
) -> None:
    from matplotlib.image import imread

    browser.open(page, 1280, 4000, dark)
    read = imread(BytesIO(browser.picture()))
    assert read.shape[:2] == (4000, 1280)
    pixels = np.round(read[:, :, :3] * 255).astype(int) @ [65536, 256, 1]
    share = {name: np.mean(pixels == int(name[1:], 16)) for name in (paper, blue)}
    assert 0.4 < share[paper] < 0.97
    assert share[blue] > 1e-4
    assert len(np.unique(pixels)) > 200


def test_on_paper_nothing_is_left_folded(browser: Browser, page: Path) -> None:
    browser.open(page, dark=True)
    folded = browser.on_paper()
    assert browser.value("document.querySelectorAll('details:not([open])').length") > 0
    browser.value("document.querySelectorAll('details').forEach(one => one.open = true)")
    pages = [len(re.findall(rb"/Type\s*/Page\b", paper)) for paper in (folded, browser.on_paper())]
    assert pages[0] == pages[1] > 2
