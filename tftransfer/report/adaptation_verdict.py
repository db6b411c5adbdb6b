"""Did adaptation help? By scores without labels, and by an oracle if there is one."""

import dataclasses

import numpy as np
from scipy.stats import binomtest

from tftransfer.domain.carried import VALIDATORS
from tftransfer.report.domains import DomainFacts
from tftransfer.report.metrics import percent


@dataclasses.dataclass(frozen=True)
class AdaptationVerdict:
    """What can be said of an adaptation.

    Attributes:
        adapted: Whether other weights than the source-only ones were kept.
        better: Validators by which the adapted classifier is better.
        worse: Those by which it is worse.
        agreement: Share of the target for which both classifiers answer alike.
        oracle_gain: Accuracy on the target by its labels, adapted less source-only;
            None without labels.
        chance: Probability of as uneven a split of the pictures that one alone has
            right between equally good classifiers (exact sign test); None without.
        warning: Whether the oracle says that it hurt, or without one, whether nothing
            was kept.
        text: All that for a person; what the oracle says is a line of its own.
    """

    adapted: bool
    better: tuple[str, ...]
    worse: tuple[str, ...]
    agreement: float
    oracle_gain: float | None
    chance: float | None
    warning: bool
    text: str


def judge_adaptation(
    before: DomainFacts, after: DomainFacts, history
) -> AdaptationVerdict:
    """Compare an adapted classifier with the source-only one.

    Args:
        before: Of the source-only classifier.
        after: Of the adapted one.
        history: What `adapt` returned.
    """
    chosen, best = history.plan.validator, history.best["epoch"]
    gains = {k: s * (after.scores[k] - before.scores[k]) for k, s in VALIDATORS.items()}
    better = tuple(name for name, gain in gains.items() if best and gain > 0)
    worse = tuple(name for name, gain in gains.items() if best and gain < 0)
    agreement = float((before.predictions == after.predictions).mean())
    if best:
        text = _helped(before, after, chosen, best, better, worse)
        text += f" Both classifiers give {percent(agreement)} of the target the same "
        text += (
            "answer; on the source's validation pictures "
            f"{percent(before.source_accuracy)} were right before and "
            f"{percent(after.source_accuracy)} are now."
        )
    else:
        text = _kept(before, chosen, history)
    gain = chance = None
    if after.target_right is not None:
        gain = after.oracle - before.oracle
        mine = int((after.target_right & ~before.target_right).sum())
        its = int((before.target_right & ~after.target_right).sum())
        chance = float(binomtest(mine, mine + its).pvalue) if mine + its else 1.0
        text += "\n" + _oracle(before, after, mine, its, chance, best)
    warning = not best if gain is None else gain < 0 or not best
    return AdaptationVerdict(
        bool(best), better, worse, agreement, gain, chance, warning, text
    )


def other_choices(history) -> dict[str, int]:
    """Return {validator: epoch that it would have chosen} of those that did not."""
    found = {}
    out = np.isnan(history.history.get("val_score", []))
    for name, sign in VALIDATORS.items():
        key = f"val_{name}"
        if name == history.plan.validator or key not in history.start:
            continue
        values = sign * np.asarray(history.history.get(key, []))
        values = [sign * history.start[key], *np.where(out, -np.inf, values)]
        found[name] = int(np.argmax(values))
    return found


def _kept(before: DomainFacts, chosen: str, history) -> str:
    text = (
        f"Without labels: adaptation did not help. By '{chosen}', which chose, no "
        "epoch was better than the source-only weights "
        f"({before.scores[chosen]:.4g}); these were kept."
    )
    others = [f"{k} epoch {e}" for k, e in other_choices(history).items() if e]
    if others:
        text += (
            f" Others would have chosen one: {', '.join(others)}. Look at the curves "
            "and at answers in the report before you trust either."
        )
    return f"{text} Try another method, a lower rate, or more pictures of the target."


def _helped(before, after, chosen, best, better, worse) -> str:
    text = (
        f"Without labels: adaptation helped by '{chosen}', which chose epoch {best}: "
        f"{before.scores[chosen]:.4g} before, "
        f"{after.scores[chosen]:.4g} after."
    )
    others = [name for name in better if name != chosen]
    against = [name for name in worse if name != chosen]
    if others:
        text += f" Of the other validators {_listed(others)} agree{'s' * _one(others)}."
    if against:
        text += f" Against it: {_listed(against)}."
    return text


def _oracle(before, after, mine: int, its: int, chance: float, best: int) -> str:
    known, total = len(after.target_right), len(after.predictions)
    pictures = f"{known} pictures"
    if known < total:
        pictures = f"the {known} pictures with a label, of {total},"
    text = (
        "By the oracle, the target's labels, which chose nothing: source-only "
        f"{percent(before.oracle)} of {pictures} right, "
        f"adapted {percent(after.oracle)}"
    )
    if not best:
        return f"{text}, the same weights."
    text += f"; {mine} right after adaptation alone, {its} before alone. "
    if mine == its:
        return text + "It made no difference."
    helped = "helped" if mine > its else "hurt"
    if chance < 0.05:
        return f"{text}Adaptation {helped}, and chance does not explain it."
    return (
        f"{text}It {helped}, but equally good classifiers differ so much or more in "
        f"{percent(chance)} of cases."
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:-1]) + " and " * bool(names[1:]) + names[-1]


def _one(names: list[str]) -> bool:
    return len(names) == 1
