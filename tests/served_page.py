"""The page's server in a thread of this process, serving the shipped network or others."""

import contextlib
import http.client
import json
import threading
from dataclasses import dataclass

from econet.deployment.zoo import find, zoo_names
from econet.serving.networks import open_networks
from econet.serving.server import listening_socket, make_server

SHIPPED = find(zoo_names()[0])


@dataclass(frozen=True)
class Reply:
    """A response: its status, its headers by lower-case name, and its body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


@dataclass(frozen=True)
class Site:
    """A page that is being served."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, path, body=None, *, method=None, **headers) -> Reply:
        """One request; underscores in a header's name stand for hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method or ("GET" if body is None else "POST"), path, body, sent)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())

    def answers(self, content: bytes, path="/answer") -> list[dict]:
        """What the networks say of a picture that must be answered."""
        reply = self.ask(path, content)
        assert reply.status == 200, reply.body
        return reply.json["answers"]


@contextlib.contextmanager
def serving(paths, samples=()):
    """Serve the files `paths` while this lasts."""
    with listening_socket(0) as listener:
        server = make_server(open_networks(list(paths)), samples)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Site(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(timeout=20)
        assert not thread.is_alive()
