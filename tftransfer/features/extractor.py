"""FeatureExtractor: a backbone's activations as features ("off the shelf").

TensorFlow only in `extract`; the model itself is plain Keras.
"""

import keras
import numpy as np
from keras import ops
from rich.console import Console
from rich.progress import Progress

from tftransfer.core.registration import register
from tftransfer.core.validation import check_one_of
from tftransfer.core.validation import nearest
from tftransfer.features.augmented import average_over_views
from tftransfer.features.augmented import check_augment
from tftransfer.features.augmented import loading_size
from tftransfer.features.frozen_function import FrozenFunction
from tftransfer.features.picture_batches import PictureBatches
from tftransfer.features.pipelining import map_in_order
from tftransfer.features.row_store import RowStore
from tftransfer.features.whitening import l2_normalize


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
        self._frozen = FrozenFunction(self)

    def extract(
        self,
        data,
        *,
        batch_size: int = 32,
        augment: str | None = None,
        cache=None,
        progress: bool = True,
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Compute the features of many pictures, in the order given.

        The weights are read once, when it starts. Decoding runs beside the network, two
        batches are computed at a time, and only the result grows with the data.

        Args:
            data: Pictures as in `PictureBatches`: array, folder, list of paths,
                `tf.data.Dataset`, or a pair with labels, which are left aside. The rows
                of a `from_folder` dataset are those of its `.paths`, never shuffled.
            batch_size: Pictures per batch; a batched dataset keeps its own.
            augment: None, "flip" (mean over picture and mirror) or "crops" (mean over
                corners, centre and the mirrors of all); pooled features only.
            cache: Folder that keeps the features for the next call with the same
                weights, options and pictures, or None.
            progress: Whether to show a progress bar while it runs.

        Returns:
            float32 `(n, d)`, or `(n, height, width, channels)` without pooling; a dict
            `{endpoint: array}` when `endpoint` is a list.

        Raises:
            ValueError: When `augment` is unknown or asked of maps, or there are no
                pictures.
        """
        check_augment(augment)
        if augment is not None and any(
            len(output.shape) > 2 for output in self.outputs
        ):
            raise ValueError(
                f"Expected pooled features with `augment={augment!r}`: maps of "
                "different views do not lie over each other. Received maps; use "
                "`pooling='avg'` or `augment=None`."
            )
        return self._computed(data, batch_size, augment, progress)

    def _computed(self, data, batch_size, augment, progress):
        side = self.backbone.image_size
        batches = PictureBatches(
            data, image_size=loading_size(side, augment), batch_size=batch_size
        )
        self._frozen.refresh()

        def compute(images):
            rows = average_over_views(self._frozen, images, augment, side)
            return [l2_normalize(r) for r in rows] if self.normalize else rows

        total = batches.cardinality
        capacity = None if total is None else total * batches.batch_size
        stores = [RowStore(capacity) for _ in self.outputs]
        with _progress_bar(progress) as bar:
            task = bar.add_task("features", total=total)
            for rows in map_in_order(compute, batches):
                for store, row in zip(stores, rows):
                    store.append(row)
                bar.advance(task)
        return self._named([store.result() for store in stores])

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


def _progress_bar(shown: bool) -> Progress:
    console = Console(stderr=True)
    seen = console.is_terminal or console.is_jupyter
    return Progress(console=console, transient=True, disable=not (shown and seen))


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
