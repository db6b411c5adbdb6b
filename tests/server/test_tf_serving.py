"""TensorFlow Serving's protocol: what is answered, and what is refused and how."""

import json

import pytest

from tests.server.fakes import BLUE
from tests.server.fakes import GREEN
from tests.server.fakes import OPEN
from tests.server.fakes import RED
from tests.server.fakes import SIZE
from tests.server.fakes import b64
from tests.server.fakes import picture
from tests.server.fakes import pixels

PREDICT = "/v1/models/colours:predict"
VERSION = "/v1/models/colours/versions/3"


def test_status(client):
    for place in ("/v1/models/colours", VERSION):
        (entry,) = client.get(place).json()["model_version_status"]
        assert entry["version"] == "3"
        assert entry["state"] == "AVAILABLE"
        assert entry["status"] == {"error_code": "OK", "error_message": ""}


def test_metadata_names_both_signatures(client):
    found = client.get(f"{VERSION}/metadata").json()
    assert found["model_spec"] == {
        "name": "colours",
        "signature_name": "",
        "version": "3",
    }
    definitions = found["metadata"]["signature_def"]["signature_def"]
    default = definitions["serving_default"]
    assert default["inputs"]["image_bytes"]["dtype"] == "DT_STRING"
    assert list(default["outputs"]) == ["labels", "scores", "error"]
    shape = definitions["image"]["inputs"]["image"]["tensor_shape"]["dim"]
    assert [side["size"] for side in shape] == ["-1", str(SIZE), str(SIZE), "3"]


@pytest.mark.parametrize("place", [PREDICT, f"{VERSION}:predict"])
@pytest.mark.parametrize("named", [False, True])
def test_rows(client, place, named):
    rows = [{"b64": b64(picture(colour))} for colour in (RED, GREEN, BLUE)]
    if named:
        rows = [{"image_bytes": row} for row in rows]
    answer = client.post(place, json={"instances": rows})
    assert answer.status_code == 200
    found = answer.json()["predictions"]
    assert [row["labels"][0] for row in found] == [OPEN, "green", "blue"]
    assert [row["error"] for row in found] == ["", "", ""]
    assert found[0]["scores"][0] == pytest.approx(250 / 260, abs=1e-4)
    assert found[0]["labels"] == [OPEN, "green", "blue"]  # equal: in class order


@pytest.mark.parametrize("named", [False, True])
def test_columns(client, named):
    column = [{"b64": b64(picture(colour))} for colour in (BLUE, RED)]
    inputs = {"image_bytes": column} if named else column
    found = client.post(PREDICT, json={"inputs": inputs}).json()["outputs"]
    assert [row[0] for row in found["labels"]] == ["blue", OPEN]
    assert found["error"] == ["", ""]


def test_a_form_of_curl_is_taken_for_json(client):
    body = json.dumps({"instances": [{"b64": b64(picture(RED))}]})
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post(PREDICT, content=body, headers=kind).status_code == 200


@pytest.mark.parametrize("form", ["rows", "named rows", "columns", "named columns"])
def test_pixels(client, form):
    values = pixels(GREEN, 2).astype(float).tolist()
    body = {
        "rows": {"instances": values},
        "named rows": {"instances": [{"image": value} for value in values]},
        "columns": {"inputs": values},
        "named columns": {"inputs": {"image": values}},
    }[form]
    answer = client.post(PREDICT, json={"signature_name": "image", **body}).json()
    if "columns" in form:
        assert set(answer["outputs"]) == {"labels", "scores"}
        assert [row[0] for row in answer["outputs"]["labels"]] == ["green", "green"]
    else:
        assert [row["labels"][0] for row in answer["predictions"]] == ["green"] * 2
        assert set(answer["predictions"][0]) == {"labels", "scores"}


def test_one_broken_picture_fails_for_itself(client):
    jpeg = picture(GREEN, (300, 200), "JPEG")
    rows = [
        {"b64": b64(jpeg)},
        {"b64": b64(jpeg[:400])},
        {"b64": ""},
        {"b64": b64(b"GET / HTTP/1.1")},
        "text is bytes too",
    ]
    found = client.post(PREDICT, json={"instances": rows}).json()["predictions"]
    assert found[0]["labels"][0] == "green"
    for row in found[1:]:
        assert row["labels"] == [""] * 3
        assert row["scores"] == [0.0] * 3
    reasons = [row["error"].split(":")[0] for row in found]
    assert reasons == ["", "undecodable", "empty", *["unknown format"] * 2]


