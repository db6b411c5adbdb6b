"""`tftransfer features`: the features of a folder of pictures to one file."""

import pathlib
from typing import Annotated

import typer

from tftransfer.cli import options
from tftransfer.cli.console import answer
from tftransfer.cli.console import answer_json
from tftransfer.cli.console import load_tensorflow


def features(
    folder: Annotated[
        pathlib.Path,
        typer.Argument(metavar="DIR", help="Pictures, with or without class folders."),
    ],
    out: Annotated[pathlib.Path, typer.Option(help="File to write, .npz.")] = (
        pathlib.Path("features.npz")
    ),
    backbone: options.BackboneName = "mobilenet",
    alpha: options.Alpha = None,
    weights: options.Weights = "imagenet",
    image_size: options.ImageSize = None,
    batch_size: options.BatchSize = 32,
    endpoint: Annotated[
        str, typer.Option(help="Where in the backbone: stage1 ... or pooled.")
    ] = "pooled",
    augment: Annotated[
        str | None, typer.Option(help="'flip' or 'crops': mean over such views.")
    ] = None,
    normalize: Annotated[bool, typer.Option(help="Rows of length 1.")] = False,
    cache: Annotated[
        pathlib.Path | None, typer.Option(help="Folder that keeps them for next time.")
    ] = None,
    json_output: options.Json = False,
) -> None:
    """Write features, labels, class names and paths of pictures to an .npz file."""
    load_tensorflow()
    import numpy as np

    from tftransfer.data import as_dataset
    from tftransfer.features import FeatureExtractor

    net = options.make_backbone(
        backbone, alpha=alpha, weights=weights, image_size=image_size
    )
    data = as_dataset(folder, image_size=net.image_size, batch_size=batch_size)
    extractor = FeatureExtractor(net, endpoint=endpoint, normalize=normalize)
    found = extractor.extract(data, batch_size=batch_size, augment=augment, cache=cache)
    arrays = {"features": found, "paths": np.array(data.paths)}
    if data.labels is not None:
        arrays |= {"labels": data.labels, "class_names": np.array(data.class_names)}

    def write(part: pathlib.Path) -> None:
        with open(part, "wb") as file:  # by name NumPy would add a suffix
            np.savez(file, **arrays)

    options.written(out, write)
    if json_output:
        answer_json({"path": str(out), "shape": list(found.shape)})
    else:
        answer(f"{found.shape[0]} pictures, {found.shape[1]} features each: {out}")
