"""born_again: a chain of equal students, each taught by the one before (2018)."""

import hashlib
import json
import os
import pathlib
from collections.abc import Callable

import keras
import numpy as np

from tftransfer.distillation.distiller import Distiller
from tftransfer.distillation.generations import BornAgain
from tftransfer.losses import SoftTargetLoss


def born_again(
    build_student: Callable[[], keras.Model],
    teacher: keras.Model | None,
    train,
    *,
    compile: Callable[[], dict],
    fit: Callable[[], dict] = dict,
    generations: int = 3,
    validation_data=None,
    distil: Callable[[keras.Model, keras.Model], keras.Model] | None = None,
    seed: int = 0,
    folder: str | os.PathLike | None = None,
) -> BornAgain:
    """Train students of one architecture, generation k taught by generation k - 1.

    loss of generation k = task(y, f_k(x)) + CE(softmax(f_{k-1}(x)), softmax(f_k(x))),
    the paper's: equal weights, no temperature. Generation 0 is taught by the `teacher`,
    or by the labels alone where there is none.

    Args:
        build_student: Returns a new untrained classifier; called once per generation.
        teacher: A trained classifier of the same classes, or None.
        train: What teaches: a `tf.data.Dataset` of (x, y), a `PyDataset`, or a tuple
            (x, y) or (x, y, sample_weight) of arrays; x alone where `compile` names no
            loss. Or a function that returns one of these: it is called once per
            generation.
        compile: Returns the arguments of `compile`, with a fresh optimizer:
            `lambda: {"optimizer": keras.optimizers.Adam(), "loss": ...}`. Without a
            loss there are no labels, and a `teacher` is needed.
        fit: Returns the arguments of `fit` besides data, with fresh callbacks:
            `lambda: {"epochs": 10, "callbacks": [...]}`.
        generations: Number of students, 1 or more. Defaults to the paper's 3.
        validation_data: Labelled data in a form of `train`, for callbacks and scores.
        distil: Returns the method that trains a student by a teacher; by default a
            `Distiller` of the loss above.
        seed: Generation k is built and trained after
            `keras.utils.set_random_seed(seed + k)`.
        folder: Where each finished generation is kept, `generation_0.keras` and so on,
            beside its scores. A later call with the same folder loads these and goes on
            with the next. None keeps nothing.

    Returns:
        A `BornAgain`: `generations`, `scores` and `ensemble()`.

    Raises:
        ValueError: When there is neither a teacher nor a loss, `generations` is below
            1, or the folder holds a chain of another seed or teacher.

    Runs repeat on one machine. With a `tf.data.Dataset` that shuffles, the order also
    depends on how often it was read before: give a function that makes it anew, or a
    resumed chain ends elsewhere than an uninterrupted one.

    Example:
        >>> import keras, numpy as np, tftransfer as tft
        >>> def build():
        ...     return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> ce = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> result = tft.distillation.born_again(
        ...     build, None, (np.ones((6, 4)), np.arange(6) % 3), generations=2,
        ...     compile=lambda: {"optimizer": keras.optimizers.Adam(), "loss": ce},
        ...     fit=lambda: {"epochs": 1, "verbose": 0})
        >>> result.ensemble().output_shape
        (None, 3)

    References:
        Furlanello, Lipton, Tschannen, Itti & Anandkumar, Born-Again Neural Networks,
        ICML 2018, arXiv:1805.04770.
    """
    if generations < 1:
        raise ValueError(
            f"Expected `generations` of 1 or more. Received: {generations}."
        )
    if teacher is None and compile().get("loss") is None:
        raise ValueError(
            "Expected a `teacher`, or a loss for generation 0 to learn labels by. "
            "Received neither: give `compile` a 'loss', or a trained teacher."
        )
    chain = _Chain(folder, seed)
    models, scores = [], []
    for k in range(generations):
        found = chain.load(k, teacher)
        if found is None:
            keras.utils.set_random_seed(seed + k)
            student = build_student()
            model = (
                student if teacher is None else (distil or _default)(student, teacher)
            )
            model.compile(**compile())
            found = student, _trained(model, train, validation_data, fit())
            chain.save(k, teacher, *found)
        teacher = found[0]
        models.append(found[0])
        scores.append(found[1])
    return BornAgain(models, scores)


def _default(student, teacher) -> Distiller:
    loss = SoftTargetLoss(temperature=1.0)
    return Distiller(
        student, teacher, [loss], loss_weights=[1.0], student_loss_weight=1.0
    )


def _trained(model, train, validation_data, arguments: dict) -> dict:
    """Fit a compiled model; return its scores on the validation data."""
    validation = _made(validation_data)
    model.fit(**_named(_made(train)), validation_data=validation, **arguments)
    if validation is None:
        return {}
    size = arguments.get("batch_size")
    scores = model.evaluate(
        **_named(validation), batch_size=size, return_dict=True, verbose=0
    )
    return {name: float(value) for name, value in scores.items()}


def _made(data):
    return data() if callable(data) else data


def _named(data) -> dict:
    if not isinstance(data, tuple):
        return {"x": data}
    return dict(zip(("x", "y", "sample_weight"), data, strict=False))


class _Chain:
    """The finished generations in a folder; each gets its name when it is whole.

    Args:
        folder: The folder, made when absent, or None.
        seed: The chain's seed.
    """

    def __init__(self, folder, seed: int):
        self.folder = None if folder is None else pathlib.Path(folder)
        self.seed = seed
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)

    def load(self, k: int, teacher) -> tuple | None:
        """Return (student, scores) of generation `k`, or None while it is not there."""
        if self.folder is None or not self._file(k).exists():
            return None
        about = json.loads(self._file(k, "json").read_text())
        differing = [
            f"another {name}"
            for name, value in self._run(teacher).items()
            if about[name] != value
        ]
        if differing:
            raise ValueError(
                f"Expected '{self.folder}' to hold this chain or nothing. Received a "
                f"generation {k} of {' and '.join(differing)}. Use the same to resume, "
                "or another folder."
            )
        return keras.saving.load_model(self._file(k), compile=False), about["scores"]

    def save(self, k: int, teacher, student, scores: dict) -> None:
        """Keep a finished generation: first what is told of it, then the model."""
        if self.folder is None:
            return
        part = self.folder / f"part_{k}.json"
        part.write_text(json.dumps({**self._run(teacher), "scores": scores}))
        os.replace(part, self._file(k, "json"))
        part = self.folder / f"part_{k}.keras"
        student.save(part)
        os.replace(part, self._file(k))

    def _file(self, k: int, ending: str = "keras") -> pathlib.Path:
        return self.folder / f"generation_{k}.{ending}"

    def _run(self, teacher) -> dict:
        return {"seed": self.seed, "teacher": teacher and _digest(teacher)}


def _digest(model) -> str:
    """Return a digest of a model's weights: what `save` keeps, so no dropout states."""
    digest = hashlib.sha256()
    for weights in model.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()
