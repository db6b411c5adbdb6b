"""Segments: the files that hold a gallery's people, some thousand embeddings each.

NAME.vectors holds rows of float32, little endian, and nothing else. NAME.people holds a
header line and a line per person and `add`: CRC-32 of the line in hexadecimal, a space,
and JSON [first row, rows, CRC-32 of the rows' bytes, name, seal]. Both only grow; how
far they count stands in the manifest.
"""

import dataclasses
import json
import os
import pathlib
import zlib
from typing import NamedTuple

import numpy as np

from tftransfer.face.gallery.cipher import PlainText
from tftransfer.face.gallery.errors import DamagedGallery

_JSON = json.JSONEncoder(ensure_ascii=False)


class Enrolled(NamedTuple):
    """People with embeddings, in the order of their enrolment.

    Args:
        names: One per person and `add`.
        counts: How many of the rows, in order, each has; as many as names.
        rows: Unit embeddings, float32 (sum of counts, dimension).
    """

    names: list[str]
    counts: list[int]
    rows: np.ndarray


@dataclasses.dataclass(frozen=True)
class Segment:
    """What the manifest knows of a segment.

    Args:
        name: Of its two files.
        rows: Embeddings that count.
        people_bytes: Length of NAME.people that counts.
        people_crc: CRC-32 of these bytes.
        vectors_crc: CRC-32 of the rows' bytes.
    """

    name: str
    rows: int = 0
    people_bytes: int = 0
    people_crc: int = 0
    vectors_crc: int = 0

    def files(self, folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
        """Return the paths of the people and of the vectors."""
        return folder / f"{self.name}.people", folder / f"{self.name}.vectors"


class _Entry(NamedTuple):
    """One line of NAME.people."""

    start: int
    rows: int
    crc: int
    name: str
    seal: str


def joined(parts: list[Enrolled], dimension: int) -> Enrolled:
    """Return enrolled people one after the other."""
    names = [name for part in parts for name in part.names]
    counts = [count for part in parts for count in part.counts]
    none = np.empty((0, dimension), np.float32)
    return Enrolled(names, counts, np.concatenate([none, *(p.rows for p in parts)]))


def append_entries(
    folder: pathlib.Path,
    segment: Segment,
    header: dict,
    enrolled: Enrolled,
    cipher: PlainText,
) -> Segment:
    """Write people behind what counts of a segment, to the disk itself.

    What stood there uncounted, of a write that was killed, is overwritten.

    Returns:
        The longer segment; nothing counts before the manifest says so.
    """
    lines = [] if segment.people_bytes else [_line(json.dumps(header).encode())]
    data, first = [], 0
    for name, count in zip(enrolled.names, enrolled.counts, strict=True):
        start = segment.rows + first
        rows = enrolled.rows[first : first + count]
        stored, seal = cipher.close_rows(rows, f"{segment.name}:{start}:rows")
        fields = [start, count, zlib.crc32(stored), name, seal]
        text = _JSON.encode(fields).encode()
        lines.append(_line(cipher.close_line(text, f"{segment.name}:line")))
        data.append(stored)
        first += count
    people, vectors = segment.files(folder)
    text, stored = b"".join(lines), b"".join(data)
    _write_at(people, segment.people_bytes, text)
    _write_at(vectors, _vector_bytes(segment, header["dimension"]), stored)
    return Segment(
        segment.name,
        segment.rows + first,
        segment.people_bytes + len(text),
        zlib.crc32(text, segment.people_crc),
        zlib.crc32(stored, segment.vectors_crc),
    )


def cut_tail(folder: pathlib.Path, segment: Segment, dimension: int) -> None:
    """Remove what does not count behind a segment: of a write that was killed."""
    people, vectors = segment.files(folder)
    counted = (segment.people_bytes, _vector_bytes(segment, dimension))
    for path, length in zip((people, vectors), counted, strict=True):
        if path.exists() and path.stat().st_size > length:
            _write_at(path, length, b"")


def read_entries(
    folder: pathlib.Path,
    segment: Segment,
    dimension: int,
    cipher: PlainText,
    since: Segment | None = None,
) -> Enrolled:
    """Read a segment, or what it grew by since it was `since`.

    Raises:
        DamagedGallery: When a file is missing, cut short or changed.
    """
    since = since or Segment(segment.name)
    people, vectors = segment.files(folder)
    text = _read_at(people, since.people_bytes, segment.people_bytes)
    first, last = (_vector_bytes(part, dimension) for part in (since, segment))
    data = _read_at(vectors, first, last)
    problems = []
    if zlib.crc32(text, since.people_crc) != segment.people_crc:
        problems.append((people, "was changed (wrong checksum)"))
    if zlib.crc32(data, since.vectors_crc) != segment.vectors_crc:
        problems.append((vectors, "was changed (wrong checksum)"))
    if problems:
        raise DamagedGallery(problems)
    lines = text.split(b"\n")[0 if since.people_bytes else 1 : -1]
    try:
        found = _parse(lines, segment.name, cipher)
        return _open(found, data, since.rows, segment.name, dimension, cipher)
    except ValueError as error:
        raise DamagedGallery([(people, f"is unreadable ({error})")]) from error


def salvage_entries(
    folder: pathlib.Path, name: str, dimension: int, cipher: PlainText
) -> tuple[Enrolled, int]:
    """Read what is whole of a damaged segment, line by line.

    Returns:
        The people, and how many lines were lost as far as can be told.
    """
    found, lost = [], 0
    people, vectors = Segment(name).files(folder)
    text = people.read_bytes() if people.exists() else b""
    data = vectors.read_bytes() if vectors.exists() else b""
    for line in filter(None, text.split(b"\n")[1:]):
        try:
            _checked(line)
            (entry,) = _parse([line], name, cipher)
            stored = _stored(entry, data, 0, dimension)
            if zlib.crc32(stored) != entry.crc:
                raise ValueError("wrong checksum of its rows")
            found.append(_open([entry], stored, entry.start, name, dimension, cipher))
        except (ValueError, TypeError):
            lost += 1
    return joined(found, dimension), lost


def read_header(path: pathlib.Path) -> dict:
    """Read the header line of NAME.people.

    Raises:
        ValueError: When it is damaged.
    """
    with open(path, "rb") as file:
        return json.loads(_checked(file.readline().rstrip(b"\n")))


def shred(path: pathlib.Path) -> None:
    """Overwrite a file with zeros, on the disk, and remove it."""
    with open(path, "r+b") as file:
        left = os.fstat(file.fileno()).st_size
        while left > 0:
            left -= file.write(bytes(min(left, 2**20)))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def _line(payload: bytes) -> bytes:
    return b"%08x %b\n" % (zlib.crc32(payload), payload)


def _checked(line: bytes) -> bytes:
    crc, _, payload = line.partition(b" ")
    if int(crc, 16) != zlib.crc32(payload):
        raise ValueError("wrong checksum of a line")
    return payload


def _parse(lines: list[bytes], name: str, cipher: PlainText) -> list[_Entry]:
    opened = [cipher.open_line(line[9:], f"{name}:line") for line in lines]
    return [_Entry(*fields) for fields in json.loads(b"[%b]" % b",".join(opened))]


def _stored(entry: _Entry, data: bytes, first: int, dimension: int) -> memoryview:
    """Return an entry's bytes in `data`, which begins at row `first`."""
    start = (entry.start - first) * 4 * dimension
    return memoryview(data)[start : start + entry.rows * 4 * dimension]


def _open(found: list[_Entry], data, first, name, dimension, cipher) -> Enrolled:
    if type(cipher) is not PlainText:
        data = b"".join(
            cipher.open_rows(
                _stored(entry, data, first, dimension),
                entry.seal,
                f"{name}:{entry.start}:rows",
            )
            for entry in found
        )
    names, counts = [entry.name for entry in found], [entry.rows for entry in found]
    return Enrolled(names, counts, np.frombuffer(data, "<f4").reshape(-1, dimension))


def _vector_bytes(segment: Segment, dimension: int) -> int:
    return segment.rows * 4 * dimension


def _write_at(path: pathlib.Path, start: int, data: bytes) -> None:
    with open(path, "r+b" if start else "wb") as file:
        file.truncate(start)
        file.seek(start)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read_at(path: pathlib.Path, start: int, stop: int) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(start)
            data = file.read(max(0, stop - start))
    except FileNotFoundError as error:
        raise DamagedGallery([(path, "is missing")]) from error
    if len(data) < stop - start:
        reason = f"is cut short ({start + len(data)} of {stop} bytes)"
        raise DamagedGallery([(path, reason)])
    return data
