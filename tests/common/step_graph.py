"""The graph of a training step: what must have run before a weight changes."""

import collections

import tensorflow as tf

_UPDATES = ("AssignAddVariableOp", "AssignSubVariableOp", "AssignVariableOp")


def unordered_reads(model, x, y) -> list[str]:
    """Return the reads of weights that an optimised step may move behind the update.

    Grappler drops the control edge from a read to an update where another path joins
    them, and later splits every `IdentityN` into one wire per output: a read is lost
    when all other paths cross from wire to wire in an `IdentityN`.

    Args:
        model: A compiled model.
        x: A batch as `train_step` takes it.
        y: Its labels.
    """

    @tf.function
    def step(x, y):
        return model.train_step((x, y))

    operations = step.get_concrete_function(x, y).graph.get_operations()
    reads = collections.defaultdict(list)
    found = []
    for operation in operations:  # in the order of the program
        if operation.type == "ReadVariableOp":
            reads[operation.inputs[0].ref()].append(operation)
        elif operation.type in _UPDATES:
            dropped = _ancestors(operation) - _ancestors(operation, split=True)
            handle = operation.inputs[0].ref()
            found += [read.name for read in reads[handle] if read in dropped]
    return found


def _ancestors(update, split: bool = False) -> set:
    """Return all operations that must run before the value of `update` is there.

    With `split` an output of an `IdentityN` waits for its own input alone.
    """
    seen, waiting = set(), list(update.inputs)
    while waiting:
        tensor = waiting.pop()
        if tensor.ref() in seen:
            continue
        seen.add(tensor.ref())
        if split and tensor.op.type == "IdentityN":
            waiting.append(tensor.op.inputs[tensor.value_index])
            continue
        waiting += tensor.op.inputs
        for operation in tensor.op.control_inputs:
            waiting += operation.outputs or _sources(operation)
    return {reference.deref().op for reference in seen}


def _sources(operation) -> list:
    """Return what an operation without outputs waits for."""
    outputs = [t for control in operation.control_inputs for t in control.outputs]
    return [*operation.inputs, *outputs]
