"""Which `tf.distribute` strategy: by name, or by what the machine has."""

import contextlib
import os
import re

import tensorflow as tf
from tensorflow.python.eager import context as eager

from tftransfer.distribute.cluster import cluster
from tftransfer.distribute.cluster import count_workers

_KINDS = "'auto', 'mirrored', 'multi_worker', 'tpu' or 'cpu:N'"
_REFUSED = {
    "parameter_server": "Keras 3 cannot train under ParameterServerStrategy: its "
    "steps read variables that live on other machines, which Keras' variables cannot",
    "central_storage": "Keras 3 cannot train under CentralStorageStrategy: its "
    "variables are no aggregating ones, which Keras' optimizers need",
}
# Of silence, after which a worker counts as lost. Busy machines miss a few seconds.
_HEARTBEAT_SECONDS = 15


@contextlib.contextmanager
def strategy(kind: str = "auto", *, say=print):
    """Enter the scope of a `tf.distribute` strategy and say which one.

    Models are built inside; `fit`, `evaluate` and `predict` may stand outside. The
    batch size is that of all replicas together.

    Args:
        kind: "auto": several workers where `TF_CONFIG` names them, else the TPU that
            `TPU_NAME` names, else the GPUs where there are two or more, else one
            device, without a strategy. "mirrored": all GPUs of this machine, or its
            logical CPUs. "multi_worker": the workers of `TF_CONFIG`. "tpu": that of
            `TPU_NAME`, or the local one. "cpu:N": N logical CPUs, for tests.
        say: Called with one line about the choice; None says nothing.

    Yields:
        The `tf.distribute.Strategy`, whose scope is entered.

    Raises:
        ValueError: When the kind is unknown or cannot work with Keras 3, or several
            workers are asked for and `TF_CONFIG` names none.
        RuntimeError: When TensorFlow was in use before, so that logical CPUs or the
            workers' server cannot be set up any more.

    Example:
        >>> import tftransfer as tft
        >>> with tft.distribute.strategy("auto", say=None) as chosen:
        ...     model = tft.Classifier(tft.Backbone("tiny", weights=None), 2)
        >>> chosen.num_replicas_in_sync
        1
    """
    chosen, text = _choose(kind.lower().strip())
    if say is not None:
        say(f"strategy: {text}.")
    with chosen.scope():
        yield chosen


def _choose(kind: str):
    plain = re.sub(r"[^a-z]", "", kind).removesuffix("strategy")
    for refused, reason in _REFUSED.items():
        if plain == refused.replace("_", ""):
            raise ValueError(f"Expected {_KINDS}. Received: {kind!r}. {reason}.")
    cpus = re.fullmatch(r"cpu:([1-9]\d*)", kind)
    if cpus:
        return _logical_cpus(int(cpus[1]))
    if kind not in ("auto", "mirrored", "multi_worker", "tpu"):
        raise ValueError(f"Expected {_KINDS}. Received: {kind!r}.")
    if kind == "multi_worker" or (kind == "auto" and count_workers() > 1):
        return _multi_worker()
    if kind == "tpu" or (kind == "auto" and os.environ.get("TPU_NAME")):
        return _tpu()
    gpus = tf.config.list_logical_devices("GPU")
    if kind == "mirrored" or len(gpus) > 1:
        devices = gpus or tf.config.list_logical_devices("CPU")
        names = [device.name for device in devices]
        return _mirrored(names), _counted("replica", names)
    where = gpus[0].name if gpus else "the CPU"
    return tf.distribute.get_strategy(), f"one device, {where}, no tf.distribute"


def _mirrored(names: list[str]):
    # TensorFlow 2.21 takes the collectives of a second strategy for those of the first,
    # and fails where their shapes differ (tensorflow issue 62790).
    tf.distribute.MirroredStrategy._collective_key_base += 100_000
    return tf.distribute.MirroredStrategy(names)


def _logical_cpus(count: int):
    if len(tf.config.list_physical_devices("CPU")) and not _initialised():
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * count,
        )
    names = [device.name for device in tf.config.list_logical_devices("CPU")]
    if len(names) < count:
        raise RuntimeError(
            f"Expected to split the CPU into {count} logical devices before anything "
            f"uses TensorFlow. Received a process in use, with {len(names)}: call "
            "`tft.distribute.strategy` first, before models and data."
        )
    names = names[:count]
    return _mirrored(names), _counted("replica", names)


def _multi_worker():
    found = cluster()
    if found is None:
        raise ValueError(
            "Expected TF_CONFIG to name the workers. Received none: call "
            "`tft.distribute.set_cluster([...], index)`, or start with `tftransfer "
            "train --workers host1:port,host2:port --index 0`."
        )
    if _initialised():
        raise RuntimeError(
            "Expected to join the other workers before anything uses TensorFlow. "
            "Received a process in use: call `tft.distribute.strategy` first."
        )
    _watch_over_workers(found["cluster"])
    chosen = tf.distribute.MultiWorkerMirroredStrategy()
    task = found["task"]
    return chosen, (
        f"{count_workers()} workers, {chosen.num_replicas_in_sync} replicas; this is "
        f"{task['type']} {task['index']}"
    )


def _watch_over_workers(jobs: dict) -> None:
    """Have a silent worker noticed in seconds: TensorFlow's own limit is longer."""
    from tensorflow.python.distribute import multi_worker_util

    job_of = eager.coordination_config_pb2.CoordinatedJob
    training = [name for name in ("chief", "worker") if jobs.get(name)]
    specification = multi_worker_util.normalize_cluster_spec(jobs)
    eager.context().configure_coordination_service(
        service_type="standalone",
        service_leader=multi_worker_util.coordination_leader(specification),
        heartbeat_timeout_in_ms=1000 * _HEARTBEAT_SECONDS,
        coordinated_jobs=[
            job_of(name=name, num_tasks=len(jobs[name])) for name in training
        ],
    )


def _tpu():
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(
            os.environ.get("TPU_NAME", "local")
        )
    except (ValueError, tf.errors.OpError) as error:
        raise ValueError(
            "Expected a TPU at `TPU_NAME`, or a local one. Received: "
            f"{str(error).splitlines()[0]}"
        ) from error
    chosen = tf.distribute.TPUStrategy(resolver)
    return chosen, f"a TPU of {chosen.num_replicas_in_sync} cores"


def _initialised() -> bool:
    return eager.context()._context_handle is not None


def _counted(what: str, names: list[str]) -> str:
    plural = what if len(names) == 1 else f"{what}s"
    return f"{len(names)} {plural}: {', '.join(names)}"
