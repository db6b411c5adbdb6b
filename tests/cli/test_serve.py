"""`export` to other formats, `predict` by them, and `serve` as a process."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest


@pytest.mark.parametrize("name", ["net.onnx", "net.tflite", "net.xml"])
def test_export_and_predict_by_a_file(name, run, trained, pictures, tmp_path):
    done = run("export", trained, tmp_path / name, "--pictures", pictures, "--json")
    result = json.loads(done.output)
    assert result["path"] == str(tmp_path / name)
    assert result["agreement"] == 1.0
    assert result["largest_difference"] < 1e-5
    picture = next((pictures / "block").iterdir())
    by_file, by_keras = (
        json.loads(run("predict", model, picture, "--json").output)
        for model in (tmp_path / name, trained)
    )
    first, second = by_file[0]["predictions"], by_keras[0]["predictions"]
    assert [p["label"] for p in first] == [p["label"] for p in second]
    assert first[0]["score"] == pytest.approx(second[0]["score"], abs=1e-5)


def test_int8_by_the_command(run, trained, pictures, tmp_path):
    target = tmp_path / "net.tflite"
    options = ("--quantize", "int8", "--representative", pictures)
    shown = run("export", trained, target, *options).output
    assert "int8" in shown
    assert "the same class for" in shown
    assert target.exists()
    wrong = run("export", trained, tmp_path / "b.tflite", "--quantize", "int8", code=1)
    assert "representative" in wrong.output


@pytest.fixture
def server(trained):
    """The address of `tftransfer serve` in a process of its own, and the process."""
    command = [sys.executable, "-m", "tftransfer.cli.main", "serve", str(trained)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--engine", "tensorflow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    line = process.stdout.readline()
    found = re.search(r"http://\S+", line)
    assert found, line + process.stdout.read()
    yield found.group(), process
    process.kill()
    process.wait()


def asked(url: str, document: dict) -> dict:
    request = urllib.request.Request(url, json.dumps(document).encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_the_server_answers_as_predict_does(server, run, trained, pictures):
    address, process = server
    picture = next((pictures / "block").iterdir())
    expected = json.loads(run("predict", trained, picture, "--json").output)[0]
    with urllib.request.urlopen(f"{address}/v2", timeout=60) as answer:
        assert json.load(answer)["name"]
    name = trained.name
    encoded = base64.b64encode(picture.read_bytes()).decode()
    document = {"instances": [{"b64": encoded}, {"b64": "AAAA"}]}
    good, bad = asked(f"{address}/v1/models/{name}:predict", document)["predictions"]
    labels = [p["label"] for p in expected["predictions"]]
    assert good["labels"][: len(labels)] == labels
    score = expected["predictions"][0]["score"]
    assert good["scores"][0] == pytest.approx(score, abs=1e-5)
    assert good["error"] == ""
    assert "unknown format" in bad["error"]
    with pytest.raises(urllib.error.HTTPError, match="400"):
        asked(f"{address}/v1/models/{name}:predict", {"instances": 3})
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_serve_without_model_or_packages(run, trained, tmp_path, monkeypatch):
    assert "does not exist" in run("serve", tmp_path / "no.keras", code=1).output
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "tftransfer[serve]" in run("serve", trained, code=1).output
