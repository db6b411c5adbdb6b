"""Pairs of pictures against a double loop."""

import numpy as np
import pytest

from tftransfer.face.scores import people_pairs
from tftransfer.face.scores.people_pairs import similarities_of_pairs

RNG = np.random.default_rng(0)
EMBEDDINGS = RNG.normal(size=(30, 5)).astype("float32")
LABELS = RNG.integers(0, 6, 30)


def loop():
    kinds = {True: [], False: []}
    for i in range(30):
        for j in range(i + 1, 30):
            value = float(EMBEDDINGS[i] @ EMBEDDINGS[j])
            kinds[bool(LABELS[i] == LABELS[j])].append(value)
    return kinds


def test_every_pair_once():
    found, same = similarities_of_pairs(EMBEDDINGS, LABELS)
    for kind, values in loop().items():
        np.testing.assert_allclose(
            np.sort(found[same == kind]), np.sort(values), rtol=1e-5, atol=1e-6
        )


def test_names_do_as_well_as_numbers():
    names = np.array([f"person {k}" for k in LABELS], object)
    by_name = similarities_of_pairs(EMBEDDINGS, names)
    by_number = similarities_of_pairs(EMBEDDINGS, LABELS)
    for one, other in zip(by_name, by_number):
        np.testing.assert_array_equal(one, other)


def test_of_too_many_pairs_different_ones_are_drawn(monkeypatch):
    monkeypatch.setattr(people_pairs, "_MOST", 100)
    kinds = loop()
    found, same = similarities_of_pairs(EMBEDDINGS, LABELS, seed=3)
    assert (~same).sum() == 100
    np.testing.assert_allclose(np.sort(found[same]), np.sort(kinds[True]), rtol=1e-5)
    drawn = found[~same]
    assert len(np.unique(drawn)) == 100
    assert np.isin(drawn.round(4), np.array(kinds[False], "float32").round(4)).all()
    again, _ = similarities_of_pairs(EMBEDDINGS, LABELS, seed=3)
    np.testing.assert_array_equal(found, again)


@pytest.mark.parametrize("labels", [[0] * 30, list(range(30))])
def test_one_kind_alone_is_refused(labels):
    with pytest.raises(ValueError, match="two people or more"):
        similarities_of_pairs(EMBEDDINGS, labels)
