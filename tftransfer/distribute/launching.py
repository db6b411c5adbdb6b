"""Several workers of one job on this machine. Without TensorFlow."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from collections.abc import Sequence

from tftransfer.distribute.cluster import environment_of

_GRACE_SECONDS = 30  # for the others, after one has failed, to say so and end


def launch_local(
    command: Sequence[str], workers: int, *, say: Callable[[str], None] = print
) -> int:
    """Start `command` once per worker on this machine and wait for all of them.

    Each gets its `TF_CONFIG` and its share of the cores. The chief's output goes where
    this process' goes, that of the others to `say`. A worker that fails ends the
    others; Ctrl-C reaches all of them.

    Args:
        command: Program and arguments, which call `tft.distribute.strategy("auto")`.
        workers: Number of processes, 1 or more.
        say: Called with each line of the others' output, and with who failed.

    Returns:
        0 when every worker ended well, else the first failure's exit status (128 + n
        for one that signal n ended).

    Raises:
        ValueError: When there is no worker or no command.
    """
    if workers < 1 or not command:
        raise ValueError(
            "Expected a command and 1 worker or more. Received: "
            f"{list(command)} and {workers}."
        )
    addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
    processes, readers = [], []
    try:
        for index in range(workers):
            process = _start(command, addresses, index)
            processes.append(process)
            if process.stdout is not None:
                reader = threading.Thread(target=_relay, args=(process, index, say))
                reader.start()
                readers.append(reader)
        return _wait(processes, say)
    except KeyboardInterrupt:
        # The terminal has sent it to them as well; they write what they have.
        for process in processes:
            _wait_or_end(process, _GRACE_SECONDS)
        raise
    finally:
        for process in processes:
            _wait_or_end(process, 0)
        for reader in readers:
            reader.join()


def _start(command, addresses, index) -> subprocess.Popen:
    cores = max(1, len(os.sched_getaffinity(0)) // len(addresses))
    share = {"OMP_NUM_THREADS": str(cores), "TF_NUM_INTRAOP_THREADS": str(cores)}
    environment = share | dict(os.environ) | environment_of(addresses, index)
    output = {} if index == 0 else {"stdout": subprocess.PIPE}
    if index:
        output |= {"stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    return subprocess.Popen(list(command), env=environment, **output)


def _relay(process, index, say) -> None:
    for line in process.stdout:
        say(f"worker {index}: {line.rstrip()}")


def _wait(processes, say) -> int:
    """Wait until all have ended, or one has failed and the others had their time."""
    pending, failure = dict(enumerate(processes)), 0
    while pending:
        for index, process in list(pending.items()):
            try:
                status = process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            del pending[index]
            if status and not failure:
                failure = status if status > 0 else 128 - status
                say(f"worker {index} ended with status {failure}; the others end too.")
                for other in pending.values():
                    _wait_or_end(other, _GRACE_SECONDS)
    return failure


def _wait_or_end(process, seconds) -> None:
    for number in (None, signal.SIGTERM, signal.SIGKILL):
        if number is not None and process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(seconds if number is None else 5)
        except subprocess.TimeoutExpired:
            continue
        return


def free_ports(count: int) -> list[int]:
    """Return TCP ports of this machine that nothing listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
