"""`tftransfer launch`: one command as several workers on this machine."""

import sys
from typing import Annotated

import typer

from tftransfer.cli.console import say


def launch(
    context: typer.Context,
    local: Annotated[
        int, typer.Option("--local", help="Number of workers on this machine.", min=1)
    ],
) -> None:
    """Run a command of this program as several workers of one job.

    Example: tftransfer launch --local 2 train pictures/ --epochs 5
    """
    from tftransfer.distribute.launching import launch_local

    if not context.args or context.args[0] != "train":
        raise typer.BadParameter(
            "Expected `train` and its options behind --local N: the command that "
            f"several workers can share. Received: {' '.join(context.args) or 'none'}."
        )
    command = [sys.executable, "-m", "tftransfer.cli.main", *context.args]
    status = launch_local(command, local, say=say)
    if status:
        raise typer.Exit(status)
