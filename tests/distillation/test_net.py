"""Nets read by losses: pictures and maps whose size is not known beforehand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tests.distillation.nets import conv_net
from tests.distillation.nets import pictures
from tftransfer.losses import AttentionTransferLoss
from tftransfer.losses import FlowLoss
from tftransfer.losses import HintLoss
from tftransfer.losses import JacobianMatchingLoss
from tftransfer.losses import RelationalLoss

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
PAIRS = [("mid", "mid")]
LOSSES = [
    AttentionTransferLoss(PAIRS),
    HintLoss(PAIRS),
    FlowLoss([*PAIRS, ("low", "low")]),
    RelationalLoss(PAIRS),
    JacobianMatchingLoss(PAIRS),
]


def taught(loss, size=12):
    nets = [conv_net(8, name, size=size) for name in ("student", "teacher")]
    model = tft.Distiller(*nets, [loss] if loss else None)
    model.compile(keras.optimizers.SGD(0.0), CROSS_ENTROPY)
    return model


def without_size(x, y):
    signature = (tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((None,), tf.int64))
    return tf.data.Dataset.from_generator(
        lambda: iter([(x, y)]), output_signature=signature
    )


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_nets_of_any_size_are_compared_once_pictures_come(loss):
    x, y = pictures()
    found = []
    for size in (12, None):
        keras.utils.set_random_seed(0)
        model = taught(loss, size)
        found.append(model.train_on_batch(x, y))
    assert found[1] == pytest.approx(found[0], rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES[:3] + LOSSES[4:], ids=lambda loss: loss.name)
def test_maps_whose_size_stays_unknown_are_told_of(loss):
    with pytest.raises(ValueError, match="ensure_shape"):
        taught(loss, None).fit(without_size(*pictures()), verbose=0)


def test_vectors_of_maps_of_unknown_size_are_compared():
    history = taught(LOSSES[3], None).fit(without_size(*pictures()), verbose=0)
    assert np.isfinite(history.history["relational_loss"])


@pytest.mark.parametrize("size", [12, 20])
def test_pictures_of_unknown_size_get_that_of_the_net(size):
    x, y = pictures(size=size)
    losses = []
    for data in (without_size(x, y), tf.data.Dataset.from_tensors((x, y))):
        keras.utils.set_random_seed(0)
        losses.append(taught(None).fit(data, verbose=0).history["loss"][0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
