"""Oracles: samplers that take a QUBO and return samples.

A constructor raises ``InvalidInputError`` for an unknown or out-of-range option; ``sample`` raises
it for coefficients that are not finite.
"""

import lazy_loader

# __init__.pyi lists the names; each one is imported on first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
