"""What `tftransfer faces` writes: results per picture, drawings, tables."""

import pathlib
from collections.abc import Iterable
from collections.abc import Iterator

import typer

from tftransfer.cli.console import answer
from tftransfer.cli.console import answer_json
from tftransfer.cli.console import answer_table
from tftransfer.cli.console import errors
from tftransfer.cli.options import markdown_table
from tftransfer.core.progress import progress_bar
from tftransfer.data.decode import SUFFIXES
from tftransfer.data.decode import reason_of
from tftransfer.face import Face
from tftransfer.face import draw as drawing
from tftransfer.face.drawing import percent
from tftransfer.face.people import people_of
from tftransfer.face.people import pictures_of
from tftransfer.face.reading import found_faces
from tftransfer.face.video import VIDEOS
from tftransfer.face.video import video_frames
from tftransfer.training.epochs import counted


def detected(detector, paths, folder, every: float) -> Iterator[dict]:
    """Yield what `detect` says of each picture; draws into `folder` where given."""
    pictures, videos = _sorted_out(paths)
    for name, photograph, faces, error in found_faces(pictures, detector):
        if error is None and folder is not None:
            _draw(folder, name, photograph, faces)
        yield _entry(name, [{"face": _face(face)} for face in faces], error)
    for name, frame, error in _frames(videos, every):
        if error is not None:
            yield _entry(name, [], error)
            continue
        faces = detector.detect(frame)
        if folder is not None:
            _draw(folder, name, frame, faces)
        yield _entry(name, [{"face": _face(face)} for face in faces])


def identified(recognizer, paths, k: int, folder, every: float) -> Iterator[dict]:
    """Yield what `identify` says of each picture; draws into `folder` where given."""
    pictures, videos = _sorted_out(paths)
    for found in recognizer.identify_many(pictures, k):
        if found.error is None and folder is not None:
            _draw(folder, found.picture, found.picture, found.found)
        yield _entry(found.picture, map(_identity, found.found), found.error)
    for name, frame, error in _frames(videos, every):
        if error is not None:
            yield _entry(name, [], error)
            continue
        (seen,) = recognizer.identify_many([frame], k)
        if seen.error is None and folder is not None:
            _draw(folder, name, frame, seen.found)
        yield _entry(name, map(_identity, seen.found), seen.error)


def answer_pictures(entries: Iterable[dict], as_json: bool) -> None:
    """Print results as they come, or one JSON document; exit code 1 after an error."""
    kept, failed = [], False
    for entry in entries:
        failed |= "error" in entry
        if as_json:
            kept.append(entry)
        else:
            answer(_line(entry))
    if as_json:
        answer_json(kept)
    if failed:
        raise typer.Exit(1)


def enrolled(recognizer, paths, name: str | None, as_json: bool) -> int:
    """Enroll one person or a folder of them; return how many got no picture."""
    if name is not None:
        done = [recognizer.enroll(name, list(_files(paths)))]
    else:
        done, total = [], len(people_of(paths[0]))
        with progress_bar() as bar:
            task = bar.add_task("enrolling", total=total)
            for each in recognizer.enroll_folder(paths[0]):
                done.append(each)
                bar.advance(task)
    if as_json:
        answer_json([vars(each) for each in done])
        return sum(not (each.added or each.repeated) for each in done)
    for each in done:
        several = len(each.crowded)
        crowded = f" ({several} show more faces than the largest)" if several else ""
        known = f", {len(each.repeated)} known already" if each.repeated else ""
        answer(f"{each.name}: {counted(each.added, 'picture')}{crowded}{known}")
        for picture, reason in each.refused:
            errors().print(f"  left out {picture}: {reason}", markup=False)
    return sum(not (each.added or each.repeated) for each in done)


def answer_verification(found, as_json: bool) -> None:
    """Print the decision on two pictures."""
    if as_json:
        answer_json(
            {
                "same": found.same,
                "similarity": found.similarity,
                "threshold": found.threshold,
                "probability": found.probability,
                "faces": [_face(face) for face in found.faces],
            }
        )
        return
    sure = (
        ""
        if found.probability is None
        else f", probability {percent(found.probability)}"
    )
    answer(
        f"{'the same person' if found.same else 'different people'}: similarity "
        f"{found.similarity:.3f}, threshold {found.threshold:.3f}{sure}"
    )


def answer_calibration(found, gallery, as_json: bool) -> None:
    """Print a threshold, how well its rate is known, and what it is for strangers."""
    counts = [len(gallery)] if len(gallery) else [10, 100, 1000]
    named = {people: found.strangers_named(people) for people in counts}
    if as_json:
        facts = {"threshold": found.threshold, "strangers_named": named}
        answer_json(found.to_json() | facts)
        return
    answer(str(found.at))
    more = " or more" if gallery.num_embeddings > len(gallery) else ""
    for people, (share, low, high) in named.items():
        answer(
            f"Among {people} enrolled about {share:.2%}{more} of strangers are named "
            f"({low:.2%} to {high:.2%} at the ends of that interval)."
        )


