import json
import os
import sys
import time

import pytest

from tftransfer.distribute import launch_local

PRINTS = "import os; print(os.environ['TF_CONFIG'], flush=True)"


def test_each_worker_gets_its_place_and_its_share_of_the_cores(tmp_path):
    code = (
        "import json, os, pathlib, sys\n"
        "index = json.loads(os.environ['TF_CONFIG'])['task']['index']\n"
        "pathlib.Path(sys.argv[1], str(index)).write_text(json.dumps(dict(os.environ)))"
    )
    assert launch_local([sys.executable, "-c", code, str(tmp_path)], 3) == 0
    found = [json.loads((tmp_path / str(i)).read_text()) for i in range(3)]
    configs = [json.loads(each["TF_CONFIG"]) for each in found]
    assert [config["task"]["index"] for config in configs] == [0, 1, 2]
    assert len(set(configs[0]["cluster"]["worker"])) == 3
    assert all(config["cluster"] == configs[0]["cluster"] for config in configs)
    cores = str(max(1, len(os.sched_getaffinity(0)) // 3))
    assert {each["TF_NUM_INTRAOP_THREADS"] for each in found} == {cores}


def test_output_of_the_others_is_named(capfd):
    said = []
    assert launch_local([sys.executable, "-c", PRINTS], 2, say=said.append) == 0
    assert len(said) == 1
    assert said[0].startswith('worker 1: {"cluster"')
    assert '"index": 0' in capfd.readouterr().out


def test_a_failing_worker_ends_the_others(tmp_path):
    code = (
        "import os, sys, time\n"
        "if '\"index\": 1' in os.environ['TF_CONFIG']: sys.exit(7)\n"
        "time.sleep(2); open(sys.argv[1], 'w').close()"
    )
    said, file = [], tmp_path / "ended"
    command = [sys.executable, "-c", code, str(file)]
    assert launch_local(command, 2, say=said.append) == 7
    assert file.exists(), "the other worker had no time to end"
    assert said == ["worker 1 ended with status 7; the others end too."]


def test_a_worker_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr("tftransfer.distribute.launching._GRACE_SECONDS", 0.5)
    code = (
        "import os, signal, time\n"
        "if '\"index\": 0' in os.environ['TF_CONFIG']: os.kill(os.getpid(), 9)\n"
        "time.sleep(600)"
    )
    begin = time.monotonic()
    assert launch_local([sys.executable, "-c", code], 2, say=lambda _: None) == 137
    assert time.monotonic() - begin < 60


def test_refuses_nothing_to_start():
    with pytest.raises(ValueError, match="Expected a command and 1 worker"):
        launch_local([], 2)
    with pytest.raises(ValueError, match="Expected a command and 1 worker"):
        launch_local(["true"], 0)
