"""What is wrong with a request, as an HTTP status and one line of text."""

from starlette.responses import JSONResponse


class RequestProblem(Exception):
    """Ends a request with an error for its sender.

    Args:
        status: HTTP status, 400 to 599.
        text: What was expected and what came; goes to the client as it is.
        retry_after: Seconds after which to try again, for a server that is busy.
    """

    def __init__(self, status: int, text: str, *, retry_after: int | None = None):
        super().__init__(text)
        self.status = status
        self.text = text
        self.retry_after = retry_after

    def response(self) -> JSONResponse:
        """Return the answer in the form of both protocols, `{"error": text}`."""
        headers = {}
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        return error_response(self.status, self.text, headers)


def error_response(status: int, text: str, headers=None) -> JSONResponse:
    """Return `{"error": text}` with `status`."""
    # A lone surrogate of a JSON escape cannot be encoded again.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return JSONResponse({"error": text}, status, headers)


def bad(text: str) -> RequestProblem:
    """Return the problem of a request that does not follow its protocol."""
    return RequestProblem(400, text)


def shown(value) -> str:
    """Return `value` as an error text quotes it: short, whatever came.

    Example:
        >>> shown("x" * 1000)[:6], len(shown("x" * 1000))
        ("'xxxxx", 60)
    """
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)} keys"
    if isinstance(value, str) and len(value) > 60:
        value = value[:60]
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]} ..."
