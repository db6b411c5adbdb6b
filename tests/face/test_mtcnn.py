"""MTCNN finds the faces of mtcnn 1.0.0, recorded here, in pictures of every form."""

import concurrent.futures

import numpy as np
import pytest
from PIL import Image

from tftransfer.face import MTCNN
from tftransfer.face.detection.suppression import overlaps

ENGINES = ("tensorflow", "openvino")
# mtcnn 1.0.0, threshold_onet=0.7: box and probability, five x, five y
HOPPER = [
    (
        [178.36, 109.90, 351.42, 329.82, 0.989],
        [220.42, 308.19, 268.29, 231.71, 303.64],
        [190.16, 186.05, 237.37, 277.02, 272.91],
    )
]
RECORDED = {
    "dlib_faces/2008_001322.jpg": [
        (
            [100.72, 148.35, 172.11, 241.72, 1.0],
            [125.06, 157.54, 145.03, 127.19, 152.8],
            [179.93, 181.82, 195.48, 215.55, 217.6],
        ),
        (
            [354.14, 145.22, 439.86, 252.2, 1.0],
            [374.28, 409.86, 391.81, 382.65, 419.15],
            [187.39, 180.56, 206.11, 225.53, 218.71],
        ),
        (
            [233.24, 203.6, 293.71, 285.81, 0.99],
            [246.81, 274.89, 258.45, 248.08, 276.35],
            [231.7, 230.69, 248.34, 262.18, 261.71],
        ),
    ],
    "lfw10x10/Ariel_Sharon/Ariel_Sharon_0001.jpg": [
        (
            [78.58, 58.67, 168.53, 187.23, 0.95],
            [106.81, 147.28, 126.24, 102.64, 140.1],
            [108.78, 114.57, 139.31, 152.56, 157.06],
        )
    ],
}


def check(faces, recorded):
    """Boxes of overlap 0.99 and landmarks within 0.1 pixel of the recorded ones."""
    assert len(faces) == len(recorded)
    for face, ((*box, probability), *points) in zip(faces, recorded):
        assert overlaps(face.box[None], np.array([box])).item() > 0.99
        assert face.probability == pytest.approx(probability, abs=0.006)
        np.testing.assert_allclose(face.landmarks, np.transpose(points), atol=0.1)


def same(faces, others, tolerance=1e-3):
    assert len(faces) == len(others)
    for face, other in zip(faces, others):
        np.testing.assert_allclose(face.box, other.box, atol=tolerance)
        np.testing.assert_allclose(face.landmarks, other.landmarks, atol=tolerance)
        assert face.probability == pytest.approx(other.probability, abs=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_faces_of_mtcnn(mtcnn, hopper, engine):
    faces = mtcnn(engine).detect(hopper)
    check(faces, HOPPER)
    assert faces[0].box.dtype == faces[0].landmarks.dtype == np.float32


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", RECORDED)
def test_faces_of_mtcnn_in_real_data(mtcnn, data_dir, name, engine):
    check(mtcnn(engine).detect(data_dir / name), RECORDED[name])


@pytest.fixture(scope="module")
def group(hopper):
    """uint8 (450, 640, 3): four faces of falling size."""
    canvas = np.full((450, 640, 3), 90, "uint8")
    for left, height in ((5, 240), (220, 190), (390, 130), (510, 90)):
        small = Image.fromarray(hopper).resize((round(height * 512 / 600), height))
        canvas[40 : 40 + height, left : left + small.width] = small
    return canvas


def test_several_faces_by_falling_probability(mtcnn, group):
    faces = mtcnn("tensorflow").detect(group)
    assert len(faces) == 4
    found = [face.probability for face in faces]
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize(("part", "side"), [("left", 0), ("top", 1), ("right", 2)])
def test_a_box_ends_where_its_picture_does(mtcnn, hopper, part, side):
    parts = {"left": hopper[:, 215:], "top": hopper[140:], "right": hopper[:, :320]}
    picture = parts[part]
    (face,) = mtcnn("tensorflow").detect(picture)
    assert face.box[side] == (0 if side < 2 else picture.shape[1] - 1)
    found = mtcnn("tensorflow")._cascade.find([picture])
    beyond = found.boxes[0, side] - face.box[side]
    assert beyond < -5 if side < 2 else beyond > 5


@pytest.mark.parametrize("engine", ENGINES)
def test_a_batch_of_mixed_sizes_is_its_pictures_one_by_one(
    mtcnn, hopper, group, engine, monkeypatch
):
    from tftransfer.face.detection import mtcnn as module

    monkeypatch.setattr(module, "_TOGETHER", 3)  # 5 pictures: two groups
    detector = mtcnn(engine)
    pictures = [hopper[::2, ::2], group, np.zeros((8, 30, 3), "uint8"), group[:, :400]]
    pictures.append(pictures[0])
    found = detector.detect_batch(iter(pictures))
    assert [len(faces) for faces in found] == [1, 4, 0, 2, 1]
    for picture, faces in zip(pictures, found):
        same(faces, detector.detect(picture))


def test_engines_agree(mtcnn, group):
    same(mtcnn("tensorflow").detect(group), mtcnn("openvino").detect(group), 0.05)


def test_several_threads_find_the_same(mtcnn, hopper):
    detector, small = mtcnn("auto"), hopper[::3, ::3]
    alone = detector.detect(small)
    assert len(alone) == 1
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for faces in pool.map(detector.detect, [small] * 8):
            same(faces, alone)


@pytest.mark.parametrize(
    "form",
    [
        lambda rgb, path: path,
        lambda rgb, path: path.read_bytes(),
        lambda rgb, path: Image.fromarray(rgb),
        lambda rgb, path: rgb / 255,
        lambda rgb, path: np.dstack([rgb, np.full(rgb.shape[:2], 255, "uint8")]),
    ],
    ids=["path", "bytes", "PIL", "unit", "RGBA"],
)
def test_every_form_of_a_picture(mtcnn, hopper, tmp_path, form):
    small, path = hopper[::3, ::3], tmp_path / "picture.png"
    Image.fromarray(small).save(path)
    detector = mtcnn("auto")
    same(detector.detect(form(small, path)), detector.detect(small))


def test_grey(mtcnn, hopper):
    grey = hopper[::3, ::3, 1]
    faces = mtcnn("auto").detect(grey)
    assert len(faces) == 1
    same(faces, mtcnn("auto").detect(grey[..., None]))


@pytest.mark.parametrize("size", [(1, 1), (11, 12), (12, 12), (19, 400), (10, 20_000)])
def test_no_face_where_none_fits(mtcnn, size):
    assert mtcnn("auto").detect(np.full((*size, 3), 128, "uint8")) == []


@pytest.mark.parametrize("size", [(20, 20), (23, 6000), (6000, 21)])
def test_small_and_long_pictures(mtcnn, size):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), "uint8")
    for face in mtcnn("auto").detect(noise):
        assert (face.box >= 0).all()


