"""Which people train and which validate: disjoint, unlike pictures of the same ones."""

import numpy as np

from tftransfer.data import Source


def pairable(source: Source) -> np.ndarray:
    """Return the labels, sorted, of the people with two pictures or more."""
    labels, counts = np.unique(source.labels, return_counts=True)
    return labels[counts > 1]


def people_in(source: Source) -> list[str]:
    """Return the names of the people in a source."""
    return [source.class_names[label] for label in np.unique(source.labels)]


def divide_people(source: Source, people, seed: int) -> tuple[Source, Source]:
    """Return the sources of the people that train and of those that validate.

    Args:
        source: Crops and labels, with names.
        people: Share of those with two pictures, in (0, 1), two at least; or labels.
        seed: Of the choice.

    Raises:
        ValueError: When people are not among the labels, or fewer than two with two
            pictures are left on either side.
    """
    with_pairs = pairable(source)
    if isinstance(people, float):
        if not 0 < people < 1:
            raise ValueError(
                "Expected `validation_people` in (0, 1), or labels. Received: "
                f"{people}."
            )
        count = max(2, round(people * len(with_pairs)))
        held = np.random.default_rng(seed).permutation(with_pairs)[:count]
    else:
        held = np.array([_label(source, person) for person in people], int)
    is_held = np.isin(source.labels, held)
    train = source.subset(np.flatnonzero(~is_held))
    validation = source.subset(np.flatnonzero(is_held))
    if min(len(pairable(train)), len(pairable(validation))) < 2:
        raise ValueError(
            "Expected two people or more, with two pictures each, to train on and as "
            f"many to validate. Received: {len(pairable(train))} and "
            f"{len(pairable(validation))}."
        )
    return train, validation


def _label(source: Source, person) -> int:
    names = list(source.class_names)
    if str(person) not in names:
        raise ValueError(
            "Expected `validation_people` to be among the labels, or a share such as "
            f"0.2. Received: {person!r}."
        )
    return names.index(str(person))
