"""The folder of a recognizer, as the commands of `tftransfer faces` open it."""

import base64
import binascii
import os
import pathlib

KEY_VARIABLE = "TFTRANSFER_FACE_KEY"
_NETS = ("vgg16", "resnet50", "senet50")


def check_store(folder: pathlib.Path) -> None:
    """Raise unless there is a recognizer: a typing error need not await TensorFlow."""
    if not (folder / "recognizer.json").is_file():
        raise FileNotFoundError(
            f"Expected the folder of a recognizer. Received: '{folder}', which has no "
            "recognizer.json. Make one: `tftransfer faces enroll FOLDER PEOPLE --net "
            "NET`."
        )


def opened(folder: pathlib.Path, *, read_only: bool = True):
    """Return the `FaceRecognizer` of a folder."""
    from tftransfer.face import FaceRecognizer

    return FaceRecognizer.open(folder, read_only=read_only, key=_key())


def opened_or_made(
    folder: pathlib.Path, *, net, weights, alignment, min_face_size: int | None
):
    """Return the `FaceRecognizer` of a folder; a new one of the net named.

    Raises:
        ValueError: When an option is not what the folder's recognizer was made with:
            it would change nothing.
    """
    from tftransfer.face import MTCNN
    from tftransfer.face import FaceRecognizer

    if (folder / "recognizer.json").is_file():
        face = opened(folder, read_only=False)
        if net is None:
            options = {"--weights": (weights, None)}
            options["--alignment"] = (alignment, face.embedder.alignment)
        else:
            options = {"--net": (net, _same_net(face, net, weights, alignment))}
        options["--min-face-size"] = (min_face_size, face.detector.min_face_size)
        _check_as_made(folder, options)
        return face
    if net is None:
        raise ValueError(
            f"Expected `--net` for the new recognizer '{folder}'. Received: none. "
            f"Give a .keras model of face embeddings, or one of {', '.join(_NETS)}."
        )
    embedder = _embedder(net, weights, alignment)
    detector = MTCNN(min_face_size=min_face_size or 20)
    return FaceRecognizer.create(folder, detector, embedder, key=_key())


def _same_net(face, net: str, weights, alignment) -> str | None:
    """Return the net's name where it is the one of `face`."""
    new = _embedder(net, weights, alignment)
    return net if new.gives_same_vectors(face.embedder) else None


def _check_as_made(folder, options: dict) -> None:
    """Raise where an option, {name: (given, as it was made)}, was given and differs."""
    for name, (given, made) in options.items():
        if given is not None and given != made:
            raise ValueError(
                f"Expected no other `{name}` for '{folder}' than it was made with"
                f"{f', {made}' if made else ''}. Received: '{given}'. Leave it out, or "
                "take another folder."
            )


def _embedder(net: str, weights: str | None, alignment: str | None):
    from tftransfer.face import Embedder
    from tftransfer.face import VGGFace

    if net in _NETS:
        if alignment not in (None, "crop"):
            raise ValueError(
                f"Expected no `--alignment` with {net}, which takes crops. Received: "
                f"'{alignment}'."
            )
        return Embedder.from_model(
            VGGFace(
                model=net,
                include_top=False,
                pooling="avg",
                weights=weights or "vggface",
            )
        )
    if not pathlib.Path(net).is_file():
        raise FileNotFoundError(
            f"Expected `--net` to be a .keras file or one of {', '.join(_NETS)}. "
            f"Received: '{net}'."
        )
    import keras

    model = keras.saving.load_model(net, compile=False)
    return Embedder.from_model(model, alignment=alignment or "five_points")


def _key() -> bytes | None:
    text = os.environ.get(KEY_VARIABLE)
    if not text:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(
            f"Expected {KEY_VARIABLE} to hold 32 bytes in base64, such as "
            "`openssl rand -base64 32` prints. Received: something else."
        ) from error
