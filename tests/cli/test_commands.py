import json
import shutil

import numpy as np
import pytest

from tests.cli.conftest import TINY


@pytest.fixture(scope="module")
def saved_model(trained, tmp_path_factory):
    from typer.testing import CliRunner

    from tftransfer.cli.main import app

    target = tmp_path_factory.mktemp("saved") / "shapes"
    result = CliRunner().invoke(app, ["export", str(trained), str(target), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["path"] == str(target / "1")
    return target


def test_predict_by_run_folder_file_and_saved_model(
    run, trained, saved_model, pictures
):
    answers = [
        json.loads(run("predict", model, pictures / "block", "--json").stdout)
        for model in (trained, trained / "model.keras", saved_model, saved_model / "1")
    ]
    assert len(answers[0]) == 12
    right = [a["predictions"][0]["label"] == "block" for a in answers[0]]
    assert np.mean(right) > 0.6
    for found in answers[1:]:
        for first, other in zip(answers[0], found, strict=True):
            assert first["path"] == other["path"]
            assert first["predictions"][0]["label"] == other["predictions"][0]["label"]
            assert first["predictions"][0]["score"] == pytest.approx(
                other["predictions"][0]["score"], abs=1e-4
            )


@pytest.mark.parametrize("kind", ["keras", "saved_model"])
def test_a_broken_picture_fails_alone(
    run, trained, saved_model, pictures, tmp_path, kind
):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    good = sorted((pictures / "across").iterdir())[0]
    model = trained if kind == "keras" else saved_model
    result = run(
        *("predict", model, good, broken, tmp_path / "absent.jpg", "--json"), code=1
    )
    first, second, third = json.loads(result.stdout)
    assert len(first["predictions"]) == 3
    assert second["error"]
    assert third["error"]


def test_predict_as_text(run, trained, pictures):
    picture = sorted((pictures / "across").iterdir())[0]
    shown = run("predict", trained, picture, "--top-k", 1).stdout
    assert shown.startswith(str(picture))
    assert shown.count("%") == 1


def test_predict_without_model_or_pictures(run, trained, tmp_path, pictures):
    assert "does not exist" in run("predict", "no.keras", pictures, code=1).output
    (tmp_path / "empty").mkdir()
    for command in ("predict", "export"):
        shown = run(command, tmp_path / "empty", pictures / "block", code=1).output
        assert "tftransfer train" in shown
    picture = sorted((pictures / "block").iterdir())[0]
    assert "a .keras file" in run("predict", picture, picture, code=1).output
    shown = run("predict", trained, tmp_path / "empty", code=1).output
    assert "Expected pictures in" in shown


def test_features(run, pictures, tmp_path):
    out = tmp_path / "features.npz"
    run("features", pictures, *TINY, "--out", out, "--normalize", "--augment", "flip")
    with np.load(out) as found:
        assert found["features"].shape == (36, 128)
        lengths = np.linalg.norm(found["features"], axis=1)
        np.testing.assert_allclose(lengths, 1, rtol=1e-5)
        assert found["class_names"].tolist() == ["across", "block", "upright"]
        assert len(found["paths"]) == len(found["labels"]) == 36


def test_features_of_a_folder_without_classes(run, pictures, tmp_path):
    out = tmp_path / "features.npz"
    result = run("features", pictures / "block", *TINY, "--out", out, "--json")
    assert json.loads(result.stdout)["shape"] == [12, 128]
    with np.load(out) as found:
        assert "labels" not in found.files


def test_features_leave_a_broken_picture_out(run, pictures, tmp_path):
    folder = tmp_path / "flat"
    shutil.copytree(pictures / "block", folder)
    (folder / "broken.png").write_bytes(b"nothing")
    out = tmp_path / "[features].npz"
    result = run("features", folder, *TINY, "--out", out)
    assert f"12 pictures, 128 features each: {out}" in result.output
    assert "warning: Left out 1 unreadable pictures:" in result.output
    with np.load(out) as found:
        assert not any(path.endswith("broken.png") for path in found["paths"])
    for path in folder.iterdir():
        path.write_bytes(b"nothing")
    assert "Received none" in run("features", folder, *TINY, code=1).output


def test_compare(run, pictures, tmp_path):
    result = run(
        *("compare", pictures, *TINY, "--strategies", "probe", "--seeds", 2),
        *("--sizes", "4, all", "--epochs", 1, "--out", tmp_path, "--json"),
    )
    document = json.loads(result.stdout)
    assert [row["per_class"] for row in document["rows"]] == [4, 4, None, None]
    assert document["verdict"]
    assert (tmp_path / "comparison.png").stat().st_size > 5000
    assert json.loads((tmp_path / "comparison.json").read_text())["rows"]
    assert "--sizes" in run("compare", pictures, "--sizes", "few", code=2).output


def test_lr_find(run, pictures, tmp_path):
    out = tmp_path / "rates.png"
    result = run("lr-find", pictures, *TINY, "--steps", 20, "--out", out, "--json")
    assert 1e-6 < json.loads(result.stdout)["suggestion"] < 1
    assert out.stat().st_size > 5000


def test_export_refuses_an_existing_version(run, trained, saved_model):
    shown = run("export", trained, saved_model / "1", code=1).output
    assert str(saved_model / "2") in shown.replace("\n", "")


@pytest.mark.slow
def test_demo(run, tmp_path):
    shown = run("demo", "--out", tmp_path).stdout
    assert "transfer paid" in shown
    assert "it is 0" in shown
    assert (tmp_path / "saved_models" / "digits" / "1" / "saved_model.pb").exists()
    assert "<svg" in (tmp_path / "report.html").read_text()
