"""A budget search to look at: page.html, the front as front.csv and front.svg; drawn from the record alone."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from econet.files import write_text
from econet.report import numbers
from econet.report.charts.front import NARROW, WIDE, Spot, front_chart
from econet.report.charts.interval import Bar, answer_chart, interval_list
from econet.report.rendering import rendered
from econet.runs.artifact_records import Benchmark
from econet.runs.shrink_records import CostName, Kept, Shrink, TrialPoint

PAGE, FRONT_TABLE, FRONT_PICTURE = "page.html", "front.csv", "front.svg"
NAMES: dict[str, str] = {
    "latency_ms": "time for one picture",
    "bytes": "file size",
    "macs": "MACs, one picture",
    "energy_mj": "energy for one picture",
}
_WRITTEN: dict[str, Callable[[float], str]] = {
    "latency_ms": numbers.per_image,
    "bytes": numbers.file_size,
    "macs": numbers.magnitude,
    "energy_mj": lambda value: f"{numbers.significant(value)} mJ",
}


def written(name: str, value: float) -> str:
    """A cost in words with its unit."""
    return _WRITTEN[name](value)


def front_of(points: Sequence[TrialPoint], cost: CostName) -> tuple[int, ...]:
    """Indices of the points that no other point beats in both `cost` and accuracy, cheapest first.

    Only trials that came to their end take part: all were trained for as many epochs, so their accuracies compare.
    """
    known: list[tuple[float, float, int]] = []
    for index, point in enumerate(points):
        value = None if point.cost is None else getattr(point.cost, cost)
        if value is not None and point.accuracy is not None and (point.stage, point.outcome) == ("trial", "trained"):
            known.append((value, -point.accuracy, index))
    front: list[int] = []
    best = 0.0
    for _, negative, index in sorted(known):
        if -negative > best:
            best = -negative
            front.append(index)
    return tuple(front)


def write_shrink_page(folder: Path, record: Shrink) -> Path:
    """Write `front.csv`, `front.svg` where there is anything to draw, and `page.html`, whose path is returned."""
    write_text(folder / FRONT_TABLE, front_table(record))
    spots = _spots(record)
    budget, caption = _budget(record), NAMES[record.cost]
    if spots:
        picture = front_chart(spots, budget, caption, _WRITTEN[record.cost], frame=NARROW, alone=True)
        write_text(folder / FRONT_PICTURE, str(picture) + "\n")
    content = {
        "record": record,
        "numbers": numbers,
        "headline": headline(record),
        "detail": detail(record),
        "figures": _figures(record),
        "interval": _interval(record),
        "fronts": [front_chart(spots, budget, caption, _WRITTEN[record.cost], frame=frame) for frame in (WIDE, NARROW)]
        if spots
        else [],
        "rows": front_rows(record),
        "cost_heading": caption,
        "held": [_held_row(each) for each in record.proof.budgets] if record.proof else [],
        "told": told(record),
    }
    path = folder / PAGE
    write_text(path, rendered("shrink.html", **content))
    return path


def front_table(record: Shrink) -> str:
    """Every point on the front as CSV: exact figures, in the units of their names."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    head = ("number", "stage", "network", "side", "precision", "validation_accuracy", "epochs")
    costs = ("bytes", "macs", "parameters", "latency_ms", "energy_mj")
    writer.writerow([*head, *costs])
    for index in record.front:
        point = record.points[index]
        if point.cost is not None:
            own = (point.number, point.stage, point.network, point.side, point.cost.precision, point.accuracy)
            writer.writerow([*own, point.epochs, *(getattr(point.cost, name) for name in costs)])
    return stream.getvalue()


def headline(record: Shrink) -> str:
    """The answer in a few words."""
    if record.reachable is not None:
        return "No: this budget cannot be reached here"
    if record.kept:
        return "Yes: the budget is kept"
    proof = record.proof
    if proof is not None and all(each.kept for each in proof.budgets):
        return "Undecided: the loss may be larger" if proof.verdict == "undecided" else "No: too much accuracy is lost"
    return "No: the budget is not kept"


def detail(record: Shrink) -> str:
    """The answer in a sentence or two, with its figures."""
    if record.reachable is not None:
        nearest = record.reachable.nearest
        costs = "" if nearest.cost is None else f": {cost_words(nearest)}"
        least = ", ".join(f"{NAMES[name]} {written(name, value)}" for name, value in record.reachable.least.items())
        return f"The nearest point is {nearest.network}{costs}. The least that was seen of each cost: {least}."
    proof = record.proof
    if proof is None:
        return record.reason
    low, high = (numbers.points(end) for end in proof.difference.interval)
    change = numbers.points(proof.difference.candidate_minus_baseline)
    text = (
        f"{numbers.percent(proof.evaluation.accuracy)} of {proof.evaluation.data.images:,} "
        f"{proof.evaluation.data.split} pictures: {change} points against {record.subject_name}, "
        f"between {low} and {high} on new pictures like these."
    )
    if record.budgets.max_drop is not None:
        text += f" You accepted a loss of {numbers.margin_points(record.budgets.max_drop)} points."
    return text


def cost_words(point: TrialPoint) -> str:
    """What a point's file costs, in one line."""
    cost = point.cost
    if cost is None:
        return "not weighed"
    words = [written("bytes", cost.bytes), f"{written('macs', cost.macs)} MACs"]
    if cost.latency_ms is not None:
        words.append(written("latency_ms", cost.latency_ms))
    if cost.energy_mj is not None:
        words.append(written("energy_mj", cost.energy_mj))
    return ", ".join([*words, cost.precision])


