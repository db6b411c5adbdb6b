import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch):
    for name in ("TF_CONFIG", "TPU_NAME"):
        monkeypatch.delenv(name, raising=False)


def test_one_device_needs_no_strategy():
    said = []
    with tft.distribute.strategy(say=said.append) as chosen:
        assert chosen.num_replicas_in_sync == 1
        assert not tf.distribute.has_strategy()
    assert said == ["strategy: one device, the CPU, no tf.distribute."]


def test_mirrored_takes_all_devices(logical_devices):
    said = []
    with tft.distribute.strategy("mirrored", say=said.append) as chosen:
        assert tf.distribute.get_strategy() is chosen
        assert chosen.num_replicas_in_sync == len(logical_devices) == 2
    assert said[0].startswith("strategy: 2 replicas: ")


def test_cpus_of_a_process_in_use(logical_devices):
    with tft.distribute.strategy("cpu:2", say=None) as chosen:
        assert chosen.num_replicas_in_sync == 2
    with (
        pytest.raises(RuntimeError, match=r"3 logical devices.*with 2"),
        tft.distribute.strategy("cpu:3"),
    ):
        pass


def test_a_second_strategy_has_collectives_of_its_own():
    for units in (3, 5):
        with tft.distribute.strategy("cpu:2", say=None):
            model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units)])
            model.compile("sgd", "mse")
        history = model.fit(np.ones((8, 4)), np.ones((8, units)), verbose=0)
        assert np.isfinite(history.history["loss"][0])


def test_cpus_of_a_new_process():
    code = (
        "import tftransfer as tft\n"
        "with tft.distribute.strategy('cpu:3') as chosen:\n"
        "    print(chosen.num_replicas_in_sync)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines()[-1] == "3"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("parameter_server", "ParameterServerStrategy"),
        ("ParameterServerStrategy", "ParameterServerStrategy"),
        ("central_storage", "CentralStorageStrategy"),
        ("horovod", "'mirrored'"),
        ("cpu:0", "'cpu:N'"),
    ],
)
def test_refuses_with_the_reason(kind, reason):
    with (
        pytest.raises(ValueError, match=rf"Expected.*Received: .*{reason}|{reason}"),
        tft.distribute.strategy(kind),
    ):
        pass


def test_several_workers_need_a_cluster_and_a_fresh_process(monkeypatch):
    with (
        pytest.raises(ValueError, match=r"TF_CONFIG.*set_cluster"),
        tft.distribute.strategy("multi_worker"),
    ):
        pass
    monkeypatch.setenv("TF_CONFIG", "")
    tft.distribute.set_cluster(["127.0.0.1:2222", "127.0.0.1:2223"], 1)
    tf.config.list_logical_devices()
    with (
        pytest.raises(RuntimeError, match="before anything uses TensorFlow"),
        tft.distribute.strategy("auto"),
    ):
        pass


def test_set_cluster_writes_what_tensorflow_reads(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "")
    tft.distribute.set_cluster(["one:1", "two:2"], 1)
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    assert resolver.cluster_spec().as_dict() == {"worker": ["one:1", "two:2"]}
    assert (resolver.task_type, resolver.task_id) == ("worker", 1)
    assert json.loads(os.environ["TF_CONFIG"])["task"]["index"] == 1


@pytest.mark.parametrize(
    ("workers", "index", "told"),
    [
        (["host"], 0, "'host'"),
        (["host:port"], 0, "'host:port'"),
        (["host:99999"], 0, "'host:99999'"),
        (["a:1", "a:1"], 0, "once"),
        (["a:1", "b:1"], 2, r"\[0, 1\]"),
    ],
)
def test_set_cluster_refuses(workers, index, told, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "")
    with pytest.raises(ValueError, match=rf"Expected.*{told}"):
        tft.distribute.set_cluster(workers, index)
    assert not os.environ["TF_CONFIG"]


@pytest.mark.parametrize("text", ["{", "[]", '{"cluster": {"worker": ["a:1", "b:1"]}}'])
def test_a_broken_cluster_is_said(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with (
        pytest.raises(ValueError, match=r"Expected.*TF_CONFIG"),
        tft.distribute.strategy("auto"),
    ):
        pass
