"""`tftransfer faces`: detect, enroll, verify, identify, calibrate, evaluate."""

import pathlib
from typing import Annotated

import typer

from tftransfer.cli import options
from tftransfer.cli.console import answer
from tftransfer.cli.console import answer_json
from tftransfer.cli.console import load_tensorflow
from tftransfer.cli.console import say
from tftransfer.cli.faces_store import check_store
from tftransfer.cli.faces_store import opened
from tftransfer.cli.faces_store import opened_or_made

Store = Annotated[
    pathlib.Path,
    typer.Argument(
        metavar="RECOGNIZER",
        help="Folder with the net, the enrolled people and the threshold.",
        show_default=False,
    ),
]
People = Annotated[
    pathlib.Path,
    typer.Argument(metavar="PEOPLE", help="One folder of pictures per person."),
]
Pictures = Annotated[
    list[pathlib.Path],
    typer.Argument(help="Pictures, folders of them, or videos.", show_default=False),
]
Drawn = Annotated[
    pathlib.Path | None,
    typer.Option("--draw", help="Folder for copies with the results drawn over them."),
]
Every = Annotated[
    float, typer.Option(help="Of videos: seconds from frame to frame.", min=0)
]
TopK = Annotated[int, typer.Option(help="Candidates per face.", min=1)]
MinFaceSize = Annotated[int, typer.Option(help="Smallest face, pixels.", min=6)]


def detect(
    pictures: Pictures,
    draw: Drawn = None,
    min_face_size: MinFaceSize = 20,
    every: Every = 1.0,
    json_output: options.Json = False,
) -> None:
    """Find the faces of pictures."""
    load_tensorflow()
    from tftransfer.cli.faces_output import answer_pictures
    from tftransfer.cli.faces_output import detected
    from tftransfer.face import MTCNN

    detector = MTCNN(min_face_size=min_face_size)
    answer_pictures(detected(detector, pictures, draw, every), json_output)


def enroll(
    recognizer: Store,
    pictures: Annotated[
        list[pathlib.Path],
        typer.Argument(
            help="A folder with one of pictures per person, or with --name pictures.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(help="Of the person; without it PICTURES is a folder of people."),
    ] = None,
    net: Annotated[
        str | None,
        typer.Option(
            help="For a new RECOGNIZER: a .keras model of face embeddings, or "
            "vgg16, resnet50 or senet50 of VGGFace."
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Of VGGFace: the path of a file; without: the published."),
    ] = None,
    alignment: Annotated[
        str | None, typer.Option(help="Of a .keras model: five_points or crop.")
    ] = None,
    min_face_size: Annotated[
        int | None,
        typer.Option(help="Of a new RECOGNIZER: smallest face, pixels; 20.", min=6),
    ] = None,
    json_output: options.Json = False,
) -> None:
    """Add people to a recognizer, which is made where there is none.

    With the environment variable TFTRANSFER_FACE_KEY set, the gallery is encrypted.
    """
    if name is None and not (len(pictures) == 1 and pictures[0].is_dir()):
        raise typer.BadParameter("Give --name, or one folder with a folder per person.")
    if name is not None:
        _check_one_person(pictures)
    facts = {"net": net, "weights": weights, "alignment": alignment}
    load_tensorflow()
    from tftransfer.cli.faces_output import enrolled

    face = opened_or_made(recognizer, min_face_size=min_face_size, **facts)
    failed = enrolled(face, pictures, name, json_output)
    if failed:
        raise typer.Exit(1)


def forget(
    recognizer: Store,
    name: Annotated[str, typer.Argument(help="The person to delete.")],
) -> None:
    """Delete a person: every trace is gone from the disk when this returns."""
    check_store(recognizer)
    load_tensorflow()
    opened(recognizer, read_only=False).forget(name)
    say(f"'{name}' was deleted from '{recognizer}'.")


def people(recognizer: Store, json_output: options.Json = False) -> None:
    """List the enrolled people."""
    check_store(recognizer)
    load_tensorflow()
    names = list(opened(recognizer).gallery.names)
    if json_output:
        answer_json({"people": names})
    else:
        answer("\n".join(names))


def verify(
    recognizer: Store,
    first: Annotated[pathlib.Path, typer.Argument(help="A picture.")],
    second: Annotated[pathlib.Path, typer.Argument(help="Another.")],
    json_output: options.Json = False,
) -> None:
    """Say whether two pictures show the same person."""
    check_store(recognizer)
    load_tensorflow()
    from tftransfer.cli.faces_output import answer_verification

    answer_verification(opened(recognizer).verify(first, second), json_output)


def identify(
    recognizer: Store,
    pictures: Pictures,
    top_k: TopK = 3,
    draw: Drawn = None,
    every: Every = 1.0,
    json_output: options.Json = False,
) -> None:
    """Say who is on pictures or in videos."""
    check_store(recognizer)
    load_tensorflow()
    from tftransfer.cli.faces_output import answer_pictures
    from tftransfer.cli.faces_output import identified

    face = opened(recognizer)
    answer_pictures(identified(face, pictures, top_k, draw, every), json_output)


def calibrate(
    recognizer: Store,
    people: People,
    far: Annotated[
        float,
        typer.Option(
            help="Share of pairs of different people that may pass as one. Of "
            "strangers more are named, the more people are enrolled: 1-(1-FAR)^people."
        ),
    ] = 0.001,
    json_output: options.Json = False,
) -> None:
    """Find the threshold on pictures of people; keeps it in the recognizer."""
    check_store(recognizer)
    options.check_folder(people)
    load_tensorflow()
    from tftransfer.cli.faces_output import answer_calibration

    face = opened(recognizer, read_only=False)
    found = face.calibrate(people, far=far)
    face.save_settings()
    answer_calibration(found, face.gallery, json_output)


def evaluate(
    recognizer: Store,
    people: People,
    pairs: Annotated[
        pathlib.Path | None,
        typer.Option(help="LFW's pairs.txt: its ten folds, of pictures in PEOPLE."),
    ] = None,
    seed: options.Seed = 0,
    json_output: options.Json = False,
) -> None:
    """Measure verification, identification and the rejection of strangers."""
    check_store(recognizer)
    options.check_folder(people)
    load_tensorflow()
    from tftransfer.cli import faces_output
    from tftransfer.face import evaluate_pairs
    from tftransfer.face import evaluate_people
    from tftransfer.face import read_lfw_pairs

    face = opened(recognizer)
    if pairs is None:
        found = evaluate_people(face, people, seed)
        faces_output.answer_evaluation(found, json_output)
    else:
        found = evaluate_pairs(face, read_lfw_pairs(pairs, people))
        faces_output.answer_pairs(found, json_output)


def _check_one_person(pictures: list[pathlib.Path]) -> None:
    """Raise where a folder has sub-folders, which may be several people's."""
    for path in pictures:
        within = [each.name for each in path.glob("[!.]*/")] if path.is_dir() else []
        if within:
            raise typer.BadParameter(
                f"With --name, '{path}' should hold pictures of that person alone. It "
                f"has folders: {', '.join(sorted(within)[:5])}. Leave --name out if "
                "they are people; else give them in place of it."
            )


COMMANDS = {
    "detect": detect,
    "enroll": enroll,
    "people": people,
    "forget": forget,
    "verify": verify,
    "identify": identify,
    "calibrate": calibrate,
    "evaluate": evaluate,
}
