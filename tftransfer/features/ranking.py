"""Rankings by cosine similarity in chunks: never an n x n matrix at once."""

from collections.abc import Iterable
from collections.abc import Iterator

import numpy as np

from tftransfer.features.retrieval_metrics import four_times_recall_at_4
from tftransfer.features.retrieval_metrics import mean_average_precision
from tftransfer.features.retrieval_metrics import recall_at_k

_CHUNK_BYTES = 64 * 2**20  # of similarities at a time


def nearest_rows(
    queries: np.ndarray, index: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the `k` rows of `index` with the largest dot product, per query.

    Args:
        queries: Unit rows, `(queries, d)`.
        index: Unit rows, `(n, d)`, n of `k` or more.
        k: Number of results, 1 or more.

    Returns:
        `(indices, similarities)`, int64 and float32 in [-1, 1], both `(queries, k)`,
        best first; ties go to the smaller index.
    """
    indices = np.empty((len(queries), k), np.int64)
    similarities = np.empty((len(queries), k), np.float32)
    for rows in _chunks(len(queries), len(index)):
        chunk = queries[rows] @ index.T
        indices[rows] = _top_k(chunk, k)
        similarities[rows] = np.take_along_axis(chunk, indices[rows], axis=1)
    return indices, np.clip(similarities, -1.0, 1.0)


def score_rankings(
    queries: np.ndarray,
    index: np.ndarray,
    query_labels: np.ndarray,
    labels: np.ndarray,
    *,
    ks: Iterable[int] = (1, 5),
    exclude_self: bool = False,
) -> dict[str, float]:
    """Score the complete ranking of `index` for every query, chunk by chunk.

    Args:
        queries: Unit rows, `(queries, d)`.
        index: Unit rows, `(n, d)`.
        query_labels: `(queries,)`.
        labels: `(n,)`.
        ks: The k of each recall@k; those above the ranking's length are left out.
        exclude_self: Query i is row i of the index, and is left out of its ranking
            for mAP and recall@k (4 x recall@4 keeps it, as UKBench counts).

    Returns:
        `{"mAP": ..., "recall@1": ..., ..., "4xRecall@4": ...}`.
    """
    counts = dict(
        zip(*(part.tolist() for part in np.unique(labels, return_counts=True)))
    )
    relevant = np.array([counts.get(label, 0) for label in query_labels.tolist()])
    ks = [k for k in ks if k <= len(index) - exclude_self]
    sums: dict[str, float] = {}
    for rows in _chunks(len(queries), len(index)):
        ranking = np.argsort(-(queries[rows] @ index.T), axis=1, kind="stable")
        asked = query_labels[rows]
        scores = {}
        if len(index) >= 4:
            scores["4xRecall@4"] = four_times_recall_at_4(labels[ranking[:, :4]], asked)
        if exclude_self:
            ranking = _without(ranking, np.arange(rows.start, rows.stop))
        found = labels[ranking]
        scores["mAP"] = mean_average_precision(
            found, asked, num_relevant=relevant[rows] - exclude_self
        )
        scores |= {f"recall@{k}": recall_at_k(found, asked, k) for k in ks}
        for name, score in scores.items():
            sums[name] = sums.get(name, 0.0) + len(asked) * score
    order = ["mAP", *(f"recall@{k}" for k in ks), "4xRecall@4"]
    return {name: float(sums[name] / len(queries)) for name in order if name in sums}


def _chunks(queries: int, indexed: int) -> Iterator[slice]:
    size = max(1, _CHUNK_BYTES // (4 * max(indexed, 1)))
    return (slice(i, min(i + size, queries)) for i in range(0, queries, size))


def _without(ranking: np.ndarray, own: np.ndarray) -> np.ndarray:
    return ranking[ranking != own[:, None]].reshape(len(ranking), -1)


def _top_k(similarities: np.ndarray, k: int) -> np.ndarray:
    if k >= similarities.shape[1]:
        return np.argsort(-similarities, axis=1, kind="stable")
    best = np.sort(np.argpartition(-similarities, k - 1, axis=1)[:, :k], axis=1)
    values = np.take_along_axis(similarities, best, axis=1)
    top = np.take_along_axis(best, np.argsort(-values, axis=1, kind="stable"), axis=1)
    # `argpartition` chooses freely among items that tie for the last place.
    tied = np.sum(similarities >= values.min(axis=1, keepdims=True), axis=1) > k
    top[tied] = np.argsort(-similarities[tied], axis=1, kind="stable")[:, :k]
    return top
