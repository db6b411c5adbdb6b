"""The three nets of MTCNN as Keras models: proposals, refinement and output.

The layers and their names are those of the published Caffe nets and of the package
`mtcnn` 1.0.0, whose weights fit them (Zhang, Zhang, Li and Qiao, "Joint Face Detection
and Alignment Using Multi-task Cascaded Convolutional Networks", IEEE Signal Processing
Letters 23 (10), 2016, arXiv 1604.02878).
"""

import keras
from keras import layers

# What the nets were trained on: (RGB - 127.5) / 128.
GREY = 127.5
_SCALE = 1 / 128
CELL = 12  # side in pixels of what one cell of the proposal net sees
STRIDE = 2  # pixels from one cell to the next


def proposal_net() -> keras.Model:
    """Return the P net: pictures of any size -> a box and a score per 12 x 12 window.

    Returns:
        Model of RGB [0, 255] `(batch, height, width, 3)`, at least 12 x 12 pixels, to
        offsets `(batch, rows, columns, 4)` of the window's left, top, right and
        bottom in shares of its side, and probabilities `(batch, rows, columns, 2)` of
        no face and a face.

    Example:
        >>> [tuple(o.shape) for o in proposal_net()(keras.ops.zeros((1, 12, 14, 3)))]
        [(1, 1, 2, 4), (1, 1, 2, 2)]
    """
    pixels, x = _input(None)
    x = _convolve(x, 10, 3, "1")
    x = layers.MaxPooling2D(2, 2, padding="same", name="pool1")(x)
    x = _convolve(x, 16, 3, "2")
    x = _convolve(x, 32, 3, "3")
    offsets = layers.Conv2D(4, 1, name="conv4-1")(x)
    faces = layers.Conv2D(2, 1, activation="softmax", name="conv4-2")(x)
    return keras.Model(pixels, [offsets, faces], name="pnet")


def refinement_net() -> keras.Model:
    """Return the R net: crops of 24 x 24 pixels -> a better box, and a better score.

    Returns:
        Model of RGB [0, 255] `(batch, 24, 24, 3)` to offsets `(batch, 4)` and
        probabilities `(batch, 2)`, as those of `proposal_net`.
    """
    pixels, x = _input(24)
    x = _convolve(x, 28, 3, "1")
    x = layers.MaxPooling2D(3, 2, padding="same", name="pool1")(x)
    x = _convolve(x, 48, 3, "2")
    x = layers.MaxPooling2D(3, 2, name="pool2")(x)
    x = _convolve(x, 64, 2, "3")
    x = _connect(x, 128, "4")
    offsets = layers.Dense(4, name="fc5-1")(x)
    faces = layers.Dense(2, activation="softmax", name="fc5-2")(x)
    return keras.Model(pixels, [offsets, faces], name="rnet")


def output_net() -> keras.Model:
    """Return the O net: crops of 48 x 48 pixels -> box, landmarks and score.

    Returns:
        Model of RGB [0, 255] `(batch, 48, 48, 3)` to offsets `(batch, 4)`, landmarks
        `(batch, 10)`, five x and then five y in shares of the crop's side, and
        probabilities `(batch, 2)`.
    """
    pixels, x = _input(48)
    x = _convolve(x, 32, 3, "1")
    x = layers.MaxPooling2D(3, 2, padding="same", name="pool1")(x)
    x = _convolve(x, 64, 3, "2")
    x = layers.MaxPooling2D(3, 2, name="pool2")(x)
    x = _convolve(x, 64, 3, "3")
    x = layers.MaxPooling2D(2, 2, padding="same", name="pool3")(x)
    x = _convolve(x, 128, 2, "4")
    x = _connect(x, 256, "5")
    offsets = layers.Dense(4, name="fc6-1")(x)
    landmarks = layers.Dense(10, name="fc6-2")(x)
    faces = layers.Dense(2, activation="softmax", name="fc6-3")(x)
    return keras.Model(pixels, [offsets, landmarks, faces], name="onet")


def _input(side: int | None):
    pixels = keras.Input((side, side, 3), name="pixels")
    scaled = layers.Rescaling(_SCALE, -GREY * _SCALE, name="normalise")(pixels)
    return pixels, scaled


def _convolve(x, filters: int, kernel: int, number: str):
    x = layers.Conv2D(filters, kernel, name=f"conv{number}")(x)
    return layers.PReLU(shared_axes=[1, 2], name=f"prelu{number}")(x)


def _connect(x, units: int, number: str):
    # The published weights count columns before rows, as Caffe's transposed input did.
    x = layers.Permute((2, 1, 3), name="columns_first")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(units, name=f"fc{number}")(x)
    return layers.PReLU(name=f"prelu{number}")(x)
