"""OpenVINO: an .xml file and its .bin beside it. Needs the extra `openvino`."""

import json
import pathlib

import numpy as np

from tftransfer.inference.openvino_function import converted
from tftransfer.inference.openvino_net import OpenVinoNet
from tftransfer.inference.openvino_net import import_openvino
from tftransfer.serving.formats.artefact import Artefact
from tftransfer.serving.formats.artefact import only_engine
from tftransfer.serving.served_model import ServedModel

_LABELS = ["tftransfer", "labels"]


def write_openvino(
    served: ServedModel, path: pathlib.Path, *, quantize: str | None
) -> None:
    """Write `image` float32 (batch, size, size, 3) -> `scores` (batch, classes).

    Args:
        served: The model.
        path: NAME.xml.
        quantize: None or "float16", weights alone.
    """
    openvino = import_openvino()
    model = converted(served)
    model.inputs[0].get_tensor().set_names({"image"})
    model.outputs[0].get_tensor().set_names({"scores"})
    model.set_rt_info(json.dumps(served.labels), _LABELS)
    openvino.save_model(model, path, compress_to_fp16=quantize == "float16")


def read_openvino(path: pathlib.Path, engine: str = "auto") -> Artefact:
    """Return the file as an `Artefact` that OpenVINO computes."""
    only_engine(engine, "openvino", "an OpenVINO file")
    try:
        model = import_openvino().Core().read_model(path)
    except RuntimeError as error:
        raise ValueError(
            f"Expected '{path}' to be an OpenVINO file with its .bin beside it. "
            f"Received: {error}"
        ) from error
    if not model.has_rt_info(_LABELS):
        raise ValueError(
            f"Expected an OpenVINO file that `tft.export` wrote. Received: '{path}', "
            "which holds no labels."
        )
    labels = json.loads(model.get_rt_info(_LABELS).astype(str))
    image_size = model.input().partial_shape[1].get_length()
    net = OpenVinoNet(model, np.float32)

    def compute(images: np.ndarray) -> np.ndarray:
        return net(np.asarray(images, np.float32))[0]

    return Artefact(tuple(labels), image_size, "openvino", "openvino", compute)
