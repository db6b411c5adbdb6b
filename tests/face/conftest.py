"""A face that matplotlib ships, and detectors with the published weights."""

import pathlib

import matplotlib
import numpy as np
import pytest

from tftransfer.face import as_photograph
from tftransfer.face.gallery import folder as gallery_folder


@pytest.fixture(scope="session")
def hopper() -> np.ndarray:
    """uint8 (600, 512, 3): Grace Hopper, one face."""
    folder = pathlib.Path(matplotlib.get_data_path()) / "sample_data"
    return as_photograph(folder / "grace_hopper.jpg")


@pytest.fixture(scope="session")
def mtcnn():
    """Function of an engine's name: a detector with the published weights."""
    import functools

    from tftransfer.backbones.published import WeightsNotFoundError
    from tftransfer.face import MTCNN

    @functools.cache
    def build(engine):
        if engine == "openvino":
            pytest.importorskip("openvino")
        try:
            return MTCNN(engine=engine)
        except WeightsNotFoundError:
            pytest.skip("the package mtcnn, which ships the weights, is absent")

    return build


@pytest.fixture
def small_segments(monkeypatch):
    monkeypatch.setattr(gallery_folder, "SEGMENT_ROWS", 5)
