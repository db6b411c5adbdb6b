"""fine_tune_embedding: a face net trained further by distances of people's pictures.

TensorFlow only.
"""

import dataclasses

import keras
from keras import ops

from tftransfer.core import check_one_of
from tftransfer.core import check_range
from tftransfer.data import Augmentation
from tftransfer.data import Source
from tftransfer.data import augmentation
from tftransfer.data import balanced_batches
from tftransfer.face.scores.people_pairs import similarities_of_pairs
from tftransfer.face.scores.verification import equal_error_rate
from tftransfer.face.training.labelled import copied_backbone
from tftransfer.face.training.labelled import labelled_source
from tftransfer.face.training.people_split import divide_people
from tftransfer.face.training.people_split import pairable
from tftransfer.face.training.people_split import people_in
from tftransfer.finetune.freezing import freeze_until
from tftransfer.losses import ContrastiveLoss
from tftransfer.losses import TripletHardLoss
from tftransfer.losses.batch_pairs import OverPairs
from tftransfer.losses.unit import unit_vectors
from tftransfer.training.epochs import exact_epochs
from tftransfer.training.optimizers import AdamW
from tftransfer.training.schedule import OneCycle

_AUGMENT = ("none", "flip", "light", "strong")


@dataclasses.dataclass(frozen=True)
class FineTunedEmbedding:
    """What `fine_tune_embedding` returns.

    Attributes:
        model: A `Backbone`: crops -> embeddings, with the best epoch's weights; what
            `face.Embedder.from_model` takes, aligned as for the model given.
        history: {"loss": per epoch, "val_eer": per epoch}.
        best_epoch: Number of the epoch kept, from 1; 0: the weights it came with.
        eer_before: Equal error rate of the validation people's pairs with those.
        eer: The same with the weights kept: the least of several, so a little good.
        train_people: Names of the people that trained.
        validation_people: Names of those that chose the epoch.
    """

    model: keras.Model
    history: dict
    best_epoch: int
    eer_before: float
    eer: float
    train_people: list
    validation_people: list


def fine_tune_embedding(
    model,
    crops,
    labels,
    *,
    class_names: list[str] | None = None,
    loss: keras.losses.Loss | None = None,
    frozen_until: str | None = None,
    epochs: int = 10,
    learning_rate: float = 1e-4,
    weight_decay: float = 1e-4,
    classes_per_batch: int = 16,
    per_class: int = 4,
    validation_people: float | list = 0.2,
    augment: str | Augmentation = "flip",
    patience: int | None = 3,
    seed: int = 0,
    verbose: int | str = 0,
) -> FineTunedEmbedding:
    """Train a face net so that a person's pictures lie nearer than other people's.

    minimises loss(labels, z), z the embeddings of a batch scaled to unit length, on
    batches of P people with K pictures. People are divided: some train, the others'
    pairs are verified after every epoch, and the epoch of their least equal error rate
    is kept, of equals the earliest; the weights it came with are epoch 0 and compete.
    No validation person's picture is trained on. As the epoch is chosen on them, an
    estimate of the error wants third people.

    BatchNorm and dropout run as in inference: averages of small batches of faces would
    replace those of millions. The model given is left as it is.

    Args:
        model: An `Embedder`, or a `keras.Model`, crops -> embeddings.
        crops: uint8 (n, size, size, 3), RGB in [0, 255], aligned as the model wants
            them; `crops_of_people` makes them from a folder.
        labels: (n,) names of the people, or integers.
        class_names: Names in label order, of which integer labels are places; None for
            the labels themselves, sorted.
        loss: Of labels and unit embeddings; None for `TripletHardLoss(0.2)`. Others:
            `TripletSemiHardLoss`, `LiftedStructureLoss`; and `ContrastiveLoss`, which
            takes all pairs of a batch by their distances, in [0, 2].
        frozen_until: Layer or endpoint up to which nothing trains; None: all trains.
        epochs: 1 or more, of about as many crops as there are.
        learning_rate: Highest rate of AdamW, in one cycle.
        weight_decay: Decoupled.
        classes_per_batch: P; fewer where there are fewer people.
        per_class: K, 2 or more.
        validation_people: Share of the people with two pictures or more, in (0, 1), two
            people at least; or their labels.
        augment: "flip": mirrored at random; "none"; "light" and "strong", which also
            shift and zoom, so that crops are no longer aligned; or an `Augmentation`.
        patience: Epochs without a better one after which it ends; None: none.
        seed: Of the division, batches and augmentation.
        verbose: As in `keras.Model.fit`.

    Returns:
        A `FineTunedEmbedding`.

    Raises:
        TypeError: When `model` is no functional model.
        ValueError: When shapes, labels or settings do not fit, or fewer than two people
            are left on either side.

    Example:
        >>> import numpy as np, tftransfer as tft
        >>> crops = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), "uint8")
        >>> result = tft.face.fine_tune_embedding(
        ...     tft.Backbone("tiny"), crops, np.repeat(list("abcd"), 3), epochs=1
        ... )
        >>> len(result.validation_people), result.eer <= result.eer_before
        (2, True)

    References:
        Schroff et al., FaceNet, CVPR 2015, arXiv:1503.03832. Hermans et al., In Defense
        of the Triplet Loss, 2017, arXiv:1703.07737. Hadsell et al., Dimensionality
        Reduction by Learning an Invariant Mapping, CVPR 2006.
    """
    check_range("epochs", epochs, 1, 100_000)
    check_range("per_class", per_class, 2, 100_000)
    backbone = copied_backbone(model)
    freeze_until(backbone, frozen_until)
    source = labelled_source(
        crops, labels, backbone, class_names=class_names, batch_size=64, seed=seed
    )
    train, validation = divide_people(source, validation_people, seed)
    batches = balanced_batches(
        train.replace(augmentation=_augmentation(augment)).dataset(),
        classes_per_batch=min(classes_per_batch, len(pairable(train))),
        per_class=per_class,
        seed=seed,
    )
    trained = _UnitEmbedding(backbone)
    trained.compile(
        AdamW(
            OneCycle(learning_rate, total_steps=epochs * batches.source.steps),
            weight_decay=weight_decay,
        ),
        loss=_of_embeddings(loss or TripletHardLoss(margin=0.2)),
    )
    best = _KeepBest(backbone, validation, patience)
    history = trained.fit(
        **exact_epochs(batches, 0, epochs),
        epochs=epochs,
        callbacks=[best],
        shuffle=False,
        verbose=verbose,
    )
    backbone.set_weights(best.weights)
    return FineTunedEmbedding(
        model=backbone,
        history=history.history,
        best_epoch=best.epoch,
        eer_before=best.before,
        eer=best.eer,
        train_people=people_in(train),
        validation_people=people_in(validation),
    )


