"""What `distill` will do, chosen from the size of the data and said aloud."""

import dataclasses
import math

from tftransfer.core import check_range
from tftransfer.training.epochs import counted

_ANSWERS = 10_000


@dataclasses.dataclass(frozen=True)
class DistillPlan:
    """Settings of one run of `distill` or `train_plain`.

    Attributes:
        pictures: Number of training pictures.
        steps: Training steps per epoch.
        epochs: Epochs.
        rate: Highest learning rate of the one cycle.
        weight_decay: AdamW's, decoupled.
        smoothing: Label smoothing of the task loss.
        augment: Preset of augmentation.
        views: Augmented views of which the teacher's outputs are kept; 0: it runs in
            every step, or there is none.
    """

    pictures: int
    steps: int
    epochs: int
    rate: float
    weight_decay: float
    smoothing: float
    augment: str
    views: int

    def describe(self, name: str) -> str:
        """Say the plan in two lines for a person; `name` is the function's."""
        return (
            f"{name}: {counted(self.pictures, 'training picture')}, "
            f"{counted(self.steps, 'step')} an epoch.\n"
            f"  {counted(self.epochs, 'epoch')}, one-cycle rate up to "
            f"{self.rate:.1e}, weight decay {self.weight_decay:g}, label "
            f"smoothing {self.smoothing:g}, "
            f"augmentation '{self.augment}'."
        )


def plan_for(
    pictures: int,
    batch_size: int,
    *,
    epochs: int | None,
    views: int | None,
    changing: bool,
    live: bool,
    **chosen,
) -> DistillPlan:
    """Choose what is left open from the number of pictures.

    About 2,000 steps, in 20 to 120 epochs: a student from random weights needs more
    than fine-tuning does, and gains from patience (Beyer et al., Knowledge
    Distillation: A Good Teacher is Patient and Consistent, CVPR 2022,
    arXiv:2106.05237).

    Args:
        pictures: Number of training pictures, 1 or more.
        batch_size: Pictures per step.
        epochs: The caller's choice, or None.
        views: The caller's choice, or None: about 10,000 answers of the teacher, 8
            views at least, `epochs` at most. Eight views of few pictures are soon
            known by heart.
        changing: Whether training pictures are augmented.
        live: Whether a teacher, if any, runs in every step.
        **chosen: The other fields of `DistillPlan`.

    Raises:
        ValueError: When a number is out of range.
    """
    steps = max(1, math.ceil(pictures / batch_size))
    if epochs is None:
        epochs = min(120, max(20, math.ceil(2000 / steps)))
    check_range("epochs", epochs, 1, 1_000_000)
    if views is None:
        views = min(epochs, max(8, math.ceil(_ANSWERS / pictures)))
    check_range("views", views, 1, 10_000)
    views = 0 if live else views if changing else 1
    plan = DistillPlan(
        pictures=pictures, steps=steps, epochs=epochs, views=views, **chosen
    )
    if not plan.rate > 0 or plan.weight_decay < 0:
        raise ValueError(
            "Expected `learning_rate` above 0 and `weight_decay` of 0 or more. "
            f"Received: {plan.rate} and {plan.weight_decay}."
        )
    check_range("label_smoothing", plan.smoothing, 0, 1, open_high=True)
    return plan
