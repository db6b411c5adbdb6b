"""The folder of a FaceRecognizer: its net, its gallery, and a file of settings."""

import os
import pathlib
import threading

from tftransfer.face.gallery.access import cipher_of
from tftransfer.face.gallery.gallery import Gallery
from tftransfer.face.recognizer_creation import creation
from tftransfer.face.recognizer_creation import mark_finished
from tftransfer.face.recognizer_settings import check_detector
from tftransfer.face.recognizer_settings import read_settings
from tftransfer.face.recognizer_settings import settings_stamp
from tftransfer.face.recognizer_settings import write_settings

_FOLLOWING = threading.Lock()


class InFolder:
    """What a `FaceRecognizer` does with its folder."""

    folder: pathlib.Path | None = None
    _followed = None  # of a reader: stamp, threshold and calibration as read last

    @classmethod
    def create(
        cls, folder: str | os.PathLike, detector, embedder, *, key: bytes | None = None
    ) -> "InFolder":
        """Make a recognizer that lives in a folder: net, gallery and settings.

        After an error nothing is left in the folder; where a process is killed
        within this, it may be called again.

        Args:
            folder: A new or empty folder.
            detector: An `MTCNN`.
            embedder: An `Embedder`, or a Keras model that it adopts; saved here.
            key: 32 random bytes that encrypt the gallery, or None.

        Raises:
            FileExistsError: When the folder holds something.
            GalleryLocked: When another process is making it.
            TypeError: When the folder cannot keep this detector or embedder.
            ValueError: When the key has another length.
            ImportError: When there is a key, and the package `cryptography` is absent.
        """
        folder = pathlib.Path(folder)
        cipher_of(key)
        check_detector(detector)
        embedder = _embedder_to_keep(embedder)
        facts = {"dimension": embedder.dimension, "fingerprint": embedder.fingerprint}
        with creation(folder):
            embedder.save(folder / "embedder")
            Gallery.open(folder / "gallery", **facts, key=key).close()
            # Last: with them the folder is a recognizer.
            write_settings(folder, detector, None, None)
        gallery = Gallery.open(folder / "gallery", **facts, key=key)
        recognizer = cls(detector, embedder, gallery)
        recognizer.folder = folder
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
                beside one that enrolls. They see at their next call whom it enrolled,
                and the threshold and calibration that it saved, but for one that was
                given a threshold or calibration of its own.
            key: Of an encrypted gallery.

        Raises:
            FileNotFoundError: When there is none.
            GalleryLocked: When another process has it open for writing.
            ValueError: When a file is damaged, or the key another.
        """
        from tftransfer.face.nets.embedder import Embedder

        folder = pathlib.Path(folder)
        stamp = settings_stamp(folder)  # first: what is written meanwhile is seen later
        settings = read_settings(folder)
        if detector is None:
            from tftransfer.face.detection.mtcnn import MTCNN

            detector = MTCNN(**settings.pop("detector"))
        embedder = Embedder.load(folder / "embedder")
        facts = {"dimension": embedder.dimension, "fingerprint": embedder.fingerprint}
        gallery = Gallery.open(
            folder / "gallery", **facts, read_only=read_only, key=key
        )
        if not read_only:
            mark_finished(folder)  # where its maker was killed right before it did
        decision = {name: settings[name] for name in ("threshold", "calibration")}
        recognizer = cls(detector, embedder, gallery, **decision)
        recognizer.folder = folder
        if read_only:
            recognizer._followed = stamp, *decision.values()
        return recognizer

    def _follow_settings(self) -> None:
        """Take over, as a reader, the threshold and calibration saved since."""
        followed = self._followed
        if followed is None:
            return
        with _FOLLOWING:  # threads may share a reader, and one may close it
            stamp, threshold, calibration = self._followed or followed
            own = self._threshold != threshold or self.calibration is not calibration
            now = settings_stamp(self.folder)
            if own or now in (None, stamp):
                return
            found = read_settings(self.folder)
            self._threshold = found["threshold"]
            self.calibration = found["calibration"]
            self._followed = now, self._threshold, self.calibration

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
        self._followed = None

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


def _embedder_to_keep(embedder):
    embedder = as_embedder(embedder)
    if not hasattr(embedder, "save"):
        raise TypeError(
            "Expected an `Embedder` or a Keras model, which a folder can keep. "
            f"Received: {type(embedder).__name__}. Without a folder it works: "
            "`FaceRecognizer(detector, embedder)`."
        )
    return embedder
