"""A `.keras` file as it computes when served. Loads in Keras' safe mode."""

import numpy as np

from tftransfer.inference.engines import Engines
from tftransfer.serving.formats.artefact import Artefact
from tftransfer.serving.served_model import served_model


def read_keras(path, engine: str = "auto", pictures: int | None = None) -> Artefact:
    """Return a `.keras` file as an `Artefact`.

    Args:
        path: The file.
        engine: "tensorflow", "openvino" or "auto", the faster of them.
        pictures: How many will come, None when nobody knows: with few, "auto" does not
            measure.
    """
    served = served_model(path)
    function = Engines(served).choose(engine, pictures)

    def compute(images: np.ndarray) -> np.ndarray:
        return np.asarray(function(images)[0])

    return Artefact(served.labels, served.image_size, "keras", function.name, compute)
