"""`tftransfer backbones`: the catalogue as a table."""

import dataclasses
from typing import Annotated

import typer

from tftransfer.cli import options
from tftransfer.cli.console import answer_json


def backbones(
    max_size: Annotated[
        float | None, typer.Option(help="Largest weight file in megabytes.")
    ] = None,
    sort: Annotated[
        str, typer.Option(help="name, family, size_mb, parameters, depth, top1, top5.")
    ] = "name",
    json_output: options.Json = False,
) -> None:
    """List the pretrained backbones: size, depth and ImageNet accuracy."""
    from tftransfer.backbones import catalogue

    rows = catalogue(max_size_mb=max_size, sort=sort)
    if json_output:
        answer_json([dataclasses.asdict(row) for row in rows])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    table.add_column("name")
    for heading in ("MB", "parameters", "depth", "top-1 %", "top-5 %", "pixels"):
        table.add_column(heading, justify="right")
    for row in rows:
        numbers = (
            row.size_mb,
            f"{row.parameters:,}",
            row.depth,
            row.top1,
            row.top5,
            row.image_size,
        )
        table.add_row(row.name, *["-" if n is None else str(n) for n in numbers])
    Console(highlight=False).print(table)
