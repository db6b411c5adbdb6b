"""How good a ranking is: mean average precision, recall@k and 4 x recall@4.

Functions of label arrays; `Retrieval.query` makes the rankings they score.
"""

import numpy as np


def mean_average_precision(
    ranked_labels, query_labels, *, num_relevant=None, per_query: bool = False
):
    """Mean over queries of AP = (1/R) * sum over relevant ranks r of precision@r.

    Precision is taken at each relevant item (no trapezoids), as in Oxford-like
    protocols with R = `num_relevant`.

    Args:
        ranked_labels: Labels of the ranked items, best first, `(queries, k)`.
        query_labels: Label of each query, `(queries,)`.
        num_relevant: Number of relevant items of each query in the whole index,
            `(queries,)` or one int. None: those seen in the ranking, which is right
            only when the ranking is complete. With a ranking cut at k the mean runs
            over min(R, k), so that a perfect ranking still scores 1.
        per_query: Whether to return the AP of every query instead of their mean.

    Returns:
        A float in [0, 1], or float64 `(queries,)` with `per_query`. A query without
        any relevant item has AP 0.

    Raises:
        ValueError: When the shapes do not fit together.

    Example:
        >>> mean_average_precision([["a", "b", "a"]], ["a"])
        0.8333333333333333

    References:
        Philbin et al., Object retrieval with large vocabularies and fast spatial
        matching, CVPR 2007 (they interpolate; we do not).
    """
    hits = _hits(ranked_labels, query_labels)
    ranks = np.arange(1, hits.shape[1] + 1)
    precision = np.cumsum(hits, axis=1) / ranks
    relevant = hits.sum(axis=1) if num_relevant is None else np.asarray(num_relevant)
    relevant = np.minimum(np.broadcast_to(relevant, hits.shape[:1]), hits.shape[1])
    average = (precision * hits).sum(axis=1) / np.maximum(relevant, 1)
    return average if per_query else float(average.mean())


def recall_at_k(ranked_labels, query_labels, k: int = 1) -> float:
    """Share of queries with a relevant item among the first `k` (metric learning's).

    Args:
        ranked_labels: Labels of the ranked items, best first, `(queries, >= k)`.
        query_labels: Label of each query, `(queries,)`.
        k: Number of ranks looked at, 1 or more.

    Returns:
        A float in [0, 1].

    Raises:
        ValueError: When `k` is not in [1, length of the rankings].

    Example:
        >>> recall_at_k([["b", "a"], ["b", "b"]], ["a", "a"], k=2)
        0.5
    """
    hits = _first(_hits(ranked_labels, query_labels), k)
    return float(hits.any(axis=1).mean())


def four_times_recall_at_4(ranked_labels, query_labels) -> float:
    """Mean number of relevant items among the first four, in [0, 4].

    The score of UKBench-like sets, where each query has four relevant items, itself
    included: keep the query in its ranking (`exclude_self=False`).

    Args:
        ranked_labels: Labels of the ranked items, best first, `(queries, >= 4)`.
        query_labels: Label of each query, `(queries,)`.

    Returns:
        A float in [0, 4].

    Raises:
        ValueError: When the rankings hold fewer than four items.

    Example:
        >>> four_times_recall_at_4([["a", "a", "b", "a", "a"]], ["a"])
        3.0

    References:
        Nister and Stewenius, Scalable recognition with a vocabulary tree, CVPR 2006.
    """
    return float(_first(_hits(ranked_labels, query_labels), 4).sum(axis=1).mean())


def _hits(ranked_labels, query_labels) -> np.ndarray:
    ranked, queries = np.asarray(ranked_labels), np.asarray(query_labels)
    if ranked.ndim != 2 or queries.shape != ranked.shape[:1] or ranked.size == 0:
        raise ValueError(
            "Expected `ranked_labels` of shape (queries, k) and `query_labels` of "
            f"shape (queries,), not empty. Received: {ranked.shape} and "
            f"{queries.shape}."
        )
    return ranked == queries[:, None]


def _first(hits: np.ndarray, k: int) -> np.ndarray:
    if not 1 <= k <= hits.shape[1]:
        raise ValueError(
            f"Expected `k` in [1, {hits.shape[1]}], the length of the rankings. "
            f"Received: {k}. Query with a larger `k`."
        )
    return hits[:, :k]
