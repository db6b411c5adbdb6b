"""Identification scores equal to loops over thresholds, on galleries' own results."""

import numpy as np
import pytest
from scipy import stats

from tftransfer.face import Gallery
from tftransfer.face import open_set_identification_rate
from tftransfer.face import rank_k


def _searched(seed=0):
    """Enroll 12 people, search 60 probes of 20 people."""
    random = np.random.default_rng(seed)
    centers = random.normal(size=(20, 6))
    gallery = Gallery(6)
    for i in range(12):
        gallery.add(f"p{i}", centers[i] + random.normal(size=(1 + i % 3, 6)))
    people = np.arange(60) % 20
    probes = centers[people] + 0.7 * random.normal(size=(60, 6))
    return gallery, probes, np.array([f"p{i}" for i in people])


@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_rank_k(k):
    gallery, probes, truth = _searched()
    enrolled = np.isin(truth, gallery.names)
    similarities, names = gallery.search(probes[enrolled], k=12)
    hits = []
    for row, found, name in zip(similarities, names, truth[enrolled]):
        own = row[found.tolist().index(name)]
        hits.append(np.sum(row > own) < k)
    assert rank_k(names, truth[enrolled], k=k) == pytest.approx(np.mean(hits))
    assert k < 12 or np.mean(hits) == 1


@pytest.mark.parametrize("far", [0.0, 0.05, 0.125, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_open_set_rate_is_the_best_of_all_thresholds(far, seed):
    gallery, probes, truth = _searched(seed)
    similarities, names = gallery.search(probes, k=3)
    known = np.isin(truth, gallery.names)
    best, first = similarities[:, 0], names[:, 0]
    rates = []
    for threshold in [*np.unique(best), np.inf]:
        if np.mean(best[~known] >= threshold) <= far:
            rates.append(np.mean((best >= threshold)[known] & (first == truth)[known]))
    found = open_set_identification_rate(similarities, names, truth, gallery.names, far)
    assert found.rate == pytest.approx(max(rates))
    assert found.far == pytest.approx(np.mean(best[~known] >= found.threshold))
    assert found.far <= far
    named = (best >= found.threshold) & (first == truth)
    assert found.rate == pytest.approx(named[known].mean())
    exact = stats.binomtest(int(named[known].sum()), int(known.sum()))
    interval = exact.proportion_ci(method="exact")
    assert found.interval == pytest.approx((interval.low, interval.high))
    assert (found.enrolled_probes, found.unknown_probes) == (36, 24)


def test_best_matches_alone():
    gallery, probes, truth = _searched()
    similarities, names = gallery.search(probes, k=1)
    whole = open_set_identification_rate(similarities, names, truth, gallery.names, 0.2)
    alone = open_set_identification_rate(
        similarities[:, 0], names[:, 0], truth, gallery.names, 0.2
    )
    assert whole == alone
    assert rank_k(names[:, 0], names[:, 0]) == 1


def test_bad_arguments():
    gallery, probes, truth = _searched()
    similarities, names = gallery.search(probes, k=2)
    with pytest.raises(ValueError, match="larger `k`"):
        rank_k(names, truth, k=3)
    with pytest.raises(ValueError, match=r"\(60, 2\)"):
        rank_k(names, truth[:3])
    with pytest.raises(ValueError, match="of strangers"):
        open_set_identification_rate(similarities, names, truth, gallery.names, 0.01)
    with pytest.raises(ValueError, match="60 and 0"):
        open_set_identification_rate(similarities, names, truth, truth, 0.1)
    empty = Gallery(6).search(probes)
    with pytest.raises(ValueError, match="enroll people"):
        open_set_identification_rate(*empty, truth, gallery.names, 0.1)
    with pytest.raises(ValueError, match=r"\(60,\)"):
        open_set_identification_rate(similarities[:3], names, truth, [], 0.1)
