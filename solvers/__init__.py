"""From a problem to weights: every solver answers ``solve(problem) -> Result``.

A constructor raises ``InvalidInputError`` for an option that is unknown or out of range.
"""

import lazy_loader

# The names stand in __init__.pyi; each is imported when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
