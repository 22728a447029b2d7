"""`benchmarks/two_devices.py`: the bytes it counts, and that it runs as a user runs it."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "two_devices.py"


def test_columns_send_an_eighth_of_what_data_parallel_processes_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    counted = importlib.import_module("two_devices").bytes_an_image()
    assert counted["towers"] == 468_992
    # 60,965,224 gradients of four bytes, sent by both for every 128 images.
    assert counted["data_parallel"] == 60_965_224 * 4 * 2 / 128 == 3_810_326.5
    assert counted["ratio"] == pytest.approx(8.12, abs=0.005)


@pytest.mark.slow
def test_the_ratio_is_that_of_the_printed_seconds() -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, *["--rounds", "1", "--steps", "1", "--batch-size", "2", "--json"]],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    seconds = {side: one["median"] for side, one in result["seconds_a_step"].items()}
    assert all(value > 0 for value in seconds.values())
    assert result["ratio"]["median"] == pytest.approx(seconds["two processes"] / seconds["one process"])
