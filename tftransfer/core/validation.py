"""Checks of user input with one form of error text: expected, received, what to do."""

import difflib
from collections.abc import Iterable


def nearest(name: str, options: Iterable[str]) -> str:
    """Say which of `options` come nearest to `name`, as the end of an error text.

    Example:
        >>> nearest("conv9", ["conv4", "conv5", "fc"])
        "Nearest: 'conv5', 'conv4'."
    """
    options = [str(option) for option in options]
    close = difflib.get_close_matches(str(name), options, n=3, cutoff=0.5)
    if close:
        return "Nearest: " + ", ".join(f"'{option}'" for option in close) + "."
    shown = ", ".join(f"'{option}'" for option in options[:12])
    return f"Valid: {shown}{', ...' if len(options) > 12 else ''}."


def check_one_of(name: str, value, options: Iterable) -> None:
    """Raise ValueError unless `value` is among `options`.

    Args:
        name: The argument's name, for the error text.
        value: What the caller passed.
        options: The values allowed.

    Raises:
        ValueError: When `value` is not one of `options`.
    """
    options = list(options)
    if value not in options:
        raise ValueError(
            f"Expected `{name}` to be one of {options}. Received: {value!r}. "
            + nearest(str(value), [str(option) for option in options])
        )


def check_range(
    name: str, value: float, low: float, high: float, *, open_high: bool = False
) -> None:
    """Raise ValueError unless `low <= value <= high` (`< high` with `open_high`).

    Args:
        name: The argument's name, for the error text.
        value: What the caller passed.
        low: Smallest value allowed.
        high: Largest value allowed, or the first one that is not.
        open_high: Whether `high` itself is excluded.

    Raises:
        ValueError: When `value` is outside the range.
        TypeError: When `value` is not a number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"Expected `{name}` to be a number. Received: {value!r}.")
    inside = low <= value < high if open_high else low <= value <= high
    if not inside:
        bracket = ")" if open_high else "]"
        raise ValueError(
            f"Expected `{name}` in [{low}, {high}{bracket}. Received: {value!r}."
        )


def check_image_shape(name: str, shape: tuple) -> None:
    """Raise ValueError unless `shape` is (height, width, 3) or a batch of it.

    Args:
        name: What has this shape, for the error text.
        shape: The shape received; None stands for an unknown length.

    Raises:
        ValueError: When the shape cannot be that of RGB pictures.
    """
    if len(shape) not in (3, 4) or shape[-1] != 3:
        raise ValueError(
            f"Expected `{name}` of shape (height, width, 3) or (batch, height, width, "
            f"3), RGB. Received: {tuple(shape)}. Grey pictures: repeat the channel, "
            "`numpy.repeat(x[..., None], 3, axis=-1)`."
        )
