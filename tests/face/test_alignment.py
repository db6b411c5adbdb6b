"""Faces lie where the template says, with the values of bilinear sampling."""

import numpy as np
import pytest

from tftransfer.face import align
from tftransfer.face import crop
from tftransfer.face.nets.alignment import ARCFACE_TEMPLATE
from tftransfer.face.nets.alignment import similarity


def turned(points, degrees, scale, shift):
    angle = np.deg2rad(degrees)
    rotation = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return scale * np.asarray(points) @ np.transpose(rotation) + shift


def applied(matrix, points):
    return np.asarray(points) @ matrix[:, :2].T + matrix[:, 2]


@pytest.mark.parametrize("degrees", [0, 30, 90, 179, -120])
@pytest.mark.parametrize("scale", [0.05, 1.0, 40.0])
def test_a_similarity_is_found_again(degrees, scale):
    target = turned(ARCFACE_TEMPLATE, degrees, scale, [13.0, -700.0])
    found = similarity(ARCFACE_TEMPLATE, target)
    angle = np.deg2rad(degrees)
    turn = scale * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    np.testing.assert_allclose(found[:, :2], turn, atol=1e-12 * scale)
    np.testing.assert_allclose(found[:, 2], [13.0, -700.0], atol=1e-9)


@pytest.mark.parametrize("mirror", [1, -1], ids=["as it is", "mirrored"])
def test_similarity_is_umeyamas_without_reflection(mirror):
    rng = np.random.default_rng(0)
    source = rng.normal(size=(5, 2))
    target = turned(source, 40, 3.0, [5, 6]) * [mirror, 1] + rng.normal(size=(5, 2))
    x, y = source - source.mean(0), target - target.mean(0)
    u, values, v = np.linalg.svd(y.T @ x / 5)
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(v))])
    scale = (values * signs).sum() / (x**2).sum() * 5
    expected = scale * u @ np.diag(signs) @ v
    found = similarity(source, target)
    np.testing.assert_allclose(found[:, :2], expected, atol=1e-12)
    assert np.linalg.det(found[:, :2]) > 0
    np.testing.assert_allclose(
        found[:, 2], target.mean(0) - expected @ source.mean(0), atol=1e-12
    )


def looped(picture, to_picture, size):
    """Bilinear sampling, one output pixel after the other; black outside."""
    height, width = picture.shape[:2]
    result = np.zeros((size, size, 3))
    for row in range(size):
        for column in range(size):
            x, y = to_picture @ [column + 0.5, row + 0.5, 1]
            if not (0 <= x < width and 0 <= y < height):
                continue
            x, y = np.clip(x - 0.5, 0, width - 1), np.clip(y - 0.5, 0, height - 1)
            left, top = int(x), int(y)
            right, below = min(left + 1, width - 1), min(top + 1, height - 1)
            dx, dy = x - left, y - top
            result[row, column] = (
                picture[top, left] * (1 - dx) * (1 - dy)
                + picture[top, right] * dx * (1 - dy)
                + picture[below, left] * (1 - dx) * dy
                + picture[below, right] * dx * dy
            )
    return result


@pytest.mark.parametrize(
    ("degrees", "scale", "shift", "size"),
    [(0, 1, (0, 0), 112), (25, 0.6, (30, 20), 56), (-100, 1.4, (-20, 150), 80)],
    ids=["template itself", "small and turned", "over the border"],
)
def test_align_samples_bilinearly(degrees, scale, shift, size):
    picture = np.random.default_rng(1).integers(0, 256, (130, 140, 3), "uint8")
    landmarks = turned(ARCFACE_TEMPLATE, degrees, scale, shift)
    found = align(picture, landmarks, size=size)
    template = (ARCFACE_TEMPLATE + 0.5) * size / 112
    expected = looped(picture, similarity(template, landmarks + 0.5), size)
    # A coordinate on the border may fall on either side of it.
    wrong = np.abs(found - expected).max(axis=-1) > 0.501
    assert found.dtype == np.uint8
    assert wrong.mean() < 0.001


def test_landmarks_on_the_template_leave_the_picture_as_it_is():
    picture = np.random.default_rng(2).integers(0, 256, (112, 112, 3), "uint8")
    np.testing.assert_array_equal(align(picture, ARCFACE_TEMPLATE), picture)


@pytest.mark.parametrize("size", [56, 112, 224])
@pytest.mark.parametrize("scale", [0.8, 2.7, 9.3])
def test_dots_land_on_the_template(size, scale):
    landmarks = turned(ARCFACE_TEMPLATE, 17, scale, [300, 100])
    rows, columns = np.mgrid[:1250, :1250]
    picture = np.zeros((1250, 1250, 3))
    for x, y in landmarks:
        spot = ((columns - x) ** 2 + (rows - y) ** 2) / (2 * (2.5 * scale) ** 2)
        picture[..., 0] = np.maximum(picture[..., 0], 255 * np.exp(-spot))
    aligned = align(picture.astype("uint8"), landmarks, size=size)[..., 0]
    rows, columns = np.mgrid[:size, :size]
    for x, y in (ARCFACE_TEMPLATE + 0.5) * size / 112 - 0.5:
        near = np.hypot(columns - x, rows - y) < 8 * size / 112
        weights = aligned * near
        centre = [(columns * weights).sum(), (rows * weights).sum()] / weights.sum()
        assert np.hypot(*(centre - [x, y])) < 0.05


