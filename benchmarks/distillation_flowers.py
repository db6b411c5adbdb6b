"""A small student on flowers17, plain and taught by a fine-tuned MobileNet 0.75.

    python benchmarks/distillation_flowers.py [--seeds 3] [--runs FOLDER] [--quick]

The student is MobileNet 0.25 on pictures of 128 x 128 from random weights, an eighth of
the teacher's parameters. With all 60 training pictures per class: labels alone, and
soft targets (T = 4). With 5 and 20 per class, where the teacher was fine-tuned on the
same few: labels alone, activations (soft targets and attention), and activations with
Jacobians. With 5, too, soft targets of all 60 pictures per class without their labels:
what pictures are worth when labels are few. Defaults of
`fine_tune`, `train_plain` and `distill`, but for the teachers' labels, which are not
smoothed: a smoothed teacher has less to tell (Mueller et al., 2019); for batches and
epochs of the students; and for two weights. All students of a row train equally many
steps, about, and end on the weights of the last epoch; the test pictures are scored
once per net and chose nothing.
With `--held-out` 4 of every 5 of those training pictures train and the others are
scored. A finished run is kept in the folder of runs, and a restart goes on behind it.
"""

import argparse
import os
import pathlib
import statistics

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from results_file import data_folder
from results_file import write
from runs_folder import Runs

import tftransfer as tft
from tftransfer.data import as_dataset
from tftransfer.data import source_of
from tftransfer.distillation import train_plain
from tftransfer.finetune import scratch_classifier
from tftransfer.losses import AttentionTransferLoss
from tftransfer.losses import JacobianMatchingLoss
from tftransfer.losses import SoftTargetLoss

CLASSES, SIDE, STUDENT_SIDE = 17, 224, 128
# 32, 16 and 8 positions a side, as in the nets that the default weight was found for.
MAPS = [(name, name) for name in ("stage2", "stage3", "stage4")]
# Chosen with `--held-out` at 5 pictures per class, seed 0; see the results.
ATTENTION_WEIGHT, JACOBIAN_WEIGHT = 10.0, 1.0
TEACHINGS = {
    "plain": lambda: [],
    "soft targets": lambda: [SoftTargetLoss(4.0)],
    "activations": lambda: [SoftTargetLoss(4.0), AttentionTransferLoss(MAPS)],
    "activations and Jacobians": lambda: [
        SoftTargetLoss(4.0),
        AttentionTransferLoss(MAPS),
        JacobianMatchingLoss([(None, None), MAPS[-1]]),
    ],
    "soft targets of unlabelled pictures": lambda: [SoftTargetLoss(4.0)],
}
PLAN = {
    60: ["soft targets"],
    20: ["activations", "activations and Jacobians"],
    5: [
        "activations",
        "activations and Jacobians",
        "soft targets of unlabelled pictures",
    ],
}
# Of every student: pictures a step and epochs, for about 2,000 steps, which is what the
# recipes choose. Half of them are too few: with 60 pictures per class the plain student
# of seed 0 then had 55.6 %, the one of soft targets 50.0.
TRAINING = {60: (32, 63), 20: (16, 94), 5: (8, 182)}
UNLABELLED = 16, 32  # the same of the student that sees all pictures without labels


def teacher_of(train, epochs):
    backbone = tft.Backbone("mobilenet", alpha=0.75)
    model = tft.Classifier(backbone, CLASSES)
    options = {"epochs": epochs, "label_smoothing": 0.0, "verbose": 0, "say": None}
    tft.fine_tune(model, train.dataset(), **options)
    return model


def new_student():
    shape = (STUDENT_SIDE, STUDENT_SIDE, 3)
    net = tft.Backbone("mobilenet", alpha=0.25, weights=None, input_shape=shape)
    return scratch_classifier(net, CLASSES)


def accuracy(model, test) -> float:
    @tf.function
    def answers(x):
        return tf.argmax(model.deployed(x, training=False), axis=-1)

    pictures = test.at_size(model.deployed.input_shape[1]).dataset()
    predicted = np.concatenate([answers(x) for x, _ in pictures])
    return float(np.mean(predicted == test.labels))


def chosen(source, per_class: int, seed: int):
    """Return the source of `per_class` random pictures of every class."""
    rng = np.random.default_rng(seed)
    places = [
        rng.choice(np.flatnonzero(source.labels == label), per_class, replace=False)
        for label in range(CLASSES)
    ]
    return source.subset(np.sort(np.concatenate(places)))


