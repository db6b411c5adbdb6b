"""The program `tftransfer`."""

from typing import Annotated

import typer

from tftransfer._version import __version__
from tftransfer.cli.adapt import adapt
from tftransfer.cli.backbones import backbones
from tftransfer.cli.compare import compare
from tftransfer.cli.console import SESSION
from tftransfer.cli.console import any_name_prints
from tftransfer.cli.demo import demo
from tftransfer.cli.distill import distill
from tftransfer.cli.export import export
from tftransfer.cli.faces import COMMANDS as FACES
from tftransfer.cli.features import features
from tftransfer.cli.guard import guarded
from tftransfer.cli.launch import launch
from tftransfer.cli.lr_find import lr_find
from tftransfer.cli.predict import predict
from tftransfer.cli.serve import serve
from tftransfer.cli.train import train

app = typer.Typer(
    name="tftransfer",
    help="Transfer learning for Keras: from a folder of pictures to a served model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _name, _command in {
    "train": train,
    "distill": distill,
    "adapt": adapt,
    "predict": predict,
    "features": features,
    "compare": compare,
    "backbones": backbones,
    "lr-find": lr_find,
    "export": export,
    "serve": serve,
    "demo": demo,
}.items():
    app.command(_name)(guarded(_command))

_faces = typer.Typer(
    help="Faces: detect, enroll, verify, identify, calibrate, evaluate.",
    no_args_is_help=True,
)
for _name, _command in FACES.items():
    _faces.command(_name)(guarded(_command))
app.add_typer(_faces, name="faces")

app.command(
    "launch",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(guarded(launch))


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tftransfer {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and end.",
            callback=_show_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    SESSION.debug = debug
    any_name_prints()


def main() -> None:
    """Run the program."""
    app()


if __name__ == "__main__":
    main()
