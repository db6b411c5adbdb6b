"""Errors of a command as one line and an exit code.

0: done. 1: an error, or some pictures failed. 2: wrong usage. 130: Ctrl-C.
"""

import functools
from collections.abc import Callable

import typer
from rich.markup import escape

from tftransfer.cli.console import SESSION
from tftransfer.cli.console import errors
from tftransfer.cli.console import tidy_warnings


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with a line on what was kept and how to go on."""


def guarded(command: Callable) -> Callable:
    """Return `command` with its errors shown as the program shows them."""

    @functools.wraps(command)
    def run(*args, **kwargs):
        try:
            with tidy_warnings():
                return command(*args, **kwargs)
        except KeyboardInterrupt as error:
            errors().print(f"[red]interrupted.[/] {escape(str(error))}")
            raise typer.Exit(130) from error
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except Exception as error:
            if SESSION.debug:
                raise
            text = " ".join(str(error).split()) or type(error).__name__
            errors().print(f"[red]error:[/] {escape(text)}")
            raise typer.Exit(1) from error

    return run
