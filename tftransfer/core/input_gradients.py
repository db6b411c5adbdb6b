"""Gradients with respect to a net's input, inside a training step. TensorFlow only."""

import contextlib


@contextlib.contextmanager
def input_gradients(x):
    """Record what is computed from `x`, and give its gradients.

    The gradients are part of the graph: an outer tape differentiates them again.

    Args:
        x: Float tensor (batch, ...).

    Yields:
        A function for use within the context: it maps a value per row, (batch,), to
        the gradient of each with respect to its row of `x`, (batch, ...). Where rows
        depend on each other (BatchNorm in training) it is the gradient of their sum.

    Raises:
        ValueError: From the function, when the value does not depend on `x`.

    Example:
        >>> import tensorflow as tf
        >>> x = tf.constant([[2.0], [3.0]])
        >>> with input_gradients(x) as gradient:
        ...     found = gradient(tf.reduce_sum(x**2, axis=1))
        >>> found.numpy().tolist()
        [[4.0], [6.0]]
    """
    import tensorflow as tf

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)

        def gradient(value):
            with tape.stop_recording():
                found = tape.gradient(value, x)
            if found is None:
                raise ValueError(
                    "Expected a value that depends on the input. Received one that "
                    "does not, or through an operation without a gradient."
                )
            return found

        yield gradient
