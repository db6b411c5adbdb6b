"""Faces: detect, align, embed, verify, identify, and retrain the head.

Names load on first use: galleries, alignment and scores never import TensorFlow.
"""

from tftransfer._lazy import load_on_use

_PUBLIC = {
    "ArcFace": "tftransfer.face.arcface",
    "Candidate": "tftransfer.face.results",
    "Enrolment": "tftransfer.face.results",
    "Face": "tftransfer.face.found",
    "FaceCalibration": "tftransfer.face.calibration",
    "FaceEvaluation": "tftransfer.face.evaluation",
    "FaceRecognizer": "tftransfer.face.recognizer",
    "FineTunedEmbedding": "tftransfer.face.fine_tuning",
    "HeadResult": "tftransfer.face.head",
    "Identification": "tftransfer.face.results",
    "NoFaceError": "tftransfer.face.results",
    "PeopleClassifier": "tftransfer.face.people_classifier",
    "PictureResult": "tftransfer.face.results",
    "Verification": "tftransfer.face.results",
    "as_photograph": "tftransfer.face.photographs",
    "crops_of_people": "tftransfer.face.people_crops",
    "draw": "tftransfer.face.drawing",
    "evaluate_people": "tftransfer.face.evaluation",
    "fine_tune_embedding": "tftransfer.face.fine_tuning",
    "people_of": "tftransfer.face.people",
    "train_head": "tftransfer.face.head",
    "video_frames": "tftransfer.face.video",
}

__all__ = [*_PUBLIC]

__getattr__, __dir__ = load_on_use(__name__, _PUBLIC)
