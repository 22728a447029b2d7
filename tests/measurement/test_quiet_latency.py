"""A latency on a machine that may be busy: chosen by the yardstick, and corrected by it where it must be."""

from pathlib import Path

import pytest

import econet
from econet.measurement import latency, quiet_latency
from econet.measurement.quiet_latency import fresh_latencies, quiet_yardstick

SHIPPED = Path(econet.__file__).parent / "zoo" / "fashion-mnist-econet-76k" / "model.int8.onnx"
MINE, YARDSTICK = Path("mine.onnx"), Path("yardstick.onnx")


@pytest.fixture
def told(monkeypatch):
    """Let each measurement give the next of a list of (mine, yardstick) in ms, the same in three rounds."""

    def script(*measurements):
        left = list(measurements)
        monkeypatch.setattr(latency, "latencies", lambda paths: [(value,) * 3 for value in left.pop(0)][: len(paths)])
        monkeypatch.setattr(quiet_latency, "PAUSE_SECONDS", 0.0)
        return left

    return script


def test_on_a_quiet_machine_the_first_figure_counts(told):
    left = told((0.5, 1.1), (9, 9))
    found = quiet_latency.quiet_latency(MINE, YARDSTICK, 1.0)
    assert (found.ms, found.busy) == (0.5, False)
    assert len(left) == 1


def test_a_busy_moment_is_measured_again_and_the_yardstick_says_which_figure_counts(told):
    # The lowest figure of the file itself is not the one that counts: it came in a busy moment.
    told((0.4, 3.0), (0.6, 1.05))
    found = quiet_latency.quiet_latency(MINE, YARDSTICK, 1.0)
    assert (found.ms, found.busy) == (0.6, False)


def test_on_a_machine_that_stays_busy_the_ratio_counts(told):
    told((2.0, 4.0), (1.5, 2.0), (3.0, 5.0))
    found = quiet_latency.quiet_latency(MINE, YARDSTICK, 1.0)
    assert found.busy
    assert found.yardstick_ratio == pytest.approx(2.0)
    assert found.ms == pytest.approx(0.75)


def test_the_yardsticks_own_figure_is_its_quietest(told):
    told((2.0,), (1.5,), (3.0,))
    assert quiet_yardstick(YARDSTICK) == 1.5


def test_a_fresh_process_measures_real_files():
    (found,) = fresh_latencies([SHIPPED], processes=1)
    assert len(found) == 1
    assert 0 < found[0] < 1000


def test_a_fresh_process_that_fails_is_told(tmp_path):
    with pytest.raises(RuntimeError, match="fresh process failed"):
        fresh_latencies([tmp_path / "no.onnx"], processes=1)
