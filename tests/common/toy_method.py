"""A small method of the test suite's own: align two domains' mean features."""

import keras
from keras import ops

from tftransfer.core import TransferModel
from tftransfer.core import chain
from tftransfer.core import gather_replicas
from tftransfer.core import register


@register
class MeanGapLoss(keras.losses.Loss):
    """Squared distance of the batch means of two feature batches."""

    def __init__(self, name="mean_gap", reduction="sum_over_batch_size", **kwargs):
        super().__init__(name=name, reduction=reduction, **kwargs)

    def call(self, y_true, y_pred):
        gap = ops.mean(y_true, axis=0) - ops.mean(y_pred, axis=0)
        return ops.sum(ops.square(gap), keepdims=True)


@register
class MeanAlignment(TransferModel):
    """Task loss on the source plus `gap_weight` * mean gap of the features.

    The gap is that of each replica's part, or with `across_replicas` of the batch.
    """

    def __init__(self, trunk, head, *, gap_weight=0.5, across_replicas=False, **kwargs):
        super().__init__(**kwargs)
        self.trunk = trunk
        self.head = head
        self.gap_weight = gap_weight
        self.across_replicas = across_replicas
        self.add_term("gap", gap_weight)
        self._gap = MeanGapLoss()
        self.finish_init()

    def forward_train(self, x):
        source = self.trunk(x["source"], training=True)
        target = self.trunk(x["target"], training=True)
        return {
            "prediction": self.head(source, training=True),
            "source": source,
            "target": target,
        }

    def transfer_losses(self, x, y, outputs, sample_weight=None):
        features = outputs["source"], outputs["target"]
        if self.across_replicas:
            features = gather_replicas(features)
        return {"gap": self._gap(*features)}

    def evaluation_input(self, x):
        return x["source"] if isinstance(x, dict) else x

    def build_deployed(self):
        return chain(self.trunk, self.head)
