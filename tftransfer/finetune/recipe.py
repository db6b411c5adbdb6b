"""fine_tune: the head first, then deeper at lower rates.

The two-phase recipe of the field (Yosinski 2014; Howard & Ruder 2018; Kumar 2022 for
why the head comes first), with a one-cycle rate in each phase.
"""

import dataclasses
import os

import keras

from tftransfer.core import check_one_of
from tftransfer.core.workers import is_chief
from tftransfer.data import as_dataset
from tftransfer.data.augment import PRESETS
from tftransfer.finetune.classifier import Classifier
from tftransfer.finetune.freezing import layers_until
from tftransfer.finetune.phases import DEEPER
from tftransfer.finetune.phases import HEAD
from tftransfer.finetune.phases import Run
from tftransfer.finetune.plan import plan_for
from tftransfer.training.checkpoint import RunState
from tftransfer.training.pictures import augmented
from tftransfer.training.pictures import check_cache
from tftransfer.training.pictures import check_classes
from tftransfer.training.pictures import check_side
from tftransfer.training.pictures import size_of
from tftransfer.training.pictures import validation_of


def fine_tune(
    model: Classifier,
    train,
    validation=None,
    *,
    epochs: int | None = None,
    head_epochs: int | None = None,
    learning_rate: float | None = None,
    head_learning_rate: float | None = None,
    rate_decay: float | None = None,
    frozen_until: str | None = None,
    weight_decay: float | None = None,
    label_smoothing: float | None = None,
    augment: str = "light",
    batch_size: int = 32,
    class_weight: dict[int, float] | None = None,
    cache: str | bool | os.PathLike = "auto",
    cache_dtype: str = "float32",
    patience: int | None = None,
    checkpoint: str | os.PathLike | None = None,
    callbacks: list = (),
    seed: int = 0,
    verbose: int | str = "auto",
    say=print,
) -> keras.callbacks.History:
    """Train the head on frozen features, then the backbone at lower rates.

    With validation data the weights of the best epoch are kept (by accuracy, of equals
    by loss), else the last ones.
    What is left at None is chosen from the size of the data and said.

    Args:
        model: A `Classifier`; it is compiled here. One without class names gets those
            of the data.
        train: Labelled pictures: a dataset of `tft.data.from_folder`, or anything that
            `tft.data.as_dataset` takes, such as `(array, labels)` or a folder.
        validation: The same, for choosing the best epoch; no labels of a test set.
        epochs: Epochs of the second phase; 0 trains the head alone.
        head_epochs: Epochs of the first phase; 0 leaves it out.
        learning_rate: Highest rate of the second phase, that of the head.
        head_learning_rate: Highest rate of the first phase.
        rate_decay: Factor of the rate from one stage to the one before it, in (0, 1].
        frozen_until: Endpoint up to which the backbone stays frozen to the end.
        weight_decay: Decoupled weight decay of AdamW.
        label_smoothing: In [0, 1).
        augment: Preset of `tft.data.augmentation` for the second phase; a dataset that
            is augmented already stays as it is.
        batch_size: Pictures per step, where `train` has no batches of its own.
        class_weight: {label: factor of its loss}, as in `keras.Model.fit`.
        cache: "auto" computes the activations of a frozen trunk once and trains on
            them where nothing random comes before; False never; True raises where it
            cannot; a folder keeps them there for the next run. Results are equal to
            those without it, bit by bit in float32.
        cache_dtype: "float16" halves the room of cached activations; the result is
            then no longer equal to that without a cache.
        patience: Epochs without a better one (by validation accuracy, then loss) after
            which the second phase ends; None runs all of them.
        checkpoint: Folder for the run's state: the same call after a killed process
            goes on from the last finished epoch and ends on the same weights. None
            keeps nothing.
        callbacks: Keras callbacks, given to both phases.
        seed: Of the order where `train` is no dataset, and of nothing else: call
            `keras.utils.set_random_seed` for the head's first weights and dropout.
        verbose: As in `keras.Model.fit`.
        say: Called with the text of the plan; None says nothing.

    Returns:
        The history of both phases, one after the other; `history.plan` is the `Plan`,
        `history.best` says which epoch's weights the model has (None: the last).

    Raises:
        TypeError: When `model` is no `Classifier`.
        ValueError: When an argument is out of range, the data is empty, or the
            checkpoint belongs to another run.

    Example:
        >>> import numpy as np
        >>> import tftransfer as tft
        >>> x = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), "uint8")
        >>> train = tft.data.as_dataset((x, [0, 1] * 4), image_size=32, batch_size=4)
        >>> model = tft.Classifier(tft.Backbone("tiny", weights=None), num_classes=2)
        >>> history = tft.fine_tune(model, train, epochs=1, head_epochs=1, verbose=0)
        fine_tune: 8 training pictures, 2 steps an epoch.
        ...

    References:
        Howard & Ruder, ACL 2018, arXiv:1801.06146. Kumar et al., Fine-Tuning can
        Distort Pretrained Features, ICLR 2022, arXiv:2202.10054.
    """
    if not isinstance(model, Classifier):
        raise TypeError(f"Expected a `Classifier`. Received: {type(model).__name__}.")
    check_cache(cache)
    check_one_of("augment", augment, PRESETS)
    check_one_of("cache_dtype", cache_dtype, ["float32", "float16"])
    side = model.deployed.input_shape[1]
    options = {"image_size": side, "batch_size": batch_size, "seed": seed}
    train = as_dataset(train, shuffle=True, **options)
    validation = validation_of(train, validation, **options)
    for data in (train, validation):
        check_side(data, side)
    pictures, batch_size = size_of(train)
    check_classes(model, train)
    if frozen_until is not None:
        layers_until(model.backbone, frozen_until)
    plan = plan_for(
        pictures,
        batch_size,
        epochs=epochs,
        head_epochs=head_epochs,
        head_rate=head_learning_rate,
        rate=learning_rate,
        rate_decay=rate_decay,
        frozen_until=frozen_until,
        weight_decay=weight_decay,
        smoothing=label_smoothing,
    )
    if not is_chief(model.distribute_strategy):
        say = None
    if say is not None:
        say(plan.describe())
    settings = {**dataclasses.asdict(plan), "augment": augment}
    state = RunState(checkpoint, settings, model.distribute_strategy)
    if state.resumed and say is not None:
        say(f"fine_tune: goes on from '{checkpoint}', {state.describe()}.")
    fit_options = {
        "callbacks": list(callbacks),
        "class_weight": class_weight,
        "verbose": verbose,
    }
    run = Run(model, plan, state, fit_options)
    caching = {"cache": cache, "cache_dtype": cache_dtype}
    try:
        run.phase(HEAD, train, validation, **caching)
        deeper = augmented(train, augment)
        run.phase(DEEPER, deeper, validation, patience=patience, **caching)
    except KeyboardInterrupt:
        run.finish()  # the model has the best finished epoch's weights
        raise
    return run.finish()
