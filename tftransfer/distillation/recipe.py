"""distill: a student taught by its teacher from pictures to weights, in one call."""

import os

import keras

from tftransfer.core import weights_digest
from tftransfer.distillation.distiller import Distiller
from tftransfer.distillation.parts import check_parts
from tftransfer.distillation.parts import read
from tftransfer.distillation.run import Cached
from tftransfer.distillation.run import run
from tftransfer.distillation.teacher_labels import answered
from tftransfer.distillation.teacher_labels import has_labels
from tftransfer.losses import DistillationLoss
from tftransfer.losses import SoftTargetLoss
from tftransfer.training.pictures import check_cache


def distill(
    student,
    teacher,
    train,
    validation=None,
    *,
    losses: list[DistillationLoss] | None = None,
    loss_weights: list[float] | None = None,
    student_loss_weight: float | None = None,
    epochs: int | None = None,
    learning_rate: float = 1e-3,
    weight_decay: float = 1e-4,
    label_smoothing: float = 0.1,
    augment: str = "light",
    batch_size: int = 32,
    views: int | None = None,
    cache: str | bool | os.PathLike = "auto",
    patience: int | None = None,
    checkpoint: str | os.PathLike | None = None,
    callbacks: list = (),
    seed: int = 0,
    verbose: int | str = "auto",
    say=print,
    **distiller_options,
) -> keras.callbacks.History:
    """Teach a student what its teacher makes of pictures, with or without labels.

    Compiles and fits a `Distiller` with AdamW under a one-cycle rate. With validation
    data the student has the weights of the best epoch afterwards (by accuracy, of
    equals by loss), else the last ones. It is not compiled itself.

    Args:
        student: A `Classifier`; `tftransfer.finetune.scratch_classifier` makes one of
            random weights as small data needs it. Without class names it gets those of
            the data, else the teacher's.
        teacher: A trained `Classifier` of the same classes, or a list of them; left as
            it is.
        train: Pictures in any form that `tft.data.as_dataset` takes, read in the
            student's size and scaled for a teacher of another. Without labels
            the teacher alone teaches (`student_loss_weight` is 0 then), and in place
            of the accuracy the agreement with its answers is measured.
        validation: The same, for choosing the best epoch; no labels of a test set.
            Beside training pictures without labels its own are left aside.
        losses: As in `Distiller`. Defaults to `[SoftTargetLoss(4.0)]`.
        loss_weights: As in `Distiller`.
        student_loss_weight: As in `Distiller`.
        epochs: None for about 2,000 steps, in 20 to 120 epochs.
        learning_rate: Highest rate; the default suits a student of random weights, a
            third of it one that is pretrained.
        weight_decay: Decoupled weight decay of AdamW.
        label_smoothing: Of the task loss, in [0, 1).
        augment: Preset of `tft.data.augmentation`; a dataset that is augmented already
            stays as it is. Student and teacher see the same view.
        batch_size: Pictures per step, where `train` has no batches of its own.
        views: With a cache and augmentation: how many views of each picture the
            teacher answers; epoch e sees view e mod `views`. The more, the better the
            student and the longer the wait before the first epoch: it is paid back
            from `views` epochs on. Defaults to about 10,000 answers, in 8 views or
            more, at most `epochs`.
        cache: "auto" runs the teacher once over each view where the data can be
            repeated and the outputs fit in memory; False in every step, on views that
            are always new; True raises where it cannot; a folder keeps the outputs
            there for the next run. Without augmentation the results are equal.
        patience: Epochs without a better one after which it ends; None runs all.
        checkpoint: Folder for the run's state: the same call after a killed process
            goes on from the last finished epoch and ends on the same weights.
        callbacks: Keras callbacks; their `model` is the `Distiller`.
        seed: Of the order where `train` is no dataset, and of nothing else.
        verbose: As in `keras.Model.fit`.
        say: Called with the text of the plan; None says nothing.
        **distiller_options: Further arguments of `Distiller`, such as
            `teacher_weights`.

    Returns:
        The history; `history.plan` is the `DistillPlan`, `history.best` says which
        epoch's weights the student has (None: the last).

    Raises:
        TypeError: When student or teacher is no classifier of this package.
        ValueError: When classes or sizes do not agree, an argument is out of range, or
            the checkpoint belongs to another run.

    Example:
        >>> import numpy as np
        >>> import tftransfer as tft
        >>> x = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), "uint8")
        >>> student, teacher = [
        ...     tft.Classifier(tft.Backbone("tiny", weights=None), num_classes=2)
        ...     for _ in range(2)
        ... ]
        >>> history = tft.distill(student, teacher, x, epochs=1, verbose=0)
        distill: 8 training pictures, 1 step an epoch.
        ...
        >>> sorted(history.history)
        ['agreement', 'loss', 'soft_target_loss']

    References:
        Hinton, Vinyals & Dean, 2015, arXiv:1503.02531. Beyer et al., Knowledge
        Distillation: A Good Teacher is Patient and Consistent, CVPR 2022,
        arXiv:2106.05237.
    """
    teachers = list(teacher) if isinstance(teacher, list | tuple) else [teacher]
    check_parts(student, teachers)
    check_cache(cache)
    train, validation = read(
        [student, *teachers], train, validation, batch_size=batch_size, seed=seed
    )
    labelled = has_labels(train)
    if not labelled:
        student_loss_weight = student_loss_weight or 0.0
    elif validation is not None and not has_labels(validation):
        raise ValueError(
            "Expected labelled pictures to validate on, as those to train on are. "
            "Received: pictures alone. Give `(pictures, labels)`, or leave them out."
        )
    with student.distribute_strategy.scope():
        distiller = Distiller(
            student,
            teacher,
            [SoftTargetLoss(4.0)] if losses is None else losses,
            loss_weights=loss_weights,
            student_loss_weight=student_loss_weight,
            **distiller_options,
        )
    if not labelled:
        train = answered(distiller, train)
        validation = None if validation is None else answered(distiller, validation)
    return run(
        "distill",
        distiller,
        student,
        train,
        validation,
        measure="accuracy" if labelled else "agreement",
        settings=_settings(distiller),
        cached=None if cache is False else Cached(distiller, cache),
        views=views,
        epochs=epochs,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        augment=augment,
        patience=patience,
        checkpoint=checkpoint,
        fit_options={"callbacks": list(callbacks), "verbose": verbose},
        say=say,
    )


