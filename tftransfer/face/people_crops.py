"""crops_of_people: a folder of people's photographs as crops and names, to train on."""

import os

import numpy as np

from tftransfer.face.people import people_of
from tftransfer.face.reading import found_faces


def crops_of_people(
    folder: str | os.PathLike, detector, embedder
) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """Return the crop of each picture's largest face, and whose it is.

    What `train_head` and `fine_tune_embedding` take. All crops are in memory: 38 kB
    each at 112 pixels, 150 kB at 224.

    Args:
        folder: One folder of pictures per person.
        detector: Finds faces: `detect_batch(photographs)`, such as `MTCNN()`.
        embedder: The `Embedder` to be trained further, which aligns them.

    Returns:
        uint8 (n, size, size, 3), names (n,), and {path: reason} of pictures without.

    Raises:
        ValueError: When no picture shows a face.
    """
    people = people_of(folder)
    paths = [path for pictures in people.values() for path in pictures]
    names = [name for name, pictures in people.items() for _ in pictures]
    crops, labels, left_out = [], [], {}
    for name, found in zip(names, found_faces(paths, detector)):
        path, photograph, faces, error = found
        if faces:
            crops.append(embedder.prepare(photograph, faces[0]))
            labels.append(name)
        else:
            left_out[path] = error or "no face was found"
    if not crops:
        raise ValueError(f"Expected faces in '{folder}'. Received: none was found.")
    return np.stack(crops), np.array(labels), left_out
