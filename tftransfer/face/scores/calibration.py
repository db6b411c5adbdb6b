"""FaceCalibration: the threshold of a recognizer, and how sure it is."""

import dataclasses

import numpy as np

from tftransfer.face.scores.people_pairs import similarities_of_pairs
from tftransfer.face.scores.similarity_calibration import SimilarityCalibration
from tftransfer.face.scores.verification import ThresholdAtFAR
from tftransfer.face.scores.verification import threshold_at_far


@dataclasses.dataclass(frozen=True)
class FaceCalibration:
    """What was learnt from pictures of people about one embedder.

    Args:
        at: The threshold and the rates that were measured there.
        certainty: From similarity to probability.
    """

    at: ThresholdAtFAR
    certainty: SimilarityCalibration

    @property
    def threshold(self) -> float:
        """Cosine similarity from which on two faces count as one person."""
        return self.at.threshold

    def probability(self, similarities) -> np.ndarray:
        """Return how likely faces of these similarities are one person, in [0, 1].

        Before looking both are taken as equally likely.
        """
        return self.certainty.probability(similarities)

    def strangers_named(self, enrolled: int) -> tuple[float, float, float]:
        """Return the share of strangers that identification is expected to name.

        A stranger is compared with everybody who is enrolled, and each comparison may
        go wrong: 1 - (1 - FAR)^n for n = `enrolled`, as if the comparisons were
        independent. More are named where people have several pictures each.

        Args:
            enrolled: Number of people in the gallery.

        Returns:
            The share at the FAR measured, and at both ends of its interval.
        """
        low, high = self.at.far_interval
        return tuple(1 - (1 - far) ** enrolled for far in (self.at.far, low, high))

    def to_json(self) -> dict:
        """Return plain values, for `from_json`."""
        return {
            "at": dataclasses.asdict(self.at),
            "certainty": dataclasses.asdict(self.certainty),
        }

    @classmethod
    def from_json(cls, values: dict) -> "FaceCalibration":
        """Return the calibration that `to_json` wrote."""
        at = dict(values["at"])
        for name in ("far_interval", "tar_interval"):
            at[name] = tuple(at[name])
        certainty = SimilarityCalibration(**values["certainty"])
        return cls(ThresholdAtFAR(**at), certainty)


def calibrated(embeddings, labels, *, far: float, seed: int = 0) -> FaceCalibration:
    """Calibrate on embeddings of people, all pairs of them.

    Args:
        embeddings: (n, dimension) of unit length.
        labels: (n,) the person of each.
        far: False-accept rate, above 0 and below 1: the share of pairs of different
            people that may pass as one.
        seed: Of the choice among pairs, where there are millions.

    Raises:
        ValueError: When there are too few pairs for this `far`, or none of one kind.
    """
    similarities, same = similarities_of_pairs(embeddings, labels, seed=seed)
    return FaceCalibration(
        threshold_at_far(similarities, same, far),
        SimilarityCalibration.fit(similarities, same),
    )
