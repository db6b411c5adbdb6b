"""write_model_card: a Markdown card that travels beside a trained model."""

import datetime
import os
import pathlib
from collections.abc import Mapping

import keras

from tftransfer.report.environment import environment
from tftransfer.report.evaluation import Evaluation
from tftransfer.report.metrics import percent
from tftransfer.report.model_facts import describe_model
from tftransfer.report.model_facts import input_size

_UNSTATED = "Not stated by whoever trained this model; fill in before it is passed on."


def write_model_card(
    path: str | os.PathLike,
    model: keras.Model,
    evaluation: Evaluation,
    *,
    title: str | None = None,
    intended_use: str | None = None,
    data: str | None = None,
    weights_license: str | None = None,
    settings: Mapping[str, object] | None = None,
    measured_against: str = "labels",
) -> pathlib.Path:
    """Write a model card: use, data, metrics, preprocessing, limits, versions, licence.

    What is not known is said to be unknown, never guessed.

    Args:
        path: The Markdown file; folders above it are made.
        model: The trained model.
        evaluation: From `evaluate_classifier` or `write_report`.
        title: Heading; None for the model's name.
        intended_use: What the model is for, and what not.
        data: Where the pictures come from and under which terms.
        weights_license: Licence of the pretrained weights that training began with.
        settings: How it was trained, {name: value}.
        measured_against: What "right" means, where it is not the pictures' labels.

    Returns:
        The path written.

    References:
        Mitchell et al., Model Cards for Model Reporting, FAT* 2019, arXiv:1810.03993.
    """
    parts = {
        "Intended use": intended_use or _UNSTATED,
        "Data": f"{data or _UNSTATED}\n\n{_classes(evaluation)}",
        "Metrics": _metrics(evaluation, measured_against),
        "Preprocessing": _preprocessing(model),
        "Limits": _limits(evaluation),
        "Model": _table(describe_model(model)),
        "Training": _table(settings or {}) or "Settings were not recorded.",
        "Versions": _table(environment()),
        "Licence of the weights": weights_license or _license_note(model),
    }
    title = _escape(title or model.name)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    blocks = [f"# {title}", f"Image classifier, written {today} by tftransfer."]
    blocks += [f"## {heading}\n\n{body}" for heading, body in parts.items()]
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return path


def _classes(evaluation: Evaluation) -> str:
    names = ", ".join(map(_escape, evaluation.class_names))
    return f"{len(evaluation.class_names)} classes: {names}."


def _metrics(evaluation: Evaluation, against: str) -> str:
    low, high = evaluation.interval
    interval = f"(95% interval {percent(low)} to {percent(high)})"
    name = "Accuracy" if against == "labels" else f"Agreement with {against}"
    rows = {
        name: f"{percent(evaluation.accuracy)} {interval}",
        "Pictures": f"{evaluation.count}, not trained on",
        "Mean log loss": f"{evaluation.mean_log_loss:.3f}",
        "Expected calibration error": percent(evaluation.calibration.error),
    }
    if evaluation.top5_accuracy is not None:
        rows["Class among the best five"] = percent(evaluation.top5_accuracy)
    text = _table(rows)
    weakest = sorted(
        (row for row in evaluation.per_class if row.support), key=lambda row: row.recall
    )[:5]
    listed = ", ".join(
        f"{_escape(row.name)} {percent(row.recall)} of {row.support}" for row in weakest
    )
    return f"{text}\n\nLowest recall: {listed}."


def _preprocessing(model: keras.Model) -> str:
    return (
        f"RGB pictures of {input_size(model)} with values in [0, 255]; scaling "
        "is inside the model. `tftransfer.data` and exported SavedModels bring "
        "pictures there the same way: EXIF rotation undone, transparency laid over "
        "white, the short side resized with antialiased bilinear interpolation to at "
        "most 256/224 of the size, the middle square cut out."
    )


def _limits(evaluation: Evaluation) -> str:
    thin = [_escape(row.name) for row in evaluation.per_class if row.support < 10]
    lines = [
        "It always answers with one of its classes, also for pictures of none of them.",
        "The metrics hold for pictures like those it was measured on; other cameras, "
        "places or times may give less.",
        "If the validation pictures also chose the epoch or the settings, the accuracy "
        "above is slightly optimistic.",
    ]
    if thin:
        lines.append(
            f"{len(thin)} of {len(evaluation.class_names)} classes "
            f"{'was' if len(thin) == 1 else 'were'} measured on fewer than ten "
            f"pictures: {', '.join(thin)}. Their recall is not reliable."
        )
    return "\n".join(f"- {line}" for line in lines)


def _license_note(model: keras.Model) -> str:
    if getattr(model, "backbone", None) is None:
        return _UNSTATED
    return (
        "Not recorded. Pretrained weights keep the terms of whoever published them "
        "(for keras.applications see https://keras.io/api/applications/), and the "
        "pictures they were trained on may carry terms of their own."
    )


def _table(rows: Mapping[str, object]) -> str:
    if not rows:
        return ""
    lines = [f"| {_escape(name)} | {_escape(value)} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _escape(text: object) -> str:
    """Return `text` on one line, harmless in Markdown and in a table cell."""
    line = " ".join(str(text).split()).replace("\\", "\\\\").replace("|", "\\|")
    for sign in "`*_[]<>#":
        line = line.replace(sign, f"\\{sign}")
    return line
