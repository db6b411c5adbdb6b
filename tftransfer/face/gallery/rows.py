"""People and their embeddings in memory, in blocks of some thousand rows."""

import numpy as np

from tftransfer.face.gallery.segment import Enrolled

_ROWS = 16384  # of a block; memory that is not filled yet costs nothing


class Block:
    """Rows of one array with room for more, and the number of each row's person.

    Args:
        dimension: Length of a row.
    """

    def __init__(self, dimension: int):
        self._rows = np.empty((_ROWS, dimension), np.float32)
        self._people = np.empty(_ROWS, np.int32)
        self._used = 0

    def __len__(self):
        return self._used

    @property
    def is_full(self) -> bool:
        """Whether rows are better put in another block."""
        return self._used >= _ROWS

    @property
    def rows(self) -> np.ndarray:
        """Unit rows, `(len, dimension)`."""
        return self._rows[: self._used]

    @property
    def people(self) -> np.ndarray:
        """Number of each row's person, `(len,)`."""
        return self._people[: self._used]

    def append(self, rows: np.ndarray, people: np.ndarray) -> None:
        """Copy rows behind those there are."""
        used, end = self._used, self._used + len(rows)
        if end > len(self._rows):
            grown = np.empty((end, self._rows.shape[1]), np.float32)
            grown[:used] = self._rows[:used]
            numbers = np.empty(end, np.int32)
            numbers[:used] = self._people[:used]
            self._rows, self._people = grown, numbers
        self._rows[used:end], self._people[used:end] = rows, people
        self._used = end

    def keep(self, kept: np.ndarray) -> None:
        """Leave only the rows where `kept`, `(len,)`, is true; zero what is left."""
        rows, people = self.rows[kept], self.people[kept]
        self.wipe()
        self.append(rows, people)

    def wipe(self) -> None:
        """Zero all rows and leave none."""
        self.rows[:] = 0
        self._used = 0


class Rows:
    """The people of a gallery.

    Args:
        dimension: Length of an embedding.

    Attributes:
        blocks: Blocks by key, a segment's name on disk.
        numbers: Number of each person by name, in the order of enrolment.
        names: Name of each number; None where a person was removed.
    """

    def __init__(self, dimension: int):
        self.dimension = dimension
        self.blocks: dict[str, Block] = {}
        self.numbers: dict[str, int] = {}
        self.names: list[str | None] = []
        self._counts: list[int] = []

    def __len__(self):
        return sum(len(block) for block in self.blocks.values())

    def append(self, enrolled: Enrolled, key: str | None = None) -> None:
        """Copy people to the block `key`, or, for None, to one with room."""
        if key is None:
            last = next(reversed(self.blocks), None)
            full = last is None or self.blocks[last].is_full
            key = str(int(last or 0) + 1) if full else last
        people = [self._number(name) for name in enrolled.names]
        for person, count in zip(people, enrolled.counts, strict=True):
            self._counts[person] += count
        block = self.blocks.setdefault(key, Block(self.dimension))
        block.append(enrolled.rows, np.repeat(people, enrolled.counts))

    def _number(self, name: str) -> int:
        number = self.numbers.get(name)
        if number is None:
            number = self.numbers[name] = len(self.names)
            self.names.append(name)
            self._counts.append(0)
        return number

    def drop(self, key: str) -> None:
        """Forget a block."""
        block = self.blocks.pop(key)
        people, counts = np.unique(block.people, return_counts=True)
        for person, count in zip(people.tolist(), counts.tolist(), strict=True):
            self._forget(person, count)
        block.wipe()

    def remove(self, name: str) -> None:
        """Forget a person."""
        person = self.numbers[name]
        for key in self.keys_of(name):
            block = self.blocks[key]
            self._forget(person, int((block.people == person).sum()))
            block.keep(block.people != person)
            if not len(block):
                del self.blocks[key]

    def _forget(self, person: int, count: int) -> None:
        self._counts[person] -= count
        if not self._counts[person]:
            del self.numbers[self.names[person]]
            self.names[person] = None

    def keys_of(self, name: str) -> set[str]:
        """Return the keys of the blocks that hold a person."""
        person = self.numbers[name]
        blocks = self.blocks.items()
        return {key for key, block in blocks if (block.people == person).any()}

    def of(self, name: str) -> np.ndarray:
        """Return a copy of a person's rows, `(n, dimension)`."""
        person = self.numbers[name]
        blocks = self.blocks.values()
        return np.concatenate([b.rows[b.people == person] for b in blocks])

    def parts(self):
        """Yield all people block by block, as `Enrolled`."""
        for block in self.blocks.values():
            people = block.people
            starts = np.flatnonzero(np.diff(people, prepend=-1))
            counts = np.diff(starts, append=len(people))
            names = [self.names[person] for person in people[starts].tolist()]
            yield Enrolled(names, counts.tolist(), block.rows)
