"""Backbone: a pretrained net with named endpoints that takes raw RGB in [0, 255]."""

import hashlib
import json
import os

import keras

from tftransfer.backbones.applications import build_application
from tftransfer.backbones.applications import check_options
from tftransfer.backbones.catalogue import Architecture
from tftransfer.backbones.catalogue import find_architecture
from tftransfer.backbones.endpoints import stage_layers
from tftransfer.backbones.preprocessing import FAMILY_MODES
from tftransfer.backbones.preprocessing import Preprocessing
from tftransfer.backbones.published import fetch
from tftransfer.backbones.published import published_file
from tftransfer.backbones.tiny import shipped_weights
from tftransfer.backbones.weight_files import load_weight_file
from tftransfer.core.fingerprint import weights_digest
from tftransfer.core.registration import register
from tftransfer.core.validation import check_image_shape
from tftransfer.core.validation import nearest


@register
class Backbone(keras.Model):
    """A net of keras.applications, or "tiny", without its top.

    It is a functional model inside a class: an `Input` named "image", the family's
    preprocessing as a layer, every layer of the net at the top level, and the global
    average of its last map, "pooled", as the output. Saved files hold the weights and
    these arguments; loading them never downloads.

    Args:
        architecture: Name from `catalogue()`; case, "_" and "-" do not matter.
        weights: "imagenet", the default, or "pretrained": the published weights, which
            for "tiny" are those trained on MNIST that ship with the package ("mnist").
            A path: a `.h5`, `.weights.h5` or `.keras` file. None: random weights.
        input_shape: `(height, width, 3)` in pixels; either may be None for any size.
            Defaults to the size that the architecture was built for.
        name: Name of the model. Defaults to the architecture.
        **options: The architecture's own: `alpha` of the MobileNets,
            `depth_multiplier` of MobileNet, `minimalistic` of MobileNetV3.

    Call arguments:
        images: `(batch, height, width, 3)`, RGB, float or uint8, in [0, 255].

    Returns:
        `(batch, pooled_dim)`: the features of each picture.

    Raises:
        ValueError: For an unknown architecture, a bad shape, or weights that do not
            fit or are not published for these options.
        TypeError: For an option that the architecture does not have.
        WeightsNotFoundError: When the published weights are neither cached nor can be
            downloaded: names the file, its address and its place.

    Example:
        >>> import numpy as np
        >>> from tftransfer.backbones import Backbone
        >>> backbone = Backbone("tiny", weights=None)
        >>> backbone(np.zeros((2, 32, 32, 3), "uint8")).shape
        TensorShape([2, 128])
        >>> backbone.endpoint_names
        ['stage1', 'stage2', 'stage3', 'pooled']
    """

    def __init__(
        self,
        architecture: str,
        *,
        weights: str | os.PathLike | None = "imagenet",
        input_shape: tuple | None = None,
        name: str | None = None,
        **options,
    ):
        row = find_architecture(architecture)
        options = check_options(row, options)
        shape = _image_shape(input_shape, row)
        path = _weight_path(row, weights, options, shape)
        image = keras.Input(shape, name="image")
        x = Preprocessing(FAMILY_MODES[row.family], name="preprocessing")(image)
        features = build_application(row, x, options)
        self._connect(image, features, name or row.name)
        self.architecture = row.name
        self.image_size = shape[0] or row.image_size
        self._config = {
            "architecture": row.name,
            "weights": None,
            "input_shape": list(shape),
            **options,
        }
        layers = {op.name: op for op in self.operations}
        stages = stage_layers(row.name, options)
        self._name_endpoints({k: layers[v].output for k, v in stages.items()})
        if path is not None:
            load_weight_file(self, path)

    @classmethod
    def from_model(
        cls,
        model: keras.Model,
        *,
        endpoints: dict[str, str] | list[str] | None = None,
        preprocessing: str = "none",
        name: str | None = None,
    ) -> "Backbone":
        """Adopt any functional model; see `AdoptedBackbone` for the arguments.

        Example:
            >>> import keras
            >>> from tftransfer.backbones import Backbone
            >>> net = keras.Sequential(
            ...     [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv")]
            ... )
            >>> Backbone.from_model(net, endpoints=["conv"]).endpoint_names
            ['conv', 'pooled']
        """
        from tftransfer.backbones.adopted import AdoptedBackbone

        return AdoptedBackbone(
            model, endpoints=endpoints, preprocessing=preprocessing, name=name
        )

    def _connect(self, image, features, name: str) -> None:
        """Become the functional model from `image` to the pooled `features`."""
        if len(features.shape) == 4:
            features = keras.layers.GlobalAveragePooling2D(name="pooled")(features)
        # `super()`: on first use Keras puts its functional class into this one's bases.
        super().__init__(inputs=image, outputs=features, name=name)

    def _name_endpoints(self, tensors: dict) -> None:
        self._endpoints = {**tensors, "pooled": self.output}

    @property
    def endpoints(self) -> dict:
        """{name: KerasTensor}: "stage1" ... and "pooled", from shallow to deep."""
        return dict(self._endpoints)

    @property
    def endpoint_names(self) -> list[str]:
        """Names of the endpoints, from shallow to deep, "pooled" last."""
        return list(self._endpoints)

    @property
    def pooled_dim(self) -> int:
        """Length of the pooled feature vector."""
        return self.output.shape[-1]

    def select(self, names: str | list[str]) -> keras.Model:
        """Return a model from raw RGB to some endpoints; it shares the layers.

        Args:
            names: Endpoint names.

        Returns:
            A `keras.Model`: images `(batch, height, width, 3)` to {name: tensor}.

        Raises:
            ValueError: When a name is no endpoint.

        Example:
            >>> maps = Backbone("tiny", weights=None).select(["stage2"])
            >>> maps.output["stage2"].shape
            (None, 8, 8, 64)
        """
        names = [names] if isinstance(names, str) else list(names)
        for name in names:
            if name not in self._endpoints:
                raise ValueError(
                    f"Expected endpoints of '{self.name}': {self.endpoint_names}. "
                    f"Received: {name!r}. {nearest(name, self._endpoints)}"
                )
        outputs = {name: self._endpoints[name] for name in names}
        return keras.Model(self.input, outputs, name=f"{self.name}_endpoints")

    def clone(self, *, weights: bool = True) -> "Backbone":
        """Return a new backbone of the same settings, all layers trainable.

        Args:
            weights: Whether it gets these weights; else it starts from random ones.

        Example:
            >>> backbone = Backbone("tiny")
            >>> backbone.clone().fingerprint() == backbone.fingerprint()
            True
        """
        settings = _without_flags(self.get_config())
        settings.pop("frozen_layers", None)
        copy = type(self).from_config(settings)
        if weights:
            copy.set_weights(self.get_weights())
        return copy

    def fingerprint(self) -> str:
        """Return a digest of the weights and the settings, in hexadecimal.

        Equal for equal nets in any process; names and `trainable` flags do not count.
        """
        settings = json.dumps(_without_flags(self._settings()), sort_keys=True)
        return hashlib.sha256(f"{settings}{weights_digest(self)}".encode()).hexdigest()

    def _settings(self) -> dict:
        return dict(self._config)

    def get_config(self) -> dict:
        config = {"name": self.name, **self._settings()}
        frozen = [layer.name for layer in self.layers if not layer.trainable]
        if frozen:
            config.update(trainable=self.trainable, frozen_layers=frozen)
        return config

    @classmethod
    def from_config(cls, config: dict, custom_objects=None) -> "Backbone":
        config = dict(config)
        trainable = config.pop("trainable", True)
        frozen = config.pop("frozen_layers", ())
        backbone = cls._from_settings(config, custom_objects)
        if not trainable:
            backbone.trainable = False
        for layer in backbone.layers:
            layer.trainable = layer.name not in frozen
        return backbone

    @classmethod
    def _from_settings(cls, config, custom_objects):
        return cls(**config)


def _image_shape(input_shape, row: Architecture) -> tuple:
    if input_shape is None:
        return (row.image_size, row.image_size, 3)
    check_image_shape("input_shape", tuple(input_shape))
    if len(input_shape) != 3:
        raise ValueError(
            "Expected `input_shape` as (height, width, 3), without the batch. "
            f"Received: {tuple(input_shape)}."
        )
    return tuple(input_shape)


def _weight_path(row: Architecture, weights, options, shape):
    """Find the weight file before the net is built, so that a missing one is early."""
    if weights is None:
        return None
    if row.name == "tiny" and weights in ("imagenet", "pretrained", "mnist"):
        return shipped_weights()
    if weights in ("imagenet", "pretrained"):
        return fetch(published_file(row, options, shape))
    return weights


def _without_flags(value):
    """Drop every `trainable` from nested settings."""
    if isinstance(value, dict):
        return {k: _without_flags(v) for k, v in value.items() if k != "trainable"}
    if isinstance(value, list | tuple):
        return [_without_flags(item) for item in value]
    return value
