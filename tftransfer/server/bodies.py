"""Request bodies: read within limits, and JSON that is only what JSON allows."""

import contextlib
import json

from starlette.requests import ClientDisconnect
from starlette.requests import Request

from tftransfer.server.problems import RequestProblem
from tftransfer.server.problems import bad
from tftransfer.server.problems import shown

_AT_ONCE = 8  # bodies of the largest size, over all requests
_REFUSED = ("multipart/", "image/", "text/html", "text/xml", "application/xml")


class BodyReader:
    """Reads bodies; what all of them hold together is limited too.

    Args:
        max_body: Bytes of one body.
    """

    def __init__(self, max_body: int):
        self.max_body = max_body
        self._held = 0

    @contextlib.asynccontextmanager
    async def read(self, request: Request):
        """Yield the body's bytes, which count as held until the block ends.

        Raises:
            RequestProblem: 413 for a larger body, as soon as that is known; 415 for
                one that is packed or no JSON; 503 when too much is held already.
        """
        _check_type(request)
        self._check_announced(request)
        parts, size = [], 0
        try:
            async for part in request.stream():
                self._held += len(part)
                size += len(part)
                if size > self.max_body:
                    raise self._too_large("more")
                if self._held > _AT_ONCE * self.max_body:
                    raise RequestProblem(
                        503, "The server is busy. Try again later.", retry_after=1
                    )
                parts.append(part)
            body = b"".join(parts)
            parts.clear()
            yield body
        except ClientDisconnect as error:
            raise bad("Expected a whole body. Received: the connection's end.") from (
                error
            )
        finally:
            self._held -= size

    def _check_announced(self, request: Request) -> None:
        length = request.headers.get("content-length", "")
        # The number of digits first: a long enough number takes minutes to convert.
        if length.isdecimal() and (len(length) > 15 or int(length) > self.max_body):
            raise self._too_large(f"{length[:16]} bytes")

    def _too_large(self, received: str) -> RequestProblem:
        return RequestProblem(
            413,
            f"Expected a body of at most {self.max_body} bytes. Received: {received}. "
            "Send fewer or smaller pictures.",
        )


def _check_type(request: Request) -> None:
    packing = request.headers.get("content-encoding", "identity")
    if packing != "identity":
        raise RequestProblem(
            415, f"Expected a body as it is. Received: encoding {shown(packing)}."
        )
    # curl says "form" when it sends JSON with -d: only what cannot be JSON is refused.
    kind = request.headers.get("content-type", "").lower()
    if kind.startswith(_REFUSED):
        raise RequestProblem(
            415, f"Expected application/json. Received: {shown(kind)}."
        )


def parse_object(body: bytes) -> dict:
    """Return the JSON object in `body`.

    Raises:
        RequestProblem: 400 for all that is not one object of standard JSON in UTF-8.
    """
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise bad(
            f"Expected UTF-8. Received: an invalid byte at {error.start}."
        ) from error
    except RecursionError as error:
        raise bad("Expected JSON. Received: JSON nested too deep.") from error
    except ValueError as error:
        raise bad(f"Expected JSON. Received: {str(error)[:200]}.") from error
    if not isinstance(document, dict):
        raise bad(f"Expected a JSON object. Received: {shown(document)}.")
    return document


def _no_constant(name: str):
    raise ValueError(f"{name}, which JSON does not have")
