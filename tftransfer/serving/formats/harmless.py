"""Refuses SavedModels that would touch files or run Python when loaded or called.

A SavedModel is a program: an initialiser of its runs as soon as it is loaded, and
TensorFlow has operations that read and write any file. None that `tft.export` writes
holds one, so that a folder with one is not ours. TensorFlow only.
"""

import pathlib

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

# What reads and writes files or directories, runs Python, or loads other programs.
_NAMES = """
    AudioSummary CopyHost CreateSummaryDbWriter CreateSummaryFileWriter
    DatasetToTFRecord DebugIdentity DebugIdentityV2 DebugIdentityV3 EagerPyFunc
    ExperimentalDatasetToTFRecord FixedLengthRecordDataset FixedLengthRecordDatasetV2
    FixedLengthRecordReader FixedLengthRecordReaderV2 IdentityReader IdentityReaderV2
    ImportEvent InitializeTableFromTextFile InitializeTableFromTextFileV2 LMDBDataset
    LMDBReader LoadDataset MatchingFiles PrintV2 PyFunc PyFuncStateless ReadFile
    RpcCall RpcClient RpcServer SaveDataset SaveDatasetV2 SnapshotDataset
    SnapshotDatasetV2 SqlDataset SummaryWriter TFRecordDataset TFRecordDatasetV2
    TFRecordReader TFRecordReaderV2 TextLineDataset TextLineReader TextLineReaderV2
    WholeFileReader WholeFileReaderV2 WriteAudioSummary WriteFile WriteGraphSummary
    WriteHistogramSummary WriteImageSummary WriteRawProtoSummary WriteScalarSummary
    WriteSummary
"""
_HARMFUL = frozenset(_NAMES.split())
# Every SavedModel has these, in two functions that nothing in it calls.
_CHECKPOINT = frozenset(
    {
        "MergeV2Checkpoints",
        "Restore",
        "RestoreSlice",
        "RestoreV2",
        "Save",
        "SaveSlices",
        "SaveV2",
    }
)
_LOADERS = ("__inference__traced_save_", "__inference__traced_restore_")


def check_harmless(folder: pathlib.Path) -> None:
    """Raise unless the graph keeps to computing.

    Args:
        folder: Holds `saved_model.pb`.

    Raises:
        ValueError: With the names of the operations, or when it is no SavedModel.
    """
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((folder / "saved_model.pb").read_bytes())
    except (OSError, DecodeError) as error:
        raise ValueError(
            f"Expected a SavedModel in '{folder}'. Received: {error}."
        ) from error
    found = set()
    for graph in model.meta_graphs:
        found |= {node.op for node in graph.graph_def.node} & _HARMFUL
        loaders = _functions_of_the_loader(graph)
        for function in graph.graph_def.library.function:
            used = {node.op for node in function.node_def}
            of_loader = function.signature.name in loaders
            found |= used & (_HARMFUL if of_loader else _HARMFUL | _CHECKPOINT)
    if found:
        raise ValueError(
            "Expected a SavedModel that only computes. Received: "
            f"'{folder}', which holds {', '.join(sorted(found))}. It reads or writes "
            "files or runs Python of whoever made it: do not load it."
        )


def _functions_of_the_loader(graph) -> set[str]:
    """Return the functions that save and restore weights, if nothing else uses them."""
    functions = graph.graph_def.library.function
    named = {
        function.signature.name
        for function in functions
        if function.signature.name.startswith(_LOADERS)
    }
    called = set(graph.object_graph_def.concrete_functions)
    for function in functions:
        for node in function.node_def:
            for value in node.attr.values():
                called.add(value.func.name)
                called |= {each.name for each in value.list.func}
    return named - called
