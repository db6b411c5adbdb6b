"""Transfer learning for Keras 3: few labels, another domain, smaller models.

Public names load on first use, so that `import tftransfer` does not pay TensorFlow's
five seconds.
"""

import importlib

from tftransfer._version import __version__

_PUBLIC = {
    "ActivationCache": "tftransfer.data",
    "Backbone": "tftransfer.backbones",
    "Classifier": "tftransfer.finetune",
    "FeatureExtractor": "tftransfer.features",
    "Retrieval": "tftransfer.features",
    "TransferModel": "tftransfer.core",
    "compare": "tftransfer.comparison",
    "export": "tftransfer.serving",
    "fine_tune": "tftransfer.finetune",
    "freeze_until": "tftransfer.finetune",
    "load_model": "tftransfer.loading",
    "lr_find": "tftransfer.finetune",
    "probe": "tftransfer.features",
    "write_report": "tftransfer.report",
}
_SUBPACKAGES = (
    "backbones",
    "callbacks",
    "comparison",
    "core",
    "data",
    "distribute",
    "features",
    "finetune",
    "losses",
    "report",
)

__all__ = ["__version__", *_PUBLIC, *_SUBPACKAGES]


def __getattr__(name: str):
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
    elif name in _SUBPACKAGES:
        value = importlib.import_module(f"tftransfer.{name}")
    else:
        raise AttributeError(f"module 'tftransfer' has no attribute '{name}'.")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
