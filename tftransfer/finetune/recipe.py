"""fine_tune: the head first, then deeper at lower rates.

The two-phase recipe of the field (Yosinski 2014; Howard & Ruder 2018; Kumar 2022 for
why the head comes first), with a one-cycle rate in each phase.
"""

import contextlib
import dataclasses
import os
import tempfile

import keras

from tftransfer.core import check_one_of
from tftransfer.data import augmentation
from tftransfer.data import with_activations
from tftransfer.finetune.checkpoint import RunState
from tftransfer.finetune.checkpoint import SaveEpoch
from tftransfer.finetune.classifier import Classifier
from tftransfer.finetune.freezing import discriminative_rates
from tftransfer.finetune.freezing import freeze_until
from tftransfer.finetune.metrics import LabelAccuracy
from tftransfer.finetune.optimizers import AdamW
from tftransfer.finetune.plan import Plan
from tftransfer.finetune.plan import plan_for
from tftransfer.finetune.schedule import OneCycle
from tftransfer.finetune.split import deepest_frozen_endpoint
from tftransfer.losses import ClassificationLoss


def fine_tune(
    model: Classifier,
    train,
    validation=None,
    *,
    epochs: int = 8,
    head_epochs: int | None = None,
    learning_rate: float | None = None,
    head_learning_rate: float | None = None,
    rate_decay: float | None = None,
    frozen_until: str | None = None,
    weight_decay: float | None = None,
    label_smoothing: float | None = None,
    augment: str = "light",
    class_weight: dict[int, float] | None = None,
    cache: str | bool = "auto",
    patience: int | None = None,
    checkpoint: str | os.PathLike | None = None,
    callbacks: list = (),
    seed: int = 0,
    verbose: int | str = "auto",
    say=print,
) -> keras.callbacks.History:
    """Train the head on frozen features, then the backbone at lower rates.

    With validation data the weights of the best epoch are kept, else the last ones.
    What is left at None is chosen from the size of the data and said.

    Args:
        model: A `Classifier`; it is compiled here.
        train: `tf.data.Dataset` of (pictures (batch, height, width, 3) in [0, 255],
            integer labels), as `tft.data.from_folder` or `tft.data.as_dataset` give.
        validation: The same, for choosing the best epoch; no labels of a test set.
        epochs: Epochs of the second phase; 0 trains the head alone.
        head_epochs: Epochs of the first phase; 0 leaves it out.
        learning_rate: Highest rate of the second phase, that of the head.
        head_learning_rate: Highest rate of the first phase.
        rate_decay: Factor of the rate from one stage to the one before it, in (0, 1].
        frozen_until: Endpoint up to which the backbone stays frozen to the end.
        weight_decay: Decoupled weight decay of AdamW.
        label_smoothing: In [0, 1).
        augment: Preset of `tft.data.augmentation` for the second phase.
        class_weight: {label: factor of its loss}, as in `keras.Model.fit`.
        cache: "auto" computes the activations of a frozen trunk once and trains on
            them where nothing random comes before; False never; True raises where it
            cannot. Results are equal to those without it, bit by bit in float32.
        patience: Epochs without a better validation accuracy after which the second
            phase ends; None runs all of them.
        checkpoint: Folder for the run's state: the same call after a killed process
            goes on from the last finished epoch. None keeps nothing.
        callbacks: Keras callbacks, given to both phases.
        seed: Of augmentation.
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
    check_one_of("cache", cache, ["auto", True, False])
    pictures, batch_size = _size(train)
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
    if say is not None:
        say(plan.describe())
    with contextlib.ExitStack() as stack:
        folder = checkpoint or stack.enter_context(tempfile.TemporaryDirectory())
        settings = {**dataclasses.asdict(plan), "augment": augment}
        run = _Run(model, plan, RunState(folder, settings), class_weight, verbose)
        run.keeps_state = checkpoint is not None or validation is not None
        deeper = augmentation(augment, seed=seed).apply(train)
        run.phase(0, plan.head_epochs, train, validation, cache, callbacks, None)
        random_input = augment != "none"
        run.phase(
            1,
            plan.epochs,
            deeper,
            validation,
            False if random_input else cache,
            callbacks,
            patience,
        )
        return run.finish()


class _Run:
    """One call of `fine_tune`: its plan, its state on disk and its history."""

    def __init__(self, model, plan: Plan, state: RunState, class_weight, verbose):
        self.model, self.plan, self.state = model, plan, state
        self.class_weight, self.verbose = class_weight, verbose
        self.keeps_state = True
        self.history = {k: list(v) for k, v in state.values["history"].items()}

    def phase(self, number, epochs, train, validation, cache, callbacks, patience):
        """Train one phase, from where the state says."""
        done = self.state.values["epoch"] if self.state.values["phase"] == number else 0
        if self.state.values["phase"] > number or epochs == 0:
            return
        freeze_until(self.model, "pooled" if number == 0 else self.plan.frozen_until)
        self._compile(number, epochs)
        if self.state.resumed and done:
            self.state.restore(self.model)
        elif self.state.resumed and number == 1:
            self.state.restore_weights_only(self.model)
        if done >= epochs:
            return
        extra = [SaveEpoch(self.state, number)] if self.keeps_state else []
        if patience is not None and validation is not None:
            extra.append(
                keras.callbacks.EarlyStopping(
                    monitor="val_accuracy", mode="max", patience=patience
                )
            )
        with contextlib.ExitStack() as stack:
            train, validation = self._cached(stack, train, validation, cache)
            history = self.model.fit(
                train,
                validation_data=validation,
                initial_epoch=done,
                epochs=epochs,
                callbacks=[*extra, *callbacks],
                class_weight=self.class_weight,
                verbose=self.verbose,
            )
        for key, values in history.history.items():
            self.history.setdefault(key, []).extend(float(v) for v in values)

    def _compile(self, number, epochs):
        plan = self.plan
        rates = {}
        if number == 1 and plan.rate_decay < 1:
            rates = discriminative_rates(self.model.backbone, plan.rate_decay)
        peak = plan.head_rate if number == 0 else plan.rate
        self.model.compile(
            AdamW(
                OneCycle(peak, total_steps=epochs * plan.steps),
                weight_decay=plan.weight_decay,
                multipliers=rates,
            ),
            loss=ClassificationLoss(self.model.num_classes, plan.smoothing),
            metrics=[LabelAccuracy()],
        )
        self.model.build_optimizer()

    def _cached(self, stack, train, validation, cache):
        """Swap pictures for the activations of the frozen trunk where that is right."""
        endpoint = deepest_frozen_endpoint(self.model.backbone)
        if not cache or endpoint is None or self.model.batch_norm != "inference":
            return self._uncached(cache, train, validation, "nothing is frozen")
        trunk = stack.enter_context(self.model.activations_at(endpoint))
        try:
            cached = with_activations(train, trunk)
            cached_validation = validation and with_activations(validation, trunk)
        except TypeError as error:
            stack.close()
            return self._uncached(cache, train, validation, str(error))
        return cached, cached_validation

    def _uncached(self, cache, train, validation, reason):
        if cache is True:
            raise ValueError(f"Expected data whose trunk can be cached, but {reason}")
        return train, validation

    def finish(self) -> keras.callbacks.History:
        """Put the best epoch's weights in place and return the whole history."""
        best = self.state.restore_best(self.model) if self.keeps_state else None
        history = keras.callbacks.History()
        history.set_model(self.model)
        history.history = self.history
        history.epoch = list(range(max(map(len, self.history.values()), default=0)))
        history.plan, history.best = self.plan, best
        return history


def _size(train) -> tuple[int, int]:
    """Return the number of pictures and the batch size of a batched dataset."""
    steps = int(train.cardinality())
    if steps == 0:
        raise ValueError("Expected training pictures. Received an empty dataset.")
    first = next(iter(train.take(1)))
    batch_size = int(first[0].shape[0])
    labels = getattr(train, "labels", None)
    if labels is not None:
        return len(labels), batch_size
    if steps < 0:
        raise ValueError(
            "Expected a dataset of known length. Received one of unknown or infinite "
            "length. Give it one: `dataset.apply(tf.data.experimental."
            "assert_cardinality(batches))`."
        )
    return steps * batch_size, batch_size
