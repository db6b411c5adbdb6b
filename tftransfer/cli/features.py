"""`tftransfer features`: the features of a folder of pictures to one file."""

import pathlib
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer
from rich.progress import track

from tftransfer.cli import options
from tftransfer.cli.console import answer
from tftransfer.cli.console import answer_json
from tftransfer.cli.console import errors
from tftransfer.cli.console import load_tensorflow
from tftransfer.cli.console import warn


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
    engine: Annotated[
        str, typer.Option(help="tensorflow, openvino, or auto: the faster here.")
    ] = "auto",
    json_output: options.Json = False,
) -> None:
    """Write features, labels, class names and paths of pictures to an .npz file."""
    options.check_folder(folder)
    options.check_backbone(backbone)
    load_tensorflow()
    import numpy as np

    from tftransfer.data import as_dataset
    from tftransfer.features import FeatureExtractor

    net = options.make_backbone(
        backbone, alpha=alpha, weights=weights, image_size=image_size
    )
    options_of_data = {"image_size": net.image_size, "batch_size": batch_size}
    data = as_dataset(folder, **options_of_data)
    if data.labels is None:
        data = as_dataset(_readable(data.paths), **options_of_data)
    extractor = FeatureExtractor(net, endpoint=endpoint, normalize=normalize)
    found = extractor.extract(
        data, batch_size=batch_size, augment=augment, cache=cache, engine=engine
    )
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


def _readable(paths) -> list[str]:
    """Return the pictures that can be decoded, with a warning that names the others.

    Class folders are checked by `as_dataset`; one broken picture among thousands would
    otherwise be an error at the end.
    """
    from tftransfer.data import decode_image

    def check(path: str) -> str | None:
        try:
            decode_image(path, image_size=32)  # a JPEG at 1/8
        except (OSError, ValueError) as error:
            return f"{error}"
        return None

    console = errors()
    pool = ThreadPoolExecutor()
    try:
        found = track(
            pool.map(check, paths),
            "checking pictures",
            len(paths),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        problems = [(path, problem) for path, problem in zip(paths, found) if problem]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C ends it at once
    if len(problems) == len(paths):
        raise ValueError(
            f"Expected a readable picture. Received none: {problems[0][1]}"
        )
    if problems:
        listed = "\n".join(problem for _, problem in problems[:10])
        more = f"\nand {len(problems) - 10} more" if len(problems) > 10 else ""
        warn(f"Left out {len(problems)} unreadable pictures:\n{listed}{more}")
    broken = {path for path, _ in problems}
    return [path for path in paths if path not in broken]
