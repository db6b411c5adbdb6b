"""Rows of the methods of domain adaptation on networks."""

import keras

from tests.common.row import Row
from tests.common.row import vector_data
from tests.common.row import vector_part
from tftransfer.domain import ADDA
from tftransfer.domain import CDAN
from tftransfer.domain import DAN
from tftransfer.domain import DANN
from tftransfer.domain import DRCN
from tftransfer.domain import JAN
from tftransfer.domain import MCD
from tftransfer.domain import DeepCORAL
from tftransfer.domain import DomainConfusion
from tftransfer.domain import ImpulseNoise
from tftransfer.domain import Restyler


def _adapting(method, *more, mixed=False, **options):
    """Return a method of domain adaptation on vectors."""
    dtype = "mixed_float16" if mixed else None
    extractor = vector_part("extractor", 4, 5, dtype=dtype)
    head = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(3, dtype="float32")], name="head"
    )
    return method(extractor, head, *more, **options)


def _judge(inputs):
    layers = [keras.layers.Dense(6, "tanh"), keras.layers.Dense(1)]
    return keras.Sequential([keras.Input((inputs,)), *layers], name="discriminator")


def _adaptation(method, terms, *, judged=None, parts=("extractor", "head"), **more):
    """Return the row of a method of domain adaptation.

    Args:
        method: Its class.
        terms: As in `Row`, without the task.
        judged: Number of values that its discriminator sees, if it has one.
        parts: As in `Row`.
        **more: Of `Row`; `options`, a dict, of the method.
    """
    options = more.pop("options", {})

    def build(mixed=False, **others):
        judges = [] if judged is None else [_judge(judged)]
        return _adapting(method, *judges, mixed=mixed, **options, **others)

    bad = {
        "unknown BatchNorm policy": lambda: build(batch_norm="both"),
        "a head of other features": lambda: method(
            vector_part("extractor", 4, 5), vector_part("head", 6, 3)
        ),
        "a part that is not built": lambda: method(
            keras.Sequential([keras.layers.Dense(5)]), vector_part("head", 5, 3)
        ),
    }
    if judged is not None:
        bad["a discriminator of two logits"] = lambda: _adapting(
            method, vector_part("discriminator", judged, 2), **options
        )
    return Row(
        **{
            "build": build,
            "data": vector_data,
            "plain": lambda x: x["target"],
            "terms": {"task": {"extractor", "head"}, **terms},
            "parts": parts,
            "runs": {"extractor": 1},
            "measures": () if judged is None else ("domain_accuracy",),
            "in_jobs": False,
            "bad": bad,
            **more,
        }
    )


def _restyler(mixed=False, drawn=4, logits=1):
    dtype = "mixed_float16" if mixed else None
    return Restyler(
        vector_part("generator", 4, drawn, dtype=dtype),
        vector_part("discriminator", 4, logits, dtype=dtype),
        keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(3, dtype="float32")],
            name="classifier",
        ),
    )


_JUDGED = ("extractor", "head", "discriminator")
_HEADS = ("extractor", "head", "second_head")
_OF_MCD = {"second_head": {"extractor", "second_head"}, "discrepancy": set(_HEADS)}

DOMAIN_ROWS = {
    "DANN": _adaptation(
        DANN,
        {"domain": {"extractor", "discriminator"}},
        judged=5,
        parts=_JUDGED,
    ),
    "CDAN": _adaptation(
        CDAN,
        {"domain": {"extractor", "discriminator"}},
        judged=15,
        parts=_JUDGED,
        options={"entropy_weights": False},
    ),
    "DomainConfusion": _adaptation(
        DomainConfusion,
        {"discriminator": {"discriminator"}, "confusion": {"extractor"}},
        judged=5,
        parts=_JUDGED,
        runs={"extractor": 1, "discriminator": 2},  # once to learn, once to be confused
    ),
    "ADDA": Row(
        build=lambda mixed=False: _adapting(ADDA, _judge(5), mixed=mixed),
        data=vector_data,
        plain=lambda x: x["target"],
        terms={
            "task": set(),
            "discriminator": {"discriminator"},
            "mapping": {"target_encoder"},
        },
        parts=("target_encoder", "discriminator"),
        frozen=("extractor", "head"),
        runs={"target_encoder": 1, "discriminator": 2},
        measures=("domain_accuracy",),
        in_jobs=False,
        bad={
            "something else to see": lambda: _adapting(ADDA, sees="probabilities"),
            "a discriminator of scores": lambda: _adapting(ADDA, _judge(3)),
        },
    ),
    "DAN": _adaptation(DAN, {"mmd": {"extractor", "head"}}, per_sample=False),
    "JAN across replicas": _adaptation(
        JAN,
        {"joint_mmd": {"extractor", "head"}},
        options={"across_replicas": True},
    ),
    "DeepCORAL": _adaptation(
        DeepCORAL, {"coral": {"extractor", "head"}}, per_sample=False
    ),
    "MCD": _adaptation(MCD, _OF_MCD, parts=_HEADS),
    "MCD by turns": _adaptation(
        MCD,
        {**_OF_MCD, "discrepancy": {"head", "second_head"}},  # on the heads' turn
        parts=_HEADS,
        options={"extractor_steps": 1},
        # On the source, on the target to maximise, on the target to minimise.
        runs={"extractor": 1, "head": 3, "second_head": 3},
    ),
    "MCD balanced": _adaptation(
        MCD,
        {**_OF_MCD, "balance": set(_HEADS)},
        parts=_HEADS,
        options={"balance_weight": 0.1},
        runs={"extractor": 1, "head": 2, "second_head": 2},  # reversed, and straight
        per_sample=False,  # the balance is of a replica's rows together
    ),
    "DRCN": Row(
        build=lambda mixed=False: _adapting(
            DRCN, vector_part("decoder", 5, 4), mixed=mixed, noise=ImpulseNoise(0.0)
        ),
        data=vector_data,
        plain=lambda x: x["target"],
        terms={
            "task": {"extractor", "head"},
            "reconstruction": {"extractor", "decoder"},
        },
        parts=("extractor", "head", "decoder"),
        runs={"extractor": 1},
        in_jobs=False,
        bad={
            "a decoder of another size": lambda: _adapting(
                DRCN, vector_part("decoder", 5, 3)
            ),
            "noise everywhere": lambda: ImpulseNoise(1.0),
        },
    ),
    "Restyler": Row(
        build=_restyler,
        data=vector_data,
        plain=lambda x: x["target"],
        terms={
            "task": {"generator"},
            "discriminator": {"discriminator"},
            "adversarial": {"generator"},
            "content": {"generator"},
            "identity": {"generator"},
        },
        parts=("generator", "discriminator"),
        frozen=("classifier",),
        runs={"generator": 1, "discriminator": 2},
        measures=("domain_accuracy",),
        in_jobs=False,
        bad={
            "pictures of another shape": lambda: _restyler(drawn=5),
            "a discriminator of two logits": lambda: _restyler(logits=2),
        },
    ),
}
