"""KServe's V2 protocol, also called the Open Inference Protocol, over REST.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol with
the extension for binary tensors. A request gives one of the inputs `image_bytes` and
`image`, never both.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.responses import Response
from starlette.routing import Route

from tftransfer._version import __version__
from tftransfer.server.kserve_answer import answer_message
from tftransfer.server.kserve_request import HEADER
from tftransfer.server.kserve_request import parse_infer
from tftransfer.server.posting import Desk
from tftransfer.server.problems import RequestProblem
from tftransfer.server.problems import shown

_PLATFORMS = {"tf_saved_model": "tensorflow_savedmodel", "onnx": "onnx_onnxv1"}


class KServe:
    """Routes of the protocol below `/v2`.

    Args:
        desk: What both protocols share.
    """

    def __init__(self, desk: Desk):
        self.desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        below = {"": self._model, "/ready": self._model_ready}
        model = "/v2/models/{name}"
        routes = [
            Route("/v2", self._server),
            Route("/v2/health/live", self._live),
            Route("/v2/health/ready", self._ready),
        ]
        for place in (model, f"{model}/versions/{{version}}"):
            routes += [Route(place + end, handle) for end, handle in below.items()]
            routes.append(Route(f"{place}/infer", self._infer, methods=["POST"]))
        return routes

    async def _server(self, request: Request) -> JSONResponse:
        extensions = ["binary_tensor_data"]
        facts = {"name": "tftransfer", "version": __version__}
        return JSONResponse({**facts, "extensions": extensions})

    async def _live(self, request: Request) -> JSONResponse:
        return JSONResponse({"live": True})

    async def _ready(self, request: Request) -> JSONResponse:
        return JSONResponse({"ready": True})

    async def _model(self, request: Request) -> JSONResponse:
        self._check_model(request)
        served, top_k = self.desk.predictor, self.desk.answerer.top_k
        square = [-1, served.image_size, served.image_size, 3]
        inputs = [("image_bytes", "BYTES", [-1]), ("image", "FP32", square)]
        outputs = [
            ("labels", "BYTES", [-1, top_k]),
            ("scores", "FP32", [-1, top_k]),
            ("error", "BYTES", [-1]),
        ]
        keys = ("name", "datatype", "shape")
        return JSONResponse(
            {
                "name": served.name,
                "versions": [served.version],
                "platform": _PLATFORMS.get(served.format, served.format),
                "inputs": [dict(zip(keys, tensor)) for tensor in inputs],
                "outputs": [dict(zip(keys, tensor)) for tensor in outputs],
            }
        )

    async def _model_ready(self, request: Request) -> JSONResponse:
        self._check_model(request)
        return JSONResponse({"name": self.desk.predictor.name, "ready": True})

    async def _infer(self, request: Request) -> Response:
        self._check_model(request)
        header = request.headers.get(HEADER)

        async def work(body: bytes) -> Response:
            size = self.desk.predictor.image_size
            asked = await self.desk.parsed(parse_infer, body, header, size)
            answer = await self.desk.answerer.answer(asked.pictures)
            return answer_message(self.desk.predictor, asked, answer)

        return await self.desk.answer(request, work)

    def _check_model(self, request: Request) -> None:
        served = self.desk.predictor
        name = request.path_params["name"]
        version = request.path_params.get("version", served.version)
        if name != served.name or version != served.version:
            asked = name if version == served.version else f"{name} version {version}"
            raise RequestProblem(
                404,
                f"Expected the model {served.name}, version {served.version}. "
                f"Received: {shown(asked)}.",
            )