def test_a_big_face_is_averaged_not_skipped_through():
    picture = np.zeros((1200, 1200, 3), "uint8")
    picture[::2] = 255  # stripes that every second row alone would miss
    aligned = align(picture, ARCFACE_TEMPLATE * 10)
    # Blocks of 9 or 10 rows: 4 to 5 white ones.
    assert 112 <= aligned[5:-5, 5:-5].min() <= aligned[5:-5, 5:-5].max() <= 143


@pytest.mark.parametrize(
    ("landmarks", "said"),
    [
        (np.zeros((5, 3)), r"shape \(5, 2\)"),
        (np.full((5, 2), 20.0), "spread over the plane"),
        (np.full((5, 2), np.nan), "corners of the mouth, finite"),
        (
            turned(ARCFACE_TEMPLATE, 0, 1, [500, 0]),
            "inside the photograph of 120 x 100",
        ),
    ],
    ids=["shape", "one point", "nan", "outside"],
)
def test_bad_landmarks_are_refused(landmarks, said):
    with pytest.raises(ValueError, match=said):
        align(np.zeros((100, 120, 3), "uint8"), landmarks)


@pytest.mark.parametrize("size", [0, -3, 2.5, True])
def test_a_bad_size_is_refused(size):
    with pytest.raises(ValueError, match="`size` as a whole number"):
        align(np.zeros((100, 120, 3), "uint8"), ARCFACE_TEMPLATE, size=size)


@pytest.mark.parametrize(
    ("box", "margin", "size"),
    [
        ([20, 30, 60, 90], 0.0, 48),
        ([20, 30, 60, 90], 0.25, 100),
        ([90, 5, 120, 45], 0.2, 33),
    ],
)
def test_crop_samples_a_square_round_the_box(box, margin, size):
    picture = np.random.default_rng(3).integers(0, 256, (110, 125, 3), "uint8")
    left, top, right, bottom = box
    side = max(right - left, bottom - top) * (1 + 2 * margin)
    start = (left + right) / 2 - side / 2, (top + bottom) / 2 - side / 2
    to_picture = np.array([[side / size, 0, start[0]], [0, side / size, start[1]]])
    expected = looped(picture, to_picture, size)
    assert np.abs(crop(picture, box, size, margin) - expected).max() < 0.501


def test_crop_of_whole_pixels_is_a_slice_and_black_outside():
    picture = np.random.default_rng(4).integers(1, 256, (40, 50, 3), "uint8")
    np.testing.assert_array_equal(
        crop(picture, [10, 5, 30, 25], size=20), picture[5:25, 10:30]
    )
    found = crop(picture, [-10, -10, 10, 10], size=20)
    np.testing.assert_array_equal(found[10:, 10:], picture[:10, :10])
    assert not found[:10].any()
    assert not found[:, :10].any()


@pytest.mark.parametrize(
    ("box", "margin", "said"),
    [
        ([0, 0, 10], 0, "four numbers"),
        ([10, 0, 10, 20], 0, "left < right"),
        ([0, 0, np.nan, 20], 0, "left < right"),
        ([0, 0, 10, 10], -0.5, "`margin` above -0.5"),
        ([0, 0, 10, 10], np.inf, "`margin` above -0.5"),
        ([-1e300, 0, 1e300, 10], 0, "left < right"),
        ([60, 0, 70, 10], 0, "inside the photograph"),
    ],
)
def test_bad_boxes_are_refused(box, margin, said):
    with pytest.raises(ValueError, match=said):
        crop(np.zeros((40, 50, 3), "uint8"), box, 20, margin)


@pytest.mark.filterwarnings("error")
def test_any_finite_numbers_are_cut_out_or_refused():
    rng = np.random.default_rng(5)
    cut = 0
    for _ in range(300):
        picture = rng.integers(0, 256, (*rng.integers(1, 60, 2), 3), "uint8")
        spread, shift = 10.0 ** rng.uniform(-9, 9), 10.0 ** rng.uniform(-3, 4)
        points = rng.normal(size=(5, 2)) * spread + rng.normal(size=2) * shift
        box = np.sort(points[:2], axis=0).ravel()
        for function, place in ((align, points), (crop, box)):
            try:
                found = function(picture, place, 40)
            except ValueError:
                continue
            cut += 1
            assert found.shape == (40, 40, 3)
    assert cut > 200
