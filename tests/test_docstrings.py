"""Every example in a docstring runs and says the truth."""

import contextlib
import doctest
import importlib
import io
import pkgutil

import pytest

import tftransfer

_MODULES = sorted(
    info.name for info in pkgutil.walk_packages(tftransfer.__path__, "tftransfer.")
)


@pytest.mark.parametrize("name", _MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        failed, _ = doctest.testmod(module, optionflags=flags)
    assert not failed, said.getvalue()


def test_public_names_exist():
    for name in tftransfer.__all__:
        assert getattr(tftransfer, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = tftransfer.nothing
