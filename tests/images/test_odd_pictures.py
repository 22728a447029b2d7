"""Every kind of odd file gives the pixels that its rule says, or the reason; damaged ones harm nobody."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from econet.images.decode import DecodeError, decode_bytes
from odd_pictures.corpus import KINDS, VARIANTS, corpus

TESTS = Path(__file__).parents[1]


def surveyed(mutants: int, first: int = 0) -> dict:
    """What the survey counted, in a process of its own."""
    words = [sys.executable, "-m", "odd_pictures.survey", "--mutants", str(mutants), "--first", str(first)]
    done = subprocess.run(words, cwd=TESTS, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr == ""
    print(done.stdout)
    return json.loads(done.stdout)


def test_there_are_three_hundred_files_of_more_than_sixty_kinds():
    assert len(KINDS) >= 60
    assert len(corpus()) >= 300
    assert len({odd.content for odd in corpus().values()}) >= 300


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_its_pixels_or_its_reason(kind):
    for variant in range(VARIANTS):
        odd = KINDS[kind](variant)
        if odd.pixels is None:
            with pytest.raises(DecodeError) as caught:
                decode_bytes(odd.content, 3)
            assert odd.reason in caught.value.reason
            assert caught.value.reason.isprintable()
            continue
        found = decode_bytes(odd.content, 3)
        assert found.shape == odd.pixels.shape
        assert np.abs(found.astype(int) - odd.pixels).max() <= odd.tolerance
        luma = decode_bytes(odd.content, 1)[..., 0]
        assert np.abs(found @ np.array([0.299, 0.587, 0.114]) - luma).max() <= 1


def check(found: dict, mutants: int) -> None:
    """No file without its reason, no two answers about one, nothing slow, nothing large, nothing written."""
    assert found["kinds"] >= 60
    assert found["odd"]["files"] >= 300
    assert found["mutants"]["files"] >= mutants
    for counts in (found["odd"], found["mutants"]):
        assert counts["unnamed"] == []
        assert counts["disagreeing"] == []
        assert counts["folder_unchanged"]
        assert counts["slowest_s"] < 5
        assert counts["readable"] > 0
        assert counts["set_aside"] > 0
    assert found["peak_memory_mb"] < 1000


def test_odd_and_damaged_files_are_read_alike_everywhere_or_set_aside_by_name():
    check(surveyed(300), 300)


@pytest.mark.slow
def test_twenty_thousand_damaged_files_too():
    check(surveyed(20_000), 20_000)
