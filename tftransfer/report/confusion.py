"""The confusion matrix as a picture, from two classes to several hundred."""

import matplotlib.colors
import numpy as np

from tftransfer.report.drawing import ACCENT
from tftransfer.report.drawing import WARM
from tftransfer.report.drawing import new_figure
from tftransfer.report.drawing import style
from tftransfer.report.drawing import to_svg

_NUMBERS_UP_TO = 30
_LABELS_UP_TO = 200
_LONGEST_LABEL = 22
_PAGE_INCHES = 10.8


def draw_confusion(confusion: np.ndarray, class_names) -> str:
    """Draw counts as an SVG element: right ones blue, wrong ones orange.

    A cell's strength is its share of the row, so that rare classes read like frequent
    ones; a single mistake is never invisible. Up to 30 classes the counts are written.

    Args:
        confusion: (classes, classes) counts, rows true, columns predicted.
        class_names: One name per class.
    """
    classes = len(class_names)
    margin = 0.7 + 0.075 * max(len(_short(name)) for name in class_names)
    cell = min(0.5, (_PAGE_INCHES - margin) / classes)
    side = max(2.4, cell * classes) + margin
    with style("confusion"):
        figure = new_figure(side, side)
        axes = figure.subplots()
        colours = cell_colours(confusion)
        axes.imshow(colours, interpolation="none", aspect="equal")
        for edge in axes.spines.values():
            edge.set_visible(True)
        _name_axes(axes, class_names, cell)
        if classes <= _NUMBERS_UP_TO:
            _write_counts(axes, confusion, colours[..., 3])
        return to_svg(figure, "Confusion matrix")


def cell_colours(confusion: np.ndarray) -> np.ndarray:
    """Return (classes, classes, 4) RGBA in [0, 1], transparent where nothing fell."""
    rows = np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    strength = np.sqrt(confusion / rows)
    colours = np.empty((*confusion.shape, 4))
    colours[..., :3] = matplotlib.colors.to_rgb(WARM)
    colours[np.diag_indices(len(confusion))] = (*matplotlib.colors.to_rgb(ACCENT), 1)
    colours[..., 3] = np.where(confusion > 0, 0.15 + 0.85 * strength, 0)
    return colours


def _name_axes(axes, class_names, cell: float) -> None:
    """Name rows and columns in letters that fit a cell of `cell` inches."""
    classes = len(class_names)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if classes > _LABELS_UP_TO:
        return
    names = [_short(name) for name in class_names]
    text = {"fontsize": min(9, 0.8 * 72 * cell), "parse_math": False}
    axes.set_xticks(range(classes), names, rotation=90, **text)
    axes.set_yticks(range(classes), names, **text)
    if classes > _NUMBERS_UP_TO:
        axes.tick_params(length=1.5)


def _write_counts(axes, confusion: np.ndarray, strength: np.ndarray) -> None:
    place = {"ha": "center", "va": "center", "fontsize": 9}
    for (row, column), count in np.ndenumerate(confusion):
        if count:
            ink = {"color": "white"} if strength[row, column] > 0.6 else {}
            axes.text(column, row, int(count), **place, **ink)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"
