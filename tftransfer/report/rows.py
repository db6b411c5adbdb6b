"""Which rows of a dataset a page shows, and their pictures."""

import html

import numpy as np


def some_of(differing: np.ndarray, total: int, count: int) -> list[int]:
    """Return rows to show: half of those where nets differ, the rest from all.

    Args:
        differing: Rows where nets differ.
        total: Number of rows.
        count: How many to return, where there are as many.
    """
    spread = np.linspace(0, total - 1, min(count, total)).round().astype(int)
    order = [*_spread(differing, count // 2), *spread, *range(total)]
    return [int(i) for i in dict.fromkeys(order)][:count]


def pictures_of(dataset, rows: list[int]) -> list[tuple]:
    """Return (picture, label or None) of these rows, in their order.

    Args:
        dataset: Batches of pictures, alone or with labels.
        rows: Numbers of pictures.
    """
    found, start = {}, 0
    for batch in dataset:
        pictures, *labels = batch if isinstance(batch, tuple) else (batch,)
        for i in [i for i in rows if start <= i < start + len(pictures)]:
            label = np.asarray(labels[0][i - start]) if labels else None
            found[i] = np.asarray(pictures[i - start]), label
        start += len(pictures)
    return [found[i] for i in rows]


def class_name(names, label) -> str:
    """Return a class's name as HTML; its number where there are no names."""
    return html.escape(str(names[int(label)] if names else int(label)))


def _spread(rows: np.ndarray, count: int) -> list:
    if len(rows) <= count:
        return list(rows)
    return list(rows[np.linspace(0, len(rows) - 1, count).round().astype(int)])
