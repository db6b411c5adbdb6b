"""`tftransfer serve`: a model over HTTP, for development."""

import pathlib
from typing import Annotated

import typer

from tftransfer.cli import options
from tftransfer.cli.console import load_tensorflow
from tftransfer.cli.console import working


def serve(
    model: Annotated[
        pathlib.Path,
        typer.Argument(help="A folder of `train`, or what `export` wrote."),
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for other machines.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port; 0 takes a free one.")] = 8501,
    engine: Annotated[
        str, typer.Option(help="tensorflow, openvino, or auto: the faster here.")
    ] = "auto",
    top_k: Annotated[int, typer.Option(help="Labels per answer.", min=1)] = 5,
    max_batch: Annotated[
        int, typer.Option(help="Pictures that the model computes at once.", min=1)
    ] = 32,
    batch_wait_ms: Annotated[
        float, typer.Option(help="Milliseconds that a picture waits for others.", min=0)
    ] = 2.0,
    max_body_mb: Annotated[
        float, typer.Option(help="Size of a request in 10^6 bytes.")
    ] = 16.0,
    max_pixels: Annotated[
        int, typer.Option(help="Width times height of a picture.", min=1)
    ] = 25_000_000,
) -> None:
    """Answer pictures over HTTP: TensorFlow Serving's REST, KServe's V2 and a page.

    For development. docs/serving.md says what to run in production.
    """
    file = options.model_file(model)
    _check_packages()
    load_tensorflow()
    from tftransfer.server import ServerSettings
    from tftransfer.server import serve as run
    from tftransfer.serving import Predictor

    settings = ServerSettings(
        top_k=top_k,
        max_batch=max_batch,
        batch_wait_ms=batch_wait_ms,
        max_body_mb=max_body_mb,
        max_pixels=max_pixels,
    )
    with working("Loading the model ..."):
        predictor = Predictor(file, engine=engine)
    run(predictor, host=host, port=port, settings=settings)


def _check_packages() -> None:
    """Raise before TensorFlow loads when the packages of the server are absent."""
    import importlib.util

    absent = [
        name
        for name in ("starlette", "uvicorn", "prometheus_client")
        if importlib.util.find_spec(name) is None
    ]
    if absent:
        raise ImportError(
            f"Expected the packages of the server. Received none of the name "
            f"{absent[0]}: `pip install tftransfer[serve]`."
        )
