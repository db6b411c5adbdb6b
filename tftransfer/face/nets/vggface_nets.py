"""The three nets of VGGFace: VGG16, and ResNet-50 without or with squeeze-excitation.

Layers have the names of keras-vggface 0.6 and so of the published files, "_" for "/".
"""

import functools

from keras import layers

# model -> (mode of Preprocessing, people it was trained on, smallest side in pixels)
NETS = {
    "vgg16": ("vggface1", 2622, 48),
    "resnet50": ("vggface2", 8631, 197),
    "senet50": ("vggface2", 8631, 197),
}
_REDUCTION = 16  # of the channels, in a squeeze


def build_net(model: str, x, *, classes: int | None, pooling: str | None):
    """Return the output of a net for preprocessed pictures `x`.

    Args:
        model: "vgg16", "resnet50" or "senet50".
        x: KerasTensor `(batch, height, width, 3)`.
        classes: Number of classes; None leaves out the top.
        pooling: Without top: "avg" or "max" over positions, or None for the map.
    """
    if model == "vgg16":
        x = _vgg16(x)
    else:
        x = _resnet50(x, squeeze=model == "senet50")
    if classes is not None:
        return _vgg16_top(x, classes) if model == "vgg16" else _resnet_top(x, classes)
    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name="pooled")(x)
    if pooling == "max":
        return layers.GlobalMaxPooling2D(name="pooled")(x)
    return x


def _vgg16(x):
    stages = enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)], start=1)
    for stage, (filters, count) in stages:
        for number in range(1, count + 1):
            x = layers.Conv2D(
                filters,
                3,
                padding="same",
                activation="relu",
                name=f"conv{stage}_{number}",
            )(x)
        x = layers.MaxPooling2D(2, name=f"pool{stage}")(x)
    return x


def _vgg16_top(x, classes):
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc6", "fc7"):
        x = layers.Dense(4096, name=name)(x)
        x = layers.Activation("relu", name=f"{name}_relu")(x)
    x = layers.Dense(classes, name="fc8")(x)
    return layers.Activation("softmax", name="fc8_softmax")(x)


def _resnet_top(x, classes):
    x = layers.Flatten(name="flatten")(x)
    return layers.Dense(classes, activation="softmax", name="classifier")(x)


def _resnet50(x, squeeze: bool):
    conv_bn = functools.partial(_conv_bn, epsilon=1e-4 if squeeze else 1e-3)
    x = conv_bn(x, 64, 7, "conv1_7x7_s2", strides=2)
    x = layers.Activation("relu", name="conv1_relu")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, (filters, blocks) in enumerate(
        [(64, 3), (128, 4), (256, 6), (512, 3)], start=2
    ):
        for block in range(1, blocks + 1):
            x = _block(x, filters, f"conv{stage}_{block}", conv_bn, squeeze)
    return layers.AveragePooling2D(7, name="avg_pool")(x)


def _block(x, filters: int, name: str, conv_bn, squeeze: bool):
    """A bottleneck; the first of a stage halves the map in its first convolution."""
    first = name.endswith("_1")
    strides = 2 if first and not name.startswith("conv2") else 1
    shortcut = x
    x = conv_bn(x, filters, 1, f"{name}_1x1_reduce", strides=strides)
    x = layers.Activation("relu", name=f"{name}_1x1_reduce_relu")(x)
    x = conv_bn(x, filters, 3, f"{name}_3x3")
    x = layers.Activation("relu", name=f"{name}_3x3_relu")(x)
    x = conv_bn(x, 4 * filters, 1, f"{name}_1x1_increase")
    if squeeze:
        x = layers.Multiply(name=f"{name}_scaled")([x, _excitation(x, name)])
    if first:
        shortcut = conv_bn(
            shortcut, 4 * filters, 1, f"{name}_1x1_proj", strides=strides
        )
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.Activation("relu", name=f"{name}_relu")(x)


def _excitation(x, name: str):
    """A factor in (0, 1) per channel, from the channels' means."""
    channels = x.shape[-1]
    s = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    s = layers.Conv2D(channels // _REDUCTION, 1, name=f"{name}_1x1_down")(s)
    s = layers.Activation("relu", name=f"{name}_1x1_down_relu")(s)
    s = layers.Conv2D(channels, 1, name=f"{name}_1x1_up")(s)
    return layers.Activation("sigmoid", name=f"{name}_1x1_up_sigmoid")(s)


def _conv_bn(x, filters, size, name, *, strides=1, epsilon):
    x = layers.Conv2D(
        filters, size, strides=strides, padding="same", use_bias=False, name=name
    )(x)
    return layers.BatchNormalization(epsilon=epsilon, name=f"{name}_bn")(x)
