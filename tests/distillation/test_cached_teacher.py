import keras
import numpy as np
import pytest

import tftransfer as tft
from tests.distillation.nets import arrays
from tests.distillation.nets import conv_net
from tftransfer.data import as_dataset
from tftransfer.data import augmentation
from tftransfer.data import rows
from tftransfer.distillation import cache_teacher
from tftransfer.losses import AttentionTransferLoss
from tftransfer.losses import JacobianMatchingLoss
from tftransfer.losses import SoftTargetLoss

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (10, 12, 12, 3), "uint8")
Y = RNG.integers(0, 3, 10)


def data(augmented=False, shuffle=True, x=X):
    found = as_dataset((x, Y), image_size=12, batch_size=4, shuffle=shuffle, seed=3)
    return augmentation("light").apply(found) if augmented else found


@pytest.fixture(scope="module")
def nets():
    keras.utils.set_random_seed(0)
    return conv_net(4, "student"), conv_net(8, "teacher")


def distiller(nets, *losses):
    student, teacher = nets
    fresh = keras.models.clone_model(student)
    fresh.set_weights(student.get_weights())
    losses = losses or (SoftTargetLoss(), AttentionTransferLoss([("mid", "mid")]))
    model = tft.Distiller(fresh, teacher, list(losses))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01), loss)
    return model


def fitted(model, dataset, epochs):
    source = dataset.source
    model.fit(
        source.epochs(0, epochs),
        epochs=epochs,
        steps_per_epoch=source.steps,
        verbose=0,
    )
    return arrays(model.student)


@pytest.mark.parametrize("augmented", [False, True])
def test_the_first_epochs_are_those_of_the_live_teacher(nets, augmented):
    losses = SoftTargetLoss(), JacobianMatchingLoss([(None, None), ("mid", "top")])
    live, cached = distiller(nets, *losses), distiller(nets, *losses)
    taught = cache_teacher(cached, data(augmented), views=2)
    weights = [fitted(live, data(augmented), 2), fitted(cached, taught, 2)]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_outputs_belong_to_the_pictures_of_every_later_epoch(nets):
    model = distiller(nets)
    taught = cache_teacher(model, data(augmented=True), views=2)
    orders = []
    for epoch in range(2, 7):
        sums = []
        for x, _ in taught.source.epochs(epoch, epoch + 1):
            found = model.teacher_outputs(x["student"])
            kept = x["teacher_outputs"]
            np.testing.assert_allclose(
                found["soft_target"], kept["soft_target"], rtol=1e-4, atol=1e-4
            )
            np.testing.assert_allclose(
                found["attention_transfer"][0],
                kept["attention_transfer"][0],
                rtol=1e-3,
            )
            sums.append(float(np.sum(x["student"])))
        orders.append(sums)
    assert sorted(orders[0]) == sorted(orders[2])  # the same view
    assert sorted(orders[0]) != sorted(orders[1])  # the other one
    assert len({tuple(order) for order in orders}) > 2  # in another order of batches


def test_the_teacher_does_not_run_again(nets):
    model = distiller(nets)
    taught = cache_teacher(model, data())
    model.run_eagerly = True
    layer = model.teacher.get_layer("low")
    layer.call = None  # would raise
    try:
        assert np.isfinite(model.fit(taught, verbose=0).history["loss"][0])
    finally:
        del layer.call


def test_a_folder_keeps_them_for_the_next_process(nets, tmp_path, monkeypatch):
    first = cache_teacher(distiller(nets), data(True), views=2, cache=tmp_path)

    def fails(*arguments):
        yield pytest.fail("computed again")

    monkeypatch.setattr("tftransfer.distillation.cached_teacher._stream", fails)
    again = cache_teacher(distiller(nets), data(True), views=2, cache=tmp_path)
    np.testing.assert_array_equal(first.source.rows, again.source.rows)
    assert isinstance(again.source.rows, np.memmap)


@pytest.mark.slow
def test_another_teacher_loss_picture_or_view_is_computed_anew(nets, tmp_path):
    def entries(net=nets, losses=(), dataset=None, **options):
        cache_teacher(
            distiller(net, *losses), dataset or data(True), cache=tmp_path, **options
        )
        return len(list(tmp_path.glob("*.npy")))

    other = conv_net(8, "teacher")
    assert entries() == 1
    assert entries() == 1
    assert entries((nets[0], other)) == 2
    assert entries(losses=[AttentionTransferLoss([("top", "top")])]) == 3
    assert entries(dataset=data(True, x=255 - X)) == 4
    assert entries(dataset=augmentation("strong").apply(data())) == 5
    assert entries(views=2) == 6
    assert entries(dtype="float16") == 7
    assert entries(dataset=data()) == 8


