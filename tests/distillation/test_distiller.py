import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax
from scipy.special import softmax

import tftransfer as tft
from tests.distillation.nets import arrays
from tests.distillation.nets import conv_net
from tests.distillation.nets import pictures
from tftransfer.losses import AttentionTransferLoss
from tftransfer.losses import ContrastiveRepresentationLoss
from tftransfer.losses import HintLoss
from tftransfer.losses import JacobianMatchingLoss
from tftransfer.losses import RelationalLoss
from tftransfer.losses import SoftTargetLoss

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def distiller(*losses, student=None, teacher=None, **options):
    student = student or conv_net(4, "student")
    return tft.Distiller(
        student, teacher or conv_net(8, "teacher"), list(losses) or None, **options
    )


def loss_of_step(model, *data, **options):
    return model.train_on_batch(*data, return_dict=True, **options)["loss"]


def soft_target(teacher, student, temperature):
    p = softmax(teacher / temperature, axis=-1)
    return -(temperature**2) * (p * log_softmax(student / temperature, -1)).sum(-1)


def test_the_total_is_hintons():
    model = distiller(SoftTargetLoss(5.0), loss_weights=[0.7], student_loss_weight=0.3)
    model.compile(keras.optimizers.SGD(0.0), CROSS_ENTROPY)
    x, y = pictures()
    # The student's logits of a training step: BatchNorm of the batch.
    student = np.asarray(model.student(x, training=True))
    teacher = np.asarray(model.teacher(x, training=False))
    task = -log_softmax(student, -1)[np.arange(16), y].mean()
    expected = 0.3 * task + 0.7 * soft_target(teacher, student, 5.0).mean()
    assert loss_of_step(model, x, y) == pytest.approx(expected, rel=1e-5)


def test_default_weights_are_the_papers():
    pairs = [("mid", "mid")]
    both = distiller(SoftTargetLoss(), AttentionTransferLoss(pairs)).scalars
    alone = distiller(AttentionTransferLoss(pairs)).scalars
    assert {k: round(float(v), 6) for k, v in both.items()} == {
        "task_weight": 0.1,
        "soft_target_weight": 0.9,
        "soft_target_temperature": 4.0,
        "attention_transfer_weight": 1000.0,
    }
    assert float(alone["task_weight"]) == 1.0


def test_probabilities_are_softened_once():
    logits = conv_net(8, "teacher")
    layers = [keras.Input((12, 12, 3)), *logits.layers, keras.layers.Softmax()]
    ends_in_softmax = keras.Sequential(layers)
    fused = conv_net(8, "fused", end="softmax")
    fused.set_weights(logits.get_weights())
    image = logits.inputs[0]
    called = keras.Model(image, keras.ops.softmax(logits.outputs[0]))
    x, _ = pictures()
    expected = softmax(np.asarray(logits(x)) / 20, axis=-1)
    for teacher in (logits, ends_in_softmax, fused, called):
        found = distiller(SoftTargetLoss(20.0), teacher=teacher).teacher_outputs(x)
        softened = softmax(np.asarray(found["soft_target"]) / 20, axis=-1)
        np.testing.assert_allclose(softened, expected, rtol=1e-4)


def test_a_student_of_probabilities_gets_the_gradient_of_its_logits():
    plain, ended = conv_net(4, "plain"), conv_net(4, "ended", end="softmax")
    ended.set_weights(plain.get_weights())
    teacher, found = conv_net(8, "teacher"), []
    x, y = pictures()
    for student, logits in ((plain, True), (ended, False)):
        model = distiller(SoftTargetLoss(), student=student, teacher=teacher)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
        model.compile(keras.optimizers.SGD(0.1), loss)
        model.train_on_batch(x, y)
        found.append(arrays(student))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_several_teachers_average_probabilities():
    teachers = [conv_net(8, "a"), conv_net(6, "b", end="softmax")]
    for teacher in teachers:  # apart, so that the averages differ
        kernel = teacher.get_layer("scores").kernel
        kernel.assign(400 * kernel)
    model = distiller(
        SoftTargetLoss(3.0),
        teacher=teachers,
        teacher_weights=[3, 1],
        student_loss_weight=0,
        loss_weights=[1],
    )
    model.compile(keras.optimizers.SGD(0.0), CROSS_ENTROPY)
    x, y = pictures()
    student = np.asarray(model.student(x, training=True))
    first = np.asarray(teachers[0](x))
    second = np.log(np.asarray(teachers[1](x)))
    p = 0.75 * softmax(first / 3, axis=-1) + 0.25 * softmax(second / 3, axis=-1)
    expected = -9 * (p * log_softmax(student / 3, -1)).sum(-1).mean()
    assert loss_of_step(model, x, y) == pytest.approx(expected, rel=1e-4)
    logits = soft_target((3 * first + second) / 4, student, 3.0).mean()
    assert abs(expected - logits) > 0.1  # an average of logits is another thing


