"""Training curves: every logged quantity, training and validation in one panel."""

import math

import numpy as np

from tftransfer.report.drawing import ACCENT
from tftransfer.report.drawing import QUIET
from tftransfer.report.drawing import WARM
from tftransfer.report.drawing import new_figure
from tftransfer.report.drawing import style
from tftransfer.report.drawing import to_svg

_SHARES = ("accuracy", "precision", "recall", "auc")


def draw_curves(history: dict[str, list], *, phase_ends: tuple[int, ...] = ()) -> str:
    """Draw one panel per quantity of a Keras history as an SVG element.

    Args:
        history: {name: values per epoch}, "val_" before the validation's names.
        phase_ends: Numbers of epochs after which a new phase of training began.

    Raises:
        ValueError: When the history holds no epoch.
    """
    names = panel_names(history)
    if not names:
        raise ValueError(
            "Expected a history with at least one epoch. Received: "
            f"{sorted(history) or 'no quantity'}."
        )
    columns = min(2, len(names))
    rows = math.ceil(len(names) / columns)
    with style("curves"):
        figure = new_figure(4.6 * columns, 2.9 * rows)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid[len(names) :]:
            axes.set_axis_off()
        for axes, name in zip(grid, names):
            _panel(axes, name, history, phase_ends)
        return to_svg(figure, "Training curves")


def panel_names(history: dict[str, list]) -> list[str]:
    """Return the quantities to draw: loss, then accuracy, then the rest."""
    plain = [name for name, values in history.items() if len(values)]
    names = {name.removeprefix("val_") for name in plain}
    first = [name for name in ("loss", "accuracy") if name in names]
    return first + sorted(names - set(first))


def _panel(axes, name: str, history: dict, phase_ends: tuple[int, ...]) -> None:
    train, validation = history.get(name, []), history.get(f"val_{name}", [])
    _line(axes, train, ACCENT, "training", "-")
    _line(axes, validation, WARM, "validation", "-")
    for end in phase_ends:
        axes.axvline(end + 0.5, color=QUIET, linestyle=":", linewidth=1)
    axes.set_title(name.replace("_", " "))
    axes.set_xlabel("epoch")
    axes.set_xlim(0.5, max(len(train), len(validation)) + 0.5)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="y")
    if name == "learning_rate":
        axes.set_yscale("log")
    elif any(part in name for part in _SHARES):
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g}%")
    if len(train) and len(validation):
        axes.legend()


def _line(axes, values, color: str, label: str, dashes: str) -> None:
    if len(values):
        marker = "o" if len(values) <= 12 else None
        epochs = np.arange(1, len(values) + 1)
        axes.plot(epochs, values, dashes, color=color, label=label, marker=marker, ms=4)
