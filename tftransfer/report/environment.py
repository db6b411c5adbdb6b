"""What a run used: versions, platform and devices, for reports and model cards.

TensorFlow only.
"""

import importlib.metadata
import os
import platform


def environment() -> dict[str, str]:
    """Return {what: version or description} of this process, for people to read."""
    found = {"Python": platform.python_version()}
    for package in ("tftransfer", "tensorflow", "keras", "numpy"):
        found[package] = _version(package)
    found["Platform"] = platform.platform(terse=True)
    found["Processors"] = str(os.cpu_count())
    found["Accelerators"] = _accelerators()
    return found


def _version(package: str) -> str:
    if package == "tftransfer":
        from tftransfer._version import __version__

        return __version__
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed under this name"


def _accelerators() -> str:
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(d) for d in devices]
    return ", ".join(d.get("device_name", "GPU") for d in details) or "none"
