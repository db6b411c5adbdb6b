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

_LONGEST = 1000  # characters; some errors of TensorFlow and Keras are pages long


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
            errors().print(f"[red]interrupted.[/] {escape(str(error))}".rstrip())
            raise typer.Exit(130) from error
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise  # typer's own affair; `| head` is no error
        except Exception as error:
            if SESSION.debug:
                raise
            errors().print(f"[red]error:[/] {escape(_one_line(error))}")
            raise typer.Exit(1) from error

    return run


def _one_line(error: Exception) -> str:
    """Return an error's text, shortened, with its kind where it is not one of ours."""
    text = " ".join(str(error).split())
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} ... (whole: `tftransfer --debug`)"
    if isinstance(error, ValueError | TypeError | OSError) and text:
        return text
    return f"{type(error).__name__}: {text} (traceback: `tftransfer --debug`)"
