"""Cuts a face out of a photograph: turned to five points, or a square round its box.

No TensorFlow here. Landmarks are in pixels whose centres have whole coordinates, as
ArcFace's template counts; boxes are edges, between which pixel i covers [i, i + 1].
"""

import numpy as np
from PIL import Image

from tftransfer.face.photographs import as_photograph

# Eye on the picture's left, eye on its right, nose, mouth left, mouth right, in a face
# of 112 x 112 pixels: the reference points of the authors' code of ArcFace.
ARCFACE_TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
_TEMPLATE_SIZE = 112
_FARTHEST = (
    1e9  # pixels; what lies farther, or is not a number, is no place in a picture
)
_WIDEST_MARGIN = 10.0
# Points nearer to each other than this on average, in pixels, say nothing of a turn.
_SMALLEST_SPREAD = 1e-3


def align(picture, landmarks, size: int = 112) -> np.ndarray:
    """Return a face turned, scaled and shifted so that its landmarks lie as in ArcFace.

    The similarity with the least squared distances from the five landmarks to the
    template, which is scaled by `size` / 112; never a mirror image. Sampled bilinearly;
    a face of more than twice `size` is first averaged over blocks of whole pixels.
    What lies outside the photograph is black.

    Args:
        picture: A photograph as `as_photograph` takes it. Of several faces in one file
            read it once, with `as_photograph`.
        landmarks: (5, 2), x and y in pixels: the eye on the picture's left, the eye on
            its right, the tip of the nose, the mouth's left and right corner.
        size: Side of the result in pixels, 1 or more.

    Returns:
        uint8 (size, size, 3), RGB in [0, 255].

    Raises:
        ValueError: When the landmarks have another shape, are not finite, lie all in
            one point, or put the face outside the photograph.

    Example:
        >>> photograph = np.zeros((250, 250, 3), "uint8")
        >>> align(photograph, ARCFACE_TEMPLATE + 60).shape
        (112, 112, 3)

    References:
        Umeyama, Least-squares estimation of transformation parameters between two point
        patterns, TPAMI 1991. Deng et al., ArcFace, CVPR 2019, arXiv:1801.07698.
    """
    landmarks = np.asarray(landmarks, "float64")
    if landmarks.shape != (5, 2) or not (np.abs(landmarks) < _FARTHEST).all():
        raise ValueError(
            "Expected `landmarks` of shape (5, 2): x and y of two eyes, nose and two "
            f"corners of the mouth, finite. Received: {landmarks.tolist()}."
        )
    _check_size(size)
    # The template's whole coordinates are centres, half a pixel from the edges.
    template = (ARCFACE_TEMPLATE + 0.5) * (size / _TEMPLATE_SIZE)
    return _cut(as_photograph(picture), similarity(template, landmarks + 0.5), size)


def crop(picture, box, size: int, margin: float = 0.0) -> np.ndarray:
    """Return a square round the centre of a face's box, its proportions kept.

    The side is (1 + 2 `margin`) times the longer side of the box, so that the whole box
    is inside; it is resized as in `align`, and black outside the photograph.

    Args:
        picture: A photograph as `as_photograph` takes it.
        box: (4,), left, top, right and bottom edge in pixels.
        size: Side of the result in pixels, 1 or more.
        margin: Share of the box's longer side that is added at each side, above -0.5
            and at most 10; negative cuts into the box.

    Returns:
        uint8 (size, size, 3), RGB in [0, 255].

    Raises:
        ValueError: When the box has another shape, is not finite, empty or outside the
            photograph, or the margin is not in its range.

    Example:
        >>> crop(np.zeros((50, 80, 3), "uint8"), [10, 10, 30, 40], size=64).shape
        (64, 64, 3)
    """
    box = np.asarray(box, "float64")
    known = box.shape == (4,) and (np.abs(box) < _FARTHEST).all()
    if not known or (box[2:] <= box[:2]).any():
        raise ValueError(
            "Expected `box` as four numbers: left, top, right, bottom, with left < "
            f"right and top < bottom. Received: {box.tolist()}."
        )
    check_margin(margin)
    _check_size(size)
    centre = (box[:2] + box[2:]) / 2
    side = (1 + 2 * margin) * np.max(box[2:] - box[:2])
    scale = side / size
    start = centre - side / 2
    to_picture = np.array([[scale, 0, start[0]], [0, scale, start[1]]])
    return _cut(as_photograph(picture), to_picture, size)


