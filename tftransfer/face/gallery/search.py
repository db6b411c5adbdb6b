"""Exact search of the most similar people, block by block, in bounded memory.

The best picture of a person decides. NumPy's matrix products, or the same of faiss.
"""

import importlib.util
from collections.abc import Iterable
from collections.abc import Iterator

import numpy as np

INDEXES = ("auto", "numpy", "faiss")
_NUMBERS = 2**22  # similarities at a time: 16 MiB


def choose_index(index: str) -> str:
    """Return "numpy" or "faiss"; "auto" is NumPy, which needs nothing and is as fast.

    Raises:
        ValueError: When there is no such index.
        ImportError: When faiss is asked for and absent.
    """
    if index not in INDEXES:
        raise ValueError(f"Expected `index` of {INDEXES}. Received: {index!r}.")
    if index == "faiss" and importlib.util.find_spec("faiss") is None:
        raise ImportError(
            "Expected the package faiss-cpu for `index='faiss'`. Received none: `pip "
            "install 'tftransfer[faiss]'`, or use `index='numpy'`."
        )
    return "numpy" if index == "auto" else index


def most_similar(
    queries: np.ndarray,
    blocks: Iterable[tuple[np.ndarray, np.ndarray]],
    k: int,
    index: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the `k` people most similar to each query.

    Args:
        queries: Unit rows, float32 `(n, d)`.
        blocks: Pairs of unit rows, float32 `(rows, d)`, and the number of the person
            of each, `(rows,)`.
        k: Number of people, at most as many as the blocks hold.
        index: "numpy" or "faiss".

    Returns:
        `(similarities, people)`, float32 in [-1, 1] and int64, `(n, k)`, best first;
        equal similarities in the order of the people's numbers.
    """
    blocks = list(blocks)
    similarities = np.empty((len(queries), k), np.float32)
    people = np.empty((len(queries), k), np.int64)
    largest = max((len(rows) for rows, _ in blocks), default=1)
    size = max(1, _NUMBERS // (largest + 8 * k))
    candidates = _by_faiss if index == "faiss" else _by_numpy
    for start in range(0, len(queries), size):
        part = slice(start, start + size)
        best = _Best(len(queries[part]), k)
        for rows, persons in blocks:
            candidates(queries[part], rows, persons, best)
        similarities[part], people[part] = best.similarities, best.people
    return np.clip(similarities, -1.0, 1.0), people


class _Best:
    """The `k` best people so far of each query, filled up with -inf and person -1."""

    def __init__(self, queries: int, k: int):
        self.similarities = np.full((queries, k), -np.inf, np.float32)
        self.people = np.full((queries, k), -1, np.int64)
        self.seen = 0  # rows

    def offer(self, query, person, similarity) -> None:
        """Take candidates, three arrays of one length; a person may come twice."""
        if not len(query):
            return
        count, k = self.people.shape
        held = np.flatnonzero(self.people.ravel() >= 0)
        query = np.concatenate([held // k, query])
        person = np.concatenate([self.people.ravel()[held], person])
        similarity = np.concatenate([self.similarities.ravel()[held], similarity])
        # The best picture of each person, then the best people of each query.
        order = np.lexsort((-similarity, person, query))
        query, person, similarity = query[order], person[order], similarity[order]
        first = np.ones(len(query), bool)
        first[1:] = (query[1:] != query[:-1]) | (person[1:] != person[:-1])
        query, person, similarity = query[first], person[first], similarity[first]
        order = np.lexsort((person, -similarity, query))
        query, person, similarity = query[order], person[order], similarity[order]
        rank = np.arange(len(query)) - np.searchsorted(query, np.arange(count))[query]
        kept = rank < k
        place = query[kept], rank[kept]
        self.people[place], self.similarities[place] = person[kept], similarity[kept]


def _by_numpy(queries, rows, persons, best: _Best) -> None:
    for span in _spans(len(rows), best):
        products = queries @ rows[span].T
        least = best.similarities[:, -1:]
        if np.isneginf(least).any():
            least = np.maximum(least, _kth_person(products, persons[span], best))
        found = np.flatnonzero(products >= least)
        query, row = np.divmod(found, products.shape[1])
        best.offer(query, persons[span][row], products.ravel()[found])


def _spans(rows: int, best: _Best) -> Iterator[slice]:
    """Cut a block in spans, each as long as all before it.

    Of such a span about k rows beat the k-th best so far, of random order: few
    candidates to sort, whatever the size.
    """
    start = 0
    while start < rows:
        stop = min(rows, start + max(1024, best.seen))
        yield slice(start, stop)
        best.seen += stop - start
        start = stop


def _kth_person(products, persons, best: _Best) -> np.ndarray:
    """Return what k people reach by their first picture: less cannot be needed."""
    k = best.people.shape[1]
    first = np.unique(persons, return_index=True)[1]
    if len(first) < k:
        return np.full((len(products), 1), -np.inf, np.float32)
    return np.partition(products[:, first], -k, axis=1)[:, [-k]]


def _by_faiss(queries, rows, persons, best: _Best) -> None:
    import faiss

    k = best.people.shape[1]
    wanted = min(k, len(rows))
    while True:
        products, found = faiss.knn(
            queries, rows, wanted, metric=faiss.METRIC_INNER_PRODUCT
        )
        # Rows are not people: ask for more until k people are among them.
        if wanted == len(rows) or _fewest_people(persons[found]) >= k:
            break
        wanted = min(2 * wanted, len(rows))
    query = np.repeat(np.arange(len(queries)), wanted)
    best.offer(query, persons[found.ravel()], products.ravel())


def _fewest_people(persons: np.ndarray) -> int:
    ordered = np.sort(persons, axis=1)
    return int(1 + (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1).min())
