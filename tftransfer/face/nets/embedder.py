"""Embedder: faces as unit vectors, by any Keras model and the crop it was trained on.

TensorFlow only.
"""

import hashlib
import json
import os

import keras
import numpy as np

from tftransfer.core.fingerprint import model_digest
from tftransfer.core.validation import check_one_of
from tftransfer.face.found import Face
from tftransfer.face.nets.alignment import align
from tftransfer.face.nets.alignment import check_margin
from tftransfer.face.nets.alignment import crop
from tftransfer.face.nets.embedder_files import is_as_saved
from tftransfer.face.nets.embedder_files import read_embedder
from tftransfer.face.nets.embedder_files import write_embedder
from tftransfer.face.nets.embedder_net import embedding_net
from tftransfer.face.nets.embedder_net import is_vggface
from tftransfer.features.pipelining import map_in_order
from tftransfer.inference.engines import ENGINES
from tftransfer.inference.engines import WORTH_MEASURING
from tftransfer.inference.engines import Engines

ALIGNMENTS = ("five_points", "crop")
_BATCH = 32


class Embedder:
    """Maps faces to unit vectors whose dot product is high for one person.

    e = f(x) / |f(x)|, with `flip` e = (f(x) + f(x')) / |f(x) + f(x')| where x' is the
    mirror image of the crop x. Made by `from_model` or `load`. A model that is trained
    further needs a new embedder.

    Args:
        net: Built functional model, RGB `(batch, size, size, 3)` in [0, 255] to
            `(batch, dimension)`.
        alignment: "five_points": faces are turned to ArcFace's template, as in `align`;
            "crop": a square round the box, as in `crop`.
        margin: Of "crop": share of the box's longer side added at each side.
        flip: Whether the mirror image counts too, as in many evaluations on LFW; twice
            the time.
        engine: "tensorflow"; "openvino", often faster on CPUs; or "auto": the faster of
            them, measured once, from 1,000 faces on where there is no GPU.

    Attributes:
        size: Side of the crops in pixels.
        dimension: Length of the vectors.
        fingerprint: Digest of weights, layers, alignment and `flip`, in hexadecimal:
            vectors of embedders that differ in it cannot be compared. One that is
            loaded keeps what it was saved with, also under another version of Keras,
            whose own digest of the same layers may be another.

    Raises:
        ValueError: When the net has other shapes, or an argument is none of these.

    Example:
        >>> net = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])
        >>> embedder = Embedder.from_model(net)
        >>> embedder.embed(np.full((2, 8, 8, 3), 9, "uint8")).shape
        (2, 192)
    """

    def __init__(
        self,
        net: keras.Model,
        *,
        alignment: str = "five_points",
        margin: float = 0.0,
        flip: bool = False,
        engine: str = "auto",
    ):
        check_one_of("alignment", alignment, ALIGNMENTS)
        check_one_of("engine", engine, ENGINES)
        check_margin(margin)
        if margin and alignment != "crop":
            raise ValueError(
                "Expected a `margin` with `alignment='crop'` alone. Received: "
                f"{margin!r} with {alignment!r}."
            )
        if embedding_net(net, None) is not net:
            raise ValueError(
                "Expected a net of one picture size that returns vectors. Received one "
                f"of {net.input_shape} to {net.output_shape}: use `from_model`."
            )
        self.net = net
        self.alignment = alignment
        self.margin = float(margin)
        self.flip = bool(flip)
        self.engine = engine
        self.size = net.input_shape[1]
        self.dimension = net.output_shape[-1]
        self._made = self.fingerprint = self._digest()
        self._engines = Engines(net)
        self._function = None
        self._seen = 0  # crops, until "auto" has measured

    @classmethod
    def from_model(
        cls,
        model: keras.Model,
        *,
        alignment: str | None = None,
        size: int | None = None,
        margin: float = 0.0,
        flip: bool = False,
        engine: str = "auto",
    ) -> "Embedder":
        """Adopt a Keras model.

        Args:
            model: Built functional or Sequential model of one square RGB input in
                [0, 255], whose preprocessing is inside, and one output: a vector, or a
                map, which is averaged. A `VGGFace` with top is cut below its
                classifier: 4,096 features of vgg16, 2,048 of the others.
            alignment: "five_points" or "crop", the one that the model was trained on.
                Defaults to "crop" for what contains a `VGGFace`, else "five_points".
            size: Side of the crops in pixels, where the model takes any size. Defaults
                to 224 for a `VGGFace`.
            margin: As for the class. The authors of VGGFace2 score squares of 1.14
                times the shorter side of the box, which is about its longer side: 0.
            flip: As for the class.
            engine: As for the class.

        Raises:
            TypeError: When `model` is no functional model.
            ValueError: When it has other inputs or outputs, ends in a softmax, or takes
                any size and none is given.
        """
        net = embedding_net(model, size)
        if alignment is None:
            alignment = "crop" if is_vggface(net) else "five_points"
        return cls(net, alignment=alignment, margin=margin, flip=flip, engine=engine)

    def prepare(self, picture, face: Face) -> np.ndarray:
        """Return the crop of a face, as the model was trained on.

        Args:
            picture: A photograph as `as_photograph` takes it; of several faces read the
                file once.
            face: A face found in it.

        Returns:
            uint8 (size, size, 3), RGB in [0, 255].

        Raises:
            ValueError: When the face has no landmarks and they are needed.
        """
        if self.alignment == "crop":
            return crop(picture, face.box, self.size, self.margin)
        if face.landmarks is None:
            raise ValueError(
                "Expected a face with five landmarks, by which this embedder turns it. "
                "Received one without. Use a detector that finds them, such as MTCNN, "
                "or a model and `alignment='crop'`."
            )
        return align(picture, face.landmarks, self.size)

    def embed(self, crops) -> np.ndarray:
        """Return the unit vectors of crops; callable from several threads.

        Args:
            crops: uint8 (n, size, size, 3), RGB in [0, 255], as `prepare` makes them.

        Returns:
            float32 (n, dimension), rows of Euclidean length 1.

        Raises:
            ValueError: When the crops have another shape, or the model returns values
                that are not finite, or only zeros.
            TypeError: When they are not uint8.
            ImportError: When `openvino` is asked for and not installed.
        """
        crops = self._check(crops)
        if not len(crops):
            return np.zeros((0, self.dimension), np.float32)
        function = self._choose(len(crops))

        def compute(batch):
            rows = np.asarray(function(batch)[0], np.float32)
            if self.flip:
                mirrored = np.ascontiguousarray(batch[:, :, ::-1])
                rows = rows + np.asarray(function(mirrored)[0], np.float32)
            return rows

        if len(crops) <= _BATCH:
            return _unit(compute(crops))
        batches = (crops[i : i + _BATCH] for i in range(0, len(crops), _BATCH))
        rows = map_in_order(compute, batches, function.in_flight)
        return _unit(np.concatenate(list(rows)))

    def save(self, folder: str | os.PathLike) -> None:
        """Write the model and these settings to a folder, made when absent.

        An embedder that the folder held before stays whole until all is written.

        Raises:
            ValueError: When the model's weights have changed since this was made.
        """
        if self._digest() != self._made:
            raise ValueError(
                "Expected the model as it was when the embedder was made. Received "
                "other weights: make a new embedder."
            )
        settings = {**self._settings(), "fingerprint": self.fingerprint}
        write_embedder(folder, self.net, settings)

    @classmethod
    def load(cls, folder: str | os.PathLike, *, engine: str = "auto") -> "Embedder":
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: When there is no embedder in the folder.
            ValueError: When its files are damaged.
        """
        net, settings = read_embedder(folder)
        options = {name: settings[name] for name in ("alignment", "margin", "flip")}
        try:
            embedder = cls(net, **options, engine=engine)
        except TypeError as error:
            raise ValueError(
                f"Expected the settings of an embedder in '{folder}'. Received: {error}"
            ) from error
        # Another version of Keras may describe the same layers by more keys: then the
        # bytes that were saved vouch for the fingerprint.
        expected = settings["fingerprint"]
        if expected != embedder.fingerprint and not is_as_saved(folder, settings):
            raise ValueError(
                f"Expected the embedder that was saved in '{folder}'. Received one of "
                "another fingerprint: its files were changed, or an early version of "
                "tftransfer saved it under another version of Keras. Copy them from a "
                "backup, or `load` and `save` it under that Keras."
            )
        embedder.fingerprint = expected
        return embedder

    def gives_same_vectors(self, other: "Embedder") -> bool:
        """Whether another embedder has the same net and settings, by this Keras.

        Of embedders that were saved under other versions of Keras fingerprints may
        differ where this is true.
        """
        return self._made == other._made

    def _settings(self) -> dict:
        return {
            "alignment": self.alignment,
            "margin": self.margin,
            "flip": self.flip,
        }

    def _digest(self) -> str:
        text = json.dumps([self._settings(), model_digest(self.net)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _check(self, crops) -> np.ndarray:
        crops = np.asarray(crops)
        wanted = (self.size, self.size, 3)
        if crops.ndim != 4 or crops.shape[1:] != wanted:
            raise ValueError(
                f"Expected crops of shape (n, {self.size}, {self.size}, 3), as "
                f"`prepare` makes them. Received: {crops.shape}."
            )
        if crops.dtype != np.uint8:
            raise TypeError(
                f"Expected crops of uint8 in [0, 255]. Received: {crops.dtype}."
            )
        return crops

    def _choose(self, count: int):
        """Return the compiled net: chosen once, by "auto" again when crops are many."""
        few, self._seen = self._seen < WORTH_MEASURING, self._seen + count
        measure = self.engine == "auto" and few and self._seen >= WORTH_MEASURING
        if self._function is None or measure:
            self._function = self._engines.choose(self.engine, self._seen)
        return self._function


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(bad):
        raise ValueError(
            "Expected embeddings that are finite and not zero. Received others for "
            f"crops {bad[:8].tolist()}. Check the model's weights."
        )
    return rows / lengths[:, None].astype(np.float32)
