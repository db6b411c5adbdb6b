"""Did adaptation help? By scores without labels, and by an oracle if there is one."""

import dataclasses

import numpy as np
from scipy.stats import binomtest

from tftransfer.domain.carried import VALIDATORS
from tftransfer.report.adaptation_noise import DRAWS
from tftransfer.report.adaptation_noise import LEAST
from tftransfer.report.adaptation_noise import gain_interval
from tftransfer.report.adaptation_noise import least_gain
from tftransfer.report.domains import DomainFacts
from tftransfer.report.metrics import percent


@dataclasses.dataclass(frozen=True)
class AdaptationVerdict:
    """What can be said of an adaptation.

    Attributes:
        adapted: Whether other weights than the source-only ones were kept.
        no_difference: Whether, without labels, nothing was kept, all answers are as
            before, or the gain by the validator that chose is within noise.
        gain_interval: Where that gain lies in 95 % of paired draws of the pictures,
            above 0 for better; zeros where nothing was kept.
        better: Validators by which the adapted classifier is better, beyond noise.
        worse: Those by which it is worse, beyond noise.
        agreement: Share of the target for which both classifiers answer alike.
        oracle_gain: Accuracy on the target by its labels, adapted less source-only;
            None without labels.
        chance: Probability of as uneven a split of the pictures that one alone has
            right between equally good classifiers (exact sign test); None without.
        warning: `no_difference` without an oracle; with one, whether the adapted
            classifier has no more pictures right, or made no difference without labels
            and chance explains the oracle's gain.
        text: All that for a person; what the oracle says is a line of its own.
    """

    adapted: bool
    no_difference: bool
    gain_interval: tuple[float, float]
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
    gains = {name: _gain(name, before, after) for name in VALIDATORS}
    better = tuple(name for name, gain in gains.items() if best and gain.sign > 0)
    worse = tuple(name for name, gain in gains.items() if best and gain.sign < 0)
    agreement = float((before.predictions == after.predictions).mean())
    alike = not best or agreement == 1 or chosen not in better
    if best:
        text = _changed(before, after, chosen, best, agreement, gains)
    else:
        text = _kept(before, chosen, history)
    text += _taught(history) * bool(best)
    gain = chance = None
    if after.target_right is not None:
        gain = after.oracle - before.oracle
        chance, said = _oracle(before, after, best)
        text += f"\n{said}"
    return AdaptationVerdict(
        adapted=bool(best),
        no_difference=alike,
        gain_interval=gains[chosen].interval if best else (0.0, 0.0),
        better=better,
        worse=worse,
        agreement=agreement,
        oracle_gain=gain,
        chance=chance,
        warning=_warns(alike, gain, chance),
        text=text,
    )


@dataclasses.dataclass(frozen=True)
class _Gain:
    """Of the adapted classifier by one validator, above 0 where it is better."""

    value: float
    interval: tuple[float, float]
    least: float

    @property
    def sign(self) -> int:
        """1 better, -1 worse, 0 no more than noise."""
        if abs(self.value) < self.least or self.interval[0] <= 0 <= self.interval[1]:
            return 0
        return 1 if self.value > 0 else -1


def _gain(name: str, before: DomainFacts, after: DomainFacts) -> _Gain:
    value = VALIDATORS[name] * (after.scores[name] - before.scores[name])
    interval = gain_interval(name, value, before.rows, after.rows)
    return _Gain(value, interval, least_gain(name, before.rows))


def _warns(alike: bool, gain: float | None, chance: float | None) -> bool:
    if gain is None:
        return alike
    return gain <= 0 or (alike and chance >= 0.05)


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


def _changed(before, after, chosen, best, agreement, gains) -> str:
    if agreement == 1:
        text = (
            "Without labels: adaptation made no difference: both classifiers give all "
            f"{len(after.predictions)} pictures of the target the same answer"
        )
    else:
        text = _by_the_chosen(before, after, chosen, best, gains[chosen])
        text += _by_others({n: gain for n, gain in gains.items() if n != chosen})
        text += (
            f" Both classifiers give {percent(agreement)} of the target the same answer"
        )
    return (
        f"{text}; on the source's validation pictures "
        f"{percent(before.source_accuracy)} were right before and "
        f"{percent(after.source_accuracy)} are now."
    )


def _taught(history) -> str:
    few = history.plan.labelled_target
    said = (
        f" The adapted one learned from {few} labelled pictures of the target, too, "
        "which the source-only one did not have."
    )
    return said * bool(few)


def _by_the_chosen(before, after, chosen: str, best: int, gain: _Gain) -> str:
    values = f"{before.scores[chosen]:.4g} before, {after.scores[chosen]:.4g} after"
    low, high = gain.interval
    drawn = f"95% of {DRAWS} paired draws of the pictures: {low:.3g} to {high:.3g}"
    if gain.sign > 0:
        return (
            f"Without labels: adaptation helped by '{chosen}', which chose epoch "
            f"{best}: {values} (gain {gain.value:.3g}, {drawn})."
        )
    if abs(gain.value) < gain.least:
        why = f"gains below {gain.least:.2g}, {LEAST:.1%} of its range, count as none"
    else:
        why = f"{'worse' if gain.sign else 'a gain within noise'} ({drawn})"
    found = "made no difference" if not gain.sign else "did not help"
    return (
        f"Without labels: adaptation {found} by '{chosen}', which chose epoch {best}: "
        f"{values}; {why}."
    )


def _by_others(gains: dict) -> str:
    signs = {1: [], -1: [], 0: []}
    for name, gain in gains.items():
        signs[gain.sign].append(name)
    text, verb = "", "see" + "s" * (len(signs[1]) == 1)
    if signs[1]:
        text += f" Of the other validators {_listed(signs[1])} {verb} a gain."
    if signs[-1]:
        text += f" Against it: {_listed(signs[-1])}."
    if signs[0]:
        text += f" Within noise: {_listed(signs[0])}."
    return text


def _oracle(before, after, best: int) -> tuple[float, str]:
    """Return the sign test's probability and what to say of it."""
    mine = int((after.target_right & ~before.target_right).sum())
    its = int((before.target_right & ~after.target_right).sum())
    chance = float(binomtest(mine, mine + its).pvalue) if mine + its else 1.0
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
        return chance, f"{text}, the same weights."
    text += f"; {mine} right after adaptation alone, {its} before alone. "
    if mine == its:
        return chance, f"{text}It made no difference."
    helped = "helped" if mine > its else "hurt"
    if chance < 0.05:
        return chance, f"{text}Adaptation {helped}, and chance does not explain it."
    return chance, (
        f"{text}It {helped}, but equally good classifiers differ so much or more in "
        f"{percent(chance)} of cases."
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:-1]) + " and " * bool(names[1:]) + names[-1]
