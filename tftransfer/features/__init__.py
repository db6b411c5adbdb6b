"""Features of pretrained backbones: extraction, linear probes, retrieval."""

from tftransfer.features.extractor import FeatureExtractor
from tftransfer.features.probe import LinearProbe
from tftransfer.features.probe import probe
from tftransfer.features.retrieval import Retrieval
from tftransfer.features.retrieval_metrics import four_times_recall_at_4
from tftransfer.features.retrieval_metrics import mean_average_precision
from tftransfer.features.retrieval_metrics import recall_at_k
from tftransfer.features.transformer import FeatureTransformer
from tftransfer.features.whitening import PCAWhitening
