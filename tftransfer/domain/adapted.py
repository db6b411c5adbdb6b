"""AdaptedClassifier: an adapter and a classifier as one scikit-learn classifier."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.base import ClassifierMixin
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from sklearn.utils.validation import validate_data

from tftransfer.domain.chaining import apply_step
from tftransfer.domain.chaining import fit_step
from tftransfer.domain.inputs import DOMAINS
from tftransfer.domain.inputs import FLOATS
from tftransfer.domain.inputs import check_choice
from tftransfer.domain.inputs import check_like_source


def _classifier_has(name: str):
    def check(self):
        held = getattr(self, "classifier_", self.classifier)
        return hasattr(KNeighborsClassifier() if held is None else held, name)

    return check


class AdaptedClassifier(ClassifierMixin, BaseEstimator):
    """Classifier trained on mapped source rows, for rows of the target.

    `fit(X, y, X_target)` fits `adapter` on both domains and `classifier` on the mapped
    source; the target's labels have no way in. Clones and searches as any classifier:
    `GridSearchCV(AdaptedClassifier(GFK()), {"adapter__n_components": [10, 20]},
    scoring=LabelFreeScorer("snd", X_target)).fit(X, y, X_target=X_target)`. A search
    needs `scoring`: the default, accuracy, would read the fold's source rows as rows of
    the target.

    Args:
        adapter: A `DomainAdapter`; a scikit-learn transformer, then fitted on both
            domains stacked; or None: the source-only baseline.
        classifier: A scikit-learn classifier; None: the nearest neighbour, with which
            the papers report.

    Attributes:
        adapter_: The fitted adapter, or None.
        classifier_: The fitted classifier.
        classes_: The labels, sorted, `(classes,)`.

    Example:
        >>> from tftransfer.domain.coral import CORAL
        >>> rng = np.random.default_rng(0)
        >>> y = np.repeat([0, 1], 20)
        >>> X = rng.normal(size=(40, 6)) + 4 * np.eye(6)[y]
        >>> model = AdaptedClassifier(CORAL()).fit(X, y, X_target=2 * X)
        >>> model.score(2 * X, y) > 0.9
        True
    """

    def __init__(self, adapter=None, classifier=None):
        self.adapter = adapter
        self.classifier = classifier

    def fit(self, X, y, X_target=None) -> "AdaptedClassifier":
        """Fit the adapter on both domains and the classifier on the mapped source.

        Args:
            X: Source rows, `(n, d)`.
            y: Source labels, `(n,)`.
            X_target: Target rows, `(m, d)`, without labels. A scikit-learn search cuts
                it to the fold's rows where m happens to equal n.

        Raises:
            ValueError: When `X_target` is absent though there is an adapter, or has
                other features than `X`, or the same ones in another order.
        """
        X, y = validate_data(self, X, y, dtype=FLOATS)
        check_classification_targets(y)
        if X_target is not None:
            X, X_target = check_like_source(self, X, X_target)
        elif self.adapter is not None:
            raise ValueError(
                "Expected `X_target`, unlabelled rows of the target, shape (m, d). "
                "Received: None. Pass fit(X, y, X_target=...), or `adapter=None` for "
                "the source-only baseline."
            )
        self.adapter_ = None
        if self.adapter is not None:
            self.adapter_ = fit_step(self.adapter, X, y, X_target)
        base = self.classifier
        base = KNeighborsClassifier(n_neighbors=1) if base is None else base
        self.classifier_ = clone(base).fit(self._mapped(X, "source"), y)
        self.classes_ = self.classifier_.classes_
        return self

    def embed(self, X, domain="target") -> np.ndarray:
        """Return rows of `domain` as the classifier sees them, `(n, features)`."""
        check_is_fitted(self, "adapter_")
        check_choice("domain", domain, DOMAINS)
        return self._mapped(validate_data(self, X, reset=False, dtype=FLOATS), domain)

    def _mapped(self, X: np.ndarray, domain: str) -> np.ndarray:
        return X if self.adapter_ is None else apply_step(self.adapter_, X, domain)

    def predict(self, X, domain="target") -> np.ndarray:
        """Return the label of each row of `domain`, `(n,)`."""
        embedded = self.embed(X, domain)
        return self.classifier_.predict(embedded)

    @available_if(_classifier_has("predict_proba"))
    def predict_proba(self, X, domain="target") -> np.ndarray:
        """Return probabilities, `(n, classes)`, where the classifier has them."""
        embedded = self.embed(X, domain)
        return self.classifier_.predict_proba(embedded)

    @available_if(_classifier_has("decision_function"))
    def decision_function(self, X, domain="target") -> np.ndarray:
        """Return the classifier's scores, `(n, classes)` or `(n,)` for two classes."""
        embedded = self.embed(X, domain)
        return self.classifier_.decision_function(embedded)
