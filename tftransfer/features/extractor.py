"""FeatureExtractor: a backbone's activations as features ("off the shelf").

TensorFlow only in `extract`; the model itself is plain Keras.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tftransfer.core.fingerprint import model_digest
from tftransfer.core.progress import progress_bar
from tftransfer.core.registration import register
from tftransfer.core.validation import check_one_of
from tftransfer.core.validation import nearest
from tftransfer.data.cache import ActivationCache
from tftransfer.features.augmented import average_over_views
from tftransfer.features.augmented import check_augment
from tftransfer.features.augmented import loading_size
from tftransfer.features.picture_batches import PictureBatches
from tftransfer.features.pipelining import map_in_order
from tftransfer.features.row_store import RowStore
from tftransfer.features.whitening import l2_normalize
from tftransfer.inference.engines import ENGINES
from tftransfer.inference.engines import Engines


@register
class FeatureExtractor(keras.Model):
    """Raw RGB pictures -> features of one or several endpoints of a backbone.

    f(x) = pool(endpoint(x)), or f(x) / ||f(x)||_2 with `normalize`. The backbone runs
    in inference mode and shares its weights with this model.

    Args:
        backbone: A `Backbone`; its preprocessing is inside.
        endpoint: Name of an endpoint, or a list of names: the output is then a dict.
        pooling: "avg", the mean over all positions, or None for the maps as they are.
        normalize: Whether to divide each feature vector (of a map: at each position)
            by its Euclidean length.
        name: Name of the model.

    Call arguments:
        images: RGB in [0, 255], `(batch, height, width, 3)`.

    Returns:
        float32 `(batch, d)`, without pooling `(batch, height, width, channels)`; a dict
        `{endpoint: ...}` when `endpoint` is a list.

    Raises:
        ValueError: When the backbone has no such endpoint, the list is empty, or
            `pooling` is unknown.

    Example:
        >>> import tftransfer as tft
        >>> extractor = FeatureExtractor(tft.Backbone("tiny", weights=None))
        >>> extractor.extract(np.zeros((2, 28, 28), np.uint8), progress=False).ndim
        2

    References:
        Razavian et al., CNN features off-the-shelf: an astounding baseline for
        recognition, CVPR Workshops 2014, arXiv:1403.6382.
    """

    def __init__(
        self,
        backbone,
        *,
        endpoint: str | list[str] = "pooled",
        pooling: str | None = "avg",
        normalize: bool = False,
        name: str | None = None,
    ):
        check_one_of("pooling", pooling, ("avg", None))
        names = _endpoint_names(backbone, endpoint)
        images = keras.Input(backbone.input_shape[1:], name="images")
        selected = backbone.select(names)(images, training=False)
        outputs = {}
        for key in names:
            features = ops.cast(selected[key], "float32")
            if pooling == "avg" and len(features.shape) > 2:
                features = ops.mean(features, axis=tuple(range(1, features.ndim - 1)))
            outputs[key] = _unit(features) if normalize else features
        several = not isinstance(endpoint, str)
        super().__init__(images, outputs if several else outputs[endpoint], name=name)
        self.backbone = backbone
        self.endpoint = names if several else endpoint
        self.pooling = pooling
        self.normalize = normalize
        self._engines = Engines(self)

    def extract(
        self,
        data,
        *,
        batch_size: int = 32,
        augment: str | None = None,
        cache=None,
        progress: bool = True,
        engine: str = "tensorflow",
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Compute the features of many pictures, in the order given.

        The weights are read once, when it starts. Decoding runs beside the network, two
        batches are computed at a time, and only the result grows with the data.

        Args:
            data: Pictures as `tft.data.as_dataset` takes them: array, folder, list of
                paths, `tf.data.Dataset`, or a pair with labels, which are left aside.
                The rows of a `from_folder` dataset are those of its `.paths`, never
                shuffled.
            batch_size: Pictures per batch; a batched dataset keeps its own.
            augment: None, "flip" (mean over picture and mirror) or "crops" (mean over
                corners, centre and the mirrors of all); pooled features only.
            cache: Folder that keeps the features for the next call with the same
                weights, options and pictures, or None.
            progress: Whether to show a progress bar while it runs.
            engine: "tensorflow"; "openvino", often faster on CPUs, with features that
                differ by about 1e-6 of the largest (`pip install
                tftransfer[openvino]`); or "auto", the faster of them, measured once,
                where there are 1,000 pictures or more and no GPU.

        Returns:
            float32 `(n, d)`, or `(n, height, width, channels)` without pooling; a dict
            `{endpoint: array}` when `endpoint` is a list.

        Raises:
            ValueError: When `augment` is unknown or asked of maps, there are no
                pictures, one cannot be decoded, or a `tf.data.Dataset` of unknown
                origin is to be cached.
            ImportError: When `openvino` is asked for and not installed.
        """
        check_augment(augment)
        check_one_of("engine", engine, ENGINES)
        if augment is not None and any(
            len(output.shape) > 2 for output in self.outputs
        ):
            raise ValueError(
                f"Expected pooled features with `augment={augment!r}`: maps of "
                "different views do not lie over each other. Received maps; use "
                "`pooling='avg'` or `augment=None`."
            )
        side = self.backbone.image_size
        batches = PictureBatches(
            data, image_size=loading_size(side, augment), batch_size=batch_size
        )
        if cache is None:
            return self._in_memory(batches, augment, progress, engine)
        cache = ActivationCache(cache)
        return self._on_disk(cache, batches, augment, progress, engine)

    def as_function(self, engine: str = "tensorflow"):
        """Return a function of a few pictures: `extract` without its cost per call.

        For answers one by one: `extract` reads all weights and sets up a pipeline each
        time, this once. Later changes of the weights are not seen.

        Args:
            engine: "tensorflow", "openvino" or "auto", the faster of them.

        Returns:
            Function of RGB pictures in [0, 255], uint8 or float32 `(batch, height,
            width, 3)` of the backbone's size, to what `extract` returns; callable from
            several threads.

        Raises:
            ValueError: When there is no such engine.
            ImportError: When `openvino` is asked for and not installed.
        """
        function = Engines(self).choose(engine, None)
        function(np.zeros((1, *self.backbone.input_shape[1:]), "uint8"))  # compiles

        def compute(images):
            return self._named([np.asarray(rows) for rows in function(images)])

        return compute

    def _in_memory(self, batches, augment, progress, engine):
        stores = [RowStore(batches.count) for _ in self.outputs]
        for rows in self._pieces(batches, augment, progress, engine):
            for store, row in zip(stores, rows):
                store.append(row)
        return self._named([store.result() for store in stores])

    def _on_disk(self, cache: ActivationCache, batches, augment, progress, engine):
        """Keep all outputs side by side in one array, so that they are one entry."""
        if batches.pictures is None:
            raise ValueError(
                "Expected pictures that can be recognised again, to cache their "
                "features. Received a tf.data.Dataset of unknown origin: give the "
                "folder, the paths or the array, or `cache=None`."
            )
        key = {
            "kind": "features",
            "model": model_digest(self),
            "augment": augment,
            "pictures": batches.pictures.fingerprint(),
        }

        def compute():
            for rows in self._pieces(batches, augment, progress, engine):
                yield np.concatenate([r.reshape(len(r), -1) for r in rows], axis=1)

        flat = cache.get(key, compute)
        shapes = [tuple(output.shape[1:]) for output in tf.nest.flatten(self.output)]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        parts = np.split(flat, ends[:-1], axis=1)
        return self._named([p.reshape(-1, *s) for p, s in zip(parts, shapes)])

    def _pieces(self, batches: PictureBatches, augment, progress, engine):
        """Yield the rows of every batch, one array per output."""
        side = self.backbone.image_size
        function = self._engines.choose(engine, batches.count)

        def compute(images):
            rows = average_over_views(function, images, augment, side)
            return [l2_normalize(r) for r in rows] if self.normalize else rows

        found = 0
        with progress_bar(progress) as bar:
            task = bar.add_task("features", total=batches.steps)
            for rows in map_in_order(compute, batches, function.in_flight):
                found += len(rows[0])
                yield rows
                bar.advance(task)
        if batches.count is not None and found != batches.count:
            raise ValueError(
                f"Expected {batches.count} readable pictures. Received {found}: the "
                "others are named in the warnings. Leave them out, so that rows and "
                "pictures agree."
            )

    def _named(self, arrays: list[np.ndarray]):
        if isinstance(self.endpoint, str):
            return arrays[0]
        by_name = dict(zip(sorted(self.endpoint), arrays))  # as tf.nest flattens
        return {name: by_name[name] for name in self.endpoint}

    def as_transformer(self, **extract_options):
        """Return a scikit-learn transformer: pictures -> features `(n, d)`.

        Args:
            **extract_options: `batch_size`, `augment`, `cache` and `progress`, as in
                `extract`; no progress bar unless asked for.
        """
        from tftransfer.features.transformer import FeatureTransformer

        return FeatureTransformer(self, **extract_options)

    def get_config(self) -> dict:
        return {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "endpoint": self.endpoint,
            "pooling": self.pooling,
            "normalize": self.normalize,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        backbone = keras.saving.deserialize_keras_object(
            config["backbone"], custom_objects
        )
        return cls(**{**config, "backbone": backbone})


def _endpoint_names(backbone, endpoint) -> list[str]:
    names = [endpoint] if isinstance(endpoint, str) else list(endpoint)
    if not names:
        raise ValueError("Expected one endpoint or more. Received an empty list.")
    for name in names:
        if name not in backbone.endpoint_names:
            raise ValueError(
                f"Expected `endpoint` among those of '{backbone.name}'. Received: "
                f"{name!r}. " + nearest(name, backbone.endpoint_names)
            )
    return names


def _unit(features):
    # The largest of sqrt(sum of squares) and a tiny number: zero vectors stay zero.
    norm = ops.sqrt(ops.sum(ops.square(features), axis=-1, keepdims=True))
    return features / ops.maximum(norm, 1e-12)
