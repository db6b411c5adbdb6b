"""How the commands talk: text and bars on stderr, results on stdout."""

import contextlib
import dataclasses
import json
import math
import os
import sys
import warnings

from rich.console import Console
from rich.markup import escape


@dataclasses.dataclass
class Session:
    """What holds for one call of the program.

    Attributes:
        debug: Whether errors show their traceback.
    """

    debug: bool = False


SESSION = Session()


def any_name_prints() -> None:
    """Have stdout write `\\udce9` for what is no text in names of files."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")


def errors() -> Console:
    """Return the console of progress and errors, stderr."""
    # emoji: a file may be named `10:100:20.jpg`.
    return Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def say(text: str) -> None:
    """Tell the person something, on stderr."""
    errors().print(escape(text))


def warn(message: str | Warning, *_, **__) -> None:
    """Show a warning as one plain line; takes the place of `warnings.showwarning`."""
    head, *listed = [part.strip() for part in str(message).splitlines()]
    text = f"{head} {'; '.join(listed)}".strip()
    errors().print(f"[yellow]warning:[/] {escape(text)}")


def answer(text: str) -> None:
    """Print a result for a person, on stdout."""
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    console.print(text)


def answer_table(markdown: str) -> None:
    """Print a Markdown table on stdout: drawn on a terminal, as it is elsewhere."""
    console = Console(highlight=False)
    if not console.is_terminal:
        answer(markdown)
        return
    from rich.markdown import Markdown

    console.print(Markdown(markdown))


def answer_json(document) -> None:
    """Print a result for machines: one JSON document on stdout."""
    sys.stdout.write(to_json(document) + "\n")


def to_json(document) -> str:
    """Return JSON text; NaN and infinity, which JSON does not have, become null."""
    return json.dumps(_finite(document), indent=2, ensure_ascii=False)


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextlib.contextmanager
def tidy_warnings():
    """Show warnings of the user's concern in one line each, and no others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("default", category=UserWarning, module="tftransfer")
        warnings.showwarning = warn
        yield


@contextlib.contextmanager
def working(text: str):
    """Show that something of unknown length is going on, on a terminal."""
    console = errors()
    if not console.is_terminal:
        yield
        return
    with console.status(escape(text)):
        yield


def load_tensorflow() -> None:
    """Import TensorFlow and Keras, their chatter held back; takes seconds."""
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _muted_stderr() as console, contextlib.ExitStack() as stack:
        if console.is_terminal:
            stack.enter_context(console.status("Loading TensorFlow ..."))
        import tensorflow as tf

        tf.config.list_physical_devices()
        tf.get_logger().setLevel("ERROR")
        import keras  # noqa: F401


@contextlib.contextmanager
def _muted_stderr():
    """Point file descriptor 2 at nothing; yields a console on what it was."""
    # TensorFlow's C++ writes there before any of its settings is read.
    sys.stderr.flush()
    kept = os.dup(2)
    with os.fdopen(os.dup(2), "w") as terminal, open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
        try:
            yield Console(file=terminal, highlight=False)
        finally:
            os.dup2(kept, 2)
            os.close(kept)
