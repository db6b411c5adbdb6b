"""One `fit` as several processes: what is the chief's, and what all workers share.

TensorFlow only. Under MultiWorkerMirroredStrategy every worker calls the same `fit`.
Here callbacks run once per job, on the chief, and what they change reaches the other
workers at the next start of an epoch: weights, rates, optimizer, the epoch to begin
with, the wish to stop. Nothing needs a file system that all of them see.
"""

import contextlib
import functools
import inspect
import json
import re

import keras
import numpy as np


class WorkerLostError(RuntimeError):
    """A worker of the job stopped answering; the others cannot go on without it."""


def is_multi_worker(strategy) -> bool:
    """Say whether a strategy spans several processes."""
    return strategy is not None and strategy.extended._in_multi_worker_mode()


def is_chief(strategy) -> bool:
    """Say whether this process writes files and runs callbacks; a lone one does."""
    if not is_multi_worker(strategy):
        return True
    resolver = strategy.cluster_resolver
    if "chief" in resolver.cluster_spec().as_dict():
        return resolver.task_type == "chief"
    return resolver.task_type == "worker" and resolver.task_id == 0


def from_chief(strategy, arrays: list) -> list[np.ndarray]:
    """Return the chief's arrays on every worker; all of them call it together.

    Args:
        strategy: A `tf.distribute.MultiWorkerMirroredStrategy`.
        arrays: Numeric or boolean, of the same shapes and dtypes on every worker.
    """
    import tensorflow as tf

    arrays = [np.asarray(a) for a in arrays]
    results = [None] * len(arrays)
    for dtype in ("float32", "float64", "int64"):
        places = [i for i, a in enumerate(arrays) if _carrier(a.dtype) == dtype]
        if not places:
            continue
        flat = np.concatenate([arrays[i].astype(dtype).ravel() for i in places])
        found = _carry(strategy, tf.constant(flat)).numpy()
        ends = np.cumsum([arrays[i].size for i in places])
        for i, part in zip(places, np.split(found, ends[:-1])):
            results[i] = part.reshape(arrays[i].shape).astype(arrays[i].dtype)
    return results


def object_from_chief(strategy, value):
    """Return the chief's `value`, anything that JSON holds, on every worker."""
    text = np.frombuffer(json.dumps(value).encode(), "uint8")
    (length,) = from_chief(strategy, [np.int64(len(text))])
    buffer = np.zeros(int(length), "uint8")
    buffer[: min(len(text), len(buffer))] = text[: len(buffer)]
    (found,) = from_chief(strategy, [buffer])
    return json.loads(found.tobytes())


def follow_chief(model: keras.Model) -> None:
    """Give every worker the chief's weights, seeds and state of the optimizer."""
    variables = _carried(model)
    here = [keras.ops.convert_to_numpy(v) for v in variables]
    for variable, value in zip(variables, from_chief(model.distribute_strategy, here)):
        variable.assign(value)


@contextlib.contextmanager
def outside_scopes():
    """Leave the scope of a strategy for a while, where the caller is inside one.

    There a variable that the chief alone creates waits for the other workers for
    ever; Keras makes some when it saves and loads.
    """
    from tensorflow.python.framework import ops

    graph = ops.get_default_graph()
    kept = graph._variable_creator_stack, graph._distribution_strategy_stack
    graph._variable_creator_stack, graph._distribution_strategy_stack = [], []
    try:
        yield
    finally:
        graph._variable_creator_stack, graph._distribution_strategy_stack = kept


class WorkerFit:
    """Mixin before `keras.Model`: `fit` as one job, whatever its number of workers."""

    @functools.wraps(keras.Model.fit)
    def fit(self, *args, **kwargs):
        strategy = getattr(self, "_distribute_strategy", None)
        if keras.backend.backend() != "tensorflow" or not is_multi_worker(strategy):
            return super().fit(*args, **kwargs)
        bound = inspect.signature(keras.Model.fit).bind(self, *args, **kwargs)
        options = {k: v for k, v in bound.arguments.items() if k != "self"}
        if not options.get("class_weight"):  # Keras maps it over a whole dataset
            options["x"] = _own_part(strategy, options.get("x"))
        validation = options.get("validation_data")
        options["validation_data"] = _own_part(strategy, validation)
        options["callbacks"] = _callbacks_here(strategy, options.get("callbacks"))
        if not is_chief(strategy):
            options["verbose"] = 0
        with _lost_workers_named(strategy), outside_scopes():
            return super().fit(**options)

    @functools.wraps(keras.Model.evaluate)
    def evaluate(self, x=None, *args, **kwargs):
        strategy = getattr(self, "_distribute_strategy", None)
        if keras.backend.backend() != "tensorflow" or not is_multi_worker(strategy):
            return super().evaluate(x, *args, **kwargs)
        with _lost_workers_named(strategy):
            return super().evaluate(_own_part(strategy, x), *args, **kwargs)


