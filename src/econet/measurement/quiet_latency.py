"""A latency to be trusted on a machine that may be busy: measured beside a yardstick file that never changes.

A busy moment slows the yardstick too. Where it is much slower than when the machine was quiet, the measurement is
taken again; where the machine stays busy, the ratio of file and yardstick, which the load hardly moves, times the
yardstick's own quiet figure is the best that can be said, and it is said that it was.

`python -m econet.measurement.quiet_latency FILE...` is a fresh process: it prints each file's round medians as JSON.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from econet.measurement import latency

# How much slower than when the machine was quiet the yardstick may be before the moment is called a busy one.
BUSY = 1.15
ATTEMPTS = 3
PAUSE_SECONDS = 0.5
FRESH_PROCESSES = 3


@dataclass(frozen=True, slots=True)
class QuietLatency:
    """Milliseconds of one picture, how slow the yardstick was against its quiet figure, and whether that is busy."""

    ms: float
    yardstick_ratio: float

    @property
    def busy(self) -> bool:
        """Whether the machine was busy even in the quietest attempt: `ms` then comes from the ratio."""
        return self.yardstick_ratio > BUSY


def quiet_latency(path: Path, yardstick: Path, yardstick_ms: float) -> QuietLatency:
    """p50 of one picture at batch 1 through the file at `path`, in ms.

    `yardstick_ms` is the yardstick's latency on the quiet machine. Of up to three attempts the one in which the
    yardstick was fastest counts; it is chosen by the yardstick, never by the file itself.
    """
    best: tuple[float, float, float] | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        mine, beside = latency.latencies([path, yardstick])
        ratio, _, _ = latency.latency_ratio(mine, beside)
        seen = statistics.median(beside)
        if best is None or seen < best[0]:
            best = (seen, statistics.median(mine), ratio)
        if best[0] <= BUSY * yardstick_ms:
            break
    if best is None:
        raise ValueError("no attempt at all")
    seen, own, ratio = best
    slowness = seen / yardstick_ms
    return QuietLatency(own if slowness <= BUSY else ratio * yardstick_ms, slowness)


def quiet_yardstick(yardstick: Path) -> float:
    """The yardstick's own latency in ms: the lowest median of three measurements, a pause between them."""
    found: list[float] = []
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        found.append(statistics.median(latency.latencies([yardstick])[0]))
    return min(found)


def fresh_latencies(paths: Sequence[Path], processes: int = FRESH_PROCESSES) -> list[tuple[float, ...]]:
    """Of each file its p50 (ms) in every one of `processes` fresh processes, the files interleaved in each.

    Raises RuntimeError where a process fails.
    """
    taken = [_in_a_fresh_process(paths) for _ in range(processes)]
    return [tuple(each[number] for each in taken) for number in range(len(paths))]


def _in_a_fresh_process(paths: Sequence[Path]) -> list[float]:
    command = [sys.executable, "-m", "econet.measurement.quiet_latency", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"measuring {paths[0]} in a fresh process failed: {done.stderr.strip()}")
    return [statistics.median(rounds) for rounds in json.loads(done.stdout)]


if __name__ == "__main__":
    print(json.dumps(latency.latencies([Path(word) for word in sys.argv[1:]])))
