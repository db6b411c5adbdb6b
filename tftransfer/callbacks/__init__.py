"""Keras callbacks for transfer learning."""

from tftransfer.callbacks.ramp import Ramp
from tftransfer.callbacks.unfreeze import UnfreezeGradually
