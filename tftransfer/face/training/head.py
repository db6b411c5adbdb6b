"""train_head: the last layers of a face net, trained on people of one's own.

TensorFlow only.
"""

import dataclasses
import hashlib
import re

import keras
import numpy as np

from tftransfer.core import check_one_of
from tftransfer.core import check_range
from tftransfer.data import FolderIndex
from tftransfer.data import Source
from tftransfer.data import with_activations
from tftransfer.data.splitting import training_and_validation
from tftransfer.face.training.arcface import ArcFace
from tftransfer.face.training.labelled import copied_backbone
from tftransfer.face.training.labelled import labelled_source
from tftransfer.face.training.people_classifier import PeopleClassifier
from tftransfer.finetune.freezing import freeze_until
from tftransfer.finetune.freezing import set_trainable
from tftransfer.losses import ArcFaceLoss
from tftransfer.training.epochs import exact_epochs
from tftransfer.training.phase import compile_one_cycle

# Of layers below the head, which start from trained weights.
_DEEPER_RATE = 0.1
# Of ArcFace's cosines.
_SCALE = 16.0


@dataclasses.dataclass(frozen=True)
class HeadResult:
    """What `train_head` returns.

    Attributes:
        model: The `PeopleClassifier`: crops -> people; its `threshold` is set.
        history: {metric: value per epoch}; with `val_` of the validation pictures,
            which chose nothing.
        train: (n,) indices of the crops that trained.
        validation: (m,) indices of those that did not; they set the threshold.
        accuracy: Share of validation crops whose most probable person is right, or
            None without validation.
        rejected: Share of validation crops below the threshold: known people called
            unknown.
    """

    model: PeopleClassifier
    history: dict
    train: np.ndarray
    validation: np.ndarray
    accuracy: float | None
    rejected: float | None


def train_head(
    model,
    crops,
    labels,
    *,
    class_names: list[str] | None = None,
    loss: str = "softmax",
    frozen_until: str | None = None,
    epochs: int = 60,
    learning_rate: float = 0.01,
    weight_decay: float = 1e-4,
    batch_size: int = 32,
    validation_split: float = 0.2,
    false_reject_rate: float = 0.05,
    seed: int = 0,
    verbose: int | str = 0,
) -> HeadResult:
    """Train the last layers of a face net to tell one's own people apart.

    The frozen part runs once over the crops; epochs then cost the head alone. The model
    given is left as it is. All epochs are trained, at a one-cycle rate: the validation
    crops choose no weights, so that `accuracy` is an honest estimate for these people.
    They set the threshold, so that `rejected` is none.

    Args:
        model: An `Embedder`, or a `keras.Model`, crops -> embeddings.
        crops: uint8 (n, size, size, 3), RGB in [0, 255], aligned as the model wants
            them; `crops_of_people` makes them from a folder.
        labels: (n,) names of the people, or integers.
        class_names: Names in label order, of which integer labels are places; None for
            the labels themselves, sorted.
        loss: "softmax": cross-entropy of one dense layer on unit embeddings.
            "arcface": an `ArcFace` layer with its loss, margin 0.5, scale 16. (At the
            paper's 64, for 85,000 people, probabilities of a few round to 1, and no
            threshold can tell them.)
        frozen_until: Layer or endpoint whose activations are computed once; layers
            above it are trained from their present weights, at a tenth of the rate.
            None: all of the model is frozen and only the new layer learns.
        epochs: Over the training crops, 1 or more.
        learning_rate: Highest rate of AdamW.
        weight_decay: Decoupled.
        batch_size: Crops per step.
        validation_split: Share of each person's pictures kept apart, in [0, 1), one at
            least of who has two; copies of a training crop train. 0: none; the
            threshold is then 0, nobody unknown.
        false_reject_rate: Share of the validation crops that the threshold may call
            unknown, in [0, 1). It says nothing of how many strangers are let through:
            measure that with `model.identify` on crops of other people.
        seed: Of the split, the order and the first weights.
        verbose: As in `keras.Model.fit`.

    Returns:
        A `HeadResult`.

    Raises:
        TypeError: When `model` is no functional model.
        ValueError: When shapes, labels or settings do not fit, or there are fewer than
            two people, or one without a picture.

    Example:
        >>> import numpy as np, tftransfer as tft
        >>> crops = np.random.default_rng(0).integers(0, 99, (8, 32, 32, 3), "uint8")
        >>> crops[4:] += 150
        >>> names = ["Ada"] * 4 + ["Alan"] * 4
        >>> result = tft.face.train_head(tft.Backbone("tiny"), crops, names)
        >>> result.accuracy, result.model.identify(crops[-1:])[0][0]
        (1.0, 'Alan')
    """
    check_one_of("loss", loss, ["softmax", "arcface"])
    check_range("epochs", epochs, 1, 100_000)
    check_range("validation_split", validation_split, 0, 1, open_high=True)
    check_range("false_reject_rate", false_reject_rate, 0, 1, open_high=True)
    backbone = copied_backbone(model)
    source = labelled_source(
        crops,
        labels,
        backbone,
        class_names=class_names,
        batch_size=batch_size,
        seed=seed,
    )
    _check_people(source)
    chosen, held = _split(source, validation_split, seed)
    head = _head(backbone.output_shape[-1], len(source.class_names), loss, seed)
    people = PeopleClassifier(backbone, head, source.class_names)
    endpoint = _freeze(people, frozen_until)
    steps = epochs * source.subset(chosen).steps
    _compile(people, loss, rate=learning_rate, steps=steps, weight_decay=weight_decay)
    with people.activations_at(endpoint) as trunk:
        seen = with_activations(source.dataset(), trunk).source
        validation = seen.subset(held).replace(shuffle=False)
        history = people.fit(
            **exact_epochs(seen.subset(chosen).dataset(), 0, epochs),
            validation_data=validation.dataset() if len(held) else None,
            epochs=epochs,
            shuffle=False,
            verbose=verbose,
        )
        facts = _judge(people, validation, false_reject_rate)
    return HeadResult(people, history.history, chosen, held, *facts)


