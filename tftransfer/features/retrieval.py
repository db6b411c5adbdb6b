"""Retrieval: find the pictures of an index that look like a query picture.

L2 -> PCA-whiten -> L2 -> cosine similarity, in chunks: never an n x n matrix.
"""

import pathlib
import zipfile
from collections.abc import Sequence

import numpy as np

from tftransfer.features.ranking import nearest_rows
from tftransfer.features.ranking import score_rankings
from tftransfer.features.whitening import PCAWhitening
from tftransfer.features.whitening import l2_normalize


class Retrieval:
    """Index of pictures, queried by picture, ranked by cosine similarity.

    Args:
        extractor: A `FeatureExtractor` with one pooled endpoint, or None when features
            are passed instead of pictures.
        whiten: Number of PCA-whitened directions, learned from the indexed pictures, or
            None for cosine similarity of the plain L2-normalised features.
        **extract_options: For `extractor.extract`: `batch_size`, `augment`, `cache`,
            `progress`.

    Attributes:
        embeddings_: Unit rows of the indexed pictures, float32 `(n, d)`.
        items_: What was indexed: paths where known, else positions, length n.

    Example:
        >>> features = np.random.default_rng(0).normal(size=(20, 8))
        >>> found = Retrieval(None).index(features).query(features[3], k=1)
        >>> int(found[0][0, 0])
        3
    """

    def __init__(self, extractor=None, *, whiten: int | None = None, **extract_options):
        if whiten is not None and (isinstance(whiten, bool) or whiten < 1):
            raise ValueError(
                f"Expected `whiten` to be None or 1 or more. Received: {whiten!r}."
            )
        self.extractor = extractor
        self.whiten = whiten
        self.extract_options = extract_options

    def index(self, images, *, items: Sequence | None = None) -> "Retrieval":
        """Compute and keep the embeddings of `images`; replaces what was indexed.

        Args:
            images: Pictures as in `FeatureExtractor.extract`, or features `(n, d)`.
            items: Names of the pictures, length n. None: the paths, where `images` is a
                list of them, else positions 0..n-1.

        Returns:
            self.

        Raises:
            ValueError: When `items` has another length than `images`, or features have
                values that are not finite.
        """
        features = self._features(images)
        if items is None:
            items = _names(images, len(features))
        if len(items) != len(features):
            raise ValueError(
                f"Expected as many `items` as pictures, {len(features)}. Received: "
                f"{len(items)}."
            )
        self._whitening = None
        if self.whiten is not None:
            self._whitening = PCAWhitening(self.whiten).fit(features)
        self.embeddings_ = self._embed(features)
        self.items_ = list(items)
        return self

    fit = index

    def query(self, image, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
        """Find the `k` indexed pictures most similar to each query picture.

        Args:
            image: A path, one picture `(height, width, 3)`, a batch or list of either,
                or features `(d,)` or `(queries, d)`.
            k: Number of results, 1 or more; at most the size of the index is returned.

        Returns:
            `(indices, similarities)`: int64 positions in the index and float32 cosine
            similarities in [-1, 1], both `(queries, k)`, best first; equal
            similarities in the order of the index.

        Raises:
            RuntimeError: When nothing was indexed yet.
            ValueError: When `k` is below 1 or the features have another length.
        """
        queries = self._queries(image)
        if k < 1:
            raise ValueError(f"Expected `k` of 1 or more. Received: {k}.")
        return nearest_rows(queries, self._indexed(), min(k, len(self.embeddings_)))

    def evaluate(
        self, labels, *, images=None, query_labels=None, ks=(1, 5), exclude_self=True
    ) -> dict[str, float]:
        """Score rankings of the whole index: mAP, recall@k and 4 x recall@4.

        Args:
            labels: Label of each indexed picture, `(n,)`.
            images: Query pictures, as in `query`. None: every indexed picture.
            query_labels: Label of each query; only with `images`.
            ks: The k of each recall@k; those above the index's size are left out.
            exclude_self: Without `images`: whether a picture is left out of its own
                ranking. 4 x recall@4 keeps it in, as UKBench counts.

        Returns:
            `{"mAP": ..., "recall@1": ..., ..., "4xRecall@4": ...}`.
        """
        embeddings = self._indexed() if images is None else self._queries(images)
        labels = np.asarray(labels)
        asked = labels if images is None else np.asarray(query_labels)
        if (
            labels.shape != (len(self._indexed()),)
            or asked.shape != embeddings.shape[:1]
        ):
            raise ValueError(
                f"Expected one label per indexed picture ({len(self.embeddings_)}) and "
                f"per query ({len(embeddings)}). Received: {labels.shape}, "
                f"{asked.shape}."
            )
        return score_rankings(
            embeddings,
            self._indexed(),
            asked,
            labels,
            ks=ks,
            exclude_self=images is None and exclude_self,
        )

    def save(self, path) -> None:
        """Write the index to one `.npz` without pickle (the extractor is not in it)."""
        arrays = {"embeddings": self._indexed(), "items": _as_plain(self.items_)}
        arrays["whiten"] = np.asarray(self.whiten or 0)
        if self._whitening is not None:
            arrays["mean"] = self._whitening.mean_
            arrays["components"] = self._whitening.components_
            arrays["variance"] = self._whitening.explained_variance_
        with open(path, "wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path, extractor=None, **extract_options) -> "Retrieval":
        """Read an index that `save` wrote.

        Args:
            path: The `.npz` file.
            extractor: The one the index was made with, to query by picture.
            **extract_options: As for the class.

        Raises:
            FileNotFoundError: When there is no such file.
            ValueError: When the file is not such an index.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in arrays.files}
            whiten = int(found["whiten"]) or None
            index = cls(extractor, whiten=whiten, **extract_options)
            index.embeddings_ = found["embeddings"]
            index.items_ = found["items"].tolist()
            index._whitening = _restored(found) if whiten else None
        except (KeyError, ValueError, zipfile.BadZipFile, AttributeError) as error:
            raise ValueError(
                f"Expected an index written by `Retrieval.save`. Received: {path}."
            ) from error
        return index

    def _indexed(self) -> np.ndarray:
        if not hasattr(self, "embeddings_"):
            raise RuntimeError("Expected an index. Call `index(images)` first.")
        return self.embeddings_

    def _queries(self, image) -> np.ndarray:
        self._indexed()
        return self._embed(self._features(_as_batch(image)))

    def _features(self, images) -> np.ndarray:
        if isinstance(images, np.ndarray) and images.ndim == 2:
            features = images
        elif self.extractor is None:
            raise ValueError(
                "Expected features (n, d), as there is no extractor. Received: "
                f"{type(images).__name__}. Pass an extractor: `Retrieval(extractor)`."
            )
        else:
            options = {"progress": False, **self.extract_options}
            features = self.extractor.extract(images, **options)
        if not isinstance(features, np.ndarray) or features.ndim != 2:
            raise ValueError(
                "Expected one vector per picture. Received maps or several endpoints: "
                "use a FeatureExtractor with one endpoint and `pooling='avg'`."
            )
        if not np.isfinite(features).all():
            raise ValueError("Expected finite features. Received NaN or infinity.")
        return features

    def _embed(self, features: np.ndarray) -> np.ndarray:
        expected = self._length()
        if expected is not None and features.shape[1] != expected:
            raise ValueError(
                f"Expected features of length {expected}, as indexed. Received: "
                f"{features.shape[1]}."
            )
        if self._whitening is None:
            return l2_normalize(features)
        return self._whitening.transform(features)

    def _length(self) -> int | None:
        if self._whitening is not None:
            return len(self._whitening.mean_)
        return self.embeddings_.shape[1] if hasattr(self, "embeddings_") else None


def _as_batch(image):
    if isinstance(image, str | pathlib.Path) and not pathlib.Path(image).is_dir():
        return [image]
    if isinstance(image, np.ndarray) and (
        image.ndim == 1 or (image.ndim == 3 and image.shape[-1] == 3)
    ):
        return image[None]
    return image


def _names(images, count: int) -> list:
    paths = getattr(images, "paths", None)
    if paths is None and isinstance(images, list | tuple) and len(images) == count:
        paths = images if isinstance(images[0], str | pathlib.Path) else None
    return [str(path) for path in paths] if paths is not None else list(range(count))


def _as_plain(items: list) -> np.ndarray:
    array = np.asarray(items)
    return array if array.dtype.kind in "iuU" else np.asarray([str(i) for i in items])


def _restored(found: dict) -> PCAWhitening:
    whitening = PCAWhitening(len(found["components"]))
    whitening.mean_ = found["mean"]
    whitening.components_ = found["components"]
    whitening.explained_variance_ = found["variance"]
    return whitening
