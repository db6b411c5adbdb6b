"""The report's sections, each from numbers to HTML."""

import html
import math
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from tftransfer.report.confusion import draw_confusion
from tftransfer.report.curves import draw_curves
from tftransfer.report.evaluation import Evaluation
from tftransfer.report.metrics import percent
from tftransfer.report.page import cell
from tftransfer.report.page import table
from tftransfer.report.pixels import data_url
from tftransfer.report.reliability import draw_reliability


def summary(evaluation: Evaluation) -> str:
    """Return the main numbers, accuracy with its interval first."""
    low, high = evaluation.interval
    recalls = [row.recall for row in evaluation.per_class if row.support]
    figures = [
        (
            percent(evaluation.accuracy),
            f"accuracy, 95% interval {percent(low)} to {percent(high)}",
        ),
        (f"{evaluation.correct} / {evaluation.count}", "pictures right"),
        (percent(sum(recalls) / len(recalls)), "mean recall over the classes"),
    ]
    if evaluation.top5_accuracy is not None:
        figures.append((percent(evaluation.top5_accuracy), "class among the best five"))
    figures.append((percent(evaluation.calibration.error), "calibration error (ECE)"))
    figures.append((f"{evaluation.mean_log_loss:.3f}", "mean log loss"))
    boxes = "".join(
        f"<div><b>{number}</b><span>{html.escape(text)}</span></div>"
        for number, text in figures
    )
    return f'<div class="figures">{boxes}</div>{_caution(evaluation)}'


def _caution(evaluation: Evaluation) -> str:
    """Say in words how much the accuracy can be relied on."""
    low, high = evaluation.interval
    thin = [row.name for row in evaluation.per_class if row.support < 10]
    notes = [
        f"Measured once on {evaluation.count} pictures that were not trained on. With "
        f"95% confidence, between {percent(low)} and {percent(high)} of all pictures "
        "of the same kind are classified rightly; of another kind it may be fewer. If "
        "these pictures also chose the epoch or the settings, the number is slightly "
        "optimistic."
    ]
    if thin:
        shown = ", ".join(thin[:8]) + (" ..." if len(thin) > 8 else "")
        notes.append(
            f"{len(thin)} of {len(evaluation.class_names)} classes have fewer than ten "
            f"pictures here ({shown}): their rows in the table below say little."
        )
    return "".join(f'<p class="soft">{html.escape(note)}</p>' for note in notes)


def curves(history: Mapping[str, Sequence], phase_ends: tuple[int, ...]) -> str:
    """Return the training curves."""
    note = ""
    if phase_ends:
        note = (
            '<p class="soft">Dotted line: until there the head alone was trained, from '
            "there on deeper layers too.</p>"
        )
    return note + draw_curves(history, phase_ends=phase_ends)


def class_table(evaluation: Evaluation, trained_on: Sequence[int] | None) -> str:
    """Return precision, recall and F1 per class, the weakest class first."""
    head = ["class", "pictures", "precision", "recall", "F1"]
    if trained_on is not None:
        head.insert(1, "trained on")
    numbered = list(enumerate(evaluation.per_class))
    numbered.sort(key=lambda item: 2 if math.isnan(item[1].f1) else item[1].f1)
    rows = []
    for number, scores in numbered:
        row = [cell(scores.name, value=scores.name), cell(scores.support)]
        if trained_on is not None:
            row.insert(1, cell(trained_on[number]))
        row += [
            cell(percent(v), value=_key(v)) for v in (scores.precision, scores.recall)
        ]
        rows.append([*row, _bar_cell(scores.f1)])
    return (
        '<p class="soft">Precision: of the pictures taken for this class, how many are '
        "of it. Recall: of its pictures, how many were found. A click on a heading "
        "sorts.</p>" + table(head, rows, sortable=True)
    )


