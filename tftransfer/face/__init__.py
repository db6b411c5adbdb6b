"""Faces: detect, align, embed, verify, identify, and retrain the head.

Names load on first use: galleries, alignment and scores never import TensorFlow.
"""

from tftransfer._lazy import load_on_use

_PUBLIC = {
    "Candidate": "tftransfer.face.results",
    "Enrolment": "tftransfer.face.results",
    "Face": "tftransfer.face.found",
    "FaceCalibration": "tftransfer.face.calibration",
    "FaceEvaluation": "tftransfer.face.evaluation",
    "FaceRecognizer": "tftransfer.face.recognizer",
    "Identification": "tftransfer.face.results",
    "NoFaceError": "tftransfer.face.results",
    "PictureResult": "tftransfer.face.results",
    "Verification": "tftransfer.face.results",
    "as_photograph": "tftransfer.face.photographs",
    "draw": "tftransfer.face.drawing",
    "evaluate_people": "tftransfer.face.evaluation",
    "people_of": "tftransfer.face.people",
    "video_frames": "tftransfer.face.video",
}

__all__ = [*_PUBLIC]

__getattr__, __dir__ = load_on_use(__name__, _PUBLIC)
