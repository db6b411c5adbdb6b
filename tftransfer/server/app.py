"""The application of one model: both protocols, health, metrics and the page."""

import contextlib

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.responses import Response
from starlette.routing import Route

from tftransfer.server.answering import Answerer
from tftransfer.server.bodies import BodyReader
from tftransfer.server.kserve import KServe
from tftransfer.server.metrics import CONTENT_TYPE
from tftransfer.server.metrics import CountRequests
from tftransfer.server.metrics import Metrics
from tftransfer.server.page import page_routes
from tftransfer.server.posting import Desk
from tftransfer.server.problems import RequestProblem
from tftransfer.server.problems import error_response
from tftransfer.server.problems import shown
from tftransfer.server.settings import ServerSettings
from tftransfer.server.tf_serving import TFServing


def create_app(predictor, *, settings: ServerSettings | None = None) -> Starlette:
    """Return the ASGI application that serves `predictor`.

    Args:
        predictor: A `tftransfer.serving.predictor.Predictor`, or what looks like one:
            `name`, `version`, `labels`, `image_size`, `format`, `engine` and
            `probabilities(images)`.
        settings: Limits; None takes the defaults.

    Returns:
        An application whose lifespan starts and ends the threads; mounted elsewhere
        without it, nothing is answered.
    """
    settings = settings or ServerSettings()
    metrics = Metrics()
    answerer = Answerer(predictor, settings=settings, metrics=metrics)
    desk = Desk(answerer, BodyReader(settings.max_body))
    app = Starlette(
        routes=[
            *TFServing(desk).routes(),
            *KServe(desk).routes(),
            *page_routes(predictor, settings),
            *_house_routes(metrics),
        ],
        lifespan=_lifespan(answerer),
        middleware=[Middleware(CountRequests, metrics=metrics)],
        exception_handlers={
            RequestProblem: _problem,
            HTTPException: _http_problem,
            Exception: _failure,
        },
    )
    app.router.redirect_slashes = False  # to an address made of what the client says
    return app


def _lifespan(answerer: Answerer):
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette):
        answerer.batcher.start()
        yield
        await answerer.batcher.stop()
        answerer.decoder.close()

    return lifespan


def _house_routes(metrics: Metrics) -> list[Route]:
    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def numbers(request: Request) -> Response:
        return Response(metrics.text(), headers={"content-type": CONTENT_TYPE})

    return [Route("/healthz", health), Route("/metrics", numbers)]


async def _problem(request: Request, problem: RequestProblem) -> JSONResponse:
    return problem.response()


async def _http_problem(request: Request, problem: HTTPException) -> JSONResponse:
    texts = {
        404: f"Not found: {shown(request.url.path)}.",
        405: f"Method not allowed here: {shown(request.method)}.",
    }
    text = texts.get(problem.status_code, str(problem.detail))
    return error_response(problem.status_code, text, problem.headers)


async def _failure(request: Request, error: Exception) -> JSONResponse:
    # The traceback goes to the server's own log.
    return error_response(500, "The server failed on this request.")
