"""The front door: data sets, estimators, comparisons, and the command ``qnn``."""

from importlib.metadata import version

import lazy_loader

# The names stand in __init__.pyi; each is imported when it is first asked for.
__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = version("qnn-ising")


def __dir__() -> list[str]:
    """The public names, of which none may have been imported yet."""
    return [*__all__, "__version__"]
