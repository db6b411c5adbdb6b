"""What a pair's false-accept rate comes to among many people."""

import numpy as np
import pytest

from tftransfer.face.scores.calibration import calibrated


def vectors_of(people, pictures, seed=0):
    """Return unit vectors of people whose directions are random, and whose they are."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), pictures)
    vectors = rng.normal(size=(people, 64))[labels]
    vectors += rng.normal(size=vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype("float32"), labels


def test_strangers_named_grow_with_those_enrolled():
    found = calibrated(*vectors_of(100, 2), far=0.001)
    assert found.strangers_named(0) == (0, 0, 0)
    assert found.strangers_named(1) == pytest.approx(
        (found.at.far, *found.at.far_interval)
    )
    for share, far in zip(
        found.strangers_named(1000), (found.at.far, *found.at.far_interval)
    ):
        assert share == pytest.approx(1 - (1 - far) ** 1000)


def test_strangers_named_are_those_that_a_search_names():
    """At a FAR of 0.001 most strangers pass for one of a thousand people."""
    found = calibrated(*vectors_of(400, 2), far=0.001)
    enrolled, _ = vectors_of(1000, 1, seed=1)
    strangers, _ = vectors_of(500, 1, seed=2)
    named = np.mean((strangers @ enrolled.T).max(axis=1) >= found.threshold)
    share, _, _ = found.strangers_named(1000)
    assert 0.55 < named < 0.7
    assert named == pytest.approx(share, abs=0.05)
