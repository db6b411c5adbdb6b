"""The graph that answers: pictures in, the best labels and their scores out.

TensorFlow only.
"""

import os

import tensorflow as tf

from tftransfer.serving.batches import decode_batch
from tftransfer.serving.served_model import ServedModel


class Service(tf.Module):
    """The signatures of a served model, and what a SavedModel must hold for them.

    Args:
        served: The model, its labels and its geometry.
        top_k: Labels per answer, at most the number of classes.
        labels_file: A file of the labels, one a line, copied into `assets/`.
    """

    def __init__(self, served: ServedModel, *, top_k: int, labels_file: os.PathLike):
        super().__init__()
        self.served = served
        self.top_k = top_k
        self.labels_file = tf.saved_model.Asset(str(labels_file))
        shape = [None, served.image_size, served.image_size, 3]
        pixels = tf.TensorSpec(shape, tf.float32, "image")
        encoded = tf.TensorSpec([None], tf.string, "image_bytes")
        self._image = tf.function(self.from_image, input_signature=[pixels])
        self._bytes = tf.function(self.from_bytes, input_signature=[encoded])
        self._every = tf.function(self.every_class, input_signature=[pixels])
        # What the graph uses, as plain variables: a Keras model in an attribute would
        # store Keras objects, and does not list all (the seeds of a layer, say).
        self._kept = list(self._image.get_concrete_function().variables)

    def endpoints(self) -> dict:
        """Return {signature name: `tf.function`}."""
        return {
            "serving_default": self._bytes,
            "image": self._image,
            "probabilities": self._every,
        }

    def every_class(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the probabilities (batch, classes) in the order of the labels."""
        return {"scores": self.served(image)}

    def from_image(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answer (batch, size, size, 3) float32 RGB in [0, 255]."""
        scores, places = tf.math.top_k(self.served(image), self.top_k)
        return {"labels": tf.gather(self.served.labels, places), "scores": scores}

    def from_bytes(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answer (batch,) encoded pictures, each failing for itself."""
        images, error = decode_batch(image_bytes, image_size=self.served.image_size)
        answer = self.from_image(images)
        fine = tf.equal(error, "")[:, None]
        return {
            "labels": tf.where(fine, answer["labels"], ""),
            "scores": tf.where(fine, answer["scores"], 0.0),
            "error": error,
        }
