"""One run of `adapt`: the start scored, the epochs trained, the best handed over."""

import contextlib
import dataclasses
import re

import keras

from tftransfer.domain.adapt_data import AdaptData
from tftransfer.domain.adapt_plan import AdaptPlan
from tftransfer.domain.carried import Carried
from tftransfer.domain.domain_model import DomainModel
from tftransfer.domain.epoch_scores import SCORE
from tftransfer.domain.epoch_scores import EpochScores
from tftransfer.domain.method_table import METHODS
from tftransfer.losses import ClassificationLoss
from tftransfer.training.checkpoint import RunState
from tftransfer.training.metrics import LabelAccuracy
from tftransfer.training.phase import compile_one_cycle
from tftransfer.training.phase import finished
from tftransfer.training.phase import fit_phase

_ADDED = 10.0  # times the rate, for what the classifier came without


class AdaptRun:
    """Trains a method and gives the classifier the best epoch's weights.

    Args:
        classifier: The classifier.
        model: The method built on it.
        data: What it reads.
        plan: What to do.
        checkpoint: Folder of the state, or None.
        settings: What the run depends on and its plan does not know; JSON-safe.
        say: As in `adapt`.
    """

    def __init__(
        self,
        classifier,
        model: DomainModel,
        data: AdaptData,
        plan: AdaptPlan,
        checkpoint,
        settings: dict,
        say,
    ):
        self.model, self.data, self.plan = model, data, plan
        self._say = say or (lambda text: None)
        self._say(plan.describe())
        self.state = RunState(
            checkpoint,
            dataclasses.asdict(plan) | settings,
            model.distribute_strategy,
            score=SCORE,
        )
        if self.state.resumed:
            self._say(f"adapt: goes on from '{checkpoint}', {self.state.describe()}.")
        self.carried = Carried(model, classifier, data.validation, data.held_out)

    def __call__(self, watching: list, **fit_options) -> keras.callbacks.History:
        """Train; returns the history.

        Args:
            watching: Callbacks of the method's own.
            **fit_options: `patience`, and arguments of `keras.Model.fit`.
        """
        self._compile()
        values = self.state.values
        scores = EpochScores(
            self.carried, self.plan.validator, start=values.get("start")
        )
        if not self.state.resumed:
            self.state.save_start(self.model, scores.scores())
        callbacks = [*watching, *fit_options.pop("callbacks")]
        data = contextlib.nullcontext((self.data.train, None))
        try:
            fit_phase(
                self.model,
                self.state,
                data,
                epochs=self.plan.epochs,
                scoring=[scores],
                callbacks=callbacks,
                **fit_options,
            )
        except KeyboardInterrupt:
            self._finish()  # the classifier has the best finished epoch's weights
            raise
        return self._finish()

    def _compile(self) -> None:
        model, plan = self.model, self.plan
        own = {id(v) for v in self.carried.classifier.trainable_variables}
        own |= {id(v) for v in model.backbone_variables()}
        added = [v for v in model.trainable_variables if id(v) not in own]
        faster = dict.fromkeys((re.escape(v.path) for v in added), _ADDED)
        second = getattr(model, "second_head", None)
        learns = METHODS[plan.method].reads_labels
        num_classes = self.carried.classifier.num_classes
        compile_one_cycle(
            model,
            rate=plan.rate,
            steps=plan.epochs * plan.steps,
            weight_decay=plan.weight_decay,
            loss=ClassificationLoss(num_classes, plan.smoothing) if learns else None,
            metrics=[LabelAccuracy()] if learns else [],
            multipliers={} if second else faster,
        )

    def _finish(self) -> keras.callbacks.History:
        history = finished(self.model, self.state, self.plan)
        history.head = self.carried.hand_over()
        history.start = self.state.values["start"]
        self._say(_told(history))
        return history


def _told(history) -> str:
    """Say which epoch's weights were kept, and by which values."""
    name, best = history.plan.validator, history.best["epoch"]
    start = history.start[f"val_{name}"]
    epochs = len(history.epoch)
    if not best:
        return (
            f"adapt: none of {epochs} epochs is better than the start by '{name}' "
            f"({start:.4g}); the classifier keeps the weights it came with."
        )
    value = history.history[f"val_{name}"][best - 1]
    text = (
        f"adapt: epoch {best} of {epochs} is the best by '{name}', {value:.4g} where "
        f"the start has {start:.4g}; the classifier has its weights"
    )
    if history.plan.method == "mcd":
        text += f", of the two heads the {('first', 'second')[history.head]}"
    return f"{text}."
