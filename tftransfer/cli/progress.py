"""Training as a rich bar per phase on a terminal, as a line per epoch elsewhere."""

from rich.progress import BarColumn
from rich.progress import MofNCompleteColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn

from tftransfer.cli.console import errors


def training_bar():
    """Return a Keras callback that shows the progress of `fit` on stderr."""
    import keras

    class TrainingBar(keras.callbacks.Callback):
        """One bar per `fit`, in steps, with the last epoch's numbers."""

        def on_train_begin(self, logs=None):
            self.console = errors()
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self.console,
                disable=not self.console.is_terminal,
            )
            self.bar.start()
            epochs, steps = self.params["epochs"], self.params["steps"]
            total = None if steps is None else epochs * steps
            self.task = self.bar.add_task("training", total=total)

        def on_epoch_begin(self, epoch, logs=None):
            steps = self.params["steps"] or 0
            self.bar.update(self.task, completed=epoch * steps)

        def on_train_batch_end(self, batch, logs=None):
            self.bar.advance(self.task)

        def on_epoch_end(self, epoch, logs=None):
            numbers = ", ".join(
                f"{name} {value:.4f}" for name, value in (logs or {}).items()
            )
            text = f"epoch {epoch + 1}/{self.params['epochs']}: {numbers}"
            self.bar.console.print(text)

        def on_train_end(self, logs=None):
            self.bar.stop()

        def stop(self):
            """Take the bar off the screen after an interrupt."""
            if hasattr(self, "bar"):
                self.bar.stop()

    return TrainingBar()