def told(record: Shrink) -> str:
    """How many networks were looked at, and what became of them."""
    trials = [point for point in record.points if point.stage == "trial"]
    counts = Counter(point.outcome for point in trials)
    parts = [f"{counts[name]} {name}" for name in ("trained", "stopped early", "over budget", "failed") if counts[name]]
    return f"{len(trials)} networks looked at: {', '.join(parts) or 'none'}"


def front_rows(record: Shrink) -> list[list[str]]:
    """The front for a table: network, cost, file, MACs, accuracy, epochs, and its accuracy where it was trained on."""
    rows: list[list[str]] = []
    for index in record.front:
        point = record.points[index]
        cost = point.cost
        if cost is None or point.accuracy is None:
            continue
        rows.append(
            [
                point.network,
                written(record.cost, getattr(cost, record.cost)),
                written("bytes", cost.bytes),
                written("macs", cost.macs),
                numbers.percent(point.accuracy),
                str(point.epochs),
                _trained_on(record, point),
            ]
        )
    return rows


def _trained_on(record: Shrink, trial: TrialPoint) -> str:
    """What the network of a trial came to when it was trained further; nothing where it was not."""
    later = [point for point in record.points if point.number == trial.number and point.stage != "trial"]
    if not later or later[-1].accuracy is None:
        return ""
    return f"{numbers.percent(later[-1].accuracy)} after {later[-1].epochs}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the four figures under the answer: what, its value, and how it compares."""

    name: str
    value: str
    compared: str
    wrong: bool = False


def _figures(record: Shrink) -> list[Figure]:
    proof, evaluation, benchmark = record.proof, record.subject_evaluation, record.subject_benchmark
    if proof is None or evaluation is None or benchmark is None:
        return []
    own, theirs = proof.benchmark, benchmark
    change = proof.difference.candidate_minus_baseline
    before = sorted(proof.latency.subject_ms)[len(proof.latency.subject_ms) // 2]
    pairs = [
        ("file size", written("bytes", own.bytes), own.bytes / theirs.bytes, "smaller", "larger"),
        ("computation", f"{written('macs', own.macs or 0)} MACs", (own.macs or 0) / (theirs.macs or 1), "less", "more"),
        (
            "time for one picture",
            written("latency_ms", proof.latency.median_ms),
            proof.latency.median_ms / before,
            "faster",
            "slower",
        ),
    ]
    accuracy = Figure(
        "accuracy", numbers.percent(proof.evaluation.accuracy), f"{numbers.points(change)} points", change < 0
    )
    return [
        accuracy,
        *(_compared(*pair) for pair in pairs),
    ]


def _compared(name: str, value: str, ratio: float, good: str, bad: str) -> Figure:
    said = numbers.factor(ratio, good, bad)
    return Figure(name, value, said, said.startswith(bad))


def _interval(record: Shrink) -> Markup | None:
    """The difference with its interval, against the accepted drop where one was stated; None without a proof."""
    if record.proof is None:
        return None
    found, allowed = record.proof.difference, record.budgets.max_drop
    bar = Bar("", found.candidate_minus_baseline, found.interval)
    said = f"{headline(record)}. {detail(record)}"
    if allowed is None:
        return interval_list([bar], None, 1, said)
    return answer_chart(bar, allowed, numbers.difference_digits(found.interval, allowed), said)


def _budget(record: Shrink) -> float | None:
    budgets = record.budgets
    limits = {
        "latency_ms": budgets.max_latency_ms,
        "bytes": None if budgets.max_kb is None else 1000 * budgets.max_kb,
        "macs": budgets.max_macs,
        "energy_mj": budgets.max_energy_mj,
    }
    return limits[record.cost]


def _spots(record: Shrink) -> list[Spot]:
    """Every trial that came to its end, the network that is handed over, and the subject."""
    spots: list[Spot] = []
    for index, point in enumerate(record.points):
        value = None if point.cost is None else getattr(point.cost, record.cost)
        is_last = record.proof is not None and index == len(record.points) - 1
        if value is None or point.accuracy is None:
            continue
        if not is_last and (point.stage, point.outcome) != ("trial", "trained"):
            continue
        style = "final" if is_last else "front" if index in record.front else "plain"
        words = f"{point.network}, {point.epochs} epochs"
        spots.append(Spot(value, point.accuracy, words, style, "handed over" if is_last else ""))
    if record.subject_benchmark is not None and record.subject_accuracy is not None:
        spots += _subject_spot(record, record.subject_benchmark, record.subject_accuracy)
    return spots


def _subject_spot(record: Shrink, benchmark: Benchmark, accuracy: float) -> list[Spot]:
    costs = {
        "latency_ms": benchmark.latency_ms.p50,
        "bytes": benchmark.bytes,
        "macs": benchmark.macs,
        "energy_mj": benchmark.energy_mj,
    }
    value = costs[record.cost]
    return [Spot(value, accuracy, f"{record.subject_name} fp32", "subject", record.subject_name)] if value else []


def _held_row(each: Kept) -> tuple[str, str, str, str]:
    return (
        NAMES[each.name],
        written(each.name, each.allowed),
        written(each.name, each.found),
        "kept" if each.kept else "broken",
    )
