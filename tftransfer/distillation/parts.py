"""Student, teachers and pictures of a run: do they belong together?"""

from tftransfer.core import TransferModel
from tftransfer.data import as_dataset
from tftransfer.training.pictures import check_side
from tftransfer.training.pictures import validation_of


def check_parts(student, teachers=()) -> None:
    """Raise unless all are classifiers of the same classes, in the same order.

    A student without names gets the teacher's.

    Raises:
        TypeError: When one is no `Classifier` or its like.
        ValueError: When the classes differ.
    """
    for role, part in [("student", student), *(("teacher", t) for t in teachers)]:
        parts = hasattr(part, "backbone") and hasattr(part, "num_classes")
        if not isinstance(part, TransferModel) or not parts:
            raise TypeError(
                f"Expected a `Classifier` as {role}. Received: {type(part).__name__}. "
                "Other models: `tft.Distiller` takes any, without this recipe."
            )
    for teacher in teachers:
        _check_classes(student, teacher)


def _check_classes(student, teacher) -> None:
    if student.num_classes != teacher.num_classes:
        raise ValueError(
            f"Expected a student of the teacher's {teacher.num_classes} classes. "
            f"Received one of {student.num_classes}."
        )
    mine, its = _names(student), _names(teacher)
    if mine is None:
        student.class_names = its
    elif its is not None and mine != its:
        order = sorted(mine) == sorted(its)
        raise ValueError(
            f"Expected a student of the teacher's classes, {its}. Received: {mine}"
            + (", which are the same in another order." if order else ".")
            + " The teacher's numbers would mean other classes."
        )


def _names(part) -> list[str] | None:
    names = getattr(part, "class_names", None)
    return None if names is None else list(names)


def read(models, train, validation, *, batch_size: int, seed: int) -> tuple:
    """Return training and validation pictures as datasets.

    They have the size that the student takes, decoded as they will be when it serves;
    `Distiller` scales them for teachers of another size. Pictures scaled down from the
    teacher's size would be others: small ones are cropped less there. Datasets of this
    package may have any model's side.

    Args:
        models: The student and its teachers.
        train: In any form that `as_dataset` takes.
        validation: The same, or None.
        batch_size: As in `as_dataset`.
        seed: Of the order of `train`.
    """
    sides = [model.deployed.input_shape[1] for model in models]
    sides = [side for side in sides if side is not None]
    side = sides[0] if sides else None
    options = {"image_size": side, "batch_size": batch_size, "seed": seed}
    train = as_dataset(train, shuffle=True, **options)
    validation = validation_of(train, validation, **options)
    for data in (train, validation):
        if getattr(data, "image_size", None) not in sides:
            check_side(data, side)
    return train, validation
