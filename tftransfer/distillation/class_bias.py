"""Biases that give classes their prior, where a transfer set lacked them."""

import numpy as np


def match_class_prior(
    logits, classes, priors, *, tolerance: float = 1e-6
) -> np.ndarray:
    """Return biases with which the classes' mean probabilities are their priors.

    A student that was distilled without pictures of a class scores it too low. Hinton
    et al. raise the bias of that class until the test errors are fewest; this needs
    pictures but no labels: b_c for c in `classes` solves

        mean over rows of softmax(logits + b)_c = prior_c,

    all other biases being 0. The mass of a class grows strictly with its own bias, so
    bisection finds the only solution; several classes take turns.

    Args:
        logits: (n, num_classes), finite: scores of unlabelled pictures in which all
            classes occur, at temperature 1.
        classes: The class to correct, or a list of several; at least one class must be
            left out.
        priors: Expected share of each of `classes` among the pictures, in (0, 1), of a
            sum below 1.
        tolerance: Largest gap between the mean probabilities of several classes and
            their priors; of a single one the bias itself is exact to 1e-9.

    Returns:
        (num_classes,), float32: what to add to the logits, or to the bias of the last
        layer.

    Raises:
        ValueError: When the logits are no finite matrix, a class is not there or comes
            twice, the priors are no shares, or several are not reached in 1,000 turns.

    Example:
        >>> import numpy as np
        >>> from tftransfer.distillation import match_class_prior
        >>> biases = match_class_prior(np.zeros((5, 2)), classes=1, priors=0.75)
        >>> [round(float(bias), 4) for bias in biases]  # the logarithm of 3
        [0.0, 1.0986]

    References:
        Hinton, Vinyals & Dean, Distilling the Knowledge in a Neural Network, 2015,
        arXiv:1503.02531, section 3: there fitted on the labels of the test set.
    """
    logits = np.asarray(logits, "float64")
    classes, priors = np.atleast_1d(classes), np.atleast_1d(priors).astype("float64")
    _check(logits, classes, priors)
    biases = np.zeros(logits.shape[1])
    for _ in range(1000):
        for number, prior in zip(classes, priors, strict=True):
            biases[number] += _solve(logits + biases, number, prior)
        gaps = _mean_probabilities(logits + biases)[classes] - priors
        if len(classes) == 1 or np.abs(gaps).max() <= tolerance:
            return biases.astype("float32")
    raise ValueError(
        f"Expected priors that biases can reach to within {tolerance}. Received: "
        f"{priors.tolist()}, missed by {gaps.tolist()}. Allow a larger `tolerance`."
    )


def _solve(logits, number: int, prior: float) -> float:
    """Return the bias of one class that gives it its mean probability."""
    others = np.delete(logits, number, axis=1)
    top = others.max(axis=1)
    total = top + np.log(np.exp(others - top[:, None]).sum(axis=1))
    margins = logits[:, number] - total  # the class's log-odds
    wanted = np.log(prior) - np.log1p(-prior)
    # With one bias no row is above the prior, with the other none below it.
    low, high = wanted - margins.max(), wanted - margins.min()
    while True:
        middle = (low + high) / 2
        if not low < middle < high or high - low < 1e-9:
            return middle
        if np.mean((1 + np.tanh((margins + middle) / 2)) / 2) < prior:
            low = middle
        else:
            high = middle


def _mean_probabilities(logits):
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (odds / odds.sum(axis=1, keepdims=True)).mean(axis=0)


def _check(logits, classes, priors) -> None:
    if logits.ndim != 2 or not logits.size or not np.isfinite(logits).all():
        raise ValueError(
            "Expected finite `logits` (n, num_classes). Received: shape "
            f"{logits.shape}, {np.sum(~np.isfinite(logits))} values not finite."
        )
    count = logits.shape[1]
    if (
        not np.issubdtype(classes.dtype, np.integer)
        or len(np.unique(classes)) != len(classes)
        or not 0 < len(classes) < count
        or not (classes >= 0).all()
        or not (classes < count).all()
    ):
        raise ValueError(
            f"Expected different `classes` in [0, {count - 1}], and one at least left "
            f"out: biases count relative to it. Received: {classes.tolist()}."
        )
    shares = priors.shape == classes.shape and (priors > 0).all() and priors.sum() < 1
    if not shares:
        raise ValueError(
            f"Expected {len(classes)} `priors`, one per class, above 0 and of a sum "
            f"below 1. Received: {priors.tolist()}."
        )
