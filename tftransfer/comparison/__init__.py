"""Does transfer pay here? Scratch, probe and fine-tuning side by side."""

from tftransfer.comparison.compare import compare
from tftransfer.comparison.result import Comparison
