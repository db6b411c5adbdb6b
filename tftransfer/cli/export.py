"""`tftransfer export`: a trained model to a file or folder that serves."""

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
        pathlib.Path,
        typer.Argument(
            help="saved_models/NAME or NAME/VERSION, or NAME.onnx, .tflite, .xml."
        ),
    ],
    top_k: Annotated[
        int, typer.Option(help="Labels per answer of a SavedModel.", min=1)
    ] = 5,
    quantize: Annotated[
        str | None,
        typer.Option(help="float16 or int8 (.tflite), float16 (.xml)."),
    ] = None,
    representative: Annotated[
        pathlib.Path | None,
        typer.Option(help="For int8: folder of pictures of the kind to come."),
    ] = None,
    pictures: Annotated[
        pathlib.Path | None,
        typer.Option(help="Folder of pictures to compare the result on."),
    ] = None,
    json_output: options.Json = False,
) -> None:
    """Write a SavedModel, ONNX, LiteRT or OpenVINO and compare it with the model.

    A SavedModel takes encoded pictures and answers labels and scores; the others take
    RGB squares.
    """
    file = options.keras_file(model)
    for folder in (representative, pictures):
        if folder is not None:
            options.check_folder(folder)
    load_tensorflow()
    from tftransfer.serving import export as write

    result = write(
        file,
        target,
        top_k=top_k,
        quantize=quantize,
        representative=representative,
        pictures=pictures,
    )
    if not json_output:
        answer(f"{result}")
        return
    answer_json(
        {
            "path": str(result.path),
            "format": result.format,
            "quantize": result.quantize,
            "labels": list(result.labels),
            "image_size": result.image_size,
            "pictures": result.pictures,
            "largest_difference": result.largest_difference,
            "agreement": result.agreement,
            "float_layers": list(result.float_layers),
            "size_mb": result.size_mb,
        }
    )
