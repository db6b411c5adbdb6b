"""Pictures as bytes inside a page."""

import base64
import io

import numpy as np
from PIL import Image


def as_uint8(picture) -> np.ndarray:
    """Return values in [0, 255] as uint8, rounded."""
    return np.clip(np.rint(np.asarray(picture)), 0, 255).astype("uint8")


def data_url(pixels: np.ndarray) -> str:
    """Return a uint8 picture (height, width, 3) as the URL of a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
