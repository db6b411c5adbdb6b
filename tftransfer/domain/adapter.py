"""DomainAdapter: the scikit-learn face that every shallow method here shares."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_consistent_length
from sklearn.utils.validation import check_is_fitted
from sklearn.utils.validation import validate_data

from tftransfer.domain.inputs import DOMAINS
from tftransfer.domain.inputs import FLOATS
from tftransfer.domain.inputs import check_choice
from tftransfer.domain.inputs import check_like_source


class DomainAdapter(TransformerMixin, BaseEstimator):
    """Maps rows of two domains into one space.

    A subclass implements `_fit(X, y, X_target)` and `_map(X, domain)`. `fit` and
    `fit_transform` see the source, what is predicted later is the target: so
    `fit_transform` returns the *source* rows mapped, and `transform` takes *target*
    rows unless told otherwise. In a scikit-learn `Pipeline` the classifier thus trains
    on mapped source rows and predicts mapped target rows; `AdaptedClassifier` needs
    less setting up. Target labels have no way in.
    """

    def fit(self, X, y=None, X_target=None) -> "DomainAdapter":
        """Learn the map.

        Args:
            X: Source rows, `(n, d)`, 2 or more.
            y: Source labels, `(n,)`; needed by supervised methods, else ignored.
            X_target: Target rows, `(m, d)`, 2 or more; m may differ from n.

        Raises:
            ValueError: When `X_target` is absent, its width differs from `X`'s, both
                are data frames whose columns differ in name or order, or a supervised
                method gets no labels.
        """
        X, y, X_target = self._checked_domains(X, y, X_target)
        self._fit(X, y, X_target)
        return self

    def fit_transform(self, X, y=None, X_target=None) -> np.ndarray:
        """Learn the map and return the source rows `X` mapped, `(n, features)`."""
        return self.fit(X, y, X_target).transform(X, domain="source")

    def transform(self, X, domain="target") -> np.ndarray:
        """Return rows mapped into the common space, `(n, features)`.

        Args:
            X: Rows, `(n, d)`.
            domain: "target" or "source": where the rows come from.
        """
        check_is_fitted(self)
        check_choice("domain", domain, DOMAINS)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        return self._map(X, domain)

    def _fit(self, X: np.ndarray, y, X_target: np.ndarray) -> None:
        raise NotImplementedError(f"{type(self).__name__} must implement `_fit`.")

    def _map(self, X: np.ndarray, domain: str) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} must implement `_map`.")

    def _checked_domains(self, X, y, X_target):
        name = type(self).__name__
        if X_target is None:
            raise ValueError(
                "Expected `X_target`, unlabelled rows of the target, shape (m, d). "
                f"Received: None. Call {name}.fit(X, y, X_target=...)."
            )
        if y is None and self.__sklearn_tags__().target_tags.required:
            raise ValueError(
                f"{name} requires y to be passed, but the target y is None: expected "
                "the labels of the source, shape (n,)."
            )
        if self.__sklearn_tags__().target_tags.required:
            X, y = validate_data(self, X, y, dtype=FLOATS, ensure_min_samples=2)
        else:
            X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
            if y is not None:
                check_consistent_length(X, y)
        X, X_target = check_like_source(self, X, X_target)
        return X, y, X_target

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
