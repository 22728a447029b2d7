"""A file is whole or absent, and a folder has one writer."""

import errno
import hashlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from disturbed.disk import FAILING, LYING, Disk
from econet import files
from econet.errors import UserError

HOLDER = """
import sys, time
from pathlib import Path
from econet.files import folder_lock
with folder_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def refuse(number):
    def fail(*arguments, **named):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.fixture
def old_file(tmp_path):
    path = tmp_path / "record.json"
    path.write_bytes(b"old")
    return path


def test_a_file_is_replaced_whole_and_nothing_else_is_left(old_file):
    content = os.urandom(3_000_000)  # more than one chunk
    files.write_whole(old_file, content)
    assert old_file.read_bytes() == content
    assert [path.name for path in old_file.parent.iterdir()] == ["record.json"]


def test_the_file_before_stays_under_its_own_name(old_file):
    previous = old_file.with_name("before.json")
    for content in (b"new", b"newer"):
        files.write_whole(old_file, content, keep_previous=previous)
    assert (old_file.read_bytes(), previous.read_bytes()) == (b"newer", b"new")


def test_the_first_file_has_no_previous_one(tmp_path):
    files.write_whole(tmp_path / "a", b"1", keep_previous=tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("operation", ["fsync", "link"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_failed_write_leaves_the_old_file_and_says_why(old_file, monkeypatch, operation, number):
    monkeypatch.setattr(files.os, operation, refuse(number))
    with pytest.raises(UserError) as caught:
        files.write_whole(old_file, b"new", keep_previous=old_file.with_name("before.json"))
    assert str(old_file) in caught.value.what
    assert caught.value.why == os.strerror(number)
    assert old_file.read_bytes() == b"old"
    assert [path.name for path in old_file.parent.iterdir()] == ["record.json"]


# What `write_whole` does over an old file: write, fsync, link, rename the link, rename, fsync the folder.
FAULTS = [(fault, operation) for fault in (*FAILING, *LYING, "delay") for operation in range(1, 8)]


@pytest.mark.parametrize(("fault", "operation"), FAULTS)
def test_whatever_a_disk_does_to_a_write_the_file_is_whole_and_what_failed_is_told(old_file, fault, operation):
    before = old_file.with_name("before.json")
    told = []
    with Disk(fault, operation).installed():
        try:
            files.write_whole(old_file, b"new", keep_previous=before)
        except UserError as error:
            told.append(error.what)
    assert told in ([], [f"cannot write {old_file}"])
    if not told:
        assert old_file.read_bytes() == b"new"
        assert fault not in FAILING or operation == 7
    else:
        assert fault != "delay"
        assert old_file.read_bytes() == (b"new" if operation == 6 else b"old")
    assert not before.exists() or before.read_bytes() == b"old"


@pytest.mark.parametrize("fault", [*FAILING, *LYING])
def test_a_line_that_a_disk_did_not_keep_is_refused_and_the_journal_is_as_it_was(tmp_path, fault):
    journal = tmp_path / "history.jsonl"
    files.append_line(journal, "one")
    with pytest.raises(UserError, match=r"history\.jsonl"), Disk(fault, 1).installed():
        files.append_line(journal, "two")
    assert journal.read_bytes() == b"one\n"


@pytest.mark.parametrize("operation", [1, 2, 3])
@pytest.mark.parametrize("fault", FAILING)
def test_a_folder_that_cannot_be_locked_is_refused_and_can_be_taken_later(tmp_path, fault, operation):
    with (
        pytest.raises(UserError, match="cannot write"),
        Disk(fault, operation).installed(),
        files.folder_lock(tmp_path),
    ):
        pass
    with files.folder_lock(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.parametrize("fault", FAILING)
def test_names_that_a_folder_does_not_give_or_let_go_are_told(old_file, fault):
    other = old_file.with_name("other.json")
    for act in (files.rename, files.link_over):
        with pytest.raises(UserError, match=r"other\.json"), Disk(fault, 1).installed():
            act(old_file, other)
    with pytest.raises(UserError, match=r"record\.json"), Disk(fault, 1).installed():
        files.remove(other, old_file)
    assert [path.name for path in old_file.parent.iterdir()] == ["record.json"]
    files.remove(other, old_file)
    assert not list(old_file.parent.iterdir())


def test_a_disk_that_fills_up_midway_leaves_the_old_file(old_file):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(UserError, match="File too large"):
            files.write_whole(old_file, bytes(20_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert old_file.read_bytes() == b"old"
    assert [path.name for path in old_file.parent.iterdir()] == ["record.json"]


def test_a_journal_keeps_its_earlier_lines_when_one_cannot_be_written(tmp_path, monkeypatch):
    journal = tmp_path / "history.jsonl"
    files.append_line(journal, "one")
    monkeypatch.setattr(files.os, "fsync", refuse(errno.ENOSPC))
    with pytest.raises(UserError, match=r"history\.jsonl"):
        files.append_line(journal, "two")
    assert journal.read_bytes().startswith(b"one\n")


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", refuse(errno.EACCES))
    with pytest.raises(UserError, match="Permission denied") as caught:
        files.check_writable(tmp_path / "runs")
    assert "--out" in caught.value.remedy


def test_a_folder_that_would_lie_under_a_file_is_refused(old_file):
    with pytest.raises(UserError, match="Not a directory"):
        files.check_writable(old_file / "runs")


def test_a_second_writer_is_told_who_holds_the_folder_and_a_dead_holder_is_none(tmp_path):
    command = [sys.executable, "-c", HOLDER, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError) as caught, files.folder_lock(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
    assert str(holder.pid) in caught.value.why
    assert str(tmp_path) in caught.value.what
    with files.folder_lock(tmp_path):
        pass


def test_the_next_holder_clears_what_a_killed_writer_left_and_nothing_else(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = [tmp_path / f".checkpoint.safetensors.{gone.pid}.{kind}" for kind in ("part", "link")]
    others = [tmp_path / f".model.onnx.{os.getpid()}.part", tmp_path / "archive.part", tmp_path / ".notes.part"]
    for path in (*dead, *others):
        path.write_bytes(b"half")
    with files.folder_lock(tmp_path):
        pass
    assert not any(path.exists() for path in dead)
    assert all(path.exists() for path in others)


def test_the_checksum_is_that_of_the_bytes(old_file):
    assert files.sha256_of(old_file) == hashlib.sha256(b"old").hexdigest()
