"""One run of `tftransfer distill`: a teacher, pictures and two students.

Loads TensorFlow.
"""

import dataclasses
import pathlib

import keras
import numpy as np

from tftransfer import loading
from tftransfer.cli import options
from tftransfer.cli.console import say
from tftransfer.cli.progress import training_bar
from tftransfer.cli.run_folder import claim
from tftransfer.cli.run_folder import has_epochs
from tftransfer.cli.run_folder import pictures_digest
from tftransfer.core import weights_digest
from tftransfer.data import as_dataset
from tftransfer.data import from_folder
from tftransfer.data.listing import class_folders
from tftransfer.distillation import distill
from tftransfer.distillation import train_plain
from tftransfer.distillation.teacher_labels import labelled_by
from tftransfer.finetune import Classifier
from tftransfer.finetune import scratch_classifier
from tftransfer.losses import AttentionTransferLoss
from tftransfer.losses import JacobianMatchingLoss
from tftransfer.losses import SoftTargetLoss
from tftransfer.report.distillation import DISTILLED
from tftransfer.report.distillation import PLAIN
from tftransfer.report.distillation import TEACHER

FILES = {PLAIN: "plain.keras", DISTILLED: "model.keras"}


def losses_of(temperature: float, pairs: list, jacobian: bool) -> list:
    """Return the losses that the command's options ask for."""
    losses = [SoftTargetLoss(temperature)]
    if pairs:
        losses.append(AttentionTransferLoss(pairs))
    if jacobian:
        losses.append(JacobianMatchingLoss())
    return losses


