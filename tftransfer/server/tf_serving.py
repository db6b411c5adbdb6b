"""TensorFlow Serving's REST protocol.

https://www.tensorflow.org/tfx/serving/api_rest; the same requests get the same answers
from TensorFlow Serving with the exported SavedModel. `:classify` and `:regress` are not
here: they need signatures that our SavedModels do not have.
"""

import re

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tftransfer.server.posting import Desk
from tftransfer.server.problems import RequestProblem
from tftransfer.server.problems import bad
from tftransfer.server.problems import shown
from tftransfer.server.signatures import OUTPUTS
from tftransfer.server.tf_serving_json import metadata
from tftransfer.server.tf_serving_json import parse_predict

_TARGET = re.compile(
    r"(?P<name>[^/:]+)(/versions/(?P<version>[^/:]+))?(?P<verb>/metadata|:[a-z]+)?"
)


class TFServing:
    """Routes of the protocol below `/v1/models/`.

    Args:
        desk: What both protocols share.
    """

    def __init__(self, desk: Desk):
        self.desk = desk

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/v1/models/{target:path}", self.handle, methods=["GET", "POST"])]

    async def handle(self, request: Request) -> JSONResponse:
        """Answer one request: the status, the metadata or a prediction."""
        target = _TARGET.fullmatch(request.path_params["target"])
        if target is None:
            raise RequestProblem(404, f"Not found: {shown(request.url.path)}.")
        self._check_model(target["name"], target["version"])
        verb = target["verb"]
        if verb in (":classify", ":regress"):
            raise bad(f"Expected ':predict'. Received: {verb!r}.")
        if verb not in (None, "/metadata", ":predict"):
            raise RequestProblem(404, f"Not found: {shown(request.url.path)}.")
        methods = ("POST",) if verb == ":predict" else ("GET", "HEAD")
        if request.method not in methods:
            raise RequestProblem(
                405, f"Expected {methods[0]}. Received: {request.method}."
            )
        if verb == ":predict":
            return await self.desk.answer(request, self._predict)
        if verb == "/metadata":
            return JSONResponse(metadata(self.desk.predictor))
        return JSONResponse(self._status())

    def _check_model(self, name: str, version: str | None) -> None:
        served = self.desk.predictor
        if name != served.name or version not in (None, served.version):
            asked = name if version is None else f"{name} version {version}"
            raise RequestProblem(
                404,
                f"Servable not found: expected {served.name}, version "
                f"{served.version}. Received: {shown(asked)}.",
            )

    def _status(self) -> dict:
        version = self.desk.predictor.version
        status = {"error_code": "OK", "error_message": ""}
        entry = {"version": version, "state": "AVAILABLE", "status": status}
        return {"model_version_status": [entry]}

    async def _predict(self, body: bytes) -> JSONResponse:
        size = self.desk.predictor.image_size
        asked = await self.desk.parsed(parse_predict, body, size)
        answer = await self.desk.answerer.answer(asked.pictures)
        names = OUTPUTS[asked.signature]
        columns = {name: getattr(answer, name) for name in names}
        if asked.in_columns:
            return JSONResponse({"outputs": columns})
        rows = [dict(zip(names, row)) for row in zip(*columns.values())]
        return JSONResponse({"predictions": rows})
