"""Finds the published weight file of an architecture: in the cache, or by download.

The files are those of keras.applications without their top, in the same folder of the
Keras cache. A missing file is an error that says what to fetch, from where, and where
to put it; it never ends in random weights.
"""

import contextlib
import dataclasses
import pathlib
import socket

import keras
from keras.src.backend.config import keras_home

from tftransfer.backbones.catalogue import Architecture

_STORAGE = "https://storage.googleapis.com/"
_BASE = _STORAGE + "tensorflow/keras-applications/"
_STALL_SECONDS = 15

# architecture -> checksum (MD5, SHA-256 for ConvNeXt) of its file, as Keras states it
_CHECKSUMS = {
    "convnextbase": "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    "convnextlarge": "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
    "convnextsmall": "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    "convnexttiny": "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    "convnextxlarge": (
        "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05"
    ),
    "densenet121": "30ee3e1110167f948a6b9946edeeb738",
    "densenet169": "b8c4d4c20dd625c148057b9ff1c1176b",
    "densenet201": "c13680b51ded0fb44dff2d8f86ac8bb1",
    "efficientnetb0": "50bc09e76180e00e4465e1a485ddc09d",
    "efficientnetb1": "74c4e6b3e1f6a1eea24c589628592432",
    "efficientnetb2": "111f8e2ac8aa800a7a99e3239f7bfb39",
    "efficientnetb3": "af6d107764bb5b1abb91932881670226",
    "efficientnetb4": "ebc24e6d6c33eaebbd558eafbeedf1ba",
    "efficientnetb5": "38879255a25d3c92d5e44e04ae6cec6f",
    "efficientnetb6": "9ecce42647a20130c1f39a5d4cb75743",
    "efficientnetb7": "cbcfe4450ddf6f3ad90b1b398090fe4a",
    "efficientnetv2b0": "893217f2bb855e2983157299931e43ff",
    "efficientnetv2b1": "0e80663031ca32d657f9caa404b6ec37",
    "efficientnetv2b2": "1dfe2e7a5d45b6632553a8961ea609eb",
    "efficientnetv2b3": "f6abf7b5849ac99a89b50dd3fd532856",
    "efficientnetv2l": "b0b66b5c863aef5b46e8608fe1711615",
    "efficientnetv2m": "1b8dc055df72dde80d614482840fe342",
    "efficientnetv2s": "af0682fb74e8c54910f2d4393339c070",
    "inceptionresnetv2": "d19885ff4a710c122648d3b5c3b684e4",
    "inceptionv3": "bcbd6486424b2319ff4ef7d526e38f63",
    "nasnetlarge": "d81d89dc07e6e56530c4e77faddd61b5",
    "nasnetmobile": "1ed92395b5b598bdda52abe5c0dbfd63",
    "resnet101": "88cf7a10940856eca736dc7b7e228a21",
    "resnet101v2": "c0ed64b8031c3730f411d2eb4eea35b5",
    "resnet152": "ee4c566cf9a93f14d82f913c2dc6dd0c",
    "resnet152v2": "ed17cf2e0169df9d443503ef94b23b33",
    "resnet50": "4d473c1dd8becc155b73f8504c6f6626",
    "resnet50v2": "fac2f116257151a9d068a22e544a4917",
    "vgg16": "6d6bbae143d832006294945121d1f1fc",
    "vgg19": "253f8cb515780f3b799900260a226db6",
    "xception": "b0042744bf5b25fce3cb969f33bebb97",
    "small_224_0.75": "ebdb5cc8e0b497cd13a7c275d475c819",
    "small_224_1.0": "d3e8ec802a04aa4fc771ee12a9a9b836",
    "small_minimalistic_224_1.0": "cde8136e733e811080d9fcd8a252f7e4",
    "large_224_0.75": "40af19a13ebea4e2ee0c676887f69a2e",
    "large_224_1.0": "07fb09a5933dd0c8eaafa16978110389",
    "large_minimalistic_224_1.0": "ec5221f64a2f6d1ef965a614bdae7973",
}
_INCEPTION_RESNET = "inception_resnet_v2"


class WeightsNotFoundError(OSError):
    """Published weights are neither in the Keras cache nor to be had by download."""


@dataclasses.dataclass(frozen=True)
class PublishedFile:
    """A weight file of keras.applications without the top, or of another publisher.

    Args:
        name: File name in the cache.
        url: Where it is published.
        checksum: MD5 or SHA-256, or None where its publisher states none.
        folder: Folder inside the cache's.
    """

    name: str
    url: str
    checksum: str | None
    folder: str = ""

    @property
    def path(self) -> pathlib.Path:
        """Where it is in the cache, or will be."""
        return cache_folder() / self.folder / self.name


