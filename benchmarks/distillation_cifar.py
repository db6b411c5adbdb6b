"""Attention transfer and soft targets on CIFAR-10, after Zagoruyko & Komodakis, 2017.

    python benchmarks/distillation_cifar.py [--seeds 1] [--runs FOLDER] [--quick]

A WRN-16-2 teaches WRN-16-1 students: labels alone, attention transfer (AT, beta 1e3
after each of the three groups), soft targets (KD, T = 4, alpha 0.9), and both. The
pictures are CIFAR-10 saved as JPEG of quality 75 and the epochs are few, so that the
published errors are out of reach: what can be compared is the order. All students of a
seed have the same first weights, batches and number of epochs; settings are the
paper's, the rate's schedule is shrunk to the epochs, nothing was tuned on the test set.
A finished run is kept in the folder of runs, and a restart goes on behind it.
"""

import argparse
import io
import os
import pathlib
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import PIL.Image
import tensorflow as tf
from results_file import data_folder
from results_file import write
from runs_folder import Runs

import tftransfer as tft
from tftransfer.losses import AttentionTransferLoss
from tftransfer.losses import SoftTargetLoss

SETTINGS = {"epochs": 8, "batch": 128, "rate": 0.1, "weight_decay": 5e-4}
GROUPS = ("group1", "group2", "group3")
# Name, published error in per cent; the teacher comes first.
PUBLISHED = {
    "teacher": 6.31,
    "plain": 8.77,
    "AT": 7.93,
    "KD": 7.41,
    "AT+KD": 7.51,
}
_MOMENTUM = 0.9


def wide_resnet(depth: int, width: int, classes: int = 10) -> keras.Model:
    """Return a WRN-depth-width for 32 x 32 pictures that ends in logits.

    Pre-activation blocks of two 3 x 3 convolutions; the ends of the three groups are
    called "group1" to "group3".

    References:
        Zagoruyko & Komodakis, Wide Residual Networks, BMVC 2016, arXiv:1605.07146.
    """
    inputs = keras.Input((32, 32, 3))
    x = _convolution(16)(inputs)
    for number, group in enumerate(GROUPS):
        blocks = (depth - 4) // 6
        for i in range(blocks):
            stride = 2 if number and not i else 1
            name = group if i == blocks - 1 else None
            x = _block(x, 16 * width * 2**number, stride, name)
    x = keras.layers.GlobalAveragePooling2D()(_activated(x))
    return keras.Model(inputs, keras.layers.Dense(classes)(x))


def _block(x, filters: int, stride: int, name: str | None):
    before = _activated(x)
    y = _convolution(filters, stride=stride)(before)
    y = _convolution(filters)(_activated(y))
    if x.shape[-1] != filters:
        x = _convolution(filters, size=1, stride=stride)(before)
    return keras.layers.Add(name=name)([x, y])


def _activated(x):
    # PyTorch's averages, which follow a short training; Keras' 0.99 lags behind.
    normalise = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
    return keras.layers.ReLU()(normalise(x))


def _convolution(filters: int, size: int = 3, stride: int = 1):
    return keras.layers.Conv2D(
        filters,
        size,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )


def load(part: str, per_class: int | None = None) -> tuple:
    """Return the pictures (n, 32, 32, 3), uint8, and labels of "train" or "test"."""
    pictures, classes = [], []
    with zipfile.ZipFile(data_folder("cifar10_jpg.zip")) as file:
        names = sorted(n for n in file.namelist() if n.startswith(f"{part}/"))
        names = [name for name in names if name.endswith(".jpg")]
        for name in names:
            with PIL.Image.open(io.BytesIO(file.read(name))) as picture:
                pictures.append(np.asarray(picture.convert("RGB")))
            classes.append(name.split("/")[1])
    x, y = np.stack(pictures), np.unique(classes, return_inverse=True)[1]
    if per_class is not None:
        kept = np.concatenate([np.flatnonzero(y == c)[:per_class] for c in range(10)])
        x, y = x[kept], y[kept]
    return x, y.astype("int32")


def augmented(pictures):
    """Mirror every other picture and move it by up to 4 pixels, edges reflected."""
    count = tf.shape(pictures)[0]
    wide = tf.pad(pictures, ((0, 0), (4, 4), (4, 4), (0, 0)), "REFLECT")
    top, left = tf.unstack(tf.random.uniform((2, count, 1, 1), 0, 9, tf.int32))
    mirrored = tf.random.uniform((count, 1, 1)) < 0.5
    columns = tf.range(32)[None, None]
    columns = tf.where(mirrored, 31 - columns, columns) + left
    rows = tf.range(32)[None, :, None] + top
    places = tf.reshape(rows * 40 + columns, (count, 1024))
    moved = tf.gather(tf.reshape(wide, (count, 1600, 3)), places, batch_dims=1)
    return tf.reshape(moved, (count, 32, 32, 3))