def test_half_the_room_in_float16(nets):
    taught = cache_teacher(distiller(nets), data(), dtype="float16")
    assert taught.source.rows.dtype == np.float16
    x, _ = next(iter(taught))
    assert x["teacher_outputs"]["soft_target"].dtype == "float32"
    with pytest.raises(ValueError, match="float32"):
        cache_teacher(distiller(nets, JacobianMatchingLoss()), data(), dtype="float16")


def test_too_much_for_memory_and_unknown_order_say_so(nets, monkeypatch):
    with pytest.raises(TypeError, match="unknown origin"):
        cache_teacher(distiller(nets), data().map(lambda x, y: (x, y)))
    monkeypatch.setattr(rows, "_MOST_IN_MEMORY", 100)
    with pytest.raises(MemoryError, match="Name a folder"):
        cache_teacher(distiller(nets), data())


def test_mixed_labels_and_no_labels(nets):
    mixed = augmentation("none", mix="mixup", num_classes=3).apply(data())
    x, y = next(iter(cache_teacher(distiller(nets), mixed).source.epochs(0, 1)))
    assert y.shape == (4, 3)
    found = distiller(nets).teacher_outputs(x["student"])["soft_target"]
    np.testing.assert_allclose(
        found, x["teacher_outputs"]["soft_target"], rtol=1e-4, atol=1e-4
    )
    unlabelled = as_dataset(X, image_size=12, batch_size=4)
    batch = next(iter(cache_teacher(distiller(nets), unlabelled)))
    assert set(batch) == {"student", "teacher_outputs"}
    model = tft.Distiller(*nets)
    model.compile("sgd")
    model.fit(cache_teacher(model, unlabelled), verbose=0)


def test_two_replicas_read_their_rows(nets):
    weights = []
    student, teacher = conv_net(4, "s", batch_norm=False), nets[1]
    for strategy in (None, "cpu:2"):
        scope = tft.distribute.strategy(strategy or "cpu:1", say=None)
        with scope:
            fresh = [keras.models.clone_model(net) for net in (student, teacher)]
            for net, old in zip(fresh, (student, teacher), strict=True):
                net.set_weights(old.get_weights())
            model = distiller(fresh)
        taught = cache_teacher(model, data(True), views=1)
        weights.append(fitted(model, taught, 1))
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_teacher_sees_pictures_in_its_own_size():
    large = RNG.integers(0, 256, (6, 40, 40, 3), "uint8")
    student, teacher = conv_net(4, "s", size=12), conv_net(8, "t", size=24)
    model = tft.Distiller(student, teacher)
    options = {"batch_size": 4, "seed": 3, "shuffle": True}
    read = as_dataset((large, Y[:6]), image_size=12, **options)
    sharp = read.source.at_size(24, same_region=True).dataset()
    for augment in (None, augmentation("light")):
        data = read if augment is None else augment.apply(read)
        taught = cache_teacher(model, data).source.epochs(0, 1)
        shown = sharp if augment is None else augment.apply(sharp)
        for (x, y), (picture, label) in zip(taught, shown.source.epochs(0, 1)):
            assert x["student"].shape[1] == 12
            np.testing.assert_array_equal(y, label)
            np.testing.assert_allclose(
                x["teacher_outputs"]["soft_target"],
                teacher(picture),
                rtol=1e-3,
                atol=1e-3,
            )


def test_preprocessing_that_was_adapted_anew_is_computed_anew(nets, tmp_path):
    for scale in (1, 3):
        normalise = keras.layers.Normalization(name="normalise")
        normalise.adapt(scale * X.astype("float32"))
        model = tft.Distiller(*nets, teacher_preprocessing=normalise)
        taught = cache_teacher(model, data(shuffle=False), cache=tmp_path)
        found = [x["teacher_outputs"]["soft_target"] for x, _ in taught]
        expected = model.teacher_outputs(X.astype("float32"))["soft_target"]
        np.testing.assert_allclose(np.concatenate(found), expected, rtol=1e-4)
