"""Linear probe: features -> labels by a linear SVM or logistic regression.

The penalty C is chosen by stratified cross-validation. The rows are L2-normalised
first, as in CNN features off-the-shelf (Razavian 2014), after a signed square root,
which is worth 1 to 2 points with few labels (Perronnin 2010).
"""

import warnings

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.preprocessing import Normalizer
from sklearn.svm import LinearSVC
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from sklearn.utils.validation import validate_data

from tftransfer.core.validation import check_one_of

_CLASSIFIERS = ("svm", "logistic")
_DEFAULT_CS = {
    "svm": (0.1, 1.0, 10.0, 100.0),
    "logistic": (1.0, 10.0, 100.0, 1000.0),
}


def probe(
    X,
    y,
    *,
    classifier: str = "svm",
    power: float = 0.5,
    cv: int = 5,
    seed: int = 0,
    Cs=None,
) -> "LinearProbe":
    """Fit a linear classifier to features, its penalty C by cross-validation.

    Args:
        X: Features, `(n, d)`, as `FeatureExtractor.extract` returns.
        y: Labels of any kind, `(n,)`; 2 classes or more, 2 samples or more of each.
        classifier: "svm" (squared hinge, one against the rest) or "logistic"
            (multinomial; has `predict_proba`).
        power: Exponent in (0, 1] of the features' absolute values, the signs kept,
            before rows are brought to unit length; 1 leaves them as they are.
        cv: Number of folds, 2 or more; fewer where the smallest class has fewer
            samples than that.
        seed: Of the folds and of the solver.
        Cs: Candidates for C, inverse strengths of the L2 penalty, above 0. None: four
            decades around what unit-length features want.

    Returns:
        The fitted `LinearProbe`, a scikit-learn classifier.

    Raises:
        ValueError: When there is a single class, a class with a single sample, an
            unknown classifier, or a candidate that is not above 0.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(40, 8)); y = np.where(X[:, 0] > 0, "cat", "dog")
        >>> probe(X, y).predict(X[:1]).shape
        (1,)

    References:
        Razavian et al., CNN features off-the-shelf: an astounding baseline for
        recognition, CVPR Workshops 2014, arXiv:1403.6382. Power normalisation:
        Perronnin et al., Improving the Fisher kernel for large-scale image
        classification, ECCV 2010.
    """
    return LinearProbe(classifier=classifier, power=power, cv=cv, seed=seed, Cs=Cs).fit(
        X, y
    )


class LinearProbe(ClassifierMixin, BaseEstimator):
    """Power- and L2-normalised rows, a linear classifier, C by cross-validation.

    Args:
        classifier: "svm" or "logistic".
        power: Exponent of the features' absolute values, in (0, 1].
        cv: Number of stratified folds; lowered to the smallest class's size.
        seed: Of the folds and of the solver.
        Cs: Candidates for C, or None for the default ones.

    Attributes:
        best_C_: The C with the best mean accuracy; the smaller of equals.
        cv_scores_: Accuracy in [0, 1] of each candidate in each fold, `(Cs, folds)`.
        cv_Cs_: The candidates, ascending, `(Cs,)`.
        n_folds_: Folds used; 0 where a single candidate left nothing to choose.
        classes_: The labels as given, sorted, `(classes,)`.
        pipeline_: The fitted scikit-learn pipeline.
    """

    def __init__(self, *, classifier="svm", power=0.5, cv=5, seed=0, Cs=None):
        self.classifier = classifier
        self.power = power
        self.cv = cv
        self.seed = seed
        self.Cs = Cs

    def fit(self, X, y) -> "LinearProbe":
        """Choose C and fit on all of `X`, `(n, d)`, and `y`, `(n,)`."""
        check_one_of("classifier", self.classifier, _CLASSIFIERS)
        if not 0 < self.power <= 1:
            raise ValueError(
                f"Expected `power` in (0, 1], 1 for none. Received: {self.power}."
            )
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(
                "Expected 2 or more classes. Received: one class, "
                f"'{self.classes_[0]}'."
            )
        self.cv_Cs_ = _candidates(self.Cs, self.classifier)
        self.n_folds_ = _folds(y, self.cv) if len(self.cv_Cs_) > 1 else 0
        self.cv_scores_ = np.array([self._scores(X, y, C) for C in self.cv_Cs_])
        best = self.cv_scores_.mean(axis=1).argmax() if self.n_folds_ else 0
        self.best_C_ = float(self.cv_Cs_[best])
        self.pipeline_ = self._pipeline(self.best_C_).fit(X, y)
        return self

    def predict(self, X) -> np.ndarray:
        """Return the label of each row, `(n,)`."""
        X = self._checked(X)
        return self.pipeline_.predict(X)

    def decision_function(self, X) -> np.ndarray:
        """Return scores, `(n, classes)`, or `(n,)` for two classes."""
        X = self._checked(X)
        return self.pipeline_.decision_function(X)

    @available_if(lambda self: self.classifier == "logistic")
    def predict_proba(self, X) -> np.ndarray:
        """Return probabilities, `(n, classes)`; with `classifier="logistic"` only."""
        X = self._checked(X)
        return self.pipeline_.predict_proba(X)

    def _checked(self, X):
        check_is_fitted(self)
        return validate_data(self, X, reset=False, dtype=[np.float64, np.float32])

    def _pipeline(self, C: float):
        if self.classifier == "svm":
            # liblinear solves the dual when n < d, else the primal.
            model = LinearSVC(C=C, dual="auto", max_iter=20_000, random_state=self.seed)
        else:
            model = LogisticRegression(C=C, max_iter=1000, random_state=self.seed)
        root = FunctionTransformer(
            signed_power, kw_args={"power": self.power}, feature_names_out="one-to-one"
        )
        return make_pipeline(root, Normalizer(), model)

    def _scores(self, X, y, C: float) -> np.ndarray:
        if not self.n_folds_:
            return np.empty(0)
        folds = StratifiedKFold(self.n_folds_, shuffle=True, random_state=self.seed)
        with warnings.catch_warnings():
            # A candidate that is slow to converge is judged by its score like others.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return cross_val_score(self._pipeline(C), X, y, cv=folds)


def signed_power(X, power: float) -> np.ndarray:
    """Return sign(X) * |X| ** power, element by element."""
    return X if power == 1 else np.sign(X) * np.abs(X) ** power


def _candidates(Cs, classifier: str) -> np.ndarray:
    values = np.sort(np.asarray(_DEFAULT_CS[classifier] if Cs is None else Cs, float))
    if values.ndim != 1 or values.size == 0 or not np.all(values > 0):
        raise ValueError(
            f"Expected `Cs` to be a list of numbers above 0. Received: {Cs!r}."
        )
    return values


def _folds(y: np.ndarray, cv: int) -> int:
    if isinstance(cv, bool) or not isinstance(cv, int | np.integer) or cv < 2:
        raise ValueError(f"Expected `cv` to be an int of 2 or more. Received: {cv!r}.")
    classes, counts = np.unique(y, return_counts=True)
    if counts.min() < 2:
        raise ValueError(
            "Expected 2 or more samples of every class, to cross-validate. Received: "
            f"one of class '{classes[counts.argmin()]}'. Add samples, leave the class "
            "out, or pass one candidate, `Cs=[1.0]`."
        )
    return int(min(cv, counts.min()))
