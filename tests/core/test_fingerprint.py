import keras
import numpy as np

import tftransfer as tft
from tftransfer.core import model_digest
from tftransfer.core import weights_digest


def test_a_loaded_model_has_its_digests_again(tmp_path):
    """Dropout starts from another seed in every process and every load."""
    model = tft.Classifier(tft.Backbone("tiny"), 2)
    model.save(tmp_path / "model.keras")
    found = set()
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        again = tft.load_model(tmp_path / "model.keras")
        found.add((weights_digest(again), model_digest(again)))
    assert len(found) == 1
    assert weights_digest(model) == weights_digest(again)


def test_any_weight_changes_the_digest():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    before = weights_digest(model)
    model.layers[0].bias.assign(np.array([0.0, 1e-7]))
    assert weights_digest(model) != before
