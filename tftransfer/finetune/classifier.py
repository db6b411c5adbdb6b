"""Classifier: a backbone and a head, fine-tuned on labelled pictures."""

import contextlib

import keras
from keras import ops

from tftransfer.core import TransferModel
from tftransfer.core import chain
from tftransfer.core import check_one_of
from tftransfer.core import check_range
from tftransfer.core import ends_in_softmax
from tftransfer.core import register
from tftransfer.finetune.split import split
from tftransfer.losses import L2SPLoss


@register
class Classifier(TransferModel):
    """Pictures to class logits: minimises CE(y, head(backbone(x))) + weight * L2-SP.

    Args:
        backbone: A `Backbone`: raw RGB in [0, 255] -> pooled features (batch, d).
        num_classes: Number of classes, 2 or more.
        head: A built model (batch, d) -> logits (batch, num_classes); None for dropout
            and one dense layer that starts from zeros (as in BiT, Kolesnikov 2020).
        dropout: Rate before the default head's dense layer, in [0, 1).
        batch_norm: "inference": the backbone runs as in inference during training, so
            that its BatchNorm statistics stay the pretrained ones, frozen or not (and
            its stochastic depth is off). "batch": statistics of the batch are used and
            the moving ones follow; for large batches or another domain.
        class_names: Names of the classes in label order; kept in saved files.
        l2_sp_weight: Factor of the L2-SP penalty towards the weights that the backbone
            has now (alpha in the paper, which uses 0.1 to 0.001); 0 leaves it out.
        **kwargs: `name`.

    Call arguments:
        x: Float or integer RGB pictures (batch, height, width, 3), in [0, 255].

    Returns:
        Logits (batch, num_classes), float32; while training, a dict that holds them
        as "prediction".

    Raises:
        ValueError: When the head's shapes or the number of names do not fit, or the
            head ends in a softmax.

    Example:
        >>> import tftransfer as tft
        >>> model = tft.Classifier(tft.Backbone("tiny", weights=None), num_classes=3)
        >>> model.deployed.output_shape
        (None, 3)

    References:
        Yosinski et al., How transferable are features in deep neural networks?, NIPS
        2014, arXiv:1411.1792. L2-SP: Li et al., ICML 2018, arXiv:1802.01483.
    """

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        *,
        head: keras.Model | None = None,
        dropout: float = 0.2,
        batch_norm: str = "inference",
        class_names: list[str] | None = None,
        l2_sp_weight: float = 0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_one_of("batch_norm", batch_norm, ["inference", "batch"])
        check_range("dropout", dropout, 0, 1, open_high=True)
        self.backbone = backbone
        self.num_classes = num_classes
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.class_names = None if class_names is None else list(class_names)
        self.l2_sp_weight = l2_sp_weight
        self.head = head if head is not None else _default_head(self)
        self._check_parts()
        if l2_sp_weight:
            self._add_l2_sp(l2_sp_weight)
        self._cut = None
        self.finish_init()

    def _check_parts(self):
        if self.num_classes < 2:
            raise ValueError(
                f"Expected `num_classes` of 2 or more. Received: {self.num_classes}. "
                "Two classes have two logits here, not one."
            )
        shape = tuple(self.head.output_shape)
        if shape != (None, self.num_classes):
            raise ValueError(
                f"Expected a head with output (None, {self.num_classes}), one logit "
                f"per class. Received: {shape}."
            )
        if ends_in_softmax(self.head):
            raise ValueError(
                "Expected a head that ends in logits, of which the losses here take a "
                f"softmax. Received: '{self.head.name}', which ends in one. Leave it "
                "out."
            )
        if self.class_names is not None and len(self.class_names) != self.num_classes:
            raise ValueError(
                f"Expected {self.num_classes} `class_names`. Received: "
                f"{len(self.class_names)}."
            )

    def _add_l2_sp(self, weight):
        self.add_term("l2_sp", weight)
        self._l2_sp = L2SPLoss()
        self._anchored = list(self.backbone.trainable_variables)
        self._starts = [
            self.add_weight(
                shape=v.shape,
                initializer="zeros",
                trainable=False,
                name=f"start_{i}",
            )
            for i, v in enumerate(self._anchored)
        ]
        for start, variable in zip(self._starts, self._anchored, strict=True):
            # By value: JAX would share the array, and may not give it away twice.
            start.assign(ops.convert_to_numpy(variable))

    def forward_train(self, x):
        features = self._features(x, training=self.batch_norm == "batch")
        return {"prediction": self.head(features, training=True)}

    def transfer_losses(self, x, y, outputs, sample_weight=None):
        if not self.l2_sp_weight:
            return {}
        return {"l2_sp": self._l2_sp(self._starts, self._anchored)}

    def inference_parts(self) -> tuple:
        return (self.backbone,) if self.batch_norm == "inference" else ()

    def infer(self, x):
        if self._cut is None:
            return super().infer(x)
        return self.head(self._features(x, training=False), training=False)

    def build_deployed(self):
        return chain(self.backbone, self.head, name=f"{self.name}_deployed")

    def _features(self, x, training):
        part = self.backbone if self._cut is None else self._cut[0]
        return part(x, training=training)

    @contextlib.contextmanager
    def activations_at(self, endpoint: str):
        """Within the context the model takes activations in place of pictures.

        Args:
            endpoint: Where they were taken; everything below it must be frozen.

        Yields:
            The trunk, raw RGB -> activations, whose outputs are the inputs to give.
        """
        trunk, rest = split(self.backbone, endpoint)
        # In a tuple, so that Keras does not track the rest as one more part.
        self._set_cut((rest,))
        try:
            yield trunk
        finally:
            self._set_cut(None)

    def _set_cut(self, cut):
        object.__setattr__(self, "_cut", cut)
        self.train_function = self.test_function = self.predict_function = None


def _default_head(model: Classifier) -> keras.Model:
    features = model.backbone.output_shape[-1]
    return keras.Sequential(
        [
            keras.Input((features,)),
            keras.layers.Dropout(model.dropout),
            # From zeros: what random weights say of the classes is never unlearnt
            # where labels are few.
            keras.layers.Dense(
                model.num_classes,
                kernel_initializer="zeros",
                dtype="float32",
                name="logits",
            ),
        ],
        name="head",
    )