def test_the_scores_of_one_of_several_teachers():
    teachers = [conv_net(8, "a"), conv_net(6, "b")]
    loss = SoftTargetLoss(3.0, pairs=[(None, (1, None))])
    x, _ = pictures()
    found = distiller(loss, teacher=teachers).teacher_outputs(x)["soft_target"]
    np.testing.assert_allclose(found, teachers[1](x), rtol=1e-4, atol=1e-6)


def test_what_a_loss_learns_of_teachers_gets_their_average():
    teachers = [conv_net(8, "a"), conv_net(6, "b")]
    loss = ContrastiveRepresentationLoss([(None, None)], embedding_dim=2)
    model = distiller(loss, teacher=teachers)
    x, _ = pictures()
    p = sum(softmax(np.asarray(teacher(x)), axis=-1) for teacher in teachers) / 2
    embed = next(layer for layer in model.adapters if "teacher" in layer.name)
    found = model(x, training=True)["contrastive"]["teacher"]
    np.testing.assert_allclose(found, embed(np.log(p)), rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_without_labels_the_teacher_is_enough():
    model = distiller(SoftTargetLoss(2.0), loss_weights=[1.0])
    model.compile(keras.optimizers.Adam(0.02))
    x, _ = pictures(64)
    before = model.evaluate(x, np.argmax(model.teacher(x), -1), verbose=0)
    assert before == 0.0  # no loss was asked for
    agreement = []
    for _ in range(2):
        same = np.argmax(model.predict(x, verbose=0), -1) == np.argmax(
            model.teacher(x), -1
        )
        agreement.append(same.mean())
        model.fit(x, epochs=60, verbose=0)
    assert agreement[1] > max(0.9, agreement[0])


def test_sample_weight_reaches_every_term():
    losses = [SoftTargetLoss(), AttentionTransferLoss([("mid", "mid")])]
    x, y = pictures()
    weight = np.r_[np.ones(8), np.zeros(8)]
    student = conv_net(4, "student", batch_norm=False)
    model = distiller(*losses, student=student)
    model.compile(keras.optimizers.SGD(0.0), CROSS_ENTROPY)
    half = loss_of_step(model, x[:8], y[:8])
    weighted = loss_of_step(model, x, y, sample_weight=weight)
    assert weighted == pytest.approx(half / 2, rel=1e-5)  # a mean over 16 rows


@pytest.mark.parametrize("labelled", [True, False])
def test_what_regularisers_add_is_the_students_and_counts_whole(labelled):
    def net(name, penalty):
        layer = keras.layers.Conv2D(
            4, 3, kernel_regularizer=penalty, activity_regularizer=penalty
        )
        rest = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
        return keras.Sequential([keras.Input((12, 12, 3)), layer, *rest], name=name)

    losses = []
    x, y = pictures()
    data = (x, y) if labelled else (x,)
    student, teacher = net("s", "l2"), net("t", "l2")
    for penalised in (True, False):
        nets = [net("s", "l2" if penalised else None), net("t", "l2")]
        for fresh, old in zip(nets, (student, teacher), strict=True):
            fresh.set_weights(old.get_weights())
        model = distiller(SoftTargetLoss(), student=nets[0], teacher=nets[1])
        model.compile(keras.optimizers.SGD(0.0), CROSS_ENTROPY if labelled else None)
        losses.append(loss_of_step(model, *data))
    student(x)
    added = float(sum(student.losses))
    assert losses[0] - losses[1] == pytest.approx(added, rel=1e-4)


def test_student_runs_once_and_batch_norm_moves_once():
    model = distiller(
        SoftTargetLoss(),
        AttentionTransferLoss([("mid", "mid"), ("top", "top")]),
        JacobianMatchingLoss(),
    )
    model.compile(keras.optimizers.SGD(0.0), CROSS_ENTROPY)
    x, y = pictures()
    norm = model.student.get_layer("norm")
    batch_mean = np.asarray(model.student.get_layer("low")(x)).mean((0, 1, 2))
    model.train_on_batch(x, y)
    moved = (1 - norm.momentum) * batch_mean
    np.testing.assert_allclose(norm.moving_mean, moved, rtol=1e-4, atol=1e-7)


def test_teacher_is_left_as_it_was_even_where_it_shares_its_flags():
    teacher = conv_net(8, "teacher")
    teacher.get_layer("low").trainable = False
    before = arrays(teacher)
    model = distiller(SoftTargetLoss(), teacher=teacher)
    model.compile("adam", CROSS_ENTROPY)
    model.fit(*pictures(), epochs=2, verbose=0)
    assert [layer.trainable for layer in teacher.layers].count(False) == 1
    assert teacher.trainable
    for a, b in zip(before, arrays(teacher), strict=True):
        np.testing.assert_array_equal(a, b)


def test_inputs_of_other_sizes_and_scales():
    student = conv_net(4, "student", size=6)
    teacher = conv_net(8, "teacher", size=12)
    x, y = pictures(size=12)
    model = distiller(
        AttentionTransferLoss([("low", "mid")]),
        student=student,
        teacher=teacher,
        teacher_preprocessing=keras.layers.Rescaling(1 / 255),
    )
    model.compile("sgd", CROSS_ENTROPY, metrics=["accuracy"])
    model.fit(x, y, validation_data=(x, y), verbose=0)
    assert model.predict(x, verbose=0).shape == (16, 3)
    small = tf.image.resize(x, (6, 6), antialias=True)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), student(small), rtol=1e-4, atol=1e-5
    )
    apart = {"student": small, "teacher": x}
    np.testing.assert_allclose(
        model(apart, training=True)["attention_transfer"]["teacher"][0],
        np.square(_layer(teacher, "mid", x / 255)).mean(-1),
        rtol=1e-4,
        atol=1e-9,
    )
    model.fit(apart, y, verbose=0)


