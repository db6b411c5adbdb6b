"""Settings that follow the progress of a `fit`, step by step."""

import keras
import numpy as np
from keras import ops

from tftransfer.core import nearest


class _AlongProgress(keras.callbacks.Callback):
    """Calls `set_at(p)` before each step, p in [0, 1] the share of steps done.

    Where the number of steps per epoch is not known before the first epoch ends, p
    stands still at 0 within that epoch.
    """

    every_worker = True  # what follows from the step's number alone

    def __init__(self):
        super().__init__()
        self._epoch, self._steps = 0, None

    def set_at(self, progress: float) -> None:
        """Set what follows from the progress, in [0, 1]."""
        raise NotImplementedError(f"{type(self).__name__} must implement `set_at`.")

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        self._steps = self.params.get("steps") or self._steps
        self._seen = 0

    def on_train_batch_begin(self, batch, logs=None):
        done = self._epoch + (batch / self._steps if self._steps else 0)
        self.set_at(min(1.0, done / self.params["epochs"]))

    def on_train_batch_end(self, batch, logs=None):
        self._seen = batch + 1

    def on_epoch_end(self, epoch, logs=None):
        self._steps = self._steps or self._seen


class DANNRamp(_AlongProgress):
    """Raise lambda from 0 to `end`: end * (2 / (1 + exp(-gamma p)) - 1).

    p is the share of the `fit`'s steps that are done. While the features mean nothing,
    hiding the domain would only disturb them.

    Args:
        gamma: Steepness above 0; the paper's 10 reaches 0.5 at p = 0.11.
        end: The limit, 0 or more.
        name: The setting, a key of `model.scalars`: "reversal" of `tft.DANN` and
            `tft.CDAN`; a term's weight for others, such as "mmd_weight" of `tft.DAN`
            and "discrepancy_weight" of `tft.MCD`, whose heads must not run ahead.

    Raises:
        ValueError: When the model has no such setting, or a value does not fit.

    Example:
        >>> [round(DANNRamp().value(p), 3) for p in (0, 0.1, 0.5, 1)]
        [0.0, 0.462, 0.987, 1.0]

    References:
        Ganin et al., JMLR 17, 2016, arXiv:1505.07818.
    """

    def __init__(
        self, gamma: float = 10.0, *, end: float = 1.0, name: str = "reversal"
    ):
        super().__init__()
        if gamma <= 0 or end < 0:
            raise ValueError(
                "Expected `gamma` above 0 and `end` of 0 or more. Received: "
                f"{gamma} and {end}."
            )
        self.gamma, self.end, self.name = gamma, end, name

    def value(self, progress: float) -> float:
        """Return the setting at a progress in [0, 1]."""
        return self.end * float(2 / (1 + np.exp(-self.gamma * progress)) - 1)

    def set_model(self, model):
        super().set_model(model)
        scalars = getattr(model, "scalars", {})
        if self.name not in scalars:
            raise ValueError(
                f"Expected a setting of '{model.name}'. Received: {self.name!r}. "
                + nearest(self.name, scalars)
            )

    def set_at(self, progress):
        self.model.scalars[self.name].assign(self.value(progress))


class InverseDecay(_AlongProgress):
    """Lower the rate along a `fit`: rate / (1 + alpha p)^beta.

    Args:
        rate: The rate at the start; None: the optimizer's own when `fit` begins. Give
            it where an interrupted `fit` goes on, whose optimizer's rate has fallen.
        alpha: 0 or more; the paper's 10.
        beta: 0 or more; the paper's 0.75.

    Raises:
        ValueError: When a value does not fit, or the optimizer has a schedule.

    Example:
        >>> [round(InverseDecay(0.01).value(p), 5) for p in (0, 0.5, 1)]
        [0.01, 0.00261, 0.00166]

    References:
        Ganin et al., JMLR 17, 2016, arXiv:1505.07818; SGD of rate 0.01 and momentum 0.9
        there.
    """

    def __init__(
        self, rate: float | None = None, *, alpha: float = 10.0, beta: float = 0.75
    ):
        super().__init__()
        if alpha < 0 or beta < 0 or (rate is not None and rate <= 0):
            raise ValueError(
                "Expected a rate above 0, `alpha` and `beta` of 0 or more. Received: "
                f"{rate}, {alpha} and {beta}."
            )
        self.rate, self.alpha, self.beta = rate, alpha, beta
        self._start = rate

    def value(self, progress: float) -> float:
        """Return the rate at a progress in [0, 1]."""
        return self._start / (1 + self.alpha * progress) ** self.beta

    def on_train_begin(self, logs=None):
        optimizer = self.model.optimizer
        schedules = keras.optimizers.schedules.LearningRateSchedule
        # Under mixed precision Keras wraps it.
        rate = getattr(optimizer, "inner_optimizer", optimizer)._learning_rate
        if isinstance(rate, schedules):
            raise ValueError(
                "Expected an optimizer with a fixed rate, which this callback lowers. "
                f"Received: one with {type(rate).__name__}."
            )
        if self.rate is None:
            self._start = float(ops.convert_to_numpy(optimizer.learning_rate))

    def set_at(self, progress):
        self.model.optimizer.learning_rate = self.value(progress)
