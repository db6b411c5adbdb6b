"""Pretrained nets with named endpoints that take raw RGB in [0, 255].

Names are imported on first use: the catalogue alone must not wait for Keras.
"""

import importlib
import typing

from tftransfer.backbones.catalogue import Architecture
from tftransfer.backbones.catalogue import catalogue

if typing.TYPE_CHECKING:
    from tftransfer.backbones.adopted import AdoptedBackbone
    from tftransfer.backbones.backbone import Backbone
    from tftransfer.backbones.preprocessing import Preprocessing
    from tftransfer.backbones.published import WeightsNotFoundError

_LAZY = {
    "AdoptedBackbone": "adopted",
    "Backbone": "backbone",
    "Preprocessing": "preprocessing",
    "WeightsNotFoundError": "published",
}


def __getattr__(name: str):
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Both classes of backbone register themselves, so that saved files load.
    importlib.import_module("tftransfer.backbones.adopted")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
