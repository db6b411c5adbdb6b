"""A net that compiles and trains in a second, of pictures of any size."""

import keras

import tftransfer as tft


def small_backbone(size: int = 32) -> tft.Backbone:
    """Return one convolution with BatchNorm, of RGB pictures, 0 to 255."""
    layers = keras.layers
    net = [keras.Input((size, size, 3)), layers.Rescaling(1 / 255), layers.Conv2D(6, 3)]
    net = keras.Sequential([*net, layers.BatchNormalization(), layers.ReLU()])
    return tft.Backbone.from_model(net)


def small_classifier(size: int = 32, seed: int = 0, **options) -> tft.Classifier:
    """Return the same classifier of 3 classes for the same seed."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    backbone = small_backbone(size)
    head = keras.Sequential([keras.Input((6,)), layers.Dropout(0.1), layers.Dense(3)])
    return tft.Classifier(backbone, 3, head=head, **options)
