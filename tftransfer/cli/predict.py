"""`tftransfer predict`: pictures to labels, by a model of any of our kinds."""

import pathlib
from typing import Annotated

import typer
from rich.progress import track

from tftransfer.cli import options
from tftransfer.cli.console import answer
from tftransfer.cli.console import answer_json
from tftransfer.cli.console import errors
from tftransfer.cli.console import load_tensorflow

_BATCH = 32


def predict(
    model: Annotated[
        pathlib.Path,
        typer.Argument(help="A .keras file, a folder of `train`, or a SavedModel."),
    ],
    pictures: Annotated[
        list[pathlib.Path], typer.Argument(help="Pictures, or folders of them.")
    ],
    top_k: Annotated[int, typer.Option(help="Labels per picture.", min=1)] = 3,
    json_output: options.Json = False,
) -> None:
    """Name what is on pictures.

    A picture that cannot be read gets an error of its own; the exit code is then 1.
    """
    file = options.model_file(model)
    load_tensorflow()
    paths = _paths(pictures)
    ask = _saved_model(file) if file.is_dir() else _keras_model(file)
    answers = []
    steps = range(0, len(paths), _BATCH)
    console = errors()
    for start in track(
        steps, "predicting", console=console, disable=not console.is_terminal
    ):
        answers += ask(paths[start : start + _BATCH], top_k)
    if json_output:
        answer_json(answers)
    else:
        for found in answers:
            answer(_line(found))
    if any("error" in found for found in answers):
        raise typer.Exit(1)


def _paths(pictures: list[pathlib.Path]) -> list[str]:
    from tftransfer.data.listing import picture_files

    found = []
    for path in pictures:
        if path.is_dir():
            inside = picture_files(path)
            if not inside:
                raise ValueError(f"Expected pictures in '{path}'. Received: none.")
            found += inside
        else:
            found.append(str(path))
    return found


def _keras_model(file: pathlib.Path):
    """Return a function of paths and top_k that answers by a `.keras` file."""
    import keras
    import numpy as np
    import tensorflow as tf

    from tftransfer.data import decode_image
    from tftransfer.serving.served_model import served_model

    served = served_model(file)
    run = tf.function(lambda x: served.model(x, training=False), reduce_retracing=True)

    def ask(paths: list[str], top_k: int) -> list[dict]:
        images, answers = [], []
        for name in paths:
            try:
                images.append(decode_image(name, image_size=served.image_size))
                answers.append({"path": name})
            except (OSError, ValueError) as error:
                answers.append({"path": name, "error": _reason(error)})
        if not images:
            return answers
        scores = run(np.stack(images).astype("float32"))
        if not served.gives_probabilities:
            scores = keras.ops.softmax(scores)
        rows = iter(np.asarray(scores))
        for found in answers:
            if "error" not in found:
                found["predictions"] = _best(next(rows), served.labels, top_k)
        return answers

    return ask


def _best(scores, labels, top_k: int) -> list[dict]:
    order = scores.argsort()[::-1][:top_k]
    return [{"label": labels[i], "score": float(scores[i])} for i in order]


def _saved_model(folder: pathlib.Path):
    """Return a function of paths and top_k that answers by a SavedModel."""
    import tensorflow as tf

    versions = [p for p in folder.iterdir() if p.name.isdecimal()]
    if versions:
        folder = max(versions, key=lambda path: int(path.name))
    if not (folder / "saved_model.pb").exists():
        raise ValueError(
            f"Expected '{folder}' to hold model.keras or a SavedModel. Received "
            "neither. Train one with `tftransfer train`."
        )
    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures["serving_default"]

    def ask(paths: list[str], top_k: int) -> list[dict]:
        contents, answers = [], []
        for name in paths:
            try:
                contents.append(pathlib.Path(name).read_bytes())
                answers.append({"path": name})
            except OSError as error:
                contents.append(b"")
                answers.append({"path": name, "error": _reason(error)})
        found = signature(image_bytes=tf.constant(contents))
        parts = [found[k].numpy() for k in ("labels", "scores", "error")]
        for entry, labels, scores, error in zip(answers, *parts):
            if "error" in entry:
                continue
            if error:
                entry["error"] = error.decode()
                continue
            entry["predictions"] = [
                {"label": label.decode(), "score": float(score)}
                for label, score in list(zip(labels, scores))[:top_k]
            ]
        return answers

    ask.keeps = loaded  # its signatures do not keep it alive
    return ask


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _line(found: dict) -> str:
    if "error" in found:
        return f"{found['path']}: error: {found['error']}"
    shown = ", ".join(f"{p['label']} {p['score']:.1%}" for p in found["predictions"])
    return f"{found['path']}: {shown}"
