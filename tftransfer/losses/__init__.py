"""Losses that can be called with no method around them."""

from tftransfer.losses.classification import ClassificationLoss
from tftransfer.losses.penalties import L2SPLoss
