"""Train `tiny` on MNIST, score it on the test set, and write the weights that ship.

    python benchmarks/train_tiny.py [--epochs 8] [--out tiny_mnist.weights.h5]

Digits are drawn in random colours on random grounds (dark on light as often as light
on dark), shifted, and sometimes blurred by a low resolution, so that the features serve
other small pictures too. The test pictures are the plain MNIST ones. After a new run,
copy the printed SHA-256 into tftransfer/backbones/tiny.py. Needs mnist.npz in the
folder TFTRANSFER_DATA, or in ../shared/data beside the checkout.
"""

import argparse
import hashlib
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from tftransfer.backbones import Backbone
from tftransfer.backbones.tiny import WEIGHTS_FILE

ROOT = pathlib.Path(__file__).resolve().parents[1]
SIZE = 32
COARSE_SIZES = (8, 12, 16, 22)


def load_mnist():
    folder = os.environ.get("TFTRANSFER_DATA", ROOT.parent / "shared" / "data")
    with np.load(pathlib.Path(folder) / "mnist.npz") as file:
        return tuple(file[key] for key in ("x_train", "y_train", "x_test", "y_test"))


def as_pictures(digits):
    """uint8 `(n, 28, 28)` to float32 RGB `(n, 32, 32, 3)` in [0, 255]."""
    x = tf.cast(digits, tf.float32)[..., None]
    return tf.repeat(tf.image.resize(x, (SIZE, SIZE)), 3, axis=-1)


def _shifted(ink):
    """Each picture moved by up to 3 pixels and scaled by 0.8 to 1.2."""
    count = tf.shape(ink)[0]
    scale = tf.random.uniform((count,), 0.8, 1.2)
    slant = tf.random.uniform((count,), -0.25, 0.25)
    move = tf.random.uniform((2, count), -3.0, 3.0)
    centre = (SIZE - 1) / 2
    zero = tf.zeros_like(scale)
    x0 = centre * (1 - scale - slant) + move[0]
    y0 = centre * (1 - scale) + move[1]
    rows = [scale, slant, x0, zero, scale, y0, zero, zero]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=ink,
        transforms=tf.stack(rows, axis=1),
        output_shape=[SIZE, SIZE],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _coarse(ink):
    size = tf.gather(
        COARSE_SIZES, tf.random.uniform((), 0, len(COARSE_SIZES), tf.int32)
    )
    low = tf.image.resize(ink, tf.stack([size, size]), antialias=True)
    return tf.image.resize(low, (SIZE, SIZE))


def coloured(digits, labels):
    """A batch of digits in random ink on random ground."""
    ink = as_pictures(digits)[..., :1] / 255.0
    ink = _shifted(ink)
    ink = tf.cond(tf.random.uniform(()) < 0.4, lambda: _coarse(ink), lambda: ink)
    shape = (tf.shape(ink)[0], 1, 1, 3)
    dark = tf.random.uniform(shape, 0.0, 110.0)
    light = dark + tf.random.uniform(shape, 60.0, 145.0)
    inverted = tf.random.uniform((*shape[:3], 1)) < 0.5
    plain = tf.random.uniform((*shape[:3], 1)) < 0.3
    ground = tf.where(plain, 0.0, dark)
    stroke = tf.where(plain, 255.0, light)
    ground, stroke = (
        tf.where(inverted, stroke, ground),
        tf.where(inverted, ground, stroke),
    )
    noise = tf.random.normal(tf.shape(ground * ink), stddev=6.0)
    return tf.clip_by_value(ground + (stroke - ground) * ink + noise, 0, 255), labels


def train(x, y, *, epochs: int, batch_size: int = 128) -> tuple[Backbone, keras.Model]:
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=0)
    data = data.batch(batch_size, drop_remainder=True)
    data = data.map(coloured, tf.data.AUTOTUNE, deterministic=True).prefetch(2)
    backbone = Backbone("tiny", weights=None)
    head = keras.layers.Dense(10, name="digits")
    pooled = keras.layers.Dropout(0.1)(backbone.output)
    model = keras.Model(backbone.input, head(pooled))
    steps = epochs * (len(x) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(
        1e-4, steps, warmup_target=4e-3, warmup_steps=steps // 10
    )
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(data, epochs=epochs, verbose=2)
    return backbone, model


def accuracy(model, x, y) -> float:
    hits = [
        np.argmax(model(x[i : i + 1000], training=False), axis=-1) == y[i : i + 1000]
        for i in range(0, len(x), 1000)
    ]
    return float(np.mean(hits))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--out", type=pathlib.Path, default=WEIGHTS_FILE)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(0)
    x_train, y_train, x_test, y_test = load_mnist()
    begin = time.perf_counter()
    backbone, model = train(x_train, y_train, epochs=arguments.epochs)
    pictures = as_pictures(x_test).numpy()
    backbone.save_weights(arguments.out)
    result = {
        "seconds": round(time.perf_counter() - begin),
        "parameters": backbone.count_params(),
        "test_accuracy": accuracy(model, pictures, y_test),
        "test_accuracy_inverted": accuracy(model, 255.0 - pictures, y_test),
        "bytes": arguments.out.stat().st_size,
        "sha256": hashlib.sha256(arguments.out.read_bytes()).hexdigest(),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
