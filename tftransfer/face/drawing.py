"""Result pictures: boxes, landmarks and names drawn over a photograph."""

import os
from collections.abc import Sequence

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

from tftransfer.face.found import Face
from tftransfer.face.photographs import as_photograph
from tftransfer.face.results import Identification

_KNOWN, _UNKNOWN = (46, 204, 113), (241, 146, 38)
_INK = (15, 20, 25)


def draw(
    picture,
    found: Sequence[Face | Identification],
    *,
    font: str | os.PathLike | None = None,
) -> Image.Image:
    """Draw what was found over a picture.

    Args:
        picture: Of the forms of `as_photograph`.
        found: Faces of a detector, or identifications of a `FaceRecognizer`: these get
            the name and the probability, or the similarity where there is none.
        font: A TrueType file, for names in letters that Pillow's own font lacks.

    Returns:
        An RGB picture of the same size; green around known people, orange around
        others. `.save("result.jpg")` writes it.

    Example:
        >>> face = Face(np.array([8, 8, 40, 48], "float32"), None, 0.99)
        >>> draw(np.zeros((64, 64, 3), "uint8"), [face]).size
        (64, 64)
    """
    photograph = as_photograph(picture)
    image = Image.fromarray(photograph)
    pen = ImageDraw.Draw(image)
    stroke = max(1, round(min(image.size) / 250))
    for each in reversed(found):  # the first, which is the largest, ends on top
        if isinstance(each, Face):
            _outline(pen, each, _KNOWN, stroke)
        else:
            colour = _UNKNOWN if each.name is None else _KNOWN
            _outline(pen, each.face, colour, stroke)
            _label(pen, image.size, each, colour, font)
    return image


def percent(probability: float) -> str:
    """Return a probability in whole per cent, and never as certainty."""
    if probability > 0.99:
        return ">99%"
    return "<1%" if probability < 0.01 else f"{probability:.0%}"


def _outline(pen, face: Face, colour, stroke: int) -> None:
    pen.rectangle([float(v) for v in face.box], outline=colour, width=stroke)
    for x, y in [] if face.landmarks is None else face.landmarks:
        pen.circle((float(x), float(y)), max(1.0, face.width / 40), fill=colour)


def _label(pen, size, found: Identification, colour, font) -> None:
    text = " ".join((found.name or "unknown").split())  # one line, of whatever name
    if found.name is not None:
        best = found.candidates[0]
        sure = f"{best.similarity:.2f}"
        if best.probability is not None:
            sure = percent(best.probability)
        text = f"{text} {sure}"
    points = max(11.0, min(size) / 28)
    font = ImageFont.truetype(font, points) if font else ImageFont.load_default(points)
    left, top = float(found.face.box[0]), float(found.face.box[1])
    box = np.array(pen.textbbox((0, 0), text, font=font, anchor="lt"))
    pad = 3
    wide, high = box[2] + 2 * pad, box[3] + 2 * pad
    left = float(np.clip(left, 0, max(0, size[0] - wide)))
    top = top - high if top >= high else top
    pen.rectangle([left, top, left + wide, top + high], fill=colour)
    pen.text((left + pad, top + pad), text, fill=_INK, font=font, anchor="lt")
