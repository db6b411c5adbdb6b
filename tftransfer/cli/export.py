"""`tftransfer export`: a trained model to a SavedModel that serves."""

import pathlib
from typing import Annotated

import typer

from tftransfer.cli import options
from tftransfer.cli.console import answer
from tftransfer.cli.console import answer_json
from tftransfer.cli.console import load_tensorflow


def export(
    model: Annotated[
        pathlib.Path, typer.Argument(help="A .keras file, or a folder of `train`.")
    ],
    target: Annotated[
        pathlib.Path, typer.Argument(help="saved_models/NAME, or NAME/VERSION.")
    ],
    top_k: Annotated[int, typer.Option(help="Labels per answer.", min=1)] = 5,
    json_output: options.Json = False,
) -> None:
    """Write a SavedModel: encoded pictures in, labels and scores out."""
    file = options.model_file(model)
    if file.is_dir():
        raise ValueError(
            f"Expected a .keras file or a folder that holds model.keras. Received: "
            f"'{file}'. Train one with `tftransfer train`."
        )
    load_tensorflow()
    from tftransfer.serving import export as write_saved_model

    result = write_saved_model(file, target, top_k=top_k)
    if json_output:
        answer_json(
            {
                "path": str(result.path),
                "labels": list(result.labels),
                "image_size": result.image_size,
                "largest_difference": result.largest_difference,
                "size_mb": result.size_mb,
            }
        )
        return
    answer(
        f"{result.path}: {len(result.labels)} classes, {result.size_mb} MB, scores "
        f"within {result.largest_difference:.1e} of the Keras model"
    )
