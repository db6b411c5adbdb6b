"""Jobs of several real processes on loopback against one device."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tftransfer.distribute.launching import free_ports

ROOT = pathlib.Path(__file__).parents[2]


class Job:
    """Processes of tests/distribute/job.py, one per worker."""

    def __init__(self, task, folder, workers):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
        self.processes = []
        for index in range(workers):
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            environment.pop("TF_CONFIG", None)
            if workers > 1:
                config = {
                    "cluster": {"worker": addresses},
                    "task": {"type": "worker", "index": index},
                }
                environment["TF_CONFIG"] = json.dumps(config)
            with (folder / f"output{index}.txt").open("w") as output:
                self.processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "tests.distribute.job", task, folder],
                        cwd=ROOT,
                        env=environment,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                    )
                )

    def finish(self, timeout=240) -> list[dict]:
        """Return each worker's result and arrays."""
        try:
            for process in self.processes:
                process.wait(timeout)
        finally:
            self.kill()
        codes = [process.returncode for process in self.processes]
        outputs = sorted(self.folder.glob("output*.txt"))
        assert not any(codes), "".join(p.read_text()[-3000:] for p in outputs)
        return [self.result(index) for index in range(len(codes))]

    def result(self, index) -> dict:
        result = json.loads((self.folder / f"worker{index}.json").read_text())
        with np.load(self.folder / f"worker{index}.npz") as arrays:
            return result | {"arrays": dict(arrays)}

    def kill(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()


def near(values):
    """Equal to 1e-6, or to float32's own resolution where values are larger than 1."""
    return pytest.approx(values, rel=2.4e-7, abs=1e-6)


def assert_same(found, expected, atol=1e-6):
    assert set(found["arrays"]) == set(expected["arrays"])
    for name, value in expected["arrays"].items():
        np.testing.assert_allclose(
            found["arrays"][name], value, rtol=0, atol=atol, err_msg=name
        )


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Results of one device, by task."""
    found = {}

    def result(task):
        if task not in found:
            folder = tmp_path_factory.mktemp(task)
            found[task] = Job(task, folder, 1).finish()[0]
        return found[task]

    return result


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 4])
def test_workers_end_on_the_weights_and_metrics_of_one_device(workers, alone, tmp_path):
    expected = alone("methods")
    for found in Job("methods", tmp_path, workers).finish():
        assert_same(found, expected)
        for method in set(expected) - {"arrays"}:
            history = found[method]["history"]
            assert set(history) == set(expected[method]["history"])
            for name, values in expected[method]["history"].items():
                assert history[name] == near(values), name
            scores = expected[method]["evaluate"]
            assert found[method]["evaluate"] == near(scores)


def lines(file):
    return [int(line) for line in file.read_text().split()]


@pytest.mark.slow
def test_a_killed_job_resumes_on_the_weights_of_an_uninterrupted_one(alone, tmp_path):
    text = told_within_30_seconds("killed", tmp_path)
    assert "Expected all 2 workers" in text
    assert "start all workers again" in text
    assert (tmp_path / "checkpoint0" / "state.json").exists()
    assert not (tmp_path / "checkpoint1").exists()

    for file in tmp_path.glob("epochs*.txt"):
        file.unlink()
    results = Job("recipe", tmp_path, 2).finish()
    expected = alone("recipe")
    for found in results:
        assert_same(found, expected)
        assert found["best"] == pytest.approx(expected["best"], abs=1e-6)
        assert len(found["history"]["loss"]) == 5
    # One `Events` runs once per job, the other on every worker.
    assert lines(tmp_path / "epochs0.txt") == [1, 1, 2, 2]
    assert lines(tmp_path / "epochs1.txt") == [1, 2]
    assert not (tmp_path / "checkpoint1").exists()


@pytest.mark.slow
def test_a_stopped_worker_ends_the_others_within_30_seconds(tmp_path):
    assert "Expected all 2 workers" in told_within_30_seconds("stopped", tmp_path)


@pytest.mark.slow
def test_what_the_chiefs_callbacks_change_reaches_all(tmp_path):
    first, second = Job("keras_callbacks", tmp_path, 2).finish()
    # Stopped in step 5, the first of the third epoch, which all workers finish.
    assert first["epochs"] == second["epochs"] == 3
    assert first["rate"] == second["rate"] == pytest.approx(0.1 / 3)
    assert_same(first, second, atol=0)
    assert first["evaluated"] == second["evaluated"] == first["validated"]
    assert (tmp_path / "model0.keras").exists()
    assert not (tmp_path / "model1.keras").exists()


def test_keras_alone_still_needs_the_mend(tmp_path):
    for found in Job("plain_keras", tmp_path, 2).finish():
        assert found["error"], (
            "Keras fits under MultiWorkerMirroredStrategy now: see whether "
            "tftransfer/core/replicas.py can go."
        )


def told_within_30_seconds(task, folder) -> str:
    """Return what the chief says when `task` has befallen the other worker."""
    job = Job(task, folder, 2)
    try:
        end = time.monotonic() + 120
        while not (folder / "struck").exists():
            assert time.monotonic() < end, "worker 1 did not come to its fourth epoch"
            time.sleep(0.1)
        begin = time.monotonic()
        assert job.processes[0].wait(60) == 3
        assert time.monotonic() - begin < 30
    finally:
        job.kill()
    return (folder / "lost0.txt").read_text()
