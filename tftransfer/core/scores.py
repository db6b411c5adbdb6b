"""Whether a classifier ends in logits or in probabilities, and logits of either."""

import keras
from keras import ops

from tftransfer.core.validation import check_one_of

_PASSING = (
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.Identity,
    keras.layers.Reshape,
)
KINDS = ("auto", "logits", "probabilities")


def kind_of_outputs(model: keras.Model, said: str, role: str) -> str:
    """Return "logits" or "probabilities": what a classifier's output is.

    Args:
        model: The classifier.
        said: What the caller says; "auto" reads it off the last layer.
        role: "student", "teacher" or "head", for the error text.

    Raises:
        ValueError: With "auto", when the last layer does not tell, or there is none.

    Example:
        >>> net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> kind_of_outputs(net, "auto", "teacher")
        'logits'
    """
    check_one_of(f"{role}_output", said, KINDS)
    if said != "auto":
        return said
    if not getattr(model, "outputs", None) and not model.built:
        raise ValueError(
            f"Expected a {role} whose shapes are known. Received: '{model.name}', "
            "which was never built. Begin it with `keras.Input(shape)`, or call it."
        )
    end = _end(model)
    kind = {"linear": "logits", "softmax": "probabilities"}.get(end)
    if kind is None:
        raise ValueError(
            f"Expected a {role} that ends in logits or a softmax over classes. "
            f"Received: '{model.name}', which ends in {end}. Where it gives logits or "
            f"probabilities all the same, say so: `{role}_output='logits'` or "
            "'probabilities'."
        )
    return kind


def ends_in_softmax(model: keras.Model) -> bool:
    """Tell whether a model's last layer is seen to be a softmax."""
    return _end(model) == "softmax"


def as_logits(outputs, kind: str):
    """Return logits in float32; of probabilities the logarithm.

    softmax(log(p)) is p again, so that a temperature acts as it would have on the
    logits, which are known up to a constant that no softmax sees.
    """
    outputs = ops.cast(outputs, "float32")
    if kind == "logits":
        return outputs
    return ops.log(ops.maximum(outputs, 1e-37))


def _end(model) -> str:
    """Name the activation that a model ends in, or what stands in its place."""
    outputs = getattr(model, "outputs", None)
    if not outputs:
        return f"a `call` of its own ({type(model).__name__})"
    if len(outputs) != 1:
        return f"{len(outputs)} outputs"
    operation, tensor = outputs[0]._keras_history.operation, outputs[0]
    while True:
        if isinstance(operation, keras.layers.Softmax):
            return "softmax"
        if isinstance(operation, keras.Model):
            return _end(operation)
        activation = getattr(operation, "activation", None)
        name = getattr(activation, "__name__", None)
        passes = isinstance(operation, keras.layers.Activation) and name == "linear"
        if not passes and not isinstance(operation, _PASSING):
            break
        tensor = operation._inbound_nodes[tensor._keras_history.node_index].arguments
        tensor = tensor.keras_tensors[0]
        operation = tensor._keras_history.operation
    if name is not None:
        return name
    if type(operation).__name__ == "Softmax":  # the operation keras.ops.softmax
        return "softmax"
    return f"'{operation.name}' ({type(operation).__name__})"
