"""Training as a rich bar per phase on a terminal, as a line per epoch elsewhere."""

import contextlib
from collections.abc import Iterator

from rich.markup import escape
from rich.progress import BarColumn
from rich.progress import MofNCompleteColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn

from tftransfer.cli.console import errors

_BETWEEN = "reading pictures ..."


@contextlib.contextmanager
def training_bar(*, lines: bool = True, phase: str | None = None) -> Iterator:
    """Yield a Keras callback that shows `fit` on stderr; off the screen at the end.

    Between two `fit`s the bar has no length: the features of a frozen backbone are
    computed there.

    Args:
        lines: Whether each epoch also leaves a line of its numbers.
        phase: What trains; None: "head" or "layers", as `fine_tune` has it.
    """
    console = errors()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        yield _callback(bar, lines, phase)


def _callback(bar: Progress, lines: bool, phase: str | None):
    import keras

    class TrainingBar(keras.callbacks.Callback):
        """Steps on `bar`, and maybe a line of numbers after each epoch."""

        def __init__(self):
            super().__init__()
            self.task = bar.add_task(_BETWEEN, total=None)

        def on_train_begin(self, logs=None):
            backbone = getattr(self.model, "backbone", self.model)
            found = "layers" if backbone.trainable_variables else "head"
            self.phase = phase or found
            epochs, steps = self.params["epochs"], self.params["steps"]
            total = None if steps is None else epochs * steps
            bar.reset(self.task, total=total, description=f"training {self.phase}")

        def on_epoch_begin(self, epoch, logs=None):
            bar.update(self.task, completed=epoch * (self.params["steps"] or 0))

        def on_train_batch_end(self, batch, logs=None):
            bar.advance(self.task)

        def on_epoch_end(self, epoch, logs=None):
            if not lines:
                return
            numbers = ", ".join(
                f"{name} {value:.4f}" for name, value in (logs or {}).items()
            )
            text = f"{self.phase}, epoch {epoch + 1}/{self.params['epochs']}: {numbers}"
            bar.console.print(escape(text))

        def on_train_end(self, logs=None):
            bar.reset(self.task, total=None, description=_BETWEEN)

    return TrainingBar()
