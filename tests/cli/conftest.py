import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.finetune.pictures import three_classes
from tftransfer.cli.main import app

TINY = ["--backbone", "tiny"]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A folder of three classes, twelve pictures each."""
    folder = tmp_path_factory.mktemp("pictures") / "shapes"
    for number, (picture, label) in enumerate(zip(*three_classes(36), strict=True)):
        place = folder / ["across", "upright", "block"][label]
        place.mkdir(parents=True, exist_ok=True)
        large = np.kron(picture, np.ones((2, 2, 1), "uint8"))
        Image.fromarray(large).save(place / f"{number:02}.png")
    return folder


@pytest.fixture
def run():
    """Run the program in this process; `run.code` is the last exit code."""

    def call(*arguments, code=0):
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture(scope="session")
def trained(pictures, tmp_path_factory):
    """A folder that `train` wrote."""
    out = tmp_path_factory.mktemp("runs") / "shapes"
    arguments = ["train", pictures, *TINY, "--epochs", 2, "--head-epochs", 8]
    result = CliRunner().invoke(app, [str(a) for a in [*arguments, "--out", out]])
    assert result.exit_code == 0, result.output
    return out
