"""Recognizers in folders, of a net that tells faces by their mean colour."""

import keras

from tests.face.fakes import ColourDetector
from tftransfer.face import Embedder
from tftransfer.face import FaceRecognizer


def embedder() -> Embedder:
    layers = [keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()]
    return Embedder.from_model(keras.Sequential(layers), alignment="crop")


def created(folder, **options) -> FaceRecognizer:
    return FaceRecognizer.create(folder, ColourDetector(), embedder(), **options)


def opened(folder, **options) -> FaceRecognizer:
    return FaceRecognizer.open(folder, detector=ColourDetector(), **options)
