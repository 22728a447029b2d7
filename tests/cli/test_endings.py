"""Exit codes, and what is said with them. The job behind `econet zoo` and `econet train` is replaced."""

import errno
import os
import signal

import pytest

from econet.cli.main import main
from econet.deployment import zoo as shipped
from econet.errors import UserError
from econet.training.interruption import Interrupted


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """Makes `econet zoo` end with an exception."""

    def fail_with(error: BaseException) -> None:
        def cards() -> list[object]:
            raise error

        monkeypatch.setattr(shipped, "cards", cards)

    return fail_with


def test_a_user_error_is_printed_alone_and_exits_with_2(failing, econet):
    failing(UserError("image size 8 is too small", "the poolings need 28", "--image-size 28"))
    ended = econet("zoo")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "error: image size 8 is too small\n  why: the poolings need 28\n  try: --image-size 28\n"


def test_a_bug_shows_its_traceback_and_exits_with_70(failing, econet):
    failing(ValueError("the cat sat on it"))
    ended = econet("zoo", "--json")
    assert (ended.code, ended.out) == (70, "")
    lines = ended.err.splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[-2] == "ValueError: the cat sat on it"
    assert "bug in EcoNet" in lines[-1]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "error: out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "out of memory"),
        (OSError(errno.ENOSPC, "No space left on device", "runs/a/x"), "error: no room on the disk for runs/a/x"),
    ],
    ids=["memory", "torch's memory", "disk"],
)
def test_too_little_memory_or_disk_is_for_the_user_to_mend(failing, econet, error, said):
    failing(error)
    ended = econet("zoo")
    assert ended.code == 2
    assert said in ended.err
    assert "  try: " in ended.err
    assert "Traceback" not in ended.err


def test_ctrl_c_outside_training_exits_with_130(failing, econet):
    failing(KeyboardInterrupt())
    ended = econet("zoo")
    assert (ended.code, ended.err) == (130, "stopped\n")


def test_sigterm_outside_training_exits_with_143_and_leaves_the_handler_as_it_was(monkeypatch, econet):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(shipped, "cards", lambda: os.kill(os.getpid(), signal.SIGTERM))
    ended = econet("zoo")
    assert (ended.code, ended.err) == (143, "stopped\n")
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_training_prints_the_command_that_goes_on(monkeypatch, econet, tmp_path, number, code):
    def stop(*arguments: object, **options: object) -> None:
        raise Interrupted(number)

    monkeypatch.setattr("econet.jobs.run_data.load", lambda options: options)
    monkeypatch.setattr("econet.jobs.train.train", stop)
    folder = tmp_path / "my run"
    ended = econet("train", "fashion-mnist", "--epochs", "3", f"--out={folder}", "--seed", "4")
    assert ended.code == code
    expected = f"go on with: econet train fashion-mnist --epochs 3 --seed 4 --resume --out '{folder}'"
    assert ended.err.splitlines()[-2:] == ["stopped", expected]


def test_an_unknown_command_gets_the_nearest_one(econet):
    ended = econet("evalute")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: unknown command 'evalute'\n  why: ")
    assert "  try: did you mean evaluate" in ended.err


def test_an_unknown_option_gets_the_nearest_one(econet):
    ended = econet("train", "fashion-mnist", "--modle", "econet")
    assert ended.code == 2
    assert ended.err.startswith("error: unknown option --modle\n  why: `econet train` has no such option\n  try: did")
    assert "--model" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("predict",), "error: FILE|RUN|ZOO is missing\n"),
        (("train", "x", "--lr", "fast"), "error: wrong value for '--lr'\n  why: 'fast' is not a valid float\n"),
        (("train", "x", "--optimizer", "adma"), "error: unknown optimizer 'adma'\n"),
        (("train", "x", "--epochs", "-3"), "error: --epochs -3 is out of range\n"),
        (("train", "x", "--epochs", "3", "--time", "5m"), "error: --epochs and --time were both given\n"),
        (("train", "x", "--deterministic"), "error: --deterministic was given without --epochs\n"),
        (("compare", "x", "--margin", "2"), "error: --margin 2 is out of range\n"),
        (("train",), "error: DATA is missing\n"),
        (("train", "--resume"), "error: --resume was given without --out\n"),
        (("zoo", "extra"), "error: `econet zoo` was not understood\n"),
        (("export", "nowhere"), "error: nowhere is not a run\n"),
        (("evaluate", "no/where.onnx"), "error: no/where.onnx does not exist\n"),
        (("show", "."), "error: . is not a run\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_slips_on_the_command_line_come_in_one_shape(econet, words, said):
    ended = econet(*words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.count("\n  why: ") == ended.err.count("\n  try: ") == 1


def test_econet_alone_shows_its_help_and_exits_with_2(econet):
    ended = econet()
    assert ended.code == 2
    assert "Commands:\n  compare" in ended.err


def test_a_reader_that_goes_away_leaves_no_traceback(in_a_fresh_process, run_folder):
    code = """
import os, sys
read, write = os.pipe()
os.close(read)
os.dup2(write, 1)
from econet.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
    ended = in_a_fresh_process(code, "show", str(run_folder), "--json")
    assert ended.returncode == 128 + signal.SIGPIPE
    assert ended.stderr == ""


def test_main_takes_the_words_of_the_process(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["econet", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("econet ")
