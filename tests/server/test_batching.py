"""Requests joined to batches: who is with whom, in which order, and who fails."""

import asyncio
import threading
import time

import httpx
import numpy as np
import pytest

from tests.server.fakes import BLUE
from tests.server.fakes import GREEN
from tests.server.fakes import OPEN
from tests.server.fakes import RED
from tests.server.fakes import FakePredictor
from tests.server.fakes import b64
from tests.server.fakes import picture
from tests.server.fakes import pixels
from tests.server.fakes import running
from tftransfer.server.batching import Batcher
from tftransfer.server.metrics import Metrics
from tftransfer.server.problems import RequestProblem
from tftransfer.server.settings import ServerSettings

PREDICT = "/v1/models/colours:predict"
COLOURS = {OPEN: RED, "green": GREEN, "blue": BLUE}


def _run(predictor, work, **settings):
    """Return `await work(batcher)` of a started batcher."""

    async def whole():
        batcher = Batcher(
            predictor, settings=ServerSettings(**settings), metrics=Metrics()
        )
        batcher.start()
        try:
            return await asyncio.wait_for(work(batcher), 10)
        finally:
            await batcher.stop()

    return asyncio.run(whole())


def _best(rows) -> list[int]:
    return np.argmax(rows, axis=-1).tolist()


def test_concurrent_requests_share_batches_and_keep_their_order():
    predictor = FakePredictor()
    kinds = [(RED, GREEN), (BLUE,), (GREEN, GREEN, RED)]

    async def work(batcher):
        asked = (
            batcher.probabilities([pixels(colour)[0] for colour in kind])
            for kind in kinds
        )
        return await asyncio.gather(*asked)

    found = _run(predictor, work, batch_wait_ms=50)
    assert [_best(rows) for rows in found] == [[0, 1], [2], [1, 1, 0]]
    assert predictor.batches == [6]


def test_batches_are_no_larger_than_allowed():
    predictor = FakePredictor()
    images = [pixels((10 * i, 255 - 10 * i, 0))[0] for i in range(23)]
    rows = _run(predictor, lambda b: b.probabilities(images), max_batch=8)
    assert predictor.batches == [8, 8, 7]
    np.testing.assert_allclose(rows, FakePredictor().probabilities(np.stack(images)))


def test_pixels_of_both_kinds_in_one_batch():
    predictor = FakePredictor()
    images = [pixels(RED)[0], pixels(BLUE)[0].astype("float32")]
    rows = _run(predictor, lambda batcher: batcher.probabilities(images))
    assert _best(rows) == [0, 2]
    assert predictor.batches == [2]


def test_what_is_given_up_is_not_computed():
    begun, go_on = threading.Event(), threading.Event()

    def hold(images):
        begun.set()
        go_on.wait(5)

    predictor = FakePredictor(before=hold)

    async def work(batcher):
        first = asyncio.create_task(batcher.probabilities([pixels(RED)[0]]))
        await asyncio.to_thread(begun.wait, 5)
        given_up = asyncio.create_task(batcher.probabilities([pixels(RED)[0]] * 5))
        await asyncio.sleep(0)
        last = asyncio.create_task(batcher.probabilities([pixels(BLUE)[0]]))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        go_on.set()
        return await asyncio.gather(first, last)

    found = _run(predictor, work, batch_wait_ms=0)
    assert [_best(rows) for rows in found] == [[0], [2]]
    assert predictor.batches == [1, 1]


def test_an_error_of_the_model_fails_its_batch_alone(caplog):
    def refuse(images):
        if (images[..., 0] > 200).any():
            raise RuntimeError("secret of the model")

    async def work(batcher):
        with pytest.raises(RequestProblem, match="model failed") as caught:
            await batcher.probabilities([pixels(RED)[0], pixels(RED)[0]])
        assert caught.value.status == 500
        assert "secret" not in caught.value.text
        return await batcher.probabilities([pixels(GREEN)[0]])

    assert _best(_run(FakePredictor(before=refuse), work)) == [1]
    assert "secret of the model" in caplog.text


@pytest.mark.parametrize("answer", [np.zeros((1, 7)), np.full((1, 3), np.nan), None])
def test_nonsense_of_the_model_is_an_error(answer):
    predictor = FakePredictor()
    predictor.probabilities = lambda images: answer

    async def work(batcher):
        with pytest.raises(RequestProblem, match="model failed"):
            await batcher.probabilities([pixels(RED)[0]])

    _run(predictor, work)


def test_places_are_limited_and_given_back():
    async def work(batcher):
        with batcher.places(3):
            with pytest.raises(RequestProblem) as caught, batcher.places(2):
                pass
            assert caught.value.status == 503
            assert caught.value.retry_after == 1
            with batcher.places(1):
                pass
        with batcher.places(4):
            pass

    _run(FakePredictor(), work, max_waiting=4, max_pictures=4)


def test_over_http_every_client_gets_its_own_answer():
    predictor = FakePredictor(seconds=0.01)
    wanted = [label for _ in range(30) for label in COLOURS]

    async def ask(client, label):
        body = {"instances": [{"b64": b64(picture(COLOURS[label]))}]}
        answer = await client.post(PREDICT, json=body)
        return answer.json()["predictions"][0]["labels"][0]

    async def ask_all(address):
        async with httpx.AsyncClient(base_url=address, timeout=20) as client:
            return await asyncio.gather(*(ask(client, label) for label in wanted))

    with running(predictor) as address:
        assert asyncio.run(ask_all(address)) == wanted
    assert sum(predictor.batches) == 90
    assert max(predictor.batches) > 4


def test_time_is_limited_and_the_server_goes_on():
    go_on = threading.Event()
    predictor = FakePredictor(before=lambda images: go_on.wait(10))
    body = {"instances": [{"b64": b64(picture(RED))}]}
    with (
        running(predictor, request_timeout_s=0.5) as address,
        httpx.Client(base_url=address) as client,
    ):
        answer = client.post(PREDICT, json=body)
        assert answer.status_code == 504
        assert "0.5 s" in answer.json()["error"]
        assert "tftransfer_waiting_pictures 0.0" in client.get("/metrics").text
        go_on.set()
        end = time.monotonic() + 10
        while client.post(PREDICT, json=body).status_code != 200:
            assert time.monotonic() < end


def test_a_model_that_fails_is_500_in_json():
    def fail(images):
        raise RuntimeError("secret")

    body = {"instances": [{"b64": b64(picture(RED))}]}
    with running(FakePredictor(before=fail)) as address:
        for _ in range(2):
            answer = httpx.post(address + PREDICT, json=body)
            assert answer.status_code == 500
            assert answer.json() == {
                "error": "The model failed on this batch of pictures."
            }
        assert httpx.get(address + "/healthz").json() == {"status": "ok"}


def test_too_many_waiting_pictures_are_503():
    go_on = threading.Event()
    predictor = FakePredictor(before=lambda images: go_on.wait(5))
    body = {"instances": [{"b64": b64(picture(RED))}] * 3}

    async def ask(address):
        async with httpx.AsyncClient(base_url=address, timeout=20) as client:
            first = asyncio.create_task(client.post(PREDICT, json=body))
            while not predictor.batches:
                await asyncio.sleep(0.01)
            refused = await client.post(PREDICT, json=body)
            go_on.set()
            return (await first), refused

    with running(predictor, max_waiting=5, max_pictures=5) as address:
        first, refused = asyncio.run(ask(address))
    assert first.status_code == 200
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert "3 pictures are waiting" in refused.json()["error"]
