"""A headless browser that opens one page after another, told what to do through two pipes."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
from base64 import b64decode
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 120.0
"""Seconds until an answer is given up."""

LOADED = """new Promise(
  go => document.readyState == "complete" ? go() : addEventListener("load", go))"""


def find() -> str | None:
    """The browser on this machine; None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """Chromium that resolves no name.  It hears on descriptor 3 and answers on 4, as JSON."""

    def __init__(self, program: str, profile: Path) -> None:
        hears, self._tells = os.pipe()
        self._hears, tells = os.pipe()

        def at_their_places() -> None:  # by now 3 and 4 are taken, so that the copies lie above
            for copy, place in zip([os.dup(hears), os.dup(tells)], (3, 4), strict=True):
                os.dup2(copy, place)

        words = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        words += ["--host-resolver-rules=MAP * ~NOTFOUND", "--no-first-run"]
        words += [f"--user-data-dir={profile}", "--remote-debugging-pipe"]
        self._process = subprocess.Popen(
            [program, *words],
            preexec_fn=at_their_places,
            pass_fds=(3, 4),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(hears)
        os.close(tells)
        self._asked, self._heard = 0, b""
        self._session: dict[str, str] = {}
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}

    def open(self, page: Path, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Show a page in a window of this size."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._ask("Emulation.setDeviceMetricsOverride", **size)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[theme])
        self._ask("Page.navigate", url=page.as_uri())
        self.value(LOADED)

    def value(self, script: str) -> Any:
        """What an expression is in the page."""
        asked = {"expression": script, "awaitPromise": True, "returnByValue": True}
        return self._ask("Runtime.evaluate", **asked)["result"].get("value")

    def picture(self) -> bytes:
        """What the window shows, as PNG."""
        return b64decode(self._ask("Page.captureScreenshot")["data"])

    def on_paper(self) -> bytes:
        """The page as PDF."""
        return b64decode(self._ask("Page.printToPDF", preferCSSPageSize=True)["data"])

    def close(self) -> None:
        """End the browser."""
        os.close(self._tells)  # at which it ends by itself
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._hears)

    def _ask(self, what: str, **how: Any) -> dict[str, Any]:
        self._asked += 1
        asked = {"id": self._asked, "method": what, "params": how, **self._session}
        os.write(self._tells, json.dumps(asked).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._asked:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._heard:
            assert select.select([self._hears], [], [], PATIENCE)[0], "the browser says nothing"
            more = os.read(self._hears, 1 << 20)
            assert more, "the browser has ended"
            self._heard += more
        first, self._heard = self._heard.split(b"\0", 1)
        return dict(json.loads(first))
