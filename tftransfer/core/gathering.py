"""The rows of all replicas, for losses that compare the rows of a batch.

TensorFlow only; other backends get their argument back. A mean over rows needs none of
this: `ReplicatedSteps` adds the replicas' parts up.
"""

import keras
from keras import tree

from tftransfer.core.replicas import replica_rows


def gather_replicas(value):
    """Return the rows of all replicas, so that a term of the batch sees all of it.

    Under `tf.distribute` a replica computes its losses from its own part of the batch:
    means, covariances and pairs are those of that part. On gathered rows every replica
    computes the term of the whole batch, and the update is that of one device. The
    gradient of a row is the sum over all replicas' copies of the term: the copies are
    weighted by share / replicas, which adds up to 1.

    Rows come in the order of the replicas, which is that of the batch. Replicas may
    have different numbers of them or none; the row of zeros that stands in for an empty
    part is left out. Outside a replicated step, with one replica and on other backends
    than TensorFlow the argument comes back as it is, so that a method may always call
    it. Gather everything the term reads: features, labels and sample weights. The term
    is a `keras.losses.Loss` with the default reduction: of a "sum" every copy counts
    whole. All replicas must call it equally often: not inside `tf.cond` or a loop of
    the graph.

    Args:
        value: Tensor of shape `(rows, ...)`, or nested dicts, lists and tuples of such;
            None stays None. Numbers of rows may differ from that of the batch.

    Returns:
        The same structure, with tensors of shape `(rows of all replicas, ...)`.

    Raises:
        ValueError: Inside a replicated step, when a tensor has no axis of rows.

    Example:
        >>> import keras
        >>> from tftransfer.distribute import gather_replicas
        >>> class MeanGap(keras.losses.Loss):
        ...     def call(self, y_true, y_pred):
        ...         gap = keras.ops.mean(gather_replicas(y_true - y_pred), axis=0)
        ...         return keras.ops.sum(gap**2, keepdims=True)
        >>> float(MeanGap()(keras.ops.ones((4, 2)), keras.ops.zeros((4, 2))))
        2.0
    """
    if keras.backend.backend() != "tensorflow":
        return value
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return value
    # One by one: TensorFlow 2.21 cannot differentiate through several shapes at once.
    return tree.map_structure(
        lambda part: None if part is None else _gathered(replica, part),
        value,
        none_is_leaf=True,
    )


def _gathered(replica, value):
    import tensorflow as tf

    value = tf.convert_to_tensor(value)
    if value.shape.rank == 0:
        raise ValueError(
            "Expected tensors of shape (rows, ...) to gather from all replicas. "
            "Received: a scalar. Gather the rows that it was computed from."
        )
    rows = replica_rows()
    if rows is not None:
        value = value[: tf.shape(value)[0] * tf.minimum(rows, 1)]
    carried = tf.cast(value, _carrier(value.dtype))
    found = tf.cast(replica.all_gather(carried, axis=0), value.dtype)
    found.set_shape([None, *value.shape[1:]])
    return found


def _carrier(dtype):
    """Return the dtype to send: collectives between processes take few of them."""
    import tensorflow as tf

    if dtype in (tf.float32, tf.float64, tf.int32, tf.int64):
        return dtype
    if dtype.is_floating:
        return tf.float32
    return tf.int64 if dtype.size > 2 else tf.int32
