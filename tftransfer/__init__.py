"""Transfer learning for Keras 3: few labels, another domain, smaller models.

Public names load on first use, so that `import tftransfer` does not pay TensorFlow's
five seconds.
"""

from tftransfer._lazy import load_on_use
from tftransfer._version import __version__

_PUBLIC = {
    "ADDA": "tftransfer.domain",
    "ActivationCache": "tftransfer.data",
    "Backbone": "tftransfer.backbones",
    "CDAN": "tftransfer.domain",
    "Classifier": "tftransfer.finetune",
    "DAN": "tftransfer.domain",
    "DANN": "tftransfer.domain",
    "DRCN": "tftransfer.domain",
    "DeepCORAL": "tftransfer.domain",
    "Distiller": "tftransfer.distillation",
    "DomainConfusion": "tftransfer.domain",
    "FeatureExtractor": "tftransfer.features",
    "JAN": "tftransfer.domain",
    "MCD": "tftransfer.domain",
    "Predictor": "tftransfer.serving",
    "Retrieval": "tftransfer.features",
    "TransferModel": "tftransfer.core",
    "adapt": "tftransfer.domain",
    "compare": "tftransfer.comparison",
    "distill": "tftransfer.distillation",
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
    "distillation",
    "distribute",
    "domain",
    "face",
    "features",
    "finetune",
    "losses",
    "report",
    "serving",
)

__all__ = ["__version__", *_PUBLIC, *_SUBPACKAGES]

__getattr__, __dir__ = load_on_use(__name__, _PUBLIC, _SUBPACKAGES)
