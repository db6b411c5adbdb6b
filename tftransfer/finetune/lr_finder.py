"""Learning-rate range test (Smith, 2017)."""

import dataclasses
import pathlib

import keras
import numpy as np
from keras import ops


@dataclasses.dataclass(frozen=True)
class LRFinderResult:
    """Losses over an exponentially rising learning rate.

    Attributes:
        rates: Learning rates tried, (steps,), rising.
        losses: Smoothed training losses at them, (steps,).
        suggestion: The rate at which the loss falls fastest.
    """

    rates: np.ndarray
    losses: np.ndarray
    suggestion: float

    def plot(self, path: str | pathlib.Path) -> pathlib.Path:
        """Draw loss over rate, the suggestion marked, to a PNG or SVG file."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 4), layout="constrained")
        axes = figure.subplots()
        axes.plot(self.rates, self.losses, color="#1f5fa8")
        axes.axvline(
            self.suggestion,
            color="#c2410c",
            linestyle="--",
            label=f"suggestion {self.suggestion:.1e}",
        )
        axes.set(xscale="log", xlabel="learning rate", ylabel="smoothed training loss")
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, dpi=150)
        return pathlib.Path(path)


class _RangeTest(keras.callbacks.Callback):
    """Raises the rate after each step; stops when the loss has grown fourfold."""

    def __init__(self, rates):
        super().__init__()
        self.rates, self.losses = rates, []
        self._mean, self._total, self._count = 0.0, 0.0, 0

    def on_train_begin(self, logs=None):
        self.model.optimizer.learning_rate = self.rates[0]

    def on_epoch_begin(self, epoch, logs=None):
        self._total, self._count = 0.0, 0

    def on_train_batch_end(self, batch, logs=None):
        # Keras logs the mean since the epoch's start; the step's own loss is wanted.
        total = float(logs["loss"]) * (self._count + 1)
        loss, self._total, self._count = total - self._total, total, self._count + 1
        self._mean = 0.9 * self._mean + 0.1 * loss
        smoothed = self._mean / (1 - 0.9 ** (len(self.losses) + 1))
        self.losses.append(smoothed)
        done = len(self.losses) >= len(self.rates)
        if done or not np.isfinite(loss) or smoothed > 4 * min(self.losses):
            self.model.stop_training = True
            return
        self.model.optimizer.learning_rate = self.rates[len(self.losses)]


def lr_find(
    model: keras.Model,
    train,
    *,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 100,
    verbose: int | str = 0,
) -> LRFinderResult:
    """Train with an exponentially rising learning rate and suggest one.

    The model's weights and optimizer are put back afterwards.

    Args:
        model: A compiled model whose learning rate is a number, not a schedule.
        train: Training data, a `tf.data.Dataset` of (pictures, labels).
        low: First learning rate.
        high: Last one, unless the loss grows fourfold before.
        steps: Number of optimizer steps.
        verbose: As in `keras.Model.fit`.

    Returns:
        The rates, the losses and a suggestion.

    Raises:
        ValueError: When the model is not compiled, its rate is a schedule, `low` and
            `high` are out of order, or the loss is not finite from the start.

    References:
        Smith, Cyclical Learning Rates for Training Neural Networks, WACV 2017,
        arXiv:1506.01186, section 3.3.
    """
    if not 0 < low < high or steps < 10:
        raise ValueError(
            "Expected 0 < `low` < `high` and `steps` of 10 or more. Received: "
            f"{low}, {high}, {steps}."
        )
    if not model.compiled or model.optimizer is None:
        raise ValueError("Expected a compiled model. Call `model.compile(...)` first.")
    kept_rate = _plain_rate(model.optimizer)
    if not model.optimizer.built:
        _build_optimizer(model)
    variables = [*model.variables, *model.optimizer.variables]
    kept = [ops.convert_to_numpy(v) for v in variables]
    test = _RangeTest(np.geomspace(low, high, steps))
    try:
        model.fit(
            train.repeat(),
            steps_per_epoch=steps,
            callbacks=[test],
            verbose=verbose,
            shuffle=False,
        )
    finally:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)
        model.optimizer.learning_rate = kept_rate
        model.stop_training = False
    return _result(test)


def _plain_rate(optimizer) -> float:
    if isinstance(
        getattr(optimizer, "_learning_rate", None),
        keras.optimizers.schedules.LearningRateSchedule,
    ):
        raise ValueError(
            "Expected an optimizer with a plain learning rate. Received a schedule, "
            "which nothing can change from outside. Compile with a number first."
        )
    return float(ops.convert_to_numpy(optimizer.learning_rate))


def _build_optimizer(model) -> None:
    build = getattr(model, "build_optimizer", None)
    if build is not None:
        build()
    else:
        model.optimizer.build(model.trainable_variables)


def _result(test: _RangeTest) -> LRFinderResult:
    losses = np.array(test.losses)
    rates = test.rates[: len(losses)]
    finite = np.isfinite(losses)
    losses, rates = losses[finite], rates[finite]
    if len(losses) < 10:
        raise ValueError(
            f"Expected a finite loss over 10 steps. Received {len(losses)}. Lower "
            "`low`, or look for pictures or labels that are not numbers."
        )
    # Steepest fall, up to the lowest loss: after it, slopes are those of divergence.
    end = max(int(np.argmin(losses)) + 1, 3)
    slopes = np.gradient(losses[:end], np.log(rates[:end]))
    return LRFinderResult(rates, losses, float(rates[int(np.argmin(slopes))]))
