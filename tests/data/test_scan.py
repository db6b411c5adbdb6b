import os

import pytest

from tests.data.conftest import write_picture
from tftransfer.data import scan


def quiet(folder, **options):
    return scan(folder, progress=False, **options)


def test_finds_classes_sorted_and_passes_the_rest_over(folder):
    (folder / "ant" / "notes.txt").write_text("no picture")
    (folder / "ant" / ".hidden.png").write_bytes(b"hidden")
    (folder / ".cache").mkdir()
    write_picture(folder / "bee" / "deep" / "er" / "UPPER.PNG", 99)
    index = quiet(folder)
    assert index.class_names == ("ant", "bee", "wasp")
    assert len(index.paths) == 21
    assert [index.class_names[i] for i in index.labels] == ["ant"] * 10 + [
        "bee"
    ] * 7 + ["wasp"] * 4
    assert set(index.splits) == {""}
    assert not index.unreadable


def test_a_link_to_itself_ends(folder):
    (folder / "ant" / "loop").symlink_to(folder / "ant", target_is_directory=True)
    assert len(quiet(folder).paths) == 20


@pytest.mark.parametrize(
    "names", [("train", "val"), ("Training", "validation", "test")]
)
def test_splits_by_their_usual_names(tmp_path, names):
    for number, split in enumerate(names):
        for kind in ("cat", "dog"):
            write_picture(tmp_path / split / kind / "0.png", number)
    index = quiet(tmp_path)
    assert index.class_names == ("cat", "dog")
    assert [len(index.of_split(s)) for s in ("train", "val")] == [2, 2]
    assert len(index.of_split("test")) == (2 if len(names) == 3 else 0)


def test_class_folders_that_are_named_like_splits_stay_classes(tmp_path):
    for name in ("train", "bus"):
        write_picture(tmp_path / name / "0.png", 1)
    assert quiet(tmp_path).class_names == ("bus", "train")


def test_broken_pictures_are_named_or_raise(folder):
    good = (folder / "ant" / "0.png").read_bytes()
    (folder / "ant" / "cut.png").write_bytes(good[: len(good) // 2])
    (folder / "bee" / "empty.jpg").write_bytes(b"")
    index = quiet(folder)
    names = {os.path.basename(path) for path in index.unreadable}
    assert names == {"cut.png", "empty.jpg"}
    assert "empty file" in index.unreadable[str(folder / "bee" / "empty.jpg")]
    assert len(index.paths) == len(index.labels) == len(index.digests) == 20
    with pytest.raises(ValueError, match=r"cut\.png"):
        quiet(folder, on_error="raise")
    assert len(quiet(folder, verify=False).paths) == 22


def test_copies_are_found(folder):
    copy = folder / "bee" / "copy.png"
    copy.write_bytes((folder / "ant" / "3.png").read_bytes())
    assert quiet(folder).copies() == [(str(folder / "ant" / "3.png"), str(copy))]


def test_what_cannot_be_used_raises(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        quiet(tmp_path / "absent")
    with pytest.raises(NotADirectoryError, match="is a file"):
        quiet(folder / "ant" / "0.png")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ValueError, match="no picture there"):
        quiet(tmp_path / "nothing")
    (folder / "moth").mkdir()
    with pytest.raises(ValueError, match="none in 'moth'"):
        quiet(folder)
    write_picture(tmp_path / "one" / "ant" / "0.png", 0)
    with pytest.raises(ValueError, match="two classes or more"):
        quiet(tmp_path / "one")
    with pytest.raises(ValueError, match="on_error"):
        quiet(folder, on_error="ignore")


def test_a_class_of_broken_pictures_alone_raises(folder):
    for path in (folder / "wasp").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"readable pictures in every class.*'wasp'"):
        quiet(folder)


def test_links_that_lead_nowhere(folder):
    (folder / "self").symlink_to("self")
    (folder / "bee" / "self").symlink_to("self")
    broken = folder / "bee" / "gone.png"
    broken.symlink_to(folder / "absent.png")
    index = quiet(folder)
    assert len(index.paths) == 20
    assert index.unreadable == {str(broken): "No such file or directory"}


def test_reasons_are_short_and_errors_whole(folder):
    path = folder / "wasp" / "x.jpg"
    path.write_text("text")
    assert quiet(folder).unreadable == {str(path): "an unknown format"}
    with pytest.raises(ValueError, match=r"Expected '.*x\.jpg' to be a whole picture"):
        quiet(folder, on_error="raise")


def test_folders_beside_splits_raise(tmp_path):
    for split in ("train", "val", "extra"):
        for kind in ("cat", "dog"):
            write_picture(tmp_path / split / kind / "0.png", 0)
    with pytest.raises(ValueError, match=r"\['extra'\] are none"):
        quiet(tmp_path)


def test_pictures_without_classes_raise(folder):
    with pytest.raises(ValueError, match="10 pictures in no class"):
        quiet(folder / "ant")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_named(folder):
    (folder / "bee" / "0.png").chmod(0)
    assert list(quiet(folder).unreadable.values()) == ["Permission denied"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_raises(folder):
    (folder / "bee").chmod(0)
    try:
        with pytest.raises(PermissionError):
            quiet(folder)
    finally:
        (folder / "bee").chmod(0o755)
