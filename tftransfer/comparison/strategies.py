"""The strategies that `compare` runs: pictures to predicted labels of the test set.

TensorFlow only: predictions run in a tf.function.
"""

import dataclasses
import functools

import keras
import numpy as np
import tensorflow as tf

from tftransfer.data.source import Source
from tftransfer.features import FeatureExtractor
from tftransfer.features import probe
from tftransfer.finetune import Classifier
from tftransfer.finetune import fine_tune
from tftransfer.finetune import scratch_classifier
from tftransfer.finetune.plan import plan_for


@dataclasses.dataclass(frozen=True)
class Task:
    """What all strategies share.

    Attributes:
        backbone: The pretrained backbone, left as it is.
        train: Source of all training pictures.
        test: Source of the test pictures, in their order.
        epochs: Epochs of fine-tuning, None as it chooses.
        scratch_epochs: Epochs from scratch, None for three times as many.
        options: Further arguments of `fine_tune`.
    """

    backbone: keras.Model
    train: Source
    test: Source
    epochs: int | None
    scratch_epochs: int | None
    options: dict

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return int(self.train.labels.max()) + 1

    @functools.cached_property
    def features(self) -> tuple[np.ndarray, np.ndarray]:
        """Mirror-averaged features of training and test pictures, computed once."""
        extractor = FeatureExtractor(self.backbone)
        return tuple(
            extractor.extract(
                source.replace(shuffle=False, augmentation=None).dataset(),
                augment="flip",
                progress=False,
            )
            for source in (self.train, self.test)
        )


def _probe(task: Task, chosen: np.ndarray, seed: int) -> np.ndarray:
    train, test = task.features
    found = probe(train[chosen], task.train.labels[chosen], seed=seed)
    return found.predict(test)


def _fine_tune(task: Task, chosen: np.ndarray, seed: int) -> np.ndarray:
    keras.utils.set_random_seed(seed)
    model = Classifier(task.backbone.clone(), task.num_classes)
    train = task.train.subset(chosen).replace(seed=seed)
    options = {"epochs": task.epochs, "verbose": 0, "say": None} | task.options
    fine_tune(model, train.dataset(), **options)
    return _predicted(model, task.test)


def _scratch(task: Task, chosen: np.ndarray, seed: int) -> np.ndarray:
    keras.utils.set_random_seed(seed)
    model = scratch_classifier(task.backbone.clone(weights=False), task.num_classes)
    train = task.train.subset(chosen).replace(seed=seed)
    augment = task.options.get("augment", "light")
    epochs = task.scratch_epochs
    if epochs is None:
        plan = plan_for(len(train), train.batch_size, epochs=task.epochs)
        epochs = 3 * plan.epochs
    fine_tune(
        model,
        train.dataset(),
        epochs=epochs,
        head_epochs=0,
        learning_rate=1e-3,
        rate_decay=1.0,
        augment=augment,
        verbose=0,
        say=None,
    )
    return _predicted(model, task.test)


def _predicted(model: Classifier, test: Source) -> np.ndarray:
    """Return the class with the largest logit of every test picture."""
    compute = tf.function(
        lambda x: tf.argmax(model.deployed(x, training=False), axis=-1)
    ).get_concrete_function(tf.TensorSpec((None, *test.pictures.shape), tf.float32))
    pictures = test.replace(labels=None, augmentation=None).dataset()
    return np.concatenate([compute(batch).numpy() for batch in pictures])


STRATEGIES = {"scratch": _scratch, "probe": _probe, "fine_tune": _fine_tune}
