"""Domain adaptation: from source labels to a target that has none.

Names load on first use: the methods on arrays never import TensorFlow; those of `deep`
are networks.
"""

from tftransfer._lazy import load_on_use

_PUBLIC = {
    "ADDA": "tftransfer.domain.deep",
    "AdaptedClassifier": "tftransfer.domain.adapted",
    "AdapterPipeline": "tftransfer.domain.chaining",
    "CDAN": "tftransfer.domain.deep",
    "CORAL": "tftransfer.domain.coral",
    "CrossDatasetTable": "tftransfer.domain.bias",
    "DAN": "tftransfer.domain.deep",
    "DANN": "tftransfer.domain.deep",
    "DRCN": "tftransfer.domain.deep",
    "DeepCORAL": "tftransfer.domain.deep",
    "DomainAdapter": "tftransfer.domain.adapter",
    "DomainConfusion": "tftransfer.domain.deep",
    "DomainModel": "tftransfer.domain.deep",
    "DomainScaler": "tftransfer.domain.scaling",
    "GFK": "tftransfer.domain.subspace",
    "ImpulseNoise": "tftransfer.domain.deep",
    "JAN": "tftransfer.domain.deep",
    "JDA": "tftransfer.domain.jda",
    "LabelFreeScorer": "tftransfer.domain.scorers",
    "MCD": "tftransfer.domain.deep",
    "NamedDatasets": "tftransfer.domain.bias",
    "OptimalTransport": "tftransfer.domain.optimal_transport",
    "OracleScorer": "tftransfer.domain.scorers",
    "Restyler": "tftransfer.domain.deep",
    "SubspaceAlignment": "tftransfer.domain.subspace",
    "TCA": "tftransfer.domain.tca",
    "adapt": "tftransfer.domain.recipe",
    "answer_information": "tftransfer.domain.validators",
    "cross_dataset_table": "tftransfer.domain.bias",
    "dev_risk": "tftransfer.domain.validators",
    "encoder_decoder": "tftransfer.domain.deep",
    "importance_weights": "tftransfer.domain.validators",
    "median_bandwidth": "tftransfer.domain.discrepancy",
    "name_that_dataset": "tftransfer.domain.bias",
    "oracle_accuracy": "tftransfer.domain.validators",
    "patch_discriminator": "tftransfer.domain.deep",
    "proxy_a_distance": "tftransfer.domain.discrepancy",
    "reweighted_risk": "tftransfer.domain.validators",
    "soft_neighbourhood_density": "tftransfer.domain.validators",
    "squared_mmd": "tftransfer.domain.discrepancy",
    "target_entropy": "tftransfer.domain.validators",
}

__all__ = [*_PUBLIC]

__getattr__, __dir__ = load_on_use(__name__, _PUBLIC)
