"""Builds a net of keras.applications, or `tiny`, on top of a given tensor."""

import collections
import contextlib

import keras
from keras.src.backend.common import global_state

from tftransfer.backbones.catalogue import Architecture
from tftransfer.backbones.tiny import tiny_body
from tftransfer.core.validation import nearest

# The options of an architecture that shape the net below its top, with their defaults.
_FAMILY_OPTIONS = {
    "mobilenet": {"alpha": 1.0, "depth_multiplier": 1},
    "mobilenet_v2": {"alpha": 1.0},
    "mobilenet_v3": {"alpha": 1.0, "minimalistic": False},
}


def check_options(row: Architecture, options: dict) -> dict:
    """Return all options of the architecture, the given ones over its defaults.

    Args:
        row: Its row of the catalogue.
        options: What the caller passed.

    Returns:
        Dict of every option that the architecture has; empty for most.

    Raises:
        TypeError: When the architecture has no such option.
    """
    valid = _FAMILY_OPTIONS.get(row.family, {})
    for name in options:
        if name not in valid:
            raise TypeError(
                f"Expected options that '{row.name}' has: {sorted(valid) or 'none'}. "
                f"Received: `{name}`." + (f" {nearest(name, valid)}" if valid else "")
            )
    return {**valid, **options}


def build_application(row: Architecture, images, options: dict):
    """Build the net without its top.

    Args:
        row: Its row of the catalogue.
        images: KerasTensor `(batch, height, width, 3)`, already preprocessed.
        options: As `check_options` returns them.

    Returns:
        KerasTensor `(batch, height', width', channels)`: the last feature map.
    """
    with _names_from_zero():
        if row.application is None:
            return tiny_body(images)
        application = getattr(keras.applications, row.application)
        net = application(
            include_top=False,
            weights=None,
            input_tensor=images,
            input_shape=tuple(images.shape[1:]),
            **options,
        )
    return net.output


@contextlib.contextmanager
def _names_from_zero():
    """Number automatic layer names from zero, as in a fresh process.

    Keras numbers "activation_17" by a counter of the whole process, and several nets
    leave names to it: without this, the name of a layer, and the path of its variables,
    would depend on what else was built before. Layers made later get higher numbers, so
    that they do not clash with these.
    """
    outer = global_state.get_global_attribute("object_name_uids") or {}
    inner = collections.defaultdict(int)
    global_state.set_global_attribute("object_name_uids", inner)
    try:
        yield
    finally:
        merged = collections.defaultdict(int, outer)
        for name, count in inner.items():
            merged[name] = max(merged[name], count)
        global_state.set_global_attribute("object_name_uids", merged)
