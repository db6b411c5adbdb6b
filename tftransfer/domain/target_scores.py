"""Several scores without target labels at once, of what a net makes of both domains."""

import math

import numpy as np

from tftransfer.domain.discrepancy import proxy_a_distance
from tftransfer.domain.validators import answer_information
from tftransfer.domain.validators import dev_risk
from tftransfer.domain.validators import importance_weights
from tftransfer.domain.validators import reweighted_risk
from tftransfer.domain.validators import soft_neighbourhood_density
from tftransfer.domain.validators import target_entropy

_OF_ANSWERS = {
    "information": answer_information,
    "entropy": target_entropy,
    "snd": soft_neighbourhood_density,
}
_RISKS = {"iwv": reweighted_risk, "dev": dev_risk}
NEED_SOURCE = ("iwv", "dev", "a_distance")
NAMES = (*_OF_ANSWERS, *NEED_SOURCE)


def target_scores(names, features, probabilities, source=None) -> dict:
    """Return {name: score} for some of `NAMES`; NaN where a net diverged.

    Args:
        names: Which scores.
        features: Of the target's rows, (m, d).
        probabilities: Of the target's rows, (m, classes).
        source: (labels (n,), features (n, d), probabilities (n, classes)) of held-out
            source rows; needed for the names in `NEED_SOURCE`.
    """
    if not _finite(probabilities):
        return dict.fromkeys(names, math.nan)
    found = {
        name: score(probabilities)
        for name, score in _OF_ANSWERS.items()
        if name in names
    }
    if not set(names) & set(NEED_SOURCE):
        return found
    labels, of_source, answers = source
    if not _finite(features, of_source, answers):
        return found | dict.fromkeys(set(names) & set(NEED_SOURCE), math.nan)
    folds = min(5, len(of_source), len(features))
    if "a_distance" in names:
        found["a_distance"] = proxy_a_distance(of_source, features, folds=folds)
    if set(names) & set(_RISKS):
        mistakes = (answers.argmax(axis=1) != labels).astype(np.float64)
        weights = importance_weights(of_source, features, folds=folds)
        for name, risk in _RISKS.items():
            if name in names:
                found[name] = risk(mistakes, weights)
    return found


def _finite(*arrays) -> bool:
    return all(np.isfinite(array).all() for array in arrays)
