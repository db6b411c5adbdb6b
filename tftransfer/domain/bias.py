"""Dataset bias: train on one, test on another; name that dataset (Torralba 2011)."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array
from sklearn.utils.validation import check_consistent_length
from sklearn.utils.validation import column_or_1d

from tftransfer.domain.inputs import FLOATS
from tftransfer.domain.inputs import check_columns
from tftransfer.domain.inputs import check_count
from tftransfer.domain.inputs import check_real


@dataclasses.dataclass(frozen=True)
class CrossDatasetTable:
    """Accuracies of every training set on every test set.

    Attributes:
        names: Of the data sets.
        scores: Accuracy in [0, 1] of training set i (row) on test set j, `(k, k)`.
        self_scores: The diagonal, `(k,)`.
        mean_others: Mean of each row without its diagonal, `(k,)`.
        percent_drop: 100 (self - mean others) / self, `(k,)`.
        summary: Self, mean others and percent drop of the last row: means of the
            columns, and the drop computed *from those means*, not the mean of drops.
    """

    names: tuple[str, ...]
    scores: np.ndarray

    @property
    def self_scores(self) -> np.ndarray:
        return np.diag(self.scores).copy()

    @property
    def mean_others(self) -> np.ndarray:
        others = self.scores.sum(axis=1) - np.diag(self.scores)
        return others / (len(self.names) - 1)

    @property
    def percent_drop(self) -> np.ndarray:
        return _drop(self.self_scores, self.mean_others)

    @property
    def summary(self) -> dict[str, float]:
        own, others = self.self_scores.mean(), self.mean_others.mean()
        return {
            "self": float(own),
            "mean_others": float(others),
            "percent_drop": float(_drop(own, others)),
        }

    def __str__(self) -> str:
        """Return the table in Markdown, accuracies in percent."""
        heads = ["train on", *self.names, "Self", "Mean others", "Percent drop"]
        lines = [_line(heads), _line(["---"] * len(heads))]
        columns = zip(
            self.names,
            self.scores,
            self.self_scores,
            self.mean_others,
            self.percent_drop,
        )
        for name, row, own, others, drop in columns:
            shares = [f"{100 * value:.1f}" for value in (*row, own, others)]
            lines.append(_line([name, *shares, f"{drop:.0f}%"]))
        last = self.summary
        means = [f"{100 * value:.1f}" for value in self.scores.mean(axis=0)]
        means += [f"{100 * last[key]:.1f}" for key in ("self", "mean_others")]
        lines.append(_line(["mean", *means, f"{last['percent_drop']:.0f}%"]))
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class NamedDatasets:
    """How well a classifier says which data set a row is from.

    Attributes:
        names: Of the data sets.
        confusion: Share of the rows of set i (row) named j, rows sum to 1, `(k, k)`.
        accuracy: Mean of the diagonal, in [0, 1].
        chance: 1 / k.
    """

    names: tuple[str, ...]
    confusion: np.ndarray

    @property
    def accuracy(self) -> float:
        return float(np.diag(self.confusion).mean())

    @property
    def chance(self) -> float:
        return 1 / len(self.names)


def cross_dataset_table(
    datasets: Mapping[str, tuple],
    classifier=None,
    *,
    test_size: float = 0.5,
    train_rows: int | None = None,
    random_state=0,
) -> CrossDatasetTable:
    """Train on each data set, test on all.

    Each set is split once, stratified; every training half is cut to the same number of
    rows, in the shares of its classes, so that sizes do not pass for quality. A score
    is the accuracy on the whole test half of the other set.

    Args:
        datasets: {name: (X, y)}, `(n, d)` and `(n,)` or `(n, 1)`, two sets or more with
            one kind of features and the same classes.
        classifier: A scikit-learn classifier; None: logistic regression on z-scored
            features.
        test_size: Share of each set that is tested on, in (0, 1).
        train_rows: Rows trained on per set, one per class or more; None: the smallest
            training half's.
        random_state: Seed of the splits.

    Raises:
        ValueError: When there is a single set, or classes or features differ.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = np.repeat([0, 1], 30)
        >>> X = rng.normal(size=(60, 3)) + 5 * y[:, None]
        >>> table = cross_dataset_table({"here": (X, y), "there": (X + 4, y)})
        >>> table.summary["percent_drop"] > 20
        True

    References:
        Torralba and Efros, Unbiased look at dataset bias, CVPR 2011.
    """
    sets = _checked_sets(datasets)
    check_real("test_size", test_size, above=True, high=0.99)
    halves = {
        name: train_test_split(
            X, y, test_size=test_size, stratify=y, random_state=random_state
        )
        for name, (X, y) in sets.items()
    }
    fewest = min(len(half[0]) for half in halves.values())
    rows = fewest
    if train_rows is not None:
        classes = len(np.unique(next(iter(sets.values()))[1]))
        rows = check_count("train_rows", train_rows, max(2, classes), fewest)
    scores = np.empty((len(halves), len(halves)))
    for i, (X, _, y, _) in enumerate(halves.values()):
        kept = _subsample(y, rows, random_state)
        model = clone(_default(classifier)).fit(X[kept], y[kept])
        scores[i] = [
            np.mean(column_or_1d(model.predict(half[1])) == half[3])
            for half in halves.values()
        ]
    return CrossDatasetTable(tuple(halves), scores)


def name_that_dataset(
    datasets: Mapping[str, np.ndarray],
    classifier=None,
    *,
    test_size: float = 0.5,
    random_state=0,
) -> NamedDatasets:
    """Train a classifier to say which data set a row is from.

    Accuracy far above chance means that the sets have a look of their own. All sets are
    cut to the size of the smallest.

    Args:
        datasets: {name: X}, `(n, d)`, two sets or more with one kind of features.
        classifier: A scikit-learn classifier; None: logistic regression on z-scored
            features.
        test_size: Share of the rows that is tested on, in (0, 1).
        random_state: Seed of the choice and the split.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> same = {name: rng.normal(size=(200, 2)) for name in "ab"}
        >>> abs(name_that_dataset(same).accuracy - 0.5) < 0.1
        True

    References:
        Torralba and Efros, Unbiased look at dataset bias, CVPR 2011.
    """
    sets = _checked_sets({name: (X, None) for name, X in datasets.items()})
    check_real("test_size", test_size, above=True, high=0.99)
    generator = np.random.default_rng(random_state)
    fewest = min(len(X) for X, _ in sets.values())
    X = np.vstack(
        [X[generator.choice(len(X), fewest, replace=False)] for X, _ in sets.values()]
    )
    y = np.repeat(np.arange(len(sets)), fewest)
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=test_size, stratify=y, random_state=random_state
    )
    model = clone(_default(classifier)).fit(X, y)
    confusion = confusion_matrix(y_test, model.predict(X_test), normalize="true")
    return NamedDatasets(tuple(sets), confusion)


def _default(classifier):
    if classifier is not None:
        return classifier
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def _subsample(y: np.ndarray, rows: int, random_state) -> np.ndarray:
    """Return indices of `rows` rows in the shares of the classes, one of each first.

    A second stratified split will not do: it needs a row of each class left over.
    """
    order = check_random_state(random_state).permutation(len(y))
    place = np.empty(len(y))
    for label in np.unique(y):
        own = order[y[order] == label]
        place[own] = (np.arange(len(own)) + 0.5) / len(own)
        place[own[0]] = 0.0
    return np.sort(order[np.argsort(place[order], kind="stable")][:rows])


def _checked_sets(datasets: Mapping) -> dict[str, tuple]:
    if len(datasets) < 2:
        raise ValueError(f"Expected two data sets or more. Received: {list(datasets)}.")
    sets = {}
    for name, (X, y) in datasets.items():
        X = check_array(X, dtype=FLOATS, input_name=f"X of '{name}'")
        if y is not None:
            y = column_or_1d(y)
            check_consistent_length(X, y)
        sets[name] = X, y
    check_columns({f"X of '{name}'": X for name, (X, _) in datasets.items()})
    first, (X, y) = next(iter(sets.items()))
    for name, (X_other, y_other) in sets.items():
        if X_other.shape[1] != X.shape[1]:
            raise ValueError(
                "Expected the same features in all data sets. Received: "
                f"{X.shape[1]} in '{first}', {X_other.shape[1]} in '{name}'."
            )
        if y is not None and not np.array_equal(np.unique(y), np.unique(y_other)):
            raise ValueError(
                "Expected the same classes in all data sets. Received: "
                f"{np.unique(y).tolist()} in '{first}', "
                f"{np.unique(y_other).tolist()} in '{name}'. Keep the common ones."
            )
    return sets


def _drop(own, others):
    return 100 * (own - others) / np.where(own > 0, own, np.nan)


def _line(cells) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
