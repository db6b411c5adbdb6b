"""Which nets' tests are slow: building a large one takes seconds."""

import pytest

from tftransfer.backbones.catalogue import ARCHITECTURES

_LARGE = 12e6  # parameters


def marks_of(name: str):
    """Return the marks of a test on the architecture of this name."""
    return pytest.mark.slow if ARCHITECTURES[name].parameters > _LARGE else ()
