"""How fast: latency at batch 1 in interleaved rounds, CPU time, throughput; and the benchmark record of a file.

Every file takes its turn in every round, so that a neighbour's load falls on all sides alike: trust the ratios.
"""

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from econet.deployment.artifact_file import open_artifact
from econet.measurement.energy import NO_COUNTER, RAPL, estimate_energy, measure_energy_mj
from econet.measurement.machine import describe_machine
from econet.measurement.memory import peak_memory_bytes
from econet.runs.artifact_records import Benchmark, Latency, Runtime
from econet.runs.choices import RuntimeName

ROUNDS = 15
ROUND_SECONDS = 0.02
_WARM_UP_CALLS = 20
_BATCH = 64
_THROUGHPUT_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Measurement:
    """A file's record and, for ratios, its median latency in each round (ms)."""

    benchmark: Benchmark
    round_medians_ms: tuple[float, ...]


class _Subject:
    """One file under measurement: its runtime, and the times of its calls."""

    def __init__(self, path: Path, runtime: RuntimeName | None) -> None:
        self.path = path
        self.runtime: RuntimeName | None = runtime
        self.file = open_artifact(path, runtime)
        self.engine = self.file.engine(batch=1)
        record = self.file.metadata.preprocess
        pixels = np.random.default_rng(0).integers(0, 256, (_BATCH, *record.image_size, record.channels))
        self._images = pixels.astype(np.uint8)
        # One image, batch 1.
        self.run = self.engine.call(self._images[:1])
        self.wall_s: list[list[float]] = []
        self.cpu_s = 0.0
        self.calls = 1

    def warm_up(self, round_seconds: float) -> None:
        """Settle the caches and choose how many calls fill a round."""
        times = self._timed(_WARM_UP_CALLS)
        self.calls = max(5, math.ceil(round_seconds / statistics.median(times)))

    def take_round(self) -> None:
        """One round of calls, each timed."""
        start = time.process_time()
        times = self._timed(self.calls)
        self.cpu_s += time.process_time() - start
        self.wall_s.append(times)

    def throughput(self) -> float:
        """Images a second in batches of 64, one thread."""
        run = self.file.engine(batch=_BATCH).call(self._images)
        run()
        batches, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < _THROUGHPUT_SECONDS:
            run()
            batches += 1
        return batches * _BATCH / elapsed

    @property
    def cpu_seconds_per_image(self) -> float:
        """CPU time of one call, over all rounds."""
        return self.cpu_s / (len(self.wall_s) * self.calls)

    def _timed(self, calls: int) -> list[float]:
        times: list[float] = []
        for _ in range(calls):
            start = time.perf_counter()
            self.run()
            times.append(time.perf_counter() - start)
        return times


def benchmark(
    paths: Sequence[Path],
    parameters_trained: Sequence[int | None],
    *,
    rounds: int = ROUNDS,
    round_seconds: float = ROUND_SECONDS,
    runtime: RuntimeName | None = None,
) -> list[Measurement]:
    """Measure several artifacts in interleaved rounds, one thread, spinning off, static batch 1.

    `parameters_trained` goes into each record as given. A `runtime` runs all of them, instead of each format's own.
    Raises UserError where a file is no EcoNet artifact, or nothing for the runtime.
    """
    subjects = _taken_in_turns(paths, rounds, round_seconds, runtime)
    return [_measured(subject, trained) for subject, trained in zip(subjects, parameters_trained, strict=True)]


def latencies(
    paths: Sequence[Path], *, rounds: int = ROUNDS, round_seconds: float = ROUND_SECONDS
) -> list[tuple[float, ...]]:
    """Each file's median latency (ms) round by round, measured as `benchmark` does, and nothing else of it."""
    return [_round_medians(subject) for subject in _taken_in_turns(paths, rounds, round_seconds)]


def _taken_in_turns(
    paths: Sequence[Path], rounds: int, round_seconds: float, runtime: RuntimeName | None = None
) -> list[_Subject]:
    """Every file warmed up, then timed for `rounds` interleaved rounds."""
    subjects = [_Subject(path, runtime) for path in paths]
    for subject in subjects:
        subject.warm_up(round_seconds)
    for number in range(rounds):
        # Each round begins with another file, so that no file always follows the same one.
        first = number % max(1, len(subjects))
        for subject in subjects[first:] + subjects[:first]:
            subject.take_round()
    return subjects


def _round_medians(subject: _Subject) -> tuple[float, ...]:
    return tuple(statistics.median(times) * 1000 for times in subject.wall_s)


def latency_ratio(a_rounds: Sequence[float], b_rounds: Sequence[float]) -> tuple[float, float, float]:
    """(ratio, low, high) of a over b: the median of the rounds' ratios, the smallest and the largest.

    Raises ValueError where the two were not measured in the same rounds.
    """
    ratios = [a / b for a, b in zip(a_rounds, b_rounds, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def _measured(subject: _Subject, parameters_trained: int | None) -> Measurement:
    energy_mj = measure_energy_mj(subject.run)
    cpu_s, engine = subject.cpu_seconds_per_image, subject.engine
    record = Benchmark(
        subject=str(subject.path),
        precision=subject.file.metadata.precision,
        parameters=subject.file.parameters(),
        parameters_trained=parameters_trained,
        macs=subject.file.macs(),
        bytes=subject.path.stat().st_size,
        runtime=Runtime(name=engine.name, version=engine.version, threads=engine.threads, spinning=False),
        latency_ms=_latency(subject),
        cpu_s_per_1000=cpu_s * 1000,
        throughput_images_per_s=subject.throughput(),
        peak_memory_mb=peak_memory_bytes(subject.path, subject.runtime) / 1e6,
        energy_mj=energy_mj,
        energy_method=NO_COUNTER if energy_mj is None else RAPL,
        energy_estimate=estimate_energy(cpu_s) if energy_mj is None else None,
        machine=describe_machine(),
    )
    return Measurement(record, _round_medians(subject))


def _latency(subject: _Subject) -> Latency:
    times = np.array(subject.wall_s) * 1000
    return Latency(
        p50=float(np.percentile(times, 50)),
        p95=float(np.percentile(times, 95)),
        mean=float(times.mean()),
        rounds=len(subject.wall_s),
        calls=subject.calls,
    )
