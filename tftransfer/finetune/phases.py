"""The phases of `fine_tune`: compile, cache what is frozen, fit, keep the state."""

import contextlib

import keras

from tftransfer.data import with_activations
from tftransfer.finetune.classifier import Classifier
from tftransfer.finetune.freezing import discriminative_rates
from tftransfer.finetune.freezing import freeze_until
from tftransfer.finetune.plan import Plan
from tftransfer.finetune.split import deepest_frozen_endpoint
from tftransfer.losses import ClassificationLoss
from tftransfer.training.checkpoint import RunState
from tftransfer.training.metrics import LabelAccuracy
from tftransfer.training.phase import compile_one_cycle
from tftransfer.training.phase import finished
from tftransfer.training.phase import fit_phase

HEAD, DEEPER = 0, 1


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
        if self.state.values["phase"] > number or epochs == 0:
            return
        freeze_until(self.model, "pooled" if number == HEAD else self.plan.frozen_until)
        self._compile(number, epochs)
        fit_phase(
            self.model,
            self.state,
            self._cached(train, validation, **caching),
            number=number,
            epochs=epochs,
            patience=patience if validation else None,
            **self.fit_options,
        )

    def finish(self) -> keras.callbacks.History:
        """Put the best epoch's weights in place and return the whole history."""
        return finished(self.model, self.state, self.plan)

    def _compile(self, number: int, epochs: int) -> None:
        plan, rates = self.plan, {}
        if number == DEEPER and plan.rate_decay < 1:
            rates = discriminative_rates(self.model.backbone, plan.rate_decay)
        compile_one_cycle(
            self.model,
            rate=plan.head_rate if number == HEAD else plan.rate,
            steps=epochs * plan.steps,
            weight_decay=plan.weight_decay,
            loss=ClassificationLoss(self.model.num_classes, plan.smoothing),
            metrics=[LabelAccuracy()],
            multipliers=rates,
        )

    @contextlib.contextmanager
    def _cached(self, train, validation, cache, cache_dtype):
        """Swap pictures for the activations of the frozen trunk where that is right."""
        if cache is False:
            yield train, validation
            return
        endpoint = deepest_frozen_endpoint(self.model.backbone)
        if endpoint is None or self.model.batch_norm != "inference":
            yield _uncached(train, validation, cache, "no endpoint of it is frozen")
            return
        keep = {
            "cache": None if cache in ("auto", True) else cache,
            "dtype": cache_dtype,
        }
        with self.model.activations_at(endpoint) as trunk:
            try:
                found = [
                    None if data is None else with_activations(data, trunk, **keep)
                    for data in (train, validation)
                ]
            except (TypeError, MemoryError) as error:
                found, reason = None, str(error)
        if found is None:
            yield _uncached(train, validation, cache, reason)
            return
        with self.model.activations_at(endpoint):
            yield found


def _uncached(train, validation, cache, reason: str):
    if cache != "auto":
        raise ValueError(
            "Expected a backbone and data whose activations can be computed once, as "
            f"`cache={cache!r}` asks. Received: {reason}"
        )
    return train, validation
