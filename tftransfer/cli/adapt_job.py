"""One run of `tftransfer adapt`: a source, a target, and a classifier before and after.

Loads TensorFlow.
"""

import dataclasses
import pathlib

import keras

from tftransfer.cli import options
from tftransfer.cli.adapt_target import UNKNOWN
from tftransfer.cli.adapt_target import read_target
from tftransfer.cli.console import say
from tftransfer.cli.progress import training_bar
from tftransfer.cli.run_folder import claim
from tftransfer.cli.run_folder import has_epochs
from tftransfer.cli.run_folder import pictures_digest
from tftransfer.data import as_dataset
from tftransfer.domain import adapt
from tftransfer.domain.paired_epochs import hold_out
from tftransfer.finetune import Classifier
from tftransfer.finetune import fine_tune
from tftransfer.report.adaptation import ADAPTED
from tftransfer.report.adaptation import SOURCE_ONLY

FILES = {SOURCE_ONLY: "source.keras", ADAPTED: "model.keras"}
_FOLDERS = {SOURCE_ONLY: "source", ADAPTED: "adapted"}


class AdaptJob:
    """What one call of the command does, in order: claim, train the source, adapt.

    Args:
        source: Folder of the source's pictures, one sub-folder per class.
        target: Folder of the target's.
        out: Folder of the run.
        labelled_target: Folder of few pictures of the target with labels, or None.
        net: "backbone", "alpha", "weights" and "image_size".
        reading: "batch_size", "validation_split" and "seed".
        augment: Preset of both trainings.
    """

    def __init__(
        self,
        source: pathlib.Path,
        target: pathlib.Path,
        out: pathlib.Path,
        *,
        labelled_target: pathlib.Path | None = None,
        net: dict,
        reading: dict,
        augment: str,
    ):
        self.source, self.out, self.augment = source, out, augment
        self.net, self.reading = net, reading
        self.target_folder, self.labelled_folder = target, labelled_target
        self.models, self.histories = {}, {}
        backbone, self.train, self.validation = options.net_and_folder(
            source, **net, **reading
        )
        self._side = backbone.image_size
        names = list(self.train.class_names)
        shared = {"image_size": self._side, "batch_size": reading["batch_size"]}
        self.labelled_target = None
        if labelled_target is not None:
            self.labelled_target = as_dataset(
                labelled_target, class_names=names, **shared
            )
        few = self.labelled_target
        without = () if few is None else few.paths
        self.target = read_target(target, names, without, **shared)
        _, held = hold_out(self.target.source, reading["seed"])
        self.held_out = held.dataset()

    def claim(self) -> None:
        """Note the run's settings, so that another one does not go on with it."""
        settings = {
            **self._settings(),
            "digest of the source": pictures_digest(
                self.source, self.train, self.validation
            ),
            "digest of the target": pictures_digest(self.target_folder, self.target),
            "digest of the labelled target": None,
        }
        few = self.labelled_target
        if few is not None:
            digest = pictures_digest(self.labelled_folder, few)
            settings["digest of the labelled target"] = digest
        for name in FILES:
            claim(self._checkpoint(name), settings)
        oracle = "none of them with a label"
        if self.labelled:
            known = int((self.target.labels != UNKNOWN).sum())
            oracle = f"{known} of them with labels, which are for the oracle alone"
        say(
            f"{len(self.train.paths)} training and {len(self.validation.paths)} "
            f"validation pictures of {len(self.train.class_names)} classes; "
            f"{len(self.target.paths)} pictures of the target, {oracle}."
        )

    @property
    def labelled(self) -> bool:
        """Whether the target has labels, for the oracle, if not of all pictures."""
        return self.target.labels is not None

    def train_source(self, **schedule) -> None:
        """Train on the source alone; `schedule` as in `fine_tune`."""
        model = self.models[SOURCE_ONLY] = self._classifier(SOURCE_ONLY)
        self._fit(SOURCE_ONLY, fine_tune, model, self.train, self.validation, schedule)

    def adapt(self, **chosen) -> None:
        """Adapt a copy of it; `chosen` as in `tft.adapt`."""
        model = self._classifier(ADAPTED)
        model.set_weights(self.models[SOURCE_ONLY].get_weights())
        self.models[ADAPTED] = model
        data = self.train, self.target, self.validation
        chosen["seed"] = self.reading["seed"]
        chosen["labelled_target"] = self.labelled_target
        self._fit(ADAPTED, adapt, model, *data, chosen)

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
            f"The best weights so far are in {' and '.join(kept)}. The same command "
            f"goes on from '{self._checkpoint(ADAPTED).parent}'."
        )

    def stated(self) -> dict:
        """Return the settings that report and card state."""
        plan = dataclasses.asdict(self.histories[ADAPTED].plan)
        folders = {"source": str(self.source), "target": str(self.target_folder)}
        if self.labelled_folder is not None:
            folders["labelled_target_folder"] = str(self.labelled_folder)
        stated = {**folders, **self._settings(), **plan}
        return {name: value for name, value in stated.items() if value is not None}

    def _fit(self, name: str, recipe, *parts) -> None:
        *parts, chosen = parts
        with training_bar(phase=None if name == SOURCE_ONLY else "adapted") as bar:
            self.histories[name] = recipe(
                *parts,
                augment=self.augment,
                checkpoint=self._checkpoint(name),
                callbacks=[bar],
                verbose=0,
                say=say,
                **chosen,
            )

    def _classifier(self, name: str) -> Classifier:
        keras.utils.set_random_seed(self.reading["seed"])
        net = dict(self.net, image_size=self._side)
        names = list(self.train.class_names)
        backbone = options.make_backbone(net.pop("backbone"), **net)
        return Classifier(
            backbone, len(names), class_names=names, name=name.replace("-", "_")
        )

    def _checkpoint(self, name: str) -> pathlib.Path:
        return self.out / "checkpoint" / _FOLDERS[name]

    def _settings(self) -> dict:
        return {**self.net, **self.reading, "augment": self.augment}
