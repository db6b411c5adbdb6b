"""The JSON of TensorFlow Serving's protocol: a request to pictures, the metadata."""

import dataclasses

import numpy as np

from tftransfer.server.arrays import nested_pixels
from tftransfer.server.bodies import parse_object
from tftransfer.server.problems import bad
from tftransfer.server.problems import shown
from tftransfer.server.signatures import DEFAULT
from tftransfer.server.signatures import INPUTS
from tftransfer.server.signatures import OUTPUTS
from tftransfer.server.signatures import decoded_base64


@dataclasses.dataclass(frozen=True)
class Predict:
    """What a `:predict` request asks.

    Attributes:
        signature: Its name.
        pictures: Encoded pictures, or float32 pixels (n, size, size, 3).
        in_columns: Whether the answer is one list per output, not one per picture.
    """

    signature: str
    pictures: list[bytes] | np.ndarray
    in_columns: bool


def parse_predict(body: bytes, image_size: int) -> Predict:
    """Return what the body of a `:predict` request asks.

    Raises:
        RequestProblem: 400 for a body that does not follow the protocol.
    """
    document = parse_object(body)
    signature = document.get("signature_name") or DEFAULT
    if not isinstance(signature, str) or signature not in INPUTS:
        raise bad(
            f"Expected signature_name to be one of {', '.join(map(repr, INPUTS))}. "
            f"Received: {shown(signature)}."
        )
    if ("instances" in document) == ("inputs" in document):
        raise bad("Expected either 'instances' or 'inputs'. Received: both or none.")
    in_columns = "inputs" in document
    name = INPUTS[signature]
    values = _column(document["inputs"], name) if in_columns else _rows(document, name)
    if not isinstance(values, list) or not values:
        raise bad(f"Expected a list of pictures. Received: {shown(values)}.")
    if signature == DEFAULT:
        return Predict(signature, list(map(_contents, values)), in_columns)
    return Predict(signature, nested_pixels(values, image_size), in_columns)


def _rows(document: dict, name: str) -> list:
    rows = document["instances"]
    if not isinstance(rows, list):
        raise bad(f"Expected 'instances' to be a list. Received: {shown(rows)}.")
    named = [isinstance(row, dict) and "b64" not in row for row in rows]
    if not any(named):
        return rows
    if not all(named):
        raise bad("Expected all instances in the same form. Received: different ones.")
    for row in rows:
        _check_only(row, name)
    return [row[name] for row in rows]


def _column(inputs, name: str):
    if not isinstance(inputs, dict) or "b64" in inputs:
        return inputs
    _check_only(inputs, name)
    return inputs[name]


def _check_only(named: dict, name: str) -> None:
    if set(named) != {name}:
        keys = ", ".join(map(shown, list(named)[:5])) or "none"
        raise bad(f"Expected the input {name!r} alone. Received: {keys}.")


def _contents(value) -> bytes:
    """Return a string tensor's element: bytes as base64, or text as it is."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, dict) and set(value) == {"b64"}:
        return decoded_base64(value["b64"])
    raise bad(f'Expected {{"b64": "..."}} per picture. Received: {shown(value)}.')


def metadata(predictor) -> dict:
    """Return the model's signatures as TensorFlow Serving describes them."""
    size = predictor.image_size
    tensors = {
        "image_bytes": ("DT_STRING", [-1]),
        "image": ("DT_FLOAT", [-1, size, size, 3]),
        "labels": ("DT_STRING", [-1, -1]),
        "scores": ("DT_FLOAT", [-1, -1]),
        "error": ("DT_STRING", [-1]),
    }
    definitions = {
        signature: {
            "inputs": {name: _tensor(f"{signature}_{name}:0", *tensors[name])},
            "outputs": {
                output: _tensor(f"{signature}_{output}:0", *tensors[output])
                for output in OUTPUTS[signature]
            },
            "method_name": "tensorflow/serving/predict",
            "defaults": {},
        }
        for signature, name in INPUTS.items()
    }
    spec = {
        "name": predictor.name,
        "signature_name": "",
        "version": predictor.version,
    }
    inside = {"signature_def": {"signature_def": definitions}}
    return {"model_spec": spec, "metadata": inside}


def _tensor(name: str, dtype: str, shape: list[int]) -> dict:
    sides = [{"size": str(side), "name": ""} for side in shape]
    shape = {"dim": sides, "unknown_rank": False}
    return {"dtype": dtype, "tensor_shape": shape, "name": name}
