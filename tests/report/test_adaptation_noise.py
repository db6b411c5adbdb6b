"""How far scores move when their pictures are drawn anew."""

import numpy as np
import pytest
from scipy.special import softmax

from tftransfer.domain import answer_information
from tftransfer.domain import dev_risk
from tftransfer.domain import reweighted_risk
from tftransfer.domain import soft_neighbourhood_density
from tftransfer.domain import target_entropy
from tftransfer.domain.carried import VALIDATORS
from tftransfer.report import adaptation_noise
from tftransfer.report.adaptation_noise import ScoredRows
from tftransfer.report.adaptation_noise import gain_interval
from tftransfer.report.adaptation_noise import least_gain


def rows(seed=0, sharp=2.0, held=40, validated=50):
    rng = np.random.default_rng(seed)
    return ScoredRows(
        softmax(sharp * rng.normal(size=(held, 4)), axis=1),
        (rng.random(validated) < 0.4).astype(float),
        rng.gamma(2.0, 0.5, validated),
    )


_SCORES = {
    "information": lambda found: answer_information(found.probabilities),
    "entropy": lambda found: target_entropy(found.probabilities),
    "snd": lambda found: soft_neighbourhood_density(found.probabilities),
    "iwv": lambda found: reweighted_risk(found.mistakes, found.weights),
    "dev": lambda found: dev_risk(found.mistakes, found.weights),
}


def test_every_validator_has_its_noise():
    assert set(_SCORES) == set(VALIDATORS) == set(adaptation_noise._RESAMPLED)
    better = {name for name, sign in VALIDATORS.items() if sign < 0}
    assert better == set(adaptation_noise._LOWER_IS_BETTER)


@pytest.mark.parametrize("name", _SCORES)
def test_equal_shares_give_the_score_itself(name):
    found = rows()
    count = 50 if name in ("iwv", "dev") else 40
    shares = np.full((1, count), 1 / count)
    received = adaptation_noise._RESAMPLED[name](found, shares)
    assert received[0] == pytest.approx(_SCORES[name](found))


@pytest.mark.parametrize("name", ["information", "entropy", "iwv", "dev"])
def test_the_interval_is_that_of_rows_drawn_with_repeats(name):
    """By hand: rows drawn, both scored anew."""
    before, after = rows(0), rows(1, sharp=4.0)
    score, sign = _SCORES[name], VALIDATORS[name]
    rng, gains = np.random.default_rng(1), []
    for _ in range(600):
        target, source = rng.integers(0, 40, 40), rng.integers(0, 50, 50)
        one, other = (
            ScoredRows(
                found.probabilities[target],
                found.mistakes[source],
                found.weights[source],
            )
            for found in (before, after)
        )
        gains.append(sign * (score(other) - score(one)))
    gain = sign * (score(after) - score(before))
    received = gain_interval(name, gain, before, after)
    expected = np.quantile(gains, [0.025, 0.975])
    np.testing.assert_allclose(received, expected, atol=0.15 * np.ptp(expected))
    assert received == gain_interval(name, gain, before, after)


@pytest.mark.parametrize("name", _SCORES)
def test_one_net_against_itself_has_no_noise(name):
    assert gain_interval(name, 0.5, rows(), rows()) == (0.5, 0.5)


def test_equal_weights_leave_dev_the_plain_risk():
    found = rows()
    plain = ScoredRows(found.probabilities, found.mistakes, np.ones(50))
    shares = np.random.default_rng(0).dirichlet(np.ones(50), 3)
    received = adaptation_noise._RESAMPLED["dev"](plain, shares)
    np.testing.assert_allclose(received, shares @ found.mistakes)


def test_the_floor_is_a_thousandth_of_the_range():
    assert least_gain("information", rows()) == pytest.approx(np.log(4) / 1000)
    assert least_gain("snd", rows()) == pytest.approx(np.log(39) / 1000)
    assert least_gain("dev", rows()) == pytest.approx(0.001)
