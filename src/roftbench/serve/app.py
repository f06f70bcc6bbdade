"""The page: its files, predictions and drawings by HTTP."""

import asyncio
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from roftbench.__about__ import __version__
from roftbench.formatting import printable
from roftbench.report.page.templates import content, environment
from roftbench.serve.guard import Guard, refusal
from roftbench.serve.limits import (
    BODY_SECONDS,
    DRAIN_BYTES,
    DRAIN_SECONDS,
    MOST_BYTES,
    MOST_RESULTS,
    RefusedError,
)
from roftbench.serve.shown import About, Answer
from roftbench.serve.worker import Worker

KINDS = {  # of content; none of them can be sent by a page of another origin without being asked for permission first
    "application/json": "smiles",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "chemical/x-mdl-sdfile": "sdf",
    "chemical/x-daylight-smiles": "smi",
}
STYLE = "style.css"
FILES = {STYLE: "text/css", "app.js": "text/javascript", "icon.svg": "image/svg+xml"}
MOST_WAITING = 200  # requests for the process with the models
PAGE = Path(__file__).parent / "page"


@dataclass(frozen=True)
class Texts:
    """What the page shows beside its models.

    Attributes:
        name: Name of the models, as the command line has it.
        command: Command that predicts a table of any length.
        most: Number of molecules of a table.
    """

    name: str
    command: str
    most: int


class Page:
    """Routes of the page of one `Worker`, and the latest results."""

    def __init__(self, worker: Worker, texts: Texts) -> None:
        self.worker, self.texts = worker, texts
        self.results: OrderedDict[str, Answer] = OrderedDict()
        self._html = _html(worker.about(), texts)
        self._turn: CapacityLimiter | None = None  # made inside the event loop

    def app(self, port: int) -> Starlette:
        """Return the application for a port; it ends the worker when it is shut down."""
        routes = [
            Route("/", self.index),
            *(Route(f"/{name}", partial(_file, name)) for name in FILES),
            Route("/predictions", self.predict, methods=["POST"]),
            Route("/predictions/{result}.csv", self.table),
            Route("/predictions/{result}/{row:int}.svg", partial(self.drawing, of="molecule")),
            Route("/predictions/{result}/{row:int}/neighbor.svg", partial(self.drawing, of="neighbor")),
        ]
        handlers: dict[Any, Callable[..., Any]] = {
            RefusedError: _refused,
            HTTPException: _http_error,
            Exception: _failure,
        }
        return Starlette(
            routes=routes,
            middleware=[Middleware(Guard, port=port)],
            exception_handlers=handlers,
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self._turn = CapacityLimiter(1)
        try:
            yield
        finally:
            self.worker.stop()

    async def index(self, _: Request) -> Response:
        """Return the page."""
        return HTMLResponse(self._html)

    async def predict(self, request: Request) -> Response:
        """Return predictions for a table or for pasted SMILES, as JSON."""
        kind = KINDS.get(request.headers.get("content-type", "").partition(";")[0].strip().lower())
        if kind is None:
            raise RefusedError(415, f"this content is not read: give {', '.join(KINDS)}")
        if request.headers.get("content-encoding"):
            raise RefusedError(415, "compressed content is not read")
        content = await _body(request)
        if kind == "smiles":
            content = _pasted(content)
        began = time.monotonic()
        answer: Answer = await self._call("predict", content, kind)
        result = secrets.token_urlsafe(12)
        self.results[result] = answer
        while len(self.results) > MOST_RESULTS:
            self.results.popitem(last=False)
        rows = [asdict(row) for row in answer.rows]
        return JSONResponse({"result": result, "seconds": time.monotonic() - began, "rows": rows})

    async def table(self, request: Request) -> Response:
        """Return the table with the added columns, as `roftbench predict` writes it."""
        headers = {"content-disposition": 'attachment; filename="predictions.csv"'}
        return Response(self._result(request).table, media_type="text/csv; charset=utf-8", headers=headers)

    async def drawing(self, request: Request, of: str) -> Response:
        """Return the structure of a row's molecule, or of its nearest training molecule, as SVG."""
        rows, place = self._result(request).rows, request.path_params["row"]
        row = rows[place] if place < len(rows) else None
        smiles = "" if row is None else row.smiles if of == "molecule" else row.neighbor.smiles if row.neighbor else ""
        if not smiles:
            raise RefusedError(404, "there is no such molecule")
        return Response(await self._call("draw", smiles), media_type="image/svg+xml")

    def _result(self, request: Request) -> Answer:
        found = self.results.get(request.path_params["result"])
        if found is None:
            raise RefusedError(404, f"these predictions are gone: the latest {MOST_RESULTS} are held. Predict again.")
        return found

    async def _call(self, name: str, *arguments: Any) -> Any:
        assert self._turn is not None
        if self._turn.statistics().tasks_waiting >= MOST_WAITING:
            raise RefusedError(503, "the model is busy: try again in a moment", {"retry-after": "5"})
        return await to_thread.run_sync(self.worker.call, name, *arguments, limiter=self._turn)


async def _file(name: str, _: Request) -> Response:
    colors = content("colors.css").encode() if name == STYLE else b""
    return Response(colors + (PAGE / name).read_bytes(), media_type=FILES[name])


async def _body(request: Request) -> bytes:
    """Return the body of a request.

    Raises:
        RefusedError: It is too large or too slow.
    """
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                content += chunk
                if len(content) > MOST_BYTES:
                    await _drain(request, len(content))
                    message = f"more than {MOST_BYTES / 1e6:g} MB: `roftbench predict` takes tables of any size"
                    raise RefusedError(413, message)
    except ClientDisconnect:
        raise RefusedError(400, "the table was not sent to its end") from None
    except TimeoutError:
        raise RefusedError(408, f"the table did not arrive within {BODY_SECONDS:g} s") from None
    return bytes(content)


async def _drain(request: Request, count: int) -> None:
    """Read and forget the rest of a body, within bounds: who sends it reads the answer only then."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for chunk in request.stream():
                count += len(chunk)
                if count > DRAIN_BYTES:
                    return
    except (TimeoutError, ClientDisconnect):
        return


def _pasted(content: bytes) -> bytes:
    """Return the text of {"smiles": "…"}."""
    try:
        text = json.loads(content)["smiles"]
        found: bytes = text.encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise RefusedError(422, 'the content is no JSON of the form {"smiles": "one per line"}') from None
    if not found.strip():
        raise RefusedError(422, "there is no SMILES: paste one per line")
    return found


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return refusal(error)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(RefusedError(error.status_code, error.detail.lower(), dict(error.headers or {})))


async def _failure(_: Request, error: Exception) -> Response:
    return refusal(RefusedError(500, f"this went wrong: {type(error).__name__}"))


def _html(about: About, texts: Texts) -> str:
    """Return the page. The text of a card is its author's: no HTML in it is taken as such."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    return (
        environment(PAGE)
        .get_template("page.html")
        .render(
            about=about,
            texts=texts,
            version=__version__,
            most_bytes=MOST_BYTES,
            cards=[Markup(markdown.render(printable(card))) for card in about.cards],
            data={"task": about.task, "ranges": about.ranges, "positive": about.positive},
        )
    )
