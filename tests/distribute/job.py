"""What one worker of a test job runs: `python -m tests.distribute.job TASK FOLDER`.

`TF_CONFIG` says which worker it is; without it the job has one device. Results go to
`FOLDER/worker<index>.json` and `.npz`.
"""

import json
import os
import pathlib
import signal
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import ops

import tftransfer as tft
from tests.common.instances import ROWS
from tftransfer.distribute.cluster import cluster
from tftransfer.losses import ClassificationLoss

FOLDER = pathlib.Path(sys.argv[2])
INDEX = (cluster() or {"task": {"index": 0}})["task"]["index"]


def arrays_of(model) -> list[np.ndarray]:
    return [ops.convert_to_numpy(v) for v in model.weights]


def write(result: dict, arrays: dict) -> None:
    np.savez(FOLDER / f"worker{INDEX}.npz", **arrays)
    (FOLDER / f"worker{INDEX}.json").write_text(json.dumps(result))


def methods() -> None:
    """Fit, evaluate and predict with each method whose loss is a mean over rows."""
    result, arrays = {}, {}
    for name, row in ROWS.items():
        if not (row.per_sample and row.in_jobs):
            continue
        keras.utils.set_random_seed(0)
        model = row.build()
        model.compile(
            keras.optimizers.SGD(0.05, momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        x, y = row.data()
        # 16 rows: the last batch has a single one, so that other workers have none.
        data = tf.data.Dataset.from_tensor_slices((x, y)).batch(5)
        plain = tf.data.Dataset.from_tensor_slices((row.plain(x), y)).batch(5)
        history = model.fit(data, validation_data=plain, verbose=0).history
        scores = model.evaluate(plain, verbose=0, return_dict=True)
        result[name] = {"history": history, "evaluate": scores}
        arrays[f"{name} predictions"] = model.predict(plain, verbose=0)
        for number, value in enumerate(arrays_of(model)):
            arrays[f"{name} {number}"] = value
    keras.utils.set_random_seed(0)
    model = ROWS["Classifier"].build()
    model.compile(keras.optimizers.SGD(0.05), ClassificationLoss(3))
    pictures_and_labels = ROWS["Classifier"].data()
    weighted = tft.data.as_dataset(pictures_and_labels, image_size=12, batch_size=5)
    model.fit(weighted, class_weight={0: 1.0, 1: 2.0, 2: 0.5}, verbose=0)
    for number, value in enumerate(arrays_of(model)):
        arrays[f"class weights {number}"] = value
    write(result, arrays)


class Events(keras.callbacks.Callback):
    """Notes the epochs of the worker it runs on, and may end its process."""

    def __init__(self, every_worker=False, action=None, at=None):
        super().__init__()
        self.every_worker, self.action, self.at = every_worker, action, at
        self.count = 0

    def on_epoch_end(self, epoch, logs=None):
        self.count += 1
        with (FOLDER / f"epochs{INDEX}.txt").open("a") as file:
            file.write(f"{epoch}\n")

    def on_train_batch_end(self, batch, logs=None):
        if self.count == self.at and INDEX == 1 and self.action:
            (FOLDER / "struck").touch()
            os.kill(os.getpid(), getattr(signal, self.action))


def pictures():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (21, 28, 28, 3), "uint8"), rng.integers(0, 3, 21)


def recipe(action: str | None = None) -> None:
    """Run `fine_tune` with a checkpoint; `action` befalls worker 1 in its 4th epoch."""
    keras.utils.set_random_seed(0)
    model = tft.Classifier(tft.Backbone("tiny"), 3, dropout=0.0)
    try:
        history = tft.fine_tune(
            model,
            pictures(),
            pictures(),
            epochs=3,
            head_epochs=2,
            batch_size=5,
            augment="none",
            checkpoint=FOLDER / f"checkpoint{INDEX}",
            callbacks=[Events(), Events(True, action, at=3)],
            verbose=0,
            say=None,
        )
    except tft.distribute.WorkerLostError as error:
        (FOLDER / f"lost{INDEX}.txt").write_text(str(error))
        os._exit(3)
    arrays = {str(i): value for i, value in enumerate(arrays_of(model))}
    write({"history": history.history, "best": history.best}, arrays)


def steps_of(model) -> int:
    return int(ops.convert_to_numpy(model.optimizer.iterations))


class EvaluateToo(keras.callbacks.Callback):
    """Evaluates on every worker inside `fit`, as the documentation shows."""

    every_worker = True

    def __init__(self, data):
        super().__init__()
        self.data, self.losses = data, []

    def on_epoch_end(self, epoch, logs=None):
        found = self.model.evaluate(self.data, return_dict=True, verbose=0)
        self.losses.append(found["loss"])


def keras_callbacks() -> None:
    """Stop, rates and weights that the chief's callbacks change reach all workers."""
    keras.utils.set_random_seed(INDEX)  # other weights, until `fit` carries the chief's
    model = ROWS["Classifier"].build()
    model.compile(
        keras.optimizers.SGD(0.1),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    data = tf.data.Dataset.from_tensor_slices(ROWS["Classifier"].data()).batch(8)
    evaluated = EvaluateToo(data)
    history = model.fit(
        data,
        validation_data=data,
        epochs=9,
        verbose=0,
        callbacks=[
            evaluated,
            keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)),
            keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda step, logs: setattr(
                    model, "stop_training", steps_of(model) == 5
                )
            ),
            keras.callbacks.ModelCheckpoint(FOLDER / f"model{INDEX}.keras"),
        ],
    )
    result = {
        "epochs": len(history.epoch),
        "rate": float(ops.convert_to_numpy(model.optimizer.learning_rate)),
        "evaluated": evaluated.losses,
        "validated": history.history["val_loss"],
    }
    write(result, {str(i): value for i, value in enumerate(arrays_of(model))})


def plain_keras() -> None:
    """Fit a model without this package's base."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((8, 4), "float32")
    data = tf.data.Dataset.from_tensor_slices((x, x[:, :1])).batch(4)
    try:
        model.fit(data, verbose=0)
    except Exception as error:  # noqa: BLE001 - which one is the question
        write({"error": f"{type(error).__name__}: {error}"}, {})
    else:
        write({"error": None}, {})
    os._exit(0)  # workers that disagree would wait for one another


if __name__ == "__main__":
    tasks = {
        "methods": methods,
        "recipe": recipe,
        "killed": lambda: recipe("SIGKILL"),
        "stopped": lambda: recipe("SIGSTOP"),
        "keras_callbacks": keras_callbacks,
        "plain_keras": plain_keras,
    }
    with tft.distribute.strategy("auto", say=None):
        tasks[sys.argv[1]]()
