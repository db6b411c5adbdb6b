import json
import shutil

import keras
import pytest

from tests.cli.conftest import TINY


def test_writes_model_report_card_and_numbers(trained):
    results = json.loads((trained / "results.json").read_text())
    assert results["accuracy"] > 0.6
    assert results["class_names"] == ["across", "block", "upright"]
    assert results["settings"]["backbone"] == "tiny"
    assert len(results["history"]["val_accuracy"]) == 10
    assert "<svg" in (trained / "report.html").read_text()
    assert "Preprocessing" in (trained / "model_card.md").read_text()
    assert not list(trained.glob(".part*"))
    model = keras.saving.load_model(trained / "model.keras")
    assert list(model.class_names) == results["class_names"]


def test_json_is_one_document(run, pictures, tmp_path):
    result = run(
        *("train", pictures, *TINY, "--epochs", 0, "--head-epochs", 1, "--json"),
        *("--out", tmp_path / "run", "--export", tmp_path / "saved" / "shapes"),
    )
    document = json.loads(result.stdout)
    assert document["validation_pictures"] == 6
    assert (tmp_path / "saved" / "shapes" / "1" / "saved_model.pb").exists()


def test_ctrl_c_keeps_a_model_and_the_same_command_goes_on(
    run, pictures, tmp_path, monkeypatch
):
    """The interrupt comes in the first epoch of the second phase."""
    out = tmp_path / "run"
    command = ["train", pictures, *TINY, "--epochs", 2, "--head-epochs", 1]
    command += ["--out", out]
    from tftransfer.cli import progress

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if self.params["epochs"] == 2:
                raise KeyboardInterrupt

        def stop(self):
            pass

    with monkeypatch.context() as patch:
        patch.setattr(progress, "training_bar", Interrupt)
        shown = run(*command, code=130).output
    assert "same command goes on" in shown
    assert keras.saving.load_model(out / "model.keras").num_classes == 3
    assert "goes on from" in run(*command).output
    history = json.loads((out / "results.json").read_text())["history"]
    assert len(history["loss"]) == 3


def test_errors_are_one_line(run, tmp_path):
    result = run("train", tmp_path / "absent", *TINY, code=1)
    assert result.output.count("\n") <= 2
    assert "error: Expected a folder of pictures" in result.output
    assert "Traceback" not in result.output


def test_debug_shows_the_error(tmp_path):
    from typer.testing import CliRunner

    from tftransfer.cli.main import app

    result = CliRunner().invoke(
        app, ["--debug", "train", str(tmp_path / "absent"), *TINY]
    )
    assert isinstance(result.exception, FileNotFoundError)


def test_a_broken_picture_is_named_and_left_out(run, pictures, tmp_path):
    folder = tmp_path / "shapes"
    shutil.copytree(pictures, folder)
    (folder / "block" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    result = run(
        *("train", folder, *TINY, "--epochs", 0, "--head-epochs", 1),
        *("--out", tmp_path / "run"),
    )
    assert "warning: Left out 1 unreadable" in result.output
    assert "broken.jpg" in result.output


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--class-weight", "heavy"], 2, "balanced"),
        (["--validation-split", "0"], 1, "validate"),
        (["--weights", "nowhere.h5"], 1, "nowhere.h5"),
        (["--augment", "much"], 1, "light"),
        (["--epochs", "0", "--head-epochs", "0"], 1, "not both 0"),
    ],
)
def test_bad_options(run, pictures, tmp_path, options, code, message):
    shown = run("train", pictures, *TINY, *options, "--out", tmp_path, code=code)
    assert message in shown.output
