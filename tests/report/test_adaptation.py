"""What is said of an adaptation, and what of it is drawn."""

import types

import numpy as np
import pytest

from tftransfer.report.adaptation import _choice
from tftransfer.report.adaptation import comparison_rows
from tftransfer.report.adaptation_verdict import judge_adaptation
from tftransfer.report.adaptation_verdict import other_choices
from tftransfer.report.domain_drawing import draw_choice
from tftransfer.report.domain_drawing import draw_discriminator
from tftransfer.report.domain_drawing import draw_domains
from tftransfer.report.domains import DomainFacts


def facts(right=60, information=1.0, dev=0.3, labelled=True):
    """Of a classifier that has the first `right` of 100 target pictures right."""
    target_right = np.arange(100) < right
    features = np.random.default_rng(right).normal(size=(30, 4))
    scores = {"information": information, "snd": 2.0, "entropy": 0.5}
    return DomainFacts(
        source_right=np.arange(20) < 18,
        scores={**scores, "iwv": 0.2, "dev": dev},
        a_distance=1.5,
        predictions=np.where(target_right, 0, 1),
        confidence=np.full(100, 0.8),
        target_right=target_right if labelled else None,
        source_features=features,
        target_features=features + 1,
    )


def history(best=2, batch_norm="inference", **changed):
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
            validator="information", held_out=30, batch_norm=batch_norm
        ),
    )


@pytest.mark.parametrize(
    ("right", "warning", "words"),
    [
        (90, False, "Adaptation helped, and chance does not explain it"),
        (62, False, "It helped, but equally good"),
        (60, False, "made no difference"),
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
    said = "the saved net has the target's alone" in _choice(history(2, policy))
    assert said == (policy != "inference")