def cache_folder() -> pathlib.Path:
    """Return the folder where Keras keeps downloaded weights."""
    return pathlib.Path(keras_home()).expanduser() / "models"


def published_file(row: Architecture, options: dict, shape: tuple) -> PublishedFile:
    """Name the published file for an architecture built with `options`.

    Args:
        row: Its row of the catalogue.
        options: As `check_options` returns them.
        shape: `(height, width, 3)`; MobileNet and MobileNetV2 have a file per size,
            other sizes take the one of 224.

    Returns:
        The file.

    Raises:
        ValueError: When nothing is published for these options.
    """
    if row.family in ("mobilenet", "mobilenet_v2"):
        return _mobilenet(row, options, shape)
    if row.family == "mobilenet_v3":
        return _mobilenet_v3(row, options)
    checksum = _CHECKSUMS[row.name]
    if row.family == "nasnet":
        size = row.name.removeprefix("nasnet")
        url = f"{_BASE}nasnet/NASNet-{size}-no-top.h5"
        return PublishedFile(f"nasnet_{size}_no_top.h5", url, checksum)
    if row.family in ("efficientnet", "efficientnet_v2", "convnext"):
        stem, folder = {
            "efficientnet": (row.name, _STORAGE + "keras-applications/"),
            "efficientnet_v2": (
                row.name.replace("v2", "v2-"),
                _BASE + "efficientnet_v2/",
            ),
            "convnext": (row.name.replace("next", "next_"), _BASE + "convnext/"),
        }[row.family]
        name = f"{stem}_notop.h5"
        return PublishedFile(name, folder + name, checksum)
    stem = {"inceptionv3": "inception_v3", "inceptionresnetv2": _INCEPTION_RESNET}.get(
        row.name, row.name
    )
    folder = {"resnet_v2": "resnet", "vgg": row.name}.get(row.family, row.family)
    if row.family == _INCEPTION_RESNET.removesuffix("_v2"):
        folder = _INCEPTION_RESNET
    name = f"{stem}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return PublishedFile(name, f"{_BASE}{folder}/{name}", checksum)


def _mobilenet(row, options, shape) -> PublishedFile:
    alphas, sizes = {
        "mobilenet": ((0.25, 0.5, 0.75, 1.0), (128, 160, 192, 224)),
        "mobilenet_v2": ((0.35, 0.5, 0.75, 1.0, 1.3, 1.4), (96, 128, 160, 192, 224)),
    }[row.family]
    _check_published(row, "alpha", options["alpha"], alphas)
    if row.family == "mobilenet":
        _check_published(row, "depth_multiplier", options["depth_multiplier"], (1,))
    square = shape[0] == shape[1] and shape[0] in sizes
    size = shape[0] if square else 224
    alpha = float(options["alpha"])
    if row.family == "mobilenet":
        text = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}[alpha]
        name = f"mobilenet_{text}_{size}_tf_no_top.h5"
    else:
        kernels = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels"
        name = f"{kernels}_{alpha}_{size}_no_top.h5"
    return PublishedFile(name, f"{_BASE}{row.family}/{name}", None)


def _mobilenet_v3(row, options) -> PublishedFile:
    alphas = (1.0,) if options["minimalistic"] else (0.75, 1.0)
    _check_published(row, "alpha", options["alpha"], alphas)
    size = row.name.removeprefix("mobilenetv3")
    kind = "_minimalistic" if options["minimalistic"] else ""
    model = f"{size}{kind}_224_{float(options['alpha'])}"
    name = f"weights_mobilenet_v3_{model}_float_no_top_v2.h5"
    return PublishedFile(name, f"{_BASE}mobilenet_v3/{name}", _CHECKSUMS[model])


def _check_published(row, option, value, published) -> None:
    if value not in published:
        raise ValueError(
            f"Expected `{option}` of '{row.name}' to be one with published weights: "
            f"{list(published)}. Received: {value!r}. Use `weights=None` or a path."
        )


def fetch(file: PublishedFile) -> pathlib.Path:
    """Return the path of a published file, downloading it when it is not cached.

    Raises:
        WeightsNotFoundError: When it is not cached and cannot be downloaded.
    """
    path = file.path
    if path.exists():
        return path
    folder = str(pathlib.PurePath("models", file.folder))
    try:
        with _stall_limit(_STALL_SECONDS):
            keras.utils.get_file(
                file.name, file.url, cache_subdir=folder, file_hash=file.checksum
            )
    except Exception as error:
        raise WeightsNotFoundError(
            f"Expected the weight file {file.name} in {path.parent}, or a network to "
            f"fetch it. Received: {error}. Download {file.url} on another machine and "
            f"put it at {path}; or pass `weights=` a path, or None for random weights."
        ) from error
    return path


@contextlib.contextmanager
def _stall_limit(seconds: float):
    # Without it a network that swallows packets holds the caller for minutes.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
