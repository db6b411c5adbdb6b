"""What a gallery takes: names of people, and embeddings as unit rows."""

import unicodedata

import numpy as np


def checked_dimension(dimension: int) -> int:
    """Return the length of an embedding as an int.

    Raises:
        TypeError: When it is no whole number.
        ValueError: When it is below 1.
    """
    if isinstance(dimension, bool) or not isinstance(dimension, int | np.integer):
        raise TypeError(f"Expected a whole `dimension`. Received: {dimension!r}.")
    if dimension < 1:
        raise ValueError(f"Expected a `dimension` of 1 or more. Received: {dimension}.")
    return int(dimension)


def checked_name(name: str) -> str:
    """Return a person's name in Unicode's composed form (NFC).

    "é" typed as one character or as two is one name, so that removing a person finds
    every embedding of them.

    Raises:
        TypeError: When it is no string.
        ValueError: When it is empty or cannot be written as UTF-8.
    """
    if not isinstance(name, str):
        raise TypeError(
            f"Expected a name, a string. Received: {type(name).__name__}. Use "
            "`str(name)`."
        )
    name = unicodedata.normalize("NFC", str(name))
    if not name.strip() or not _is_utf8(name):
        raise ValueError(
            "Expected a name of one or more characters, none a lone surrogate. "
            f"Received: {name!r}."
        )
    return name


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def unit_rows(embeddings, dimension: int) -> np.ndarray:
    """Return embeddings as float32 rows of unit length.

    Args:
        embeddings: Numbers `(n, dimension)`, or one embedding `(dimension,)`.
        dimension: Expected length of an embedding.

    Returns:
        `(n, dimension)`, C-contiguous, always a copy.

    Raises:
        TypeError: When they are no real numbers.
        ValueError: For another shape, NaN, infinity or a row of zeros.
    """
    rows = np.asarray(embeddings)
    if rows.dtype.kind not in "fiu":
        raise TypeError(f"Expected embeddings of numbers. Received: {rows.dtype}.")
    rows = rows[None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or rows.shape[1] != dimension:
        raise ValueError(
            f"Expected embeddings (n, {dimension}) or ({dimension},), as the gallery "
            f"holds. Received: {np.shape(embeddings)}."
        )
    # In double without a copy: squares of large float32 values overflow.
    squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64, casting="same_kind")
    bad = np.flatnonzero(~np.isfinite(squares) | (squares == 0))
    if len(bad):
        raise ValueError(
            "Expected finite embeddings that are not all zero. Received: row "
            f"{bad[0]} is not ({len(bad)} of {len(rows)} rows). Leave out pictures "
            "whose embedding failed."
        )
    unit = np.empty(rows.shape, np.float32)
    norms = np.sqrt(squares)[:, None]
    return np.divide(rows, norms, out=unit, casting="same_kind")
