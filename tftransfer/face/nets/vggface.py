"""VGGFace: the nets of keras-vggface 0.6 and their published weights, in Keras 3."""

import os

import keras

from tftransfer.backbones.preprocessing import Preprocessing
from tftransfer.core.validation import check_image_shape
from tftransfer.core.validation import check_one_of
from tftransfer.face.nets.vggface_nets import NETS
from tftransfer.face.nets.vggface_nets import build_net
from tftransfer.face.nets.vggface_weights import find_weights
from tftransfer.face.nets.vggface_weights import load_weights

_TOP_SIDE = 224


def VGGFace(
    *first: bool | str,
    include_top: bool = True,
    model: str = "vgg16",
    weights: str | os.PathLike | None = "vggface",
    input_tensor=None,
    input_shape: tuple | None = None,
    pooling: str | None = None,
    classes: int | None = None,
) -> keras.Model:
    """Build a net that was trained to tell 2,622 or 8,631 people apart.

    The constructor of keras-vggface 0.6, with the same nets, weight files and layer
    names ("_" where those have "/", which Keras 3 refuses). One thing differs: the
    preprocessing is inside, so the net takes RGB in [0, 255]. Leave out
    `utils.preprocess_input`.

    Args:
        *first: `include_top` and `model` by position, in keras-vggface's order or, as
            in `VGGFace("resnet50")`, the model first or alone.
        include_top: Whether the classifier of people is kept.
        model: "vgg16" (Parkhi 2015), "resnet50" or "senet50" (Cao 2018).
        weights: "vggface": the published ones, from the Keras cache, where
            keras-vggface keeps them too, or fetched once: for non-commercial research,
            the licence is printed then. A path: the same `.h5` files, or `.weights.h5`
            or `.keras` of Keras 3. None: random weights.
        input_tensor: KerasTensor of RGB pictures in [0, 255] to build upon, or None.
        input_shape: `(height, width, 3)` in pixels. Defaults to (224, 224, 3) with top,
            to any size without.
        pooling: Without top: "avg" or "max" over the positions of the last map, or
            None for the map. With top it does not count.
        classes: Number of classes of the top. Defaults to those of the weights.

    Returns:
        A functional model, RGB pictures `(batch, height, width, 3)` in [0, 255] to
        probabilities `(batch, classes)`; without top to features `(batch, channels)`,
        512 or 2,048 of them, or a map `(batch, height', width', channels)`.

    Raises:
        ValueError: When an argument is none of these, a picture is too small, or a
            weight file does not fit the net.
        TypeError: When `input_tensor` is no KerasTensor, or `first` nothing of these.
        FileNotFoundError: When there is no file at the path.
        WeightsNotFoundError: When the published weights are neither cached nor can be
            downloaded: names the file, its address and its place.

    Example:
        >>> net = VGGFace("vgg16", include_top=False, weights=None, pooling="avg")
        >>> net.output_shape
        (None, 512)

    References:
        Parkhi et al., Deep face recognition, BMVC 2015. Cao et al., VGGFace2, FG 2018,
        arXiv:1710.08092. Malli, keras-vggface 0.6, 2019.
    """
    include_top, model = _by_position(first, include_top, model)
    check_one_of("model", model, NETS)
    check_one_of("pooling", pooling, ("avg", "max", None))
    preprocessing, people, smallest = NETS[model]
    shape = _check_shape(input_shape, include_top, model, smallest)
    classes = _check_classes(classes, people, include_top, weights)
    if input_tensor is None:
        inputs = images = keras.Input(shape, name="image")
    else:
        images = _check_tensor(input_tensor)
        inputs = keras.utils.get_source_inputs(images)
    path = find_weights(weights, model, include_top)
    x = Preprocessing(preprocessing, name="preprocessing")(images)
    outputs = build_net(
        model, x, classes=classes if include_top else None, pooling=pooling
    )
    net = keras.Model(inputs, outputs, name=f"vggface_{model}")
    if path is not None:
        load_weights(net, path)
    return net


def _by_position(first, include_top, model):
    for value in first[:2]:
        if isinstance(value, str):
            model = value
        elif isinstance(value, bool):
            include_top = value
    kinds = [type(value) for value in first]
    if len(first) > 2 or len(set(kinds)) < len(kinds) or {*kinds} - {str, bool}:
        raise TypeError(
            "Expected `include_top` (a bool) and `model` (a str) by position, others "
            f"by name. Received: {first}."
        )
    return include_top, model


def _check_shape(input_shape, include_top, model, smallest) -> tuple:
    if input_shape is None:
        side = _TOP_SIDE if include_top else None
        return (side, side, 3)
    shape = tuple(input_shape)
    check_image_shape("input_shape", shape)
    known = all(side is not None for side in shape[:2])
    if len(shape) != 3 or (include_top and not known):
        raise ValueError(
            "Expected `input_shape` as (height, width, 3), without the batch, and of "
            f"known sides with the top. Received: {shape}."
        )
    if any(side is not None and side < smallest for side in shape[:2]):
        raise ValueError(
            f"Expected pictures of {smallest} pixels or more for '{model}'. Received "
            f"`input_shape`: {shape}. Its nets were trained on 224."
        )
    return shape


def _check_classes(classes, people, include_top, weights) -> int:
    if classes is None:
        return people
    if weights == "vggface" and include_top and classes != people:
        raise ValueError(
            f"Expected {people} `classes`, those of the published weights. Received: "
            f"{classes}. For other people use `include_top=False` and a head of yours."
        )
    return classes


def _check_tensor(input_tensor):
    if not keras.backend.is_keras_tensor(input_tensor):
        raise TypeError(
            "Expected `input_tensor` to be what `keras.Input(...)` or a layer of it "
            f"returns. Received: {type(input_tensor).__name__}."
        )
    check_image_shape("input_tensor", input_tensor.shape)
    return input_tensor