def answer_evaluation(found, as_json: bool) -> None:
    """Print scores as a table, or as JSON."""
    if as_json:
        answer_json(vars(found) | {"accuracy": _plain(found.accuracy)})
        return
    same, different = found.pairs
    rows = _of_pairs(found)
    for count, (mean, spread) in found.rank_1.items():
        text = f"rank 1, {count} picture{'s' * (count > 1)} enrolled"
        rows.append([text, f"{mean:.2%} ± {spread:.2%}"])
    for far, (mean, spread) in found.open_set.items():
        text = f"named rightly, {far:g} of strangers named"
        rows.append([text, f"{mean:.2%} ± {spread:.2%}"])
    answer(
        f"{found.people} people, {found.pictures} pictures: {same} pairs of one "
        f"person, {different} of two."
    )
    answer_table(markdown_table(rows))
    _say_left_out(found.left_out)


def answer_pairs(found, as_json: bool) -> None:
    """Print scores on a list of pairs as a table, or as JSON."""
    if as_json:
        values = vars(found) | {"similarities": found.similarities.tolist()}
        answer_json(values | {"accuracy": _plain(found.accuracy)})
        return
    answer_table(markdown_table(_of_pairs(found)))
    _say_left_out(found.without_face)


def _of_pairs(found) -> list[list[str]]:
    rows = [["measure", "value"]]
    if found.accuracy is not None:
        rows.append(["verification, ten folds", str(found.accuracy)])
        rows.append(["verification, one answer for all pairs", f"{found.chance:.2%}"])
    rows.append(["equal error rate", f"{found.equal_error_rate:.2%}"])
    for far, rate in found.tar_at_far.items():
        rows.append([f"true accepts at {far:g} false accepts", f"{rate:.2%}"])
    return rows


def _plain(accuracy) -> dict | None:
    if accuracy is None:
        return None
    values = vars(accuracy).items()
    return {k: v.tolist() if hasattr(v, "tolist") else v for k, v in values}


def _say_left_out(pictures: dict[str, str]) -> None:
    for path, reason in pictures.items():
        errors().print(f"no face in {path}: {reason}", markup=False)


def _sorted_out(paths) -> tuple[list[str], list[str]]:
    """Return the paths of pictures and those of videos."""
    pictures, videos = [], []
    for path in _files(paths):
        video = pathlib.Path(path).suffix.lower() in VIDEOS
        (videos if video else pictures).append(path)
    return pictures, videos


def _frames(videos, every: float) -> Iterator[tuple]:
    """Yield name, frame and None; or a video's name, None and why it is not read."""
    for path in videos:
        frames = video_frames(path, every=every)
        while True:
            try:
                seconds, frame = next(frames)
            except StopIteration:
                break
            except (OSError, ValueError, ImportError) as error:
                yield path, None, reason_of(error)
                break
            yield f"{path} at {seconds:.2f} s", frame, None


def _files(paths) -> Iterator[str]:
    for path in paths:
        if path.is_dir():
            yield from pictures_of(path)
        else:
            yield str(path)


def _draw(folder: pathlib.Path, name: str, photograph, found) -> None:
    """Write a copy with the results drawn over it; never over another's."""
    folder.mkdir(parents=True, exist_ok=True)
    known = pathlib.Path(name).suffix.lower() in SUFFIXES
    stem = pathlib.Path(name).stem if known else pathlib.Path(name).name
    stem = stem.replace(" ", "_")
    path, number = folder / f"{stem}.jpg", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.jpg"
    drawing(photograph, found).save(path, quality=92, subsampling=0)


def _face(face: Face) -> dict:
    marks = None if face.landmarks is None else face.landmarks.round(1).tolist()
    return {
        "box": face.box.round(1).tolist(),
        "landmarks": marks,
        "probability": float(face.probability),
    }


def _identity(found) -> dict:
    return {
        "name": found.name,
        "candidates": [vars(candidate) for candidate in found.candidates],
        "face": _face(found.face),
    }


def _entry(path: str, faces: Iterable[dict], error: str | None = None) -> dict:
    entry = {"path": path, "faces": list(faces)}
    return entry if error is None else entry | {"error": error}


def _line(entry: dict) -> str:
    if "error" in entry:
        return f"{entry['path']}: error: {entry['error']}"
    shown = [_shown(face) for face in entry["faces"]]
    return f"{entry['path']}: {', '.join(shown) or 'no face'}"


def _shown(found: dict) -> str:
    if "name" not in found:
        left, top, right, bottom = (round(v) for v in found["face"]["box"])
        sure = found["face"]["probability"]
        return f"({left}, {top}, {right}, {bottom}) {sure:.1%}"
    best = found["candidates"][:1]
    near = ", ".join(f"{c['name']} {c['similarity']:.2f}" for c in best)
    if found["name"] is None:
        return f"unknown (nearest: {near})" if near else "unknown"
    sure = best[0]["probability"]
    return near if sure is None else f"{near} ({percent(sure)})"
