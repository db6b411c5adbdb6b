"""Gallery: enrolled people and their embeddings, searched by cosine similarity.

In memory, or in a folder that survives killed writers. Exact search; no network.
"""

import os
import threading
from collections.abc import Sequence

import numpy as np

from tftransfer.face.gallery.checks import checked_dimension
from tftransfer.face.gallery.checks import checked_name
from tftransfer.face.gallery.checks import unit_rows
from tftransfer.face.gallery.errors import DamagedGallery
from tftransfer.face.gallery.folder import GalleryFolder
from tftransfer.face.gallery.rows import Rows
from tftransfer.face.gallery.salvage import salvage
from tftransfer.face.gallery.search import choose_index
from tftransfer.face.gallery.search import most_similar
from tftransfer.face.gallery.segment import Enrolled

_TRIES = 20  # of a reader while a writer replaces the files that it reads


class Gallery:
    """People with one or more embeddings each, of one embedder; in memory.

    `Gallery.open` keeps one in a folder. Threads may share a gallery. The similarity of
    a probe and a person is the largest cosine of the probe's embedding with one of the
    person's.

    Args:
        dimension: Length of an embedding, 1 or more.
        fingerprint: Of the embedder: galleries of different ones are not mixed.
        index: What searches: "numpy", "faiss" (extra `faiss`), or "auto": NumPy. Both
            are exact and give the same people.

    Attributes:
        dimension: Length of an embedding.
        fingerprint: Of the embedder.
        index: "numpy" or "faiss".
        read_only: Whether `add` and `remove` are refused.
        damage: Pairs (file, what is lost there), with `on_damage="skip"`.

    Raises:
        ValueError: When `dimension` is below 1 or there is no such index.
        ImportError: When `index` is "faiss" and faiss is not installed.

    Example:
        >>> gallery = Gallery(dimension=2)
        >>> gallery.add("Ada", [[1, 0], [0.8, 0.6]])
        >>> gallery.add("Bob", [0, 1])
        >>> similarities, names = gallery.search([[3, 4]], k=2)
        >>> names.tolist(), np.round(similarities, 2)
        ([['Ada', 'Bob']], array([[0.96, 0.8 ]], dtype=float32))
    """

    def __init__(self, dimension: int, fingerprint: str = "", *, index: str = "auto"):
        self.index = choose_index(index)
        self.dimension = checked_dimension(dimension)
        self.fingerprint = str(fingerprint)
        self.read_only, self.damage = False, []
        self._rows = Rows(self.dimension)
        self._lock = threading.RLock()
        self._folder, self._followed, self._stale = None, {}, False
        self._changes = 0

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike,
        *,
        dimension: int | None = None,
        fingerprint: str | None = None,
        read_only: bool = False,
        key: bytes | None = None,
        on_damage: str = "raise",
        index: str = "auto",
    ) -> "Gallery":
        """Open the gallery of a folder, or make one there.

        What `add` and `remove` did stands on the disk when they return, and a process
        killed at any moment leaves the gallery before or after the change. One writer
        at a time, which holds the folder's lock until `close`; any number of readers,
        which see each change at their next call.

        Args:
            folder: Its path. A new gallery is made there, for a writer, where
                `dimension` and `fingerprint` are given.
            dimension: Expected length of an embedding, or None for any.
            fingerprint: Expected fingerprint of the embedder, or None for any.
            read_only: Whether to read only, beside a writer.
            key: 32 random bytes (`os.urandom(32)`) to encrypt a new gallery with or to
                open an encrypted one (extra `encryption`): AES-GCM of names and
                embeddings.
            on_damage: "raise", or "skip": read only what is whole, say in `damage` what
                is not, and write nothing; `save` keeps it in another folder.
            index: As for the class.

        Raises:
            FileNotFoundError: When there is no gallery and none is to be made.
            DamagedGallery: When files are missing, cut short or changed; it names them.
            GalleryLocked: When another writer has it open.
            OSError: When a system that is not POSIX (Windows) is to write one.
            ValueError: For another embedder's gallery, another key, or a gallery that a
                newer version wrote.
            ImportError: When the package for `key` or `index` is absent.
        """
        if on_damage not in ("raise", "skip"):
            raise ValueError(
                f"Expected `on_damage` 'raise' or 'skip'. Received: {on_damage!r}."
            )
        choose_index(index)
        if dimension is not None:
            dimension = checked_dimension(dimension)
        if on_damage == "skip":
            return cls._salvaged(folder, dimension, fingerprint, key, index)
        files = GalleryFolder(
            folder, dimension, fingerprint, read_only=read_only, key=key
        )
        manifest = files.manifest
        gallery = cls(manifest.dimension, manifest.fingerprint, index=index)
        gallery._folder, gallery.read_only, gallery._stale = files, read_only, True
        try:
            gallery.refresh()
            if not read_only:
                files.tidy()
        except BaseException:
            gallery.close()
            raise
        return gallery

    @classmethod
    def _salvaged(cls, folder, dimension, fingerprint, key, index) -> "Gallery":
        manifest, people, problems = salvage(folder, dimension, fingerprint, key)
        gallery = cls(manifest.dimension, manifest.fingerprint, index=index)
        for part in people:
            gallery._rows.append(part)
        gallery._changes = manifest.generation
        gallery.read_only, gallery.damage = True, problems
        return gallery

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Let another writer have the folder; memory is kept for searches."""
        with self._lock:
            if self._folder is not None:
                self._folder.close()
                self._folder, self.read_only = None, True

    def __len__(self) -> int:
        """Return the number of people."""
        with self._lock:
            return len(self._current().numbers)

    def __contains__(self, name: str) -> bool:
        with self._lock:
            return checked_name(name) in self._current().numbers

    def __repr__(self):
        with self._lock:  # both numbers of one state
            return f"Gallery({len(self)} people, {self.num_embeddings} embeddings)"

    @property
    def names(self) -> list[str]:
        """Names of the people in the order of their enrolment."""
        with self._lock:
            return list(self._current().numbers)

    @property
    def num_embeddings(self) -> int:
        """Number of embeddings of all people."""
        with self._lock:
            return len(self._current())

    @property
    def generation(self) -> int:
        """Number of changes so far, counted in the folder too."""
        with self._lock:
            self._current()
            return self._changes

    def embeddings(self, name: str) -> np.ndarray:
        """Return a person's embeddings, unit rows, float32 `(n, dimension)`.

        Raises:
            ValueError: When there is no such person.
        """
        with self._lock:
            return self._current().of(self._known(name))

    def add(self, name: str, embeddings) -> None:
        """Enroll a person, or more embeddings of one.

        Args:
            name: Any text; kept in Unicode's composed form.
            embeddings: Numbers `(n, dimension)` or `(dimension,)`, n of 1 or more;
                brought to unit length.

        Raises:
            ValueError: For a wrong shape, none, NaN, infinity or zeros; or when the
                gallery is read only.
        """
        rows = unit_rows(embeddings, self.dimension)
        if not len(rows):
            raise ValueError(
                f"Expected one or more embeddings of {name!r}. Received none."
            )
        self._enroll(Enrolled([checked_name(name)], [len(rows)], rows))

    def add_many(self, names: Sequence[str], embeddings) -> None:
        """Enroll many people in one change: all of them are added, or none.

        Args:
            names: One per embedding; a person may come several times.
            embeddings: Numbers `(len(names), dimension)`; brought to unit length.

        Raises:
            ValueError: As `add`, or when the lengths differ.
        """
        names = [checked_name(name) for name in names]
        rows = unit_rows(embeddings, self.dimension)
        if len(names) != len(rows):
            raise ValueError(
                f"Expected one name per embedding, {len(rows)}. Received: {len(names)}."
            )
        if names:
            self._enroll(Enrolled(names, [1] * len(names), rows))

    def _enroll(self, enrolled: Enrolled) -> None:
        with self._lock:
            self._check_writable()
            if self._folder is None:
                self._rows.append(enrolled)
                self._changes += 1
            else:
                self._change_folder(self._folder.append, [enrolled])

    def remove(self, *names: str) -> None:
        """Remove people with all their embeddings, from memory and from the disk.

        When this returns, no file of the folder holds their names or embeddings: the
        segments that did were written anew, the old ones overwritten with zeros.

        Raises:
            ValueError: When one is not there (nobody is removed then), or the gallery
                is read only.
        """
        with self._lock:
            self._check_writable()
            names = {self._known(name) for name in names}
            if not names:
                return
            if self._folder is None:
                for name in names:
                    self._rows.remove(name)
                self._changes += 1
            else:
                holding = set().union(*(self._rows.keys_of(name) for name in names))
                self._change_folder(self._folder.remove, names, holding)

    def search(self, embeddings, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Find the people most similar to each probe.

        Args:
            embeddings: Probes `(n, dimension)` or `(dimension,)`, numbers of any length
                but 0.
            k: People per probe, 1 or more.

        Returns:
            `(similarities, names)`, float32 cosines in [-1, 1] and an object array of
            strings, both `(n, min(k, people))`, best first; of equals who was enrolled
            first. A gallery of nobody gives `(n, 0)`.

        Raises:
            ValueError: When `k` is below 1, or for embeddings of a wrong shape, NaN,
                infinity or zeros.
        """
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise ValueError(f"Expected a whole `k` of 1 or more. Received: {k!r}.")
        probes = unit_rows(embeddings, self.dimension)
        with self._lock:
            rows = self._current()
            blocks = [(block.rows, block.people) for block in rows.blocks.values()]
            k = min(int(k), len(rows.numbers))
            similarities, people = most_similar(probes, blocks, k, self.index)
            names = np.empty(people.shape, object)
            names.ravel()[:] = [rows.names[person] for person in people.flat]
        return similarities, names

    def save(self, folder: str | os.PathLike, *, key: bytes | None = None) -> None:
        """Write all people as a new gallery in another folder.

        For galleries made in memory, to encrypt, to change a key, and to keep what
        `on_damage="skip"` could read.

        Args:
            folder: Where no gallery is yet.
            key: As in `open`.

        Raises:
            FileExistsError: When there is one.
            OSError: As `open`.
        """
        files = GalleryFolder(
            folder, self.dimension, self.fingerprint, read_only=False, key=key
        )
        try:
            if files.manifest.generation:
                raise FileExistsError(
                    f"Expected a folder without a gallery. Received: '{folder}', which "
                    "has one."
                )
            with self._lock:
                files.append(self._current().parts())
        finally:
            files.close()

    def refresh(self) -> bool:
        """Take over what a writer changed, as each call of a reader does.

        Returns:
            Whether something had changed.
        """
        with self._lock:
            if self._folder is None or not (self._stale or self._folder.has_changed()):
                return False
            self._stale = True
            for tries_left in reversed(range(_TRIES)):
                self._folder.reread()
                try:
                    self._follow()
                    break
                except DamagedGallery:
                    # Files that a writer replaced while they were read are no damage.
                    if not (tries_left and self._folder.has_changed()):
                        raise
            return True

    def _current(self) -> Rows:
        if self.read_only:
            self.refresh()
        return self._rows

    def _change_folder(self, change, *arguments) -> None:
        try:
            change(*arguments)
        finally:
            self._follow()  # an error may come after the change

    def _follow(self) -> None:
        """Bring memory from the segments read last to those of the manifest."""
        segments, problems = self._folder.manifest.segments, []
        for segment in segments:
            since = self._followed.get(segment.name)
            if segment == since:
                continue
            try:
                self._rows.append(self._folder.read(segment, since), segment.name)
            except DamagedGallery as error:
                problems += error.problems
            else:
                self._followed[segment.name] = segment
        if problems:
            raise DamagedGallery(problems)
        # After the new ones: people whose segment was rewritten keep their number.
        for name in self._followed.keys() - {segment.name for segment in segments}:
            self._rows.drop(name)
            del self._followed[name]
        self._changes = self._folder.manifest.generation
        self._stale = False

    def _known(self, name: str) -> str:
        known = checked_name(name)
        if known not in self._rows.numbers:
            raise ValueError(
                f"Expected a name in the gallery. Received: {name!r}, which is not "
                "enrolled."
            )
        return known

    def _check_writable(self) -> None:
        if self.read_only:
            raise ValueError(
                "Expected a gallery open for writing. Received one that was closed or "
                "is read only. Open it anew: `Gallery.open(folder)`."
            )
