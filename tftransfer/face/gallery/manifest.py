"""The manifest of a gallery's folder: the one file that says what counts."""

import dataclasses
import json
import os
import pathlib
import zlib

from tftransfer.face.gallery.errors import DamagedGallery
from tftransfer.face.gallery.segment import Segment
from tftransfer.face.gallery.segment import read_header

FORMAT = "tftransfer face gallery"
VERSION = 1
MANIFEST = "manifest.json"


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What counts of a gallery's folder.

    Args:
        dimension: Length of an embedding.
        fingerprint: Of the embedder.
        key_check: A sealed word that the right key opens; None without encryption.
        generation: Number of changes so far.
        next_segment: Number of the next new segment.
        segments: In the order of enrolment.
    """

    dimension: int
    fingerprint: str
    key_check: str | None = None
    generation: int = 0
    next_segment: int = 1
    segments: tuple[Segment, ...] = ()

    @property
    def header(self) -> dict:
        """What each segment repeats, to be read without the manifest."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "dimension": self.dimension,
            "fingerprint": self.fingerprint,
            "key_check": self.key_check,
        }

    @property
    def files(self) -> set[str]:
        """Names of the segments' files."""
        here = pathlib.Path()
        return {path.name for part in self.segments for path in part.files(here)}


def write_manifest(folder: pathlib.Path, manifest: Manifest) -> None:
    """Make a manifest the current one, on the disk itself, or leave the old one."""
    values = manifest.header | {
        "generation": manifest.generation,
        "next_segment": manifest.next_segment,
        "segments": [dataclasses.asdict(segment) for segment in manifest.segments],
    }
    values["checksum"] = _checksum(values)
    part = folder / f"{MANIFEST}.part"
    with open(part, "w", encoding="utf-8") as file:
        json.dump(values, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    # New segments must be found in the folder before a manifest that names them.
    sync_folder(folder)
    os.replace(part, folder / MANIFEST)
    sync_folder(folder)


def read_manifest(folder: pathlib.Path, file) -> Manifest:
    """Read the open manifest `file` of a folder.

    Raises:
        DamagedGallery: When it is cut short or changed.
        ValueError: When a newer version of the package wrote it.
    """
    path = folder / MANIFEST
    try:
        values = json.loads(file.read().decode())
        known = values["format"] == FORMAT
        version, checksum = values["version"], values.pop("checksum", None)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedGallery([(path, f"is unreadable ({error})")]) from error
    if known and isinstance(version, int) and version > VERSION:
        raise ValueError(
            f"Expected a gallery of version {VERSION} or older. Received: '{path}' of "
            f"version {version}. Install a newer tftransfer."
        )
    if not known or checksum != _checksum(values):
        raise DamagedGallery([(path, "was changed (wrong checksum)")])
    return Manifest(
        values["dimension"],
        values["fingerprint"],
        values["key_check"],
        values["generation"],
        values["next_segment"],
        tuple(Segment(**segment) for segment in values["segments"]),
    )


def manifest_from_segments(folder: pathlib.Path) -> Manifest | None:
    """Return a manifest from what segments repeat of a lost one; None when none does.

    Its segments have lengths of 0: how far they count is lost.
    """
    names = sorted(path.stem for path in folder.glob("[0-9]*.people"))
    for name in names:
        try:
            header = read_header(folder / f"{name}.people")
            return Manifest(
                header["dimension"],
                header["fingerprint"],
                header["key_check"],
                segments=tuple(Segment(name) for name in names),
            )
        except (ValueError, KeyError, TypeError):
            continue
    return None


def sync_folder(folder: pathlib.Path) -> None:
    """Put the names of a folder's files on the disk itself."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checksum(values: dict) -> int:
    return zlib.crc32(json.dumps(values, sort_keys=True).encode())
