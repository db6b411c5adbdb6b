"""KServe's V2 protocol: JSON, binary tensors, and what is refused."""

import json
import struct

import numpy as np
import pytest

from tests.server.fakes import BLUE
from tests.server.fakes import GREEN
from tests.server.fakes import OPEN
from tests.server.fakes import RED
from tests.server.fakes import SIZE
from tests.server.fakes import b64
from tests.server.fakes import picture
from tests.server.fakes import pixels

MODEL = "/v2/models/colours"
INFER = f"{MODEL}/infer"
LENGTH = "inference-header-content-length"


def _bytes_input(pictures, **more) -> dict:
    shape = [len(pictures)]
    return {"name": "image_bytes", "datatype": "BYTES", "shape": shape} | more


def _post_binary(client, document: dict, raw: bytes):
    head = json.dumps(document).encode()
    return client.post(INFER, content=head + raw, headers={LENGTH: str(len(head))})


def test_health_and_metadata(client):
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    for place in (MODEL, f"{MODEL}/versions/3"):
        found = client.get(place).json()
        assert found["name"] == "colours"
        assert found["versions"] == ["3"]
        assert found["inputs"][1] == {
            "name": "image",
            "datatype": "FP32",
            "shape": [-1, SIZE, SIZE, 3],
        }
        assert client.get(f"{place}/ready").json() == {"name": "colours", "ready": True}


@pytest.mark.parametrize("place", [INFER, f"{MODEL}/versions/3/infer"])
@pytest.mark.parametrize("more", [{}, {"parameters": {"content_type": "base64"}}])
def test_base64_pictures(client, place, more):
    data = [b64(picture(BLUE)), b64(b"broken"), b64(picture(RED))]
    tensor = _bytes_input(data, data=data, **more)
    found = client.post(place, json={"id": "42", "inputs": [tensor]}).json()
    assert found["model_name"] == "colours"
    assert found["model_version"] == "3"
    assert found["id"] == "42"
    outputs = {tensor["name"]: tensor for tensor in found["outputs"]}
    labels, scores, error = (outputs[k] for k in ("labels", "scores", "error"))
    assert labels["shape"] == scores["shape"] == [3, 3]
    assert labels["datatype"] == error["datatype"] == "BYTES"
    assert labels["data"][0] == "blue"
    assert labels["data"][3:7] == ["", "", "", OPEN]
    assert scores["data"][3:6] == [0, 0, 0]
    assert error["data"][0] == error["data"][2] == ""
    assert error["data"][1].startswith("unknown format")


@pytest.mark.parametrize("datatype", ["UINT8", "FP32"])
@pytest.mark.parametrize("flat", [True, False])
def test_pixels(client, datatype, flat):
    array = np.concatenate([pixels(GREEN), pixels(BLUE)])
    data = array.ravel().tolist() if flat else array.tolist()
    tensor = {"name": "image", "datatype": datatype, "shape": list(array.shape)}
    body = {"inputs": [tensor | {"data": data}], "outputs": [{"name": "labels"}]}
    (output,) = client.post(INFER, json=body).json()["outputs"]
    assert [output["data"][0], output["data"][3]] == ["green", "blue"]


def test_binary_pictures_and_binary_answers(client):
    pictures = [picture(GREEN), b"", picture(BLUE)]
    raw = b"".join(struct.pack("<I", len(p)) + p for p in pictures)
    tensor = _bytes_input(pictures, parameters={"binary_data_size": len(raw)})
    outputs = [
        {"name": "scores", "parameters": {"binary_data": True}},
        {"name": "labels", "parameters": {"binary_data": True}},
        {"name": "error"},
    ]
    answer = _post_binary(client, {"inputs": [tensor], "outputs": outputs}, raw)
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers[LENGTH])
    found = json.loads(answer.content[:length])["outputs"]
    assert [tensor["name"] for tensor in found] == ["scores", "labels", "error"]
    assert found[2]["data"] == ["", "empty: no bytes received", ""]
    size = found[0]["parameters"]["binary_data_size"]
    rest = answer.content[length:]
    scores = np.frombuffer(rest[:size], "<f4").reshape(3, 3)
    assert scores[0, 0] == pytest.approx(250 / 260, abs=1e-4)
    assert rest[size : size + 9] == struct.pack("<I", 5) + b"green"
    assert len(rest) == size + found[1]["parameters"]["binary_data_size"]


@pytest.mark.parametrize(("datatype", "dtype"), [("UINT8", "u1"), ("FP32", "<f4")])
def test_binary_pixels(client, datatype, dtype):
    array = pixels(RED, 2).astype(dtype)
    tensor = {
        "name": "image",
        "datatype": datatype,
        "shape": list(array.shape),
        "parameters": {"binary_data_size": array.nbytes},
    }
    found = _post_binary(client, {"inputs": [tensor]}, array.tobytes()).json()
    assert found["outputs"][0]["data"][0] == OPEN


