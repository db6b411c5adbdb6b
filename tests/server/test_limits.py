"""Hostile requests: too large, too many, false, broken off. The server stays up."""

import concurrent.futures
import http.client
import io
import itertools
import json
import random
import socket
import struct
import time
import urllib.parse
import zlib

import httpx
import psutil
import pytest

from tests.server.fakes import GREEN
from tests.server.fakes import RED
from tests.server.fakes import FakePredictor
from tests.server.fakes import b64
from tests.server.fakes import picture
from tests.server.fakes import pixels
from tests.server.fakes import running
from tftransfer.server import ServerSettings

PREDICT = "/v1/models/colours:predict"


def bomb(width: int, height: int) -> bytes:
    """Return a small grey PNG that says it has `width` x `height` pixels, and has."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return (
            struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))
        )

    packer, packed = zlib.compressobj(9), io.BytesIO()
    for _ in range(height):
        packed.write(packer.compress(bytes(1 + width)))
    packed.write(packer.flush())
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", packed.getvalue()), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def _ask(address: str, pictures: list[bytes]) -> list[dict]:
    body = {"instances": [{"b64": b64(contents)} for contents in pictures]}
    return httpx.post(address + PREDICT, json=body, timeout=20).json()["predictions"]


def test_a_bomb_is_refused_by_its_header():
    contents = bomb(9000, 4000)
    assert len(contents) < 100_000
    predictor = FakePredictor()
    with running(predictor) as address:
        begin = time.perf_counter()
        found = _ask(address, [contents] * 50 + [picture(GREEN)])
        assert time.perf_counter() - begin < 2
    assert {row["error"] for row in found[:50]} == {
        "too large: more than 25000000 pixels"
    }
    assert found[50]["labels"][0] == "green"
    assert predictor.batches == [1]


def test_the_pixel_limit_is_exact():
    with running(max_pixels=600) as address:
        found = _ask(address, [picture(RED, (20, 30)), picture(RED, (601, 1))])
    assert [row["error"] for row in found] == ["", "too large: more than 600 pixels"]


def test_too_many_pictures(client):
    body = {"instances": [{"b64": b64(picture(RED))}] * 129}
    answer = client.post(PREDICT, json=body)
    assert answer.status_code == 413
    assert "at most 128 pictures" in answer.json()["error"]


def _raw(address: str, request: bytes) -> bytes:
    """Send raw bytes and return what comes back until the end or 5 seconds."""
    place = urllib.parse.urlsplit(address)
    with socket.create_connection((place.hostname, place.port), 5) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            return answer.readline()


def test_announced_bodies_are_refused_unread(client):
    head = b"POST /v1/models/colours:predict HTTP/1.1\r\nhost: x\r\ncontent-length: "
    for length in (b"16000001", b"9" * 19):
        assert b" 413 " in _raw(str(client.base_url), head + length + b"\r\n\r\n")
    assert b" 400 " in _raw(str(client.base_url), head + b"-5\r\n\r\n")


def test_unannounced_bodies_are_cut_off():
    def endless(count):
        for _ in range(count):
            yield b" " * 60_000

    with running(max_body_mb=0.3) as address:
        answer = httpx.post(address + PREDICT, content=endless(100))
        assert answer.status_code == 413
        assert "300000 bytes" in answer.json()["error"]
        answer = httpx.post(address + PREDICT, content=endless(5))
        assert answer.status_code == 400
        answer = httpx.post(address + "/v2/models/colours/infer", content=endless(100))
        assert answer.status_code == 413


def test_held_bodies_are_limited_together():
    import asyncio

    from starlette.requests import Request

    from tftransfer.server.bodies import BodyReader
    from tftransfer.server.problems import RequestProblem

    def request():
        parts = iter([{"type": "http.request", "body": bytes(900)}])

        async def receive():
            return next(parts)

        return Request({"type": "http", "headers": []}, receive)

    async def hold(reader, deep):
        async with reader.read(request()) as body:
            assert len(body) == 900
            return await hold(reader, deep - 1) if deep else None

    reader = BodyReader(1000)
    asyncio.run(hold(reader, 7))
    with pytest.raises(RequestProblem) as caught:
        asyncio.run(hold(reader, 8))
    assert caught.value.status == 503
    asyncio.run(hold(reader, 7))


def test_senders_who_go_away_leave_the_queue():
    predictor = FakePredictor(seconds=0.3)
    body = json.dumps({"instances": [{"b64": b64(picture(RED))}] * 10}).encode()
    with running(predictor, max_batch=5) as address:
        place = urllib.parse.urlsplit(address)
        for _ in range(4):
            connection = http.client.HTTPConnection(place.hostname, place.port)
            connection.request("POST", PREDICT, body)
            time.sleep(0.02)
            connection.close()
        end = time.monotonic() + 10
        while "waiting_pictures 0.0" not in httpx.get(address + "/metrics").text:
            assert time.monotonic() < end
    assert sum(predictor.batches) <= 10


def _bad_requests() -> list[tuple[str, str, bytes, dict]]:
    jpeg = picture(GREEN, (300, 200), "JPEG")
    infer, json_kind = "/v2/models/colours/infer", {"content-type": "application/json"}
    broken = {"instances": [{"b64": b64(jpeg[:300])}, {"b64": b64(bomb(6000, 5000))}]}
    deep = b'{"inputs":' + b"[" * 5000
    float_pixels = {"signature_name": "image", "instances": pixels(RED).tolist()[0]}
    return [
        ("POST", PREDICT, json.dumps(broken).encode(), json_kind),
        ("POST", PREDICT, json.dumps(float_pixels).encode(), json_kind),
        ("POST", PREDICT, b"{" * 2000, json_kind),
        ("POST", PREDICT, deep, json_kind),
        ("POST", PREDICT, b'{"instances":[NaN]}', json_kind),
        ("POST", PREDICT, bytes(range(256)) * 20, {}),
        ("POST", PREDICT, b"x", {"content-type": "multipart/form-data"}),
        ("POST", PREDICT, b"x" * 1_100_000, {}),
        ("POST", infer, b'{"inputs":[{"name":"image"}]}', json_kind),
        ("POST", infer, b"{}", {"inference-header-content-length": "99999"}),
        ("POST", infer + "x", b"{}", json_kind),
        ("DELETE", "/v2", b"", {}),
        ("GET", "/" + "y" * 3000, b"", {}),
        ("GET", f"/v1/models/{random.random()}", b"", {}),
    ]


def _send(address: str, count: int, seed: int) -> list[int]:
    place = urllib.parse.urlsplit(address)
    requests = _bad_requests()
    weights = [1, 1, *[4] * 5, 1, *[4] * 6]
    order = random.Random(seed).choices(requests, weights, k=count)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    found = []
    for method, path, body, headers in order:
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            found.append(answer.status)
        except OSError:  # refused while it was still sending
            connection.close()
            found.append(0)
    connection.close()
    return found


def test_ten_thousand_bad_requests_leave_no_trace():
    process = psutil.Process()
    with running(max_body_mb=1) as address:
        _send(address, 600, 0)  # pools and caches fill once
        before = process.memory_info().rss
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda i: _send(address, 2500, i), range(4)))
        grown = process.memory_info().rss - before
        assert _ask(address, [picture(GREEN)])[0]["labels"][0] == "green"
    statuses = list(itertools.chain(*found))
    assert len(statuses) == 10_000
    assert set(statuses) <= {0, 200, 400, 404, 405, 413, 415}
    assert statuses.count(0) < 500
    assert grown < 24e6


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        ({"top_k": 0}, ValueError),
        ({"max_batch": -1}, ValueError),
        ({"max_pixels": 1.5}, TypeError),
        ({"max_body_mb": float("nan")}, ValueError),
        ({"request_timeout_s": float("inf")}, ValueError),
        ({"batch_wait_ms": -0.1}, ValueError),
        ({"max_pictures": True}, TypeError),
        ({"max_pictures": 300}, ValueError),
    ],
)
def test_settings_are_checked(limits, error):
    with pytest.raises(error, match=r"Expected .* Received"):
        ServerSettings(**limits)
