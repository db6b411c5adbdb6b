"""The page for people: three files of this package and what they need to know."""

import importlib.resources

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.responses import Response
from starlette.routing import Route

from tftransfer.server.settings import ServerSettings

_KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def page_routes(predictor, settings: ServerSettings) -> list[Route]:
    """Return the routes of the page, of its style and script, and of its facts."""
    facts = {
        "name": predictor.name,
        "version": predictor.version,
        "labels": len(predictor.labels),
        "image_size": predictor.image_size,
        "engine": predictor.engine,
        "max_body": settings.max_body,
        "max_pixels": settings.max_pixels,
    }

    async def model(request: Request) -> JSONResponse:
        return JSONResponse(facts, headers=_HEADERS)

    files = [_file_route(f"/page.{end}", end) for end in ("css", "js")]
    return [_file_route("/", "html"), *files, Route("/page.json", model)]


def _file_route(path: str, end: str) -> Route:
    file = importlib.resources.files("tftransfer.server") / f"page.{end}"
    contents = file.read_bytes()

    async def answer(request: Request) -> Response:
        return Response(contents, media_type=_KINDS[end], headers=_HEADERS)

    return Route(path, answer)