def test_every_output_binary_when_the_request_says_so(client):
    data = [b64(picture(RED))]
    body = {
        "inputs": [_bytes_input(data, data=data)],
        "parameters": {"binary_data_output": True},
    }
    answer = client.post(INFER, json=body)
    found = json.loads(answer.content[: int(answer.headers[LENGTH])])["outputs"]
    assert all("data" not in tensor for tensor in found)


GOOD = {"name": "image_bytes", "datatype": "BYTES", "shape": [1], "data": ["aGk="]}
IMAGE = {"name": "image", "datatype": "UINT8", "shape": [1, SIZE, SIZE, 3]}
BAD = {
    "no inputs": {},
    "inputs of another type": {"inputs": 3},
    "inputs of numbers": {"inputs": [3]},
    "no input": {"inputs": []},
    "two inputs": {"inputs": [GOOD, GOOD]},
    "name": {"inputs": [GOOD | {"name": "x"}]},
    "unhashable name": {"inputs": [GOOD | {"name": [[]]}]},
    "datatype": {"inputs": [GOOD | {"datatype": "INT8"}]},
    "shape": {"inputs": [GOOD | {"shape": [2]}]},
    "shape of nothing": {"inputs": [GOOD | {"shape": [0], "data": []}]},
    "shape of text": {"inputs": [GOOD | {"shape": "1"}]},
    "shape of truth": {"inputs": [GOOD | {"shape": [True]}]},
    "negative shape": {"inputs": [GOOD | {"shape": [-1]}]},
    "no data": {"inputs": [{k: GOOD[k] for k in ("name", "datatype", "shape")}]},
    "base64": {"inputs": [GOOD | {"data": ["%"]}]},
    "content type": {"inputs": [GOOD | {"parameters": {"content_type": "str"}}]},
    "parameters": {"inputs": [GOOD | {"parameters": [1]}]},
    "id": {"inputs": [GOOD], "id": 7},
    "output": {"inputs": [GOOD], "outputs": [{"name": "logits"}]},
    "outputs": {"inputs": [GOOD], "outputs": "labels"},
    "flag": {"inputs": [GOOD], "parameters": {"binary_data_output": "yes"}},
    "no pixels": {"inputs": [IMAGE]},
    "few pixels": {"inputs": [IMAGE | {"data": [1, 2, 3]}]},
    "negative pixels": {"inputs": [IMAGE | {"data": [-1] * (SIZE * SIZE * 3)}]},
    "broken pixels": {"inputs": [IMAGE | {"data": [0.5] * (SIZE * SIZE * 3)}]},
    "ragged pixels": {"inputs": [IMAGE | {"data": [[1], 2]}]},
    "huge shape": {"inputs": [IMAGE | {"shape": [10**30, SIZE, SIZE, 3], "data": []}]},
    "other size": {"inputs": [IMAGE | {"shape": [1, 8, 8, 3], "data": [0] * 192}]},
}


@pytest.mark.parametrize("what", BAD)
def test_bad_requests(client, what):
    answer = client.post(INFER, json=BAD[what])
    assert answer.status_code == 400, answer.text
    assert "Expected" in answer.json()["error"]


@pytest.mark.parametrize(
    ("size", "raw"),
    [
        (9, b"\x05\0\0\0hello"[:8]),
        (8, b"\x05\0\0\0hell"),
        (8, b"\xff\xff\xff\xffhell"),
        (3, b"\x05\0\0"),
        (0, b""),
        ("8", b"\x04\0\0\0hell"),
        (16, b"\x04\0\0\0hell" * 2),
        (-1, b"x"),
    ],
)
def test_bad_binary_data(client, size, raw):
    tensor = _bytes_input(["x"], parameters={"binary_data_size": size})
    answer = _post_binary(client, {"inputs": [tensor]}, raw)
    assert answer.status_code == 400
    assert "Expected" in answer.json()["error"]


@pytest.mark.parametrize("length", ["-1", "x", "999999", "9" * 5000, "٣"])
def test_bad_header(client, length):
    headers = {LENGTH: length.encode("utf-8")}
    answer = client.post(INFER, content=b'{"inputs": []}', headers=headers)
    assert answer.status_code == 400


def test_infinite_binary_pixels(client):
    array = pixels(RED).astype("<f4")
    array[0, 0, 0, 0] = np.nan
    tensor = IMAGE | {
        "datatype": "FP32",
        "parameters": {"binary_data_size": array.nbytes},
    }
    answer = _post_binary(client, {"inputs": [tensor]}, array.tobytes())
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/other", 404),
        ("GET", f"{MODEL}/versions/4", 404),
        ("GET", "/v2/models/other/ready", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("GET", "/v2/else", 404),
        ("GET", INFER, 405),
        ("POST", "/v2/health/live", 405),
    ],
)
def test_wrong_places_and_methods(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]
