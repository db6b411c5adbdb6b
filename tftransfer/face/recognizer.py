"""FaceRecognizer: enroll people, verify pairs, identify faces."""

import dataclasses
import os
from collections.abc import Iterable
from collections.abc import Iterator

import numpy as np

from tftransfer.face.gallery.gallery import Gallery
from tftransfer.face.people import embeddings_of_people
from tftransfer.face.people import people_of
from tftransfer.face.people import pictures_of
from tftransfer.face.people import unread_of
from tftransfer.face.photographs import as_photograph
from tftransfer.face.photographs import check_several
from tftransfer.face.reading import Seen
from tftransfer.face.reading import read_faces
from tftransfer.face.recognizer_folder import InFolder
from tftransfer.face.recognizer_folder import as_embedder
from tftransfer.face.results import Candidate
from tftransfer.face.results import Enrolment
from tftransfer.face.results import Identification
from tftransfer.face.results import NoFaceError
from tftransfer.face.results import PictureResult
from tftransfer.face.results import Verification
from tftransfer.face.scores.calibration import FaceCalibration
from tftransfer.face.scores.calibration import calibrated

_SAME_PICTURE = 1 - 1e-5  # two pictures of one person are far below


class FaceRecognizer(InFolder):
    """Detects, aligns and embeds faces, and looks them up among enrolled people.

    Two faces count as one person when the cosine of their embeddings is at the
    threshold or above. The threshold belongs to the embedder and to how often a
    stranger may be taken for somebody: `calibrate` finds it on your own pictures.

    Args:
        detector: Finds faces, such as `tft.face.MTCNN()`.
        embedder: An `Embedder`, or a Keras model that `Embedder.from_model` adopts.
        gallery: The enrolled people, a `Gallery`. None: a new one in memory.
        threshold: Cosine similarity in [-1, 1]. None: the calibration's.
        calibration: What `calibrate` returned: threshold, and probabilities.

    Attributes:
        folder: Where it lives, with `create` and `open`; else None.

    Raises:
        ValueError: When the gallery was made with another embedder.

    Example:
        >>> import tftransfer as tft
        >>> net = tft.face.VGGFace(  # doctest: +SKIP
        ...     "resnet50", include_top=False, pooling="avg"
        ... )
        >>> recognizer = FaceRecognizer(tft.face.MTCNN(), net)  # doctest: +SKIP
        >>> recognizer.enroll("Ada", ["ada1.jpg", "ada2.jpg"])  # doctest: +SKIP
        >>> recognizer.identify("who.jpg").name  # doctest: +SKIP
        'Ada'
    """

    def __init__(
        self, detector, embedder, gallery=None, *, threshold=None, calibration=None
    ):
        self.detector, self.embedder = detector, as_embedder(embedder)
        if gallery is None:
            facts = self.embedder.dimension, self.embedder.fingerprint
            gallery = Gallery(*facts)
        _check_same_embedder(gallery, self.embedder)
        self.gallery, self.calibration = gallery, calibration
        self._threshold, self.folder = threshold, None

    @property
    def threshold(self) -> float:
        """Cosine similarity from which on two faces count as one person.

        Raises:
            ValueError: When there is neither a threshold nor a calibration.
        """
        self._follow_settings()
        if self._threshold is not None:
            return float(self._threshold)
        if self.calibration is None:
            raise ValueError(
                "Expected a threshold. Received none: call `calibrate` with pictures "
                "of people, or pass `threshold=`, a cosine similarity for this "
                "embedder."
            )
        return float(self.calibration.threshold)

    @threshold.setter
    def threshold(self, value: float | None) -> None:
        self._threshold = value

    def enroll(self, name: str, pictures) -> Enrolment:
        """Add a person's pictures to the gallery, all of the good ones at once.

        Args:
            name: Of the person.
            pictures: One picture or a list, each of the forms of `as_photograph`; the
                largest face of each is taken.

        Returns:
            An `Enrolment`: how many were added, and why others were not. What the
            gallery has is not added again: a killed enrolment may be repeated.

        Raises:
            NoFaceError: When no picture shows a face; nothing is added.
        """
        known = name in self.gallery
        rows = list(self.gallery.embeddings(name)) if known else []
        before, refused, crowded, repeated = len(rows), [], [], []
        for seen in self._read(_listed(pictures), largest=True):
            if not seen.faces:
                refused.append((seen.picture, seen.error or "no face was found"))
            elif any(seen.embeddings[0] @ row > _SAME_PICTURE for row in rows):
                repeated.append(seen.picture)
            else:
                rows.append(seen.embeddings[0])
                crowded += [seen.picture] if len(seen.faces) > 1 else []
        added = len(rows) - before
        if not added and not repeated:
            reasons = "; ".join(f"{p}: {why}" for p, why in refused) or "no pictures"
            raise NoFaceError(
                f"Expected pictures with a face of '{name}'. Received: {reasons}."
            )
        if added:
            self.gallery.add(name, np.stack(rows[before:]))
        parts = refused, crowded, repeated
        return Enrolment(name, added, *map(tuple, parts))

    def enroll_folder(self, folder: str | os.PathLike) -> Iterator[Enrolment]:
        """Enroll every person of a folder, one sub-folder of pictures each.

        Args:
            folder: Holds one folder per person; its name is the person's.

        Yields:
            An `Enrolment` per person, as they are done; one with `added` 0 where no
            picture shows a face. Files of kinds that are not read, such as .heic, are
            among the refused.

        Raises:
            ValueError: When there is no sub-folder.
        """
        others = unread_of(folder)
        for name, pictures in people_of(folder).items():
            unread = tuple((path, "not a kind that is read") for path in others[name])
            try:
                done = self.enroll(name, pictures)
                yield dataclasses.replace(done, refused=done.refused + unread)
            except NoFaceError as error:
                yield Enrolment(name, 0, ((name, str(error)), *unread))

    def forget(self, name: str) -> None:
        """Delete a person from the gallery and, where it is a folder, from the disk.

        Raises:
            ValueError: When there is no such person.
        """
        self.gallery.remove(name)

    def calibrate(
        self,
        people: str | os.PathLike | None = None,
        *,
        far: float = 0.001,
        seed: int = 0,
    ) -> FaceCalibration:
        """Find the threshold for a false-accept rate, and how sure similarities are.

        All pairs of pictures are compared. Use people like those to come, and others
        than those that you score with. `save_settings` keeps the result.

        Args:
            people: A folder with one sub-folder of pictures per person. None: the
                enrolled people, of whom some need two pictures or more.
            far: Share of pairs of different people that may pass as one, in (0, 1).
            seed: Of the choice among pairs, where there are millions.

        Returns:
            A `FaceCalibration`, which this recognizer has from now on; printed, `at`
            says how well the rate is known.

        Raises:
            ValueError: When there are too few pairs for this `far`, or none of a kind.
        """
        if people is None:
            embeddings, labels = self._enrolled()
        else:
            embeddings, labels, _ = embeddings_of_people(
                people, self.detector, self.embedder
            )
        self.calibration = calibrated(embeddings, labels, far=far, seed=seed)
        self._threshold = None
        return self.calibration

    def _enrolled(self) -> tuple[np.ndarray, np.ndarray]:
        names = self.gallery.names
        rows = [self.gallery.embeddings(name) for name in names]
        labels = np.repeat(np.arange(len(names)), [len(row) for row in rows])
        empty = np.empty((0, self.gallery.dimension), "float32")
        return np.concatenate([empty, *rows]), labels

    def verify(self, first, second) -> Verification:
        """Compare the largest faces of two pictures.

        Args:
            first: A picture, of the forms of `as_photograph`.
            second: The other.

        Returns:
            A `Verification`: similarity, threshold, decision, and how sure it is.

        Raises:
            NoFaceError: When a picture shows no face.
            ValueError: When a face cannot be embedded.
        """
        threshold = self.threshold
        one, other = (self._one_face(picture) for picture in (first, second))
        similarity = float(one.embeddings[0] @ other.embeddings[0])
        return Verification(
            similarity,
            threshold,
            self._probabilities([similarity])[0],
            (one.faces[0], other.faces[0]),
        )

    def identify(self, picture, k: int = 5) -> Identification:
        """Say who the largest face of a picture may be.

        Args:
            picture: Of the forms of `as_photograph`.
            k: Number of candidates, the nearest people.

        Returns:
            An `Identification`; its `name` is None for somebody unknown.

        Raises:
            NoFaceError: When the picture shows no face.
            ValueError: When the face cannot be embedded.
        """
        seen = self._one_face(picture)
        return self._identified(seen.faces[:1], seen.embeddings, k)[0]

    def find_all(self, picture, k: int = 5) -> list[Identification]:
        """Say who all faces of a picture may be, the largest first.

        Args:
            picture: Of the forms of `as_photograph`.
            k: Number of candidates per face.

        Raises:
            ValueError: When a face cannot be embedded.
        """
        (seen,) = self._read([as_photograph(picture)])
        _check_embedded(seen)
        return self._identified(seen.faces, seen.embeddings, k)

    def identify_many(self, pictures, k: int = 5) -> Iterator[PictureResult]:
        """Say who all faces of many pictures may be, a few pictures at a time.

        Args:
            pictures: A folder, whose pictures are taken with those of its sub-folders;
                or pictures of the forms of `as_photograph`.
            k: Number of candidates per face.

        Yields:
            A `PictureResult` per picture, in order; with `error` set where one cannot
            be read, or a face of it not be embedded.

        Raises:
            TypeError: When it is one picture, not in a list.
        """
        self.threshold  # noqa: B018  now rather than after the first picture
        if isinstance(pictures, str | os.PathLike):
            pictures = pictures_of(pictures)
        check_several(pictures)
        for seen in self._read(pictures):
            found = self._identified(seen.faces, seen.embeddings, k)
            yield PictureResult(seen.picture, tuple(found), seen.error)

    def _read(self, pictures: Iterable, largest: bool = False) -> Iterator[Seen]:
        return read_faces(pictures, self.detector, self.embedder, largest=largest)

    def _one_face(self, picture) -> Seen:
        named = isinstance(picture, str | os.PathLike)
        (seen,) = self._read([as_photograph(picture)], largest=True)
        _check_embedded(seen)
        if not seen.faces:
            name = f"'{os.fspath(picture)}'" if named else "the picture"
            raise NoFaceError(
                f"Expected a face in {name}. Received: none that is large and sharp "
                "enough. Crop closer, or lower the detector's thresholds."
            )
        return seen

    def _identified(self, faces, embeddings, k: int) -> list[Identification]:
        threshold = self.threshold
        similarities, names = self.gallery.search(embeddings, k)
        return [
            Identification(face, self._candidates(near, who), threshold)
            for face, near, who in zip(faces, similarities, names)
        ]

    def _candidates(self, similarities, names) -> tuple[Candidate, ...]:
        sure = self._probabilities(similarities)
        values = [float(similarity) for similarity in similarities]
        return tuple(map(Candidate, map(str, names), values, sure))

    def _probabilities(self, similarities) -> list[float | None]:
        if self.calibration is None:
            return [None] * len(similarities)
        found = self.calibration.probability(np.asarray(similarities, "float64"))
        return [float(value) for value in found]


def _listed(pictures) -> list:
    return list(pictures) if isinstance(pictures, list | tuple) else [pictures]


def _check_embedded(seen: Seen) -> None:
    if seen.error is not None:
        raise ValueError(seen.error)


def _check_same_embedder(gallery, embedder) -> None:
    expected = embedder.dimension, embedder.fingerprint
    received = gallery.dimension, gallery.fingerprint
    if expected != received:
        raise ValueError(
            f"Expected a gallery of this embedder, (dimension, fingerprint) "
            f"{expected}. Received: one of {received}. Enroll its people anew from "
            "their pictures."
        )
