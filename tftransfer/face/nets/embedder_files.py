"""An `Embedder` in a folder: a model, and the settings, which name the model's file."""

import json
import os
import pathlib
import uuid

import keras

_SETTINGS = "embedder.json"


def write_embedder(folder, net: keras.Model, settings: dict) -> None:
    """Write both; one `os.replace` of the settings makes them current."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / _SETTINGS
    before = json.loads(file.read_text())["model"] if file.exists() else None
    stem = uuid.uuid4().hex
    net.save(folder / f"{stem}.keras")
    part = folder / f"{stem}.part"
    part.write_text(json.dumps({"model": f"{stem}.keras", **settings}, indent=1))
    os.replace(part, file)
    if before is not None:
        (folder / before).unlink(missing_ok=True)


def read_embedder(folder) -> tuple[keras.Model, dict]:
    """Return the net and the settings.

    Raises:
        FileNotFoundError: When there are none.
        ValueError: When they cannot be read.
    """
    folder = pathlib.Path(folder)
    file = folder / _SETTINGS
    if not file.is_file():
        raise FileNotFoundError(
            f"Expected the folder of an embedder, which has a file {_SETTINGS}. "
            f"Received: '{folder}'."
        )
    try:
        settings = json.loads(file.read_text())
        net = keras.saving.load_model(folder / settings.pop("model"), compile=False)
    except (ValueError, KeyError, OSError) as error:
        raise ValueError(
            f"Expected a whole embedder in '{folder}'. Received files that cannot be "
            f"read: {error}"
        ) from error
    return net, settings
