"""A request that is not answered: an HTTP status, and the three lines of a UserError."""

import msgspec
from starlette.responses import Response

from econet.errors import UserError


class Refusal(Exception):
    """What was asked is refused with `status`; `error` says what, why, and what to try."""

    def __init__(self, status: int, error: UserError) -> None:
        super().__init__(status, error)
        self.status = status
        self.error = error


def as_response(refusal: Refusal) -> Response:
    """JSON `{"error", "why", "try"}`; the connection ends with it, since a body may still be on its way."""
    error = refusal.error
    content = msgspec.json.encode({"error": error.what, "why": error.why, "try": error.remedy})
    return Response(content, refusal.status, {"Connection": "close"}, "application/json")
