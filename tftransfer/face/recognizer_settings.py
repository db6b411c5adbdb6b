"""recognizer.json: what of a FaceRecognizer is neither net nor gallery.

Beside it the detector's weights, where they are not the published ones.
"""

import json
import os
import pathlib
import zlib

from tftransfer.core.validation import check_range
from tftransfer.face.scores.calibration import FaceCalibration

SETTINGS = "recognizer.json"
_FORMAT = 1
_DETECTOR = ("min_face_size", "scale_factor", "thresholds")
_WEIGHTS = "detector/mtcnn.npz"  # as the settings name them


def check_detector(detector) -> None:
    """Raise unless a detector's settings can be written.

    Raises:
        TypeError: When it is no `MTCNN`.
    """
    missing = [name for name in _DETECTOR if not hasattr(detector, name)]
    if missing:
        raise TypeError(
            "Expected an `MTCNN`, whose settings a folder keeps. Received: "
            f"{type(detector).__name__}, without {missing}. Another detector works "
            "with `FaceRecognizer(detector, embedder, Gallery.open(folder, ...))`, or "
            "create the folder with an `MTCNN` and `open` it with `detector=`."
        )


def settings_stamp(folder: pathlib.Path) -> tuple | None:
    """Return what differs once the settings were written anew; None without any."""
    try:
        found = os.stat(folder / SETTINGS)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def write_settings(folder: pathlib.Path, detector, threshold, calibration) -> None:
    """Write what is neither net nor gallery, whole or not at all."""
    own_weights = getattr(detector, "weights", None) is not None
    if own_weights:  # kept here: the file may be absent where the folder is moved to
        detector.save_weights(folder / _WEIGHTS)
    weights = {"weights": _WEIGHTS} if own_weights else {}
    found = {
        "format": _FORMAT,
        "detector": {name: getattr(detector, name) for name in _DETECTOR} | weights,
        "threshold": threshold,
        "calibration": None if calibration is None else calibration.to_json(),
    }
    found["checksum"] = _checksum(found)
    part = folder / f".{SETTINGS}.{os.getpid()}"
    try:
        with open(part, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, folder / SETTINGS)
    finally:
        part.unlink(missing_ok=True)


def _checksum(values: dict) -> int:
    """Return what tells a damaged threshold from the one that was chosen."""
    return zlib.crc32(json.dumps(values, sort_keys=True).encode())


def read_settings(folder: pathlib.Path) -> dict:
    """Return what `write_settings` wrote, the calibration as an object.

    Raises:
        FileNotFoundError: When the folder holds no recognizer.
        ValueError: When the file is damaged or of a newer version.
    """
    path = folder / SETTINGS
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected the folder of a recognizer. Received: '{folder}', which has no "
            f"{SETTINGS}. `FaceRecognizer.create` makes one."
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != _FORMAT:
            raise ValueError(f"format {found['format']}, of another version")
        if found.pop("checksum") != _checksum(found):
            raise ValueError("a wrong checksum: the file was changed")
        if found["calibration"] is not None:
            found["calibration"] = FaceCalibration.from_json(found["calibration"])
        if found["threshold"] is not None:
            check_range("threshold", found["threshold"], -1, 1)
        return {
            "detector": _detector(folder, found["detector"]),
            "threshold": found["threshold"],
            "calibration": found["calibration"],
        }
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"Expected '{path}' to hold the settings of a recognizer. Received: "
            f"{error}. The gallery beside it is whole: write the file anew with "
            "`FaceRecognizer(...).save_settings`, or copy it from a backup."
        ) from error


def _detector(folder: pathlib.Path, found: dict) -> dict:
    """Return the arguments of the `MTCNN`."""
    arguments = {name: found[name] for name in _DETECTOR}
    weights = found.get("weights")
    if weights not in (None, _WEIGHTS):  # nothing outside the folder is read
        raise ValueError(f"weights of the detector in {weights!r}")
    return arguments | {"weights": None if weights is None else folder / weights}
