"""A model without a network, pictures for it, and a server around it."""

import base64
import contextlib
import io
import threading
import time

import numpy as np
from PIL import Image

from tftransfer.server import ServerSettings
from tftransfer.server.run import make_server

SIZE = 16
RED, GREEN, BLUE = (250, 5, 5), (5, 250, 5), (5, 5, 250)
OPEN = "<b>red</b>"  # a label that must never be taken for HTML


class FakePredictor:
    """Scores three colours by the picture's mean; counts its batches.

    Attributes:
        batches: Pictures per call.
        seconds: How long a call takes.
        before: Called with the images; what it raises, the model raises.
    """

    name = "colours"
    version = "3"
    labels = (OPEN, "green", "blue")
    image_size = SIZE
    format = "tf_saved_model"
    engine = "fake"

    def __init__(self, *, seconds: float = 0.0, before=lambda images: None):
        self.batches = []
        self.seconds = seconds
        self.before = before

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        assert images.dtype in (np.uint8, np.float32)
        assert images.shape[1:] == (self.image_size, self.image_size, 3)
        self.batches.append(len(images))
        self.before(images)
        time.sleep(self.seconds)
        means = images.astype("float32").mean(axis=(1, 2)) + 1e-3
        return means / means.sum(axis=1, keepdims=True)


def picture(colour, size=(20, 30), kind="PNG") -> bytes:
    """Return an encoded picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return buffer.getvalue()


def b64(contents: bytes) -> str:
    """Return base64 text."""
    return base64.b64encode(contents).decode()


def pixels(colour, count: int = 1) -> np.ndarray:
    """Return uint8 (count, size, size, 3) of one colour."""
    return np.tile(np.array(colour, "uint8"), (count, SIZE, SIZE, 1))


@contextlib.contextmanager
def running(predictor=None, **settings):
    """Yield the address of a server in a thread of this process."""
    server, listening = make_server(
        predictor or FakePredictor(),
        host="127.0.0.1",
        port=0,
        settings=ServerSettings(**settings),
    )
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    end = time.monotonic() + 10
    while not server.started and time.monotonic() < end:
        time.sleep(0.005)
    try:
        yield "http://{}:{}".format(*listening.getsockname())
    finally:
        server.should_exit = True
        thread.join(15)
        listening.close()
    assert not thread.is_alive()
