import numpy as np
import pytest

from tftransfer.distillation import match_class_prior


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(0, 6, (500, 5)).astype("float32")


def _probabilities(logits):
    odds = [[np.exp(value) for value in row] for row in np.asarray(logits, "float64")]
    return np.array([[value / sum(row) for value in row] for row in odds])


@pytest.mark.parametrize("prior", [1e-4, 0.3, 0.99])
def test_the_mean_probability_of_the_class_becomes_its_prior(logits, prior):
    biases = match_class_prior(logits, 3, prior)
    assert biases.shape == (5,)
    assert biases.dtype == np.float32
    assert np.flatnonzero(biases).tolist() == [3]
    mass = _probabilities(logits + biases).mean(axis=0)[3]
    assert mass == pytest.approx(prior, rel=1e-4)


def test_several_classes_reach_their_priors_together(logits):
    biases = match_class_prior(logits, [4, 0, 1], [0.5, 0.05, 0.2])
    mass = _probabilities(logits + biases).mean(axis=0)
    np.testing.assert_allclose(mass[[4, 0, 1]], [0.5, 0.05, 0.2], atol=2e-6)
    assert biases[2] == biases[3] == 0


def test_bias_rises_with_the_prior(logits):
    biases = [match_class_prior(logits, 2, p)[2] for p in np.linspace(0.01, 0.99, 25)]
    assert (np.diff(biases) > 0).all()


def test_a_class_that_has_its_prior_keeps_its_bias(logits):
    prior = _probabilities(logits).mean(axis=0)[1]
    np.testing.assert_allclose(match_class_prior(logits, 1, prior), 0, atol=1e-6)


def test_a_shift_of_the_class_is_taken_back(logits):
    """What a transfer set without the class does to it, undone exactly."""
    prior = _probabilities(logits).mean(axis=0)[3]
    shifted = logits - 7.5 * np.eye(5)[3]
    assert match_class_prior(shifted, 3, prior)[3] == pytest.approx(7.5, abs=1e-4)


def test_a_constant_per_row_changes_nothing(logits):
    rows = np.random.default_rng(1).normal(0, 100, (500, 1))
    np.testing.assert_allclose(
        match_class_prior(logits + rows, 3, 0.2),
        match_class_prior(logits, 3, 0.2),
        rtol=1e-5,
    )


def test_scores_far_apart_do_not_overflow():
    logits = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [0.0, 0.0, 1e4]])
    biases = match_class_prior(logits, 0, 0.5)
    assert np.isfinite(biases).all()
    # The row of class 0 has it already; half of another one is needed beside it.
    assert biases[0] == pytest.approx(1e4, rel=1e-6)


@pytest.mark.parametrize(
    ("classes", "priors"),
    [
        (5, 0.1),
        (-1, 0.1),
        (1.0, 0.1),
        ([1, 1], [0.1, 0.1]),
        ([], []),
        ([0, 1, 2, 3, 4], [0.1] * 5),
        (1, 0.0),
        (1, 1.0),
        (1, float("nan")),
        ([1, 2], 0.1),
        ([1, 2], [0.5, 0.5]),
    ],
)
def test_impossible_classes_and_priors_are_refused(logits, classes, priors):
    with pytest.raises(ValueError, match="Expected"):
        match_class_prior(logits, classes, priors)


@pytest.mark.parametrize(
    "bad", [np.zeros(5), np.zeros((0, 5)), np.full((2, 5), np.nan)]
)
def test_logits_that_are_no_finite_matrix_are_refused(bad):
    with pytest.raises(ValueError, match="finite `logits`"):
        match_class_prior(bad, 1, 0.1)
