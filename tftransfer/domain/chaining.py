"""AdapterPipeline: several maps of both domains, one after the other."""

import numpy as np
from sklearn.base import clone
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted
from sklearn.utils.validation import validate_data

from tftransfer.domain.adapter import DomainAdapter
from tftransfer.domain.inputs import DOMAINS
from tftransfer.domain.inputs import FLOATS
from tftransfer.domain.inputs import check_choice


class AdapterPipeline(DomainAdapter, _BaseComposition):
    """Adapters in a row; each sees both domains as the ones before mapped them.

    A step that is no `DomainAdapter`, a `PCA` or a `Normalizer`, is fitted on source
    and target rows stacked, and maps both alike.

    Args:
        steps: List of (name, adapter or scikit-learn transformer). Parameters of steps
            are set and searched as `name__parameter`.

    Attributes:
        steps_: The fitted steps.

    Example:
        >>> from sklearn.decomposition import PCA
        >>> from tftransfer.domain.scaling import DomainScaler
        >>> rng = np.random.default_rng(0)
        >>> X, X_target = rng.normal(size=(30, 6)), rng.normal(1, size=(40, 6))
        >>> joint = AdapterPipeline([("scale", DomainScaler()), ("pca", PCA(2))])
        >>> joint.fit_transform(X, X_target=X_target).shape
        (30, 2)
    """

    def __init__(self, steps):
        self.steps = steps

    def fit(self, X, y=None, X_target=None) -> "AdapterPipeline":
        """Fit each step on what the ones before made; arguments as `DomainAdapter`."""
        names = [name for name, _ in self.steps]
        if not names:
            raise ValueError("Expected one step or more. Received: none.")
        self._validate_names(names)
        X, y, X_target = self._checked_domains(X, y, X_target)
        self.steps_ = []
        for name, step in self.steps:
            step = fit_step(step, X, y, X_target)
            X, X_target = (
                apply_step(step, rows, domain)
                for rows, domain in zip((X, X_target), DOMAINS)
            )
            self.steps_.append((name, step))
        return self

    def transform(self, X, domain="target") -> np.ndarray:
        """Return rows of `domain` mapped by all steps, `(n, features)`."""
        check_is_fitted(self)
        check_choice("domain", domain, DOMAINS)
        # The steps were fitted on arrays and know no names of columns.
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        for _, step in self.steps_:
            X = apply_step(step, X, domain)
        return X

    def get_feature_names_out(self, input_features=None):
        """Return the names that the last step gives its features."""
        names = input_features
        if names is None:  # the steps saw arrays, without names
            names = getattr(self, "feature_names_in_", None)
        for _, step in self.steps_:
            names = step.get_feature_names_out(names)
        return names

    def get_params(self, deep=True) -> dict:
        """Return the parameters, those of the steps as `name__parameter`."""
        return self._get_params("steps", deep=deep)

    def set_params(self, **params) -> "AdapterPipeline":
        """Set parameters, those of the steps as `name__parameter`."""
        self._set_params("steps", **params)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "steps_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = any(
            step.__sklearn_tags__().target_tags.required for _, step in self.steps
        )
        return tags


def fit_step(step, X, y, X_target):
    """Return a fitted clone; what is no adapter is fitted on both domains stacked."""
    if isinstance(step, DomainAdapter):
        return clone(step).fit(X, y, X_target)
    return clone(step).fit(np.vstack([X, X_target]))


def apply_step(step, X, domain: str) -> np.ndarray:
    """Return rows of `domain` mapped by a fitted adapter or transformer."""
    if isinstance(step, DomainAdapter):
        mapped = step.transform(X, domain=domain)
    else:
        mapped = step.transform(X)
    # A data frame, where scikit-learn is set to give those: steps take arrays.
    return mapped.to_numpy() if hasattr(mapped, "to_numpy") else mapped
