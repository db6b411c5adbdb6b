"""Pictures from folders and arrays to batches; augmentation; arrays cached on disk.

Names load on first use: decoding and listing need no TensorFlow.
"""

from tftransfer._lazy import load_on_use
from tftransfer.data.scan import scan  # not lazily: its module has its name

_PUBLIC = {
    "ActivationCache": "tftransfer.data.cache",
    "Augmentation": "tftransfer.data.augment",
    "FolderIndex": "tftransfer.data.scan",
    "Source": "tftransfer.data.source",
    "as_dataset": "tftransfer.data.inputs",
    "augmentation": "tftransfer.data.augment",
    "balanced_batches": "tftransfer.data.balanced",
    "decode_image": "tftransfer.data.decode",
    "from_folder": "tftransfer.data.folders",
    "load_images": "tftransfer.data.decode",
    "pair_domains": "tftransfer.data.domains",
    "source_of": "tftransfer.data.source",
    "stratified_split": "tftransfer.data.splitting",
    "with_activations": "tftransfer.data.activations",
}

__all__ = ["scan", *_PUBLIC]

__getattr__, __dir__ = load_on_use(__name__, _PUBLIC)
