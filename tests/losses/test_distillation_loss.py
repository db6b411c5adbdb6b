"""What every DistillationLoss does: configs, weights of rows, half precision, pairs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tftransfer.core import register
from tftransfer.losses import DistillationLoss

PAIRS = [("s1", "t1"), ("s2", ["0", "t2"])]
# name: (loss with settings of its own, shapes of teacher and student, config beside
# name, reduction and pairs)
LOSSES = {
    "soft_target": (tft.losses.SoftTargetLoss(3.0), [(6, 4)] * 2, {"temperature": 3.0}),
    "attention": (tft.losses.AttentionTransferLoss(PAIRS), [(6, 4, 4, 3)] * 2, {}),
    "jacobian": (tft.losses.JacobianMatchingLoss(PAIRS), [(6, 4)] * 2, {}),
    "hint": (
        tft.losses.HintLoss(PAIRS, always_regress=True),
        [(6, 4, 4, 3), (6, 3, 3, 3)],
        {"always_regress": True},
    ),
    "flow": (tft.losses.FlowLoss(PAIRS), [(6, 3, 4), (6, 3, 4)], {}),
    "relational": (
        tft.losses.RelationalLoss(PAIRS, distance_weight=2.0, angle_weight=3.0),
        [(6, 4), (6, 5)],
        {"distance_weight": 2.0, "angle_weight": 3.0},
    ),
    "decoupled": (
        tft.losses.DecoupledKDLoss(3.0, target_weight=2.0, non_target_weight=5.0),
        [(6, 4)] * 2,
        {"temperature": 3.0, "target_weight": 2.0, "non_target_weight": 5.0},
    ),
    "contrastive": (
        tft.losses.ContrastiveRepresentationLoss(
            PAIRS, embedding_dim=5, temperature=0.5
        ),
        [(6, 4)] * 2,
        {"embedding_dim": 5, "temperature": 0.5},
    ),
}
each = pytest.mark.parametrize("key", LOSSES)


def values(shapes, seed=0, dtype="float32"):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def test_every_loss_is_tested_here():
    exported = {
        value
        for value in vars(tft.losses).values()
        if isinstance(value, type) and issubclass(value, DistillationLoss)
    }
    assert exported - {DistillationLoss} == {type(row[0]) for row in LOSSES.values()}


@each
def test_config_round_trip(key):
    loss, shapes, config = LOSSES[key]
    saved = keras.saving.serialize_keras_object(loss)
    again = keras.saving.deserialize_keras_object(saved)
    assert type(again) is type(loss)
    for name, value in config.items():
        assert getattr(again, name) == value
    assert again.pairs == loss.pairs
    assert again.get_config() == loss.get_config()
    assert float(again(*values(shapes))) == float(loss(*values(shapes)))


@each
def test_reduction_and_name_are_kept(key):
    loss, shapes, _ = LOSSES[key]
    config = loss.get_config() | {"name": "mine", "reduction": "sum"}
    again = type(loss).from_config(config)
    assert (again.name, again.reduction) == ("mine", "sum")
    total = float(again(*values(shapes)))
    assert total == pytest.approx(6 * float(loss(*values(shapes))), rel=1e-5)


@each
def test_rows_have_weights(key):
    loss, shapes, _ = LOSSES[key]
    teacher, student = values(shapes)
    rows = loss.call(tf.constant(teacher), tf.constant(student))
    assert rows.shape == (6,)
    weights = np.array([1, 0, 2, 0, 1, 0.5], "float32")
    weighted = float(loss(teacher, student, weights))
    assert weighted == pytest.approx(float(np.sum(rows * weights)) / 6, rel=1e-4)


@each
def test_a_row_of_weight_zero_is_absent(key):
    loss, shapes, _ = LOSSES[key]
    teacher, student = values(shapes)
    if loss.in_batch:
        pytest.skip("Rows are compared with each other: documented on the class.")
    weights = np.array([1, 1, 1, 1, 0, 0], "float32")
    with_all = float(loss(teacher, student, weights))
    alone = float(loss(teacher[:4], student[:4]))
    assert with_all == pytest.approx(alone * 4 / 6, rel=1e-4)


@each
def test_half_precision_is_finite(key):
    loss, shapes, _ = LOSSES[key]
    teacher, student = values(shapes, dtype="float16")
    student = tf.Variable(10 * student)
    with tf.GradientTape() as tape:
        value = loss(10 * teacher, student)
    gradient = tape.gradient(value, student)
    assert value.dtype == "float32"
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    assert np.any(gradient)


@each
def test_values_in_a_graph_of_unknown_batch(key):
    loss, shapes, _ = LOSSES[key]
    teacher, student = values(shapes)
    specs = [tf.TensorSpec((None, *shape[1:]), "float32") for shape in shapes]
    graph = tf.function(lambda t, s: loss(t, s), input_signature=specs)
    assert float(graph(teacher, student)) == pytest.approx(
        float(loss(teacher, student)), rel=1e-5
    )


def test_pairs_are_checked():
    for pairs in ([], [("a", "b", "c")]):
        with pytest.raises(ValueError, match="one or more"):
            DistillationLoss(pairs, name="any")


def test_defaults_of_the_base():
    loss = DistillationLoss([("a", "b"), ("c", "d")], name="any")
    assert loss.teacher_values([1]) == loss.student_values([1], None) == 1
    assert loss.teacher_values([1, 2]) == loss.student_values((1, 2), None) == [1, 2]
    assert loss.student_adapters([], []) == loss.teacher_adapters([], []) == [None] * 2
    assert (loss.default_weight, loss.in_batch) == (1.0, False)
    assert (loss.needs_gradient, loss.needs_labels) == (False, False)


@register
class _SquaredLoss(DistillationLoss):
    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


def test_a_loss_of_ones_own_needs_only_call():
    nets = [
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]) for _ in range(2)
    ]
    x = values([(8, 4)])[0]
    expected = np.mean((nets[0](x) - nets[1](x)) ** 2)
    distiller = tft.Distiller(*nets, [_SquaredLoss(name="squared")])
    distiller.compile("sgd")
    history = distiller.fit(x, batch_size=8, verbose=0).history
    assert history["squared_loss"][0] == pytest.approx(expected, rel=1e-4)
