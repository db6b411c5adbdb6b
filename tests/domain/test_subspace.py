import numpy as np
import pytest
from scipy.integrate import quad_vec
from scipy.linalg import subspace_angles

from tests.domain.rows import two_domains
from tftransfer.domain import GFK
from tftransfer.domain import SubspaceAlignment
from tftransfer.domain.geodesic import disagreement
from tftransfer.domain.geodesic import flow_blocks
from tftransfer.domain.geodesic import flow_factor
from tftransfer.domain.geodesic import principal_basis
from tftransfer.domain.geodesic import principal_vectors


def _bases(d=9, k=3, seed=0):
    generator = np.random.default_rng(seed)
    return [np.linalg.qr(generator.normal(size=(d, k)))[0] for _ in range(2)]


def _integrated_kernel(source, target):
    # The authors' definition: complement of the source, Phi(t) by the matrix sines.
    d, k = source.shape
    rest = np.linalg.qr(np.hstack([source, np.eye(d)]))[0][:, k:]
    U, cosines, Vt = np.linalg.svd(source.T @ target)
    angles = np.arccos(np.clip(cosines, -1, 1))
    sines = np.where(np.sin(angles) > 1e-7, np.sin(angles), 1)
    turned = -(rest.T @ target @ Vt.T) / sines

    def outer(t):
        flow = source @ U * np.cos(t * angles) - rest @ turned * np.sin(t * angles)
        return flow @ flow.T

    return quad_vec(outer, 0, 1, epsabs=1e-13)[0]


@pytest.mark.parametrize(("d", "k"), [(9, 3), (20, 10), (40, 1)])
def test_kernel_is_the_integral_over_the_geodesic(d, k):
    source, target = _bases(d, k)
    factor = flow_factor(source, target)
    assert factor.shape == (d, 2 * k)
    np.testing.assert_allclose(
        factor @ factor.T, _integrated_kernel(source, target), atol=1e-12
    )


def test_geodesic_ends_in_both_subspaces():
    source, target = _bases()
    A, B, angles = principal_vectors(source, target)
    np.testing.assert_allclose(angles[::-1], subspace_angles(source, target))
    end = A * np.cos(angles) - B * np.sin(angles)
    np.testing.assert_allclose(A @ A.T, source @ source.T, atol=1e-12)
    np.testing.assert_allclose(end @ end.T, target @ target.T, atol=1e-12)


def test_equal_subspaces_give_the_projection():
    source, _ = _bases()
    factor = flow_factor(source, source)
    np.testing.assert_allclose(factor @ factor.T, source @ source.T, atol=1e-12)


@pytest.mark.parametrize("angle", [1e-9, 1e-6, 1e-4, 9.9e-4, 1.01e-3])
def test_tiny_angles_keep_their_digits(angle):
    source = np.eye(4)[:, :1]
    target = np.array([[np.cos(angle)], [np.sin(angle)], [0], [0]])
    measured = principal_vectors(source, target)[2]
    np.testing.assert_allclose(measured, [angle], rtol=1e-6)
    blocks = flow_blocks(np.array([angle]))[0]
    np.testing.assert_allclose(blocks[0, 1], -angle / 2, rtol=1e-5)
    np.testing.assert_allclose(blocks[1, 1], angle**2 / 3, rtol=1e-5)
    assert np.all(np.isfinite(flow_factor(source, target)))


def test_blocks_are_continuous_and_semidefinite():
    angles = np.linspace(0, np.pi / 2, 400)
    blocks = flow_blocks(angles)
    assert np.linalg.eigvalsh(blocks).min() > -1e-15
    np.testing.assert_allclose(blocks[0], [[1, 0], [0, 0]])
    assert np.abs(np.diff(blocks, axis=0)).max() < 0.01


def test_distances_in_the_space_are_those_of_the_kernel():
    X, _, X_target, _ = two_domains(d=8)
    gfk = GFK(3).fit(X, X_target=X_target)
    a, b = gfk.transform(X, domain="source"), gfk.transform(X_target)
    G = gfk.kernel_
    np.testing.assert_allclose(a @ b.T, X @ G @ X_target.T, atol=1e-10)
    root = np.linalg.eigh(G)
    root = (root[1] * np.sqrt(np.maximum(root[0], 0))) @ root[1].T
    received = np.linalg.norm(a[:, None] - b, axis=-1)
    expected = np.linalg.norm(X[:, None] @ root - X_target @ root, axis=-1)
    np.testing.assert_allclose(received, expected, atol=1e-6)


