import numpy as np
import pytest

from tftransfer.features import ranking
from tftransfer.features.ranking import nearest_rows
from tftransfer.features.ranking import score_rankings
from tftransfer.features.whitening import l2_normalize


@pytest.fixture
def unit_rows():
    return l2_normalize(np.random.default_rng(0).normal(size=(31, 6)))


@pytest.fixture(params=[1, 31 * 4 * 7, 2**26], ids=["one row", "seven", "all"])
def _chunked(request, monkeypatch):
    monkeypatch.setattr(ranking, "_CHUNK_BYTES", request.param)


@pytest.mark.usefixtures("_chunked")
@pytest.mark.parametrize("k", [1, 5, 31])
def test_nearest_rows_equal_a_full_sort(unit_rows, k):
    queries = unit_rows[:11] + np.float32(0.01)
    full = queries @ unit_rows.T
    expected = np.array([sorted(range(31), key=lambda j: -row[j])[:k] for row in full])
    indices, similarities = nearest_rows(queries, unit_rows, k)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(
        similarities, np.take_along_axis(full, expected, axis=1).clip(-1, 1), atol=1e-6
    )


def test_ties_go_to_the_smaller_index():
    index = np.repeat(np.eye(2, dtype=np.float32), [3, 40], axis=0)
    indices, _ = nearest_rows(index[[0, 20]], index, 5)
    np.testing.assert_array_equal(indices, [[0, 1, 2, 3, 4], [3, 4, 5, 6, 7]])


@pytest.mark.usefixtures("_chunked")
def test_scores_leave_the_query_out_but_for_4_recall_4(unit_rows):
    labels = np.random.default_rng(1).integers(0, 5, 31)
    similarities = unit_rows @ unit_rows.T
    average, first, four = [], [], []
    for i, row in enumerate(similarities):
        order = sorted(range(31), key=lambda j: -row[j])
        four.append(sum(labels[j] == labels[i] for j in order[:4]))
        order.remove(i)
        relevant = [labels[j] == labels[i] for j in order]
        precisions = [
            sum(relevant[: r + 1]) / (r + 1) for r in range(30) if relevant[r]
        ]
        average.append(np.mean(precisions) if precisions else 0.0)
        first.append(relevant[0])
    scores = score_rankings(
        unit_rows, unit_rows, labels, labels, ks=(1, 40), exclude_self=True
    )
    assert scores == pytest.approx(
        {
            "mAP": np.mean(average),
            "recall@1": np.mean(first),
            "4xRecall@4": np.mean(four),
        }
    )
