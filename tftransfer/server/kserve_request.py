"""An `infer` request of the V2 protocol to pictures: plain JSON or binary tensors."""

import dataclasses

import numpy as np

from tftransfer.server.arrays import raw_pixels
from tftransfer.server.arrays import shaped_pixels
from tftransfer.server.bodies import parse_object
from tftransfer.server.problems import bad
from tftransfer.server.problems import shown
from tftransfer.server.signatures import decoded_base64

HEADER = "inference-header-content-length"
OUTPUTS = ("labels", "scores", "error")
_DATATYPES = {"image_bytes": ("BYTES",), "image": ("FP32", "UINT8")}


@dataclasses.dataclass(frozen=True)
class Infer:
    """What an `infer` request asks.

    Attributes:
        id: Its `id`, to be echoed; None where it has none.
        pictures: Encoded pictures, or pixels (n, size, size, 3).
        outputs: {name: whether as binary data}, in the order asked for.
    """

    id: str | None
    pictures: list[bytes] | np.ndarray
    outputs: dict[str, bool]


def parse_infer(body: bytes, header: str | None, image_size: int) -> Infer:
    """Return what the body of an `infer` request asks.

    Args:
        body: JSON, followed by the binary tensors where `header` is given.
        header: Length of the JSON in bytes, as text.
        image_size: Pixels of the square that the model takes.

    Raises:
        RequestProblem: 400 for a body that does not follow the protocol.
    """
    length = len(body)
    if header is not None:
        length = _length(header, len(body))
    document = parse_object(body[:length])
    tensor = _only_input(document)
    pictures = _pictures(tensor, body[length:], image_size)
    identity = document.get("id")
    if identity is not None and not isinstance(identity, str):
        raise bad(f"Expected id to be text. Received: {shown(identity)}.")
    return Infer(identity, pictures, _outputs(document))


def _length(header: str, most: int) -> int:
    # The number of digits first: a long enough number takes minutes to convert.
    if not (header.isdecimal() and len(header) < 16 and int(header) <= most):
        raise bad(
            f"Expected {HEADER} to be at most the body's {most} bytes. "
            f"Received: {shown(header)}."
        )
    return int(header)


def _only_input(document: dict) -> dict:
    inputs = _objects(document, "inputs")
    if len(inputs) != 1 or inputs[0].get("name") not in tuple(_DATATYPES):
        names = ", ".join(shown(tensor.get("name")) for tensor in inputs[:5])
        raise bad(
            "Expected one input, 'image_bytes' or 'image'. "
            f"Received: {names or 'none'}."
        )
    datatypes = _DATATYPES[inputs[0]["name"]]
    if inputs[0].get("datatype") not in datatypes:
        raise bad(
            f"Expected datatype {' or '.join(datatypes)} for "
            f"{inputs[0]['name']!r}. Received: {shown(inputs[0].get('datatype'))}."
        )
    return inputs[0]


def _pictures(tensor: dict, raw: bytes, image_size: int) -> list[bytes] | np.ndarray:
    size = _parameters(tensor).get("binary_data_size")
    if len(raw) != (0 if size is None else size):
        raise bad(
            f"Expected binary_data_size to be the {len(raw)} bytes after the JSON. "
            f"Received: {shown(size)}."
        )
    if size is not None and "data" in tensor:
        raise bad("Expected 'data' or binary data. Received: both.")
    shape = _shape(tensor, image_size)
    if tensor["name"] == "image_bytes":
        return _elements(raw, shape[0]) if size is not None else _texts(tensor, shape)
    datatype = tensor["datatype"]
    if size is not None:
        return raw_pixels(raw, shape, datatype)
    return shaped_pixels(tensor.get("data"), shape, datatype)


def _shape(tensor: dict, image_size: int) -> tuple[int, ...]:
    shape = tensor.get("shape")
    wanted, ends = "[n]", ([], [1])
    if tensor["name"] == "image":
        wanted = f"[n, {image_size}, {image_size}, 3]"
        ends = ([image_size, image_size, 3],)
    if (
        not isinstance(shape, list)
        or not all(type(side) is int for side in shape)
        or not shape
        or not 1 <= shape[0] < 2**31
        or shape[1:] not in ends
    ):
        found = shape if isinstance(shape, list) and len(shape) < 9 else shown(shape)
        raise bad(
            f"Expected {tensor['name']!r} to have the shape {wanted}, n from 1. "
            f"Received: {str(found)[:80]}."
        )
    return tuple(shape)


def _texts(tensor: dict, shape: tuple[int, ...]) -> list[bytes]:
    kind = _parameters(tensor).get("content_type", "base64")
    if kind != "base64":
        raise bad(f"Expected content_type 'base64'. Received: {shown(kind)}.")
    data = tensor.get("data")
    if isinstance(data, list) and len(shape) == 2:
        data = [
            row[0] if isinstance(row, list) and len(row) == 1 else row for row in data
        ]
    if not isinstance(data, list) or len(data) != shape[0]:
        raise bad(f"Expected {shape[0]} texts as data. Received: {shown(data)}.")
    return list(map(decoded_base64, data))


def _elements(raw: bytes, count: int) -> list[bytes]:
    """Return `count` pieces, each after its length as four little-endian bytes."""
    pieces, place = [], 0
    while place < len(raw) and len(pieces) <= count:
        begin = place + 4
        place = begin + int.from_bytes(raw[place:begin], "little")
        pieces.append(raw[begin:place])
    if place != len(raw) or len(pieces) != count:
        raise bad(
            f"Expected {count} elements, each after its length in 4 bytes. "
            f"Received: {len(raw)} bytes that are not."
        )
    return pieces


def _outputs(document: dict) -> dict[str, bool]:
    every = _flag(document, "binary_data_output", False)
    if not document.get("outputs"):
        return dict.fromkeys(OUTPUTS, every)
    asked = {}
    for output in _objects(document, "outputs"):
        if output.get("name") not in OUTPUTS:
            raise bad(
                f"Expected outputs among {', '.join(OUTPUTS)}. "
                f"Received: {shown(output.get('name'))}."
            )
        asked[output["name"]] = _flag(output, "binary_data", every)
    return asked


def _objects(document: dict, key: str) -> list[dict]:
    found = document.get(key)
    if not isinstance(found, list) or not all(isinstance(x, dict) for x in found):
        raise bad(
            f"Expected {key!r} to be a list of objects. Received: {shown(found)}."
        )
    return found


def _parameters(holder: dict) -> dict:
    found = holder.get("parameters") or {}
    if not isinstance(found, dict):
        raise bad(f"Expected parameters to be an object. Received: {shown(found)}.")
    return found


def _flag(holder: dict, key: str, default: bool) -> bool:
    value = _parameters(holder).get(key, default)
    if not isinstance(value, bool):
        raise bad(f"Expected {key} to be true or false. Received: {shown(value)}.")
    return value
