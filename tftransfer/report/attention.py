"""Where nets look: heat of mean-square activation over pictures, side by side."""

import html
from collections.abc import Mapping
from collections.abc import Sequence

import keras
import matplotlib
import numpy as np
from keras import ops
from PIL import Image

from tftransfer.core import nearest
from tftransfer.distillation.taps import Taps
from tftransfer.losses.attention_transfer import attention_map
from tftransfer.report.pixels import as_uint8
from tftransfer.report.pixels import data_url

_SIDE = 224
_HEAT = "turbo"


def attention_maps(
    models: Mapping[str, keras.Model],
    pictures,
    endpoints: str | Mapping[str, str] | None = None,
) -> dict[str, np.ndarray]:
    """Return each net's attention, the mean over channels of A^2 at an endpoint.

    Args:
        models: {name: `Classifier`, or any functional or Sequential model}.
        pictures: (n, height, width, 3), RGB in [0, 255]; each net gets them in the
            size that it takes.
        endpoints: One for all nets, or {name: endpoint}: an endpoint of the backbone,
            a layer's name or its path "outer/inner/layer" through nested models; None
            for the backbone's deepest whose map has a sixteenth of the picture's side
            or more.

    Returns:
        {name: float32 (n, map height, map width)}, each map scaled to [0, 1], its
        largest 3 % clipped.

    Raises:
        ValueError: When an endpoint is none, or has no map, or none is given for a
            model without a backbone.

    Example:
        >>> import tftransfer as tft
        >>> model = tft.Classifier(tft.Backbone("tiny", weights=None), num_classes=2)
        >>> x = np.random.default_rng(0).uniform(0, 255, (3, 40, 40, 3))
        >>> attention_maps({"student": model}, x, "stage2")["student"].shape
        (3, 8, 8)

    References:
        Zagoruyko & Komodakis, ICLR 2017, arXiv:1612.03928.
    """
    found = {}
    for name, model in models.items():
        endpoint = endpoints.get(name) if isinstance(endpoints, Mapping) else endpoints
        endpoint = endpoint or default_endpoint(_backbone_of(name, model))
        trunk = Taps(model, [endpoint]).up_to(endpoint)
        x = np.asarray(pictures, "float32")
        size = trunk.input_shape[1:3]
        if None not in size and x.shape[1:3] != size:
            x = ops.image.resize(x, size, antialias=True)
        maps = attention_map(trunk(x, training=False))
        found[name] = _scaled(ops.convert_to_numpy(maps))
    return found


def _backbone_of(name: str, model):
    backbone = getattr(model, "backbone", None)
    if backbone is None:
        raise ValueError(
            f"Expected the name of a layer for '{name}', which has no backbone to "
            f"choose one from. Received: None. Give `endpoints={{'{name}': ...}}`."
        )
    return backbone


def default_endpoint(backbone) -> str:
    """Return the deepest endpoint whose map has a sixteenth of the side or more."""
    maps = {k: v.shape for k, v in backbone.endpoints.items() if len(v.shape) == 4}
    if not maps:
        raise ValueError(
            f"Expected a backbone with maps. Received '{backbone.name}', with "
            f"{list(backbone.endpoints)}. {nearest('stage', backbone.endpoints)}"
        )
    side = backbone.input_shape[1]
    fine = [k for k, shape in maps.items() if side and 16 * shape[1] >= side]
    return (fine or list(maps))[-1]


def draw_attention(
    pictures,
    maps: Mapping[str, np.ndarray],
    *,
    captions: Mapping[str, Sequence[str]] | None = None,
    wrong: Mapping[str, Sequence[bool]] | None = None,
) -> str:
    """Draw pictures in rows; the picture and each net's heat over it in columns.

    Args:
        pictures: (n, height, width, 3), RGB in [0, 255].
        maps: What `attention_maps` returned.
        captions: {column: a line per picture}, "picture" for the first column.
        wrong: {column: per picture whether the line is marked}.

    Returns:
        A table as HTML, its pictures inside.
    """
    captions, wrong = captions or {}, wrong or {}
    columns = ["picture", *maps]
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in columns)
    rows = []
    for i, picture in enumerate(pictures):
        small = Image.fromarray(as_uint8(picture)).resize((_SIDE, _SIDE))
        cells = []
        for name in columns:
            pixels = np.asarray(small)
            if name in maps:
                pixels = heat_over(pixels, maps[name][i])
            lines = captions.get(name)
            marked = bool(wrong[name][i]) if name in wrong else False
            cells.append(_cell(pixels, name, lines[i] if lines else "", marked))
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        '<div class="wide"><table class="attention"><thead><tr>'
        f"{head}</tr></thead><tbody>\n" + "\n".join(rows) + "\n</tbody></table></div>"
    )


def heat_over(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return a picture in grey under the colours of a map.

    Args:
        picture: (height, width, 3) uint8.
        heat: (map height, map width) in [0, 1]; enlarged to the picture.

    Returns:
        (height, width, 3) uint8.
    """
    height, width = picture.shape[:2]
    large = Image.fromarray(heat.astype("float32")).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    share = np.clip(np.asarray(large), 0, 1)
    colours = 255 * matplotlib.colormaps[_HEAT](share)[..., :3]
    grey = np.asarray(Image.fromarray(picture).convert("L"), "float32")[..., None]
    return as_uint8(0.5 * colours + 0.5 * grey)


def _cell(pixels, name: str, line: str, marked: bool) -> str:
    kind = ' class="said"' if marked else ""
    alt = html.escape(f"{name}: {line}" if line else name)
    return (
        f'<td><figure><img alt="{alt}" src="{data_url(pixels)}">'
        f"<figcaption><span{kind}>{html.escape(line)}</span></figcaption></figure></td>"
    )


def _scaled(maps: np.ndarray) -> np.ndarray:
    # Padding makes single cells at the border outshine all others.
    low, high = np.quantile(maps, [0.0, 0.97], axis=(1, 2), keepdims=True)
    share = (maps - low) / np.maximum(high - low, 1e-12)
    return np.clip(share, 0, 1).astype("float32")
