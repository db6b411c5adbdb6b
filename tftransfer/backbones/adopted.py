"""AdoptedBackbone: any functional keras.Model as a backbone."""

import re

import keras

from tftransfer.backbones.backbone import Backbone
from tftransfer.backbones.preprocessing import Preprocessing
from tftransfer.backbones.unfolding import unfold
from tftransfer.core.registration import register
from tftransfer.core.validation import check_image_shape
from tftransfer.core.validation import nearest

# `image_size` of a model that takes pictures of any size.
_ANY_SIZE = 224


class _Untracked:
    """Holds the adopted model out of sight of Keras, which would save it twice."""

    def __init__(self, value):
        self.value = value


@register
class AdoptedBackbone(Backbone):
    """A model of one's own, or a keras-hub backbone, with named endpoints.

    The layers are shared with `model`, not copied, and nested models are unfolded, so
    that each layer is at the top level. Call it as `Backbone.from_model`.

    Args:
        model: A built functional or Sequential model with one image input of shape
            `(batch, height, width, 3)` and one output: a map
            `(batch, height', width', channels)`, which is averaged, or a vector
            `(batch, d)`, which is taken as it is. For the features below a classifier's
            top pass `keras.Model(model.input, model.get_layer(...).output)`.
        endpoints: {endpoint: layer name}, or layer names that serve as endpoint names.
            Defaults to the `pyramid_outputs` of a keras-hub backbone ("P3" becomes
            "stage3"), else to "pooled" alone.
        preprocessing: Mode of the `Preprocessing` layer before the model; the default
            "none" is for a model that scales its input itself, or takes [0, 255].
        name: Name of the backbone. Defaults to the model's.

    Raises:
        TypeError: When `model` is no functional model.
        ValueError: When it has several inputs or outputs, an output that is neither a
            map nor a vector, or lacks a layer that `endpoints` names.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        endpoints: dict[str, str] | list[str] | None = None,
        preprocessing: str = "none",
        name: str | None = None,
    ):
        source, output = _single_input_output(model)
        pyramid = _pyramid(model) if endpoints is None else {}
        image = keras.Input(source.shape[1:], name="image")
        x = image
        if preprocessing != "none":
            x = Preprocessing(preprocessing, name="raw_rgb_preprocessing")(x)
        graph = keras.Model(source, {**pyramid, "pooled": output})
        tensors, by_path = unfold(graph, x)
        by_layer = {path.rsplit("/", 1)[-1]: output for path, output in by_path.items()}
        self._connect(image, tensors.pop("pooled"), name or model.name)
        self.architecture = model.name
        self.image_size = source.shape[1] or _ANY_SIZE
        self._given = _Untracked((model, endpoints, preprocessing))
        self._name_endpoints(tensors or _look_up(endpoints, by_layer))

    def _settings(self) -> dict:
        model, endpoints, preprocessing = self._given.value
        serialized = keras.saving.serialize_keras_object(model)
        serialized.pop("compile_config", None)
        return {
            "model": serialized,
            "endpoints": endpoints,
            "preprocessing": preprocessing,
        }

    @classmethod
    def _from_settings(cls, config, custom_objects):
        model = keras.saving.deserialize_keras_object(config["model"], custom_objects)
        return cls(**{**config, "model": model})


def _single_input_output(model):
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not isinstance(model, keras.Model) or not inputs or not outputs:
        raise TypeError(
            "Expected a functional or a built Sequential `keras.Model`. Received: "
            f"{type(model).__name__}. Give a Sequential model a `keras.Input` first; "
            "connect a subclassed one: `keras.Model(x, net(x))` with x an Input."
        )
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            "Expected a model with one input and one output. Received: "
            f"{len(inputs)} inputs and {len(outputs)} outputs. Make a "
            "`keras.Model(input, output)` of those that matter."
        )
    check_image_shape("model.input", inputs[0].shape)
    if len(inputs[0].shape) != 4 or len(outputs[0].shape) not in (2, 4):
        raise ValueError(
            "Expected images (batch, height, width, 3) in and a map (batch, height, "
            "width, channels) or a vector (batch, d) out. Received: "
            f"{inputs[0].shape} in and {outputs[0].shape} out."
        )
    return inputs[0], outputs[0]


def _pyramid(model) -> dict:
    """The pyramid of a keras-hub backbone: "P3" has stride 2^3, our "stage3"."""
    outputs = getattr(model, "pyramid_outputs", None) or {}
    levels = {int(re.sub("[^0-9]", "", name)): name for name in outputs}
    return {f"stage{level}": outputs[levels[level]] for level in sorted(levels)}


def _look_up(endpoints, by_layer: dict) -> dict:
    if endpoints is None:
        return {}
    if not isinstance(endpoints, dict):
        endpoints = {name: name for name in endpoints}
    for endpoint, layer in endpoints.items():
        if layer not in by_layer:
            raise ValueError(
                f"Expected `endpoints` to name layers of the model. Received: "
                f"{layer!r} for {endpoint!r}. {nearest(layer, by_layer)}"
            )
    return {endpoint: by_layer[layer] for endpoint, layer in endpoints.items()}
