"""The front door: data sets, estimators, comparisons, and the command ``qnn``."""

from importlib.metadata import version

import lazy_loader

# The names stand in __init__.pyi; each is imported when it is first asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__.append("__version__")

__version__ = version("qnn-ising")
