"""Progress bars for long work: on stderr, and only where a person looks on."""

from rich.console import Console
from rich.progress import Progress


def progress_bar(shown: bool = True, *, transient: bool = True) -> Progress:
    """Return a rich progress bar that shows itself on terminals and in notebooks.

    Args:
        shown: Whether the caller wants one at all.
        transient: Whether it goes away when the work is done.
    """
    console = Console(stderr=True)
    seen = console.is_terminal or console.is_jupyter
    return Progress(console=console, transient=transient, disable=not (shown and seen))