class DistillRun:
    """What one call of the command does, in order: claim, then train.

    Args:
        teacher: The `.keras` file.
        folder: Of the pictures.
        out: Folder of the run.
        student: "student", "alpha", "weights" and "image size".
        reading: "batch_size", "validation_split" and "seed".
        schedule: Arguments that `distill` and `train_plain` share.
        losses: As in `distill`.
    """

    def __init__(
        self,
        teacher: pathlib.Path,
        folder: pathlib.Path,
        out: pathlib.Path,
        *,
        student: dict,
        reading: dict,
        schedule: dict,
        losses: list,
    ):
        self.folder, self.out = folder, out
        self.student, self.reading, self.schedule = student, reading, schedule
        self.losses = losses
        self.labelled = bool(class_folders(folder))
        self.models = {TEACHER: _classifier(teacher)}
        self.histories = {}
        self.train, self.validation = self._read(self._backbone().image_size)
        self._names = self._class_names()

    def claim(self) -> None:
        """Note the run's settings, so that another one does not go on with it."""
        digest = pictures_digest(self.folder, self.train, self.validation)
        settings = {
            **self._settings(),
            "digest of the teacher": weights_digest(self.models[TEACHER])[:12],
            "digest of the pictures": digest,
        }
        for name in FILES:
            claim(self._checkpoint(name), settings)
        labels = f"of {len(self._names)} classes" if self.labelled else "without labels"
        say(
            f"{len(self.train.paths)} training and {len(self.validation.paths)} "
            f"validation pictures {labels}."
        )

    def train_plain(self) -> None:
        """Train the student that has no teacher."""
        student = self._student(PLAIN)
        self._fit(PLAIN, train_plain, student, self.train, self.validation)

    def distill(self, **caching) -> None:
        """Train the student that has one; `views` and `cache` as in `distill`."""
        parts = self._student(DISTILLED), self.models[TEACHER]
        self._fit(
            DISTILLED,
            distill,
            *parts,
            self.train,
            self.validation,
            losses=self.losses,
            **caching,
        )

    def keep(self) -> str:
        """Save what an interrupted run has; returns what to tell."""
        kept = [
            str(options.written(self.out / file, self.models[name].save))
            for name, file in FILES.items()
            if name in self.models and has_epochs(self._checkpoint(name))
        ]
        if not kept:
            return "No epoch was finished; nothing was kept."
        return (
            f"The best finished epochs are in {' and '.join(kept)}. The same command "
            f"goes on from '{self._checkpoint(DISTILLED).parent}'."
        )

    def measured(self) -> dict:
        """Return {net: validation pictures in its size}, labelled in any case."""
        teacher = self.models[TEACHER]
        validation = self.validation.source.at_size(side_of(teacher)).dataset()
        if not self.labelled:
            validation = labelled_by(teacher, validation)
        return {
            name: validation.source.at_size(side_of(model)).dataset()
            for name, model in self.models.items()
        }

    def stated(self) -> dict:
        """Return the settings that report and card state."""
        plan = dataclasses.asdict(self.histories[DISTILLED].plan)
        stated = {"folder": str(self.folder), **self._settings(), **plan}
        return {name: value for name, value in stated.items() if value is not None}

    def _fit(self, name: str, recipe, *parts, **chosen) -> None:
        self.models[name] = parts[0]
        with training_bar(phase=name) as bar:
            self.histories[name] = recipe(
                *parts,
                **self.schedule,
                **chosen,
                checkpoint=self._checkpoint(name),
                callbacks=[bar],
                verbose=0,
                say=say,
            )

    def _student(self, name: str):
        """Return a student; both have the same first weights."""
        keras.utils.set_random_seed(self.reading["seed"])
        make = scratch_classifier if self.student["weights"] == "none" else Classifier
        return make(
            self._backbone(),
            self.models[TEACHER].num_classes,
            class_names=self._names,
            name=name.replace(" ", "_"),
        )

    def _backbone(self):
        side = self.student["image size"] or side_of(self.models[TEACHER])
        return options.make_backbone(
            self.student["student"],
            alpha=self.student["alpha"],
            weights=self.student["weights"],
            image_size=side,
        )

    def _read(self, side: int) -> tuple:
        read = from_folder if self.labelled else _unlabelled
        sides = read(self.folder, image_size=side, **self.reading)
        if not len(sides[1].source):
            raise ValueError(
                f"Expected pictures to validate on. Received none in '{self.folder}'. "
                "Choose `--validation-split` above 0, with two pictures or more in a "
                "class."
            )
        return sides

    def _class_names(self) -> list[str] | None:
        its = self.models[TEACHER].class_names
        names = list(self.train.class_names) if self.labelled else its
        if self.labelled and its is not None and list(its) != names:
            raise ValueError(
                f"Expected sub-folders of the teacher's classes, {list(its)}, in "
                f"'{self.folder}'. Received: {names}. Pictures of other classes teach "
                "without labels: give a folder without sub-folders."
            )
        return None if names is None else list(names)

    def _checkpoint(self, name: str) -> pathlib.Path:
        return self.out / "checkpoint" / name.split()[0]

    def _settings(self) -> dict:
        losses = [keras.saving.serialize_keras_object(x)["config"] for x in self.losses]
        return {**self.student, **self.reading, "losses": losses}


def _classifier(file: pathlib.Path):
    model = loading.load_model(file, compile=False)
    if not isinstance(model, Classifier):
        raise TypeError(
            f"Expected a `Classifier` in '{file}', as `tftransfer train` writes. "
            f"Received: {type(model).__name__}."
        )
    return model


def side_of(model) -> int:
    """Return the side in pixels of the pictures that a classifier takes."""
    return model.deployed.input_shape[1] or model.backbone.image_size


def _unlabelled(
    folder: pathlib.Path,
    *,
    image_size: int,
    batch_size: int,
    validation_split: float,
    seed: int,
) -> tuple:
    reading = {"image_size": image_size, "batch_size": batch_size, "seed": seed}
    whole = as_dataset(folder, **reading).source
    order = np.random.default_rng(seed).permutation(len(whole))
    count = round(validation_split * len(whole))
    validation, train = np.sort(order[:count]), np.sort(order[count:])
    return (
        whole.subset(train).replace(shuffle=True).dataset(),
        whole.subset(validation).dataset(),
    )
