"""The body of a request: read under a cap, so that nobody fills the memory."""

import anyio
from starlette.requests import Request

from econet.errors import UserError
from econet.report import numbers
from econet.serving.refusal import Refusal

# Larger than a phone's photo at full quality; `images.decode` has its own limits for files on disk.
MOST_BYTES = 32_000_000
MOST_SECONDS = 60


async def read_body(request: Request) -> bytes:
    """The whole body. Raises Refusal: 413 over the cap (told by its header before a byte is read), 408 when slow."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > MOST_BYTES:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    try:
        with anyio.fail_after(MOST_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MOST_BYTES:
                    raise _too_large()
                parts.append(part)
    except TimeoutError as error:
        why = f"it took more than {MOST_SECONDS} seconds to arrive"
        raise Refusal(408, UserError("the picture was given up", why, "send it again")) from error
    return b"".join(parts)


def _too_large() -> Refusal:
    size = numbers.file_size(MOST_BYTES)
    return Refusal(413, UserError("this file is too large", f"the page takes up to {size}", "save it smaller"))
