"""Calibration as a picture: what the model claims against how often it is right."""

import numpy as np

from tftransfer.report.drawing import ACCENT
from tftransfer.report.drawing import QUIET
from tftransfer.report.drawing import WARM
from tftransfer.report.drawing import new_figure
from tftransfer.report.drawing import style
from tftransfer.report.drawing import to_svg
from tftransfer.report.metrics import Calibration


def draw_reliability(calibration: Calibration) -> str:
    """Draw accuracy per bin of confidence, and how many pictures each bin holds.

    Args:
        calibration: As `Evaluation.calibration`.
    """
    with style("reliability"):
        figure = new_figure(4.6, 4.4)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        left, width = calibration.edges[:-1], np.diff(calibration.edges)
        bar = {"align": "edge", "edgecolor": "none"}
        heights = np.nan_to_num(calibration.accuracy)
        above.bar(left, heights, 0.92 * width, color=ACCENT, label="observed", **bar)
        above.plot([0, 1], [0, 1], color=WARM, linestyle="--", label="ideal")
        above.set_ylabel("accuracy")
        above.set_ylim(0, 1.02)
        above.legend(loc="upper left")
        below.bar(left, calibration.counts, 0.92 * width, color=QUIET, **bar)
        below.set_ylabel("pictures")
        below.set_xlabel("stated confidence")
        below.set_xlim(0, 1)
        return to_svg(figure, "Calibration")
