"""train_head: people told apart, what stays frozen, threshold, files, errors."""

import types

import keras
import numpy as np
import pytest
from PIL import Image

from tests.face.fakes import BLUE
from tests.face.fakes import GREEN
from tests.face.fakes import RED
from tests.face.fakes import ColourDetector
from tests.face.fakes import ColourEmbedder
from tests.face.fakes import picture_of
from tests.face.toy_people import colour_net
from tests.face.toy_people import small_net
from tests.face.toy_people import toy_people
from tftransfer.face import MTCNN
from tftransfer.face import ArcFace
from tftransfer.face import Embedder
from tftransfer.face import PeopleClassifier
from tftransfer.face import crops_of_people
from tftransfer.face import train_head
from tftransfer.losses import ArcFaceLoss
from tftransfer.serving.served_model import served_model


@pytest.mark.parametrize("loss", ["softmax", "arcface"])
def test_people_are_told_apart_on_pictures_kept_away(loss):
    crops, names = toy_people(people=5, pictures=10)
    net = colour_net()
    before = net.get_weights()
    result = train_head(net, crops, names, loss=loss, epochs=15, learning_rate=0.2)
    assert result.accuracy == 1.0
    assert len(result.history["val_accuracy"]) == 15
    assert result.model.class_names == [f"person {i:02d}" for i in range(5)]
    others, their_names = toy_people(people=5, pictures=6, seed=1)
    found = result.model.probabilities(others).argmax(axis=1)
    assert [f"person {i:02d}" for i in found] == their_names.tolist()
    np.testing.assert_array_equal(before[0], net.get_weights()[0])


def test_what_lies_below_the_cut_stays_bit_identical():
    crops, names = toy_people(people=3, pictures=6)
    net = small_net()
    whole = train_head(net, crops, names, epochs=3)
    part = train_head(net, crops, names, frozen_until="cut", epochs=4)
    assert part.history["loss"][-1] < part.history["loss"][0]
    for layer in ("low", "norm", "high", "embedding"):
        old = net.get_layer(layer).get_weights()
        for result, moves in ((whole, False), (part, layer in ("high", "embedding"))):
            new = result.model.backbone.get_layer(layer).get_weights()
            assert moves != all(map(np.array_equal, old, new)), layer


def test_the_threshold_rejects_the_share_asked_for_and_strangers_are_unknown():
    crops, names = toy_people(people=4, pictures=20)
    known = np.isin(names, ["person 00", "person 02"])
    result = train_head(
        colour_net(),
        crops[known],
        names[known],
        epochs=15,
        learning_rate=0.2,
        validation_split=0.5,
        false_reject_rate=0.1,
    )
    assert len(result.validation) == 20
    assert not set(result.train) & set(result.validation)
    assert result.rejected == 0.1
    held = result.model.identify(crops[known][result.validation])
    assert sum(name is None for name, _ in held) == 2
    # Strangers' colours lie half-way between those of the two people.
    strangers = result.model.identify(crops[~known])
    assert np.mean([name is None for name, _ in strangers]) > 0.9
    assert all(0.5 <= probability <= 1 for _, probability in strangers)
    assert result.model.identify(crops[:0]) == []


def test_saved_and_exported_with_names_and_threshold(tmp_path):
    crops, names = toy_people(people=3, pictures=5)
    model = train_head(colour_net(), crops, names, loss="arcface", epochs=3).model
    model.save(tmp_path / "people.keras")
    again = keras.models.load_model(tmp_path / "people.keras")
    assert isinstance(again, PeopleClassifier)
    assert again.threshold == model.threshold > 0
    assert again.identify(crops) == model.identify(crops)
    assert list(served_model(model).labels) == model.class_names


def test_seeded_runs_repeat_and_labels_may_be_any_integers():
    crops, names = toy_people(people=3, pictures=5)
    net = colour_net()
    numbers = np.unique(names, return_inverse=True)[1]
    first = train_head(net, crops, numbers * 100 + 7, loss="arcface", epochs=3, seed=5)
    again = train_head(net, crops, names, loss="arcface", epochs=3, seed=5)
    assert first.model.class_names == ["7", "107", "207"]
    assert first.history == again.history
    np.testing.assert_array_equal(
        first.model.probabilities(crops), again.model.probabilities(crops)
    )


def test_copies_of_a_crop_are_on_one_side():
    crops, names = toy_people(people=2, pictures=6)
    crops[:6] = crops[0]
    with pytest.warns(UserWarning, match="copies of training pictures"):
        result = train_head(colour_net(), crops, names, epochs=1)
    assert set(range(6)) <= set(result.train)
    assert len(result.validation) == 1


