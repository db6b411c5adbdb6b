"""What `adapt` will do, chosen from the size of the data and said aloud."""

import dataclasses
import math

from tftransfer.core import check_range
from tftransfer.training.epochs import counted


@dataclasses.dataclass(frozen=True)
class AdaptPlan:
    """Settings of one run of `adapt`.

    Attributes:
        method: Its name.
        pictures: Number of the source's training pictures.
        target_pictures: Number of the target's that train, without labels.
        held_out: Number of the target's that choose the epoch, without labels.
        labelled_target: Number of the target's that train with labels.
        steps: Training steps per epoch.
        epochs: Epochs.
        rate: Highest learning rate of the one cycle; ten times that for what the method
            adds to the classifier.
        weight_decay: AdamW's, decoupled.
        smoothing: Label smoothing of the source's task loss.
        augment: Preset of augmentation, of both domains.
        batch_norm: How the domains share batch normalisation; "target" with ADDA.
        validator: What chooses the epoch.
    """

    method: str
    pictures: int
    target_pictures: int
    held_out: int
    labelled_target: int
    steps: int
    epochs: int
    rate: float
    weight_decay: float
    smoothing: float
    augment: str
    batch_norm: str
    validator: str

    def describe(self) -> str:
        """Say the plan in three lines for a person."""
        few = f", {self.labelled_target} with labels" * bool(self.labelled_target)
        return (
            f"adapt: {self.method}, {self.pictures} source pictures, "
            f"{self.target_pictures} of the target without labels{few}, {self.steps} "
            "steps an epoch.\n"
            f"  {counted(self.epochs, 'epoch')}, one-cycle rate up to {self.rate:.1e}, "
            f"augmentation '{self.augment}', batch norm '{self.batch_norm}'.\n"
            f"  {self.held_out} other target pictures, without labels, choose the "
            f"epoch by '{self.validator}'; the start is one of those to choose from."
        )


def plan_for(pictures: int, batch_size: int, *, epochs: int | None, **chosen):
    """Choose what is left open from the number of the source's pictures.

    About 600 steps, in 10 to 40 epochs.

    Args:
        pictures: Number of the source's training pictures, 1 or more.
        batch_size: Pictures of each domain per step.
        epochs: The caller's choice, or None.
        **chosen: The other fields of `AdaptPlan`.

    Returns:
        The `AdaptPlan`.

    Raises:
        ValueError: When a number is out of range.
    """
    steps = max(1, math.ceil(pictures / batch_size))
    if epochs is None:
        epochs = min(40, max(10, math.ceil(600 / steps)))
    check_range("epochs", epochs, 1, 1_000_000)
    if not chosen["rate"] > 0:
        raise ValueError(
            f"Expected `learning_rate` above 0. Received: {chosen['rate']}."
        )
    return AdaptPlan(pictures=pictures, steps=steps, epochs=epochs, **chosen)
