import inspect
import subprocess
import sys

import keras
import pytest

from tests.backbones.large_nets import marks_of
from tftransfer.backbones.catalogue import ARCHITECTURES
from tftransfer.backbones.catalogue import catalogue
from tftransfer.backbones.catalogue import find_architecture

APPLICATIONS = [row for row in ARCHITECTURES.values() if row.application]
ALL = [pytest.param(row, marks=marks_of(row.name), id=row.name) for row in APPLICATIONS]


def test_lists_every_architecture_of_keras_applications():
    functions = inspect.getmembers(keras.applications, inspect.isfunction)
    assert {row.application for row in APPLICATIONS} == {name for name, _ in functions}


@pytest.mark.parametrize("row", ALL)
def test_parameters_and_size_are_those_of_the_net(row, weightless):
    net = getattr(keras.applications, row.application)(weights=None)
    assert net.count_params() == row.parameters
    assert net.input_shape[1] in (row.image_size, None)


def test_values_of_keras_io():
    row = find_architecture("EfficientNetB0")
    assert (row.size_mb, row.depth, row.top1, row.top5) == (29.0, 132, 77.1, 93.3)
    row = find_architecture("convnext_tiny")
    assert (row.size_mb, row.depth, row.top1, row.top5) == (109.42, None, 81.3, None)
    assert find_architecture("mobilenetv3small").top1 is None


def test_sorts_and_filters():
    rows = catalogue(max_size_mb=30, sort="top1")
    assert all(row.size_mb <= 30 for row in rows)
    known = [row.top1 for row in rows if row.top1 is not None]
    assert known == sorted(known, reverse=True)
    assert [row.top1 for row in rows[len(known) :]] == [None] * (len(rows) - len(known))
    assert [row.name for row in catalogue()] == sorted(ARCHITECTURES)
    assert catalogue(sort="parameters")[0].name == "tiny"
    with pytest.raises(ValueError, match="`sort`"):
        catalogue(sort="speed")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("MobileNet_V2", "mobilenetv2"),
        ("efficientnetv2-b0", "efficientnetv2b0"),
        ("convnext_tiny", "convnexttiny"),
    ],
)
def test_names_are_forgiving(given, name):
    assert find_architecture(given).name == name


def test_unknown_name_tells_the_nearest():
    with pytest.raises(ValueError, match=r"Nearest: .*'resnet50'"):
        find_architecture("resnet51")


def test_importing_the_catalogue_imports_neither_keras_nor_numpy():
    code = (
        "import sys; from tftransfer.backbones.catalogue import catalogue;"
        "catalogue(max_size_mb=30, sort='top1');"
        "heavy = {'keras', 'numpy', 'tensorflow'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
