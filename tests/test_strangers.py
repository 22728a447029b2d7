"""Damaged weights, checkpoints, records and ONNX files by the thousand: refused in one line, and nobody dies."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def tried(subject: str, count: int) -> dict:
    words = [sys.executable, "-m", "strangers.trial", subject, "--count", str(count)]
    done = subprocess.run(words, cwd=TESTS, capture_output=True, text=True, timeout=7200, check=True)
    print(done.stdout)
    found = json.loads(done.stdout)
    assert found["died"] == {}
    assert found["wrong"] == {}
    assert found["outside"] == []
    assert found["files"] == count
    assert found["slowest_s"] < 5
    assert found["peak_memory_mb"] < 1000
    assert found["outcomes"]["refused"] > 0
    return found["outcomes"]


@pytest.mark.parametrize("count", [200, pytest.param(5_000, marks=pytest.mark.slow)])
def test_a_damaged_onnx_file_is_refused_or_answers(count):
    assert tried("onnx", count)["answered"] > 0


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_weights_and_checkpoints_are_refused_or_equal(count):
    assert tried("weights", count).keys() <= {"refused", "equal"}


@pytest.mark.parametrize("count", [300, pytest.param(2_000, marks=pytest.mark.slow)])
def test_a_damaged_record_is_refused_or_a_record_still(count):
    outcomes = tried("records", count)
    assert sum(outcomes.values()) == count
    assert outcomes["refused"] > count / 2
