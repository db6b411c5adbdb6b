"""matplotlib figures as SVG text that takes its ink from the page, light or dark."""

import contextlib
import io
import re
import warnings

import matplotlib
from matplotlib.figure import Figure

ACCENT, WARM, QUIET = "#2a7f9e", "#d9772b", "#8a94a0"

# Drawn in this colour, then replaced by the page's own text colour.
_INK = "#010203"
_STYLE = {
    "axes.edgecolor": QUIET,
    "axes.labelcolor": _INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "font.size": 10,
    "grid.alpha": 0.35,
    "grid.color": QUIET,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "svg.fonttype": "none",
    "text.color": _INK,
    "xtick.color": QUIET,
    "xtick.labelcolor": _INK,
    "ytick.color": QUIET,
    "ytick.labelcolor": _INK,
}


@contextlib.contextmanager
def style(name: str):
    """Draw in the report's style; `name` keeps element ids of two figures apart."""
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of `width` x `height` inches, tied to no window or backend."""
    return Figure(figsize=(width, height), layout="constrained")


def to_svg(figure: Figure, title: str) -> str:
    """Return `figure` as an `<svg>` element for a page.

    Args:
        figure: The figure; drawn within `style`.
        title: Read aloud in place of the picture; must be escaped already.
    """
    buffer = io.StringIO()
    nothing = {"Date": None, "Creator": None}
    with warnings.catch_warnings():
        # The browser's fonts draw the text; that matplotlib's lack a glyph is no loss.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    # Groups are named figure_1, axes_1, ... in every picture; a page's ids are unique.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    label = f'<svg role="img" aria-label="{title}" '
    return text.replace("<svg ", label, 1)
