"""fine_tune_embedding: people apart, BatchNorm's averages, the best epoch, errors."""

import keras
import numpy as np
import pytest

from tests.face.toy_people import small_net
from tests.face.toy_people import toy_people
from tftransfer.face import equal_error_rate
from tftransfer.face import fine_tune_embedding
from tftransfer.face.scores.people_pairs import similarities_of_pairs
from tftransfer.losses import ContrastiveLoss
from tftransfer.losses import TripletHardLoss
from tftransfer.losses import TripletSemiHardLoss

OPTIONS = {"learning_rate": 3e-3, "patience": None, "classes_per_batch": 5}


def error_of(model, crops, names):
    embeddings = model(crops, training=False).numpy()
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return equal_error_rate(*similarities_of_pairs(unit, names)).rate


@pytest.mark.parametrize(
    "loss",
    [TripletHardLoss(soft=True), TripletSemiHardLoss(0.3), ContrastiveLoss(1.0)],
    ids=lambda loss: loss.name,
)
def test_people_never_seen_are_told_apart_better(loss):
    crops, names = toy_people()
    net = small_net()
    before = net.get_weights()
    result = fine_tune_embedding(net, crops, names, epochs=12, loss=loss, **OPTIONS)
    # People of other colours, in crops that neither trained nor chose the epoch.
    others, their_names = toy_people(people=7, seed=1)
    assert error_of(result.model, others, their_names) < 0.6 * error_of(
        net, others, their_names
    )
    assert result.eer < result.eer_before
    assert result.best_epoch > 0
    assert not set(result.train_people) & set(result.validation_people)
    assert len(result.train_people) == 10
    for old, now in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)


def test_the_weights_kept_are_those_of_the_best_epoch():
    crops, names = toy_people(people=6, pictures=4)
    held = ["person 01", "person 03", "person 04"]
    result = fine_tune_embedding(
        small_net(), crops, names, epochs=4, validation_people=held, **OPTIONS
    )
    assert result.validation_people == held
    scores = [result.eer_before, *result.history["val_eer"]]
    assert len(scores) == 5
    assert result.eer == min(scores) == scores[result.best_epoch]
    assert result.best_epoch == scores.index(min(scores))
    seen = np.isin(names, held)
    again = error_of(result.model, crops[seen], names[seen])
    assert again == pytest.approx(result.eer, abs=0.02)  # predicted in other batches


def test_it_ends_early_and_keeps_the_weights_it_came_with_where_none_is_better():
    crops, names = toy_people(people=6, pictures=4)
    net = small_net()
    result = fine_tune_embedding(
        net, crops, names, epochs=9, patience=2, learning_rate=1e-12
    )
    assert len(result.history["loss"]) == 2
    assert result.best_epoch == 0
    assert result.eer == result.eer_before
    np.testing.assert_array_equal(
        result.model(crops, training=False), net(crops, training=False)
    )


def test_frozen_layers_and_batch_averages_stay_bit_identical(tmp_path):
    crops, names = toy_people()
    net = small_net()
    net.get_layer("norm").moving_mean.assign(np.linspace(-0.2, 0.2, 8))
    result = fine_tune_embedding(
        net, crops, names, frozen_until="low", epochs=6, **OPTIONS
    )
    assert result.best_epoch > 0
    changed = {
        "low": [False, False],
        "norm": [True, True, False, False],  # gamma, beta; mean, variance
        "high": [True, True],
    }
    for layer, expected in changed.items():
        old = net.get_layer(layer).get_weights()
        new = result.model.get_layer(layer).get_weights()
        found = [not np.array_equal(a, b) for a, b in zip(old, new, strict=True)]
        assert found == expected, layer
    result.model.save(tmp_path / "tuned.keras")
    again = keras.models.load_model(tmp_path / "tuned.keras")
    np.testing.assert_array_equal(
        again(crops, training=False), result.model(crops, training=False)
    )


def test_seeded_runs_repeat():
    crops, names = toy_people(people=6, pictures=4)
    net = small_net()
    first, again = (
        fine_tune_embedding(net, crops, names, epochs=2, seed=3, **OPTIONS)
        for _ in range(2)
    )
    assert first.history == again.history
    np.testing.assert_array_equal(
        first.model(crops, training=False), again.model(crops, training=False)
    )


def test_errors():
    crops, names = toy_people(people=4, pictures=2)
    net = small_net()
    with pytest.raises(ValueError, match=r"16x16 pixels.*20x20"):
        fine_tune_embedding(net, np.zeros((8, 20, 20, 3), "uint8"), names)
    with pytest.raises(ValueError, match=r"\(n, size, size, 3\)"):
        fine_tune_embedding(net, crops[0], names)
    with pytest.raises(ValueError, match="two people or more"):
        fine_tune_embedding(net, crops[:6], names[:6])
    with pytest.raises(ValueError, match="person 9"):
        fine_tune_embedding(net, crops, names, validation_people=["person 9"])
    with pytest.raises(ValueError, match=r"in \(0, 1\)"):
        fine_tune_embedding(net, crops, names, validation_people=1.5)
    with pytest.raises(ValueError, match="augment"):
        fine_tune_embedding(net, crops, names, augment="mirror")
    with pytest.raises(ValueError, match="layer or an endpoint"):
        fine_tune_embedding(net, crops, names, frozen_until="nothing")
    with pytest.raises(ValueError, match="integer labels"):
        fine_tune_embedding(net, crops, np.eye(8))
    with pytest.raises(TypeError, match="functional"):
        fine_tune_embedding(lambda x: x, crops, names)
