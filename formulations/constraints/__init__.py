"""Constraints on the weights of a network: objects passed to a training problem."""

import lazy_loader

# __init__.pyi lists the names; each one is imported on first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
