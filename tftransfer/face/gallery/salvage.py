"""What is whole of a damaged gallery, to be saved elsewhere."""

import pathlib

from tftransfer.face.gallery.access import check_access
from tftransfer.face.gallery.access import cipher_of
from tftransfer.face.gallery.errors import DamagedGallery
from tftransfer.face.gallery.manifest import MANIFEST
from tftransfer.face.gallery.manifest import Manifest
from tftransfer.face.gallery.manifest import manifest_from_segments
from tftransfer.face.gallery.manifest import read_manifest
from tftransfer.face.gallery.segment import Enrolled
from tftransfer.face.gallery.segment import read_entries
from tftransfer.face.gallery.segment import salvage_entries


def salvage(
    folder, dimension: int | None, fingerprint: str | None, key: bytes | None
) -> tuple[Manifest, list[Enrolled], list[tuple[str, str]]]:
    """Read what is whole of a gallery's folder; nothing is written.

    Of a lost manifest's gallery every whole line of every segment counts, once: also
    those of an `add` or `remove` that was killed before it returned.

    Returns:
        `(manifest, people, problems)`; problems are pairs (path, what is lost).

    Raises:
        DamagedGallery: When not even the length of an embedding can be read.
        ValueError: For another embedder's gallery or another key.
    """
    folder, problems = pathlib.Path(folder), []
    manifest = _manifest(folder, problems)
    lengths_known = not problems
    cipher = cipher_of(key)
    check_access(folder, manifest, dimension, fingerprint, cipher)
    people, seen = [], set()
    for segment in manifest.segments:
        damage = []
        if lengths_known:
            try:
                people.append(read_entries(folder, segment, manifest.dimension, cipher))
                continue
            except DamagedGallery as error:
                damage = error.problems
        found, lost = salvage_entries(folder, segment.name, manifest.dimension, cipher)
        if lost and not damage:
            damage = [(str(path), "is damaged") for path in segment.files(folder)]
        people.append(_once(found, seen))
        kept = f"; {len(found.names)} lines of it are whole, {lost} are not"
        problems += [(path, reason + kept) for path, reason in damage]
    return manifest, people, problems


def _manifest(folder: pathlib.Path, problems: list) -> Manifest:
    try:
        with open(folder / MANIFEST, "rb") as file:
            return read_manifest(folder, file)
    except FileNotFoundError:
        damage = DamagedGallery([(folder / MANIFEST, "is missing")])
    except DamagedGallery as error:
        damage = error
    manifest = manifest_from_segments(folder)
    if manifest is None:
        raise damage
    problems += damage.problems
    return manifest


def _once(found: Enrolled, seen: set) -> Enrolled:
    """Leave out what another segment held: one of them replaced the other."""
    names, counts, rows, first = [], [], [], 0
    for name, count in zip(found.names, found.counts, strict=True):
        own = found.rows[first : first + count].tobytes()
        if (name, own) not in seen:
            seen.add((name, own))
            names.append(name)
            counts.append(count)
            rows += range(first, first + count)
        first += count
    return Enrolled(names, counts, found.rows[rows])
