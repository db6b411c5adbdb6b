"""The program as a process of its own: what tests inside this one would not see."""

import json
import signal
import subprocess
import sys
import time

import keras
import pytest

from tests.cli.conftest import TINY

_PROGRAM = [sys.executable, "-m", "tftransfer.cli.main"]


def test_predict_loads_our_classes_and_keeps_quiet(trained, pictures, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    good = sorted((pictures / "block").iterdir())[0]
    command = [*_PROGRAM, "predict", str(trained), str(good), str(broken), "--json"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1, result.stderr
    first, second = json.loads(result.stdout)
    assert first["predictions"]
    assert "error" in second
    assert result.stderr == ""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is sent otherwise there")
def test_a_real_ctrl_c(run, pictures, tmp_path):
    out = tmp_path / "run"
    command = ["train", str(pictures), *TINY, "--epochs", "0", "--head-epochs", "500"]
    command += ["--out", str(out), "--patience", "1000"]
    process = subprocess.Popen(
        [*_PROGRAM, *command],
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background of a script ignores Ctrl-C, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    state = out / "checkpoint" / "state.json"
    deadline = time.monotonic() + 240
    while not state.exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=240)
    assert process.returncode == 130, shown
    assert "The same command goes on" in shown.splitlines()[-1]
    assert "Traceback" not in shown
    assert keras.saving.load_model(out / "model.keras").num_classes == 3
    assert json.loads(state.read_text())["epoch"] >= 1