def test_without_validation_nobody_is_unknown():
    crops, names = toy_people(people=2, pictures=3)
    result = train_head(colour_net(), crops, names, epochs=1, validation_split=0.0)
    assert (result.accuracy, result.rejected, result.model.threshold) == (None, None, 0)
    assert len(result.train) == 6


def test_arcface_layer_gives_scaled_cosines(tmp_path):
    layer = ArcFace(3, scale=10.0, seed=1)
    rows = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    logits = layer(rows).numpy()
    centres = layer.kernel.numpy()
    for i, j in np.ndindex(4, 3):
        lengths = np.linalg.norm(rows[i]) * np.linalg.norm(centres[:, j])
        assert logits[i, j] == pytest.approx(
            10 * rows[i] @ centres[:, j] / lengths, rel=1e-4
        )
    assert np.isfinite(layer(np.zeros((1, 5)))).all()
    model = keras.Sequential([keras.Input((5,)), layer])
    model.compile("adam", ArcFaceLoss(scale=10.0))
    model.fit(rows, np.array([0, 1, 2, 0]), verbose=0)
    model.save(tmp_path / "centres.keras")
    again = keras.models.load_model(tmp_path / "centres.keras")
    np.testing.assert_array_equal(again(rows), model(rows))
    assert again.loss.get_config() == model.loss.get_config()


def test_crops_of_a_folder(tmp_path):
    for name, colours in {"Ada": [(RED,), (GREEN, RED)], "Alan": [(), (BLUE,)]}.items():
        (tmp_path / name).mkdir()
        for i, faces in enumerate(colours):
            Image.fromarray(picture_of(*faces)).save(tmp_path / name / f"{i}.png")
    (tmp_path / "Alan" / "broken.png").write_bytes(b"no picture")
    crops, names, left_out = crops_of_people(
        tmp_path, ColourDetector(), ColourEmbedder()
    )
    assert [tuple(crop[0, 0]) for crop in crops] == [RED, GREEN, BLUE]
    assert names.tolist() == ["Ada", "Ada", "Alan"]
    assert [path.rsplit("/", 1)[-1] for path in left_out] == ["0.png", "broken.png"]
    assert left_out[str(tmp_path / "Alan" / "0.png")] == "no face was found"
    for picture in (tmp_path / "Ada").iterdir():
        picture.unlink()
    (tmp_path / "Alan" / "1.png").unlink()
    with pytest.raises(ValueError, match="none was found"):
        crops_of_people(tmp_path, ColourDetector(), ColourEmbedder())


def test_an_embedders_net_is_trained_further():
    crops, names = toy_people(people=2, pictures=3)
    holder = types.SimpleNamespace(net=colour_net(), size=16)
    result = train_head(holder, crops, names, epochs=1)
    assert result.model.backbone.output_shape == (None, 3)


def test_errors():
    crops, names = toy_people(people=2, pictures=3)
    net = small_net()
    with pytest.raises(ValueError, match=r"loss.*softmax"):
        train_head(net, crops, names, loss="triplet")
    with pytest.raises(ValueError, match=r"two people or more.*gallery"):
        train_head(net, crops[:3], names[:3])
    with pytest.raises(ValueError, match=r"none of: \['person 02'\]"):
        train_head(net, crops, names, class_names=[f"person {i:02d}" for i in range(3)])
    with pytest.raises(ValueError, match=r"among `class_names`.*person 01"):
        train_head(net, crops, names, class_names=["person 00", "x"])
    with pytest.raises(ValueError, match="false_reject_rate"):
        train_head(net, crops, names, false_reject_rate=1.0)
    with pytest.raises(ValueError, match="6 integer labels"):
        train_head(net, crops, names[:5])
    with pytest.raises(ValueError, match="layer or an endpoint"):
        train_head(net, crops, names, frozen_until="nothing")
    with pytest.raises(ValueError, match="threshold"):
        PeopleClassifier(net, small_net(), ["a"], threshold=2.0)


@pytest.mark.slow
def test_ten_people_of_lfw(data_dir):
    pytest.importorskip("mtcnn", reason="the detector's weights are in this package")
    path = data_dir.parent / "weights" / "mobilefacenet_112_128d.keras"
    if not path.is_file():
        pytest.skip(f"weights of MobileFaceNet absent: {path}")
    embedder = Embedder.from_model(keras.models.load_model(path))
    crops, names, left_out = crops_of_people(data_dir / "lfw10x10", MTCNN(), embedder)
    assert len(crops) == 100
    assert not left_out
    for loss in ("softmax", "arcface"):
        result = train_head(embedder, crops, names, loss=loss)
        assert len(result.validation) == 20
        assert result.accuracy == 1.0
