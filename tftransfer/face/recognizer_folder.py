"""The folder of a FaceRecognizer: its net, its gallery, and a file of settings."""

import json
import os
import pathlib
import zlib

from tftransfer.core.validation import check_range
from tftransfer.face.gallery.gallery import Gallery
from tftransfer.face.scores.calibration import FaceCalibration

SETTINGS = "recognizer.json"
_FORMAT = 1
_DETECTOR = ("min_face_size", "scale_factor", "thresholds")


class InFolder:
    """What a `FaceRecognizer` does with its folder."""

    folder: pathlib.Path | None = None

    @classmethod
    def create(
        cls, folder: str | os.PathLike, detector, embedder, *, key: bytes | None = None
    ) -> "InFolder":
        """Make a recognizer that lives in a folder: net, gallery and settings.

        Args:
            folder: A new or empty folder.
            detector: An `MTCNN`.
            embedder: An `Embedder`, or a Keras model that it adopts; saved here.
            key: 32 random bytes that encrypt the gallery, or None.

        Raises:
            FileExistsError: When the folder holds something.
        """
        folder = pathlib.Path(folder)
        if folder.exists() and any(folder.iterdir()):
            raise FileExistsError(
                f"Expected a new or empty folder. Received: '{folder}', which holds "
                "something. `FaceRecognizer.open` opens a recognizer."
            )
        embedder = as_embedder(embedder)
        folder.mkdir(parents=True, exist_ok=True)
        embedder.save(folder / "embedder")
        facts = {"dimension": embedder.dimension, "fingerprint": embedder.fingerprint}
        gallery = Gallery.open(folder / "gallery", **facts, key=key)
        recognizer = cls(detector, embedder, gallery)
        recognizer.folder = folder
        recognizer.save_settings()  # last: with them the folder is a recognizer
        return recognizer

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike,
        *,
        detector=None,
        read_only: bool = False,
        key: bytes | None = None,
    ) -> "InFolder":
        """Open the recognizer of a folder.

        Args:
            folder: What `create` made.
            detector: None for the `MTCNN` that it was made with.
            read_only: Whether people are only looked up: any number of processes may,
                beside one that enrolls.
            key: Of an encrypted gallery.

        Raises:
            FileNotFoundError: When there is none.
            GalleryLocked: When another process has it open for writing.
            ValueError: When a file is damaged, or the key another.
        """
        from tftransfer.face.nets.embedder import Embedder

        folder = pathlib.Path(folder)
        settings = read_settings(folder)
        if detector is None:
            from tftransfer.face.detection.mtcnn import MTCNN

            detector = MTCNN(**settings.pop("detector"))
        embedder = Embedder.load(folder / "embedder")
        facts = {"dimension": embedder.dimension, "fingerprint": embedder.fingerprint}
        gallery = Gallery.open(
            folder / "gallery", **facts, read_only=read_only, key=key
        )
        recognizer = cls(
            detector,
            embedder,
            gallery,
            threshold=settings["threshold"],
            calibration=settings["calibration"],
        )
        recognizer.folder = folder
        return recognizer

    def save_settings(self) -> None:
        """Write threshold, calibration and detector settings into the folder.

        Raises:
            ValueError: When the recognizer has no folder.
        """
        if self.folder is None:
            raise ValueError(
                "Expected a recognizer that lives in a folder. Received: one in "
                "memory. `FaceRecognizer.create(folder, ...)` makes one."
            )
        write_settings(self.folder, self.detector, self._threshold, self.calibration)

    def close(self) -> None:
        """Let another process write the gallery."""
        self.gallery.close()

    def __enter__(self) -> "InFolder":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def as_embedder(embedder):
    """Return an `Embedder`: the one given, or one of the Keras model given."""
    if hasattr(embedder, "embed"):
        return embedder
    from tftransfer.face.nets.embedder import Embedder

    return Embedder.from_model(embedder)


def write_settings(folder: pathlib.Path, detector, threshold, calibration) -> None:
    """Write what is neither net nor gallery, whole or not at all."""
    found = {
        "format": _FORMAT,
        "detector": {name: getattr(detector, name) for name in _DETECTOR},
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
            "detector": {name: found["detector"][name] for name in _DETECTOR},
            "threshold": found["threshold"],
            "calibration": found["calibration"],
        }
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"Expected '{path}' to hold the settings of a recognizer. Received: "
            f"{error}. The gallery beside it is whole: write the file anew with "
            "`FaceRecognizer(...).save_settings`, or copy it from a backup."
        ) from error