class Experiment:
    """The nets of one seed."""

    def __init__(self, seed: int, runs: Runs, train: tuple, test: tuple):
        self.seed, self.runs, self.settings = seed, runs, runs.settings
        self.train, self.test = train, test
        self.mean = train[0].mean((0, 1, 2)).astype("float32")
        self.deviation = train[0].std((0, 1, 2)).astype("float32")

    def results(self) -> dict:
        """Return {name: {"error": per cent, ...}}, running what has not run."""
        return {
            name: self.runs.once(f"{name}-{self.seed}", lambda n=name: self._run(n))
            for name in PUBLISHED
        }

    def _run(self, name: str) -> dict:
        keras.utils.set_random_seed(self.seed)
        if name == "teacher":
            net = wide_resnet(16, 2)
            self._fit(net)
            net.save_weights(self._weights)
            return self._scored(net)
        student = wide_resnet(16, 1)
        self._fit(student if name == "plain" else self._taught(student, name))
        return self._scored(student)

    def _taught(self, student: keras.Model, name: str) -> tft.Distiller:
        teacher = wide_resnet(16, 2)
        teacher.load_weights(self._weights)
        attention = AttentionTransferLoss([(group, group) for group in GROUPS])
        soft = SoftTargetLoss(temperature=4.0)
        losses = {"AT": [attention], "KD": [soft], "AT+KD": [soft, attention]}[name]
        return tft.Distiller(  # its defaults are the paper's: beta 1e3, alpha 0.9
            student, teacher, losses
        )

    def _fit(self, model) -> None:
        """Nesterov's SGD, the rate up over the first fifth and down to 0 after it."""
        data = self._batches()
        steps = self.settings["epochs"] * len(data)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0,
            steps - steps // 5,
            warmup_target=self.settings["rate"],
            warmup_steps=steps // 5,
        )
        # Keras decays weights outside the momentum, which multiplies the paper's
        # decay by 1 / (1 - momentum).
        optimizer = keras.optimizers.SGD(
            rate,
            _MOMENTUM,
            nesterov=True,
            weight_decay=self.settings["weight_decay"] / (1 - _MOMENTUM),
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer, loss, jit_compile=False)
        model.fit(data, epochs=self.settings["epochs"], verbose=2)

    def _batches(self) -> tf.data.Dataset:
        data = tf.data.Dataset.from_tensor_slices(self.train)
        data = data.shuffle(len(self.train[1]), seed=self.seed)
        data = data.batch(self.settings["batch"], drop_remainder=True)
        return data.map(
            lambda x, y: (self._normalised(augmented(x)), y), tf.data.AUTOTUNE
        ).prefetch(4)

    def _normalised(self, pictures):
        return (tf.cast(pictures, "float32") - self.mean) / self.deviation

    def _scored(self, net) -> dict:
        x, y = self.test
        scores = net.predict(self._normalised(x), batch_size=500, verbose=0)
        return {"error": float(100 * np.mean(np.argmax(scores, axis=-1) != y))}

    @property
    def _weights(self) -> pathlib.Path:
        return self.runs.folder / f"teacher-{self.seed}.weights.h5"


def table(seeds: list[dict], settings: dict) -> str:
    """Return a row per net: the published error and ours."""
    lines = [
        f"| net, {settings['epochs']} epochs | error, published | error | each seed |",
        "|---|---|---|---|",
    ]
    means = {}
    for name, published in PUBLISHED.items():
        errors = [found[name]["error"] for found in seeds]
        means[name] = np.mean(errors)
        each = ", ".join(f"{error:.2f}" for error in errors)
        label = f"WRN-16-2, {name}" if name == "teacher" else f"WRN-16-1, {name}"
        lines.append(f"| {label} | {published:.2f} % | {means[name]:.2f} % | {each} |")
    students = list(PUBLISHED)[1:]
    published, ours = (
        ", ".join(sorted(students, key=errors.get)) for errors in (PUBLISHED, means)
    )
    return "\n".join([*lines, "", f"Best first: {ours}; published: {published}."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--runs", type=pathlib.Path, default="runs/distillation_cifar")
    parser.add_argument("--quick", action="store_true", help="a smoke run: no results")
    arguments = parser.parse_args()
    quick = arguments.quick
    settings = {**SETTINGS, "epochs": 1 if quick else SETTINGS["epochs"]}
    runs = Runs(arguments.runs / ("quick" if quick else "full"), settings)
    data = [load(part, 50 if quick else None) for part in ("train", "test")]
    found = []
    for seed in range(1 if quick else arguments.seeds):
        found.append(Experiment(seed, runs, *data).results())
        if quick:
            print(table(found, settings), flush=True)
        else:
            raw = {"settings": settings, "seeds": found}
            write("distillation_cifar", raw, table(found, settings))


if __name__ == "__main__":
    main()
