"""One run of `distill` or `train_plain`: the same schedule with and without teacher."""

import contextlib
import dataclasses

import keras

from tftransfer.core import check_one_of
from tftransfer.core.workers import is_chief
from tftransfer.data.augment import PRESETS
from tftransfer.distillation.distiller import Distiller
from tftransfer.distillation.plan import plan_for
from tftransfer.losses import ClassificationLoss
from tftransfer.training.checkpoint import RunState
from tftransfer.training.metrics import LabelAccuracy
from tftransfer.training.phase import compile_one_cycle
from tftransfer.training.phase import finished
from tftransfer.training.phase import fit_phase
from tftransfer.training.pictures import augmented
from tftransfer.training.pictures import check_classes
from tftransfer.training.pictures import size_of


class Cached:
    """Swaps a dataset for one that holds the teacher's outputs, where that can be.

    Args:
        distiller: The `Distiller`.
        cache: As in `distill`, not False.
    """

    def __init__(self, distiller: Distiller, cache):
        self.distiller, self.cache = distiller, cache

    def __call__(self, train, views: int, say):
        try:
            from tftransfer.distillation.cached_teacher import cache_teacher
        except ImportError:
            return train
        folder = None if self.cache in ("auto", True) else self.cache
        say(f"  The teacher answers {_of(views)} once and then rests.")
        try:
            return cache_teacher(self.distiller, train, views=views, cache=folder)
        except (TypeError, MemoryError) as error:
            if self.cache != "auto":
                raise ValueError(
                    "Expected data whose teacher outputs can be computed once, as "
                    f"`cache={self.cache!r}` asks. Received: {error}"
                ) from error
            say(f"  It runs in every step after all: {error}")
            return train


def run(
    name: str,
    model: keras.Model,
    student,
    train,
    validation,
    *,
    measure: str = "accuracy",
    settings: dict | None = None,
    cached: Cached | None = None,
    views: int | None = None,
    epochs: int | None,
    learning_rate: float,
    weight_decay: float,
    label_smoothing: float,
    augment: str,
    patience: int | None,
    checkpoint,
    fit_options: dict,
    say,
) -> keras.callbacks.History:
    """Train `model`, which is `student` or a `Distiller` of it; returns the history.

    Args:
        name: The recipe's, for what is said.
        model: What is fitted.
        student: The classifier.
        train: Labelled dataset.
        validation: The same, or None.
        measure: "accuracy", or "agreement" where a teacher gave the labels.
        settings: What the run depends on and its plan does not know; JSON-safe.
        cached: How the teacher's outputs are kept; None where it runs in every step.
        views: As in `distill`; the others, too.
        fit_options: Arguments of `keras.Model.fit`.
    """
    check_one_of("augment", augment, PRESETS)
    pictures, batch_size = size_of(train)
    check_classes(student, train)
    train = augmented(train, augment)
    plan = plan_for(
        pictures,
        batch_size,
        epochs=epochs,
        views=views,
        changing=_changes(train, augment),
        live=cached is None,
        rate=learning_rate,
        weight_decay=weight_decay,
        smoothing=label_smoothing,
        augment=augment,
    )
    silent = say is None or not is_chief(model.distribute_strategy)
    say = (lambda text: None) if silent else say
    say(plan.describe(name))
    state = RunState(
        checkpoint,
        dataclasses.asdict(plan) | (settings or {}),
        model.distribute_strategy,
        score=f"val_{measure}",
    )
    if state.resumed:
        say(f"{name}: goes on from '{checkpoint}', {state.describe()}.")
    compile_one_cycle(
        model,
        rate=plan.rate,
        steps=plan.epochs * plan.steps,
        weight_decay=plan.weight_decay,
        loss=ClassificationLoss(student.num_classes, plan.smoothing),
        metrics=[LabelAccuracy(measure)],
    )

    @contextlib.contextmanager
    def data():
        yield (cached(train, plan.views, say) if cached else train), validation

    try:
        fit_phase(
            model,
            state,
            data(),
            epochs=plan.epochs,
            patience=patience if validation is not None else None,
            **fit_options,
        )
    except KeyboardInterrupt:
        finished(model, state, plan)  # the best finished epoch's weights
        raise
    return finished(model, state, plan)


def _changes(train, preset: str) -> bool:
    source = getattr(train, "source", None)
    return preset != "none" if source is None else source.augmentation is not None


def _of(views: int) -> str:
    return "each picture" if views == 1 else f"{views} views of each picture"
