"""What `FaceRecognizer` answers: enrolments, verifications, identifications."""

import dataclasses

from tftransfer.face.found import Face


class NoFaceError(ValueError):
    """Says that a picture shows no face where one is needed."""


@dataclasses.dataclass(frozen=True)
class Enrolment:
    """What became of a person's pictures.

    Args:
        name: The person.
        added: Pictures whose face is in the gallery now.
        refused: (picture, reason) of each of the others.
        crowded: Pictures with several faces, of which the largest was taken.
        repeated: Pictures that the gallery had already; they were not added again.
    """

    name: str
    added: int
    refused: tuple[tuple[str, str], ...] = ()
    crowded: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Verification:
    """Whether two pictures show one person.

    Args:
        similarity: Cosine of the two embeddings, in [-1, 1].
        threshold: From which on they count as one person.
        probability: That they are, in [0, 1]; None without calibration.
        faces: The two faces that were compared.
    """

    similarity: float
    threshold: float
    probability: float | None
    faces: tuple[Face, Face]

    @property
    def same(self) -> bool:
        """The decision: similarity at the threshold or above."""
        return self.similarity >= self.threshold

    @property
    def distance(self) -> float:
        """Cosine distance, 1 - similarity, in [0, 2]."""
        return 1.0 - self.similarity


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A person of the gallery who may be the one in the picture.

    Args:
        name: The person.
        similarity: Cosine to the nearest of the person's pictures, in [-1, 1].
        probability: That it is the same person, in [0, 1]; None without calibration.
    """

    name: str
    similarity: float
    probability: float | None


@dataclasses.dataclass(frozen=True)
class Identification:
    """Who a face may be.

    Args:
        face: The face.
        candidates: The nearest people, the nearest first; () with an empty gallery.
        threshold: Similarity from which on the first of them is named.
    """

    face: Face
    candidates: tuple[Candidate, ...]
    threshold: float

    @property
    def name(self) -> str | None:
        """The person, or None: unknown, not similar enough to anybody."""
        best = self.candidates[:1]
        known = [c.name for c in best if c.similarity >= self.threshold]
        return known[0] if known else None


@dataclasses.dataclass(frozen=True)
class PictureResult:
    """All faces of one picture of many.

    Args:
        picture: Its path, or "picture 3" for the fourth of a list of arrays.
        found: One identification per face, the largest first.
        error: Why the picture could not be read, or a face of it not be embedded;
            None where all went well.
    """

    picture: str
    found: tuple[Identification, ...] = ()
    error: str | None = None
