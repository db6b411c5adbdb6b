"""Evaluation: what a classifier did on labelled pictures, as numbers."""

import dataclasses
import functools

import numpy as np

from tftransfer.report.metrics import Calibration
from tftransfer.report.metrics import ClassScores
from tftransfer.report.metrics import calibration
from tftransfer.report.metrics import class_scores
from tftransfer.report.metrics import wilson_interval
from tftransfer.report.mistakes import Mistake


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a classifier did on labelled pictures.

    Attributes:
        class_names: One name per class.
        labels: (n,) int32, the true classes in the dataset's order.
        predictions: (n,) int32, the classes with the highest score.
        scores: (n,) float32, the probability that the model gave its prediction.
        confusion: (classes, classes) int64, rows true, columns predicted.
        mean_log_loss: Mean of -log(probability of the true class), nats.
        top5_hits: Pictures whose class is among the five best; None below 6 classes.
        mistakes: The confident mistakes, worst first, with thumbnails.
    """

    class_names: tuple[str, ...]
    labels: np.ndarray
    predictions: np.ndarray
    scores: np.ndarray
    confusion: np.ndarray
    mean_log_loss: float
    top5_hits: int | None
    mistakes: tuple[Mistake, ...]

    @property
    def count(self) -> int:
        """Number of pictures."""
        return len(self.labels)

    @property
    def correct(self) -> int:
        """Number of pictures that were classified rightly."""
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        """Share of pictures classified rightly, in [0, 1]."""
        return self.correct / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the accuracy."""
        return wilson_interval(self.correct, self.count)

    @property
    def top5_accuracy(self) -> float | None:
        """Share whose class is among the five best; None below 6 classes."""
        return None if self.top5_hits is None else self.top5_hits / self.count

    @functools.cached_property
    def per_class(self) -> list[ClassScores]:
        """Precision, recall, F1 and support of every class."""
        return class_scores(self.confusion, self.class_names)

    @functools.cached_property
    def calibration(self) -> Calibration:
        """Confidence against accuracy, and the expected calibration error."""
        return calibration(self.scores, self.labels == self.predictions)

    def most_confused(self, count: int = 10) -> list[tuple[str, str, int]]:
        """Return (true class, predicted class, pictures), most pictures first."""
        wrong = self.confusion - np.diag(np.diag(self.confusion))
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        places = [np.unravel_index(i, wrong.shape) for i in order if wrong.flat[i]]
        names = self.class_names
        return [(names[row], names[col], int(wrong[row, col])) for row, col in places]
