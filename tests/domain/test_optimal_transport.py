import sys

import numpy as np
import pytest

from tests.domain.rows import two_domains
from tftransfer.domain import AdaptedClassifier
from tftransfer.domain import OptimalTransport


@pytest.fixture
def _pot():
    pytest.importorskip("ot", reason="POT is not installed: pip install '.[ot]'")


@pytest.mark.usefixtures("_pot")
def test_exact_plan_moves_rows_to_their_partners():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(20, 3))
    order = generator.permutation(20)
    X_target = X[order] + 0.01
    moved = OptimalTransport(0.0).fit_transform(X, X_target=X_target)
    np.testing.assert_allclose(moved, X + 0.01, atol=1e-9)


@pytest.mark.usefixtures("_pot")
def test_entropic_plan_is_the_fixed_point_of_sinkhorn():
    X, _, X_target, _ = two_domains(12, 9)
    cost = np.array([[np.sum((x - z) ** 2) for z in X_target] for x in X])
    kernel = np.exp(-cost / np.median(cost) / 0.5)
    v = np.ones(9)
    for _ in range(2000):
        u = (1 / 12) / (kernel @ v)
        v = (1 / 9) / (kernel.T @ u)
    plan = u[:, None] * kernel * v
    model = OptimalTransport(0.5).fit(X, X_target=X_target)
    np.testing.assert_allclose(model.transport_.coupling_, plan, atol=1e-6)
    moved = model.transform(X, domain="source")
    np.testing.assert_allclose(moved, 12 * plan @ X_target, atol=1e-3)
    np.testing.assert_array_equal(model.transform(X_target), X_target)


@pytest.mark.usefixtures("_pot")
@pytest.mark.parametrize("strength", [0.0, 0.03])
def test_transport_helps_on_a_shift(strength):
    X, y, X_target, y_target = two_domains(shift=5.0)
    alone = AdaptedClassifier().fit(X, y).score(X_target, y_target)
    model = AdaptedClassifier(OptimalTransport(class_regularization=strength))
    model.fit(X, y, X_target=X_target)
    assert model.score(X_target, y_target) > max(0.9, alone)


@pytest.mark.usefixtures("_pot")
@pytest.mark.parametrize("entropy", [0.0, 0.1, 1.0])
def test_rows_not_seen_in_fit_move_as_their_nearest_row(entropy):
    X, _, X_target, _ = two_domains()
    model = OptimalTransport(entropy).fit(X, X_target=X_target)
    shifts = model.transform(X, domain="source") - X
    asked = X[:9] + 2 * np.random.default_rng(1).normal(size=(9, 6))
    nearest = np.argmin(((asked[:, None] - X) ** 2).sum(axis=-1), axis=1)
    moved = model.transform(asked, domain="source")
    np.testing.assert_allclose(moved, asked + shifts[nearest], atol=1e-9)


@pytest.mark.usefixtures("_pot")
def test_a_row_far_out_is_moved_among_the_targets():
    X, y, X_target, _ = two_domains()
    X[7] *= 30
    model = AdaptedClassifier(OptimalTransport()).fit(X, y, X_target=X_target)
    moved = model.embed(X, domain="source")
    assert np.all(moved.max(axis=0) <= X_target.max(axis=0) + 1e-9)
    assert np.all(np.isfinite(model.embed(X[7:8] * 2, domain="source")))


@pytest.mark.usefixtures("_pot")
@pytest.mark.filterwarnings("ignore")  # POT's and NumPy's, of the underflow itself
def test_a_plan_that_underflowed_is_an_error():
    X, y, X_target, _ = two_domains()
    model = OptimalTransport(1e-4, class_regularization=0.1)
    with pytest.raises(ValueError, match=r"with regularization=0.0001. Raise it"):
        model.fit(X, y, X_target=X_target)
    same = np.ones((20, 3))
    with pytest.raises(ValueError, match="none for 20 of 20 rows"):
        OptimalTransport().fit(same, X_target=same)


@pytest.mark.usefixtures("_pot")
def test_mapped_target_rows_are_the_callers_no_more():
    X, _, X_target, _ = two_domains()
    mapped = OptimalTransport().fit(X, X_target=X_target).transform(X_target)
    assert not np.shares_memory(mapped, X_target)


def test_class_regularisation_needs_labels():
    X, _, X_target, _ = two_domains()
    model = OptimalTransport(class_regularization=0.1)
    with pytest.raises(ValueError, match="Received: y absent"):
        model.fit(X, X_target=X_target)


def test_absent_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ot", None)
    X, _, X_target, _ = two_domains()
    with pytest.raises(ImportError, match=r"pip install 'tftransfer\[ot\]'"):
        OptimalTransport().fit(X, X_target=X_target)
