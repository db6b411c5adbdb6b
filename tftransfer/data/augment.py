"""Augmentation presets from keras.layers, MixUp and CutMix, on batches on the fly.

TensorFlow only: they run inside tf.data.
"""

import json

import keras
import tensorflow as tf

from tftransfer.core.validation import check_one_of

PRESETS = ("none", "light", "strong")
MIXES = (None, "mixup", "cutmix")


class _BatchSeed(keras.random.SeedGenerator):
    """Seeds of one batch, drawn from the seed that travels with it.

    Keras' generator counts in a variable, whose order under parallel calls is chance.
    """

    def __init__(self):
        super().__init__(0)
        self.begin(tf.zeros((2,), tf.int64))

    def begin(self, seed: tf.Tensor) -> None:
        """Start over from `seed`, two integers."""
        self._batch, self._drawn = seed, 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        self._drawn += 1
        seed = tf.random.experimental.stateless_fold_in(self._batch, self._drawn)
        return tf.cast(tf.bitwise.bitwise_and(seed, 0x7FFFFFFF), tf.uint32)


class Augmentation:
    """Random changes of training pictures; made by `augmentation`.

    Args:
        layers: Keras preprocessing layers, applied in order to RGB in [0, 255].
        mix: A `keras.layers.MixUp` or `CutMix`, or None.
        num_classes: Number of classes; needed with `mix`.
    """

    def __init__(self, layers: list, mix=None, num_classes: int | None = None):
        self.layers = layers
        self.mix = mix
        self.num_classes = num_classes
        self._seed = _BatchSeed()
        for layer in [*layers, *([mix] if mix else [])]:
            for leaf in layer._flatten_layers():
                if hasattr(leaf, "generator"):
                    leaf.generator = self._seed

    def __call__(self, seed: tf.Tensor, images: tf.Tensor, labels=None):
        """Return changed pictures, with labels where there are any.

        Args:
            seed: Two integers: the same seed makes the same changes.
            images: (batch, height, width, 3), RGB in [0, 255].
            labels: (batch,) integers, or None.

        Returns:
            Pictures float32 in [0, 255], or (pictures, labels); mixed labels are
            float32 (batch, num_classes).
        """
        if self.mix is not None:
            _check_mixable(labels)
        self._seed.begin(seed)
        for layer in self.layers:
            images = layer(images, training=True)
        images = tf.clip_by_value(tf.cast(images, tf.float32), 0.0, 255.0)
        if self.mix is not None:
            rows = tf.one_hot(labels, self.num_classes)
            mixed = self.mix({"images": images, "labels": rows}, training=True)
            return mixed["images"], mixed["labels"]
        return images if labels is None else (images, labels)

    def describe(self) -> list:
        """Return the classes and settings of the layers, JSON-safe, without names."""
        layers = [*self.layers, *([self.mix] if self.mix else [])]
        return [[type(layer).__name__, _settings(layer)] for layer in layers]

    def apply(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Return `dataset` with every batch changed at random.

        Args:
            dataset: Batches of pictures or of (pictures, integer labels). Of datasets
                of this package the result keeps the attributes, and repeats exactly.
        """
        source = getattr(dataset, "source", None)
        if source is not None:
            return source.replace(augmentation=self).dataset()
        seeds = tf.data.Dataset.random(0, rerandomize_each_iteration=True).batch(2)
        pairs = tf.data.Dataset.zip(seeds, dataset)
        return pairs.map(self._unpacked, num_parallel_calls=tf.data.AUTOTUNE)

    def _unpacked(self, seed, element):
        images, *labels = element if isinstance(element, tuple) else (element,)
        if len(labels) > 1 or images.shape.rank != 4:
            raise ValueError(
                "Expected batches of pictures, or of (pictures, labels), with pictures "
                "(batch, height, width, 3). Received: "
                f"{tuple(tuple(part.shape) for part in (images, *labels))}."
            )
        return self(seed, images, *labels)


def augmentation(
    preset: str = "light", *, mix: str | None = None, num_classes: int | None = None
) -> Augmentation | None:
    """Build a preset of random changes for training pictures.

    "light": mirrored left to right, zoomed and shifted by up to 10 %. "strong": the
    same with rotation, RandAugment's colours and erased rectangles. Mirroring is wrong
    where left and right differ in meaning (text, digits): use "none" or own layers.

    Args:
        preset: "none", "light" or "strong".
        mix: None, "mixup" (alpha 0.2) or "cutmix"; labels become rows that sum to 1.
        num_classes: Number of classes; needed with `mix`.

    Returns:
        The `Augmentation`, or None when there is nothing to change.

    Raises:
        ValueError: When a name is unknown, or `mix` comes without `num_classes`.

    Example:
        >>> changed = augmentation("light")(tf.constant([0, 1]), tf.zeros((2, 8, 8, 3)))
        >>> changed.shape
        TensorShape([2, 8, 8, 3])

    References:
        RandAugment: Cubuk et al., 2019, arXiv:1909.13719. MixUp: Zhang et al., ICLR
        2018, arXiv:1710.09412. CutMix: Yun et al., ICCV 2019, arXiv:1905.04899.
        Random erasing: Zhong et al., AAAI 2020, arXiv:1708.04896.
    """
    check_one_of("preset", preset, PRESETS)
    check_one_of("mix", mix, MIXES)
    if mix is not None and (num_classes is None or num_classes < 2):
        raise ValueError(
            f"Expected `num_classes` of 2 or more with `mix='{mix}'`, whose labels are "
            f"rows of shares. Received: {num_classes}."
        )
    mixer = {
        None: lambda: None,
        "mixup": lambda: keras.layers.MixUp(alpha=0.2),
        "cutmix": lambda: keras.layers.CutMix(),
    }[mix]()
    layers = _layers(preset)
    if not layers and mixer is None:
        return None
    return Augmentation(layers, mixer, num_classes)


def _settings(layer) -> dict:
    config = json.loads(json.dumps(layer.get_config(), default=str))
    return {k: v for k, v in config.items() if k not in ("name", "seed")}


def _check_mixable(labels) -> None:
    integers = labels is not None and tf.as_dtype(labels.dtype).is_integer
    if not integers or len(labels.shape) != 1:
        shown = "none" if labels is None else f"{labels.shape}, {labels.dtype}"
        raise ValueError(
            "Expected integer labels (batch,), of which `mix` makes rows of shares. "
            f"Received: {shown}."
        )


def _layers(preset: str) -> list:
    if preset == "none":
        return []
    shape = [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomZoom((-0.15, 0.1), fill_mode="reflect"),
        keras.layers.RandomTranslation(0.1, 0.1, fill_mode="reflect"),
    ]
    if preset == "light":
        return shape
    return [
        *shape,
        keras.layers.RandomRotation(0.04, fill_mode="reflect"),
        keras.layers.RandAugment(num_ops=2, factor=0.4, value_range=(0, 255)),
        keras.layers.RandomErasing(factor=0.25, scale=(0.02, 0.2)),
    ]
