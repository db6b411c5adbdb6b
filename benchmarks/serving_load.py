"""`tftransfer serve` under load: latency, pictures per second, memory.

    python benchmarks/serving_load.py --model runs/insects [--pictures FOLDER]

The server is a process of its own; the clients are threads of this one, on the same
machine, each with one connection and one JPEG a request. p50 and p99 are of the time
from sending a request to having its answer. Memory: the server's resident size before
and after 10,000 bad requests, sent once the load has filled all pools.
"""

import argparse
import base64
import concurrent.futures
import http.client
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time

import psutil
from results_file import data_folder
from results_file import write

CLIENTS = (1, 8, 32)
BAD = 10_000
JSON = {"content-type": "application/json"}


class Server:
    """A `tftransfer serve` process; a context manager.

    Attributes:
        port: Its TCP port.
        name: The model's name.
    """

    def __init__(self, model: str, arguments: list[str]):
        command = [sys.executable, "-m", "tftransfer.cli.main", "serve", model]
        self._process = subprocess.Popen(
            [*command, "--port", "0", *arguments], stdout=subprocess.PIPE, text=True
        )

    def __enter__(self):
        for line in self._process.stdout:
            if found := re.search(r"http://[\w.]+:(\d+)", line):
                self.port = int(found[1])
                answer = ask(self.connection(), "GET", "/page.json")[1]
                self.name = json.loads(answer)["name"]
                return self
        raise SystemExit(f"the server has ended with {self._process.wait()}")

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(30)

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection of its own for one client."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def memory_mib(self) -> float:
        """Return the resident size of the process."""
        return psutil.Process(self._process.pid).memory_info().rss / 2**20


def ask(connection, method: str, path: str, body=None, headers=None):
    """Return the status and the contents of one answer."""
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:  # refused while it was still sending
        connection.close()
        return 0, b""


def load(server: Server, bodies: list[bytes], clients: int, seconds: float) -> dict:
    """Ask with `clients` connections for `seconds`; the first fifth is warm-up."""
    begin = time.perf_counter()
    path = f"/v1/models/{server.name}:predict"

    def one_client(number: int) -> list[tuple[float, float]]:
        connection, times, place = server.connection(), [], number
        while (sent := time.perf_counter()) < begin + seconds * 1.2:
            status, answer = ask(connection, "POST", path, bodies[place], JSON)
            if status != 200:
                raise SystemExit(f"Expected 200. Received: {status} {answer[:200]}")
            times.append((sent, time.perf_counter() - sent))
            place = (place + clients) % len(bodies)
        return times

    with concurrent.futures.ThreadPoolExecutor(clients) as threads:
        found = sum(threads.map(one_client, range(clients)), [])  # noqa: RUF017
    counted = [passed for sent, passed in found if sent >= begin + seconds * 0.2]
    cuts = statistics.quantiles(counted, n=100, method="inclusive")
    ended = max(sent + passed for sent, passed in found)
    return {
        "clients": clients,
        "p50_ms": 1000 * cuts[49],
        "p99_ms": 1000 * cuts[98],
        "pictures_per_s": len(counted) / (ended - begin - seconds * 0.2),
        "pictures": len(counted),
    }


def bad_requests(server: Server, picture: bytes) -> dict:
    """Send 10,000 requests that must fail, by 4 clients; return memory and statuses."""
    predict = f"/v1/models/{server.name}:predict"
    infer = f"/v2/models/{server.name}/infer"
    broken = base64.b64encode(picture[: len(picture) // 3]).decode()
    kinds = [
        ("POST", predict, json.dumps({"instances": [{"b64": broken}]}).encode()),
        ("POST", predict, b'{"instances": [NaN]}'),
        ("POST", predict, b"[" * 5000),
        ("POST", predict, bytes(range(256)) * 200),
        ("POST", infer, b'{"inputs": [{"name": "image", "shape": [1]}]}'),
        ("DELETE", predict, b""),
        ("GET", "/" + "x" * 2000, b""),
    ]

    def one_client(number: int) -> list[int]:
        connection = server.connection()
        return [ask(connection, *kinds[i % len(kinds)])[0] for i in range(BAD // 4)]

    one_client(0)
    before = server.memory_mib()
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        found = sum(threads.map(one_client, range(4)), [])  # noqa: RUF017
    statuses = {str(status): found.count(status) for status in sorted(set(found))}
    after = server.memory_mib()
    return {"before_mib": before, "after_mib": after, "statuses": statuses}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--pictures", help="a folder of JPEGs (default: flowers17)")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--serve", nargs="*", default=[], help="options for `serve`")
    arguments = parser.parse_args()
    folder = pathlib.Path(arguments.pictures or data_folder("flowers17"))
    files = sorted(folder.rglob("*.jpg"))[:256]
    contents = [file.read_bytes() for file in files]
    bodies = [
        json.dumps({"instances": [{"b64": base64.b64encode(c).decode()}]}).encode()
        for c in contents
    ]
    with Server(arguments.model, arguments.serve) as server:
        rows = [load(server, bodies, n, arguments.seconds) for n in CLIENTS]
        memory = bad_requests(server, contents[0])
    lines = ["| clients | p50 ms | p99 ms | pictures/s |", "|---|---|---|---|"]
    lines += [
        f"| {row['clients']} | {row['p50_ms']:.1f} | {row['p99_ms']:.1f} | "
        f"{row['pictures_per_s']:.1f} |"
        for row in rows
    ]
    lines += [
        "",
        f"Server's memory before and after {BAD:,} bad requests: "
        f"{memory['before_mib']:.0f} and {memory['after_mib']:.0f} MiB; answers by "
        f"status: {memory['statuses']}.",
    ]
    raw = {"pictures": len(files), "load": rows, "memory": memory}
    write("serving_load", raw, "\n".join(lines))


if __name__ == "__main__":
    main()
