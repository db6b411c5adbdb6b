"""Scorers for scikit-learn's searches that see no target label; the oracle apart."""

from sklearn.utils.validation import column_or_1d

from tftransfer.domain.inputs import check_choice
from tftransfer.domain.validators import answer_information
from tftransfer.domain.validators import dev_risk
from tftransfer.domain.validators import importance_weights
from tftransfer.domain.validators import oracle_accuracy
from tftransfer.domain.validators import reweighted_risk
from tftransfer.domain.validators import soft_neighbourhood_density
from tftransfer.domain.validators import target_entropy

_OF_ANSWERS = {
    "information": answer_information,
    "snd": soft_neighbourhood_density,
    "entropy": lambda probabilities: -target_entropy(probabilities),
}
_VALIDATORS = (*_OF_ANSWERS, "iwv", "dev")


class LabelFreeScorer:
    """Score of an `AdaptedClassifier` without target labels: higher is better.

    For `scoring=` of scikit-learn's searches: called with the model and the held-out
    *source* rows and labels of the fold.

    Args:
        validator: "information" (`answer_information`), "snd"
            (`soft_neighbourhood_density`), "entropy" (minus `target_entropy`), "iwv"
            (minus `reweighted_risk`) or "dev" (minus `dev_risk`). The first three need
            `predict_proba`; the risks count mistakes on held-out source rows, weighed
            in the adapted space, where the classifier sees them, and tell little where
            the domains lie apart there, as `importance_weights` warns.
        X_target: Target rows, `(m, d)`.
        C: Of the domain classifier behind the weights, as in `importance_weights`.

    Example:
        >>> import numpy as np
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.model_selection import GridSearchCV
        >>> from tftransfer.domain.adapted import AdaptedClassifier
        >>> from tftransfer.domain.subspace import GFK
        >>> rng = np.random.default_rng(0)
        >>> y = np.repeat([0, 1], 20)
        >>> X = rng.normal(size=(40, 6)) + 4 * np.eye(6)[y]
        >>> X_target = X[:30] + 1
        >>> search = GridSearchCV(
        ...     AdaptedClassifier(GFK(), LogisticRegression()),
        ...     {"adapter__n_components": [1, 2]},
        ...     scoring=LabelFreeScorer("information", X_target),
        ... )
        >>> search.fit(X, y, X_target=X_target).predict(X_target).shape
        (30,)
    """

    def __init__(self, validator: str, X_target, *, C: float | None = None):
        check_choice("validator", validator, _VALIDATORS)
        self.validator = validator
        self.X_target = X_target
        self.C = C

    def __call__(self, estimator, X, y) -> float:
        """Score a fitted model; `X` and `y` are held-out source rows and labels."""
        if self.validator in _OF_ANSWERS:
            return self._from_predictions(estimator)
        mistakes = column_or_1d(estimator.predict(X, domain="source")) != column_or_1d(
            y
        )
        source = estimator.embed(X, domain="source")
        target = estimator.embed(self.X_target, domain="target")
        folds = min(5, len(source), len(target))
        weights = importance_weights(source, target, C=self.C, folds=folds)
        risk = reweighted_risk if self.validator == "iwv" else dev_risk
        return -risk(mistakes.astype(float), weights)

    def _from_predictions(self, estimator) -> float:
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"Expected a classifier with `predict_proba` for '{self.validator}'. "
                f"Received: {estimator!r}. Use LogisticRegression, or 'iwv' or 'dev'."
            )
        return _OF_ANSWERS[self.validator](estimator.predict_proba(self.X_target))

    def __repr__(self) -> str:
        return f"LabelFreeScorer({self.validator!r})"


class OracleScorer:
    """Accuracy on labelled target rows: what a choice missed, never how to choose.

    In a search beside a label-free scorer, with `refit` naming the latter.

    Args:
        X_target: Target rows, `(m, d)`.
        y_target: Their labels, `(m,)`.

    Example:
        >>> from tftransfer.domain.adapted import AdaptedClassifier
        >>> model = AdaptedClassifier().fit([[0.0], [9.0]], [0, 1])
        >>> OracleScorer([[1.0], [8.0]], [0, 1])(model)
        1.0
    """

    def __init__(self, X_target, y_target):
        self.X_target = X_target
        self.y_target = y_target

    def __call__(self, estimator, X=None, y=None) -> float:
        """Score a fitted model; the fold's rows are not used."""
        return oracle_accuracy(self.y_target, estimator.predict(self.X_target))

    def __repr__(self) -> str:
        return "OracleScorer()"
