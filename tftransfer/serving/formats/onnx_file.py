"""ONNX: one file, for ONNX Runtime and what else reads it. Needs the extra `onnx`.

The graph is frozen before it is converted. What a layer keeps as a constant tensor,
such as the mean of EfficientNet's Normalization, becomes a constant of the file; Keras'
own ONNX export makes it an input that nobody can feed (3.15).
"""

import json
import pathlib

import numpy as np

from tftransfer.inference.frozen_function import frozen
from tftransfer.serving.formats.artefact import Artefact
from tftransfer.serving.formats.artefact import only_engine
from tftransfer.serving.quietly import quietly
from tftransfer.serving.served_model import ServedModel

# Of 2022: has every operator that our nets use, and LayerNormalization from 17 on.
_OPSET = 18


def write_onnx(served: ServedModel, path: pathlib.Path) -> None:
    """Write `image` float32 (batch, size, size, 3) -> `scores` (batch, classes)."""
    onnx, tf2onnx, _ = _packages()
    function = frozen(served, always=True)
    (given,), (found,) = function.inputs, function.outputs
    with quietly():
        proto, _ = tf2onnx.convert.from_graph_def(
            _without_xla(function.graph.as_graph_def()),
            name=path.stem,
            opset=_OPSET,
            input_names=[given.name],
            output_names=[found.name],
            tensors_to_rename={given.name: "image", found.name: "scores"},
            custom_op_handlers={"Erfc": (_erfc, [])},
        )
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    labels = json.dumps(served.labels, ensure_ascii=False)
    onnx.helper.set_model_props(proto, {"labels": labels})
    try:
        onnx.checker.check_model(proto)
    except onnx.checker.ValidationError as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"Expected a model of operations that ONNX has. Received: {reason}. Export "
            "a SavedModel or to OpenVINO."
        ) from error
    onnx.save(proto, path)


def _without_xla(graph):
    """Let the converter look into functions that Keras marks for XLA.

    Grouped convolutions are such: TensorFlow has no kernel of them for CPUs, ONNX has.
    """
    functions = graph.library.function
    for part in (graph.node, functions, *(f.node_def for f in functions)):
        for item in part:
            item.attr.pop("_XlaMustCompile", None)
            item.attr.pop("_noinline", None)
    return graph


def _erfc(graph, node, name: str, _) -> None:
    """Convert 1 - erf(x), of which Keras' GELU is made and which tf2onnx lacks."""
    erf = graph.make_node("Erf", node.input)
    one = graph.make_const(f"{name}_one", np.array(1.0, np.float32))
    graph.remove_node(name)
    graph.make_node(
        "Sub", [one.output[0], erf.output[0]], name=name, outputs=node.output
    )


def read_onnx(path: pathlib.Path, engine: str = "auto") -> Artefact:
    """Return the file as an `Artefact` that ONNX Runtime computes."""
    only_engine(engine, "onnxruntime", "an ONNX file")
    _, _, onnxruntime = _packages()
    try:
        session = onnxruntime.InferenceSession(
            path.read_bytes(), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its exceptions have no common class
        raise ValueError(
            f"Expected '{path}' to be an ONNX file. Received: {error}"
        ) from error
    labels = session.get_modelmeta().custom_metadata_map.get("labels")
    if labels is None:
        raise ValueError(
            f"Expected an ONNX file that `tft.export` wrote. Received: '{path}', which "
            "holds no labels."
        )
    given = session.get_inputs()[0]

    def compute(images: np.ndarray) -> np.ndarray:
        images = np.asarray(images, np.float32)
        return session.run(["scores"], {given.name: images})[0]

    return Artefact(
        labels=tuple(json.loads(labels)),
        image_size=given.shape[1],
        format="onnx",
        engine="onnxruntime",
        compute=compute,
    )


def _packages():
    try:
        import onnx
        import onnxruntime
        import tf2onnx
    except ImportError as error:
        raise ImportError(
            f"Expected the packages of ONNX. Received: {error}. `pip install "
            "tftransfer[onnx]`, or use another format."
        ) from error
    return onnx, tf2onnx, onnxruntime
