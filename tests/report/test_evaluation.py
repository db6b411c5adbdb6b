import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.metrics import confusion_matrix
from sklearn.metrics import log_loss
from sklearn.metrics import top_k_accuracy_score

import tftransfer as tft
from tests.report.told import Told
from tests.report.told import softmax
from tests.report.told import some_case
from tests.report.told import told
from tftransfer.report import evaluate_classifier
from tftransfer.report import wilson_interval


@pytest.mark.parametrize("activation", ["linear", "softmax"])
def test_numbers_are_those_of_scikit_learn(activation):
    logits, labels = some_case(classes=8)
    found = evaluate_classifier(Told(8, activation), told(logits, labels))
    shares, predicted = softmax(logits), logits.argmax(axis=1)
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_array_equal(found.predictions, predicted)
    np.testing.assert_array_equal(found.confusion, confusion_matrix(labels, predicted))
    np.testing.assert_allclose(found.scores, shares.max(axis=1), rtol=1e-4)
    assert (found.count, found.correct) == (90, np.sum(predicted == labels))
    assert found.accuracy == pytest.approx(np.mean(predicted == labels))
    assert found.interval == wilson_interval(found.correct, 90)
    assert found.mean_log_loss == pytest.approx(log_loss(labels, shares), rel=1e-4)
    assert found.top5_accuracy == top_k_accuracy_score(labels, shares, k=5)
    assert found.class_names == tuple("01234567")


def test_equal_scores_are_no_top5_hits():
    """A head that starts from zeros ranks nothing: five of eight classes are hit."""
    found = evaluate_classifier(Told(8), told(np.zeros((8, 8)), np.arange(8)))
    assert found.top5_accuracy == 5 / 8
    assert found.accuracy == 1 / 8


def test_top5_says_nothing_of_five_classes():
    found = evaluate_classifier(Told(5), told(*some_case(classes=5)))
    assert found.top5_accuracy is None


def test_any_form_of_labels_and_batches():
    logits, labels = some_case()
    pictures, labels = told(logits, labels)
    expected = evaluate_classifier(Told(3), (pictures, labels))
    one_hot = np.eye(3, dtype="float32")[labels]
    for given in (labels, labels[:, None], one_hot):
        dataset = tf.data.Dataset.from_tensor_slices((pictures, given)).batch(7)
        found = evaluate_classifier(Told(3), dataset)
        np.testing.assert_array_equal(found.confusion, expected.confusion)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)
        assert found.mean_log_loss == pytest.approx(expected.mean_log_loss)


def test_sample_weights_are_let_through():
    pictures, labels = told(*some_case())
    data = (pictures, labels, np.ones(90, "float32"))
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(32)
    assert evaluate_classifier(Told(3), dataset).count == 90


def test_mistakes_are_the_most_confident_ones_first():
    logits, labels = some_case()
    found = evaluate_classifier(Told(3), told(logits, labels), worst=5, batch_size=8)
    shares, predicted = softmax(logits), logits.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    order = wrong[np.argsort(-shares[wrong].max(axis=1))]
    assert len(order) > 5
    assert [mistake.index for mistake in found.mistakes] == order[:5].tolist()
    for mistake in found.mistakes:
        assert mistake.label == labels[mistake.index]
        assert mistake.prediction == predicted[mistake.index]
        assert mistake.score == pytest.approx(shares[mistake.index].max(), rel=1e-4)
        assert mistake.true_score == pytest.approx(
            shares[mistake.index, mistake.label], rel=1e-4
        )
        assert mistake.thumbnail.shape == (8, 8, 3)
        assert mistake.path is None


def test_of_equal_mistakes_the_first_are_kept():
    data = told(np.tile([9, 0, 0], (20, 1)), np.ones(20))
    found = evaluate_classifier(Told(3), data, worst=4, batch_size=3)
    assert [mistake.index for mistake in found.mistakes] == [0, 1, 2, 3]
    assert evaluate_classifier(Told(3), data, worst=0).mistakes == ()


def test_thumbnails_are_small_and_keep_their_shape():
    net = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, kernel_initializer="zeros"),
        ]
    )
    pictures = np.full((1, 200, 400, 3), 300.4, "float32")
    dataset = tf.data.Dataset.from_tensors((pictures, np.ones(1, "int32")))
    (mistake,) = evaluate_classifier(net, dataset).mistakes
    assert mistake.thumbnail.shape == (88, 176, 3)
    assert np.all(mistake.thumbnail == 255)


