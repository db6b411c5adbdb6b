"""Gallery: searches equal to NumPy loops, people in and out, in memory and on disk."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tftransfer.face import Gallery
from tftransfer.face import GalleryLocked
from tftransfer.face.gallery import folder as gallery_folder
from tftransfer.face.gallery import rows as gallery_rows
from tftransfer.face.gallery import search as gallery_search

_DIMENSION = 8
KEY = bytes(range(32))


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.fixture(params=["memory", "folder", "encrypted"])
def gallery(request, tmp_path):
    """An empty gallery of each kind."""
    if request.param == "memory":
        return Gallery(_DIMENSION, "net")
    if request.param == "encrypted":
        pytest.importorskip("cryptography", reason="the extra encryption is absent")
    key = KEY if request.param == "encrypted" else None
    return Gallery.open(tmp_path, dimension=_DIMENSION, fingerprint="net", key=key)


@pytest.fixture
def small_blocks(monkeypatch):
    """Segments and blocks of 5 rows, so that a few people fill several."""
    monkeypatch.setattr(gallery_folder, "SEGMENT_ROWS", 5)
    monkeypatch.setattr(gallery_rows, "_ROWS", 5)


def _loop_search(people, probes, k):
    """Search by the definition: the best picture of each person decides."""
    similarities, names = [], []
    for probe in _unit(probes):
        best = {
            name: max(float(probe @ row) for row in _unit(rows))
            for name, rows in people.items()
        }
        order = sorted(best, key=best.get, reverse=True)[:k]
        names.append(order)
        similarities.append([best[name] for name in order])
    return np.array(similarities), names


def _index_kinds():
    yield "numpy"
    yield pytest.param(
        "faiss",
        marks=pytest.mark.skipif(
            gallery_search.importlib.util.find_spec("faiss") is None,
            reason="the extra faiss is absent",
        ),
    )


@pytest.mark.parametrize("index", _index_kinds())
@pytest.mark.parametrize("k", [1, 3, 99])
def test_search_is_the_loop(gallery, small_blocks, index, k):
    gallery.index = index
    people = {f"p{i}": _normal(1 + i % 4, _DIMENSION, seed=i) for i in range(13)}
    for name, rows in people.items():
        gallery.add(name, rows[:1])
    for name, rows in people.items():  # the rest elsewhere, in another block
        if len(rows) > 1:
            gallery.add(name, rows[1:])
    probes = _normal(6, _DIMENSION, seed=99)
    similarities, names = gallery.search(probes, k)
    expected, expected_names = _loop_search(people, probes, k)
    assert names.tolist() == expected_names
    assert similarities.dtype == np.float32
    np.testing.assert_allclose(similarities, expected, atol=2e-6)


@pytest.mark.parametrize("index", _index_kinds())
@pytest.mark.parametrize("numbers", [2**22, 3000])
def test_search_of_many_rows_in_any_order(index, numbers, monkeypatch):
    """Rising similarities are the worst order for a search that keeps the best."""
    monkeypatch.setattr(gallery_search, "_NUMBERS", numbers)
    rows = _unit(_normal(5000, _DIMENSION))
    probe = _unit(_normal(1, _DIMENSION, seed=1))
    rows = rows[np.argsort(rows @ probe[0])]
    probes = np.concatenate([probe, -probe, _unit(_normal(20, _DIMENSION, seed=2))])
    persons = np.arange(5000, dtype=np.int32) // 3
    blocks = [(rows[:1700], persons[:1700]), (rows[1700:], persons[1700:])]
    similarities, people = gallery_search.most_similar(probes, blocks, 7, index)
    products = probes.astype(float) @ rows.T.astype(float)
    best = np.maximum.reduceat(products, np.arange(0, 5000, 3), axis=1)
    expected = np.argsort(-best, axis=1)[:, :7]
    np.testing.assert_array_equal(people, expected)
    np.testing.assert_allclose(
        similarities, np.take_along_axis(best, expected, 1), atol=1e-6
    )


def test_equals_in_the_order_of_enrolment(gallery, small_blocks):
    for i in range(12):
        gallery.add(f"p{i}", np.eye(_DIMENSION)[i % 2])
    names = gallery.search(np.eye(_DIMENSION)[0], k=4)[1]
    assert names.tolist() == [["p0", "p2", "p4", "p6"]]


def test_people_in_and_out(gallery):
    gallery.add("Ada", _normal(2, _DIMENSION))
    gallery.add_many(["Bob", "Ada", "Bob"], _normal(3, _DIMENSION, seed=1))
    assert (len(gallery), gallery.num_embeddings, gallery.generation) == (2, 5, 2)
    assert gallery.names == ["Ada", "Bob"]
    assert "Bob" in gallery
    expected = _unit(np.concatenate([_normal(2, 8), _normal(3, 8, seed=1)[1:2]]))
    np.testing.assert_allclose(gallery.embeddings("Ada"), expected, atol=1e-6)
    gallery.remove("Ada")
    assert gallery.names == ["Bob"]
    assert "Ada" not in gallery
    assert gallery.search(_normal(1, 8), k=5)[1].tolist() == [["Bob"]]
    gallery.add("Ada", _normal(8))
    assert gallery.names == ["Bob", "Ada"]
    gallery.remove("Ada", "Bob")
    assert gallery.names == []
    assert gallery.num_embeddings == 0


def test_nobody(gallery):
    similarities, names = gallery.search(_normal(3, _DIMENSION), k=4)
    assert similarities.shape == names.shape == (3, 0)
    gallery.add("Ada", _normal(_DIMENSION))
    assert gallery.search(np.empty((0, _DIMENSION)), k=4)[1].shape == (0, 1)


def test_unicode_names(gallery):
    names = ["Zoë", "李小龍", "🙂", 'a\nb\t"c"', " spaced ", "a\0", "a"]
    for i, name in enumerate(names):
        gallery.add(name, np.eye(_DIMENSION)[i])
    assert gallery.names == names
    found = gallery.search(np.eye(_DIMENSION)[: len(names)])[1]
    assert found[:, 0].tolist() == names
    assert "Zoe\u0308" in gallery  # the same letters, decomposed
    gallery.remove("Zoe\u0308")
    assert "Zoë" not in gallery


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [
        (np.full(8, np.nan), "finite.*row 0"),
        (np.full((2, 8), np.inf), "finite"),
        ([[1.0] * 8, [0.0] * 8], "all zero.*row 1"),
        (np.ones(7), r"\(n, 8\).*\(7,\)"),
        (np.ones((1, 1, 8)), r"\(1, 1, 8\)"),
        (np.empty((0, 8)), "one or more"),
    ],
)
def test_bad_embeddings(gallery, embeddings, message):
    with pytest.raises(ValueError, match=message):
        gallery.add("Ada", embeddings)
    if len(embeddings):
        with pytest.raises(ValueError, match=message):
            gallery.search(embeddings)
    assert gallery.names == []
    assert gallery.generation == 0


def test_bad_arguments(gallery):
    with pytest.raises(TypeError, match="numbers"):
        gallery.add("Ada", ["a"] * 8)
    with pytest.raises(TypeError, match="name"):
        gallery.add(7, np.ones(8))
    for name in ("", "  ", "\ud800"):
        with pytest.raises(ValueError, match="name"):
            gallery.add(name, np.ones(8))
    with pytest.raises(ValueError, match="one name per embedding, 2"):
        gallery.add_many(["Ada"], np.ones((2, 8)))
    with pytest.raises(ValueError, match="'Eve'"):
        gallery.remove("Eve")
    for k in (0, 1.5, True):
        with pytest.raises(ValueError, match="`k`"):
            gallery.search(np.ones(8), k=k)
    with pytest.raises(ValueError, match="index"):
        Gallery(8, index="hnsw")
    with pytest.raises(ValueError, match="dimension"):
        Gallery(0)


def test_large_and_small_values(gallery):
    gallery.add("Ada", np.array([3e38] * 8, "float32"))
    gallery.add("Bob", [1e-30, *[0.0] * 7])
    similarities, names = gallery.search([1] + [0] * 7, k=2)
    assert names.tolist() == [["Bob", "Ada"]]
    np.testing.assert_allclose(similarities, [[1, 8**-0.5]], atol=1e-6)


def test_a_removal_of_several_is_all_or_nothing(gallery):
    gallery.add_many(["Ada", "Bob"], _normal(2, 8))
    with pytest.raises(ValueError, match="'Eve'"):
        gallery.remove("Ada", "Eve")
    assert gallery.names == ["Ada", "Bob"]


def test_reopened(tmp_path, small_blocks):
    rows = _normal(30, _DIMENSION)
    with Gallery.open(tmp_path, dimension=8, fingerprint="net") as gallery:
        gallery.add_many([f"p{i % 11}" for i in range(30)], rows)
        gallery.remove("p3", "p7")
        gallery.add("p3", rows[0])
        asked = gallery.search(rows, k=4)
        names = gallery.names
    again = Gallery.open(tmp_path)
    assert (again.dimension, again.fingerprint) == (8, "net")
    assert again.names == names
    assert again.generation == 3
    for before, after in zip(asked, again.search(rows, k=4), strict=True):
        np.testing.assert_array_equal(before, after)


def test_one_writer_and_readers_that_follow(tmp_path, small_blocks):
    writer = Gallery.open(tmp_path, dimension=8, fingerprint="net")
    with pytest.raises(GalleryLocked, match="only writer"):
        Gallery.open(tmp_path)
    reader = Gallery.open(tmp_path, read_only=True)
    assert not reader.refresh()
    for i in range(17):
        writer.add(f"p{i}", np.eye(8)[i % 8])
        assert reader.names == writer.names
    writer.remove("p4")
    assert reader.search(np.eye(8)[4])[1].tolist() == [["p12"]]
    assert reader.num_embeddings == 16
    assert reader.generation == writer.generation
    with pytest.raises(ValueError, match="read only"):
        reader.add("Eve", np.ones(8))
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.remove("p5")
    Gallery.open(tmp_path).remove("p5")
    assert "p5" not in reader


def test_another_embedder_is_refused(tmp_path):
    Gallery.open(tmp_path, dimension=8, fingerprint="net").close()
    with pytest.raises(ValueError, match=r"'other'.*'net'"):
        Gallery.open(tmp_path, fingerprint="other")
    with pytest.raises(ValueError, match=r"length 16.*length 8"):
        Gallery.open(tmp_path, dimension=16)
    Gallery.open(tmp_path, dimension=8, fingerprint="net").close()


def test_no_gallery_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="dimension"):
        Gallery.open(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="gallery"):
        Gallery.open(tmp_path / "none", dimension=8, fingerprint="", read_only=True)
    with pytest.raises(ValueError, match="dimension"):
        Gallery.open(tmp_path / "none", dimension=0, fingerprint="")
    assert not (tmp_path / "none").exists()


def test_adding_one_person_writes_little(tmp_path):
    gallery = Gallery.open(tmp_path, dimension=64, fingerprint="net")
    gallery.add_many([f"p{i}" for i in range(20_000)], _normal(20_000, 64))
    before = _written()
    gallery.add("Ada", _normal(64))
    assert _written() - before < 20_000


def _written() -> int:
    """Return how many bytes this process wrote so far."""
    path = "/proc/self/io"
    if not os.path.exists(path):
        pytest.skip("this system does not count written bytes")
    with open(path) as file:
        return int(dict(line.split(": ") for line in file)["wchar"])


def test_no_tensorflow():
    code = (
        "import sys, numpy; from tftransfer import face;"
        "face.Gallery(2).search(numpy.ones(2)); face.roc([1, 0], [1, 0]);"
        "face.ten_fold_accuracy([1, 0] * 4, [1, 0] * 4, 2); face.SimilarityCalibration;"
        "face.rank_k([['a']], ['a']); face.read_lfw_pairs;"
        "heavy = {'tensorflow', 'keras', 'faiss', 'cryptography'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
