"""The page in a real browser: light, dark, narrow and on paper, with no network at all."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qnn import report
from tests.qnn.report.results import comparison, of_cells, outcome, reference

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
LIGHT, DARK = 1, 0
Browse = Callable[..., subprocess.CompletedProcess[str]]

PROBE = """
<script>
addEventListener("load", () => {
  const root = document.documentElement, outside = [];
  for (const svg of document.querySelectorAll("svg"))
    for (const text of svg.querySelectorAll("text")) {
      const box = text.getBoundingClientRect(), frame = svg.getBoundingClientRect();
      if (box.width && (box.left < frame.left - 1 || box.right > frame.right + 1
          || box.top < frame.top - 1 || box.bottom > frame.bottom + 1))
        outside.push(text.textContent);
    }
  const found = {
    width: innerWidth, needed: root.scrollWidth, outside,
    loaded: performance.getEntriesByType("resource").length,
    charts: [...document.querySelectorAll("svg")].filter(s => s.checkVisibility()).length,
    background: getComputedStyle(document.body).backgroundColor,
  };
  document.body.innerHTML = "<pre>FOUND" + JSON.stringify(found) + "FOUND</pre>";
});
</script>
"""


@pytest.fixture(scope="module")
def browse(tmp_path_factory: pytest.TempPathFactory) -> Browse:
    """A function that opens a page in headless Chromium, where no name is resolved."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} on PATH")

    def run(page: Path, *words: str, theme: int = LIGHT) -> subprocess.CompletedProcess[str]:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--no-first-run"]
        command += [f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]
        command += [f"--blink-settings=preferredColorScheme={theme}", *words, page.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)

    return run


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


def found_by(browse: Browse, page: Path, tmp_path: Path, **how: Any) -> dict[str, Any]:
    """What a script sees that is put into the page, which has none itself."""
    probed = tmp_path / "probed.html"
    probed.write_text(page.read_text().replace("</body>", f"{PROBE}</body>"))
    width = how.pop("width")
    dom = browse(probed, f"--window-size={width},900", "--dump-dom", **how).stdout
    return dict(json.loads(dom.split("FOUND")[1].replace("&amp;", "&").replace("&lt;", "<")))


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_window_or_comes_from_elsewhere(
    browse: Browse, page: Path, tmp_path: Path, width: int
) -> None:
    found = found_by(browse, page, tmp_path, width=width)
    assert found["width"] <= max(width, 500)  # some builds open no narrower window
    assert found["needed"] <= found["width"]
    assert found["loaded"] == 0
    assert found["charts"] >= 8
    assert found["outside"] == []


@pytest.mark.parametrize(
    ("theme", "paper", "blue"), [(LIGHT, "#ffffff", "#012fde"), (DARK, "#15181d", "#5291ff")]
)
def test_it_is_drawn_in_the_colors_of_the_theme(
    browse: Browse, page: Path, tmp_path: Path, theme: int, paper: str, blue: str
) -> None:
    from matplotlib.image import imread

    picture = tmp_path / "page.png"
    browse(page, "--window-size=1280,4000", f"--screenshot={picture}", theme=theme)
    read = imread(picture)
    assert read.shape[:2] == (4000, 1280)
    pixels = np.round(read[:, :, :3] * 255).astype(int) @ [65536, 256, 1]
    share = {name: np.mean(pixels == int(name[1:], 16)) for name in (paper, blue)}
    assert 0.4 < share[paper] < 0.97
    assert share[blue] > 1e-4
    assert len(np.unique(pixels)) > 200


def test_on_paper_nothing_is_left_folded(browse: Browse, page: Path, tmp_path: Path) -> None:
    opened = tmp_path / "opened.html"
    opened.write_text(page.read_text().replace("<details", "<details open"))
    assert "<details open" in opened.read_text()
    pages = []
    for one in (page, opened):
        paper = tmp_path / f"{one.stem}.pdf"
        browse(one, "--no-pdf-header-footer", f"--print-to-pdf={paper}", theme=DARK)
        pages.append(len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes())))
    assert pages[0] == pages[1] > 2
