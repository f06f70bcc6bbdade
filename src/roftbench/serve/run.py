"""Serve the page of saved models on this machine until it is interrupted."""

import signal
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import uvicorn

from roftbench.errors import UsageError
from roftbench.serve.app import Page, Texts
from roftbench.serve.worker import Models, Worker

HOST = "127.0.0.1"


def serve(models: Models, texts: Texts, port: int, seconds: float, ready: Callable[[str], None]) -> None:
    """Load models and serve their page; returns when the process is interrupted.

    Args:
        models: The models.
        texts: What the page shows beside them.
        port: Port of 127.0.0.1; 0 for any that is free.
        seconds: Time that a request may take.
        ready: Called with the address once the page answers.

    Raises:
        UsageError: The models cannot be loaded, or the port cannot be used.
        KeyboardInterrupt: The process was interrupted.
    """
    with _bound(port) as bound, tempfile.TemporaryDirectory(prefix="roftbench-serve-") as folder:
        worker = Worker(models, seconds, texts.most, Path(folder))
        try:
            page = Page(worker, texts)
            number = int(bound.getsockname()[1])
            server = uvicorn.Server(
                uvicorn.Config(
                    page.app(number),
                    ws="none",
                    lifespan="on",
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    proxy_headers=False,
                    limit_concurrency=256,
                    timeout_keep_alive=5,
                    timeout_graceful_shutdown=1,
                    h11_max_incomplete_event_size=16_384,
                )
            )
            signal.signal(signal.SIGTERM, _leave)  # the server ends itself first, and then raises the signal again
            ready(f"http://{HOST}:{number}")
            server.run(sockets=[bound])
        finally:
            worker.stop()


def _leave(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _bound(port: int) -> socket.socket:
    """Return a socket at a port of this machine.

    Raises:
        UsageError: The port is in use, or needs rights that the user lacks.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
        bound.listen()  # a second server is refused here
    except OSError as error:
        bound.close()
        hint = "Give another one, such as port=8001, or port=0 for any that is free."
        raise UsageError(f"port={port} cannot be used: {error.strerror}", key="port", got=port, hint=hint) from None
    return bound
