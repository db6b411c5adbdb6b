"""Choosing without target labels: entropy, density, reweighted source risk, DEV.

Functions of arrays, for callbacks and for `LabelFreeScorer`. What needs target labels
is called oracle.
"""

import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.model_selection import StratifiedKFold
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_array
from sklearn.utils.validation import check_consistent_length
from sklearn.utils.validation import column_or_1d

from tftransfer.domain.inputs import FLOATS
from tftransfer.domain.inputs import check_count
from tftransfer.domain.inputs import check_real
from tftransfer.domain.inputs import check_two_domains

_BLOCK = 1024
_APART = 0.5  # a mean weight below this; 1 is expected


def target_entropy(probabilities) -> float:
    """Return the mean entropy of predictions on the target, in nats; lower is better.

    A collapsed model that gives one class to all is the best by it: look at `snd` too.

    Args:
        probabilities: Softmax outputs for target rows, `(m, classes)`, rows sum to 1.

    Returns:
        In [0, log(classes)].

    Example:
        >>> round(target_entropy([[1.0, 0.0], [0.5, 0.5]]), 4)  # log(2) / 2
        0.3466

    References:
        Morerio, Cavazza and Murino, Minimal-entropy correlation alignment for
        unsupervised deep domain adaptation, ICLR 2018, arXiv:1711.10288.
    """
    return float(row_entropies(_checked_probabilities(probabilities)).mean())


def answer_information(probabilities) -> float:
    """Return how much the predictions on the target tell apart; higher is better.

    H(mean p) - mean H(p), in nats: predictions that are sure, and not all of one class.
    It takes the classes of the target to be about equally frequent.

    Args:
        probabilities: Softmax outputs for target rows, `(m, classes)`, rows sum to 1.

    Returns:
        In [0, log(classes)]; 0 where all rows are alike.

    Example:
        >>> sure = np.eye(2)[[0, 1, 0, 1]]
        >>> round(answer_information(sure), 4), answer_information(sure[[0, 0]])
        (0.6931, 0.0)

    References:
        Bridle, Heading and MacKay, Unsupervised classifiers, mutual information and
        phantom targets, NIPS 1991. For domain adaptation: Shi and Sha, ICML 2012,
        arXiv:1206.6438.
    """
    rows = _checked_probabilities(probabilities)
    marginal = rows.mean(axis=0, keepdims=True)
    return float(max(0.0, row_entropies(marginal)[0] - row_entropies(rows).mean()))


def soft_neighbourhood_density(probabilities, *, temperature: float = 0.05) -> float:
    """Return how densely predictions on the target cluster; higher is better.

    Rows of softmax outputs brought to unit length, their inner products over
    `temperature`, the row itself removed, a softmax over the others: the mean entropy
    of those rows, in nats. Made in blocks, never (m, m) at once.

    Args:
        probabilities: Softmax outputs for target rows, `(m, classes)`, 3 rows or more.
        temperature: Above 0; the paper's 0.05.

    Returns:
        In [0, log(m - 1)]: compare on one set of target rows only.

    Example:
        >>> clusters = np.eye(2)[[0, 0, 0, 1, 1, 1]]
        >>> round(float(np.exp(soft_neighbourhood_density(clusters))), 3)  # neighbours
        2.0

    References:
        Saito, Kim, Teterwak, Sclaroff, Darrell and Saenko, Tune it the right way:
        unsupervised validation of domain adaptation via soft neighborhood density, ICCV
        2021, arXiv:2108.10860.
    """
    return float(neighbourhood_entropies(probabilities, temperature).mean())


def neighbourhood_entropies(probabilities, temperature: float = 0.05) -> np.ndarray:
    """Return of each row what `soft_neighbourhood_density` is the mean of, `(m,)`."""
    check_real("temperature", temperature, above=True)
    rows = normalize(_checked_probabilities(probabilities, least=3))
    found = np.empty(len(rows))
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        logits = part @ rows.T / temperature
        own = np.arange(len(part))
        logits[own, start + own] = -np.inf
        logits -= logits.max(axis=1, keepdims=True)
        weights = np.exp(logits)
        sums = weights.sum(axis=1, keepdims=True)
        logits[own, start + own] = 0.0  # its weight is 0
        spread = np.sum(weights * logits, axis=1) / sums[:, 0]
        found[start : start + _BLOCK] = np.log(sums[:, 0]) - spread
    return found


def importance_weights(
    X_source,
    X_target,
    *,
    X=None,
    C: float | None = None,
    folds: int = 5,
    random_state=0,
) -> np.ndarray:
    """Estimate p_target(x) / p_source(x) at source rows by a domain classifier.

    w = p(target | x) / p(source | x) times n / m, from logistic regression on z-scored
    features. A row's weight comes from a classifier that has not seen it: out of fold,
    or `X` apart.

    Args:
        X_source: Source rows or features of them, `(n, d)`.
        X_target: Target rows, `(m, d)`.
        X: Other source rows to weigh, `(k, d)`; None: those of `X_source`.
        C: Inverse strength of the L2 penalty, above 0; None: the one of 1e-4 to 1 with
            the best held-out log loss. A classifier that overfits makes weights, and
            risks, of any size.
        folds: Number of folds, 2 or more.
        random_state: Seed of the folds.

    Returns:
        Weights above 0, `(n,)` or `(k,)`, about 1 in the mean. Where the domains lie
        apart nearly all are near 0 and the mean is, too: a warning says that risks
        weighed by them tell little.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X, X_target = rng.normal(size=(200, 1)), rng.normal(1, size=(100, 1))
        >>> weights = importance_weights(X, X_target)
        >>> float(np.corrcoef(X[:, 0], np.log(weights))[0, 1]) > 0.9
        True

    References:
        Bickel, Brueckner and Scheffer, Discriminative learning under covariate shift,
        JMLR 10, 2009.
    """
    source, target = check_two_domains(X_source, X_target)
    check_count("folds", folds, 2, min(len(source), len(target)))
    rows = np.vstack([source, target])
    domains = np.repeat([0, 1], [len(source), len(target)])
    split = StratifiedKFold(folds, shuffle=True, random_state=random_state)
    model = _domain_classifier(rows, domains, C, split)
    if X is None:
        logits = cross_val_predict(
            model, rows, domains, cv=split, method="decision_function"
        )[: len(source)]
    else:
        asked = check_array(X, dtype=FLOATS, input_name="X")
        logits = model.fit(rows, domains).decision_function(asked)
    # The bound keeps one far row from making all sums infinite.
    odds = np.exp(np.clip(logits, -30.0, 30.0))
    weights = odds * (len(source) / len(target))
    if weights.mean() < _APART:
        warnings.warn(
            "The domains lie apart: few source rows are like the target's, and a risk "
            "that importance weights make of them ('iwv', 'dev') is low for any "
            "mistakes. Choose by 'information', which looks at the target's answers.",
            stacklevel=2,
        )
    return weights


