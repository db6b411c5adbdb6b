"""born_again: the chain, its seeds, its folder and its ensemble."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tftransfer.distillation import born_again

CE = keras.losses.SparseCategoricalCrossentropy


def build(end=None):
    layers = [keras.layers.Dense(8, "relu"), keras.layers.Dense(3, end)]
    return keras.Sequential([keras.Input((4,)), *layers], name="student")


def data(samples=64, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, 4)).astype("float32")
    return x, np.argmax(x[:, :3], axis=1)


def run(teacher=None, train=None, loss=True, **options):
    def arguments():
        labelled = {"loss": CE(from_logits=True), "metrics": ["accuracy"]}
        return {"optimizer": keras.optimizers.Adam(0.01)} | (labelled if loss else {})

    options = {"generations": 2, "validation_data": data(32, seed=1)} | options
    fit = options.pop("fit", lambda: {"epochs": 3, "verbose": 0})
    builder = options.pop("build", build)
    train = train or data()
    return born_again(builder, teacher, train, compile=arguments, fit=fit, **options)


def same(first, second):
    for a, b in zip(first.generations, second.generations, strict=True):
        for v, w in zip(a.get_weights(), b.get_weights(), strict=True):
            np.testing.assert_array_equal(v, w)
    assert first.scores == second.scores


def test_each_generation_is_taught_by_the_one_before():
    taught = []

    def distil(student, teacher):
        taught.append((student, teacher))
        return tft.Distiller(student, teacher)

    first = build()
    result = run(first, distil=distil, generations=3)
    expected = list(zip(result.generations, [first, *result.generations], strict=False))
    assert [(id(s), id(t)) for s, t in taught] == [(id(s), id(t)) for s, t in expected]
    assert len({id(model) for model in result.generations}) == 3


def test_default_loss_is_labels_plus_teacher():
    teacher, x_y = build(), data()
    models = []

    class Keep(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            models.append(self.model)

    run(
        teacher,
        generations=1,
        fit=lambda: {"epochs": 1, "callbacks": [Keep()], "verbose": 0},
    )
    model = models[0]
    assert isinstance(model, tft.Distiller)
    outputs = model(x_y[0], training=True)
    logits = [np.asarray(net(x_y[0])) for net in (teacher, model.student)]
    t, s = (v - np.log(np.exp(v).sum(-1, keepdims=True)) for v in logits)
    labels = -np.mean(s[np.arange(len(s)), x_y[1]])
    soft = -np.mean(np.sum(np.exp(t) * s, -1))
    assert float(model.compute_loss(*x_y, outputs)) == pytest.approx(
        labels + soft, rel=1e-5
    )


def test_scores_are_those_of_the_students():
    result = run()
    x, y = data(32, seed=1)
    for model, scores in zip(result.generations, result.scores, strict=True):
        found = np.mean(np.argmax(model(x), -1) == y)
        assert scores["accuracy"] == pytest.approx(found)
    assert run(validation_data=None, generations=1).scores == [{}]


@pytest.mark.parametrize("end", [None, "softmax"])
def test_ensemble_averages_probabilities(end, tmp_path):
    x, _ = data()
    builds = lambda: build(end)  # noqa: E731
    result = run(build(), build=builds, loss=False, validation_data=None, train=(x,))
    each = [np.asarray(model(x)) for model in result.generations]
    if end is None:
        each = [np.exp(v) / np.exp(v).sum(-1, keepdims=True) for v in each]
    ensemble = result.ensemble()
    np.testing.assert_allclose(ensemble(x), np.mean(each, axis=0), atol=1e-6)
    ensemble.save(tmp_path / "all.keras")
    again = keras.saving.load_model(tmp_path / "all.keras")
    np.testing.assert_allclose(again(x), ensemble(x), atol=1e-6)


def test_ensemble_is_surer_of_the_labels_than_its_members_are_on_average():
    x, y = data(200, seed=2)
    result = run(generations=3, fit=lambda: {"epochs": 10, "verbose": 0})
    mean = result.ensemble()
    losses = [float(CE(from_logits=True)(y, model(x))) for model in result.generations]
    assert float(CE()(y, mean(x))) < np.mean(losses)


def test_runs_repeat_and_generations_differ():
    first, second = run(), run()
    same(first, second)
    a, b = first.generations
    assert np.any(a.get_weights()[0] != b.get_weights()[0])
    other = run(seed=7)
    assert np.any(other.generations[0].get_weights()[0] != a.get_weights()[0])


@pytest.mark.slow
def test_a_killed_chain_goes_on(tmp_path):
    def train():
        return tf.data.Dataset.from_tensor_slices(data()).shuffle(64, seed=1).batch(16)

    whole = run(train=train, generations=3)
    epochs = []

    class Killed(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            epochs.append(epoch)
            if len(epochs) == 5:
                raise KeyboardInterrupt

    fit = lambda: {"epochs": 3, "verbose": 0, "callbacks": [Killed()]}  # noqa: E731
    with pytest.raises(KeyboardInterrupt):
        run(train=train, generations=3, fit=fit, folder=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "generation_0.keras",
        "generation_0.json",
    }
    resumed = run(train=train, generations=3, fit=fit, folder=tmp_path)
    assert len(epochs) == 5 + 6  # the first generation was not trained again
    same(resumed, whole)
    again = run(train=train, generations=3, fit=fit, folder=tmp_path)
    assert len(epochs) == 11
    same(again, whole)


def test_a_folder_of_another_chain_is_refused(tmp_path):
    teacher = build()
    run(teacher, folder=tmp_path, generations=1)
    with pytest.raises(ValueError, match=r"Expected.*another seed[\s\S]*folder"):
        run(teacher, folder=tmp_path, generations=1, seed=1)
    with pytest.raises(ValueError, match=r"Expected.*another teacher"):
        run(folder=tmp_path, generations=1)


def test_students_may_be_methods(tmp_path):
    def classifier():
        return tft.Classifier(tft.Backbone("tiny", weights=None), num_classes=3)

    x = np.random.default_rng(0).uniform(0, 255, (8, 32, 32, 3)).astype("float32")
    train = x, np.arange(8) % 3
    options = {"build": classifier, "train": train, "validation_data": train}
    result = run(folder=tmp_path, fit=lambda: {"verbose": 0}, **options)
    again = run(folder=tmp_path, fit=lambda: {"verbose": 0}, **options)
    assert result.ensemble()(x).shape == (8, 3)
    same(result, again)


def test_bad_arguments_raise():
    with pytest.raises(ValueError, match=r"Expected `generations`.*Received"):
        run(generations=0)
    with pytest.raises(ValueError, match=r"Expected a `teacher`.*Received"):
        run(loss=False)
