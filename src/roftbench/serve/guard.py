"""Checks of every request before the page sees it, and headers of every answer.

The server listens on 127.0.0.1 alone, but a browser brings requests of any web page there: one whose name was made to
point to this address (DNS rebinding) has another Host, and one that posts a form or a script has another Origin.
"""

import math
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from roftbench.serve.limits import Rate, RefusedError

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
ALWAYS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
OWN_SITE = ("same-origin", "none")  # Sec-Fetch-Site of the page itself, and of an address that was typed


class Guard:
    """Middleware that refuses other hosts, other origins and too many requests."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self.hosts = [f"{name}:{port}" for name in ("127.0.0.1", "localhost")]
        self.posts, self.gets = Rate(burst=60, per_second=1), Rate(burst=2000, per_second=100)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it to the app."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(message, ALWAYS)
            await send(message)

        try:
            self.check(Headers(scope=scope), str(scope["method"]))
        except RefusedError as error:
            await refusal(error)(scope, receive, send_with_headers)
            return
        await self.app(scope, receive, send_with_headers)

    def check(self, headers: Headers, method: str) -> None:
        """Raise RefusedError unless a request comes from the page, or from no page at all, and not too often."""
        if [host.lower() for host in headers.getlist("host")] not in [[host] for host in self.hosts]:
            raise RefusedError(421, f"this page answers at http://{self.hosts[0]} alone")
        reads = method in ("GET", "HEAD")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin not in (None, *(f"http://{host}" for host in self.hosts)) or not (reads or site in (None, *OWN_SITE)):
            raise RefusedError(403, "requests of other pages are not answered")
        if wait := (self.gets if reads else self.posts).wait():
            seconds = math.ceil(wait)
            message = f"too many requests: the next one in {seconds} s"
            raise RefusedError(429, message, {"retry-after": str(seconds)})


def refusal(error: RefusedError) -> JSONResponse:
    """Return the answer to a request that is refused."""
    return JSONResponse({"error": error.message}, error.status, headers=error.headers)


def _add(message: MutableMapping[str, Any], values: dict[str, str]) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in values.items():
        headers.setdefault(name, value)
