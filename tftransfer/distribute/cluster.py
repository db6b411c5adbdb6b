"""The cluster that `TF_CONFIG` describes. Reads and writes it without TensorFlow."""

import json
import os


def set_cluster(workers: list[str], index: int) -> None:
    """Say through `TF_CONFIG` which workers a job has and which of them this one is.

    Call it before the first use of TensorFlow.

    Args:
        workers: Addresses "host:port", the same list in the same order on every worker;
            the first is the chief, which runs callbacks and writes files.
        index: Place of this process in `workers`.

    Raises:
        ValueError: When an address is no "host:port" or is given twice, or `index` is
            none of the list.

    Example:
        >>> set_cluster(["10.0.0.1:2222", "10.0.0.2:2222"], 0)
        >>> cluster()["task"]
        {'type': 'worker', 'index': 0}
        >>> del os.environ["TF_CONFIG"]
    """
    os.environ.update(environment_of(workers, index))


def environment_of(workers: list[str], index: int) -> dict[str, str]:
    """Return the environment variable of one worker, as `set_cluster` sets it."""
    for address in workers:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"Expected workers as 'host:port'. Received: {address!r}.")
    if len(set(workers)) < len(workers):
        raise ValueError(f"Expected each worker once. Received: {workers}.")
    if not 0 <= index < len(workers):
        raise ValueError(
            f"Expected an index in [0, {len(workers) - 1}], the place of this worker "
            f"among {workers}. Received: {index}."
        )
    task = {"type": "worker", "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": task})}


def cluster() -> dict | None:
    """Return what `TF_CONFIG` holds, or None where it names no cluster.

    Raises:
        ValueError: When it is no JSON or names a cluster without this process' task.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text.strip():
        return None
    try:
        config = json.loads(text)
        jobs, task = config.get("cluster"), config.get("task") or {}
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"Expected JSON in TF_CONFIG. Received: {text[:80]!r} ({error})."
        ) from error
    if not jobs:
        return None
    if "type" not in task or "index" not in task:
        raise ValueError(
            "Expected TF_CONFIG to say which task of the cluster this process is: "
            f'"task": {{"type": "worker", "index": 0}}. Received: {task}.'
        )
    return {"cluster": jobs, "task": task}


def count_workers() -> int:
    """Return how many processes train together; 1 without a cluster."""
    jobs = (cluster() or {"cluster": {}})["cluster"]
    return max(1, len(jobs.get("chief", ())) + len(jobs.get("worker", ())))
