"""Which pictures of a folder train and which validate; copies kept on one side."""

import warnings

import numpy as np

from tftransfer.data.scan import FolderIndex


def stratified_split(labels, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split indices at random, the same share of every class.

    Args:
        labels: (n,) integers.
        share: Share of the second part, in [0, 1); rounded per class, but at least one
            picture on each side where the class has two; a single one is in the first.
        seed: Of the choice.

    Returns:
        Indices of the first and second part, each sorted.

    Example:
        >>> first, second = stratified_split([0, 0, 0, 0, 1, 1, 1, 1], 0.25, seed=0)
        >>> len(first), len(second)
        (6, 2)
    """
    labels = np.asarray(labels)
    generator = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        count = max(round(share * len(members)), 1 if share > 0 else 0)
        count = min(count, len(members) - 1)
        chosen.append(members[:count])
    second = np.sort(np.concatenate(chosen))
    first = np.setdiff1d(np.arange(len(labels)), second)
    return first, second


def training_and_validation(
    index: FolderIndex, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of training and validation pictures.

    Args:
        index: Of the folder. Its own splits are used; where there is none for
            validation it is drawn from the training pictures.
        share: As in `stratified_split`; of no effect on splits that are given.
        seed: Of the choice.

    Returns:
        Two arrays of indices, each sorted.

    Raises:
        ValueError: When a class has no training picture.
    """
    pool = np.arange(len(index.paths))
    if any(index.splits):
        pool, validation = index.of_split("train"), index.of_split("val")
        _check_all_trained(index, pool)
        _warn_of_shared(index, pool, index.of_split("test"), "test")
        if len(validation):
            _warn_of_shared(index, pool, validation, "validation")
            return pool, validation
    first, second = stratified_split(index.labels[pool], share, seed)
    train, validation = pool[first], pool[second]
    moved = _copies_of(index, train, validation)
    if len(moved):
        shown = ", ".join(f"'{index.paths[i]}'" for i in moved[:5])
        warnings.warn(
            f"{len(moved)} validation pictures are copies of training pictures and "
            f"were moved to their side: {shown}{' ...' if len(moved) > 5 else ''}. "
            "Remove one of each pair, above all where their classes differ."
        )
    return np.union1d(train, moved), np.setdiff1d(validation, moved)


def _copies_of(index: FolderIndex, train, others) -> np.ndarray:
    if not index.digests:
        return np.array([], int)
    known = {index.digests[i] for i in train}
    return np.array([i for i in others if index.digests[i] in known], int)


def _warn_of_shared(index: FolderIndex, train, others, name: str) -> None:
    shared = _copies_of(index, train, others)
    if len(shared):
        shown = ", ".join(f"'{index.paths[i]}'" for i in shared[:5])
        warnings.warn(
            f"{len(shared)} {name} pictures are also training pictures, which makes "
            f"the {name} accuracy too good: {shown}"
            f"{' ...' if len(shared) > 5 else ''}. Remove them from one side."
        )


def _check_all_trained(index: FolderIndex, train) -> None:
    missing = set(range(len(index.class_names))) - set(index.labels[train].tolist())
    if missing:
        names = [index.class_names[i] for i in sorted(missing)]
        raise ValueError(
            f"Expected every class in the training folder of '{index.folder}'. "
            f"Received: {names} without a picture there."
        )
