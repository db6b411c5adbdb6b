"""What every method stands on: the base model, gradients, save keys, checks.

Names load on first use: the checks need no TensorFlow.
"""

from tftransfer._lazy import load_on_use

_PUBLIC = {
    "GradientReversal": "tftransfer.core.gradients",
    "LiveTrainable": "tftransfer.core.live_trainable",
    "TransferModel": "tftransfer.core.transfer_model",
    "as_logits": "tftransfer.core.scores",
    "call_with_frozen_weights": "tftransfer.core.gradients",
    "chain": "tftransfer.core.graphs",
    "check_image_shape": "tftransfer.core.validation",
    "check_one_of": "tftransfer.core.validation",
    "check_range": "tftransfer.core.validation",
    "ends_in_softmax": "tftransfer.core.scores",
    "gather_replicas": "tftransfer.core.gathering",
    "kind_of_outputs": "tftransfer.core.scores",
    "model_digest": "tftransfer.core.fingerprint",
    "nearest": "tftransfer.core.validation",
    "register": "tftransfer.core.registration",
    "replica_rows": "tftransfer.core.replicas",
    "replica_share": "tftransfer.core.replicas",
    "weights_digest": "tftransfer.core.fingerprint",
}

__all__ = [*_PUBLIC]

__getattr__, __dir__ = load_on_use(__name__, _PUBLIC)
