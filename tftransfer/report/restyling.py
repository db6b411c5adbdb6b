"""write_restyling_report: target pictures beside what a `Restyler` made of them.

TensorFlow only.
"""

import os
import pathlib
from collections.abc import Mapping

import keras
import numpy as np

from tftransfer.core import as_logits
from tftransfer.core import kind_of_outputs
from tftransfer.domain.target_scores import target_scores
from tftransfer.report import sections
from tftransfer.report.curves import panel_names
from tftransfer.report.domain_drawing import NAMES
from tftransfer.report.domain_drawing import draw_discriminator
from tftransfer.report.environment import environment
from tftransfer.report.html import written_today
from tftransfer.report.metrics import percent
from tftransfer.report.model_facts import describe_model
from tftransfer.report.page import cell
from tftransfer.report.page import page
from tftransfer.report.page import table
from tftransfer.report.pixels import as_uint8
from tftransfer.report.pixels import data_url
from tftransfer.report.rows import class_name
from tftransfer.report.rows import pictures_of
from tftransfer.report.rows import some_of

_SHOWN = 12
_BATCH = 32
_PAIR = ("as they are", "redrawn")
_SCORES = ("information", "snd", "entropy")


def write_restyling_report(
    path: str | os.PathLike,
    model,
    target,
    *,
    source=None,
    history=None,
    class_names: list[str] | None = None,
    settings: Mapping[str, object] | None = None,
    title: str = "Target pictures in the source's look",
) -> dict:
    """Write a self-contained HTML page of what a `Restyler` draws and what that gave.

    The classifier's answers for the pictures of the target as they are, which is the
    source-only baseline, beside those for the redrawn ones: pictures in pairs, scores
    that need no target labels, and with labels the accuracy, called the oracle's.

    Args:
        path: The HTML file; folders above it are made.
        model: A trained `Restyler`.
        target: Target pictures that did not train, alone or with integer labels, which
            are read for the oracle alone: batches in one order, or an array or tuple
            of arrays.
        source: Source pictures in these forms, some of which are shown; None for none.
        history: What `fit` returned, or {name: values per epoch}.
        class_names: In label order; None for numbers.
        settings: What to state under "What was run".
        title: Heading.

    Returns:
        {"as they are", "redrawn": {score: value, ...}, "changed": share of answers
        that redrawing changed}, JSON-safe.

    Raises:
        ValueError: When there are fewer than three pictures.

    Example:
        >>> import keras, numpy as np, tempfile
        >>> from tftransfer.domain import Restyler
        >>> from tftransfer.domain import encoder_decoder, patch_discriminator
        >>> layers = [keras.layers.Flatten(), keras.layers.Dense(3)]
        >>> net = keras.Sequential([keras.Input((8, 8, 3)), *layers])
        >>> generator = encoder_decoder((8, 8, 3), filters=(4,))
        >>> model = Restyler(generator, patch_discriminator((8, 8, 3)), net, scale=255)
        >>> target = [np.full((3, 8, 8, 3), 90.0, "float32")]
        >>> path = tempfile.mkdtemp() + "/restyled.html"
        >>> write_restyling_report(path, model, target)["changed"]
        0.0
    """
    target = _batches(target)
    answers, labels = _answers(model, target)
    numbers = {name: _numbers(answers[name], labels) for name in _PAIR}
    chosen = {name: each.argmax(axis=1) for name, each in answers.items()}
    differing = np.flatnonzero(chosen[_PAIR[0]] != chosen[_PAIR[1]])
    numbers["changed"] = len(differing) / len(chosen[_PAIR[0]])
    rows = some_of(differing, len(chosen[_PAIR[0]]), _SHOWN)
    drawn = _target_pictures(model, target, rows, answers, class_names)
    parts = [
        ("summary", "Summary", _summary(numbers)),
        ("pictures", "Pictures of the target", drawn),
    ]
    if source is not None:
        parts.append(
            ("source", "Pictures of the source", _source(model, _batches(source)))
        )
    logged = getattr(history, "history", history) or {}
    if panel_names(logged):
        parts.append(("training", "Training", _training(logged)))
    groups = {
        "Settings": settings or {},
        "Generator": describe_model(model.generator),
        "Versions": environment(),
    }
    parts.append(("run", "What was run", sections.what_ran(groups)))
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    about = f"{len(chosen[_PAIR[0]])} pictures of the target, {written_today()}"
    path.write_text(page(title, about, parts), encoding="utf-8")
    return numbers


