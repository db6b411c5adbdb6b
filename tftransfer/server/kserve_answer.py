"""An answer in the V2 protocol: JSON, and binary tensors after it where asked for."""

import itertools
import json

import numpy as np
from starlette.responses import JSONResponse
from starlette.responses import Response

from tftransfer.server.answering import Answer
from tftransfer.server.kserve_request import HEADER
from tftransfer.server.kserve_request import Infer


def answer_message(predictor, asked: Infer, answer: Answer) -> Response:
    """Return the answer of one `infer` request."""
    count, top_k = len(answer.error), len(answer.labels[0])
    flat = {
        "labels": list(itertools.chain(*answer.labels)),
        "scores": list(itertools.chain(*answer.scores)),
        "error": answer.error,
    }
    tensors, binary = [], []
    for name, as_binary in asked.outputs.items():
        tensor = {
            "name": name,
            "datatype": "FP32" if name == "scores" else "BYTES",
            "shape": [count] if name == "error" else [count, top_k],
        }
        if as_binary:
            binary.append(_raw(name, flat[name]))
            tensor["parameters"] = {"binary_data_size": len(binary[-1])}
        else:
            tensor["data"] = flat[name]
        tensors.append(tensor)
    document = {"model_name": predictor.name, "model_version": predictor.version}
    if asked.id is not None:
        document["id"] = asked.id
    document["outputs"] = tensors
    if not binary:
        return JSONResponse(document)
    head = json.dumps(document, separators=(",", ":")).encode()
    return Response(
        b"".join([head, *binary]),
        media_type="application/octet-stream",
        headers={HEADER: str(len(head))},
    )


def _raw(name: str, values: list) -> bytes:
    if name == "scores":
        return np.array(values, "<f4").tobytes()
    texts = [text.encode() for text in values]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
