"""Metric losses against values that tensorflow-addons 0.23.0 gave."""

import numpy as np
import pytest

from tftransfer.losses import ContrastiveLoss
from tftransfer.losses import LiftedStructureLoss
from tftransfer.losses import NPairsLoss
from tftransfer.losses import TripletHardLoss
from tftransfer.losses import TripletSemiHardLoss


@pytest.fixture(scope="module")
def recorded(data_dir):
    path = data_dir.parent / "oracles" / "tensorflow_addons" / "losses.npz"
    if not path.is_file():
        pytest.skip(f"recorded values absent: {path}")
    with np.load(path) as values:
        return dict(values)


def compare(recorded, kind, make, arguments, expected_cases):
    keys = [key for key in recorded if key.split("|")[0] == kind]
    assert len(keys) == expected_cases
    for key in keys:
        value = make(key.split("|")[1:])(*arguments)
        np.testing.assert_allclose(value, recorded[key], rtol=1e-5, atol=1e-7)


@pytest.fixture(scope="module")
def labelled(recorded):
    rows = recorded["embeddings"]
    return recorded["labels"], rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_semi_hard(recorded, labelled):
    def make(parts):
        return TripletSemiHardLoss(float(parts[1]), parts[0])

    compare(recorded, "triplet_semihard", make, labelled, 4)


def test_hard(recorded, labelled):
    def make(parts):
        return TripletHardLoss(float(parts[1]), parts[2] == "soft=True", parts[0])

    compare(recorded, "triplet_hard", make, labelled, 8)


def test_lifted_structure(recorded, labelled):
    def make(parts):
        return LiftedStructureLoss(float(parts[0]))

    compare(recorded, "lifted_struct", make, labelled, 1)


def test_contrastive(recorded):
    def make(parts):
        return ContrastiveLoss(float(parts[0]), reduction=None)

    pairs = recorded["contrastive_same"], recorded["contrastive_distance"]
    compare(recorded, "contrastive", make, pairs, 1)


def test_n_pairs(recorded):
    arguments = recorded["npairs_labels"], recorded["npairs_similarity"]
    compare(recorded, "npairs", lambda parts: NPairsLoss(), arguments, 1)
