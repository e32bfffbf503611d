"""Straight-through training: gradients of latent weights that are rounded on the way forward."""

import lazy_loader

# The names are listed in __init__.pyi; each is imported on first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
