"""Nets for `Restyler`: an encoder-decoder that redraws, a judge of patches."""

import keras
from keras import layers


def encoder_decoder(
    input_shape: tuple[int, int, int],
    *,
    filters: tuple[int, ...] = (32, 64, 128),
    scale: float = 255.0,
    name: str = "generator",
) -> keras.Model:
    """Return a net that redraws pictures, and at first draws them as they are.

    An encoder halves the sides once per entry of `filters`, a decoder doubles them
    again and sees the encoder's maps of each size beside its own (U-Net). What it
    draws is added to the picture; its last kernel is 0 at first. Each picture's maps
    are normalised by themselves, so that the domains of a batch do not mix.

    Args:
        input_shape: (height, width, channels), sides divisible by 2**len(filters).
        filters: Of the encoder's halvings; the decoder has the same, backwards.
        scale: Range of the pictures' values, 255 or 1. What is drawn may leave it a
            little; the discriminator sees to it.
        name: Of the model.

    Returns:
        Model: picture -> float32 picture of the same shape.

    Raises:
        ValueError: When a side cannot be halved so often.

    Example:
        >>> import numpy as np
        >>> net = encoder_decoder((8, 8, 3), filters=(4, 8))
        >>> picture = np.full((1, 8, 8, 3), 90.0, "float32")
        >>> bool(np.all(np.asarray(net(picture)) == picture))
        True

    References:
        Isola et al., Image-to-Image Translation with Conditional Adversarial Networks,
        CVPR 2017, arXiv:1611.07004. Odena et al., Deconvolution and Checkerboard
        Artifacts, Distill 2016, for resizing before convolving.
    """
    _check_sides(input_shape, len(filters))
    picture = keras.Input(input_shape)
    x = layers.Rescaling(2 / scale, offset=-1.0)(picture)
    seen = []
    for count in filters:
        seen.append(x)
        x = _normalised(layers.Conv2D(count, 4, strides=2, padding="same")(x))
    for count, beside in zip([filters[0], *filters[:-1]][::-1], seen[::-1]):
        x = layers.Concatenate()([layers.UpSampling2D()(x), beside])
        x = _normalised(layers.Conv2D(count, 3, padding="same")(x))
    added = layers.Conv2D(
        input_shape[-1],
        3,
        padding="same",
        activation="tanh",
        kernel_initializer="zeros",
        dtype="float32",
    )(x)
    added = layers.Rescaling(scale, dtype="float32")(added)
    drawn = layers.Add(dtype="float32")([picture, added])
    return keras.Model(picture, drawn, name=name)


def patch_discriminator(
    input_shape: tuple[int, int, int],
    *,
    filters: tuple[int, ...] = (32, 64),
    scale: float = 255.0,
    name: str = "discriminator",
) -> keras.Model:
    """Return a net that judges overlapping patches of a picture, by texture and colour.

    Two halvings see patches of 22 pixels, three of 46. No normalisation: it would tell
    the domains of a batch apart by their averages.

    Args:
        input_shape: (height, width, channels), of 2**len(filters) pixels or more.
        filters: Of the halvings.
        scale: Range of the pictures' values, 255 or 1.
        name: Of the model.

    Returns:
        Model: picture -> logits of "target" (batch, rows, columns, 1).

    Example:
        >>> patch_discriminator((32, 32, 3)).output_shape
        (None, 8, 8, 1)

    References:
        Isola et al., arXiv:1611.07004 (PatchGAN).
    """
    picture = keras.Input(input_shape)
    x = layers.Rescaling(2 / scale, offset=-1.0)(picture)
    for count in filters:
        x = layers.Conv2D(count, 4, strides=2, padding="same")(x)
        x = layers.LeakyReLU(0.2)(x)
    logits = layers.Conv2D(1, 4, padding="same", dtype="float32")(x)
    return keras.Model(picture, logits, name=name)


def _normalised(x):
    return layers.LeakyReLU(0.2)(layers.GroupNormalization(groups=-1)(x))


def _check_sides(shape, halvings: int) -> None:
    if len(shape) != 3 or any(side % 2**halvings for side in shape[:2]):
        raise ValueError(
            f"Expected (height, width, channels) with sides divisible by "
            f"{2**halvings}, for {halvings} halvings. Received: {tuple(shape)}. Pad "
            "the pictures, or give fewer `filters`."
        )