def reweighted_risk(losses, weights) -> float:
    """Return mean(w l), the source risk reweighted to the target; lower is better.

    Args:
        losses: Of held-out source rows, `(n,)`: 1 for mistakes and 0 else, or
            cross-entropies.
        weights: `importance_weights` of the same rows, `(n,)`.

    Example:
        >>> reweighted_risk([0, 1, 1], [0.5, 1.0, 2.0])
        1.0

    References:
        Sugiyama, Krauledat and Mueller, Covariate shift adaptation by importance
        weighted cross validation, JMLR 8, 2007.
    """
    losses, weights = _checked_losses(losses, weights)
    return float(np.mean(weights * losses))


def dev_risk(losses, weights) -> float:
    """Return the reweighted risk with its variance controlled; lower is better.

    mean(w l) + eta mean(w) - eta, eta = -cov(w l, w) / var(w): the weights' mean is
    known to be 1, and what it misses by tells what mean(w l) misses by. Equal weights
    leave the plain mean.

    Args:
        losses: Of held-out source rows, `(n,)`.
        weights: `importance_weights` of the same rows, `(n,)`.

    Example:
        >>> dev_risk([0.0, 1.0], [1.0, 1.0])
        0.5

    References:
        You, Wang, Long and Jordan, Towards accurate model selection in deep
        unsupervised domain adaptation, ICML 2019.
    """
    losses, weights = _checked_losses(losses, weights)
    weighted = weights * losses
    spread = np.cov(weighted, weights)
    # Weights that differ by rounding alone would make eta of any size.
    vary = np.ptp(weights) > 1e-6 * np.abs(weights).max()
    eta = -spread[0, 1] / spread[1, 1] if vary else 0.0
    return float(weighted.mean() + eta * weights.mean() - eta)


def oracle_accuracy(y_target, predicted) -> float:
    """Return the share of right target labels in [0, 1]: to report, never to choose.

    Args:
        y_target: Labels, `(m,)` or `(m, 1)`.
        predicted: Answers, `(m,)` or `(m, 1)`.

    Raises:
        ValueError: When labels are text on one side and numbers on the other, which
            are never equal.

    Example:
        >>> oracle_accuracy(["a", "b"], ["a", "a"])
        0.5
    """
    # A column beside a row would be compared as (m, m).
    y_target, predicted = column_or_1d(y_target), column_or_1d(predicted)
    check_consistent_length(y_target, predicted)
    kinds = [labels.dtype.kind in "US" for labels in (y_target, predicted)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            "Expected labels of one kind. Received: text and numbers, "
            f"{y_target[0]!r} beside {predicted[0]!r}."
        )
    return float(np.mean(y_target == predicted))


def _domain_classifier(rows, domains, C, split):
    scaled = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    if C is None:
        search = GridSearchCV(
            scaled,
            {"logisticregression__C": [1e-4, 1e-3, 1e-2, 1e-1, 1.0]},
            scoring="neg_log_loss",
            cv=split,
            refit=False,
        )
        C = search.fit(rows, domains).best_params_["logisticregression__C"]
    return scaled.set_params(logisticregression__C=check_real("C", C, above=True))


def row_entropies(probabilities: np.ndarray) -> np.ndarray:
    """Return the entropy of each row of probabilities, in nats, `(m,)`."""
    logs = np.log(np.where(probabilities > 0, probabilities, 1.0))
    return -np.sum(probabilities * logs, axis=1)


def _checked_probabilities(probabilities, least: int = 1) -> np.ndarray:
    rows = check_array(
        probabilities,
        dtype=np.float64,
        input_name="probabilities",
        ensure_min_samples=least,
        ensure_min_features=2,
    )
    if rows.min() < 0 or np.abs(rows.sum(axis=1) - 1).max() > 1e-3:
        raise ValueError(
            "Expected `probabilities` of 0 or more whose rows sum to 1. Received: sums "
            f"from {rows.sum(axis=1).min():.4g} to {rows.sum(axis=1).max():.4g}, "
            f"smallest value {rows.min():.4g}. Apply a softmax to logits first."
        )
    return rows


def _checked_losses(losses, weights) -> tuple[np.ndarray, np.ndarray]:
    losses = np.asarray(losses, np.float64)
    weights = np.asarray(weights, np.float64)
    if losses.ndim != 1 or losses.shape != weights.shape or len(losses) < 2:
        raise ValueError(
            "Expected `losses` and `weights` of one shape (n,), n of 2 or more. "
            f"Received: {losses.shape} and {weights.shape}."
        )
    return losses, weights
