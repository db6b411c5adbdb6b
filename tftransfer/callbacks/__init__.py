"""Keras callbacks for transfer learning."""

from tftransfer.callbacks.unfreeze import UnfreezeGradually
