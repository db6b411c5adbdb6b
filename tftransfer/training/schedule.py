"""One-cycle learning rate (Smith & Topin, 2017)."""

import math

import keras
from keras import ops

from tftransfer.core import register


@register
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Rise from `peak / 25` to `peak` on a cosine, then fall to `peak / 1e4`.

    Args:
        peak: Highest learning rate, above 0.
        total_steps: Number of optimizer steps of the whole cycle, 1 or more.
        warmup: Share of the steps that rise, in [0, 1); 0.25 as in fastai.
        initial_step: Optimizer step at which the cycle starts; 0 for a new optimizer.

    Raises:
        ValueError: When an argument is out of range.

    Example:
        >>> schedule = OneCycle(1e-3, total_steps=100)
        >>> round(float(schedule(25)), 6), round(float(schedule(100)), 9)
        (0.001, 1e-07)

    References:
        Smith & Topin, Super-Convergence, 2017, arXiv:1708.07120; the cosine form and
        the divisors are fastai's.
    """

    def __init__(
        self, peak: float, total_steps: int, warmup: float = 0.25, initial_step: int = 0
    ):
        if peak <= 0 or total_steps < 1 or not 0 <= warmup < 1:
            raise ValueError(
                "Expected `peak` above 0, `total_steps` of 1 or more and `warmup` in "
                f"[0, 1). Received: {peak}, {total_steps}, {warmup}."
            )
        self.peak = peak
        self.total_steps = total_steps
        self.warmup = warmup
        self.initial_step = initial_step

    def __call__(self, step):
        step = ops.cast(step, "float32") - self.initial_step
        rise = max(1.0, self.warmup * self.total_steps) if self.warmup else 0.0
        fall = max(1.0, self.total_steps - rise)
        up = _cosine(self.peak / 25, self.peak, step / max(rise, 1.0))
        down = _cosine(self.peak, self.peak / 1e4, (step - rise) / fall)
        return ops.where(step < rise, up, down)

    def get_config(self):
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup": self.warmup,
            "initial_step": self.initial_step,
        }


def _cosine(start: float, end: float, share):
    share = ops.clip(share, 0.0, 1.0)
    return end + (start - end) * 0.5 * (1 + ops.cos(math.pi * share))