class Study:
    """All runs of one seed and one number of pictures.

    Args:
        runs: Where finished runs are kept.
        train: Source of the training pictures.
        test: Source of those that accuracy is measured on.
        epochs: Of every net; None as the recipes choose.
        weights: Factors of attention and of Jacobians.
    """

    def __init__(self, runs, train, test, epochs, weights):
        self.runs, self.train, self.test = runs, train, test
        self.epochs, self.weights = epochs, weights

    def measure(self, per_class: int, seed: int) -> dict:
        train = chosen(self.train, per_class, seed).replace(seed=seed)
        name = f"{per_class}-{seed}"
        found = {"teacher": self._teacher(name, train, seed)}
        for teaching in ["plain", *PLAN[per_class]]:
            found[teaching] = self.runs.once(
                "-".join([name, *teaching.split(), *self._used(teaching)]),
                lambda teaching=teaching: self._student(
                    *self._lesson(train, teaching, per_class), seed, teaching, name
                ),
            )
        return found

    def _lesson(self, train, teaching: str, per_class: int) -> tuple:
        """Return the pictures that a student sees, their batch size and the epochs."""
        if teaching.endswith("unlabelled pictures"):
            return self.train.replace(seed=train.seed, labels=None), *UNLABELLED
        return train, *TRAINING[per_class]

    def _used(self, teaching: str) -> list[str]:
        return [f"{weight:g}" for weight in self._factors(teaching)[1:]]

    def _file(self, name: str) -> pathlib.Path:
        return self.runs.folder / f"{name}-teacher.keras"

    def _teacher(self, name: str, train, seed: int) -> dict:
        def once():
            keras.utils.set_random_seed(seed)
            model = teacher_of(train, self.epochs)
            model.save(self._file(name))
            size = model.deployed.count_params()
            return {"accuracy": accuracy(model, self.test), "parameters": size}

        return self.runs.once(f"{name}-teacher", once)

    def _factors(self, teaching: str) -> list[float]:
        factors = [SoftTargetLoss.default_weight, *self.weights]
        return factors[: len(TEACHINGS[teaching]())]

    def _student(self, train, batch_size, epochs, seed, teaching, name) -> dict:
        keras.utils.set_random_seed(seed)
        student = new_student()
        options = {"epochs": self.epochs or epochs, "verbose": 0, "say": None}
        small = train.at_size(STUDENT_SIDE).replace(batch_size=batch_size).dataset()
        if teaching == "plain":
            train_plain(student, small, **options)
        else:
            tft.distill(
                student,
                tft.load_model(self._file(name)),
                small,
                losses=TEACHINGS[teaching](),
                loss_weights=self._factors(teaching),
                **options,
            )
        size = student.deployed.count_params()
        return {"accuracy": accuracy(student, self.test), "parameters": size}


def table(found: dict) -> str:
    names = ["teacher", *TEACHINGS]
    lines = [
        "| pictures per class | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for per_class, by_seed in found.items():
        cells = [_cell(name, by_seed.values()) for name in names]
        lines.append(f"| {per_class} | " + " | ".join(cells) + " |")
    meaning = (
        "Mean and standard deviation of the seeds, none left out; in brackets points"
    )
    return "\n".join([*lines, "", f"{meaning} over the plain student of each seed."])


def _cell(name: str, seeds) -> str:
    if not all(name in runs for runs in seeds):
        return "-"
    values = [runs[name]["accuracy"] for runs in seeds]
    cell = f"{_mean(values)} %"
    if name in ("teacher", "plain"):
        return cell
    won = [runs[name]["accuracy"] - runs["plain"]["accuracy"] for runs in seeds]
    return f"{cell} ({_mean(won, '+')})"


def _mean(values: list[float], sign: str = "") -> str:
    spread = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.fmean(values):{sign}.1f}{spread}"


def held_out(source):
    """Return 4 of every 5 training pictures, and the others."""
    places = np.arange(len(source))
    test = source.subset(places[::5]).replace(shuffle=False)
    return source.subset(places[places % 5 != 0]), test


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--per-class", type=int, nargs="+", default=list(PLAN))
    parser.add_argument("--runs", type=pathlib.Path, required=True)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--attention-weight", type=float, default=ATTENTION_WEIGHT)
    parser.add_argument("--jacobian-weight", type=float, default=JACOBIAN_WEIGHT)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    folder = data_folder("flowers17")
    options = {"image_size": SIDE, "batch_size": 32}
    train = source_of(as_dataset(folder / "train", shuffle=True, **options))
    test = source_of(as_dataset(folder / "val", **options))
    if arguments.held_out:
        train, test = held_out(train)
    epochs = 1 if arguments.quick else None
    settings = {"epochs": epochs, "held_out": arguments.held_out}
    weights = arguments.attention_weight, arguments.jacobian_weight
    study = Study(Runs(arguments.runs, settings), train, test, epochs, weights)
    found = {}
    for seed in range(arguments.seeds):  # seed by seed: what is there can be read
        for per_class in arguments.per_class:
            runs = study.measure(per_class, seed)
            found.setdefault(per_class, {})[seed] = runs
    print(table(found))
    if not (arguments.quick or arguments.held_out):
        settings |= {"attention_weight": weights[0], "jacobian_weight": weights[1]}
        raw = {"settings": settings, "runs": found}
        write("distillation_flowers", raw, table(found))


if __name__ == "__main__":
    main()
