import json

import pytest

import tftransfer as tft
from tests.finetune.pictures import three_classes
from tftransfer.comparison import Comparison


def rows(strategy, accuracies, per_class=None):
    return [
        {
            "strategy": strategy,
            "per_class": per_class,
            "pictures": 30,
            "seed": seed,
            "accuracy": accuracy,
            "seconds": 1.0,
        }
        for seed, accuracy in enumerate(accuracies)
    ]


@pytest.mark.slow
def test_runs_every_strategy_at_every_size(tmp_path):
    found = tft.compare(
        tft.Backbone("tiny"),
        three_classes(60),
        three_classes(60, seed=1),
        sizes=(4, None),
        seeds=[3],
        epochs=1,
        head_epochs=2,
        progress=False,
    )
    keys = {(r["strategy"], r["per_class"], r["seed"]) for r in found.rows}
    assert len(keys) == len(found.rows) == 3 * 2
    assert {r["pictures"] for r in found.rows} == {12, 60}
    assert all(0 <= r["accuracy"] <= 1 for r in found.rows)
    probe = [r["accuracy"] for r in found.rows if r["strategy"] == "probe"]
    assert max(probe) > 0.8
    json.dumps(found.to_json())
    assert found.plot(tmp_path / "plot.png").stat().st_size > 5000
    assert found.table().count("\n") == 3


def test_runs_every_seed_and_leaves_the_backbone_as_it_was():
    backbone = tft.Backbone("tiny")
    before = backbone.fingerprint()
    found = tft.compare(
        backbone,
        three_classes(12),
        three_classes(12, seed=1),
        strategies=["fine_tune"],
        seeds=[3, 5],
        epochs=1,
        head_epochs=1,
        progress=False,
    )
    assert [row["seed"] for row in found.rows] == [3, 5]
    assert backbone.fingerprint() == before


def test_mean_spread_and_table():
    found = Comparison(rows("scratch", [0.5, 0.6]) + rows("probe", [0.9, 0.9]), 100)
    first, second = found.summary()
    assert first["mean"] == pytest.approx(0.55)
    assert first["spread"] == pytest.approx(0.0707, abs=1e-4)
    assert second["spread"] == 0.0
    assert "| all (30 pictures) | 55.0 ± 7.1 % | 90.0 ± 0.0 % |" in found.table()


@pytest.mark.parametrize(
    ("scratch", "probe", "said"),
    [
        ([0.5, 0.52], [0.9, 0.91], "transfer paid"),
        ([0.9, 0.91], [0.5, 0.52], "did NOT pay (negative transfer)"),
        ([0.8, 0.9], [0.84, 0.88], "no clear difference"),
    ],
)
def test_the_verdict_is_plain(scratch, probe, said):
    found = Comparison(rows("scratch", scratch) + rows("probe", probe), 100)
    assert said in found.verdict


def test_bad_arguments_raise():
    data = three_classes(12)
    options = {"seeds": 1, "progress": False}
    backbone = tft.Backbone("tiny")
    with pytest.raises(ValueError, match="strategies"):
        tft.compare(backbone, data, data, strategies=["zero"], **options)
    with pytest.raises(ValueError, match="smallest class"):
        tft.compare(backbone, data, data, sizes=[5], **options)
    with pytest.raises(ValueError, match="labelled"):
        tft.compare(backbone, data[0], data, **options)
    x, y = data
    with pytest.raises(ValueError, match="among the training labels"):
        tft.compare(backbone, (x[y < 2], y[y < 2]), data, **options)
