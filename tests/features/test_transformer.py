import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import tftransfer as tft
from tests.finetune.pictures import three_classes


@pytest.fixture(scope="module")
def transformer():
    return tft.FeatureExtractor(tft.Backbone("tiny")).as_transformer(batch_size=16)


def test_a_pipeline_learns(transformer):
    pipeline = make_pipeline(transformer, StandardScaler(), LinearSVC())
    pipeline.fit(*three_classes())
    assert pipeline.score(*three_classes(60, seed=1)) > 0.8


def test_a_search_over_its_options(transformer):
    pipeline = make_pipeline(transformer, LinearSVC())
    search = GridSearchCV(
        pipeline, {"featuretransformer__augment": [None, "flip"]}, cv=2
    )
    search.fit(*three_classes(24))
    assert len(search.cv_results_["params"]) == 2
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_clone_shares_the_extractor(transformer):
    again = clone(transformer)
    assert again is not transformer
    assert again.extractor is transformer.extractor
    assert again.get_params(deep=False) == transformer.get_params(deep=False)


def test_pickle_keeps_the_features(transformer):
    x, _ = three_classes(6)
    again = pickle.loads(pickle.dumps(transformer))
    np.testing.assert_array_equal(again.transform(x), transformer.transform(x))


def test_names_of_the_features(transformer):
    names = transformer.get_feature_names_out()
    assert len(names) == transformer.transform(three_classes(3)[0]).shape[1]
    assert names[0] == "featuretransformer0"


def test_maps_and_several_endpoints_become_one_row():
    extractor = tft.FeatureExtractor(
        tft.Backbone("tiny"), endpoint=["stage3", "pooled"], pooling=None
    )
    found = extractor.as_transformer().transform(three_classes(3)[0])
    maps = extractor.extract(three_classes(3)[0], progress=False)
    np.testing.assert_array_equal(found[:, :2048], maps["stage3"].reshape(3, -1))
    np.testing.assert_array_equal(found[:, 2048:], maps["pooled"])


def test_nothing_to_fit_raises(transformer):
    with pytest.raises(ValueError, match="at least one picture"):
        transformer.fit(np.zeros((0, 32, 32, 3), "uint8"))
