import numpy as np
import pytest

from tftransfer.features import Retrieval


@pytest.fixture
def features():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(24, 9)) + 3 * np.eye(3, 9).repeat(8, axis=0)).astype("f4")


LABELS = np.repeat(["a", "b", "c"], 8)


@pytest.mark.parametrize("whiten", [None, 4])
def test_query_ranks_by_cosine_similarity(features, whiten):
    index = Retrieval(None, whiten=whiten).index(features)
    np.testing.assert_allclose(np.linalg.norm(index.embeddings_, axis=1), 1, rtol=1e-5)
    indices, similarities = index.query(features[[5, 17]], k=3)
    np.testing.assert_array_equal(indices[:, 0], [5, 17])
    np.testing.assert_allclose(similarities[:, 0], 1, atol=1e-5)
    for row, i in enumerate([5, 17]):
        cosines = [index.embeddings_[i] @ other for other in index.embeddings_]
        np.testing.assert_allclose(
            similarities[row], sorted(cosines, reverse=True)[:3], atol=1e-5
        )


def test_k_beyond_the_index_returns_all(features):
    assert Retrieval(None).index(features).query(features[0], k=99)[0].shape == (1, 24)


def test_evaluate_finds_separate_classes(features):
    centred = features + 20 * np.eye(3, 9).repeat(8, axis=0).astype("f4")
    scores = Retrieval(None).index(centred).evaluate(LABELS)
    assert scores == {"mAP": 1, "recall@1": 1, "recall@5": 1, "4xRecall@4": 4}
    other = Retrieval(None).index(centred)
    queried = other.evaluate(LABELS, images=centred[:3], query_labels=LABELS[:3])
    assert queried["mAP"] == 1.0


@pytest.mark.parametrize("whiten", [None, 4])
@pytest.mark.parametrize("items", [None, [f"picture {i}" for i in range(24)]])
def test_save_and_load_without_pickle(features, whiten, items, tmp_path):
    index = Retrieval(None, whiten=whiten).index(features, items=items)
    index.save(tmp_path / "index.npz")
    loaded = Retrieval.load(tmp_path / "index.npz")
    assert loaded.items_ == index.items_
    assert loaded.whiten == whiten
    for received, expected in zip(loaded.query(features, 5), index.query(features, 5)):
        np.testing.assert_array_equal(received, expected)


def test_a_damaged_file_raises(tmp_path):
    (tmp_path / "index.npz").write_bytes(b"not an index")
    with pytest.raises(ValueError, match=r"written by `Retrieval.save`"):
        Retrieval.load(tmp_path / "index.npz")
    with pytest.raises(FileNotFoundError):
        Retrieval.load(tmp_path / "absent.npz")


def test_what_cannot_work_raises(features):
    with pytest.raises(RuntimeError, match="Call `index"):
        Retrieval(None).query(features)
    with pytest.raises(ValueError, match="no extractor"):
        Retrieval(None).index(["a.jpg"])
    with pytest.raises(ValueError, match="features of length 9"):
        Retrieval(None, whiten=3).index(features).query(features[:, :5])
    with pytest.raises(ValueError, match="`k` of 1 or more"):
        Retrieval(None).index(features).query(features, k=0)
    with pytest.raises(ValueError, match="finite"):
        Retrieval(None).index(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="Expected `whiten`"):
        Retrieval(None, whiten=0)
    with pytest.raises(ValueError, match=r"As many|as many"):
        Retrieval(None).index(features, items=["one"])
