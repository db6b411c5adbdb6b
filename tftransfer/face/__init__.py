"""Faces: detect, align, embed, verify, identify, and retrain the head.

Names load on first use: galleries, alignment and scores never import TensorFlow.
"""

from tftransfer._lazy import load_on_use

_PUBLIC = {
    "ArcFace": "tftransfer.face.arcface",
    "Face": "tftransfer.face.found",
    "FineTunedEmbedding": "tftransfer.face.fine_tuning",
    "HeadResult": "tftransfer.face.head",
    "PeopleClassifier": "tftransfer.face.people_classifier",
    "as_photograph": "tftransfer.face.photographs",
    "fine_tune_embedding": "tftransfer.face.fine_tuning",
    "load_people": "tftransfer.face.people",
    "train_head": "tftransfer.face.head",
}

__all__ = [*_PUBLIC]

__getattr__, __dir__ = load_on_use(__name__, _PUBLIC)
