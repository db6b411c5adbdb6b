import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from tests.domain.rows import two_domains
from tftransfer.domain import CrossDatasetTable
from tftransfer.domain import cross_dataset_table
from tftransfer.domain import name_that_dataset


def test_columns_and_summary_of_a_known_table():
    scores = np.array([[0.8, 0.4, 0.2], [0.3, 0.6, 0.5], [0.1, 0.3, 0.5]])
    table = CrossDatasetTable(("a", "b", "c"), scores)
    np.testing.assert_allclose(table.self_scores, [0.8, 0.6, 0.5])
    np.testing.assert_allclose(table.mean_others, [0.3, 0.4, 0.2])
    np.testing.assert_allclose(table.percent_drop, [62.5, 100 / 3, 60.0])
    # (1.9 - 0.9) / 1.9, not the mean of the drops, which is 51.9.
    assert table.summary["percent_drop"] == pytest.approx(100 * 1.0 / 1.9)
    assert table.summary["self"] == pytest.approx(1.9 / 3)
    lines = str(table).splitlines()
    assert lines[0].endswith("Self | Mean others | Percent drop |")
    assert lines[2] == "| a | 80.0 | 40.0 | 20.0 | 80.0 | 30.0 | 62% |"
    assert lines[-1].endswith("| 63.3 | 30.0 | 53% |")


def test_shifted_sets_lose_and_equal_sets_do_not():
    X, y, X_target, y_target = two_domains(200, 120, shift=6.0)
    nearest = KNeighborsClassifier(1)
    shifted = cross_dataset_table({"a": (X, y), "b": (X_target, y_target)}, nearest)
    same = cross_dataset_table({"a": (X[:100], y[:100]), "b": (X[100:], y[100:])})
    assert shifted.scores.shape == (2, 2)
    assert shifted.summary["percent_drop"] > 20
    assert abs(same.summary["percent_drop"]) < 5


def test_every_set_trains_on_as_many_rows():
    seen = []

    class Counting(KNeighborsClassifier):
        def fit(self, X, y):
            seen.append(len(X))
            return super().fit(X, y)

    X, y, X_target, y_target = two_domains(200, 90)
    sets = {"a": (X, y), "b": (X_target, y_target)}
    cross_dataset_table(sets, Counting())
    cross_dataset_table(sets, Counting(), train_rows=30)
    assert seen == [45, 45, 30, 30]


def test_labels_in_a_column_are_labels():
    X, y, X_target, y_target = two_domains(200, 120)

    class Column(KNeighborsClassifier):
        def predict(self, X):
            return super().predict(X)[:, None]  # as a net of one output does

    plain = {"a": (X, y), "b": (X_target, y_target)}
    columns = {name: (X, y[:, None]) for name, (X, y) in plain.items()}
    expected = cross_dataset_table(plain, KNeighborsClassifier()).scores
    received = cross_dataset_table(columns, Column()).scores
    np.testing.assert_array_equal(received, expected)
    with pytest.raises(ValueError, match="1d array"):
        cross_dataset_table({"a": (X, np.eye(3)[y]), "b": plain["b"]})


@pytest.mark.parametrize("sizes", [(100, 102), (100, 103), (100, 110), (24, 200)])
def test_sets_of_any_sizes_train_on_as_many_rows_with_all_classes(sizes):
    seen = []

    class Counting(KNeighborsClassifier):
        def fit(self, X, y):
            seen.append(np.bincount(y))
            return super().fit(X, y)

    X, y, X_target, y_target = two_domains(*sizes, classes=5)
    cross_dataset_table({"a": (X, y), "b": (X_target, y_target)}, Counting())
    assert seen[0].sum() == seen[1].sum() == min(sizes) // 2
    assert max(np.ptp(counts) for counts in seen) <= 1  # the shares of the classes


def test_a_rare_class_is_trained_on_too():
    seen = []

    class Counting(KNeighborsClassifier):
        def fit(self, X, y):
            seen.append(np.bincount(y).tolist())
            return super().fit(X, y)

    X = np.random.default_rng(0).normal(size=(404, 2))
    y = np.repeat([0, 1, 2], [200, 200, 4])
    sets = {"a": (X, y), "b": (X, y)}
    cross_dataset_table(sets, Counting(), train_rows=5)
    assert seen[0] == [2, 2, 1]
    with pytest.raises(ValueError, match="`train_rows` of 3 to 202"):
        cross_dataset_table(sets, Counting(), train_rows=2)


def test_name_that_dataset():
    X, _, X_target, _ = two_domains(200, 120, shift=6.0)
    named = name_that_dataset({"a": X, "b": X_target})
    assert named.accuracy > 0.95
    assert named.chance == 0.5
    np.testing.assert_allclose(named.confusion.sum(axis=1), 1)
    same = name_that_dataset({"a": X[::2], "b": X[1::2]})
    assert same.accuracy < 0.7


def test_clear_errors():
    X, y, X_target, y_target = two_domains()
    with pytest.raises(ValueError, match="two data sets or more"):
        cross_dataset_table({"a": (X, y)})
    with pytest.raises(ValueError, match=r"same features.*6 in 'a', 5 in 'b'"):
        name_that_dataset({"a": X, "b": X_target[:, :5]})
    with pytest.raises(ValueError, match="same classes"):
        cross_dataset_table({"a": (X, y), "b": (X_target, y_target % 2)})
