"""The published weight files of VGGFace: where they are, their licence, their checks.

keras-vggface published no checksums. A file is checked by the names and shapes of its
layers, and must keep the SHA-256 that was noted beside it when it was fetched.
"""

import hashlib
import os
import pathlib
import sys

import keras

from tftransfer.backbones.published import PublishedFile
from tftransfer.backbones.published import fetch
from tftransfer.backbones.weight_files import load_h5_by_name
from tftransfer.backbones.weight_files import load_weight_file

_RELEASE = "https://github.com/rcmalli/keras-vggface/releases/download/v2.0/"
LICENCE = """\
The weights of VGGFace are the University of Oxford's. keras-vggface, which converted
them, states: "Original models can be used for non-commercial research purposes under
Creative Commons Attribution License." Read the terms before any other use:
https://www.robots.ox.ac.uk/~vgg/software/vgg_face/ (vgg16)
https://www.robots.ox.ac.uk/~vgg/data/vgg_face2/ (resnet50, senet50)
"""


def published_file(model: str, include_top: bool) -> PublishedFile:
    """Name the file that keras-vggface 0.6 loads, in the folder where it keeps it."""
    name = f"rcmalli_vggface_tf_{'' if include_top else 'notop_'}{model}.h5"
    return PublishedFile(name, _RELEASE + name, None, "vggface")


def find_weights(
    weights: str | os.PathLike | None, model: str, include_top: bool
) -> pathlib.Path | None:
    """Return the path of the weights asked for, fetched if need be.

    Raises:
        FileNotFoundError: When `weights` is a path and there is no file.
        WeightsNotFoundError: When the published file cannot be fetched.
        ValueError: When it is not what was once fetched.
    """
    if weights is None:
        return None
    if weights == "vggface":
        return _published(published_file(model, include_top))
    path = pathlib.Path(weights)
    if not path.is_file():
        raise FileNotFoundError(
            "Expected `weights` to be 'vggface', None or the path of a file. Received: "
            f"'{path}', where there is none."
        )
    return path


def load_weights(model: keras.Model, path: pathlib.Path) -> None:
    """Load a file of keras-vggface, or one that Keras 3 saved from `model`."""
    if path.suffix in (".h5", ".hdf5") and not path.name.endswith(".weights.h5"):
        load_h5_by_name(model, path)
    else:
        load_weight_file(model, path)


def _published(file: PublishedFile) -> pathlib.Path:
    note = file.path.with_name(f"{file.name}.sha256")
    if not file.path.exists():
        fetch(file)
        print(LICENCE, file=sys.stderr, flush=True)
        note.write_text(f"{_sha256(file.path)}  {file.name}\n")  # as sha256sum reads
    elif note.exists():
        _check(file, note)
    return file.path


def _check(file: PublishedFile, note: pathlib.Path) -> None:
    expected, received = note.read_text().split()[0], _sha256(file.path)
    if received != expected:
        raise ValueError(
            f"Expected '{file.path}' as it was when it was fetched, SHA-256 {expected} "
            f"in {note.name}. Received: {received}. Delete both files to fetch it from "
            f"{file.url} again."
        )


def _sha256(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
