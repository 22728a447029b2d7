"""A connection cut at a hundred places, and servers that stall: resumed or refused, never a bad file in place."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from econet.data import download
from econet.data.download import fetch
from econet.errors import UserError

CONTENT = np.random.default_rng(1).bytes(60_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
HEADERS = -1


@dataclass
class Server:
    """`stops` are the bytes after which each answer ends; with `stalls` the connection then stays open and silent."""

    stops: list[int] = field(default_factory=list)
    stalls: bool = False
    announced: str = str(len(CONTENT))
    asked: int = 0
    url: str = ""
    ended: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    state = Server()
    monkeypatch.setattr(download, "TIMEOUT_S", 0.3)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked += 1
            stop = state.stops.pop(0) if state.stops else len(CONTENT)
            if stop == HEADERS:
                state.ended.wait(20)
                return
            span = self.headers.get("Range", "")
            start = int(span.removeprefix("bytes=").removesuffix("-")) if span else 0
            body = CONTENT[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)) if start else state.announced)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
            self.end_headers()
            self.wfile.write(body[:stop])
            if state.stalls and stop < len(body):
                self.wfile.flush()
                state.ended.wait(20)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        state.url = f"http://127.0.0.1:{running.server_port}/set.tar.gz"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        state.ended.set()
        running.shutdown()
        thread.join()


def test_a_download_cut_at_a_hundred_places_is_taken_up_and_whole(server, tmp_path):
    places = [0, 1, *np.linspace(2, len(CONTENT) - 1, 98).astype(int).tolist()]
    for number, place in enumerate(places):
        folder = tmp_path / str(number)
        folder.mkdir()
        server.stops = [place]
        if place == 0:
            with pytest.raises(UserError, match="gave nothing after 0 bytes"):
                fetch(server.url, folder / "set.tar.gz", MD5)
            assert [path.name for path in folder.iterdir()] in ([], ["set.tar.gz.part"])
        fetch(server.url, folder / "set.tar.gz", MD5)
        assert (folder / "set.tar.gz").read_bytes() == CONTENT
        assert [path.name for path in folder.iterdir()] == ["set.tar.gz"]
    assert len(places) == 100
    assert server.asked == 200


def test_a_server_that_stalls_is_left_and_asked_again(server, tmp_path):
    server.stops, server.stalls = [10_000, 1, 30_000], True
    fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert (tmp_path / "set.tar.gz").read_bytes() == CONTENT
    assert server.asked == 4


def test_a_server_that_stalls_for_ever_is_told_and_what_came_is_kept(server, tmp_path):
    server.stops, server.stalls = [20_000, 0], True
    with pytest.raises(UserError, match="gave nothing after 20,000 bytes"):
        fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert [path.name for path in tmp_path.iterdir()] == ["set.tar.gz.part"]
    fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert (tmp_path / "set.tar.gz").read_bytes() == CONTENT


def test_a_server_that_never_answers_is_told(server, tmp_path):
    server.stops = [HEADERS]
    with pytest.raises(UserError, match="timed out"):
        fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("announced", "why"),
    [
        ("9" * 12, "at most 2,000,000,000 are fetched"),
        ("9" * 40, "does not say how long"),
        ("-5", "does not say how long"),
        ("\u00b2", "does not say how long"),
    ],
)
def test_a_length_that_no_set_has_is_refused_before_a_byte_is_kept(server, tmp_path, announced, why):
    server.announced = announced
    with pytest.raises(UserError, match=why):
        fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert list(tmp_path.iterdir()) == []
