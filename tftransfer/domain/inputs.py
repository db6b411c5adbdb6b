"""Checks of the arrays and arguments that the methods on arrays take.

No TensorFlow here, which is why `core.validation` is not used.
"""

import numbers

import numpy as np
from sklearn.utils.validation import check_array
from sklearn.utils.validation import validate_data

FLOATS = (np.float64, np.float32)
DOMAINS = ("source", "target")


def check_choice(name: str, value, options) -> None:
    """Raise ValueError unless `value` is among `options`."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(
            f"Expected `{name}` to be one of {list(options)}. Received: {value!r}."
        )


def check_count(name: str, value, low: int = 1, high: int | None = None) -> int:
    """Return `value` as an int; raise unless it is a whole number in [low, high].

    Raises:
        TypeError: When it is not a whole number.
        ValueError: When it is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"Expected `{name}` to be an int. Received: {value!r}.")
    if value < low or (high is not None and value > high):
        upper = "or more" if high is None else f"to {high}, as the data allow"
        raise ValueError(f"Expected `{name}` of {low} {upper}. Received: {value}.")
    return int(value)


def check_real(
    name: str, value, low: float = 0.0, *, above: bool = False, high: float = np.inf
) -> float:
    """Return `value` as a float; raise unless it is in [low, high] or (low, high].

    Args:
        name: The argument's name, for the error text.
        value: What the caller passed.
        low: Smallest value allowed.
        above: Whether `low` itself is excluded.
        high: Largest value allowed.

    Raises:
        TypeError: When it is not a number.
        ValueError: When it is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"Expected `{name}` to be a number. Received: {value!r}.")
    inside = (value > low if above else value >= low) and value <= high
    if not (inside and np.isfinite(value)):
        bracket = "(" if above else "["
        raise ValueError(
            f"Expected a finite `{name}` in {bracket}{low:g}, {high:g}]. "
            f"Received: {value!r}."
        )
    return float(value)


def check_two_domains(
    X_source, X_target, names: tuple[str, str] = ("X_source", "X_target")
) -> tuple[np.ndarray, np.ndarray]:
    """Return both domains as float arrays of one width, 2 rows or more each.

    Args:
        X_source: `(n, d)`.
        X_target: `(m, d)`.
        names: Of both, for the error text.

    Raises:
        ValueError: When a domain is absent, not 2-d, too short or not finite, or the
            widths, or the columns of data frames, differ.
    """
    rows = []
    for name, X in zip(names, (X_source, X_target)):
        if X is None:
            raise ValueError(f"Expected `{name}` of shape (rows, d). Received: None.")
        rows.append(check_array(X, dtype=FLOATS, input_name=name, ensure_min_samples=2))
    check_columns(dict(zip(names, (X_source, X_target))))
    if rows[0].shape[1] != rows[1].shape[1]:
        raise ValueError(
            f"Expected `{names[0]}` and `{names[1]}` to have the same features. "
            f"Received: {rows[0].shape} and {rows[1].shape}. Extract both with one "
            "backbone and endpoint."
        )
    return rows[0], rows[1]


def check_columns(sets: dict) -> None:
    """Raise unless data frames among `sets`, {name: X}, have the same columns in order.

    Positions are all that an array keeps of them.
    """
    named = {n: list(X.columns) for n, X in sets.items() if hasattr(X, "columns")}
    for name, found in named.items():
        first, columns = next(iter(named.items()))
        if found != columns:
            raise ValueError(
                f"Expected {name} to have the columns of {first} in their order, "
                f"{columns[:5]}. Received: {found[:5]}. Select them by name."
            )


def check_like_source(estimator, X, X_target) -> tuple[np.ndarray, np.ndarray]:
    """Return both domains as `check_two_domains`; columns with names must be the same.

    Args:
        estimator: Whose `validate_data` has just seen the source.
        X: The source as it returned it, `(n, d)`.
        X_target: As the caller passed it, `(m, d)`.

    Raises:
        ValueError: As `check_two_domains`, and when both are data frames whose columns
            have other names or another order.
    """
    # By arrays first: this error also says which domain it is about.
    rows = check_two_domains(X, X_target, ("X", "X_target"))
    # Positions are all that an array keeps, so the names are checked on what came.
    validate_data(estimator, X_target, reset=False, skip_check_array=True)
    return rows
