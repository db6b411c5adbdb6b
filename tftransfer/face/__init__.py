"""Faces: detect, align, embed, verify, identify, and retrain the head.

Names load on first use: galleries, alignment and scores never import TensorFlow.
"""

from tftransfer._lazy import load_on_use

_PUBLIC = {
    "ArcFace": "tftransfer.face.arcface",
    "Candidate": "tftransfer.face.results",
    "DamagedGallery": "tftransfer.face.gallery_errors",
    "Embedder": "tftransfer.face.embedder",
    "Enrolment": "tftransfer.face.results",
    "Face": "tftransfer.face.found",
    "FaceCalibration": "tftransfer.face.calibration",
    "FaceEvaluation": "tftransfer.face.evaluation",
    "FaceRecognizer": "tftransfer.face.recognizer",
    "FineTunedEmbedding": "tftransfer.face.fine_tuning",
    "Gallery": "tftransfer.face.gallery",
    "GalleryLocked": "tftransfer.face.gallery_errors",
    "HeadResult": "tftransfer.face.head",
    "Identification": "tftransfer.face.results",
    "MTCNN": "tftransfer.face.mtcnn",
    "NoFaceError": "tftransfer.face.results",
    "PeopleClassifier": "tftransfer.face.people_classifier",
    "PictureResult": "tftransfer.face.results",
    "SimilarityCalibration": "tftransfer.face.similarity_calibration",
    "VGGFace": "tftransfer.face.vggface",
    "Verification": "tftransfer.face.results",
    "align": "tftransfer.face.alignment",
    "as_photograph": "tftransfer.face.photographs",
    "best_threshold": "tftransfer.face.verification_folds",
    "crop": "tftransfer.face.alignment",
    "crops_of_people": "tftransfer.face.people_crops",
    "draw": "tftransfer.face.drawing",
    "equal_error_rate": "tftransfer.face.verification",
    "evaluate_people": "tftransfer.face.evaluation",
    "fine_tune_embedding": "tftransfer.face.fine_tuning",
    "open_set_identification_rate": "tftransfer.face.identification",
    "pairs_needed": "tftransfer.face.verification",
    "people_of": "tftransfer.face.people",
    "rank_k": "tftransfer.face.identification",
    "read_lfw_pairs": "tftransfer.face.lfw_pairs",
    "roc": "tftransfer.face.verification",
    "tar_at_far": "tftransfer.face.verification",
    "ten_fold_accuracy": "tftransfer.face.verification_folds",
    "threshold_at_far": "tftransfer.face.verification",
    "train_head": "tftransfer.face.head",
    "video_frames": "tftransfer.face.video",
}

__all__ = [*_PUBLIC]

__getattr__, __dir__ = load_on_use(__name__, _PUBLIC)
