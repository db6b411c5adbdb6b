"""The phases of `fine_tune`: compile, cache what is frozen, fit, keep the state."""

import contextlib
import os

import keras

from tftransfer.core import check_one_of
from tftransfer.data import with_activations
from tftransfer.finetune.classifier import Classifier
from tftransfer.finetune.freezing import discriminative_rates
from tftransfer.finetune.freezing import freeze_until
from tftransfer.finetune.optimizers import AdamW
from tftransfer.finetune.plan import Plan
from tftransfer.finetune.split import deepest_frozen_endpoint
from tftransfer.losses import ClassificationLoss
from tftransfer.training.checkpoint import RunState
from tftransfer.training.checkpoint import SaveEpoch
from tftransfer.training.epochs import exact_epochs
from tftransfer.training.metrics import LabelAccuracy
from tftransfer.training.schedule import OneCycle

HEAD, DEEPER = 0, 1


def check_cache(cache) -> None:
    """Raise unless `cache` is "auto", True, False or a path."""
    if not isinstance(cache, os.PathLike) and os.sep not in str(cache):
        check_one_of("cache", cache, ["auto", True, False])


class Run:
    """One call of `fine_tune`: its plan and its state.

    Args:
        model: The classifier.
        plan: What to do.
        state: Where finished epochs are kept.
        fit_options: Arguments of `keras.Model.fit` for every phase.
    """

    def __init__(
        self, model: Classifier, plan: Plan, state: RunState, fit_options: dict
    ):
        self.model, self.plan, self.state = model, plan, state
        self.fit_options = fit_options

    def phase(
        self, number: int, train, validation, *, patience=None, **caching
    ) -> None:
        """Train one phase, from where the state says.

        Args:
            number: `HEAD` or `DEEPER`.
            train: Dataset of (pictures, labels).
            validation: The same, or None.
            patience: As in `fine_tune`.
            **caching: `cache` and `cache_dtype`, as in `fine_tune`.
        """
        epochs = self.plan.head_epochs if number == HEAD else self.plan.epochs
        reached, done = self.state.values["phase"], self.state.values["epoch"]
        if reached > number or epochs == 0:
            return
        done = done if reached == number else 0
        freeze_until(self.model, "pooled" if number == HEAD else self.plan.frozen_until)
        self._compile(number, epochs)
        if self.state.resumed:
            self.state.restore(self.model, weights_only=done == 0)
        save = SaveEpoch(self.state, number, patience if validation else None)
        if done >= epochs or save.is_over(done):
            return
        with contextlib.ExitStack() as stack:
            train, validation = self._cached(stack, train, validation, **caching)
            self.model.fit(
                **exact_epochs(train, done, epochs),
                validation_data=validation,
                initial_epoch=done,
                epochs=epochs,
                callbacks=[save, *self.fit_options["callbacks"]],
                class_weight=self.fit_options["class_weight"],
                verbose=self.fit_options["verbose"],
                shuffle=False,  # the dataset is already
            )

    def finish(self) -> keras.callbacks.History:
        """Put the best epoch's weights in place and return the whole history."""
        best = self.state.restore_best(self.model)
        history = keras.callbacks.History()
        history.set_model(self.model)
        history.history = self.state.values["history"]
        history.epoch = list(range(len(history.history.get("loss", []))))
        history.plan, history.best = self.plan, best
        return history

    def _compile(self, number: int, epochs: int) -> None:
        plan, rates = self.plan, {}
        if number == DEEPER and plan.rate_decay < 1:
            rates = discriminative_rates(self.model.backbone, plan.rate_decay)
        peak = plan.head_rate if number == HEAD else plan.rate
        with self.model.distribute_strategy.scope():
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

    def _cached(self, stack, train, validation, cache, cache_dtype):
        """Swap pictures for the activations of the frozen trunk where that is right."""
        if cache is False:
            return train, validation
        endpoint = deepest_frozen_endpoint(self.model.backbone)
        if endpoint is None or self.model.batch_norm != "inference":
            return _uncached(train, validation, cache, "no endpoint of it is frozen")
        keep = {
            "cache": None if cache in ("auto", True) else cache,
            "dtype": cache_dtype,
        }
        with self.model.activations_at(endpoint) as trunk:
            try:
                cached = with_activations(train, trunk, **keep)
                if validation is not None:
                    validation = with_activations(validation, trunk, **keep)
            except (TypeError, MemoryError) as error:
                return _uncached(train, validation, cache, str(error))
        stack.enter_context(self.model.activations_at(endpoint))
        return cached, validation


def _uncached(train, validation, cache, reason: str):
    if cache != "auto":
        raise ValueError(
            "Expected a backbone and data whose activations can be computed once, as "
            f"`cache={cache!r}` asks. Received: {reason}"
        )
    return train, validation
