"""The front door: data sets, estimators, comparisons, and the command ``qnn``.

The command imports this package before it can heed Ctrl-C, so nothing is loaded until a name is
asked for.
"""

from __future__ import annotations


def __getattr__(name: str) -> object:
    """A public name, which stands in ``__init__.pyi``, imported when it is first asked for."""
    if name == "__version__":
        from importlib.metadata import version

        return version("qnn-ising")
    import lazy_loader

    loaded, _, names = lazy_loader.attach_stub(__name__, __file__)
    return names if name == "__all__" else loaded(name)


def __dir__() -> list[str]:
    """The public names, of which none may have been imported yet."""
    return [*__getattr__("__all__"), "__version__"]  # type: ignore[misc]
