"""SimilarityCalibration: how sure "the same person" is, from a similarity."""

import dataclasses
import math

import numpy as np
from scipy import optimize
from scipy import special

from tftransfer.face.scores.verification import checked_pairs
from tftransfer.face.scores.verification import checked_share


@dataclasses.dataclass(frozen=True)
class SimilarityCalibration:
    """Logistic calibration: log-likelihood ratio = slope x similarity + intercept.

    `fit` weighs both kinds of pairs alike, so that it does not depend on how many there
    are of each; what is likely beforehand is said in `probability`. It holds for
    pictures, and an embedder, like those it was fitted on.

    Args:
        slope: Above 0.
        intercept: Natural logarithms.

    Example:
        >>> certainty = SimilarityCalibration(slope=20.0, intercept=-8.0)
        >>> certainty.probability([0.2, 0.4, 0.6]).round(3).tolist()
        [0.018, 0.5, 0.982]

    References:
        Platt, Probabilistic outputs for support vector machines, in Advances in Large
        Margin Classifiers, 1999 (the targets short of 0 and 1). Brümmer and du Preez,
        Application-independent evaluation of speaker detection, Computer Speech and
        Language 20, 2006 (the likelihood ratio apart from the prior).
    """

    slope: float
    intercept: float

    @classmethod
    def fit(cls, similarities, same) -> "SimilarityCalibration":
        """Fit to pairs.

        Args:
            similarities: Of the pairs, (n,); higher is more alike.
            same: Whether each pair shows one person, (n,).

        Raises:
            ValueError: When they are no such pairs, or similarity does not rise from
                different people to the same person.
        """
        similarities, same = checked_pairs(similarities, same)
        pairs = {kind: int(np.sum(same == kind)) for kind in (True, False)}
        targets = np.where(same, 1 - 1 / (pairs[True] + 2), 1 / (pairs[False] + 2))
        weights = 0.5 / np.where(same, pairs[True], pairs[False])
        center, scale = similarities.mean(), similarities.std()
        if similarities[same].mean() <= similarities[~same].mean():
            raise ValueError(
                "Expected higher similarities for pairs of the same person. Received a "
                "mean that is not higher. Pass similarities, not distances."
            )
        unit = (similarities - center) / scale

        def loss(line):
            scores = line[0] * unit + line[1]
            error = weights * (special.expit(scores) - targets)
            value = np.sum(weights * (np.logaddexp(0, scores) - targets * scores))
            return value, np.array([error @ unit, error.sum()])

        found = optimize.minimize(loss, [1.0, 0.0], jac=True, method="BFGS", tol=1e-10)
        slope = found.x[0] / scale
        return cls(float(slope), float(found.x[1] - slope * center))

    def log_likelihood_ratio(self, similarities) -> np.ndarray:
        """Return ln p(similarity | same) / p(similarity | different), float64 (n,)."""
        return self.slope * np.asarray(similarities, np.float64) + self.intercept

    def probability(self, similarities, prior: float = 0.5) -> np.ndarray:
        """Return the probability of the same person, float64 in [0, 1].

        Args:
            similarities: Any shape; the result has it too.
            prior: Probability before looking, in (0, 1): 0.5 where both are as likely,
                1/1000 for one of a thousand people.
        """
        checked_share("prior", prior, open_ends=True)
        odds = math.log(prior) - math.log1p(-prior)
        return special.expit(self.log_likelihood_ratio(similarities) + odds)
