"""FeatureTransformer: a FeatureExtractor as a scikit-learn transformer."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.base import TransformerMixin


class FeatureTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Pictures -> features, for scikit-learn's pipelines, searches and joblib.

    The extractor is pretrained: `fit` learns nothing, and `clone` shares it instead of
    copying its weights. Pickle and joblib keep it as the bytes of its `.keras` file.
    Several endpoints are put side by side in the order of `extractor.endpoint`; maps
    are flattened.

    Args:
        extractor: A `FeatureExtractor`.
        batch_size: Pictures per batch.
        augment: None, "flip" or "crops", as in `FeatureExtractor.extract`.
        cache: Folder of cached features, or None.
        progress: Whether to show a progress bar.

    Example:
        >>> import tftransfer as tft
        >>> extractor = tft.FeatureExtractor(tft.Backbone("tiny", weights=None))
        >>> images = np.zeros((2, 28, 28, 3), np.uint8)
        >>> extractor.as_transformer().fit_transform(images).shape[0]
        2
    """

    def __init__(
        self, extractor, *, batch_size=32, augment=None, cache=None, progress=False
    ):
        self.extractor = extractor
        self.batch_size = batch_size
        self.augment = augment
        self.cache = cache
        self.progress = progress

    def fit(self, X, y=None) -> "FeatureTransformer":
        """Do nothing but check that `X` is not empty; `y` is ignored."""
        if hasattr(X, "__len__") and len(X) == 0:
            raise ValueError("Expected at least one picture. Received none.")
        return self

    def transform(self, X) -> np.ndarray:
        """Return features, float32 `(n, d)`, of pictures.

        Args:
            X: Pictures as in `FeatureExtractor.extract`: array `(n, height, width, 3)`
                or `(n, height, width)` in [0, 255], or list of paths; inside
                `Pipeline`s and searches, anything scikit-learn can index.
        """
        if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1:
            X = X.tolist()  # what a search makes of a list of paths
        features = self.extractor.extract(
            X,
            batch_size=self.batch_size,
            augment=self.augment,
            cache=self.cache,
            progress=self.progress,
        )
        parts = features.values() if isinstance(features, dict) else [features]
        return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)

    @property
    def _n_features_out(self) -> int:
        return sum(int(np.prod(output.shape[1:])) for output in self.extractor.outputs)

    def __sklearn_clone__(self) -> "FeatureTransformer":
        return type(self)(**self.get_params(deep=False))

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        return tags