def similarity(source, target) -> np.ndarray:
    """Return the similarity that takes points nearest to others, in least squares.

    min over a rotation R, a scale s > 0 and a shift t of sum_i |s R source_i + t -
    target_i|^2. In the plane, with points as complex numbers about their means z and w,
    the solution is s R = sum conj(z) w / sum |z|^2; it has no reflection.

    Args:
        source: (n, 2), x and y.
        target: (n, 2).

    Returns:
        float64 (2, 3), [s R | t].

    Raises:
        ValueError: When points are not finite, or all equal, or no turn fits better
            than another.

    Example:
        >>> similarity([[0, 0], [1, 0]], [[5, 5], [5, 7]]) @ [1, 0, 1]
        array([5., 7.])
    """
    points = np.stack([np.asarray(source, "float64"), np.asarray(target, "float64")])
    means = points.mean(axis=1)
    z, w = (points - means[:, None]) @ (1, 1j)
    spread = np.sqrt([np.mean(np.abs(z) ** 2), np.mean(np.abs(w) ** 2)])
    fit = np.vdot(z, w) / len(z)
    # Written so that what is not a number is refused too.
    if not (spread > _SMALLEST_SPREAD).all() or not abs(fit) > 1e-6 * spread.prod():
        raise ValueError(
            "Expected finite points that spread over the plane in the order of the "
            f"template. Received: {points[1].tolist()} for {points[0].tolist()}."
        )
    turn = fit / spread[0] ** 2
    matrix = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([matrix, means[1] - matrix @ means[0]])


def check_margin(margin: float) -> None:
    """Raise ValueError unless a margin leaves something, and is not in pixels."""
    if not -0.5 < margin <= _WIDEST_MARGIN:
        raise ValueError(
            f"Expected `margin` above -0.5 and at most {_WIDEST_MARGIN:g}, as a share "
            f"of the box. Received: {margin!r}."
        )


def _check_size(size) -> None:
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise ValueError(
            f"Expected `size` as a whole number of 1 or more. Received: {size!r}."
        )


def _cut(photograph: np.ndarray, to_picture: np.ndarray, size: int) -> np.ndarray:
    """Sample `size` x `size` pixels, whose edges `to_picture` takes to the picture's.

    Channel by channel in float: Pillow rounds bytes down, 0.5 darker on average.
    """
    scale = np.hypot(*to_picture[:, 0])
    blocks = int(np.clip(scale, 1, max(photograph.shape)))
    corners = [[0, size, size, 0], [0, 0, size, size], [1, 1, 1, 1]]
    part, start = _part(photograph, to_picture @ corners, 2 * blocks)
    if blocks > 1:
        part = np.asarray(Image.fromarray(part).reduce(blocks))
    to_part = to_picture.copy()
    to_part[:, 2] -= start
    coefficients = (to_part / blocks).ravel()
    result = np.empty((size, size, 3), np.uint8)
    for channel in range(3):
        pixels = Image.fromarray(part[..., channel].astype("float32"))
        sampled = pixels.transform(
            (size, size),
            Image.Transform.AFFINE,
            coefficients,
            Image.Resampling.BILINEAR,
        )
        result[..., channel] = np.rint(sampled)
    return result


def _part(photograph, corners, around: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels that matter for what lies within `corners`, and their start."""
    bounds = photograph.shape[1::-1]
    inside = (corners.min(axis=1) < bounds) & (corners.max(axis=1) > 0)
    if not inside.all():
        raise ValueError(
            f"Expected a face inside the photograph of {bounds[0]} x {bounds[1]} "
            f"pixels. Received one with corners at {corners.T.round(1).tolist()}."
        )
    low = np.maximum(np.floor(corners.min(axis=1)) - around, 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=1)) + around, bounds).astype(int)
    return photograph[low[1] : high[1], low[0] : high[0]], low
