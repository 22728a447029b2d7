"""The steps of a ledger, from files that were evaluated on the same images and timed in the same run."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from econet.measurement.accuracy import Predictions
from econet.measurement.losses import loss_between
from econet.runs.artifact_records import Benchmark
from econet.runs.ledger_records import Kind, LayerCost, LedgerStep


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the ledger: what made it of the one before, its answers, what it costs, and which layers cost most."""

    kind: Kind
    name: str
    file: str
    predictions: Predictions
    benchmark: Benchmark
    layers: tuple[LayerCost, ...] = ()


def steps_of(entries: Sequence[Entry], classes: tuple[str, ...]) -> tuple[LedgerStep, ...]:
    """A step from each entry to the next. Raises UserError where two were not evaluated on the same images."""
    return tuple(
        LedgerStep(
            kind=after.kind,
            name=after.name,
            before=before.file,
            after=after.file,
            loss=loss_between(before.predictions, after.predictions, classes),
            bytes=(before.benchmark.bytes, after.benchmark.bytes),
            macs=(before.benchmark.macs, after.benchmark.macs),
            latency_ms=(before.benchmark.latency_ms.p50, after.benchmark.latency_ms.p50),
            layers=after.layers,
        )
        for before, after in pairwise(entries)
    )


def slower_in_int8(name: str, ratio: tuple[float, float, float]) -> str | None:
    """A warning where the int8 file of network `name` was slower than its float file in every round.

    `ratio` is (median, smallest, largest) of int8 over float.
    """
    middle, low, _ = ratio
    if low <= 1:
        return None
    return f"int8 is slower than float on this machine: {name} takes {middle:.2f} times as long in 8 bits"
