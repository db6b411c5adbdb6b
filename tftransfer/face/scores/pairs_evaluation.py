"""LFW's protocol for a recognizer: a list of pairs, ten folds."""

import dataclasses

import numpy as np

from tftransfer.face.reading import read_faces
from tftransfer.face.scores.lfw_pairs import LFWPairs
from tftransfer.face.scores.verification import equal_error_rate
from tftransfer.face.scores.verification import tar_at_far
from tftransfer.face.scores.verification_folds import FoldAccuracy
from tftransfer.face.scores.verification_folds import chance_accuracy
from tftransfer.face.scores.verification_folds import ten_fold_accuracy

_NO_FACE = -1.0  # decided as two people


@dataclasses.dataclass(frozen=True)
class PairsEvaluation:
    """Scores of a recognizer on a list of pairs.

    Attributes:
        similarities: float32 (pairs,), cosines; -1 where a picture shows no face.
        accuracy: By the list's folds, each with the threshold of the others; None for
            the lists of View 1, which have one fold.
        chance: Accuracy of one answer for all pairs; 0.5 in LFW's lists.
        equal_error_rate: In [0, 1].
        tar_at_far: {false-accept rate: true-accept rate}.
        without_face: {path: reason} of pictures without one: none of their pairs was
            left out.
    """

    similarities: np.ndarray
    accuracy: FoldAccuracy | None
    chance: float
    equal_error_rate: float
    tar_at_far: dict[float, float]
    without_face: dict[str, str]


def evaluate_pairs(recognizer, pairs: LFWPairs) -> PairsEvaluation:
    """Measure a recognizer on pairs, such as LFW's View 2.

    Each picture is read once; its largest face counts. All pairs are scored: a picture
    without a face makes its pairs "two people".

    Args:
        recognizer: A `FaceRecognizer`, for its detector and embedder.
        pairs: What `read_lfw_pairs` returned.

    Raises:
        ValueError: When no picture shows a face, or all pairs are of one kind.
    """
    paths = sorted({str(path) for path in (*pairs.first, *pairs.second)})
    places, rows, without = {}, [], {}
    parts = recognizer.detector, recognizer.embedder
    for seen in read_faces(paths, *parts, largest=True):
        if seen.faces:
            places[seen.picture] = len(rows)
            rows.append(seen.embeddings[0])
        else:
            without[seen.picture] = seen.error or "no face was found"
    if not rows:
        reason = next(iter(without.values()), "none was found")
        raise ValueError(f"Expected pictures of faces. Received: {reason}.")
    embeddings = np.stack(rows)
    similarities = np.full(len(pairs), _NO_FACE, "float32")
    for number, pair in enumerate(zip(pairs.first, pairs.second)):
        found = [places.get(str(path)) for path in pair]
        if None not in found:
            similarities[number] = embeddings[found[0]] @ embeddings[found[1]]
    strangers = int(np.sum(~pairs.same))
    rates = [far for far in (0.1, 0.01, 0.001) if far * strangers >= 1]
    folds = len(np.unique(pairs.folds))
    return PairsEvaluation(
        similarities=similarities,
        accuracy=_by_fold(similarities, pairs) if folds > 1 else None,
        chance=chance_accuracy(pairs.same),
        equal_error_rate=equal_error_rate(similarities, pairs.same).rate,
        tar_at_far={far: tar_at_far(similarities, pairs.same, far) for far in rates},
        without_face=without,
    )


def _by_fold(similarities, pairs: LFWPairs) -> FoldAccuracy:
    return ten_fold_accuracy(similarities, pairs.same, pairs.folds)
