"""Encrypted galleries, their keys, and packages that are absent."""

import sys

import numpy as np
import pytest

from tests.face.galleries import KEY
from tests.face.galleries import filled
from tests.face.galleries import on_disk
from tftransfer.face import Gallery


def test_encrypted_files_tell_nothing(tmp_path, small_segments):
    pytest.importorskip("cryptography", reason="the extra encryption is absent")
    people = filled(tmp_path, KEY)
    stored = on_disk(tmp_path)
    assert b"person" not in stored
    assert not any(row.tobytes() in stored for row in people.values())
    with pytest.raises(ValueError, match=r"encrypted\. Pass its `key`"):
        Gallery.open(tmp_path)
    for options in ({}, {"on_damage": "skip"}):
        with pytest.raises(ValueError, match="Received another"):
            Gallery.open(tmp_path, key=bytes(32), **options)
    gallery = Gallery.open(tmp_path, key=KEY)
    for name, rows in people.items():
        np.testing.assert_array_equal(gallery.embeddings(name), rows)
    gallery.save(tmp_path / "plain")
    with pytest.raises(ValueError, match="which is plain"):
        Gallery.open(tmp_path / "plain", key=KEY)
    with pytest.raises(FileExistsError):
        gallery.save(tmp_path / "plain")


def test_encrypted_people_cannot_change_places(tmp_path):
    """Ciphertext moved within a file, checksums made right, does not open."""
    pytest.importorskip("cryptography", reason="the extra encryption is absent")
    from tftransfer.face.gallery.cipher import Cipher

    cipher = Cipher(KEY)
    line = cipher.close_line(b"Ada", "000001:line")
    assert cipher.open_line(line, "000001:line") == b"Ada"
    with pytest.raises(ValueError, match="key"):
        cipher.open_line(line, "000002:line")
    data, seal = cipher.close_rows(np.ones((1, 4), "float32"), "000001:0:rows")
    assert len(data) == 16
    with pytest.raises(ValueError, match="key"):
        cipher.open_rows(data, seal, "000001:1:rows")


@pytest.mark.parametrize(
    ("key", "error"), [("a" * 32, TypeError), (b"short", ValueError)]
)
def test_bad_keys(tmp_path, key, error):
    with pytest.raises(error, match="32 bytes"):
        Gallery.open(tmp_path / "new", dimension=4, fingerprint="", key=key)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("module", "extra", "options"),
    [
        ("cryptography.exceptions", "encryption", {"key": KEY}),
        ("faiss", "faiss", {"index": "faiss"}),
    ],
)
def test_absent_extras_are_named(tmp_path, monkeypatch, module, extra, options):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"tftransfer\[{extra}\]"):
        Gallery.open(tmp_path, dimension=4, fingerprint="", **options)