def _batches(domain):
    """Return arrays in batches, and batches as they are."""
    parts = domain if isinstance(domain, tuple) else (domain,)
    if not all(hasattr(part, "shape") for part in parts):
        return domain
    starts = range(0, len(parts[0]), _BATCH)
    return [tuple(part[i : i + _BATCH] for part in parts) for i in starts]


def _answers(model, target) -> tuple[dict, np.ndarray | None]:
    """Return the probabilities of pictures as they are and redrawn, and the labels."""
    kind = kind_of_outputs(model.classifier, "auto", "classifier")
    found, labels = {name: [] for name in _PAIR}, []
    for batch in target:
        x, *rest = batch if isinstance(batch, tuple) else (batch,)
        for name, pictures in zip(_PAIR, (x, model.restyle(x))):
            scores = as_logits(model.classifier(pictures, training=False), kind)
            found[name].append(np.asarray(keras.ops.softmax(scores)))
        labels += [np.ravel(rest[0])] if rest else []
    if not found[_PAIR[0]]:
        raise ValueError("Expected pictures of the target. Received none.")
    joined = {name: np.concatenate(each) for name, each in found.items()}
    return joined, np.concatenate(labels) if labels else None


def _numbers(probabilities: np.ndarray, labels) -> dict:
    found = target_scores(_SCORES, None, probabilities)
    if labels is not None:
        found["oracle_accuracy"] = float((probabilities.argmax(1) == labels).mean())
    return found


def _summary(numbers: dict) -> str:
    rows = [
        [cell(NAMES[key]), *(cell(f"{numbers[name][key]:.4g}") for name in _PAIR)]
        for key in _SCORES
    ]
    if "oracle_accuracy" in numbers[_PAIR[0]]:
        shares = [cell(percent(numbers[name]["oracle_accuracy"])) for name in _PAIR]
        rows.append([cell("oracle accuracy"), *shares])
    return (
        f"{table(['', *_PAIR], rows)}"
        f'<p class="soft">Redrawing changed {percent(numbers["changed"])} of the '
        "answers. What is called oracle is read off the target's labels and chose "
        "nothing; the other lines need none.</p>"
    )


def _target_pictures(model, target, rows, answers, names) -> str:
    before, after = (answers[name] for name in _PAIR)
    shown = []
    for i, (picture, label) in zip(rows, pictures_of(target, rows)):
        changed = before[i].argmax() != after[i].argmax()
        kind = ' class="said"' if changed else ""
        true = (
            ""
            if label is None
            else f"<small>oracle: {class_name(names, label)}</small>"
        )
        texts = [_said(before[i], names) + true]
        texts.append(f"<span{kind}>{_said(after[i], names)}</span>")
        shown.append(_pair(model, picture, texts))
    return (
        '<p class="soft">Each picture as it is and, right of it, redrawn, with the '
        "classifier's answers; coloured where redrawing changed the answer. Redrawn "
        "pictures that no longer show what they showed want a larger "
        "<code>content_weight</code>.</p>"
        f'<div class="twos">{"".join(shown)}</div>'
    )


def _source(model, source) -> str:
    shown, left = [], _SHOWN // 2
    for batch in source:
        for picture in (batch[0] if isinstance(batch, tuple) else batch)[:left]:
            texts = ["as it is", "redrawn"]
            shown.append(_pair(model, np.asarray(picture), texts))
            left -= 1
        if not left:
            break
    return (
        '<p class="soft">The source has its look already: redrawing should leave it as '
        f'it is.</p><div class="twos">{"".join(shown)}</div>'
    )


def _pair(model, picture: np.ndarray, texts: list[str]) -> str:
    drawn = np.asarray(model.restyle(picture[None]))[0]
    figures = "".join(
        f'<figure><img alt="{name}" src="{data_url(_visible(each, model.scale))}">'
        f"<figcaption>{text}</figcaption></figure>"
        for name, each, text in zip(_PAIR, (picture, drawn), texts)
    )
    return f"<div>{figures}</div>"


def _visible(picture: np.ndarray, scale: float) -> np.ndarray:
    pixels = as_uint8(picture.astype("float32") * (255 / scale))
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels


def _said(probabilities: np.ndarray, names) -> str:
    return f"{class_name(names, probabilities.argmax())} {probabilities.max():.0%}"


def _training(logged: Mapping) -> str:
    curve = logged.get("domain_accuracy", [])
    drawn = draw_discriminator(curve) if curve else ""
    rest = {name: each for name, each in logged.items() if name != "domain_accuracy"}
    return drawn + (sections.curves(rest, ()) if panel_names(rest) else "")
