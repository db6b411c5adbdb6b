"""Faces: detect, align, embed, verify, identify, and retrain the head.

Names load on first use: galleries, alignment and scores never import TensorFlow.
"""

from tftransfer._lazy import load_on_use

_PUBLIC = {
    "ArcFace": "tftransfer.face.training.arcface",
    "Candidate": "tftransfer.face.results",
    "DamagedGallery": "tftransfer.face.gallery.errors",
    "Embedder": "tftransfer.face.nets.embedder",
    "Enrolment": "tftransfer.face.results",
    "Face": "tftransfer.face.found",
    "FaceCalibration": "tftransfer.face.scores.calibration",
    "FaceEvaluation": "tftransfer.face.scores.evaluation",
    "FaceRecognizer": "tftransfer.face.recognizer",
    "FineTunedEmbedding": "tftransfer.face.training.fine_tuning",
    "Gallery": "tftransfer.face.gallery.gallery",
    "GalleryLocked": "tftransfer.face.gallery.errors",
    "HeadResult": "tftransfer.face.training.head",
    "Identification": "tftransfer.face.results",
    "MTCNN": "tftransfer.face.detection.mtcnn",
    "NoFaceError": "tftransfer.face.results",
    "PairsEvaluation": "tftransfer.face.scores.pairs_evaluation",
    "PeopleClassifier": "tftransfer.face.training.people_classifier",
    "PictureResult": "tftransfer.face.results",
    "SimilarityCalibration": "tftransfer.face.scores.similarity_calibration",
    "VGGFace": "tftransfer.face.nets.vggface",
    "Verification": "tftransfer.face.results",
    "align": "tftransfer.face.nets.alignment",
    "as_photograph": "tftransfer.face.photographs",
    "best_threshold": "tftransfer.face.scores.verification_folds",
    "crop": "tftransfer.face.nets.alignment",
    "crops_of_people": "tftransfer.face.people_crops",
    "draw": "tftransfer.face.drawing",
    "equal_error_rate": "tftransfer.face.scores.verification",
    "evaluate_pairs": "tftransfer.face.scores.pairs_evaluation",
    "evaluate_people": "tftransfer.face.scores.evaluation",
    "fine_tune_embedding": "tftransfer.face.training.fine_tuning",
    "open_set_identification_rate": "tftransfer.face.scores.identification",
    "pairs_needed": "tftransfer.face.scores.verification",
    "people_of": "tftransfer.face.people",
    "rank_k": "tftransfer.face.scores.identification",
    "read_lfw_pairs": "tftransfer.face.scores.lfw_pairs",
    "roc": "tftransfer.face.scores.verification",
    "similarities_of_pairs": "tftransfer.face.scores.people_pairs",
    "tar_at_far": "tftransfer.face.scores.verification",
    "ten_fold_accuracy": "tftransfer.face.scores.verification_folds",
    "threshold_at_far": "tftransfer.face.scores.verification",
    "train_head": "tftransfer.face.training.head",
    "video_frames": "tftransfer.face.video",
}

__all__ = [*_PUBLIC]

__getattr__, __dir__ = load_on_use(__name__, _PUBLIC)
