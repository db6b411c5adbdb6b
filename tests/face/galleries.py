"""Galleries on disk that tests share."""

import pathlib

import numpy as np

from tftransfer.face import Gallery

KEY = bytes(range(32))


def filled(folder, key=None):
    """Make a gallery of three segments; return the people's embeddings."""
    with Gallery.open(folder, dimension=4, fingerprint="net", key=key) as gallery:
        rows = np.random.default_rng(0).normal(size=(13, 4))
        gallery.add_many([f"person {i}" for i in range(13)], rows)
        return {name: gallery.embeddings(name) for name in gallery.names}


def on_disk(folder: pathlib.Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
