"""`train` as several workers: as the program starts them, and as a person does."""

import json
import subprocess
import sys

import pytest

from tests.cli.conftest import TINY

_PROGRAM = [sys.executable, "-m", "tftransfer.cli.main"]


def _launch(*arguments, workers=2):
    command = [*_PROGRAM, "launch", "--local", str(workers), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


@pytest.mark.slow
def test_two_workers_train_as_one_does_and_the_chief_answers(pictures, tmp_path):
    options = [*TINY, "--epochs", 1, "--head-epochs", 2, "--augment", "none", "--json"]
    train = ["train", pictures, *options, "--out"]
    together = _launch(*train, tmp_path / "two")
    assert together.returncode == 0, together.stderr
    found = json.loads(together.stdout)
    assert "worker 1: strategy: 2 workers" in together.stderr
    assert "strategy: 2 workers, 2 replicas; this is worker 0." in together.stderr
    assert together.stderr.count("head, epoch 2/2") == 1

    alone = subprocess.run(
        [*_PROGRAM, *map(str, train), str(tmp_path / "one")],
        capture_output=True,
        text=True,
        check=True,
    )
    history = json.loads(alone.stdout)["history"]
    for name, values in history.items():
        assert len(found["history"][name]) == len(values)
    # Dropout draws for each replica; the validation of the first head is close.
    assert abs(found["history"]["val_loss"][0] - history["val_loss"][0]) < 0.1
    assert (tmp_path / "two" / "report.html").exists()
    # Started again it has nothing left to train, and says the same.
    again = _launch(*train, tmp_path / "two")
    assert again.returncode == 0, again.stderr
    assert "epoch 2/2" not in again.stderr
    assert json.loads(again.stdout)["history"] == found["history"]


@pytest.mark.slow
def test_an_error_on_every_worker_is_a_line_and_a_status(pictures, tmp_path):
    options = ["--frozen-until", "nowhere", "--out", tmp_path]
    failed = _launch("train", pictures, *TINY, *options)
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    assert "'nowhere'" in failed.stderr


def test_only_train_is_launched(run):
    assert "Expected `train`" in run("launch", "--local", 2, "demo", code=2).output
    assert "together" in run("train", "x", "--workers", "a:1,b:2", code=2).output
    wrong = run("train", "x", "--workers", "a:1,b", "--index", 0, code=1)
    assert "'b'" in wrong.output
