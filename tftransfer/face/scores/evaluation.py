"""How well a recognizer knows people: verification, identification, strangers."""

import dataclasses
import os

import numpy as np

from tftransfer.face.gallery.gallery import Gallery
from tftransfer.face.people import embeddings_of_people
from tftransfer.face.scores.identification import open_set_identification_rate
from tftransfer.face.scores.identification import rank_k
from tftransfer.face.scores.people_pairs import pictures_of_each
from tftransfer.face.scores.people_pairs import similarities_of_pairs
from tftransfer.face.scores.verification import equal_error_rate
from tftransfer.face.scores.verification import tar_at_far
from tftransfer.face.scores.verification_folds import FoldAccuracy
from tftransfer.face.scores.verification_folds import chance_accuracy
from tftransfer.face.scores.verification_folds import ten_fold_accuracy

_DRAWS = 20


@dataclasses.dataclass(frozen=True)
class FaceEvaluation:
    """Scores of one embedder on pictures of people.

    Attributes:
        people: Number of people with a face.
        pictures: Number of pictures with a face.
        left_out: {path: reason} of the others.
        pairs: Number of pairs of pictures: (same person, different people).
        accuracy: Verification, each tenth of the pairs with the threshold of the rest.
            All pairs are in it, nearly all of two people, so that it has to be read
            beside `chance`. Tenths share people and pictures: they are not
            independent, and the standard error is too small.
        chance: Accuracy of one answer for all pairs, nearly always "two people". A
            recognizer that knows nobody has it, too.
        equal_error_rate: In [0, 1].
        tar_at_far: {false-accept rate: true-accept rate}.
        rank_1: {pictures enrolled per person: (mean, standard deviation)} of the share
            of the other pictures whose nearest person is the right one, over 20 draws.
            Without a number that nobody has more pictures than.
        open_set: {false-alarm rate: (mean, standard deviation)} of the share of
            pictures that are rightly named where at most that share of strangers' is
            named; one picture enrolled, over 20 draws. Strangers are half of the
            people, and who has no other picture. Draws that enroll nobody do not
            count; without a rate that too few strangers can tell.
    """

    people: int
    pictures: int
    left_out: dict[str, str]
    pairs: tuple[int, int]
    accuracy: FoldAccuracy
    chance: float
    equal_error_rate: float
    tar_at_far: dict[float, float]
    rank_1: dict[int, tuple[float, float]]
    open_set: dict[float, tuple[float, float]]


def evaluate_people(
    recognizer, folder: str | os.PathLike, seed: int = 0
) -> FaceEvaluation:
    """Measure a recognizer on a folder of people, whoever is enrolled in it.

    The largest face of each picture is taken. Use people that neither the net nor the
    threshold has seen.

    Args:
        recognizer: A `FaceRecognizer`, for its detector and embedder.
        folder: One folder of pictures per person.
        seed: Of folds and draws.

    Raises:
        ValueError: When there are not two people, and two pairs of pictures of the
            same person: three of one, or two of two.
    """
    parts = recognizer.detector, recognizer.embedder
    embeddings, labels, left_out = embeddings_of_people(folder, *parts)
    known, people = np.unique(labels, return_inverse=True)
    similarities, same = similarities_of_pairs(embeddings, people, seed=seed)
    _check_two_pairs(same)
    rng = np.random.default_rng(seed)
    rates = [far for far in (0.1, 0.01, 0.001, 1e-4) if far * np.sum(~same) >= 1]
    return FaceEvaluation(
        people=len(known),
        pictures=len(people),
        left_out=left_out,
        pairs=(int(same.sum()), int((~same).sum())),
        accuracy=ten_fold_accuracy(similarities, same, _folds(same, rng)),
        chance=chance_accuracy(same),
        equal_error_rate=equal_error_rate(similarities, same).rate,
        tar_at_far={far: tar_at_far(similarities, same, far) for far in rates},
        rank_1=_rank_1(embeddings, people, rng),
        open_set=_open_set(embeddings, people, rng),
    )


def _check_two_pairs(same: np.ndarray) -> None:
    if same.sum() < 2:  # a fold's threshold comes from pairs of the others
        raise ValueError(
            "Expected two pairs of pictures of the same person or more. Received: one. "
            "Add a picture of that person, or two of another."
        )


def _folds(same: np.ndarray, rng) -> np.ndarray:
    """Return ten folds at random, with equal shares of both kinds."""
    folds = np.empty(len(same), "int64")
    for kind in (True, False):
        places = rng.permutation(np.flatnonzero(same == kind))
        folds[places] = np.arange(len(places)) % 10
    return folds


def _rank_1(embeddings, people, rng) -> dict:
    found, pictures = {}, pictures_of_each(people)
    for count in (1, 3):
        rates = []
        for _ in range(_DRAWS):
            enrolled = _drawn(pictures, range(len(pictures)), count, rng)
            probes = ~enrolled & np.isin(people, people[enrolled])
            if probes.any():
                gallery = _gallery(embeddings, people, enrolled)
                _, names = gallery.search(embeddings[probes], 1)
                rates.append(rank_k(names, _names(people[probes])))
        if rates:
            found[count] = float(np.mean(rates)), float(np.std(rates))
    return found


def _open_set(embeddings, people, rng) -> dict:
    found, pictures = {}, pictures_of_each(people)
    for far in (0.1, 0.01):
        rates = []
        for _ in range(_DRAWS):
            known = rng.permutation(len(pictures))[: len(pictures) // 2]
            enrolled = _drawn(pictures, known, 1, rng)
            # Who has one picture is not enrolled: a stranger, in either half.
            strangers = ~np.isin(people, people[enrolled])
            probes = ~enrolled
            if not (probes & ~strangers).any() or far * strangers.sum() < 1 - 1e-9:
                continue
            gallery = _gallery(embeddings, people, enrolled)
            matches = gallery.search(embeddings[probes], 1)
            at = open_set_identification_rate(
                *matches, _names(people[probes]), gallery.names, far
            )
            rates.append(at.rate)
        if rates:
            found[far] = float(np.mean(rates)), float(np.std(rates))
    return found


def _drawn(pictures, people, count: int, rng) -> np.ndarray:
    """Return a mask of `count` pictures of each of the people who have more."""
    chosen = np.zeros(sum(map(len, pictures)), bool)
    for person in people:
        if len(pictures[person]) > count:
            chosen[rng.choice(pictures[person], count, replace=False)] = True
    return chosen


def _gallery(embeddings, people, enrolled) -> Gallery:
    gallery = Gallery(embeddings.shape[1])
    gallery.add_many(_names(people[enrolled]), embeddings[enrolled])
    return gallery


def _names(people) -> list[str]:
    return [str(person) for person in people.tolist()]