class _UnitEmbedding(keras.Model):
    """Crops -> embeddings of unit length, the net as in inference while it trains.

    A class: in a functional model Keras (3.15) replaces the `training=False` that a
    part was connected with by its own `training`.
    """

    def __init__(self, backbone: keras.Model):
        super().__init__(name="unit_embedding")
        self.backbone = backbone
        self.built = True

    def call(self, x):
        return unit_vectors(ops.cast(self.backbone(x, training=False), "float32"))


class _KeepBest(keras.callbacks.Callback):
    """Score the validation people after each epoch, keep the best weights, end early.

    Args:
        backbone: Crops -> embeddings, whose weights train.
        validation: Source of the validation people's crops.
        patience: Epochs without a better one after which it ends, or None.
    """

    def __init__(self, backbone, validation: Source, patience: int | None):
        super().__init__()
        self.backbone = backbone
        self.labels = validation.labels
        plain = validation.replace(shuffle=False, labels=None)
        self.crops = plain.dataset()
        self.patience = patience
        self.epoch, self.weights = 0, backbone.get_weights()
        self.before = self.eer = self._score()

    def on_epoch_end(self, epoch, logs=None):
        logs["val_eer"] = found = self._score()
        if found < self.eer:
            self.epoch, self.eer = epoch + 1, found
            self.weights = self.backbone.get_weights()
        elif self.patience is not None and epoch + 1 - self.epoch >= self.patience:
            self.model.stop_training = True

    def _score(self) -> float:
        embeddings = self.backbone.predict(self.crops, verbose=0)
        unit = ops.convert_to_numpy(unit_vectors(embeddings.astype("float32")))
        return equal_error_rate(*similarities_of_pairs(unit, self.labels)).rate


def _of_embeddings(loss: keras.losses.Loss) -> keras.losses.Loss:
    return OverPairs(loss) if isinstance(loss, ContrastiveLoss) else loss


def _augmentation(augment) -> Augmentation | None:
    if isinstance(augment, Augmentation):
        return augment
    check_one_of("augment", augment, _AUGMENT)
    if augment == "flip":
        return Augmentation([keras.layers.RandomFlip("horizontal")])
    return augmentation(augment)
