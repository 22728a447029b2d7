"""The page is for this machine's own browser: nobody else is answered, and nothing but its own table is sent."""

import contextlib
import socket
import time

import pytest
from PIL import Image

from econet.serving import upload
from hostile_names import HOSTILE_NAMES
from served_page import SHIPPED, serving

SENT = ("/", "/page.css", "/page.js", "/answers.js", "/camera.js", "/drawing.js", "/networks")
PROBES = (
    "/../../../../etc/passwd",
    "/..%2f..%2f..%2fetc%2fpasswd",
    "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/%2e%2e%2f%2e%2e%2fetc/passwd",
    "/..%252f..%252fetc%252fpasswd",
    "/..%c0%af..%c0%afetc/passwd",
    "/..\\..\\..\\windows\\win.ini",
    "/%5c..%5c..%5cwindows%5cwin.ini",
    "/....//....//etc/passwd",
    "/./././etc/passwd",
    "//etc/passwd",
    "///etc/passwd",
    "/etc/passwd",
    "/proc/self/environ",
    "/proc/self/cmdline",
    "/C:/windows/win.ini",
    "/file:///etc/passwd",
    "/~/.ssh/id_rsa",
    "/.env",
    "/.git/config",
    "/page.html",
    "/page.css/",
    "/page.css%00",
    "/page.css%00.png",
    "/page.css/../page.html",
    "/PAGE.CSS",
    "/static/page.css",
    "/static/../app.py",
    "/app.py",
    "/server.py",
    "/__init__.py",
    "/model.int8.onnx",
    "/zoo/fashion-mnist-econet-76k/card.json",
    "/card.json",
    "/samples",
    "/samples/0",
    "/samples/-1",
    "/samples/../page.css",
    "/networks/",
    "/networks/0/../../etc/passwd",
)


def raw(port: int, request: bytes) -> bytes:
    """What comes back to the very bytes of a request."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_there_are_forty_probes():
    assert len(set(PROBES)) == 40


@pytest.mark.parametrize("path", PROBES)
def test_a_path_that_is_not_in_the_table_is_no_file(path, site):
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nConnection: close\r\n\r\n"
    head, _, body = raw(site.port, request.encode()).partition(b"\r\n\r\n")
    assert head.split()[1] == b"404"
    assert b"content-type: application/json" in head.lower()
    assert body.startswith(b'{"error":"not found"')
    assert len(body) < 200


@pytest.mark.parametrize("path", SENT)
def test_what_is_sent_may_load_nothing_from_elsewhere_and_run_nothing_inline(path, site):
    reply = site.ask(path)
    assert reply.status == 200
    policy = reply.headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in reply.headers
    assert "server" not in reply.headers
    assert b"http:" not in reply.body
    assert b"https:" not in reply.body


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost"])
def test_this_machine_is_asked_by_its_own_names(name, site):
    for host in (name, f"{name}:{site.port}", f"{name}:9"):
        assert site.ask("/networks", Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "evil.example#127.0.0.1",
        "127.0.0.2:{port}",
        "0.0.0.0:{port}",
        "[::1]:{port}",
        "127.0.0.1:{port}:80",
        "127.0.0.1:",
        "127.0.0.1:x",
        "",
    ],
)
def test_a_name_that_was_made_to_point_here_is_refused(host, site):
    reply = site.ask("/networks", Host=host.format(port=site.port))
    assert reply.status == (200 if host == "127.0.0.1:" else 403)
    if reply.status == 403:
        assert reply.json["error"] == "this request is refused"
        assert "content-security-policy" in reply.headers


def test_two_names_at_once_are_refused(site):
    request = b"GET /networks HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert raw(site.port, request).split()[1] in (b"400", b"403")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:{port}"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},
    ],
)
def test_another_page_cannot_have_a_picture_answered(headers, site):
    told = {name: value.format(port=site.port) for name, value in headers.items()}
    for path in ("/answer", "/map"):
        assert site.ask(path, b"these are words", **told).status == 403


def test_the_page_itself_can_and_a_link_from_elsewhere_leads_to_it(site):
    own = {"Origin": f"http://127.0.0.1:{site.port}", "Sec_Fetch_Site": "same-origin"}
    assert site.ask("/answer", b"these are words", **own).status == 400
    assert site.ask("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200
    assert site.ask("/networks", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status == 403


@pytest.mark.parametrize(
    ("path", "method"), [("/answer", "GET"), ("/map", "GET"), ("/", "POST"), ("/networks", "DELETE")]
)
def test_an_address_takes_its_own_method_alone(path, method, site):
    reply = site.ask(path, method=method)
    assert reply.status == 405
    assert reply.json["error"] == "method not allowed"


@pytest.mark.parametrize("path", ["/answer", "/map"])
def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(path, site):
    size = upload.MOST_BYTES + 1
    request = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n"
    answer = raw(site.port, request.encode())
    assert answer.split()[1] == b"413"
    assert b"the page takes up to 32.0 MB" in answer
    assert site.ask("/networks").status == 200


def test_a_body_that_does_not_say_so_is_refused_when_it_is_over(site, monkeypatch):
    monkeypatch.setattr(upload, "MOST_BYTES", 5000)
    request = b"POST /answer HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    request += (b"7d0\r\n" + bytes(2000) + b"\r\n") * 3
    assert raw(site.port, request).split()[1] == b"413"


def test_a_body_that_does_not_come_is_given_up(site, monkeypatch):
    monkeypatch.setattr(upload, "MOST_SECONDS", 0.2)
    request = b"POST /answer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nabc"
    assert raw(site.port, request).split()[1] == b"408"


def test_only_a_few_pictures_are_taken_in_at_once(site):
    begun = f"POST /answer HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nContent-Length: 10\r\n\r\na".encode()
    with contextlib.ExitStack() as held:
        for _ in range(8):
            held.enter_context(socket.create_connection(("127.0.0.1", site.port))).sendall(begun)
        assert until(lambda: site.ask("/answer", b"words").status, 503)
        assert site.ask("/networks").status == 200
    assert until(lambda: site.ask("/answer", b"words").status, 400)


def until(ask, wanted) -> bool:
    """Whether `ask` gives `wanted` within ten seconds."""
    end = time.monotonic() + 10
    while ask() != wanted:
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_hostile_names_of_classes_and_files_come_as_text_in_json(relabelled, tmp_path, as_file):
    tens = [HOSTILE_NAMES[start : start + 10] for start in range(0, 40, 10)]
    paths = [relabelled(tmp_path / f"{ten[0]}.onnx", ten) for ten in tens]
    with serving(paths) as site:
        networks = site.ask("/networks").json["networks"]
        reply = site.ask("/answer", as_file(Image.new("L", (28, 28))))
    assert [each["name"].split("/")[-1] for each in networks] == [path.name for path in paths]
    for answer, ten in zip(reply.json["answers"], tens, strict=True):
        assert len({each["label"] for each in answer["likeliest"]} & set(ten)) >= 3
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_marks_that_turn_text_around_are_made_visible(relabelled, tmp_path, as_file):
    classes = [f"\u202e{number}\n\x1b" for number in range(10)]
    with serving([relabelled(tmp_path / "\u2067model.onnx", classes), SHIPPED]) as site:
        (turned, _) = site.answers(as_file(Image.new("L", (28, 28))))
        name = site.ask("/networks").json["networks"][0]["name"]
    assert all(each["label"].startswith("[U+202E]") for each in turned["likeliest"])
    assert all(each["label"].endswith("[U+000A][U+001B]") for each in turned["likeliest"])
    assert name.endswith("[U+2067]model.onnx")
