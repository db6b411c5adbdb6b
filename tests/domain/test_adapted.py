import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import LinearSVC

from tests.domain.rows import two_domains
from tftransfer.domain import CORAL
from tftransfer.domain import GFK
from tftransfer.domain import JDA
from tftransfer.domain import TCA
from tftransfer.domain import AdaptedClassifier
from tftransfer.domain import AdapterPipeline
from tftransfer.domain import DomainScaler
from tftransfer.domain import LabelFreeScorer
from tftransfer.domain import OracleScorer
from tftransfer.domain import SubspaceAlignment
from tftransfer.domain import answer_information
from tftransfer.domain import soft_neighbourhood_density
from tftransfer.domain import target_entropy


def test_it_is_the_classifier_on_mapped_rows():
    X, y, X_target, y_target = two_domains()
    model = AdaptedClassifier(CORAL(), LogisticRegression())
    model.fit(X, y, X_target=X_target)
    coral = CORAL().fit(X, X_target=X_target)
    by_hand = LogisticRegression().fit(coral.transform(X, domain="source"), y)
    np.testing.assert_array_equal(model.predict(X_target), by_hand.predict(X_target))
    np.testing.assert_allclose(
        model.predict_proba(X, domain="source"),
        by_hand.predict_proba(coral.transform(X, domain="source")),
    )
    assert model.score(X_target, y_target) == by_hand.score(X_target, y_target)
    assert model.decision_function(X_target).shape == (50, 3)


@pytest.mark.parametrize(
    "adapter", [JDA(6), TCA(6), SubspaceAlignment(6), CORAL(), GFK(4)], ids=str
)
def test_adaptation_beats_the_source_alone(adapter):
    gains = []
    steps = [("scale", DomainScaler()), ("adapt", adapter)]
    for seed in range(5):
        X, y, X_target, y_target = two_domains(
            120, 90, d=12, classes=4, seed=seed, shift=2.0, spread=1.5
        )
        alone = AdaptedClassifier().fit(X, y).score(X_target, y_target)
        model = AdaptedClassifier(AdapterPipeline(steps)).fit(X, y, X_target)
        gains.append(model.score(X_target, y_target) - alone)
    assert np.mean(gains) > 0.1


def test_labels_of_any_kind_and_few_classes():
    X, y, X_target, _ = two_domains(classes=2)
    names = np.array(["cat", "dog"])[y]
    model = AdaptedClassifier(JDA(2)).fit(X, names, X_target)
    assert set(model.predict(X_target)) <= {"cat", "dog"}
    assert model.classes_.tolist() == ["cat", "dog"]


def test_without_adapter_it_is_the_source_only_baseline():
    X, y, X_target, _ = two_domains()
    model = AdaptedClassifier().fit(X, y)
    expected = KNeighborsClassifier(1).fit(X, y).predict(X_target)
    np.testing.assert_array_equal(model.predict(X_target), expected)
    with pytest.raises(ValueError, match="`adapter=None` for the source-only"):
        AdaptedClassifier(GFK()).fit(X, y)
    with pytest.raises(NotFittedError):
        AdaptedClassifier().predict(X)


def test_target_rows_are_mapped_as_target_and_source_as_source():
    X, _, X_target, _ = two_domains()
    scaler = DomainScaler()
    np.testing.assert_allclose(scaler.fit_transform(X, X_target=X_target).std(0), 1)
    np.testing.assert_allclose(scaler.transform(X_target).mean(0), 0, atol=1e-12)
    assert np.abs(scaler.transform(X_target, domain="source").mean(0)).max() > 0.1
    with pytest.raises(ValueError, match=r"`domain` to be one of \['source', 'target'"):
        scaler.transform(X, domain="both")


def test_constant_features_are_centred_only():
    X, _, X_target, _ = two_domains()
    X[:, 0], X_target[:, 0] = 0.1, 7.3
    scaler = DomainScaler().fit(X, X_target=X_target)
    np.testing.assert_allclose(scaler.transform(X_target)[:, 0], 0, atol=1e-12)


