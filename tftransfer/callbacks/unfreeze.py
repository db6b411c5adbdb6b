"""Gradual unfreezing (Howard & Ruder, 2018) inside one `fit`."""

import keras

from tftransfer.core import TransferModel
from tftransfer.finetune.freezing import freeze_until


class UnfreezeGradually(keras.callbacks.Callback):
    """Unfreeze one stage of the backbone after the other, the last one first.

    At the start the whole backbone is frozen; after every `every` epochs one more stage
    trains. The change takes effect in the compiled graph (TensorFlow), which is traced
    again: a few seconds per stage.

    Args:
        every: Epochs between two stages, 1 or more.
        first: Epoch, from 0, at which the last stage is unfrozen; `every` by default.
        stop: Endpoint that stays frozen with all before it; None unfreezes everything.

    Raises:
        ValueError: When `every` is under 1, or `stop` is no endpoint.
        TypeError: When the fitted model is no `TransferModel` with a backbone: there a
            change of `trainable` would be ignored.

    Example:
        >>> import tftransfer as tft
        >>> callback = tft.callbacks.UnfreezeGradually(every=2, stop="stage2")

    References:
        Howard & Ruder, Universal Language Model Fine-tuning for Text Classification,
        ACL 2018, arXiv:1801.06146, section 3.3.
    """

    every_worker = True  # which layers train is no variable that the chief could share

    def __init__(
        self, every: int = 1, *, first: int | None = None, stop: str | None = None
    ):
        super().__init__()
        if every < 1:
            raise ValueError(f"Expected `every` of 1 or more. Received: {every}.")
        self.every = every
        self.first = every if first is None else first
        self.stop = stop

    def set_model(self, model):
        super().set_model(model)
        if not isinstance(model, TransferModel) or not hasattr(model, "backbone"):
            raise TypeError(
                "Expected a `TransferModel` with a backbone, such as `tft.Classifier`. "
                f"Received: {type(model).__name__}, in which a change of `trainable` "
                "after `compile` takes no effect."
            )

    def on_train_begin(self, logs=None):
        stages = [n for n in self.model.backbone.endpoint_names if n != "pooled"]
        if self.stop is not None and self.stop not in stages:
            raise ValueError(
                f"Expected `stop` among {stages}. Received: {self.stop!r}."
            )
        lowest = 0 if self.stop is None else stages.index(self.stop) + 1
        # Frozen up to here, from everything to the least: None is nothing frozen.
        self._cuts = ["pooled", *reversed(stages[lowest:-1]), self.stop]

    def on_epoch_begin(self, epoch, logs=None):
        step = 0 if epoch < self.first else 1 + (epoch - self.first) // self.every
        freeze_until(self.model, self._cuts[min(step, len(self._cuts) - 1)])
