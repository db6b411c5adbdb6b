import numpy as np
import pytest

from tftransfer.features import four_times_recall_at_4
from tftransfer.features import mean_average_precision
from tftransfer.features import recall_at_k


@pytest.fixture
def rankings():
    rng = np.random.default_rng(0)
    return rng.integers(0, 4, (9, 12)), rng.integers(0, 4, 9)


def _average_precision(ranked, label, relevant):
    found, total = 0, 0.0
    for rank, item in enumerate(ranked, start=1):
        if item == label:
            found += 1
            total += found / rank
    return total / min(relevant, len(ranked)) if relevant else 0.0


def test_map_equals_a_loop_over_complete_rankings(rankings):
    ranked, labels = rankings
    expected = [
        _average_precision(row, label, np.sum(row == label))
        for row, label in zip(ranked, labels)
    ]
    np.testing.assert_allclose(
        mean_average_precision(ranked, labels, per_query=True), expected, rtol=1e-12
    )
    assert mean_average_precision(ranked, labels) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("relevant", [3, 20])
def test_map_counts_the_relevant_items_that_a_cut_ranking_missed(rankings, relevant):
    ranked, labels = rankings
    ranked = np.where(np.cumsum(ranked == labels[:, None], axis=1) > 3, -1, ranked)
    expected = np.mean(
        [_average_precision(row, y, relevant) for row, y in zip(ranked, labels)]
    )
    received = mean_average_precision(ranked, labels, num_relevant=relevant)
    assert received == pytest.approx(expected)


def test_a_query_without_relevant_items_scores_zero():
    assert mean_average_precision([["a", "b"]], ["c"]) == 0.0


@pytest.mark.parametrize("k", [1, 3, 12])
def test_recall_at_k_equals_a_loop(rankings, k):
    ranked, labels = rankings
    hits = [any(item == y for item in row[:k]) for row, y in zip(ranked, labels)]
    assert recall_at_k(ranked, labels, k) == pytest.approx(np.mean(hits))


def test_four_times_recall_at_4_counts_among_the_first_four(rankings):
    ranked, labels = rankings
    counts = [sum(item == y for item in row[:4]) for row, y in zip(ranked, labels)]
    assert four_times_recall_at_4(ranked, labels) == pytest.approx(np.mean(counts))


def test_bad_shapes_and_k_raise(rankings):
    ranked, labels = rankings
    with pytest.raises(ValueError, match=r"Expected `ranked_labels`.*Received"):
        mean_average_precision(ranked, labels[:-1])
    with pytest.raises(ValueError, match=r"Expected `k` in \[1, 12\]"):
        recall_at_k(ranked, labels, 13)