@pytest.mark.parametrize("rows", [200, 20_000])
def test_constant_features_in_float32_are_centred_and_small_spreads_scaled(rows):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(rows, 3)).astype("float32")
    X[:, 0] = 0.1
    X[:, 1] = 1000 + 5e-4 * X[:, 1]
    scaler = DomainScaler().fit(X, X_target=X[: rows // 2])
    for domain, part in (("source", X), ("target", X[: rows // 2])):
        mapped = scaler.transform(part, domain=domain)
        assert mapped.dtype == np.float32
        assert not mapped[:, 0].any()
        np.testing.assert_allclose(mapped[:, 1:].std(axis=0), 1, rtol=1e-4)


def test_adapter_pipeline_fits_plain_transformers_on_both_domains():
    X, y, X_target, _ = two_domains()
    chain = AdapterPipeline(
        [("scale", DomainScaler()), ("unit", Normalizer()), ("pca", PCA(2))]
    )
    received = chain.fit(X, y, X_target).transform(X_target)
    rows = [(part - part.mean(0)) / part.std(0) for part in (X, X_target)]
    rows = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in rows]
    pca = PCA(2).fit(np.vstack(rows))
    np.testing.assert_allclose(received, pca.transform(rows[1]), atol=1e-10)
    assert chain.get_feature_names_out().tolist() == ["pca0", "pca1"]
    chain = AdapterPipeline([("scale", DomainScaler()), ("coral", CORAL())])
    chain.fit(X, y, X_target).feature_names_in_ = np.array([*"uvwxyz"], object)
    assert chain.get_feature_names_out().tolist() == [*"uvwxyz"]
    with pytest.raises(ValueError, match="one step or more"):
        AdapterPipeline([]).fit(X, y, X_target)


def test_clone_parameters_and_fit_leave_the_parts_untouched():
    X, y, X_target, _ = two_domains()
    chain = AdapterPipeline([("scale", DomainScaler()), ("gfk", GFK(2))])
    model = AdaptedClassifier(chain, KNeighborsClassifier(3))
    copy = clone(model).set_params(
        adapter__gfk__n_components=1, classifier__n_neighbors=5
    )
    assert model.get_params()["adapter__gfk__n_components"] == 2
    copy.fit(X, y, X_target=X_target)
    assert copy.adapter_.steps_[1][1].n_components_ == 1
    assert not hasattr(copy.adapter, "steps_")
    assert not hasattr(copy.adapter.steps[1][1], "factor_")


def test_a_pipeline_of_scikit_learn_takes_adapters_through_metadata():
    X, y, X_target, _ = two_domains()
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = Pipeline(
            [
                ("unit", Normalizer()),
                ("coral", CORAL().set_fit_request(X_target=True)),
                ("nearest", KNeighborsClassifier(1)),
            ],
            transform_input=["X_target"],
        )
        received = pipeline.fit(X, y, X_target=X_target).predict(X_target)
    chain = AdapterPipeline([("unit", Normalizer()), ("coral", CORAL())])
    expected = AdaptedClassifier(chain).fit(X, y, X_target).predict(X_target)
    np.testing.assert_array_equal(received, expected)


class _Table(np.ndarray):
    """Rows with names of columns: a data frame, which no test here depends on."""

    @classmethod
    def of(cls, rows, names):
        table = np.asarray(rows).view(cls)
        table.names = np.asarray(names, object)
        return table


@pytest.mark.filterwarnings("error:X does not have valid feature names")
@pytest.mark.parametrize(
    "model",
    [
        CORAL(),
        AdapterPipeline([("scale", DomainScaler()), ("gfk", GFK(2))]),
        AdaptedClassifier(CORAL()),
    ],
    ids=["adapter", "pipeline", "classifier"],
)
def test_columns_of_the_target_have_the_names_and_order_of_the_source(
    model, monkeypatch
):
    monkeypatch.setattr(
        sklearn.utils.validation,
        "_get_feature_names",
        lambda rows: getattr(rows, "names", None),
    )
    X, y, X_target, _ = two_domains()
    X = _Table.of(X, [*"abcdef"])
    fits = _Table.of(X_target, [*"abcdef"])
    turned = _Table.of(X_target[:, ::-1], [*"fedcba"])
    with pytest.raises(ValueError, match="in the same order"):
        model.fit(X, y, X_target=turned)
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- z"):
        model.fit(X, y, X_target=_Table.of(X_target, [*"abcdez"]))
    model.fit(X, y, X_target=fits)
    mapped = model.embed if isinstance(model, AdaptedClassifier) else model.transform
    assert len(mapped(fits)) == len(X_target)
    with pytest.raises(ValueError, match="in the same order"):
        mapped(turned)


@pytest.mark.parametrize(
    "validator",
    [
        "information",
        "entropy",
        "snd",
        "iwv",
        pytest.param("dev", marks=pytest.mark.slow),
    ],
)
def test_search_without_target_labels(validator):
    X, y, X_target, _ = two_domains(90, 60)
    search = GridSearchCV(
        AdaptedClassifier(TCA(2), LogisticRegression()),
        {"adapter__n_components": [1, 4], "classifier__C": [1e-4, 1.0]},
        scoring=LabelFreeScorer(validator, X_target),
        cv=3,
    )
    search.fit(X, y, X_target=X_target)
    assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))
    assert search.predict(X_target).shape == (60,)


def test_oracle_stands_beside_a_label_free_choice():
    X, y, X_target, y_target = two_domains(90, 60)
    search = GridSearchCV(
        AdaptedClassifier(GFK(), LogisticRegression()),
        {"adapter__n_components": [1, 3]},
        scoring={
            "dev": LabelFreeScorer("dev", X_target),
            "oracle": OracleScorer(X_target, y_target),
        },
        refit="dev",
        cv=3,
    )
    search.fit(X, y, X_target=X_target)
    assert np.all(search.cv_results_["mean_test_oracle"] <= 1)
    assert repr(LabelFreeScorer("dev", X_target)) == "LabelFreeScorer('dev')"


def test_scores_of_labels_in_a_column_are_the_same():
    X, y, X_target, _ = two_domains()
    model = AdaptedClassifier(GFK(1)).fit(X, y, X_target)
    score = LabelFreeScorer("iwv", X_target)
    assert score(model, X[:20], y[1:21, None]) == score(model, X[:20], y[1:21])


def test_scores_of_answers_are_higher_where_better():
    X, y, X_target, _ = two_domains()
    model = AdaptedClassifier(GFK(), LogisticRegression()).fit(X, y, X_target)
    answers = model.predict_proba(X_target)
    for name, expected in (
        ("information", answer_information(answers)),
        ("snd", soft_neighbourhood_density(answers)),
        ("entropy", -target_entropy(answers)),
    ):
        assert LabelFreeScorer(name, X_target)(model, X, y) == expected


def test_scorers_say_what_they_need():
    X, y, X_target, _ = two_domains()
    model = AdaptedClassifier(GFK(), LinearSVC()).fit(X, y, X_target)
    assert not hasattr(model, "predict_proba")
    with pytest.raises(TypeError, match="`predict_proba` for 'snd'"):
        LabelFreeScorer("snd", X_target)(model, X, y)
    with pytest.raises(ValueError, match="`validator` to be one of"):
        LabelFreeScorer("accuracy", X_target)
