"""What is said of an adaptation, and what of it is drawn."""

import types

import numpy as np
import pytest

from tftransfer.report.adaptation import _choice
from tftransfer.report.adaptation import comparison_rows
from tftransfer.report.adaptation_noise import ScoredRows
from tftransfer.report.adaptation_verdict import judge_adaptation
from tftransfer.report.adaptation_verdict import other_choices
from tftransfer.report.domain_bias import measure_bias
from tftransfer.report.domain_drawing import draw_choice
from tftransfer.report.domain_drawing import draw_discriminator
from tftransfer.report.domain_drawing import draw_domains
from tftransfer.report.domains import DomainFacts


def facts(right=60, information=1.0, dev=0.3, labelled=True, rows=None):
    """Of a classifier that has the first `right` of 100 target pictures right.

    `labelled`: whether these have labels, or which of them. The rows are the same for
    all, so that scores without labels are without noise.
    """
    target_right = np.arange(100) < right
    features = np.random.default_rng(right).normal(size=(30, 4))
    scores = {"information": information, "snd": 2.0, "entropy": 0.5}
    return DomainFacts(
        source_right=np.arange(20) < 18,
        scores={**scores, "iwv": 0.2, "dev": dev},
        a_distance=1.5,
        predictions=np.where(target_right, 0, 1),
        confidence=np.full(100, 0.8),
        target_right=target_right[labelled].ravel() if np.any(labelled) else None,
        source_features=features,
        target_features=features + 1,
        bias=measure_bias(
            (features, np.arange(30) % 2), features + 1, (features + 1, None)
        ),
        rows=rows or ScoredRows(np.eye(2)[[0, 1] * 15], np.zeros(20), np.ones(20)),
    )


def history(best=2, few=0, batch_norm="inference", **changed):
    start = {"val_information": 1.0, "val_snd": 2.0, "val_accuracy": 0.9}
    logged = {
        "val_information": [0.5, 2.0, 3.0],
        "val_snd": [1.0, 1.5, 9.0],
        "val_accuracy": [0.9, 0.9, 0.5],
        "val_score": [0.5, 2.0, np.nan],
    }
    return types.SimpleNamespace(
        start=start,
        history=logged | changed,
        best={"epoch": best},
        epoch=[0, 1, 2],
        plan=types.SimpleNamespace(
            validator="information",
            held_out=30,
            batch_norm=batch_norm,
            labelled_target=few,
        ),
    )


@pytest.mark.parametrize(
    ("right", "warning", "words"),
    [
        (90, False, "Adaptation helped, and chance does not explain it"),
        (62, False, "It helped, but equally good"),
        (30, True, "Adaptation hurt"),
    ],
)
def test_the_verdict_with_an_oracle(right, warning, words):
    after = facts(right, information=2.0, dev=0.4)
    verdict = judge_adaptation(facts(), after, history())
    assert verdict.adapted
    assert verdict.warning is warning
    assert words in verdict.text
    assert "adaptation helped by 'information'" in verdict.text
    assert verdict.better == ("information",)
    assert verdict.worse == ("dev",)
    assert "Against it: dev" in verdict.text
    assert verdict.oracle_gain == pytest.approx((right - 60) / 100)
    assert verdict.agreement == pytest.approx(1 - abs(right - 60) / 100)


def test_labels_that_the_adapted_one_had_are_told():
    pair = facts(labelled=False), facts(70, 2.0, labelled=False)
    told = "learned from 3 labelled pictures of the target, too"
    assert told in judge_adaptation(*pair, history(few=3)).text
    assert "learned" not in judge_adaptation(*pair, history()).text
    assert "learned" not in judge_adaptation(*pair, history(0, few=3)).text


