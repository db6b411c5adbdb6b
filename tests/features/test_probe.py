import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from tftransfer.features import LinearProbe
from tftransfer.features import probe


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    y = np.repeat(["bee", "ant", "wasp"], [20, 25, 15])
    centres = {"bee": 0, "ant": 1, "wasp": 2}
    X = rng.normal(size=(60, 10)) + 2 * np.eye(3, 10)[[centres[name] for name in y]]
    return X, y


def _model(classifier, C):
    if classifier == "svm":
        return LinearSVC(C=C, dual="auto", max_iter=5000, random_state=3)
    return LogisticRegression(C=C, max_iter=1000)


def prepared(X):
    return normalize(np.sign(X) * np.sqrt(np.abs(X)))


@pytest.mark.parametrize("classifier", ["svm", "logistic"])
def test_C_is_that_of_a_loop_over_stratified_folds(table, classifier):
    X, y = table
    folds = StratifiedKFold(4, shuffle=True, random_state=3)
    scores = []
    for C in [0.01, 1.0, 100.0]:
        scores.append([])
        for train, test in folds.split(X, y):
            model = _model(classifier, C).fit(prepared(X[train]), y[train])
            scores[-1].append(np.mean(model.predict(prepared(X[test])) == y[test]))
    fitted = probe(X, y, classifier=classifier, cv=4, seed=3, Cs=[100, 0.01, 1])
    np.testing.assert_allclose(fitted.cv_scores_, scores, atol=0.04)
    assert fitted.best_C_ in (0.01, 1.0, 100.0)
    assert set(fitted.predict(X)) == {"ant", "bee", "wasp"}
    assert fitted.score(X, y) > 0.8


def test_folds_are_as_many_as_the_smallest_class_allows(table):
    X, y = table
    assert probe(X[:47], y[:47], cv=5).n_folds_ == 2
    assert probe(X, y, cv=5).n_folds_ == 5
    assert probe(X, y, Cs=[2.0]).n_folds_ == 0


def test_same_seed_same_probe(table):
    X, y = table
    first, second = probe(X, y, seed=1), probe(X, y, seed=1)
    np.testing.assert_array_equal(
        first.decision_function(X), second.decision_function(X)
    )


def test_integer_labels_with_gaps_come_back_as_given(table):
    X, y = table
    labels = np.where(y == "bee", 7, -2)
    fitted = probe(X, labels)
    assert set(fitted.predict(X)) == {7, -2}
    assert fitted.decision_function(X).shape == (60,)


def test_probabilities_need_the_logistic_one(table):
    X, y = table
    np.testing.assert_allclose(
        probe(X, y, classifier="logistic").predict_proba(X).sum(axis=1), 1, rtol=1e-6
    )
    assert not hasattr(probe(X, y), "predict_proba")


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (["a"] * 6, {}, "2 or more classes"),
        (["a"] * 5 + ["b"], {}, "one of class 'b'"),
        (["a", "b"] * 3, {"classifier": "tree"}, "Expected `classifier`"),
        (["a", "b"] * 3, {"Cs": [0.0]}, "numbers above 0"),
        (["a", "b"] * 3, {"cv": 1}, "Expected `cv`"),
    ],
)
def test_what_cannot_work_raises(labels, options, message):
    with pytest.raises(ValueError, match=message):
        probe(np.random.default_rng(0).normal(size=(6, 4)), labels, **options)


def test_more_features_than_samples_and_the_reverse_are_both_quick():
    rng = np.random.default_rng(0)
    for shape in [(40, 4000), (4000, 10)]:
        X = rng.normal(size=shape)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            probe(X, X[:, 0] > 0, Cs=[0.1, 1.0])


@parametrize_with_checks([LinearProbe(), LinearProbe(classifier="logistic")])
def test_sklearn_checks(estimator, check):
    check(estimator)