def _layer(model, name, x):
    return np.asarray(keras.Model(model.inputs, model.get_layer(name).output)(x))


def test_endpoints_of_classifiers_and_paths_through_nested_models():
    student = tft.Classifier(tft.Backbone("tiny", weights=None, name="small"), 3)
    inner = conv_net(8, "inner", size=32)
    outer = keras.Sequential([keras.Input((32, 32, 3)), inner], name="outer")
    model = distiller(
        AttentionTransferLoss([("stage1", "inner/mid"), ("small/stage2_out", "top")]),
        student=student,
        teacher=outer,
    )
    x = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    outputs = model(x, training=True)["attention_transfer"]
    expected = np.square(_layer(inner, "mid", x)).mean(-1)
    np.testing.assert_allclose(outputs["teacher"][0], expected, rtol=1e-4)
    stage = student.backbone.select("stage1")(x)["stage1"]  # BatchNorm as in inference
    np.testing.assert_allclose(
        outputs["student"][0], np.square(stage).mean(-1), rtol=1e-4, atol=1e-6
    )


def test_a_subclassed_model_is_compared_by_its_scores():
    @keras.saving.register_keras_serializable("tests")
    class Subclassed(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.net = conv_net(4, "net")
            self.built = True

        def call(self, x, training=None):
            return self.net(x, training=training)

    with pytest.raises(ValueError, match="teacher_output='logits'"):
        distiller(SoftTargetLoss(), teacher=Subclassed())
    with pytest.raises(ValueError, match="whose layers can be read"):
        distiller(AttentionTransferLoss([("mid", "mid")]), teacher=Subclassed())
    model = distiller(SoftTargetLoss(), teacher=Subclassed(), teacher_output="logits")
    model.compile("sgd")
    assert model.fit(pictures()[0], verbose=0).history["loss"][0] > 0


def test_losses_stay_the_callers():
    loss = SoftTargetLoss(6.0)
    first, second = distiller(loss), distiller(loss)
    first.scalars["soft_target_temperature"].assign(2.0)
    assert loss.temperature == 6.0
    assert float(second.scalars["soft_target_temperature"]) == 6.0


def test_a_ramp_changes_the_compiled_step(tmp_path):
    model = distiller(SoftTargetLoss(4.0), student_loss_weight=0, loss_weights=[1])
    model.compile(keras.optimizers.SGD(0.0), CROSS_ENTROPY)
    x, y = pictures()
    ramp = tft.callbacks.Ramp("soft_target_temperature", start=8, end=2, epochs=3)
    seen = model.fit(x, y, epochs=3, callbacks=[ramp], verbose=0, batch_size=16)
    student = np.asarray(model.student(x, training=True))
    teacher = np.asarray(model.teacher(x))
    expected = [soft_target(teacher, student, t).mean() for t in (8, 5, 2)]
    assert seen.history["soft_target_loss"] == pytest.approx(expected, rel=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert float(again.scalars["soft_target_temperature"]) == 2.0
    assert again.distillation_losses[0].temperature == 4.0


def test_terms_of_the_same_loss_have_names_of_their_own():
    model = distiller(SoftTargetLoss(1.0), SoftTargetLoss(8.0))
    assert list(model.term_weights) == ["soft_target", "soft_target_2"]


@pytest.mark.parametrize("across", [False, True])
def test_a_loss_of_the_batch_is_gathered_on_request(across):
    student = conv_net(4, "student", batch_norm=False)
    teacher = conv_net(8, "teacher")
    x, y = pictures()

    def trained(**options):
        model = distiller(
            RelationalLoss(),
            student=keras.models.clone_model(student),
            teacher=keras.models.clone_model(teacher),
            **options,
        )
        model.student.set_weights(student.get_weights())
        model.teacher.set_weights(teacher.get_weights())
        model.compile(keras.optimizers.SGD(0.05), CROSS_ENTROPY)
        data = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
        model.fit(data, verbose=0)
        return arrays(model.student)

    alone = trained()
    with tft.distribute.strategy("cpu:2", say=None):
        mirrored = trained(across_replicas=across)
    gap = max(np.abs(a - b).max() for a, b in zip(alone, mirrored, strict=True))
    assert (gap < 2e-5) == across


def test_the_teachers_answers_are_those_of_their_average():
    teachers = [conv_net(8, "one"), conv_net(8, "two", end="softmax")]
    pairs = [("mid", (1, "mid"))]  # no loss reads the scores
    model = distiller(AttentionTransferLoss(pairs), teacher=teachers)
    x, _ = pictures()
    one, two = (np.asarray(teacher(x)) for teacher in teachers)
    expected = np.argmax(softmax(one, -1) + two, -1)
    found = model.teacher_answers({"student": x[:1], "teacher": x})
    np.testing.assert_array_equal(found, expected)


def test_a_student_that_adds_losses_is_saved_after_fit(tmp_path):
    layers = [keras.layers.Dense(5, activity_regularizer="l2"), keras.layers.Dense(3)]
    student = keras.Sequential([keras.Input((4,)), *layers])
    teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model = distiller(student=student, teacher=teacher)
    model.compile("sgd", CROSS_ENTROPY)
    x = np.ones((4, 4), "float32")
    model.fit(x, np.array([0, 1, 2, 0]), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(x), model.predict(x), rtol=1e-6)


def test_weights_that_a_teacher_has_too_are_refused():
    student = conv_net(4, "student")
    with pytest.raises(ValueError, match="clone_model"):
        distiller(student=student, teacher=student)
    trunk = keras.Model(student.inputs, student.get_layer("mid").output)
    scores = keras.layers.Dense(3)(keras.layers.Flatten()(trunk.output))
    teacher = keras.Model(trunk.input, scores)
    with pytest.raises(ValueError, match=r"weights of its own.*low/kernel"):
        distiller(student=student, teacher=[conv_net(8, "teacher"), teacher])
    trunk.trainable = False
    distiller(student=student, teacher=teacher)
    with pytest.raises(ValueError, match="Expected a teacher"):
        tft.Distiller(student, [])


def test_a_student_of_several_named_outputs_is_validated():
    x = keras.Input((4,))
    low = keras.layers.Dense(5, name="low")(x)
    heads = {"kind": keras.layers.Dense(3, name="kind")(low), "low": low}
    student = keras.Model(x, heads)
    layers = [keras.layers.Dense(5, name="low"), keras.layers.Dense(3)]
    teacher = keras.Sequential([keras.Input((4,)), *layers])
    model = distiller(HintLoss([("low", "low")]), student=student, teacher=teacher)
    loss = {"kind": CROSS_ENTROPY, "low": "mse"}
    model.compile("sgd", loss, metrics={"kind": ["accuracy"]})
    x = np.ones((6, 4), "float32")
    y = {"kind": np.arange(6) % 3, "low": np.ones((6, 5))}
    history = model.fit(x, y, validation_data=(x, y), verbose=0).history
    assert {"hint_loss", "val_loss", "val_kind_accuracy"} <= set(history)
