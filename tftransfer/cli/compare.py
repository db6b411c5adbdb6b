"""`tftransfer compare`: does transfer pay on these pictures?"""

import pathlib
from typing import Annotated

import typer

from tftransfer.cli import options
from tftransfer.cli.console import answer
from tftransfer.cli.console import answer_json
from tftransfer.cli.console import answer_table
from tftransfer.cli.console import load_tensorflow
from tftransfer.cli.console import to_json


def compare(
    folder: options.Folder,
    backbone: options.BackboneName = "mobilenet",
    alpha: options.Alpha = None,
    weights: options.Weights = "imagenet",
    image_size: options.ImageSize = None,
    batch_size: options.BatchSize = 32,
    strategies: Annotated[
        str, typer.Option(help="Some of scratch, probe, fine_tune, with commas.")
    ] = "scratch,probe,fine_tune",
    sizes: Annotated[
        str, typer.Option(help="Training pictures per class, such as 5,20,all.")
    ] = "all",
    seeds: Annotated[int, typer.Option(help="Repetitions of each run.", min=1)] = 3,
    epochs: options.Epochs = None,
    augment: options.Augment = "light",
    validation_split: options.ValidationSplit = 0.2,
    out: Annotated[
        pathlib.Path | None,
        typer.Option(help="Folder for comparison.json and comparison.png."),
    ] = None,
    json_output: options.Json = False,
) -> None:
    """Compare scratch, linear probe and fine-tuning on held-out pictures."""
    per_class = [_size(text) for text in sizes.split(",")]
    options.check_folder(folder)
    options.check_backbone(backbone)
    load_tensorflow()
    from tftransfer import compare as compare_strategies

    net, training, held_out = options.net_and_folder(
        folder,
        backbone=backbone,
        alpha=alpha,
        weights=weights,
        image_size=image_size,
        batch_size=batch_size,
        validation_split=validation_split,
        cache=True,
    )
    found = compare_strategies(
        net,
        training,
        held_out,
        strategies=[name.strip() for name in strategies.split(",")],
        sizes=per_class,
        seeds=seeds,
        epochs=epochs,
        augment=augment,
    )
    document = found.to_json()
    if out is not None:
        text = to_json(document)
        options.written(out / "comparison.json", lambda part: part.write_text(text))
        plot = options.written(out / "comparison.png", found.plot)
        document["plot"] = str(plot)
    if json_output:
        answer_json(document)
        return
    answer_table(found.table())
    answer(f"\n{found.verdict}")


def _size(text: str) -> int | None:
    text = text.strip()
    if text == "all":
        return None
    if not text.isdecimal():
        raise typer.BadParameter(
            f"--sizes takes whole numbers and 'all', with commas; not '{text}'."
        )
    return int(text)
