"""Public interface: data sets, estimators, comparisons, and the command ``qnn``.

The command imports this package before it handles Ctrl-C, so a name is loaded only on first use.
"""

from __future__ import annotations


def __getattr__(name: str) -> object:
    """Import a public name, listed in ``__init__.pyi``, on first use."""
    if name == "__version__":
        from importlib.metadata import version

        return version("qnn-ising")
    import lazy_loader

    loaded, _, names = lazy_loader.attach_stub(__name__, __file__)
    return names if name == "__all__" else loaded(name)


def __dir__() -> list[str]:
    """List the public names, including those not imported yet."""
    return [*__getattr__("__all__"), "__version__"]  # type: ignore[misc]
