"""What an export is told by: where, how large, how close to the model."""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class ExportResult:
    """What was written; printed as one line.

    Attributes:
        path: The file, or the version folder of a SavedModel.
        format: One of `FORMATS`.
        quantize: None, "float16" or "int8".
        labels: Class names in output order.
        image_size: Pixels of the square that the model sees.
        top_k: Labels per answer of a SavedModel.
        pictures: How many were compared.
        largest_difference: Between the probabilities of the Keras model and those of
            what was written and read back.
        agreement: Share of these pictures for which both name the same class.
        float_layers: Layers that int8 keeps in float because they are sensitive.
        size_mb: Size in 10^6 bytes.
    """

    path: pathlib.Path
    format: str
    quantize: str | None
    labels: tuple[str, ...]
    image_size: int
    top_k: int
    pictures: int
    largest_difference: float
    agreement: float
    float_layers: tuple[str, ...]
    size_mb: float

    def __str__(self) -> str:
        kept = (
            f", {len(self.float_layers)} layers in float" if self.float_layers else ""
        )
        return (
            f"{self.path}: {len(self.labels)} classes, {self.size_mb} MB, "
            f"{self.quantize or 'float32'}{kept}; on {self.pictures} pictures within "
            f"{self.largest_difference:.1e} of the Keras model, the same class for "
            f"{self.agreement:.1%}"
        )
