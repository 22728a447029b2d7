"""A ledger in words and as a table: what every step cost and bought."""

from collections.abc import Sequence

from econet.report import numbers
from econet.runs.difference import Difference
from econet.runs.ledger_records import LedgerStep, Loss, Remedy

HEADINGS = ("Step", "Points", "95 % interval", "Changed answers", "ECE", "File", "MACs", "Time")
REMEDY_HEADINGS = ("Way to 8 bits", "Validation", "nats", "Bought", "")
# A step that cost more than this is worth a sentence of its own.
_COSTLY = 0.001


def step_rows(steps: Sequence[LedgerStep]) -> list[list[str]]:
    """A row a step under `HEADINGS`: accuracy in points; file, MACs and time as factors of the step before."""
    return [[step.name, *_loss_cells(step.loss), *_factors(step.bytes, step.macs, step.latency_ms)] for step in steps]


def whole_row(steps: Sequence[LedgerStep], whole: Loss) -> list[str]:
    """The row of all steps together."""
    first, last = steps[0], steps[-1]
    factors = _factors(
        (first.bytes[0], last.bytes[1]),
        (first.macs[0], last.macs[1]),
        (first.latency_ms[0], last.latency_ms[1]),
    )
    return ["all together", *_loss_cells(whole), *factors]


def remedy_rows(remedies: Sequence[Remedy]) -> list[list[str]]:
    """A row a way to the int8 file that was tried: what it reaches, and what it bought against the plain way."""
    return [
        [
            remedy.name,
            numbers.percent(remedy.accuracy, 2),
            f"{remedy.cross_entropy:.4f}",
            numbers.points(remedy.bought, 2),
            "chosen" if remedy.chosen else "",
        ]
        for remedy in remedies
        if remedy.accuracy is not None and remedy.cross_entropy is not None and remedy.bought is not None
    ]


def sentences(steps: Sequence[LedgerStep], whole: Loss, remedies: Sequence[Remedy]) -> tuple[str, ...]:
    """What a reader should take home: the whole, the dearest step, the dearest layers, and what a remedy bought."""
    said = [f"From the first file to the last the accuracy changed by {_with_interval(whole.difference)}."]
    dearest = min(steps, key=_change)
    if _change(dearest) < -_COSTLY:
        said.append(f"The step that cost most: {dearest.name}, {_with_interval(dearest.loss.difference)}.")
    else:
        said.append(f"No step cost more than {numbers.points(_COSTLY)[1:]} points.")
    said += [_dearest_layer(step) for step in steps if step.layers]
    chosen = next((remedy for remedy in remedies if remedy.chosen), None)
    if chosen is not None and chosen.bought:
        said.append(
            f'Of the ways to 8 bits "{chosen.name}" was chosen on validation images: '
            f"{numbers.points(chosen.bought, 2)} points against the plain way."
        )
    said += [f"Not tried: {remedy.name}; {remedy.not_tried}." for remedy in remedies if remedy.not_tried]
    return tuple(said)


def _dearest_layer(step: LedgerStep) -> str:
    first = step.layers[0]
    return (
        f'In the step "{step.name}" {numbers.shown(first.layer, 40)} costs most: alone '
        f"{numbers.points(-first.accuracy_lost, 2)} points, {first.cross_entropy_rise:+.3f} nats, on validation images."
    )


def _change(step: LedgerStep) -> float:
    return step.loss.difference.candidate_minus_baseline


def _with_interval(difference: Difference) -> str:
    low, high = (numbers.points(end, 2) for end in difference.interval)
    return f"{numbers.points(difference.candidate_minus_baseline, 2)} points ({low} to {high})"


def _loss_cells(loss: Loss) -> list[str]:
    low, high = (numbers.points(end, 2) for end in loss.difference.interval)
    changed = f"{numbers.whole(loss.changed)} (-{len(loss.lost):,} +{len(loss.gained):,})"
    return [
        numbers.points(loss.difference.candidate_minus_baseline, 2),
        f"{low} to {high}",
        changed,
        f"{loss.ece[0]:.3f} to {loss.ece[1]:.3f}",
    ]


def _factors(size: tuple[int, int], macs: tuple[int | None, int | None], time: tuple[float, float]) -> list[str]:
    return [
        numbers.factor(size[1] / size[0], "smaller", "larger"),
        _computation(*macs),
        numbers.factor(time[1] / time[0], "faster", "slower"),
    ]


def _computation(before: int | None, after: int | None) -> str:
    return "not counted" if not before or not after else numbers.factor(after / before, "less", "more")
