"""Shared fixtures; the environment is set before Keras loads."""

import gc
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("MPLBACKEND", "Agg")
# Test processes run side by side: one thread each for a kernel, or they wait in turn.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import pytest


@pytest.fixture(autouse=True)
def _seeded():
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope="module")
def _swept():
    """What a file of tests leaves is not searched for garbage again and again."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def data_dir() -> pathlib.Path:
    """Folder of the real data sets; tests that need it skip where it is absent."""
    beside = pathlib.Path(__file__).parents[2] / "shared" / "data"
    folder = pathlib.Path(os.environ.get("TFTRANSFER_DATA", beside))
    if not folder.is_dir():
        pytest.skip("real data absent: set TFTRANSFER_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def logical_devices() -> list[str]:
    """Two logical CPU devices, for tests under MirroredStrategy."""
    import tensorflow as tf

    return [device.name for device in tf.config.list_logical_devices("CPU")]


@pytest.fixture
def weightless():
    """Nets built in the test get no memory for weights, now or later.

    Keras notes each variable made in a stateless scope and gives all of them memory
    when a later scope ends, so the session that holds these notes is dropped.
    """
    import keras

    with keras.StatelessScope(initialize_variables=False):
        yield
    keras.utils.clear_session(free_memory=False)


def pytest_sessionstart(session):
    """Split the CPU in two before TensorFlow's first use fixes its devices."""
    if os.environ["KERAS_BACKEND"] != "tensorflow":
        return
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
