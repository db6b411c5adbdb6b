"""The part of the page on `DomainBias`: two tables and what they mean."""

import html
from collections.abc import Mapping

from tftransfer.report.domain_bias import FEWEST
from tftransfer.report.domain_bias import MOST
from tftransfer.report.domain_bias import DomainBias
from tftransfer.report.metrics import percent
from tftransfer.report.page import cell
from tftransfer.report.page import table


def bias_section(found: Mapping[str, DomainBias]) -> str:
    """Return HTML of both diagnoses for several nets.

    Args:
        found: {name of the net: what `measure_bias` found}.
    """
    return _named(found) + _trained_on_one(found)


def _named(found: Mapping[str, DomainBias]) -> str:
    some = next(iter(found.values()))
    rows = [
        [cell(name), cell(percent(bias.named.accuracy))] for name, bias in found.items()
    ]
    return (
        "<h3>Name that dataset</h3>"
        '<p class="soft">How often a logistic regression on the features says rightly '
        f"which domain a picture is from; {percent(some.named.chance)} is guessing. Of "
        f"{some.named_pictures} pictures of each domain that did not train (at most "
        f"{MOST}), half of them to test on, without class labels.</p>"
        f"{table(['features of the classifier', 'right'], rows)}"
    )


def _trained_on_one(found: Mapping[str, DomainBias]) -> str:
    some = next(iter(found.values()))
    heading = "<h3>Oracle: train on one domain, test on both</h3>"
    if some.table is None:
        return f'{heading}<p class="soft">Not measured: {html.escape(some.absent)}.</p>'
    rows = [row for name, bias in found.items() for row in _rows(name, bias.table)]
    names = [f"on the {name}" for name in some.table.names]
    head = ["features, and trained on", *names, "self", "mean others", "percent drop"]
    return (
        f'{heading}<p class="soft">Accuracy of a logistic regression on the features '
        "that had labels of one domain, on pictures of both that it did not have "
        "(Torralba and Efros, CVPR 2011). It learns from as many pictures of each "
        f"domain, {some.classes} classes with {FEWEST} pictures or more in both and at "
        f"most {some.table_pictures} pictures of a domain (the cap is {MOST}, or "
        f"{FEWEST} of each class); the target's labels train this table alone. At a "
        f"drop of 0% nothing is lost between the domains.</p>{table(head, rows)}"
    )


def _rows(name: str, found) -> list[list[str]]:
    rows = zip(
        found.names,
        found.scores,
        found.self_scores,
        found.mean_others,
        found.percent_drop,
    )
    lines = [
        [
            cell(f"{name}, the {trained}"),
            *(cell(percent(score)) for score in (*scores, own, others)),
            cell(f"{drop:.0f}%"),
        ]
        for trained, scores, own, others, drop in rows
    ]
    means, last = found.scores.mean(axis=0), found.summary
    shares = (*means, last["self"], last["mean_others"])
    mean = [cell(percent(value)) for value in shares]
    drop = cell(f"{last['percent_drop']:.0f}%")
    return [*lines, [cell(f"{name}, mean"), *mean, drop]]