def test_equal_answers_are_no_difference():
    verdict = judge_adaptation(facts(), facts(60, information=2.0), history())
    assert verdict.adapted
    assert verdict.no_difference
    assert verdict.warning
    assert "all 100 pictures of the target the same answer" in verdict.text
    assert "adaptation helped" not in verdict.text
    assert "0 before alone. It made no difference." in verdict.text


@pytest.mark.parametrize(
    ("information", "why"), [(1.0 + 2e-12, "below 0.00069, 0.1%"), (1.01, "noise")]
)
@pytest.mark.parametrize(("right", "warning"), [(62, True), (90, False)])
def test_a_gain_that_noise_explains_is_none(information, why, right, warning):
    """Of thirty answers half became surer and half less sure, or none moved."""
    sure, surer = np.array([[[0.9, 0.1], [0.1, 0.9]], [[0.95, 0.05], [0.05, 0.95]]])
    less = np.array([[0.8, 0.2], [0.2, 0.8]])
    moved = [*np.tile(surer, (8, 1)), *np.tile(less, (7, 1))]
    answers = np.array(moved) if why == "noise" else np.tile(sure, (15, 1))
    none = np.zeros(20), np.ones(20)
    before = facts(rows=ScoredRows(np.tile(sure, (15, 1)), *none))
    rows = ScoredRows(answers, *none)
    verdict = judge_adaptation(before, facts(right, information, rows=rows), history())
    assert verdict.no_difference
    assert "adaptation made no difference by 'information'" in verdict.text
    assert why in verdict.text
    assert verdict.warning is warning
    low, high = verdict.gain_interval
    assert (low < 0 < high) if why == "noise" else low == high


def test_the_verdict_without_an_oracle_and_where_nothing_was_kept():
    pair = facts(labelled=False), facts(70, 2.0, labelled=False)
    verdict = judge_adaptation(*pair, history())
    assert (verdict.oracle_gain, verdict.warning) == (None, False)
    assert "oracle" not in verdict.text
    lower = history(0, val_information=[0.1] * 3, val_snd=[1.0, 9.0, 1.0])
    verdict = judge_adaptation(facts(), facts(), lower)
    assert verdict.warning
    assert not verdict.adapted
    assert "did not help" in verdict.text
    assert "snd epoch 2" in verdict.text
    assert "the same weights" in verdict.text


def test_an_oracle_of_some_pictures_says_of_how_many():
    some = np.arange(100) < 80
    pair = facts(labelled=some), facts(70, 2.0, labelled=some)
    verdict = judge_adaptation(*pair, history())
    assert "75.0% of the 80 pictures with a label, of 100, right" in verdict.text
    assert verdict.oracle_gain == pytest.approx(10 / 80)
    assert pair[1].numbers()["oracle_pictures"] == 80


def test_other_validators_choose_among_the_epochs_that_may_be_chosen():
    assert other_choices(history()) == {"snd": 0}


def test_the_table_names_the_oracle_only_where_there_is_one():
    found = {"source-only": facts(), "adapted": facts(80)}
    rows = comparison_rows(found)
    assert rows[0] == ["", "source-only", "adapted"]
    assert rows[-1][0].startswith("oracle")
    assert rows[-1][1].startswith("60.0% (50.2% to")
    rows = comparison_rows({k: facts(labelled=False) for k in found})
    assert not any("oracle" in row[0] for row in rows)


def test_what_is_drawn():
    chosen = draw_choice(history().start, history().history, 2, "information")
    assert chosen.index("information of the answers") < chosen.index("density")
    assert "dev" not in chosen
    assert "guessing" in draw_discriminator([0.9])
    drawn = draw_domains({"before": (facts().source_features, np.ones((3, 4)))})
    assert "source" in drawn
    assert "target" in drawn


@pytest.mark.parametrize("policy", ["inference", "separate", "specific"])
def test_the_report_says_whose_averages_the_saved_net_has(policy):
    said = "the saved net has the target's alone" in _choice(
        history(2, batch_norm=policy)
    )
    assert said == (policy != "inference")