_LOSSES = {
    "softmax": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "arcface": lambda: ArcFaceLoss(scale=_SCALE),
}


def _check_people(source: Source) -> None:
    present = np.unique(source.labels)
    missing = sorted(set(range(len(source.class_names or ()))) - set(present.tolist()))
    if missing:
        raise ValueError(
            "Expected a picture of each person. Received none of: "
            f"{[source.class_names[i] for i in missing[:5]]}."
        )
    if len(present) < 2:
        raise ValueError(
            f"Expected two people or more. Received: {list(source.class_names)}. To "
            "know one person from all others, enrol it in a gallery."
        )


def _head(width: int, people: int, loss: str, seed: int) -> keras.Model:
    if loss == "arcface":
        layers = [ArcFace(people, _SCALE, seed=seed, dtype="float32", name="centres")]
    else:
        layers = [
            keras.layers.UnitNormalization(dtype="float32", name="unit_length"),
            # So that an entry is of order 1, and one rate fits nets of any width.
            keras.layers.Rescaling(width**0.5, dtype="float32", name="entries"),
            keras.layers.Dense(
                people, kernel_initializer="zeros", dtype="float32", name="people"
            ),
        ]
    return keras.Sequential([keras.Input((width,)), *layers], name="head")


def _freeze(people: PeopleClassifier, name: str | None) -> str:
    """Freeze the backbone up to `name` and return where to cut it."""
    if name is None:
        set_trainable(people.backbone, False)
        return "pooled"
    freeze_until(people, name)
    return name


def _compile(people: PeopleClassifier, loss: str, **options) -> None:
    deeper = [layer for layer in people.backbone.layers if layer.trainable_variables]
    compile_one_cycle(
        people,
        loss=_LOSSES[loss](),
        metrics=["accuracy"],
        multipliers={re.escape(layer.name): _DEEPER_RATE for layer in deeper},
        **options,
    )


def _split(source: Source, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices that train and validate, copies of a crop on one side."""
    crops = source.pictures.array
    index = FolderIndex(
        folder="crops",
        paths=tuple(f"crop {i}" for i in range(len(source))),
        labels=source.labels,
        class_names=source.class_names,
        splits=("",) * len(source),
        unreadable={},
        digests=tuple(hashlib.sha256(crop.tobytes()).digest() for crop in crops),
    )
    return training_and_validation(index, share, seed)


def _judge(people, validation: Source, rate: float) -> tuple:
    """Set the threshold and return accuracy and share of rejected crops."""
    if not len(validation):
        return None, None
    logits = people.predict(validation.replace(labels=None).dataset(), verbose=0)
    found = keras.ops.convert_to_numpy(keras.ops.softmax(logits, axis=-1))
    best = np.sort(found.max(axis=1))
    people.threshold = float(best[int(rate * len(best))])
    accuracy = float(np.mean(found.argmax(axis=1) == validation.labels))
    return accuracy, float(np.mean(best < people.threshold))