def confusion(evaluation: Evaluation) -> str:
    """Return the matrix and the pairs most often confused."""
    pairs = evaluation.most_confused()
    rows = [[cell(true), cell(said), cell(count)] for true, said, count in pairs]
    drawn = draw_confusion(evaluation.confusion, evaluation.class_names)
    text = (
        '<p class="soft">Rows are the true class, columns the answer; a cell is the '
        "stronger, the larger its share of the row.</p>"
        f"{drawn}"
    )
    if not rows:
        return text + "<p>No picture was confused with another class.</p>"
    return (
        text
        + "<h3>Most often confused</h3>"
        + table(["true class", "taken for", "pictures"], rows, kind="pairs")
    )


def mistakes(evaluation: Evaluation) -> str:
    """Return the confident mistakes as pictures."""
    if not evaluation.mistakes:
        return "<p>The model made no mistake on these pictures.</p>"
    names = evaluation.class_names
    shown = []
    for mistake in evaluation.mistakes:
        where = mistake.path.replace("\\", "/").split("/")[-1] if mistake.path else ""
        place = where or f"picture {mistake.index}"
        said, true = names[mistake.prediction], names[mistake.label]
        shown.append(
            f'<figure><img alt="{html.escape(true)}" '
            f'src="{data_url(mistake.thumbnail)}">'
            f'<figcaption><span class="said">{html.escape(said)}</span> '
            f"{mistake.score:.0%}<br>is {html.escape(true)} "
            f"({mistake.true_score:.0%})<small>{html.escape(place)}</small>"
            "</figcaption></figure>"
        )
    wrong = evaluation.count - evaluation.correct
    return (
        f'<p class="soft">The {len(shown)} most confident of {wrong} mistakes: what '
        "the model said and how sure it was, then what it is. Look for wrong labels "
        f'among them.</p><div class="mistakes">{"".join(shown)}</div>'
    )


def calibration(evaluation: Evaluation) -> str:
    """Return the reliability diagram and what it means."""
    found = evaluation.calibration
    stated = float(evaluation.scores.mean())
    gap = stated - evaluation.accuracy
    if abs(gap) < 0.02:
        verdict = "On average the stated confidence is what it should be."
    elif gap > 0:
        verdict = f"The model is too sure of itself, by {percent(gap)} on average."
    else:
        verdict = (
            f"The model is less sure than it could be, by {percent(-gap)} on average."
        )
    return (
        f"<p>{verdict} Mean confidence {percent(stated)}, accuracy "
        f"{percent(evaluation.accuracy)}, expected calibration error "
        f"{percent(found.error)} in {len(found.counts)} bins.</p>"
        f"{draw_reliability(found)}"
    )


def of_classifier(evaluation: Evaluation, train=None) -> list[tuple[str, str, str]]:
    """Return (anchor, heading, HTML) of what every classifier's report has.

    Args:
        evaluation: Of the classifier.
        train: Training dataset, whose labels give the column "trained on", or None.
    """
    trained_on = _labels_per_class(train, len(evaluation.class_names))
    return [
        ("classes", "Classes", class_table(evaluation, trained_on)),
        ("confusion", "Confusion", confusion(evaluation)),
        ("mistakes", "Worst mistakes", mistakes(evaluation)),
        ("calibration", "Calibration", calibration(evaluation)),
    ]


def what_ran(groups: Mapping[str, Mapping]) -> str:
    """Return tables of settings and versions, one per group."""
    parts = []
    for heading, values in groups.items():
        rows = [[cell(name), cell(value)] for name, value in values.items()]
        parts.append(
            f"<div><h3>{html.escape(heading)}</h3>"
            f"{table([], rows, kind='words') if rows else '<p>None given.</p>'}"
            "</div>"
        )
    return f'<div class="pair">{"".join(parts)}</div>'


def _key(share: float) -> float:
    return -1.0 if math.isnan(share) else share


def _bar_cell(share: float) -> str:
    width = 0 if math.isnan(share) else round(100 * share)
    return (
        f'<td data-value="{_key(share)}"><span class="bar">'
        f'<i style="width:{width}%"></i></span>{percent(share)}</td>'
    )


def _labels_per_class(train, classes: int) -> list[int] | None:
    labels = getattr(train, "labels", None)
    if labels is None:
        return None
    return np.bincount(np.asarray(labels, "int64"), minlength=classes).tolist()
