"""The web application: one table of addresses, each with what it answers."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import resources
from typing import Any

import anyio
import msgspec
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from econet.errors import UserError
from econet.serving.answers import answers_to
from econet.serving.description import describe
from econet.serving.guard import Guard
from econet.serving.looking import looks_at
from econet.serving.networks import Network
from econet.serving.refusal import Refusal, as_response
from econet.serving.samples import Sample
from econet.serving.upload import read_body

# Every file that is ever sent, by its address; read once, when the application is made.
_FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/answers.js": ("answers.js", "text/javascript"),
    "/camera.js": ("camera.js", "text/javascript"),
    "/drawing.js": ("drawing.js", "text/javascript"),
}
# Pictures that may be on their way at once, the one that is being answered among them.
_MOST_AT_ONCE = 8


def make_app(networks: Sequence[Network], samples: Sequence[Sample] = ()) -> ASGIApp:
    """The page for these networks. Pictures are answered one at a time, so that latencies are the network's own."""
    desk = _Desk(networks)
    routes = [_fixed(path, _static(name), media_type) for path, (name, media_type) in _FILES.items()]
    routes += [_fixed(f"/samples/{place}", each.content, each.media_type) for place, each in enumerate(samples)]
    routes += [
        _fixed("/networks", msgspec.json.encode(describe(networks, samples)), "application/json"),
        Route("/answer", desk.answer, methods=["POST"]),
        Route("/map", desk.map, methods=["POST"]),
    ]
    handlers = {
        Refusal: _refused,
        UserError: _mendable,
        HTTPException: _by_status,
        ClientDisconnect: _left,
        Exception: _bug,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Guard(app)


class _Desk:
    """Takes pictures in, a few at a time, and has them answered one after the other in a thread."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks
        self._inside = 0
        self._one = anyio.CapacityLimiter(1)

    async def answer(self, request: Request) -> Response:
        """POST /answer: the body is a picture file; `?swap=1` exchanges dark and light for gray networks."""
        return _json({"answers": await self._done(request, answers_to)})

    async def map(self, request: Request) -> Response:
        """POST /map: as /answer; where each network looked for its answer."""
        return _json({"maps": await self._done(request, looks_at)})

    async def _done(self, request: Request, work: Callable[..., list[Any]]) -> list[Any]:
        """`work` on the picture in the body, when its turn has come. Raises Refusal where it cannot be done."""
        with self._place():
            content = await read_body(request)
            swap = request.query_params.get("swap") == "1"
            job = partial(work, content, self._networks, swap=swap)
            try:
                return await to_thread.run_sync(job, limiter=self._one)
            except MemoryError as error:
                why = "opened, it takes more memory than there is"
                raise Refusal(413, UserError("this picture is too large", why, "save it smaller")) from error

    @contextmanager
    def _place(self) -> Generator[None]:
        """One of the few places. Raises Refusal (503) when all are taken."""
        if self._inside >= _MOST_AT_ONCE:
            why = f"{_MOST_AT_ONCE} pictures are waiting for their answer"
            raise Refusal(503, UserError("too much at once", why, "try again in a moment"))
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1


def _fixed(path: str, content: bytes, media_type: str) -> Route:
    async def send(request: Request) -> Response:
        return Response(content, media_type=media_type)

    return Route(path, send, methods=["GET"])


def _static(name: str) -> bytes:
    return (resources.files("econet.serving") / "static" / name).read_bytes()


def _json(record: object) -> Response:
    return Response(msgspec.json.encode(record), media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return as_response(error)


async def _mendable(request: Request, error: Exception) -> Response:
    assert isinstance(error, UserError)
    return as_response(Refusal(400, error))


async def _by_status(request: Request, error: Exception) -> Response:
    """Starlette's own: no such address, no such method."""
    assert isinstance(error, HTTPException)
    why = "this page has nothing there" if error.status_code == 404 else "the page itself asks otherwise"
    return as_response(Refusal(error.status_code, UserError(error.detail.lower(), why, "open / instead")))


async def _left(request: Request, error: Exception) -> Response:
    """The sender went away, or sent a newer picture instead; nobody reads this."""
    return Response(status_code=400)


async def _bug(request: Request, error: Exception) -> Response:
    """The traceback goes to the terminal, by the server; the browser is told where to look."""
    why = "this is a bug in EcoNet; the terminal that runs it shows more"
    return as_response(Refusal(500, UserError("the picture was not answered", why, "report it with those lines")))
