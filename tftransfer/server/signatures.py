"""The inputs and outputs of a served model, named as in our SavedModels."""

import base64
import binascii

from tftransfer.server.problems import bad
from tftransfer.server.problems import shown

DEFAULT = "serving_default"
INPUTS = {DEFAULT: "image_bytes", "image": "image"}
OUTPUTS = {DEFAULT: ("labels", "scores", "error"), "image": ("labels", "scores")}


def decoded_base64(text) -> bytes:
    """Return the bytes of standard base64; the padding may be missing.

    Raises:
        RequestProblem: 400 for anything else.

    Example:
        >>> decoded_base64("aGk=") == decoded_base64("aGk") == b"hi"
        True
    """
    if not isinstance(text, str):
        raise bad(f"Expected base64 text. Received: {shown(text)}.")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad(f"Expected base64. Received: {shown(text)}.") from error
