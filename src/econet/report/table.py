"""The table of every side, the best of each column marked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from econet.report import numbers
from econet.runs.comparison_records import Side


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell, a quieter second line, and whether no other side does better."""

    text: str
    second: str
    best: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One side: its role, network and precision, and its cells in the order of `COLUMNS`."""

    role: str
    name: str
    precision: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: heading, unit, the value that is compared (None: not measured) and how it is written."""

    heading: str
    unit: str
    value: Callable[[Side], float | None]
    text: Callable[[Side], str]
    second: Callable[[Side], str] = lambda side: ""
    more_is_better: bool = False


def _interval(side: Side) -> str:
    digits = numbers.digits_for(side.evaluation.accuracy_interval)
    low, high = side.evaluation.accuracy_interval
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f}"


COLUMNS = (
    Column(
        "Accuracy",
        "95 % interval",
        lambda side: side.evaluation.accuracy,
        lambda side: numbers.percent(side.evaluation.accuracy, numbers.digits_for(side.evaluation.accuracy_interval)),
        _interval,
        more_is_better=True,
    ),
    Column(
        "Parameters",
        "in the file",
        lambda side: side.benchmark.parameters,
        lambda side: numbers.magnitude(side.benchmark.parameters),
    ),
    Column(
        "MACs",
        "one picture",
        lambda side: side.benchmark.macs,
        lambda side: "not counted" if side.benchmark.macs is None else numbers.magnitude(side.benchmark.macs),
    ),
    Column(
        "File",
        "bytes",
        lambda side: side.benchmark.bytes,
        lambda side: numbers.file_size(side.benchmark.bytes),
    ),
    Column(
        "Time",
        "p50, one picture",
        lambda side: side.benchmark.latency_ms.p50,
        lambda side: numbers.per_image(side.benchmark.latency_ms.p50),
        lambda side: f"p95 {numbers.per_image(side.benchmark.latency_ms.p95)}",
    ),
    Column(
        "CPU time",
        "1,000 pictures",
        lambda side: side.benchmark.cpu_s_per_1000,
        lambda side: f"{numbers.significant(side.benchmark.cpu_s_per_1000)} s",
    ),
)


def rows(sides: Sequence[Side]) -> list[Row]:
    """A row a side. A column in which all sides are equal marks none as the best."""
    best = [_best(column, sides) for column in COLUMNS]
    return [
        Row(
            role=side.role,
            name=numbers.shown(side.name),
            precision=side.precision,
            cells=tuple(
                Cell(column.text(side), column.second(side), top is not None and column.value(side) == top)
                for column, top in zip(COLUMNS, best, strict=True)
            ),
        )
        for side in sides
    ]


def _best(column: Column, sides: Sequence[Side]) -> float | None:
    values = [value for side in sides if (value := column.value(side)) is not None]
    if len(set(values)) < 2:
        return None
    return max(values) if column.more_is_better else min(values)
