"""One POST from its body to its answer: limits, time, and senders who go away."""

import asyncio
import dataclasses
from collections.abc import Awaitable
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from tftransfer.server.answering import Answerer
from tftransfer.server.bodies import BodyReader
from tftransfer.server.problems import RequestProblem

_LARGE = 200_000  # bytes; a smaller body is parsed faster than handed to a thread


@dataclasses.dataclass(frozen=True)
class Desk:
    """What both protocols share.

    Attributes:
        answerer: Turns pictures into labels.
        reader: Reads bodies within limits.
    """

    answerer: Answerer
    reader: BodyReader

    @property
    def predictor(self):
        """The model that is served."""
        return self.answerer.predictor

    async def parsed(self, parse: Callable, body: bytes, *arguments):
        """Return `parse(body, *arguments)`; large bodies in a thread."""
        if len(body) < _LARGE:
            return parse(body, *arguments)
        return await self.answerer.decoder.run(parse, body, *arguments)

    async def answer(
        self, request: Request, work: Callable[[bytes], Awaitable[Response]]
    ) -> Response:
        """Return what `work` makes of the body.

        Raises:
            RequestProblem: What `work` and the body's limits raise; 504 when time is
                up; 499, which nobody reads, when the sender has gone.
        """
        seconds = self.answerer.settings.request_timeout_s
        try:
            async with asyncio.timeout(seconds), self.reader.read(request) as body:
                return await _unless_gone(request, work(body))
        except TimeoutError as error:
            raise RequestProblem(
                504, f"Expected an answer within {seconds:g} s. It took longer."
            ) from error


async def _unless_gone(request: Request, work: Awaitable[Response]) -> Response:
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_departure(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise RequestProblem(499, "The sender has gone.")
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _departure(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
