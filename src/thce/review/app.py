"""The review page over HTTP, on this machine alone.

Three locks, because notes are private: the socket is bound to a loopback address; a request whose Host header names another
machine is refused (a page on the web could make its own name point here); and every address begins with a random key, which
is printed once, so that other users of the same machine do not get in.
"""

from __future__ import annotations

import json
import socket
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from thce.errors import UserError
from thce.review.desk import Desk

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LARGEST = 1_000_000
"""Bytes of a request."""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_TYPES = {"page.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}


def application(desk: Desk, key: str) -> Starlette:
    """The page and what it asks for, all below `/<key>/`."""

    def page(request: Request) -> Response:
        name = request.path_params.get("name", "page.html")
        if name not in _TYPES:
            return _json({"error": "there is no such page"}, 404)
        content = files("thce.review").joinpath(name).read_bytes()
        return Response(content, media_type=_TYPES[name], headers=_HEADERS)

    async def notes(request: Request) -> Response:
        if request.method == "GET":
            return _json(desk.overview())
        return await _call(request, lambda given: {"number": desk.add(given.get("narrative", ""))})

    async def note(request: Request) -> Response:
        number = int(request.path_params["number"])
        if request.method == "GET":
            return await _call(request, lambda _: desk.note(number))
        return await _call(request, lambda given: desk.save(number, given))

    async def search(request: Request) -> Response:
        return await _call(request, lambda given: desk.search(str(given.get("words", "")), given.get("code_type")))

    routes = [
        Route("/", page),
        Route("/api/notes", notes, methods=["GET", "POST"]),
        Route("/api/notes/{number:int}", note, methods=["GET", "POST"]),
        Route("/api/search", search, methods=["POST"]),
        Route("/{name}", page),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, "[::1]"], www_redirect=False)
    return Starlette(routes=[Mount(f"/{key}", routes=routes)], middleware=[hosts])


async def _call(request: Request, work: Any) -> Response:
    """Run `work` on the request's JSON object, off the event loop; a `UserError` is told with status 400."""
    given: Any = {}
    if request.method == "POST":
        if int(request.headers.get("content-length") or LARGEST + 1) > LARGEST:
            return _json({"error": "the request is too large"}, 413)
        try:
            given = json.loads(await request.body())
        except ValueError:
            given = None
        if not isinstance(given, dict):
            return _json({"error": "the request is not a JSON object"}, 400)
    try:
        return _json(await run_in_threadpool(work, given))
    except UserError as error:
        return _json({"error": str(error)}, 400)


def _json(value: Any, status: int = 200) -> Response:
    return JSONResponse(value, status, headers=_HEADERS)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket on a loopback address; port 0 takes a free one. Raises `UserError` for any other host."""
    if host not in LOOPBACK:
        raise UserError("--host", f"`{host}` is not this machine", f"notes are shown on {', '.join(LOOPBACK)} only")
    if not 0 <= port <= 65535:
        raise UserError("--port", f"must be from 0 to 65535, not {port}")
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise UserError(f"port {port}", f"cannot be used ({error.strerror})", "choose another --port, or 0") from None
    return listening


def address(listening: socket.socket, key: str) -> str:
    """Where the page is."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/{key}/"


def server(app: Starlette) -> Any:
    """A server that logs no request: `run(sockets=[...])` until `should_exit`."""
    import uvicorn

    return uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", server_header=False))