def _nested(depth: int) -> str:
    return '{"instances": ' + "[" * depth + "]" * depth + "}"


BAD = {
    "no JSON": b"{",
    "empty": b"",
    "invalid UTF-8": b'{"instances": ["\xff"]}',
    "deep": _nested(100_000).encode(),
    "rather deep": _nested(500).encode(),
    "NaN": b'{"instances": [NaN]}',
    "huge integer": b'{"instances": [1' + b"0" * 5000 + b"]}",
    "no object": b"[1]",
    "neither": b"{}",
    "both": b'{"instances": ["a"], "inputs": ["a"]}',
    "no list": b'{"instances": {"b64": "aGk="}}',
    "nothing": b'{"instances": []}',
    "scalar column": b'{"inputs": {"b64": "aGk="}}',
    "base64": b'{"instances": [{"b64": "%%%"}]}',
    "short base64": b'{"instances": [{"b64": "a"}]}',
    "base64 of another alphabet": '{"instances": [{"b64": "ÄÖ"}]}'.encode(),
    "number for base64": b'{"instances": [{"b64": 7}]}',
    "more than b64": b'{"instances": [{"b64": "aGk=", "x": 1}]}',
    "number": b'{"instances": [1]}',
    "other input": b'{"instances": [{"x": {"b64": "aGk="}}]}',
    "two forms": b'{"instances": [{"b64": "aGk="}, {"image_bytes": "aGk="}]}',
    "other column": b'{"inputs": {"x": ["aGk="]}}',
    "signature": b'{"signature_name": "x", "instances": ["a"]}',
    "signature of another type": b'{"signature_name": [[]], "instances": ["a"]}',
}


@pytest.mark.parametrize("what", BAD)
def test_bad_requests(client, what):
    answer = client.post(PREDICT, content=BAD[what])
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert "Expected" in answer.json()["error"]
    assert len(answer.text) < 400


def _with(value):
    nested = pixels(RED).tolist()
    nested[0][3][4][1] = value
    return nested


@pytest.mark.parametrize(
    "values",
    [
        [[1, 2, 3]],
        pixels(RED)[:, :, 1:].tolist(),
        _with("1"),
        _with(None),
        _with(True),
        _with([1]),
        _with(10**400),
        _with("1e999"),
        [0],
        7,
    ],
)
def test_bad_pixels(client, values):
    body = json.dumps({"signature_name": "image", "instances": values})
    answer = client.post(PREDICT, content=body.replace('"1e999"', "1e999"))
    assert answer.status_code == 400, answer.text
    assert "Expected" in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models/other", 404),
        ("GET", "/v1/models/colours/versions/4", 404),
        ("POST", "/v1/models/other:predict", 404),
        ("POST", "/v1/models/colours/versions/4:predict", 404),
        ("POST", "/v1/models/colours:explain", 404),
        ("POST", "/v1/models/colours:classify", 400),
        ("GET", "/v1/models/colours/else", 404),
        ("GET", "/v1/models", 404),
        ("GET", "/v1/models/", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/v1/models/%00%ff", 404),
        ("GET", PREDICT, 405),
        ("POST", "/v1/models/colours", 405),
        ("POST", "/v1/models/colours/metadata", 405),
        ("DELETE", "/v1/models/colours", 405),
        ("PUT", PREDICT, 405),
        ("POST", "/healthz", 405),
    ],
)
def test_wrong_places_and_methods(client, method, path, status):
    answer = client.request(method, path, content=b"{}" if method == "POST" else None)
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "image/jpeg"},
        {"content-encoding": "gzip"},
    ],
)
def test_other_kinds_of_body(client, headers):
    answer = client.post(PREDICT, content=b"{}", headers=headers)
    assert answer.status_code == 415
    assert "Expected" in answer.json()["error"]
