import json
import warnings

import pytest
import typer

from tftransfer.cli import console
from tftransfer.cli.guard import Interrupted
from tftransfer.cli.guard import guarded


def _ends(error, capsys):
    """Return the exit code and the lines on stderr of a command that raises."""

    @guarded
    def command():
        raise error

    with pytest.raises(typer.Exit) as ending:
        command()
    shown = capsys.readouterr()
    assert not shown.out
    return ending.value.exit_code, shown.err.splitlines()


def test_an_error_is_one_line_and_exit_code_1(capsys):
    code, lines = _ends(ValueError("Expected a [cat].\n  Received: a dog."), capsys)
    assert (code, lines) == (1, ["error: Expected a [cat]. Received: a dog."])


def test_a_strange_error_says_its_kind_and_a_long_one_is_cut(capsys):
    _, (line,) = _ends(KeyError("x"), capsys)
    assert line.startswith("error: KeyError: 'x'")
    assert "--debug" in line
    _, (line,) = _ends(ValueError("word " * 1000), capsys)
    assert len(line) < 1200
    assert "--debug" in line


def test_ctrl_c_is_130(capsys):
    code, lines = _ends(Interrupted("Go on so."), capsys)
    assert (code, lines) == (130, ["interrupted. Go on so."])
    assert _ends(KeyboardInterrupt(), capsys) == (130, ["interrupted."])


def test_a_closed_pipe_is_left_to_typer():
    @guarded
    def command():
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        command()


def test_a_warning_of_ours_is_one_line(capsys):
    from tftransfer.data.scan import FolderIndex
    from tftransfer.data.scan import warn_of_unreadable

    broken = {"a/[1].jpg": "truncated", "b/2.jpg": "an empty file"}
    index = FolderIndex("pets", (), None, (), (), broken, ())
    with console.tidy_warnings():
        warn_of_unreadable(index)
        warnings.warn("of somebody else")
    assert capsys.readouterr().err == (
        "warning: Left out 2 unreadable pictures of 'pets': "
        "a/[1].jpg: truncated; b/2.jpg: an empty file\n"
    )


def test_answers_are_as_given(capsys):
    console.answer("runs/[red]x/" + 100 * "long/")
    assert capsys.readouterr().out == "runs/[red]x/" + 100 * "long/" + "\n"


def test_json_has_no_nan(capsys):
    console.answer_json({"loss": [0.5, float("nan"), float("inf")], "name": "é"})
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found == {"loss": [0.5, None, None], "name": "é"}
