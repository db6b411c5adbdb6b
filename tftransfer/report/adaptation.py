"""write_adaptation_report: source-only and adapted classifier on one page."""

import html
import os
import pathlib
from collections.abc import Mapping

import numpy as np

from tftransfer.callbacks import DomainCollapse
from tftransfer.domain.carried import VALIDATORS
from tftransfer.domain.passes import APART
from tftransfer.report import sections
from tftransfer.report.adaptation_verdict import AdaptationVerdict
from tftransfer.report.adaptation_verdict import other_choices
from tftransfer.report.curves import panel_names
from tftransfer.report.domain_bias_section import bias_section
from tftransfer.report.domain_drawing import NAMES
from tftransfer.report.domain_drawing import draw_choice
from tftransfer.report.domain_drawing import draw_discriminator
from tftransfer.report.domain_drawing import draw_domains
from tftransfer.report.domains import DomainFacts
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

SOURCE_ONLY, ADAPTED = "source-only", "adapted"
_SHOWN = 12


def write_adaptation_report(
    path: str | os.PathLike,
    models: Mapping,
    facts: Mapping[str, DomainFacts],
    target,
    *,
    verdict: AdaptationVerdict,
    history,
    settings: Mapping[str, object] | None = None,
    title: str = "Adapted classifier",
) -> None:
    """Write a self-contained HTML page of what adaptation achieved.

    Args:
        path: The HTML file; folders above it are made.
        models: {`SOURCE_ONLY`, `ADAPTED`: `Classifier`}.
        facts: What `measure_adaptation` found of them.
        target: Dataset of all pictures of the target, in the order measured; some are
            shown. Labels, where it has any, are shown as the oracle's; below 0 they
            are unknown.
        verdict: Of the two.
        history: What `adapt` returned.
        settings: What to state under "What was run".
        title: Heading.
    """
    parts = [
        ("summary", "Summary", _summary(facts, verdict)),
        ("choice", "How the epoch was chosen", _choice(history)),
        ("domains", "Both domains", _domains(facts)),
        ("pictures", "Pictures of the target", _pictures(models, facts, target)),
        ("training", "Training", _training(history)),
    ]
    groups = {
        "Settings": settings or {},
        "Classifier": describe_model(models[ADAPTED]),
        "Versions": environment(),
    }
    parts.append(("run", "What was run", sections.what_ran(groups)))
    count = len(facts[ADAPTED].predictions)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    about = f"{count} pictures of the target, {written_today()}"
    path.write_text(page(title, about, parts), encoding="utf-8")


def comparison_rows(facts: Mapping[str, DomainFacts]) -> list[list[str]]:
    """Return the table of both classifiers as plain text, its heading first."""
    names = [*facts]
    rows = [["", *names]]
    for key, text in NAMES.items():
        rows.append([text, *(f"{facts[n].scores[key]:.4g}" for n in names)])
    rows.append(
        [
            "distance of the domains (proxy A-distance, 0 to 2)",
            *(f"{facts[n].a_distance:.3f}" for n in names),
        ]
    )
    rows.append(
        [
            "accuracy on the source's validation",
            *(percent(facts[n].source_accuracy) for n in names),
        ]
    )
    if facts[names[0]].target_right is not None:
        rows.append(
            [
                "oracle accuracy on the target",
                *(_with_interval(facts[n].numbers()) for n in names),
            ]
        )
    return rows


def _with_interval(numbers: dict) -> str:
    low, high = numbers["oracle_interval"]
    return f"{percent(numbers['oracle_accuracy'])} ({percent(low)} to {percent(high)})"


def _summary(facts, verdict: AdaptationVerdict) -> str:
    before, after = facts[SOURCE_ONLY], facts[ADAPTED]
    figures = {
        f"of {len(VALIDATORS)} validators prefer the adapted one": str(
            len(verdict.better)
        ),
        "of the target with the same answer": percent(verdict.agreement),
        f"A-distance, before {before.a_distance:.2f}": f"{after.a_distance:.2f}",
        f"right of the source, before {percent(before.source_accuracy)}": percent(
            after.source_accuracy
        ),
    }
    if verdict.oracle_gain is not None:
        text = f"oracle accuracy on the target, before {percent(before.oracle)}"
        figures[text] = percent(after.oracle)
    boxes = "".join(
        f"<div><b>{number}</b><span>{html.escape(text)}</span></div>"
        for text, number in figures.items()
    )
    head, *rows = comparison_rows(facts)
    cells = [[cell(value) for value in row] for row in rows]
    kind = ' class="alarm"' if verdict.warning else ""
    said = "".join(
        f"<p{kind}>{html.escape(line)}</p>" for line in verdict.text.splitlines()
    )
    return (
        f'<div class="figures">{boxes}</div>{said}'
        f"{table(head, cells)}"
        '<p class="soft">The first five lines are of target pictures that did not '
        "train, without their labels; they compare two nets on these pictures and say "
        "nothing by themselves. The distance is that of these pictures' features from "
        "those of the source's validation pictures: small is needed, but not enough. "
        "What is called oracle is read off the target's labels, is of all its "
        "pictures that have one, also of those that trained, and chose nothing.</p>"
    )


