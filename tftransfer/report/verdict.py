"""Did the teacher help? Two students on the same pictures, in words."""

import dataclasses

from scipy.stats import binomtest

from tftransfer.report.evaluation import Evaluation
from tftransfer.report.metrics import percent

_FEATURES = (
    "Losses on inner layers (attention, Jacobians) can hurt where the class scores "
    "help: in Tian et al. (ICLR 2020), vgg13 to MobileNetV2 on CIFAR-100, the plain "
    "student has 64.6%, taught by scores 67.4%, by attention 59.4%. Distil without "
    "them."
)
_SCORES = (
    "Train for more epochs, with more views or another temperature, or choose a "
    "teacher nearer to the student in size; or keep the plain student."
)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What two students' answers say about the teaching.

    Attributes:
        gain: Accuracy of the distilled student less that of the plain one.
        only_distilled: Pictures that the distilled student alone has right.
        only_plain: Pictures that the plain student alone has right.
        chance: Probability of a split as uneven between equally good students
            (exact sign test, McNemar 1947).
        warning: Whether the distilled student is not better.
        text: All that for a person.
    """

    gain: float
    only_distilled: int
    only_plain: int
    chance: float
    warning: bool
    text: str


def judge_teaching(
    distilled: Evaluation, plain: Evaluation, *, features: bool = False
) -> Verdict:
    """Compare a distilled with a plain student on the same pictures.

    Args:
        distilled: Of the student that had a teacher.
        plain: Of the one that had none.
        features: Whether losses on inner layers took part.

    Returns:
        The `Verdict`; a warning where the teacher did not help (negative transfer).
    """
    right = distilled.predictions == distilled.labels
    other = plain.predictions == plain.labels
    mine, its = int((right & ~other).sum()), int((other & ~right).sum())
    chance = float(binomtest(mine, mine + its).pvalue) if mine + its else 1.0
    gain = distilled.accuracy - plain.accuracy
    text = (
        f"The distilled student has {percent(distilled.accuracy)} of "
        f"{distilled.count} pictures right, the plain one {percent(plain.accuracy)}: "
        f"{mine} it has right alone, {its} the plain one. "
    )
    if max(distilled.interval[0], plain.interval[0]) <= 1 / len(plain.class_names):
        text += "Neither is better than guessing: train for more epochs. "
    if gain <= 0:
        certain = " and chance does not explain it" if chance < 0.05 and gain else ""
        text += (
            f"The teacher did not help here{certain}. "
            + (f"{_FEATURES} " if features else _SCORES)
        ).strip()
    elif chance >= 0.05:
        text += (
            f"Equally good students differ so much or more in {percent(chance)} of "
            "cases: measure more pictures, or repeat with other seeds, before relying "
            "on it."
        )
    else:
        text += (
            f"Equally good students differ so much in {percent(chance)} of cases: the "
            "teacher helped. Another seed gives another number."
        )
    return Verdict(gain, mine, its, chance, gain <= 0, text)
