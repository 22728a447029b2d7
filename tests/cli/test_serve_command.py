"""`econet serve`: what it prints, what it refuses before it begins, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from econet.deployment.zoo import zoo_names

SHIPPED = zoo_names()[0]


@contextmanager
def started(*words: str) -> Generator[subprocess.Popen[str]]:
    """The command in a process of its own, which is ended when this is over."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "econet", "serve", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_it_prints_its_address_answers_there_and_ends_cleanly_at_ctrl_c():
    with started(SHIPPED, "--port", "0", "--json") as process:
        assert process.stdout is not None
        record = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
        assert record["networks"][0]["name"] == SHIPPED
        assert record["url"].startswith("http://127.0.0.1:")
        with urllib.request.urlopen(record["url"], timeout=20) as reply:
            assert b"<title>Try a network</title>" in reply.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert out == ""
    assert err == "Ctrl-C stops it\nstopped\n"


def test_a_picture_is_answered_without_torch(in_a_fresh_process):
    answered = in_a_fresh_process(
        """
import sys
sys.modules["torch"] = None
from econet.cli.targets import artifact
from econet.serving.answers import answers_to
from econet.serving.networks import open_networks
from econet.serving.samples import sample_pictures
from econet.serving.server import make_server
networks = open_networks([artifact(sys.argv[1])])
samples = sample_pictures(networks)
make_server(networks, samples)
print(sum(answers_to(s.content, networks)[0].likeliest[0].label == s.label for s in samples))
""",
        SHIPPED,
    )
    assert answered.returncode == 0, answered.stderr
    assert int(answered.stdout) >= 8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fashion-mnist-econet-77k",), "did you mean fashion-mnist-econet-76k?"),
        ((SHIPPED, "absent/model.onnx"), "absent/model.onnx does not exist"),
        ((SHIPPED, __file__), "is not a whole ONNX file"),
        ((), "FILE|RUN|ZOO... is missing"),
        ((SHIPPED, "--port", "70000"), "wrong value for '--port'"),
    ],
    ids=["zoo name", "absent", "no network", "nothing", "port"],
)
def test_what_cannot_be_served_is_said_before_anything_is(words, said, econet):
    ended = econet("serve", *words)
    assert ended.code == 2
    assert said in ended.err
    assert ended.out == ""


def test_a_port_that_is_taken_is_named(econet):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = econet("serve", SHIPPED, "--port", str(port))
    assert ended.code == 2
    assert f"port {port} cannot be used" in ended.err
    assert "another program listens there" in ended.err


def test_without_a_port_the_next_free_one_is_taken(monkeypatch):
    from econet.serving import server

    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = taken.getsockname()[1]
        monkeypatch.setattr(server, "FIRST_PORT", first)
        with server.listening_socket(None) as found:
            assert first < found.getsockname()[1] < first + 50
            assert found.getsockname()[0] == "127.0.0.1"


def test_without_the_extra_the_install_command_is_named(in_a_fresh_process):
    shown = in_a_fresh_process(
        """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "uvicorn":
            raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")
sys.meta_path.insert(0, Absent())
from econet.cli.main import main
sys.exit(main(["serve", sys.argv[1]]))
""",
        SHIPPED,
    )
    assert shown.returncode == 2
    assert shown.stderr.endswith('try: pip install "econet[demo]"\n')


def test_the_page_is_opened_where_that_is_asked_and_the_networks_are_listed(econet, monkeypatch):
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", shown.append)
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: None)
    ended = econet("serve", SHIPPED, "--port", "0", "--open")
    assert ended.code == 0
    assert ended.out.splitlines()[-1] == shown[0]
    assert shown[0].startswith("http://127.0.0.1:")
    assert "96.3 KB" in ended.out
    assert "94.6 % right" in ended.out
