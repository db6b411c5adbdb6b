"""Nets side by side: what each gets right, weighs and takes per picture.

TensorFlow only.
"""

import dataclasses
import pathlib
import tempfile
import time
from collections.abc import Mapping

import keras
import numpy as np

from tftransfer.inference import FrozenFunction
from tftransfer.report.evaluate import evaluate_classifier
from tftransfer.report.evaluation import Evaluation


@dataclasses.dataclass(frozen=True)
class NetFacts:
    """One net of several.

    Attributes:
        evaluation: On the pictures that all nets were asked about.
        agreement: Share of them with the first net's answer, in [0, 1].
        parameters: Number of weights of the deployed model.
        file_bytes: Size of the deployed model as a `.keras` file.
        seconds: Median time of one picture, at batch 1 and from memory, with
            the weights folded in.
        image_size: Side of its pictures in pixels.
    """

    evaluation: Evaluation
    agreement: float
    parameters: int
    file_bytes: int
    seconds: float
    image_size: int

    def numbers(self, score: str = "accuracy") -> dict:
        """Return what a JSON document says of it; `score` names the share right."""
        low, high = self.evaluation.interval
        return {
            "agreement": self.agreement,
            score: self.evaluation.accuracy,
            "interval": [low, high],
            "parameters": self.parameters,
            "file_bytes": self.file_bytes,
            "milliseconds": 1000 * self.seconds,
            "image_size": self.image_size,
        }


def measure_nets(
    models: Mapping[str, keras.Model],
    validation: Mapping[str, object],
    *,
    rounds: int = 30,
) -> dict[str, NetFacts]:
    """Measure nets on the same pictures.

    Args:
        models: {name: `Classifier`}, the one that others are compared with first.
        validation: {name: dataset of the net's own size}, all of the same pictures in
            the same order.
        rounds: Timed calls of each net, which take turns.

    Returns:
        {name: facts}.
    """
    times = latencies(models, rounds)
    evaluations = {
        name: evaluate_classifier(model, validation[name])
        for name, model in models.items()
    }
    first = next(iter(evaluations.values())).predictions
    return {
        name: NetFacts(
            evaluation=evaluations[name],
            agreement=float(np.mean(evaluations[name].predictions == first)),
            parameters=model.deployed.count_params(),
            file_bytes=file_bytes(model.deployed),
            seconds=times[name],
            image_size=model.deployed.input_shape[1] or model.backbone.image_size,
        )
        for name, model in models.items()
    }


def latencies(models: Mapping[str, keras.Model], rounds: int = 30) -> dict[str, float]:
    """Return {name: median seconds per picture} at batch 1.

    The nets take turns, so that what else the machine does meets all of them. Each is
    compiled as features and served models are, its weights folded in.

    Args:
        models: {name: `Classifier`}.
        rounds: Timed calls of each.
    """
    calls = {}
    for name, model in models.items():
        shape = [side or 224 for side in model.deployed.input_shape[1:]]
        picture = np.random.default_rng(0).integers(0, 256, (1, *shape), "uint8")
        calls[name] = FrozenFunction(model.deployed), picture
    times = {name: [] for name in models}
    for turn in range(rounds + 3):
        for name, (function, picture) in calls.items():
            begin = time.perf_counter()
            np.asarray(function(picture)[0])
            if turn >= 3:  # the first calls compile
                times[name].append(time.perf_counter() - begin)
    return {name: float(np.median(found)) for name, found in times.items()}


def file_bytes(model: keras.Model) -> int:
    """Return the size of a model's `.keras` file, without an optimizer's state."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.keras"
        model.save(path)
        return path.stat().st_size
