"""What `fine_tune` will do, chosen from the size of the data and said aloud."""

import dataclasses
import math

from tftransfer.core import check_range
from tftransfer.training.epochs import counted


@dataclasses.dataclass(frozen=True)
class Plan:
    """Settings of one fine-tuning run.

    Attributes:
        pictures: Number of training pictures.
        steps: Training steps per epoch.
        head_epochs: Epochs of the head alone; 0 leaves the phase out.
        epochs: Epochs of the deeper phase; 0 leaves it out.
        head_rate: Highest learning rate of the head phase.
        rate: Highest learning rate of the deeper phase, at the head.
        rate_decay: Factor from one stage of the backbone to the one before it.
        frozen_until: Endpoint that stays frozen in the deeper phase, or None.
        weight_decay: AdamW's, decoupled.
        smoothing: Label smoothing.
    """

    pictures: int
    steps: int
    head_epochs: int
    epochs: int
    head_rate: float
    rate: float
    rate_decay: float
    frozen_until: str | None
    weight_decay: float
    smoothing: float

    def describe(self) -> str:
        """Say the plan in a few lines for a person."""
        depth = (
            f"all above '{self.frozen_until}'" if self.frozen_until else "all layers"
        )
        return "\n".join(
            [
                f"fine_tune: {self.pictures} training pictures, "
                f"{counted(self.steps, 'step')} an "
                "epoch.",
                f"  1. head alone: {counted(self.head_epochs, 'epoch')}, one-cycle "
                f"rate up to {self.head_rate:.1e}, backbone frozen.",
                f"  2. {depth}: {counted(self.epochs, 'epoch')}, one-cycle rate up to "
                f"{self.rate:.1e}, {self.rate_decay:g} of it per stage downwards, "
                f"weight decay {self.weight_decay:g}, label smoothing "
                f"{self.smoothing:g}.",
            ]
        )


def plan_for(pictures: int, batch_size: int, **chosen) -> Plan:
    """Choose settings from the number of pictures.

    The head, whose training on cached activations costs little, gets about 400 steps,
    the deeper phase 8 epochs or about 100 steps, whichever is more. Each stage learns
    at half the rate of the one above it: the lower ones are the most general (Yosinski
    2014).

    Args:
        pictures: Number of training pictures, 1 or more.
        batch_size: Pictures per step.
        **chosen: Fields of `Plan` that the caller decides; None means undecided.

    Returns:
        The plan.

    Raises:
        ValueError: When a number of epochs is negative or a rate is not positive.
    """
    steps = max(1, math.ceil(pictures / batch_size))
    defaults = {
        "head_epochs": min(40, max(4, math.ceil(400 / steps))),
        "epochs": min(40, max(8, math.ceil(100 / steps))),
        "head_rate": 3e-3,
        "rate": 3e-4,
        "rate_decay": 0.5,
        "frozen_until": None,
        "weight_decay": 1e-4,
        "smoothing": 0.1,
    }
    decided = {key: value for key, value in chosen.items() if value is not None}
    plan = Plan(pictures=pictures, steps=steps, **(defaults | decided))
    if plan.epochs < 0 or plan.head_epochs < 0 or plan.epochs + plan.head_epochs == 0:
        raise ValueError(
            "Expected `epochs` and `head_epochs` of 0 or more, and not both 0. "
            f"Received: {plan.epochs} and {plan.head_epochs}."
        )
    if plan.rate <= 0 or plan.head_rate <= 0:
        raise ValueError(
            f"Expected learning rates above 0. Received: {plan.rate}, {plan.head_rate}."
        )
    if not 0 < plan.rate_decay <= 1 or plan.weight_decay < 0:
        raise ValueError(
            "Expected `rate_decay` in (0, 1] and `weight_decay` of 0 or more. "
            f"Received: {plan.rate_decay} and {plan.weight_decay}."
        )
    check_range("label_smoothing", plan.smoothing, 0, 1, open_high=True)
    return plan