def train_plain(
    student,
    train,
    validation=None,
    *,
    epochs: int | None = None,
    learning_rate: float = 1e-3,
    weight_decay: float = 1e-4,
    label_smoothing: float = 0.1,
    augment: str = "light",
    batch_size: int = 32,
    patience: int | None = None,
    checkpoint: str | os.PathLike | None = None,
    callbacks: list = (),
    seed: int = 0,
    verbose: int | str = "auto",
    say=print,
) -> keras.callbacks.History:
    """Train a student on labels alone, by the schedule of `distill`: its baseline.

    What a teacher gave is the difference to this run. Arguments and result are those
    of `distill`; the epochs it chooses are the same.

    Raises:
        TypeError: When the student is no classifier of this package.
        ValueError: When there are no labels, or as in `distill`.

    Example:
        >>> import numpy as np
        >>> import tftransfer as tft
        >>> from tftransfer.distillation import train_plain
        >>> x = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), "uint8")
        >>> student = tft.Classifier(tft.Backbone("tiny", weights=None), 2)
        >>> history = train_plain(student, (x, [0, 1] * 4), epochs=1, verbose=0)
        train_plain: 8 training pictures, 1 step an epoch.
        ...
    """
    check_parts(student)
    train, validation = read(
        [student], train, validation, batch_size=batch_size, seed=seed
    )
    return run(
        "train_plain",
        student,
        student,
        train,
        validation,
        epochs=epochs,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        augment=augment,
        patience=patience,
        checkpoint=checkpoint,
        fit_options={"callbacks": list(callbacks), "verbose": verbose},
        say=say,
    )


def _settings(distiller: Distiller) -> dict:
    """Return what the run depends on and its plan does not know."""
    losses = distiller.distillation_losses
    return {
        "losses": [keras.saving.serialize_keras_object(loss) for loss in losses],
        "task weight": float(distiller.task_weight),
        "weights": {k: float(v) for k, v in distiller.term_weights.items()},
        "teacher": [weights_digest(teacher)[:12] for teacher in distiller.teachers],
        "options": keras.tree.map_structure(
            keras.saving.serialize_keras_object,
            {
                name: getattr(distiller, name)
                for name in (
                    "teacher_weights",
                    "student_output",
                    "teacher_output",
                    "student_preprocessing",
                    "teacher_preprocessing",
                    "across_replicas",
                )
            },
        ),
    }
