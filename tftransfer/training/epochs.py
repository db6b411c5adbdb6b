"""Epochs by number, so that a run goes on where an earlier process stopped."""


def exact_epochs(train, start: int, stop: int) -> dict:
    """Return `x` and `steps_per_epoch` for epochs `start` to `stop - 1`.

    Where the order of an epoch is known from its number, an interrupted run goes on
    as if it had not been.

    Args:
        train: A dataset; of this package's the order is known.
        start: Number of the first epoch, from 0.
        stop: Number of the first epoch that is not trained.
    """
    source = getattr(train, "source", None)
    if source is None:
        return {"x": train}
    return {"x": source.epochs(start, stop), "steps_per_epoch": source.steps}


def counted(count: int, noun: str) -> str:
    """Return "1 epoch", "2 epochs": a number with what is counted.

    Example:
        >>> counted(1, "epoch"), counted(0, "epoch")
        ('1 epoch', '0 epochs')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"
