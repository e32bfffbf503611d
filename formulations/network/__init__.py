"""Networks: layers, weight codes, activations as splines, losses, and bounds."""

import lazy_loader

# __init__.pyi lists the names; each is imported on first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
