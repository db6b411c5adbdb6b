"""Faces: detect, align, embed, verify, identify, and retrain the head.

Names load on first use: galleries, alignment and scores never import TensorFlow.
"""

from tftransfer._lazy import load_on_use

_PUBLIC = {
    "DamagedGallery": "tftransfer.face.gallery_errors",
    "Face": "tftransfer.face.found",
    "Gallery": "tftransfer.face.gallery",
    "GalleryLocked": "tftransfer.face.gallery_errors",
    "SimilarityCalibration": "tftransfer.face.similarity_calibration",
    "as_photograph": "tftransfer.face.photographs",
    "best_threshold": "tftransfer.face.verification_folds",
    "equal_error_rate": "tftransfer.face.verification",
    "open_set_identification_rate": "tftransfer.face.identification",
    "pairs_needed": "tftransfer.face.verification",
    "rank_k": "tftransfer.face.identification",
    "read_lfw_pairs": "tftransfer.face.lfw_pairs",
    "roc": "tftransfer.face.verification",
    "tar_at_far": "tftransfer.face.verification",
    "ten_fold_accuracy": "tftransfer.face.verification_folds",
    "threshold_at_far": "tftransfer.face.verification",
}

__all__ = [*_PUBLIC]

__getattr__, __dir__ = load_on_use(__name__, _PUBLIC)