def test_most_confused_pairs():
    logits = np.eye(3)[[0, 1, 1, 2, 2, 2, 0]] * 9
    found = evaluate_classifier(Told(3), told(logits, [0, 0, 0, 1, 1, 1, 2]))
    assert found.most_confused() == [("1", "2", 3), ("0", "1", 2), ("2", "0", 1)]
    assert found.most_confused(1) == [("1", "2", 3)]


def test_a_folder_in_the_models_order_of_classes(tmp_path):
    """The folder sorts ant before bee; the model has them the other way round."""
    for name, colour in (("ant", (0, 0, 0)), ("bee", (180, 0, 0))):
        (tmp_path / name).mkdir()
        for number in range(3):
            file = tmp_path / name / f"{number}.png"
            Image.new("RGB", (8, 8), colour).save(file)
    told_by_colour = Told(2)
    told_by_colour.class_names = ["bee", "ant"]
    found = evaluate_classifier(told_by_colour, tmp_path)
    assert found.class_names == ("bee", "ant")
    assert found.labels.tolist() == [1, 1, 1, 0, 0, 0]
    assert {mistake.path for mistake in found.mistakes} <= {
        str(path) for path in tmp_path.rglob("*.png")
    }
    dataset = tft.data.as_dataset(tmp_path, image_size=8)
    with pytest.raises(ValueError, match="order"):
        evaluate_classifier(told_by_colour, dataset)


def test_names_come_from_the_model_or_from_the_data():
    pictures, labels = told(*some_case())
    dataset = tft.data.as_dataset(
        (pictures, labels), image_size=8, class_names=["a", "b", "c"]
    )
    assert evaluate_classifier(Told(3), dataset).class_names == ("a", "b", "c")
    model = Told(3)
    model.class_names = ["x", "y", "z"]
    assert evaluate_classifier(model, dataset).class_names == ("x", "y", "z")
    with pytest.raises(ValueError, match="4 class names"):
        evaluate_classifier(Told(4), dataset)


def test_paths_only_where_the_order_is_that_of_the_paths(tmp_path):
    for number in range(6):
        folder = tmp_path / f"class{number % 2}"
        folder.mkdir(exist_ok=True)
        Image.new("RGB", (9, 9), (100, 0, 0)).save(folder / f"{number}.png")
    dataset = tft.data.as_dataset(tmp_path, image_size=8)
    found = evaluate_classifier(Told(2), dataset)
    assert len(found.mistakes) == 3
    for mistake in found.mistakes:
        assert mistake.path == dataset.paths[mistake.index]
    dataset.labels = dataset.labels[::-1]
    found = evaluate_classifier(Told(2), dataset)
    assert {mistake.path for mistake in found.mistakes} == {None}


def test_a_classifier_is_evaluated_as_it_is_deployed():
    model = tft.Classifier(tft.Backbone("tiny", weights=None), 2, dropout=0.9)
    model.head.layers[-1].kernel.assign(np.random.normal(size=(128, 2)))
    pictures = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), "uint8")
    found = evaluate_classifier(model, (pictures, np.zeros(6, "int32")))
    logits = model.deployed(pictures.astype("float32"), training=False).numpy()
    np.testing.assert_allclose(found.scores, softmax(logits).max(axis=1), rtol=1e-4)


def test_what_cannot_be_evaluated_raises():
    pictures, labels = told(*some_case())
    with pytest.raises(ValueError, match="labels 0 to 2"):
        evaluate_classifier(Told(3), (pictures, labels + 1))
    with pytest.raises(ValueError, match="labels"):
        evaluate_classifier(Told(3), pictures)
    unbatched = tf.data.Dataset.from_tensor_slices((pictures, labels))
    with pytest.raises(ValueError, match=r"\.batch\(32\)"):
        evaluate_classifier(Told(3), unbatched)
    with pytest.raises(ValueError, match="none"):
        evaluate_classifier(Told(3), unbatched.batch(9).take(0))
    with pytest.raises(ValueError, match="finite"):
        evaluate_classifier(Told(3), unbatched.batch(9).map(lambda x, y: (x / 0, y)))
