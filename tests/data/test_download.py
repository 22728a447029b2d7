"""Downloads against a server on this machine: cut, damaged, missing and full - nothing half is ever in place."""

import errno
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from econet.data import download
from econet.data.download import Archive, download_members, fetch
from econet.data.load import load_data
from econet.data.sources import cifar as cifar_source
from econet.data.sources import places
from econet.errors import UserError

CONTENT = np.random.default_rng(0).bytes(1_000_000)
MD5 = hashlib.md5(CONTENT).hexdigest()


@dataclass
class Server:
    """What the server gives, and what it was asked for. `cuts` are the bytes after which each answer ends early."""

    content: bytes = CONTENT
    kind: str = "application/gzip"
    status: int = 200
    resumes: bool = True
    cuts: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            span = self.headers.get("Range", "")
            state.asked.append(span)
            start = int(span.removeprefix("bytes=").removesuffix("-")) if span and state.resumes else 0
            if start >= len(state.content):
                self.send_error(416)
                return
            body = state.content[start:]
            self.send_response(206 if start else state.status)
            self.send_header("Content-Type", state.kind)
            self.send_header("Content-Length", str(len(body)))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(state.content) - 1}/{len(state.content)}")
            self.end_headers()
            self.wfile.write(body[: state.cuts.pop(0)] if state.cuts else body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        state.url = f"http://127.0.0.1:{running.server_port}/set.tar.gz"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        running.shutdown()
        thread.join()


def test_a_whole_download_is_the_published_file(server, tmp_path):
    fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert (tmp_path / "set.tar.gz").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["set.tar.gz"]


def test_a_cut_connection_is_taken_up_where_it_ended(server, tmp_path):
    server.cuts = [300_000, 1, 400_000]
    fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert (tmp_path / "set.tar.gz").read_bytes() == CONTENT
    assert server.asked == ["", "bytes=300000-", "bytes=300001-", "bytes=700001-"]


def test_what_came_before_a_lasting_cut_is_kept_for_the_next_call(server, tmp_path):
    server.cuts = [100_000] * download.ATTEMPTS
    with pytest.raises(UserError, match="cut 5 times; 500,000 of 1,000,000 bytes are here") as caught:
        fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert "goes on from where it stopped" in caught.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["set.tar.gz.part"]
    server.asked.clear()
    fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert server.asked == ["bytes=500000-"]
    assert (tmp_path / "set.tar.gz").read_bytes() == CONTENT


def test_a_connection_that_gives_nothing_stops(server, tmp_path):
    server.cuts = [0] * 9
    with pytest.raises(UserError, match="gave nothing after 0 bytes"):
        fetch(server.url, tmp_path / "set.tar.gz", MD5)


def test_a_server_that_cannot_resume_starts_the_file_anew(server, tmp_path):
    (tmp_path / "set.tar.gz.part").write_bytes(b"x" * 5000)
    server.resumes = False
    fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert (tmp_path / "set.tar.gz").read_bytes() == CONTENT


def test_a_part_that_is_already_whole_is_only_checked(server, tmp_path):
    (tmp_path / "set.tar.gz.part").write_bytes(CONTENT)
    fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert (tmp_path / "set.tar.gz").read_bytes() == CONTENT


def test_a_wrong_checksum_is_refused_and_leaves_nothing(server, tmp_path):
    server.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(UserError, match=f"not the published file\n  why: its MD5 is .* not {MD5}"):
        fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=utf-8"])
def test_a_web_page_is_never_taken_for_data(server, tmp_path, kind):
    server.content, server.kind = b"<html>please log in</html>", kind
    with pytest.raises(UserError, match="a web page came in place of the file"):
        fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert list(tmp_path.iterdir()) == []


def test_a_web_page_that_calls_itself_a_file_is_refused_too(server, tmp_path):
    server.content = b"<html>please log in</html>"
    with pytest.raises(UserError, match="not the published file"):
        fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert list(tmp_path.iterdir()) == []


def test_a_server_s_error_is_told(server, tmp_path):
    server.content = b""
    with pytest.raises(UserError, match="the server answers 416"):
        fetch(server.url, tmp_path / "set.tar.gz", MD5)


def test_a_server_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UserError, match=r"cannot download http://127\.0\.0\.1:9/set\.tar\.gz"):
        fetch("http://127.0.0.1:9/set.tar.gz", tmp_path / "set.tar.gz", MD5)


