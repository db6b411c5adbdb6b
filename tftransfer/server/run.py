"""A server as a process: its port, its end, and the line that says where it is."""

import contextlib
import errno
import signal
import socket
import threading
import warnings

import uvicorn
from PIL import Image

from tftransfer.server.app import create_app
from tftransfer.server.settings import ServerSettings

_LAST_SECONDS = 10  # that requests get to finish when the server ends


def serve(
    predictor,
    *,
    host: str = "127.0.0.1",
    port: int = 8501,
    settings: ServerSettings | None = None,
) -> None:
    """Serve `predictor` over HTTP until SIGINT (Ctrl-C) or SIGTERM.

    Prints one line with the address once requests are answered. Requests that have
    begun are finished at the end.

    Args:
        predictor: A `tftransfer.serving.predictor.Predictor`.
        host: Address to listen on; the default is reached from this machine alone.
        port: TCP port; 0 takes a free one.
        settings: Limits; None takes the defaults.

    Raises:
        OSError: When the port is in use or the address is none of this machine's.
    """
    server, listening = make_server(predictor, host=host, port=port, settings=settings)
    with listening, _quiet_signals(), warnings.catch_warnings():
        # The pixel limit says it to whom it concerns, the sender.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        server.run(sockets=[listening])


def make_server(
    predictor, *, host: str, port: int, settings: ServerSettings | None
) -> tuple[uvicorn.Server, socket.socket]:
    """Return a server that is not running yet, and the socket it listens on."""
    settings = settings or ServerSettings()
    listening = _bound(host, port)
    where = f"http://{_shown_address(listening)}"
    config = uvicorn.Config(
        create_app(predictor, settings=settings),
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        # Connections, of which most wait for their turn: each may bring one request.
        limit_concurrency=max(64, 2 * settings.max_waiting),
        timeout_graceful_shutdown=_LAST_SECONDS,
    )
    text = (
        f"{predictor.name} (version {predictor.version}, {len(predictor.labels)} "
        f"labels, {predictor.engine}) is served on {where} - Ctrl-C ends it."
    )
    return _AnnouncedServer(config, text), listening


class _AnnouncedServer(uvicorn.Server):
    """Prints a line when it is ready."""

    def __init__(self, config: uvicorn.Config, text: str):
        super().__init__(config)
        self._text = text

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._text, flush=True)


def _bound(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise ValueError(f"Expected a port from 0 to 65535. Received: {port}.")
    try:
        return _socket(host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise OSError(
                f"Expected an address of this machine that may be listened on. "
                f"Received: {host} port {port}: {error.strerror}."
            ) from error
        raise OSError(
            f"Expected a free port. Received: {port}, which another program uses. "
            f"Free is {_free_port(host, port)}; 0 takes any."
        ) from error


def _socket(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    # With TCP named: else asyncio leaves out TCP_NODELAY, and answers take 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Else a port stays taken for a minute after its server has ended.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError:
        listening.close()
        raise
    return listening


def _free_port(host: str, taken: int) -> int:
    for port in (*range(taken + 1, min(taken + 20, 65536)), 0):
        with contextlib.suppress(OSError), _socket(host, port) as listening:
            return listening.getsockname()[1]
    return 0


def _shown_address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextlib.contextmanager
def _quiet_signals():
    """Let the signals end the server alone: uvicorn raises them again at its end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.signal(kind, lambda *_: None) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
