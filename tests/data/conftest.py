import numpy as np
import pytest
from PIL import Image


def write_picture(path, value, side=40):
    """Write a PNG whose every pixel says which one it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((side, side + 6, 3), value % 256, "uint8")
    pixels[..., 1] = value // 256
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Three classes: 10 ants, 6 bees, 4 wasps; pixel values count from 0."""
    root, value = tmp_path / "insects", 0
    for name, count in {"ant": 10, "bee": 6, "wasp": 4}.items():
        for number in range(count):
            write_picture(root / name / f"{number}.png", value)
            value += 1
    return root
