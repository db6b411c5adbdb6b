"""Identification scores: rank-k of enrolled people, and unknown people rejected.

Both take what `Gallery.search` returns.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from tftransfer.face.scores.verification import checked_share
from tftransfer.face.scores.verification import clopper_pearson
from tftransfer.face.scores.verification import threshold_between


@dataclasses.dataclass(frozen=True)
class OpenSetRate:
    """Detection and identification rate at a false-alarm rate.

    Args:
        rate: Share of the enrolled people's probes whose best match is right and at
            least the threshold.
        interval: Clopper-Pearson interval of `rate`, at 95 %.
        threshold: Similarity from which a probe is named rather than "unknown".
        far: Share of the others' probes that are named, at most what was asked.
        far_interval: Clopper-Pearson interval of `far`, at 95 %.
        enrolled_probes: Probes of people in the gallery.
        unknown_probes: Probes of others.
    """

    rate: float
    interval: tuple[float, float]
    threshold: float
    far: float
    far_interval: tuple[float, float]
    enrolled_probes: int
    unknown_probes: int


def rank_k(names, probe_names, k: int = 1) -> float:
    """Return the share of probes with their person among the first `k`; closed set.

    Args:
        names: Names found for each probe, best first, `(n, k or more)` or, for k = 1,
            `(n,)`: the second result of `Gallery.search`.
        probe_names: True name of each probe, (n,), all enrolled.
        k: 1 or more.

    Example:
        >>> rank_k([["Ada", "Bob"], ["Ada", "Bob"]], ["Ada", "Bob"], k=1)
        0.5
    """
    names, probes = np.asarray(names, object), np.asarray(probe_names, object)
    names = names[:, None] if names.ndim == 1 else names
    if names.ndim != 2 or probes.shape != names.shape[:1] or not len(probes):
        raise ValueError(
            "Expected the names found, (n, k), and the names of n probes, 1 or more. "
            f"Received: {names.shape} and {probes.shape}."
        )
    if not 1 <= k <= names.shape[1]:
        raise ValueError(
            f"Expected `k` from 1 to the {names.shape[1]} names found for each probe. "
            f"Received: {k}. Search with a larger `k`."
        )
    return float(np.mean((names[:, :k] == probes[:, None]).any(axis=1)))


def open_set_identification_rate(
    similarities, names, probe_names, enrolled: Iterable[str], far: float
) -> OpenSetRate:
    """Return the identification rate where at most `far` of strangers are named.

    Args:
        similarities: Of each probe's best match, (n,) or (n, k): the first result of
            `Gallery.search`.
        names: Name of each best match, (n,) or (n, k): the second.
        probe_names: True name of each probe, (n,); anything else for strangers.
        enrolled: Names in the gallery, `gallery.names`.
        far: Share of strangers' probes that may be named, in [0, 1]; the false-positive
            identification rate of NIST's reports.

    Raises:
        ValueError: When shapes differ, no probe is of an enrolled person or none of a
            stranger, or `far` is above 0 and below one over the strangers' probes.

    Example:
        >>> found = open_set_identification_rate(
        ...     [0.9, 0.3, 0.4], ["Ada", "Bob", "Bob"], ["Ada", "Bob", "Eve"],
        ...     enrolled=["Ada", "Bob"], far=0.0)
        >>> found.rate, found.far
        (0.5, 0.0)

    References:
        Phillips, Grother and Micheals, Evaluation methods in face recognition, in
        Handbook of Face Recognition, 2nd edition, 2011. Grother, Ngan and Hanaoka, Face
        recognition vendor test, part 2: identification, NIST IR 8271, 2019.
    """
    best, names, probes = _best_matches(similarities, names, probe_names)
    enrolled = set(enrolled)
    known = np.array([probe in enrolled for probe in probes.tolist()], bool)
    strangers = int(np.sum(~known))
    if not known.any() or not strangers:
        raise ValueError(
            "Expected probes of enrolled people and of strangers. Received: "
            f"{int(known.sum())} and {strangers}."
        )
    if 0 < checked_share("far", far) * strangers < 1 - 1e-9:
        raise ValueError(
            f"Expected a `far` of 0, or of 1/{strangers} or more: one of {strangers} "
            f"probes of strangers. Received: {far:g}. Give more of them."
        )
    values = np.unique(best)[::-1]
    named = np.searchsorted(np.sort(-best[~known]), -values, side="right")
    allowed = int(np.floor(far * strangers + 1e-9))
    place = int(np.sum(named <= allowed))
    threshold = threshold_between(np.concatenate([[np.inf], values]), place)
    right = (names == probes) & known & (best >= threshold)
    alarms = int(np.sum(best[~known] >= threshold))
    return OpenSetRate(
        float(right.sum() / known.sum()),
        clopper_pearson(int(right.sum()), int(known.sum())),
        threshold,
        alarms / strangers,
        clopper_pearson(alarms, strangers),
        int(known.sum()),
        strangers,
    )


def _best_matches(similarities, names, probe_names):
    similarities = np.asarray(similarities, np.float64)
    names, probes = np.asarray(names, object), np.asarray(probe_names, object)
    if similarities.shape == names.shape and similarities.ndim == 2:
        if not similarities.shape[1]:
            raise ValueError(
                "Expected a match per probe. Received none: enroll people."
            )
        similarities, names = similarities[:, 0], names[:, 0]
    if not similarities.shape == names.shape == probes.shape or probes.ndim != 1:
        raise ValueError(
            "Expected similarities and names found, (n,) or (n, k), and the names of n "
            f"probes. Received: {similarities.shape}, {names.shape}, {probes.shape}."
        )
    if not np.isfinite(similarities).all():
        raise ValueError("Expected finite similarities. Received NaN or infinity.")
    return similarities, names, probes
