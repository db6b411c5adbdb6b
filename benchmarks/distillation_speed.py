"""Seconds per training step beside `keras.distillation.Distiller`.

    python benchmarks/distillation_speed.py [--rounds 5] [--steps 12]

The same student, teacher (of the student's widths: the peer asks for equal shapes),
pictures (batches of 128, 32 x 32) and terms: the labels, soft targets at T = 4, and the
squared distance of the maps of one pair of layers. "Student alone" is the student with
the labels and no distillation, the floor. The cached teacher reads its outputs, which
were computed before; that time is told beside. The four take turns; the first step of
each, which traces, is left out. What the peer loses is its second run of the student,
what the cache saves is the teacher's run: both depend on the sizes, so there are two
students.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from distillation_cifar import wide_resnet
from results_file import write

import tftransfer as tft

BATCH, PAIR = 128, "group2"
TEACHER, STUDENTS = (40, 1), [(16, 1), (10, 1)]


def compiled(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss)
    return model


def ours(student, teacher):
    losses = [
        tft.losses.SoftTargetLoss(temperature=4.0),
        tft.losses.HintLoss([(PAIR, PAIR)]),
    ]
    return compiled(tft.Distiller(student, teacher, losses))


def peer(student, teacher):
    from keras import distillation

    losses = [
        distillation.LogitsDistillation(temperature=4.0),
        distillation.FeatureDistillation(
            loss="mse", teacher_layer_name=PAIR, student_layer_name=PAIR
        ),
    ]
    return compiled(distillation.Distiller(teacher, student, losses))


def pictures(steps: int):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(steps * BATCH, 32, 32, 3)).astype("float32")
    return x, rng.integers(0, 10, len(x))


class StepTimes(keras.callbacks.Callback):
    """Seconds of every step but the first."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_train_batch_begin(self, batch, logs=None):
        self.begin = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        if batch:
            self.seconds.append(time.perf_counter() - self.begin)


def measure(student: tuple, rounds: int, steps: int) -> dict:
    x, y = pictures(steps)
    nets = {name: (wide_resnet(*student), wide_resnet(*TEACHER)) for name in "abc"}
    live = ours(*nets["a"])
    cached = ours(*nets["b"])
    plain = compiled(wide_resnet(*student))
    begin = time.perf_counter()
    run = tf.function(cached.teacher_outputs)
    parts = [run(x[i : i + BATCH]) for i in range(0, len(x), BATCH)]
    outputs = {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}
    caching = time.perf_counter() - begin
    runs = {
        "keras.distillation": (peer(*nets["c"]), x),
        "ours, live teacher": (live, x),
        "ours, cached teacher": (cached, {"student": x, "teacher_outputs": outputs}),
        "student alone": (plain, x),
    }
    seconds = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (model, inputs) in runs.items():
            times = StepTimes()
            data = tf.data.Dataset.from_tensor_slices((inputs, y)).batch(BATCH)
            model.fit(data, callbacks=[times], verbose=0)
            seconds[name].append(statistics.median(times.seconds))
            print(name, seconds[name][-1], flush=True)
    return {
        "seconds_per_step": seconds,
        "caching_seconds_per_step": caching / steps,
    }


def table(found: dict) -> str:
    names = list(found)
    lines = [
        "| | "
        + " | ".join(f"{name}: ms per step | times as fast" for name in names)
        + " |",
        "|---" * (2 * len(names) + 1) + "|",
    ]
    medians = {
        name: {k: statistics.median(v) for k, v in runs["seconds_per_step"].items()}
        for name, runs in found.items()
    }
    for run in medians[names[0]]:
        cells = [
            f"{1000 * each[run]:.0f} | {each['keras.distillation'] / each[run]:.2f}"
            for each in medians.values()
        ]
        lines.append(f"| {run} | " + " | ".join(cells) + " |")
    caching = [1000 * runs["caching_seconds_per_step"] for runs in found.values()]
    told = " and ".join(f"{value:.0f}" for value in caching)
    return "\n".join(
        [*lines, "", f"Computing what is cached took {told} ms per batch, once."]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(0)
    found = {
        f"WRN-{student[0]}-{student[1]} from WRN-{TEACHER[0]}-{TEACHER[1]}": measure(
            student, arguments.rounds, arguments.steps
        )
        for student in STUDENTS
    }
    write("distillation_speed", found, table(found))


if __name__ == "__main__":
    main()
