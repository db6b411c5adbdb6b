"""A server as a process: ports, the line it prints, its end; what it counts."""

import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from tests.server.fakes import RED
from tests.server.fakes import FakePredictor
from tests.server.fakes import b64
from tests.server.fakes import picture
from tests.server.fakes import running
from tftransfer.server.run import make_server

PROGRAM = """
from tests.server.fakes import FakePredictor
from tftransfer.server import serve
serve(FakePredictor(seconds=0.5), port=0)
print("ended")
"""


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_last_answer(kind):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("colours (version 3, 3 labels, fake) is served on ")
        port = int(re.search(r"http://127\.0\.0\.1:(\d+) ", line)[1])
        body = b'{"instances": [{"b64": "%s"}]}' % b64(picture(RED)).encode()
        head = b"POST /v1/models/colours:predict HTTP/1.1\r\nhost: x\r\n"
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            length = b"content-length: %d\r\n\r\n" % len(body)
            connection.sendall(head + length + body)
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            process.send_signal(kind)
            connection.settimeout(10)
            assert connection.recv(12) == b"HTTP/1.1 200"
        out, err = process.communicate(timeout=15)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert out == "ended\n"
    assert "Traceback" not in err


def _make(port, host="127.0.0.1"):
    return make_server(FakePredictor(), host=host, port=port, settings=None)


def test_a_taken_port_names_another():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"{port}, which another program") as caught:
            _make(port)
        other = int(re.search(r"Free is (\d+)", str(caught.value))[1])
        assert other != port
        listening = _make(other)[1]
        assert listening.proto == socket.IPPROTO_TCP  # or asyncio keeps Nagle's delay
        listening.close()


@pytest.mark.parametrize("port", [-1, 65536])
def test_impossible_ports(port):
    with pytest.raises(ValueError, match="from 0 to 65535"):
        _make(port)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_foreign_addresses(host):
    with pytest.raises(OSError, match="Expected an address of this machine"):
        _make(0, host)


def test_metrics_count():
    body = {"instances": [{"b64": b64(picture(RED))}] * 3 + [{"b64": "AAAA"}]}
    with running() as address, httpx.Client(base_url=address) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        client.post("/v1/models/colours:predict", json=body)
        client.post("/v2/models/colours/infer", json={})
        text = client.get("/metrics").text
    for line in (
        'requests_total{protocol="tensorflow_serving",status="200"} 1.0',
        'requests_total{protocol="kserve",status="400"} 1.0',
        'requests_total{protocol="other",status="200"} 1.0',
        'pictures_total{outcome="answered"} 3.0',
        'pictures_total{outcome="broken"} 1.0',
        'batch_pictures_bucket{le="4.0"} 1.0',
        "batch_pictures_sum 3.0",
        'request_seconds_count{protocol="kserve"} 1.0',
        "waiting_pictures 0.0",
    ):
        assert f"tftransfer_{line}\n" in text
