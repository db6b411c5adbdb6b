"""An `Embedder` in a folder: a model, and the settings, which name the model's file."""

import hashlib
import json
import os
import pathlib
import re
import uuid

import keras

_SETTINGS = "embedder.json"
_KEYS = {"model", "alignment", "margin", "flip", "fingerprint"}
_CHECKSUM = "checksum"  # not in folders of the first versions


def write_embedder(folder, net: keras.Model, settings: dict) -> None:
    """Write both; one `os.replace` of the settings makes them current."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / _SETTINGS
    try:
        before = _read_settings(file)["model"]
    except (OSError, ValueError):  # there is none, or it is damaged: made anew
        before = None
    stem = uuid.uuid4().hex
    net.save(folder / f"{stem}.keras")
    settings = {"model": f"{stem}.keras", **settings}
    settings[_CHECKSUM] = _checksum(folder, settings)
    part = folder / f"{stem}.part"
    part.write_text(json.dumps(settings, indent=1))
    os.replace(part, file)
    if before is not None:
        (folder / before).unlink(missing_ok=True)


def read_embedder(folder) -> tuple[keras.Model, dict]:
    """Return the net and the settings, all that the file holds.

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
        settings = _read_settings(file)
        net = keras.saving.load_model(folder / settings["model"], compile=False)
    except Exception as error:  # damaged models raise errors of many types
        raise ValueError(
            f"Expected a whole embedder in '{folder}'. Received files that cannot be "
            f"read: {error}. Copy them from a backup, or `save` the embedder anew."
        ) from error
    return net, settings


def is_as_saved(folder, settings: dict) -> bool:
    """Whether model file and settings are, byte for byte, those that were written.

    False for what the first versions wrote, which kept no checksum.
    """
    written = {name: value for name, value in settings.items() if name != _CHECKSUM}
    return settings.get(_CHECKSUM) == _checksum(pathlib.Path(folder), written)


def _checksum(folder: pathlib.Path, settings: dict) -> str:
    """Return the SHA-256 of the settings together with that of the model file."""
    with open(folder / settings["model"], "rb") as file:
        model = hashlib.file_digest(file, "sha256").hexdigest()
    text = json.dumps([settings, model], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_settings(file: pathlib.Path) -> dict:
    """Return the settings, complete, whose model lies beside them.

    Raises:
        OSError: When they cannot be read.
        ValueError: When they are no settings of an embedder.
    """
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{_SETTINGS} is nested too deeply") from error
    found = set(settings) if isinstance(settings, dict) else type(settings).__name__
    if not isinstance(found, set) or found - {_CHECKSUM} != _KEYS:
        raise ValueError(f"{_SETTINGS} has not the keys {sorted(_KEYS)}")
    # Nothing outside the folder is read, or removed when another is saved.
    if not re.fullmatch(r"[0-9a-f]{32}\.keras", str(settings["model"])):
        raise ValueError(f"{_SETTINGS} names no model file of its folder")
    return settings