def test_a_full_disk_is_told_with_what_is_needed_and_the_next_call_goes_on(server, tmp_path, monkeypatch):
    written = 0

    def full(stream: io.BufferedWriter, chunk: bytes) -> None:
        nonlocal written
        if written + len(chunk) > 600_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        written += stream.write(chunk)

    with monkeypatch.context() as patched:
        patched.setattr(download, "_append", full)
        with pytest.raises(UserError, match="No space left on device") as caught:
            fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert "needs 1 MB" in caught.value.remedy
    assert not (tmp_path / "set.tar.gz").exists()
    fetch(server.url, tmp_path / "set.tar.gz", MD5)
    assert (tmp_path / "set.tar.gz").read_bytes() == CONTENT


def packed(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A .tar.gz of `members`, and of symbolic `links`."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def get(server: Server, content: bytes, folder: Path, digests: dict[str, str] | None = None) -> None:
    """Serve `content` with its true checksum and ask for `set/a.bin` and `set/b.bin`."""
    server.content = content
    archive = Archive(url=server.url, md5=hashlib.md5(content).hexdigest(), largest_member=1000)
    download_members(archive, "set", ("a.bin", "b.bin"), digests or {}, folder)


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if not path.name.startswith("."))


def test_only_the_named_members_leave_the_archive(server, tmp_path):
    members = {
        "set/a.bin": b"a",
        "set/b.bin": b"b",
        "set/run.sh": b"x",
        "../escaped": b"x",
        "/escaped": b"x",
        "a.bin": b"x",
    }
    get(server, packed(members), tmp_path / "base" / "set")
    assert visible(tmp_path) == ["a.bin", "b.bin", "base", "set"]
    assert (tmp_path / "base" / "set" / "a.bin").read_bytes() == b"a"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (packed({"set/a.bin": b"a"}), "no regular file set/b.bin"),
        (packed({"set/a.bin": b"a"}, links={"set/b.bin": "/etc/hostname"}), "no regular file set/b.bin"),
        (packed({"set/a.bin": b"a", "set/b.bin": bytes(1001)}), "no regular file set/b.bin of at most 1,000 bytes"),
        (packed({"set/a.bin": b"other", "set/b.bin": b"b"}), "set/a.bin does not have the SHA-256"),
        (packed({"set/a.bin": b"a", "set/b.bin": b"b"})[:-20], "is not the published archive"),
        (b"no archive at all", "is not the published archive"),
    ],
    ids=["missing", "link", "too large", "other content", "cut", "no archive"],
)
def test_a_hostile_or_damaged_archive_leaves_nothing(server, tmp_path, content, why):
    with pytest.raises(UserError, match=why):
        get(server, content, tmp_path / "set", {"a.bin": hashlib.sha256(b"a").hexdigest()})
    assert visible(tmp_path) == ["set"]


def test_cifar_is_downloaded_once_where_the_user_keeps_data(server, tmp_path, monkeypatch):
    monkeypatch.delenv("ECONET_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(places, "SYSTEM_FOLDERS", ())
    rows = np.zeros((4, 3074), np.uint8)
    rows[:, 1], rows[::2, 2:] = (0, 1, 0, 1), 200
    names = {"train.bin": rows.tobytes(), "test.bin": rows.tobytes(), "fine_label_names.txt": b"cat\ndog\n"}
    server.content = packed({f"cifar-100-binary/{name}": content for name, content in names.items()})
    archive = Archive(server.url, hashlib.md5(server.content).hexdigest(), 100_000)
    layout = cifar_source.CIFAR100
    monkeypatch.setattr(
        "econet.data.load.CIFAR100",
        cifar_source.Layout(**{name: getattr(layout, name) for name in layout.__slots__} | {"archive": archive}),
    )
    first = load_data("cifar100", download=True, validation=0.5)
    assert first.classes == ("cat", "dog")
    assert len(server.asked) == 1
    assert load_data("cifar100", download=True, validation=0.5).fingerprint == first.fingerprint
    assert len(server.asked) == 1
    assert visible(tmp_path / "econet") == ["cifar-100-binary", "fine_label_names.txt", "test.bin", "train.bin"]