def test_auto_is_the_first_dimension_where_the_disagreement_reaches_one():
    generator = np.random.default_rng(3)
    common = np.diag([9, 8, 7, *np.full(17, 0.5)])
    turned = np.linalg.qr(generator.normal(size=(20, 20)))[0]
    X = generator.normal(size=(300, 20)) @ common
    X_target = generator.normal(size=(200, 20)) @ common
    X[:, 3:] += generator.normal(size=(300, 1)) * 6 * turned[0, 3:]
    X_target[:, 3:] += generator.normal(size=(200, 1)) * 6 * turned[1, 3:]
    gfk = GFK().fit(X, X_target=X_target)
    bases = [np.linalg.svd(r - r.mean(0))[2].T for r in (X, X_target)]
    joint = np.vstack([X, X_target])
    joint = np.linalg.svd(joint - joint.mean(0))[2].T
    expected = []
    for k in range(1, 11):
        angles = [subspace_angles(basis[:, :k], joint[:, :k])[0] for basis in bases]
        expected.append(np.sin(angles).mean())
    whole = disagreement(*(b[:, :10] for b in (*bases, joint)))
    np.testing.assert_allclose(whole, expected, atol=1e-7)
    reached = np.flatnonzero(np.array(expected) >= 0.995)
    first = (reached[0] if len(reached) else np.argmax(expected)) + 1
    assert gfk.n_components_ == first
    np.testing.assert_allclose(gfk.disagreement_, expected[: len(gfk.disagreement_)])


@pytest.mark.parametrize("shape", [(50, 8), (12, 30), (10, 10)])
def test_basis_is_that_of_the_svd(shape):
    rows = np.random.default_rng(0).normal(size=shape) * np.linspace(1, 4, shape[1])
    basis = principal_basis(rows, 4)
    expected = np.linalg.svd(rows - rows.mean(axis=0))[2][:4].T
    np.testing.assert_allclose(np.abs(basis.T @ expected), np.eye(4), atol=1e-8)


def test_wide_data_make_no_square_matrix(monkeypatch):
    # 300 rows of 30,000 features: one 30,000 x 30,000 matrix would be 7 GB.
    generator = np.random.default_rng(0)
    X, X_target = generator.normal(size=(2, 60, 30_000)).astype(np.float32)
    Z = GFK(5).fit(X, X_target=X_target).transform(X_target)
    assert Z.shape == (60, 10)
    assert Z.dtype == np.float32


def test_lanczos_finds_the_same_subspace(monkeypatch):
    import tftransfer.domain.geodesic as geodesic

    rows = np.random.default_rng(0).normal(size=(90, 60)) * np.linspace(1, 9, 60)
    direct = geodesic.principal_basis(rows, 5)
    monkeypatch.setattr(geodesic, "_LARGEST_GRAM", 10)
    other = geodesic.principal_basis(rows, 5)
    np.testing.assert_allclose(other @ other.T, direct @ direct.T, atol=1e-8)


def test_alignment_equals_the_papers_matrices():
    X, _, X_target, _ = two_domains(d=8)
    aligner = SubspaceAlignment(3).fit(X, X_target=X_target)
    source = np.linalg.svd(X - X.mean(0))[2][:3].T
    target = np.linalg.svd(X_target - X_target.mean(0))[2][:3].T
    a, b = aligner.transform(X, domain="source"), aligner.transform(X_target)
    expected = (X - X.mean(0)) @ source @ source.T @ target
    # Signs of directions are free: compare inner products.
    expected = expected @ ((X_target - X_target.mean(0)) @ target).T
    np.testing.assert_allclose(a @ b.T, expected, atol=1e-9)


def test_too_many_components_raise():
    X, _, X_target, _ = two_domains(d=6)
    with pytest.raises(ValueError, match=r"1 to 3, as the data allow. Received: 4"):
        GFK(4).fit(X, X_target=X_target)
    with pytest.raises(TypeError, match="`n_components` to be an int"):
        GFK("many").fit(X, X_target=X_target)
    with pytest.raises(ValueError, match=r"1 to 6, as the data allow. Received: 7"):
        SubspaceAlignment(7).fit(X, X_target=X_target)
    with pytest.raises(ValueError, match="Expected 2 or more features"):
        GFK(1).fit(X[:, :1], X_target=X_target[:, :1])


def test_another_fit_leaves_nothing_of_the_one_before():
    X, _, X_target, _ = two_domains()
    gfk = GFK().fit(X, X_target=X_target)
    assert len(gfk.disagreement_)
    gfk.set_params(n_components=2).fit(X, X_target=X_target)
    assert not hasattr(gfk, "disagreement_")
