"""Reports of comparisons and training runs: an HTML page, Markdown, or JSON.

    load -> parts -> html | markdown | record

A part consists of sentences, tables and charts, which are independent of files; only the page
writes.
"""

from qnn.report.documents import load
from qnn.report.figures.svg import check_matplotlib
from qnn.report.page import check_place, html, markdown, record, told, write

__all__ = [
    "check_matplotlib",
    "check_place",
    "html",
    "load",
    "markdown",
    "record",
    "told",
    "write",
]
