"""Functional models made of parts."""

import keras


def chain(*parts: keras.Model, name: str | None = None) -> keras.Model:
    """Connect single-input parts one after the other into a functional model.

    The parts keep their weights and stay whole as layers of the result. The input is a
    plain tensor, never a list, so that the SavedModel signature has no list either.

    Args:
        *parts: Built models or layers; the first must be a model with one input.
        name: Name of the result.

    Returns:
        A `keras.Model` from the first part's input to the last part's output.

    Raises:
        ValueError: When the first part has several inputs or none yet.

    Example:
        >>> import keras
        >>> trunk = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> head = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        >>> chain(trunk, head).output_shape
        (None, 3)
    """
    inputs = getattr(parts[0], "inputs", None) or []
    if len(inputs) != 1:
        raise ValueError(
            f"Expected a first part with one known input. Received: '{parts[0].name}' "
            f"with {len(inputs)}. Give it a `keras.Input`."
        )
    x = inputs[0]
    image = keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name.split(":")[0])
    outputs = image
    for part in parts:
        outputs = part(outputs)
    return keras.Model(image, outputs, name=name)
