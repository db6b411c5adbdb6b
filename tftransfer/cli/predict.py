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
        typer.Argument(help="A folder of `train`, or what `export` wrote."),
    ],
    pictures: Annotated[
        list[pathlib.Path], typer.Argument(help="Pictures, or folders of them.")
    ],
    top_k: Annotated[int, typer.Option(help="Labels per picture.", min=1)] = 3,
    engine: Annotated[
        str, typer.Option(help="tensorflow, openvino, or auto: the faster here.")
    ] = "auto",
    json_output: options.Json = False,
) -> None:
    """Name what is on pictures.

    A picture that cannot be read gets an error of its own; the exit code is then 1.
    """
    file = options.model_file(model)
    load_tensorflow()
    from tftransfer.serving import Predictor

    paths = _paths(pictures)
    predictor = Predictor(file, engine=engine, pictures=len(paths))
    answers = []
    steps = range(0, len(paths), _BATCH)
    console = errors()
    for start in track(
        steps, "predicting", console=console, disable=not console.is_terminal
    ):
        part = paths[start : start + _BATCH]
        answers += map(_entry, part, predictor.predict(part, top_k=top_k))
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


def _entry(path: str, found) -> dict:
    if found.error is not None:
        return {"path": path, "error": found.error}
    predictions = [
        {"label": label, "score": score}
        for label, score in zip(found.labels, found.scores)
    ]
    return {"path": path, "predictions": predictions}


def _line(found: dict) -> str:
    if "error" in found:
        return f"{found['path']}: error: {found['error']}"
    shown = ", ".join(f"{p['label']} {p['score']:.1%}" for p in found["predictions"])
    return f"{found['path']}: {shown}"
