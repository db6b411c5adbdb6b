"""evaluate_people on vectors: at chance, with few pictures, with many people."""

import types

import numpy as np
import pytest

from tftransfer.face import evaluate_people
from tftransfer.face.scores import evaluation
from tftransfer.face.scores.people_pairs import pictures_of_each


def vectors_of(pictures, spread, seed=0, dimension=16):
    """Return unit vectors of people with so many pictures each, shuffled, and names.

    Args:
        pictures: Numbers of pictures.
        spread: Of a person's vectors round their own direction; infinite for vectors
            that have nothing to do with the names.
    """
    rng = np.random.default_rng(seed)
    people = rng.permutation(np.repeat(np.arange(len(pictures)), pictures))
    vectors = rng.normal(size=(len(people), dimension))
    if np.isfinite(spread):
        centres = rng.normal(size=(len(pictures), dimension))
        vectors = centres[people] + spread * vectors
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype("float32"), np.array([f"p{k:05d}" for k in people], object)


@pytest.fixture
def evaluate(monkeypatch):
    """Return `evaluate_people` of vectors and names instead of a folder."""

    def evaluate(embeddings, labels, seed=0):
        read = (embeddings, labels, {})
        monkeypatch.setattr(evaluation, "embeddings_of_people", lambda *_: read)
        parts = types.SimpleNamespace(detector=None, embedder=None)
        return evaluate_people(parts, "folder", seed)

    return evaluate


def test_chance_is_chance(evaluate):
    found = evaluate(*vectors_of([6] * 10, np.inf))
    assert 0.4 < found.equal_error_rate < 0.6
    assert found.rank_1[1][0] < 0.25
    assert found.open_set[0.1][0] < 0.15


def test_the_accuracy_of_chance_is_told_beside_the_accuracy(evaluate):
    """Ten people with ten pictures: 450 pairs of one person, 4,500 of two."""
    found = evaluate(*vectors_of([10] * 10, np.inf))
    assert found.chance == pytest.approx(4500 / 4950)
    assert found.accuracy.mean == pytest.approx(found.chance, abs=0.003)
    assert 0.4 < found.equal_error_rate < 0.6


def test_the_more_frequent_answer_is_chance(evaluate):
    """Of 45 pairs of nine pictures and one of another person 36 are of one."""
    assert evaluate(*vectors_of([9, 1], 0.01)).chance == pytest.approx(36 / 45)


def test_one_person_with_several_pictures(evaluate):
    """Draws that enroll nobody are left out, and who has one picture is a stranger."""
    found = evaluate(*vectors_of([3] + [1] * 24, 0.01))
    assert found.pairs == (3, 27 * 26 // 2 - 3)
    assert found.rank_1 == {1: (1.0, 0.0)}
    assert found.open_set == {0.1: (1.0, 0.0)}


def test_too_few_strangers_leave_the_rate_out(evaluate):
    assert evaluate(*vectors_of([2, 2, 1], 0.01)).open_set == {}


def test_one_pair_of_a_person_is_refused(evaluate):
    with pytest.raises(ValueError, match=r"two pairs.*Add a picture"):
        evaluate(*vectors_of([2, 1, 1, 1], 0.01))


def test_draws_take_as_many_pictures_of_whoever_has_more():
    people = np.array([2, 0, 1, 0, 2, 0, 2, 2])
    pictures = pictures_of_each(people)
    assert [own.tolist() for own in pictures] == [[1, 3, 5], [2], [0, 4, 6, 7]]
    assert pictures_of_each(people[:0]) == []
    rng, drawn = np.random.default_rng(0), set()
    for _ in range(50):
        chosen = evaluation._drawn(pictures, [0, 1, 2], 2, rng)
        assert np.bincount(people[chosen], minlength=3).tolist() == [2, 0, 2]
        drawn |= set(np.flatnonzero(chosen).tolist())
    assert drawn == {0, 1, 3, 4, 5, 6, 7}
    assert not evaluation._drawn(pictures, [1, 2], 4, rng).any()