def _choice(history) -> str:
    best, chosen = history.best["epoch"], history.plan.validator
    drawn = draw_choice(history.start, history.history, best, chosen)
    kept = f"epoch {best}" if best else "epoch 0, the source-only weights"
    lost = int(np.isnan(history.history.get("val_score", [])).sum())
    note = (
        f" {lost} of {len(history.epoch)} epochs were none to choose: they lost more "
        "than a tenth of the accuracy on the source."
    )
    apart = (
        " In training the source was read by averages of its own; the saved net has "
        "the target's alone, with which the distance of the domains and the accuracy "
        "on the source above are measured."
    )
    return (
        f'<p class="soft">By {html.escape(NAMES[chosen])}, measured after each epoch '
        f"on {history.plan.held_out} target pictures without labels. The dot is what "
        f"was kept: {kept}. {_others(history)}Epoch 0 is the classifier before "
        f"adaptation.{note * (lost > 0)}{apart * (history.plan.batch_norm in APART)}"
        f"</p>{drawn}"
    )


def _others(history) -> str:
    found = other_choices(history)
    return "".join(f"By {name} it would be epoch {e}. " for name, e in found.items())


def _domains(facts) -> str:
    pairs = {
        name: (found.source_features, found.target_features)
        for name, found in facts.items()
    }
    return (
        '<p class="soft">Features of pictures that did not train on the two main axes '
        "(PCA, of both domains together, anew for each classifier). Domains that lie "
        "apart here are apart; where they overlap, other axes may still tell them: the "
        f"A-distance looks at all.</p>{draw_domains(pairs)}"
        f"{bias_section({name: found.bias for name, found in facts.items()})}"
    )


def _pictures(models, facts, target) -> str:
    before, after = facts[SOURCE_ONLY], facts[ADAPTED]
    names = models[ADAPTED].class_names
    differing = np.flatnonzero(before.predictions != after.predictions)
    chosen = some_of(differing, len(after.predictions), _SHOWN)
    shown = []
    for i, (picture, label) in zip(chosen, pictures_of(target, chosen)):
        differ = before.predictions[i] != after.predictions[i]
        known = label is not None and label >= 0
        true = f"<small>oracle: {class_name(names, label)}</small>" if known else ""
        kind = ' class="said"' if differ else ""
        shown.append(
            f'<figure><img alt="picture {i}" src="{data_url(as_uint8(picture))}">'
            f"<figcaption>before: {_answer(before, i, names)}<br>"
            f"<span{kind}>after: {_answer(after, i, names)}</span>{true}"
            "</figcaption></figure>"
        )
    return (
        f'<p class="soft">Answers of the {SOURCE_ONLY} classifier (before) and of the '
        f"{ADAPTED} one (after). They differ for {len(differing)} of "
        f"{len(after.predictions)} pictures; where there are such, half of those shown "
        f'are, coloured.</p><div class="mistakes">{"".join(shown)}</div>'
    )


def _answer(facts: DomainFacts, i: int, names) -> str:
    return f"{class_name(names, facts.predictions[i])} {facts.confidence[i]:.0%}"


def _training(history) -> str:
    logged = history.history
    found = ""
    curve = logged.get("domain_accuracy", [])
    if curve:
        warning = DomainCollapse().warning(curve)
        text = (
            "How well the discriminator tells the domains, each counting half. It "
            "should learn at first and then lose: near 50% the features hide the domain"
        )
        found += f'<p class="soft">{text}.</p>' + (
            f'<p class="alarm">{html.escape(warning)}</p>' if warning else ""
        )
        found += draw_discriminator(curve)
    rest = {
        name: values
        for name, values in logged.items()
        if name != "domain_accuracy" and not name.startswith("val_")
    }
    return found + (sections.curves(rest, ()) if panel_names(rest) else "")