def test_smallest_face(hopper, mtcnn):
    """The face is 220 x 173 pixels."""
    mtcnn("auto")  # skips where there are no weights
    for min_face_size, count in ((6, 1), (40, 1), (150.5, 1), (512.5, 0), (5000, 0)):
        small = hopper if min_face_size > 6 else hopper[::4, ::4]
        found = MTCNN(min_face_size=min_face_size).detect(small)
        assert len(found) == count, min_face_size


def test_high_thresholds_keep_fewer(hopper, mtcnn):
    mtcnn("auto")
    assert MTCNN(thresholds=(0.6, 0.7, 0.995)).detect(hopper) == []
    assert MTCNN(thresholds=(0.6, 0.9999, 0.7)).detect(hopper) == []
    assert MTCNN(thresholds=(0.9999999, 0.7, 0.7)).detect(hopper) == []


def test_no_pictures(mtcnn):
    assert mtcnn("auto").detect_batch([]) == []


@pytest.mark.parametrize(
    ("picture", "error", "text"),
    [
        ("absent.jpg", FileNotFoundError, "absent.jpg"),
        (b"", ValueError, "an empty file"),
        (np.zeros((0, 5, 3), "uint8"), ValueError, "5 x 0"),
        (np.zeros((2, 30, 30, 3), "uint8"), ValueError, "one picture"),
        (None, TypeError, "NoneType"),
    ],
)
def test_what_is_no_picture_is_refused(mtcnn, picture, error, text):
    with pytest.raises(error, match=text):
        mtcnn("auto").detect(picture)
    with pytest.raises(error) as caught:
        mtcnn("auto").detect_batch([np.zeros((4, 4, 3), "uint8"), picture])
    assert "picture 1 of the batch" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    "pictures",
    ["one.jpg", b"one", np.zeros((9, 9, 3), "uint8"), Image.new("RGB", (9, 9))],
    ids=["path", "bytes", "array", "PIL"],
)
def test_one_picture_is_no_batch(mtcnn, pictures):
    with pytest.raises(TypeError, match="several pictures"):
        mtcnn("auto").detect_batch(pictures)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"min_face_size": 5}, ValueError, "min_face_size"),
        ({"min_face_size": "20"}, TypeError, "min_face_size"),
        ({"scale_factor": 1.0}, ValueError, "scale_factor"),
        ({"scale_factor": float("nan")}, ValueError, "scale_factor"),
        ({"thresholds": (0.6, 0.7)}, ValueError, "three numbers"),
        ({"thresholds": 0.6}, ValueError, "three numbers"),
        ({"thresholds": (0.6, 0.7, 1.0)}, ValueError, "thresholds"),
        ({"engine": "torch"}, ValueError, "engine"),
        ({"weights": "absent.npz"}, FileNotFoundError, "absent.npz"),
    ],
)
def test_wrong_arguments(options, error, text):
    with pytest.raises(error, match=text):
        MTCNN(**options)
