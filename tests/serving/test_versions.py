import pytest

from tftransfer.serving import next_version
from tftransfer.serving.versions import version_folder


def test_the_first_version_is_1(tmp_path):
    assert next_version(tmp_path / "absent") == tmp_path / "absent" / "1"
    assert next_version(tmp_path) == tmp_path / "1"


def test_versions_are_counted_as_numbers_not_as_text(tmp_path):
    for name in ("2", "10", "9", "notes", ".export-x", "3b"):
        (tmp_path / name).mkdir()
    assert next_version(tmp_path).name == "11"


def test_gaps_are_not_filled(tmp_path):
    (tmp_path / "7").mkdir()
    assert next_version(str(tmp_path)).name == "8"


def test_a_version_is_taken_as_given(tmp_path):
    assert version_folder(tmp_path / "pets" / "3") == tmp_path / "pets" / "3"
    assert version_folder(tmp_path / "pets") == tmp_path / "pets" / "1"


def test_an_existing_version_is_never_overwritten(tmp_path):
    (tmp_path / "4").mkdir()
    with pytest.raises(FileExistsError, match="5"):
        version_folder(tmp_path / "4")
