"""All pairs of people's pictures: the same person, or two different ones."""

import numpy as np

_MOST = 2_000_000  # pairs of different people


def similarities_of_pairs(
    embeddings: np.ndarray, labels, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the similarity of each pair of pictures, and whether it is one person.

    Args:
        embeddings: (n, dimension) of unit length.
        labels: (n,) integers or names, the person of each.
        seed: Of the choice among pairs of different people, where there are more than
            two millions: that many are drawn, and all pairs of one person are taken.

    Returns:
        float32 (pairs,) cosines, and booleans (pairs,), the same person's first.

    Raises:
        ValueError: When there are no pairs of one kind.

    Example:
        >>> similarities_of_pairs(np.eye(3), ["Ada", "Ada", "Bob"])[1].tolist()
        [True, False, False]
    """
    labels = np.unique(np.asarray(labels), return_inverse=True)[1]
    same = _same_pairs(labels)
    total = len(labels) * (len(labels) - 1) // 2 - len(same)
    if not len(same) or not total:
        raise ValueError(
            "Expected two people or more, one of them with two pictures or more. "
            f"Received: {len(labels)} pictures with a face, of "
            f"{len(np.unique(labels))} people."
        )
    different = _all_different(labels) if total <= _MOST else _drawn(labels, seed)
    pairs = np.concatenate([same, different])
    found = np.empty(len(pairs), "float32")
    for start in range(0, len(pairs), 65_536):
        first, second = pairs[start : start + 65_536].T
        found[start : start + 65_536] = np.einsum(
            "ij,ij->i", embeddings[first], embeddings[second]
        )
    return found, np.arange(len(pairs)) < len(same)


def pictures_of_each(people: np.ndarray) -> list[np.ndarray]:
    """Return the places of each person's pictures, rising; sorts once for all people.

    Args:
        people: (n,) integers from 0, each of them there.
    """
    if not len(people):
        return []
    order = np.argsort(people, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(people[order])) + 1)


def _same_pairs(labels: np.ndarray) -> np.ndarray:
    pairs = [np.empty((0, 2), "int64")]
    for own in pictures_of_each(labels):
        pairs.append(own[np.stack(np.triu_indices(len(own), 1), axis=1)])
    return np.concatenate(pairs)


def _all_different(labels: np.ndarray) -> np.ndarray:
    first, second = np.triu_indices(len(labels), 1)
    chosen = labels[first] != labels[second]
    return np.stack([first[chosen], second[chosen]], axis=1)


def _drawn(labels: np.ndarray, seed: int) -> np.ndarray:
    rng, count = np.random.default_rng(seed), len(labels)
    # A pair as one number, and `np.unique` by hand: it takes ten times as long.
    pairs = np.empty(0, "int64")
    while len(pairs) < _MOST:
        first, second = np.sort(rng.integers(0, count, (_MOST, 2)), axis=1).T
        different = labels[first] != labels[second]
        new = (first * count + second)[different]
        pairs = np.sort(np.concatenate([pairs, new]))
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    chosen = pairs[np.sort(rng.choice(len(pairs), _MOST, replace=False))]
    return np.stack(np.divmod(chosen, count), axis=1)
