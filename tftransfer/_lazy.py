"""Public names that load on first use, so that importing them costs nothing."""

import importlib
import sys
from collections.abc import Callable


def load_on_use(
    package: str, public: dict[str, str], modules=()
) -> tuple[Callable, Callable]:
    """Return `__getattr__` and `__dir__` of a package.

    Args:
        package: Its `__name__`.
        public: {name: module that defines it}.
        modules: Names of its subpackages.
    """

    def get(name: str):
        if name in public:
            value = getattr(importlib.import_module(public[name]), name)
        elif name in modules:
            value = importlib.import_module(f"{package}.{name}")
        else:
            raise AttributeError(f"module '{package}' has no attribute '{name}'.")
        vars(sys.modules[package])[name] = value
        return value

    return get, lambda: sorted({*public, *modules})
