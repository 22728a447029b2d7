"""Only the page itself may ask: the name it was asked under, the page that asks, and what a browser may do with it."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from econet.errors import UserError
from econet.serving.refusal import Refusal, as_response

HOSTS = ("127.0.0.1", "localhost")
# Nothing from outside, nothing inline, in no frame; pictures also from memory (`blob:`) and from the answers (`data:`).
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class Guard:
    """Passes on what this machine's browser asks for its own page; refuses all else with 403.

    A page from elsewhere can make a name of its own point to 127.0.0.1 (DNS rebinding): it is then told by the Host
    header. One that asks by the address is told by Origin, or by the browser's Sec-Fetch-Site.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        why = _foreign(Headers(scope=scope), str(scope["method"]))
        if why is None:
            await self.app(scope, receive, send_guarded)
            return
        error = UserError("this request is refused", why, "open the address that `econet serve` printed")
        await as_response(Refusal(403, error))(scope, receive, send_guarded)


def _foreign(headers: Headers, method: str) -> str | None:
    """Why a request does not come from the page itself, or None."""
    hosts = headers.getlist("host")
    host = hosts[0] if len(hosts) == 1 else ""
    name, _, port = host.partition(":")
    if name.lower() not in HOSTS or not (port == "" or (port.isascii() and port.isdigit())):
        return "it was not asked under the name 127.0.0.1 or localhost"
    if any(origin != f"http://{host}" for origin in headers.getlist("origin")):
        return "it comes from a page of another origin"
    # A link from another page may lead here; other requests of that page may not.
    linked = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if not linked and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return "it comes from a page of another site"
    return None
