"""Small embedding nets, and crops of people who differ in colour, not in light."""

import keras
import numpy as np


def small_net(width=8):
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    x = layers.Rescaling(1 / 128, offset=-1)(image)
    x = layers.Conv2D(8, 3, strides=2, name="low")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="cut")(x)
    x = layers.Conv2D(16, 3, activation="relu", name="high")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(image, layers.Dense(width, name="embedding")(x), name="small")


def colour_net():
    """Return a net whose embedding, the colour without the light, is the person's."""
    image = keras.Input((16, 16, 3))
    colour = keras.layers.GlobalAveragePooling2D()(image)
    without_light = keras.layers.Dense(3, use_bias=False, name="without_light")
    net = keras.Model(image, without_light(colour), name="colour")
    without_light.set_weights([np.eye(3, dtype="float32") - 1 / 3])
    return net


def toy_people(people=12, pictures=8, seed=0):
    """Return crops (n, 16, 16, 3) and names: hue is the person, light and noise not."""
    rng = np.random.default_rng(seed)
    angles = 2 * np.pi * np.arange(people) / people
    hue = np.stack([np.cos(angles), np.cos(angles - 2.1), np.cos(angles + 2.1)], 1)
    light = rng.uniform(60, 190, (people, pictures, 1, 1, 1))
    noise = rng.normal(0, 10, (people, pictures, 16, 16, 3))
    crops = light + 30 * hue[:, None, None, None] + noise
    names = np.repeat([f"person {i:02d}" for i in range(people)], pictures)
    return np.clip(crops.reshape(-1, 16, 16, 3), 0, 255).astype("uint8"), names