class _FollowChief(keras.callbacks.Callback):
    """The last callback on every worker: carries what the chief's have changed."""

    def __init__(self, strategy):
        super().__init__()
        self._strategy = strategy
        self._stop = False

    def on_train_begin(self, logs=None):
        # As `BackupAndRestore` sets it on the chief.
        first = self.model._initial_epoch or 0
        self.model._initial_epoch = object_from_chief(self._strategy, first) or None
        follow_chief(self.model)

    def on_epoch_begin(self, epoch, logs=None):
        follow_chief(self.model)

    def on_train_batch_end(self, batch, logs=None):
        # The others would wait for a chief that leaves an epoch before its end.
        self._stop |= bool(self.model.stop_training)
        self.model.stop_training = False

    def on_epoch_end(self, epoch, logs=None):
        stop = self._stop or bool(self.model.stop_training)
        self.model.stop_training = object_from_chief(self._strategy, stop)

    def on_train_end(self, logs=None):
        follow_chief(self.model)


def _callbacks_here(strategy, callbacks) -> list:
    if isinstance(callbacks, keras.callbacks.Callback):
        callbacks = [callbacks]
    here = [
        callback
        for callback in callbacks or ()
        if is_chief(strategy) or getattr(callback, "every_worker", False)
    ]
    return [*here, _FollowChief(strategy)]


def _own_part(strategy, dataset):
    """Let a worker read its own rows of each batch alone, where the data can tell.

    TensorFlow's own sharding has every worker decode all pictures and drop the rest.
    """
    part = getattr(dataset, "part", None)
    if part is None:
        return dataset

    def of_worker(context):
        here = context.num_replicas_in_sync // context.num_input_pipelines
        first = context.input_pipeline_id * here
        return part(context.num_replicas_in_sync, range(first, first + here))

    return strategy.distribute_datasets_from_function(of_worker)


class _lost_workers_named:
    """Turn the errors of a broken collective into one that says what to do."""

    def __init__(self, strategy):
        self._strategy = strategy

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        import tensorflow as tf

        lost = (
            tf.errors.UnavailableError,
            tf.errors.AbortedError,
            tf.errors.DeadlineExceededError,
            tf.errors.CancelledError,
            tf.errors.InternalError,
        )
        if not isinstance(error, lost):
            return
        resolver = self._strategy.cluster_resolver
        raise WorkerLostError(
            f"Expected all {self._strategy.extended._num_workers} workers to answer. "
            f"Received at {resolver.task_type} {resolver.task_id}: {_cause(error)}. "
            "One of them was killed, stopped or cut off: start all workers again, with "
            "the same checkpoint folder to go on from the last epoch."
        ) from error


def _cause(error) -> str:
    found = re.findall(r"aborted by: ([^\n]*[\w)])", str(error))
    return found[-1] if found else str(error).splitlines()[0].rstrip(".: ")


@functools.cache
def _carrier(dtype) -> str:
    if dtype == np.float64:
        return "float64"
    return "int64" if dtype.kind in "biu" else "float32"


def _carry(strategy, flat):
    import tensorflow as tf

    def of_replica(values):
        replica = tf.distribute.get_replica_context()
        first = tf.equal(replica.replica_id_in_sync_group, 0)
        # Not a product with zero, which a NaN of another worker would survive.
        return replica.all_reduce(
            tf.distribute.ReduceOp.SUM, tf.where(first, values, tf.zeros_like(values))
        )

    found = tf.function(lambda values: strategy.run(of_replica, args=(values,)))(flat)
    return strategy.experimental_local_results(found)[0]


def _carried(model) -> list:
    metrics = {id(v) for metric in model.metrics for v in metric.variables}
    variables = {id(v): v for v in [*model.variables, *model.optimizer.variables]}
    return [v for key, v in variables.items() if key not in metrics]
