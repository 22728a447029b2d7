"""The page's server: on this machine's own address alone, until it is stopped."""

import errno
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from econet.errors import UserError
from econet.serving.networks import Network
from econet.serving.samples import Sample, sample_pictures

if TYPE_CHECKING:
    from uvicorn import Server

ADDRESS = "127.0.0.1"
FIRST_PORT = 8000
_PORTS_TRIED = 50


def serve(
    networks: Sequence[Network], *, port: int | None, data_dir: Path | None, ready: Callable[[str], None]
) -> None:
    """Serve the page until Ctrl-C; `ready` is told its address when it can be opened.

    Without a `port` the first free one from 8000 on; 0 is any that is free. Raises UserError where the port given is
    taken, and ModuleNotFoundError where the extra `demo` is not installed.
    """
    server = make_server(networks, sample_pictures(networks, data_dir))
    with listening_socket(port) as listener:
        try:
            # From here on the system takes connections in; they are answered when the loop runs.
            ready(address_of(listener))
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            return


def make_server(networks: Sequence[Network], samples: Sequence[Sample] = ()) -> "Server":
    """The server of the page for these networks; it runs on a socket that listens."""
    import uvicorn

    from econet.serving.app import make_app

    config = uvicorn.Config(
        make_app(networks, samples),
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=64,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def address_of(listener: socket.socket) -> str:
    """What a person types in the browser."""
    return f"http://{ADDRESS}:{listener.getsockname()[1]}/"


def listening_socket(port: int | None) -> socket.socket:
    """A socket on 127.0.0.1 at `port`, or at the first free one. Raises UserError where it cannot be had."""
    asked = range(FIRST_PORT, FIRST_PORT + _PORTS_TRIED) if port is None else (port,)
    for number in asked:
        try:
            return socket.create_server((ADDRESS, number))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port is not None:
                raise _unusable(number, error) from error
    raise UserError(
        f"no port from {FIRST_PORT} to {FIRST_PORT + _PORTS_TRIED - 1} is free", "all are taken", "--port 0 takes any"
    )


def _unusable(port: int, error: OSError) -> UserError:
    taken = error.errno == errno.EADDRINUSE
    why = "another program listens there" if taken else error.strerror or str(error)
    return UserError(f"port {port} cannot be used", why, "another --port, or none: a free one is then found")
