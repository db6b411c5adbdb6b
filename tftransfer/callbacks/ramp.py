"""Ramp: a setting of a method that changes over the epochs of one `fit`."""

import math

import keras

from tftransfer.core import TransferModel
from tftransfer.core import check_one_of
from tftransfer.core import nearest

_SHAPES = ("linear", "cosine", "exponential")


class Ramp(keras.callbacks.Callback):
    """Move a method's weight or temperature from `start` to `end`.

    The setting is a variable, so that the compiled step sees each change.

    Args:
        name: A key of `model.scalars`, such as "soft_target_temperature",
            "attention_transfer_weight" or "task_weight".
        start: Its value in the first epoch.
        end: Its value from epoch `epochs` - 1 on.
        epochs: Epochs from `start` to `end`, 1 or more.
        shape: "linear"; "cosine", slow at both ends; "exponential", equal factors, for
            values above 0.

    Raises:
        TypeError: When the model is no `TransferModel`.
        ValueError: When the model has no such setting, or a value does not fit.

    Example:
        >>> ramp = Ramp("soft_target_temperature", start=8.0, end=2.0, epochs=3)
        >>> [ramp.value(epoch) for epoch in range(4)]
        [8.0, 5.0, 2.0, 2.0]
    """

    every_worker = True  # a value that follows from the epoch's number alone

    def __init__(
        self,
        name: str,
        *,
        start: float,
        end: float,
        epochs: int,
        shape: str = "linear",
    ):
        super().__init__()
        check_one_of("shape", shape, _SHAPES)
        if epochs < 1:
            raise ValueError(f"Expected `epochs` of 1 or more. Received: {epochs}.")
        lowest = min(start, end)
        if lowest < 0 or (shape == "exponential" and lowest == 0):
            raise ValueError(
                "Expected `start` and `end` of 0 or more, above 0 where the shape is "
                f"exponential. Received: {start} and {end}, '{shape}'."
            )
        if name.endswith("temperature") and lowest == 0:
            raise ValueError("Expected temperatures above 0. Received: 0.")
        self.name, self.start, self.end = name, start, end
        self.epochs, self.shape = epochs, shape

    def value(self, epoch: int) -> float:
        """Return the setting's value in an epoch, counted from 0."""
        share = 1.0 if self.epochs == 1 else min(1.0, epoch / (self.epochs - 1))
        if self.shape == "exponential":
            return self.start * (self.end / self.start) ** share
        if self.shape == "cosine":
            share = (1 - math.cos(math.pi * share)) / 2
        return self.start + (self.end - self.start) * share

    def set_model(self, model):
        super().set_model(model)
        if not isinstance(model, TransferModel):
            raise TypeError(
                "Expected a `TransferModel`, such as `tft.Distiller`. Received: "
                f"{type(model).__name__}."
            )
        if self.name not in model.scalars:
            raise ValueError(
                f"Expected a setting of '{model.name}'. Received: {self.name!r}. "
                + nearest(self.name, model.scalars)
            )

    def on_epoch_begin(self, epoch, logs=None):
        self.model.scalars[self.name].assign(self.value(epoch))
