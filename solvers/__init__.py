"""Solvers: each one trains a problem's weights by ``solve(problem) -> Result``.

A constructor raises ``InvalidInputError`` for an unknown or out-of-range option.
"""

import lazy_loader

# __init__.pyi lists the names; each one is imported on first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
