"""GalleryFolder: a gallery's files, changed by one writer while others read.

A change writes and syncs segments first and then replaces the manifest: a process
killed at any moment leaves the state before or after it.
"""

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterable
from collections.abc import Iterator

import numpy as np

from tftransfer.face.gallery.access import check_access
from tftransfer.face.gallery.access import check_can_lock
from tftransfer.face.gallery.access import cipher_of
from tftransfer.face.gallery.access import key_check
from tftransfer.face.gallery.access import locked
from tftransfer.face.gallery.errors import DamagedGallery
from tftransfer.face.gallery.manifest import MANIFEST
from tftransfer.face.gallery.manifest import Manifest
from tftransfer.face.gallery.manifest import read_manifest
from tftransfer.face.gallery.manifest import sync_folder
from tftransfer.face.gallery.manifest import write_manifest
from tftransfer.face.gallery.segment import Enrolled
from tftransfer.face.gallery.segment import Segment
from tftransfer.face.gallery.segment import append_entries
from tftransfer.face.gallery.segment import cut_tail
from tftransfer.face.gallery.segment import read_entries
from tftransfer.face.gallery.segment import shred

SEGMENT_ROWS = 16384  # what removing one person rewrites at most: 32 MiB at 512
_OURS = re.compile(r"\d+\.(people|vectors)")


class GalleryFolder:
    """The files of one gallery.

    Args:
        folder: Path of the folder; made, for a writer, with `dimension`.
        dimension: Expected length of an embedding, or None for any.
        fingerprint: Expected fingerprint of the embedder, or None for any.
        read_only: Whether others may write.
        key: Of the encryption, or None.

    Attributes:
        manifest: What counts, as last read or written.
    """

    def __init__(self, folder, dimension, fingerprint, *, read_only, key):
        self.path = pathlib.Path(folder)
        self._lock = self._file = None
        new = not any(self._segment_files()) and not (self.path / MANIFEST).exists()
        if new and (read_only or dimension is None or fingerprint is None):
            raise FileNotFoundError(
                f"Expected a gallery in '{self.path}'. Received no {MANIFEST} there. "
                "Pass `dimension` and `fingerprint` (and not `read_only`) to make one."
            )
        self.cipher = cipher_of(key)
        if not read_only:
            check_can_lock(self.path)  # before anything is written
            self.path.mkdir(parents=True, exist_ok=True)
            sync_folder(self.path.parent)
            self._lock = locked(self.path / "lock")
        try:
            if new and not (self.path / MANIFEST).exists():
                self._create(dimension, fingerprint, encrypted=key is not None)
            self.reread()
            check_access(self.path, self.manifest, dimension, fingerprint, self.cipher)
        except BaseException:
            self.close()
            raise

    def _create(self, dimension, fingerprint, *, encrypted) -> None:
        check = key_check(self.cipher) if encrypted else None
        write_manifest(self.path, Manifest(dimension, fingerprint, check))

    def _segment_files(self) -> Iterator[pathlib.Path]:
        if self.path.is_dir():
            yield from (p for p in self.path.iterdir() if _OURS.fullmatch(p.name))

    def tidy(self) -> None:
        """Remove what does not count: replaced, or left by killed and failed changes.

        Only once all that counts was read: of a damaged gallery nothing is removed.
        """
        self._sweep()
        self._cut_tails()

    def _sweep(self) -> None:
        """Remove files that do not count."""
        counted = self.manifest.files
        for path in list(self._segment_files()):
            if path.name not in counted:
                shred(path)
        (self.path / f"{MANIFEST}.part").unlink(missing_ok=True)

    def _cut_tails(self) -> None:
        for segment in self.manifest.segments:
            cut_tail(self.path, segment, self.manifest.dimension)

    def reread(self) -> None:
        """Read the manifest."""
        try:
            file = open(self.path / MANIFEST, "rb")  # noqa: SIM115 - kept open
        except FileNotFoundError as error:
            raise DamagedGallery([(self.path / MANIFEST, "is missing")]) from error
        try:
            self.manifest = read_manifest(self.path, file)
        except BaseException:
            file.close()
            raise
        if self._file is not None:
            self._file.close()
        self._file = file  # kept open, so that no new manifest gets its inode

    def has_changed(self) -> bool:
        """Say whether another manifest took the place of the one read last."""
        try:
            now = os.stat(self.path / MANIFEST)
        except FileNotFoundError:
            return True
        return not os.path.samestat(now, os.fstat(self._file.fileno()))

    def read(self, segment: Segment, since: Segment | None = None) -> Enrolled:
        """Read a segment, or what it grew by since it was `since`."""
        dimension = self.manifest.dimension
        return read_entries(self.path, segment, dimension, self.cipher, since)

    def append(self, parts: Iterable[Enrolled]) -> None:
        """Write people; they count, all of them, when this returns."""
        segments = list(self.manifest.segments)
        number = self.manifest.next_segment
        for part in parts:
            ends, first = np.cumsum(part.counts), 0
            while first < len(ends):
                if not segments or segments[-1].rows >= SEGMENT_ROWS:
                    segments.append(Segment(f"{number:06d}"))
                    number += 1
                room = SEGMENT_ROWS - segments[-1].rows
                piece, first = _fitting(part, ends, first, room)
                segments[-1] = self._append(segments[-1], piece)
        self._commit(segments, number)

    def _append(self, segment: Segment, part: Enrolled) -> Segment:
        header = self.manifest.header
        return append_entries(self.path, segment, header, part, self.cipher)

    def remove(self, names: set[str], holding: set[str]) -> None:
        """Rewrite the segments `holding` people without `names`; zero the old files."""
        segments, number = [], self.manifest.next_segment
        for segment in self.manifest.segments:
            if segment.name not in holding:
                segments.append(segment)
                continue
            kept = _without(self.read(segment), names)
            if kept.names:
                segments.append(self._append(Segment(f"{number:06d}"), kept))
                number += 1
        self._commit(segments, number)

    def _commit(self, segments: list[Segment], number: int) -> None:
        manifest = dataclasses.replace(
            self.manifest,
            generation=self.manifest.generation + 1,
            next_segment=number,
            segments=tuple(segments),
        )
        try:
            write_manifest(self.path, manifest)
        finally:
            self.reread()  # an error may come after the change
        # A failed `add` may have left a person's lines behind what counts of a segment
        # that `remove` does not rewrite.
        self.tidy()

    def close(self) -> None:
        """Let go of the lock."""
        for file in (self._file, self._lock):
            if file is not None:
                file.close()
        self._file = self._lock = None


def _fitting(part: Enrolled, ends, first: int, room: int) -> tuple[Enrolled, int]:
    """Return people from `first` on whose rows fit in `room`, at least one; the next.

    A person's rows stay together. `ends` are the running sums of the counts.
    """
    start = int(ends[first - 1]) if first else 0
    last = max(first + 1, int(np.searchsorted(ends, start + room, side="right")))
    rows = part.rows[start : int(ends[last - 1])]
    return Enrolled(part.names[first:last], part.counts[first:last], rows), last


def _without(enrolled: Enrolled, names: set[str]) -> Enrolled:
    kept = np.array([name not in names for name in enrolled.names])
    counts = np.array(enrolled.counts)
    return Enrolled(
        [name for name in enrolled.names if name not in names],
        counts[kept].tolist(),
        enrolled.rows[np.repeat(kept, counts)],
    )
