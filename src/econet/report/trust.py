"""Can it be trusted: parity of the files, and whether the fight was fair."""

from dataclasses import dataclass
from pathlib import Path

from econet.report import numbers, words
from econet.runs.comparison_records import Comparison, Side


@dataclass(frozen=True, slots=True)
class ParityRow:
    """One file against the network it was exported from, in words."""

    side: str
    stored: str
    files: str
    proof: str
    difference: str
    passed: str


def side_name(side: Side) -> str:
    """Role and, for 8-bit files, the precision: "baseline", "candidate int8"."""
    return side.role if side.precision == "fp32" else f"{side.role} {side.precision}"


def parity_rows(comparison: Comparison) -> list[ParityRow]:
    """A row for each side that was exported here."""
    return [_parity_row(side) for side in comparison.sides if side.export is not None]


def fairness(comparison: Comparison) -> str:
    """What each side's training was allowed, and whether the baseline got its share.

    The rule: at least as long as the candidate and any teacher of its own together. It is claimed only where
    both sides were trained in this comparison.
    """
    baseline, candidate = words.proof_sides(comparison)
    for side in (baseline, candidate):
        if side.training is None or _trained_elsewhere(side):
            given = "a finished file" if side.training is None else "a run trained before"
            return f"The {side.role} was given as {given}: that both sides had equal time is not claimed."
    teacher = words.find_side(comparison, "teacher", "fp32")
    own = teacher if teacher is not None and teacher.run != baseline.run else None
    said = f"{_time(candidate)} for the candidate"
    needed = _seconds(candidate)
    if own is not None and own.training is not None:
        said += f" and {_time(own)} for its teacher"
        needed += _seconds(own)
    if _seconds(baseline) >= needed:
        return f"The baseline was trained for {_time(baseline)}, at least as long as the other side: {said}."
    if _seconds(baseline) >= 0.95 * needed:
        return f"The baseline was trained for {_time(baseline)}, about as long as the other side: {said}."
    return f"The baseline was trained for {_time(baseline)}, less than the other side: {said}. That was not fair."


def _trained_elsewhere(side: Side) -> bool:
    path = Path(side.run or "")
    return path.is_absolute() or ".." in path.parts


def _seconds(side: Side) -> float:
    return 0.0 if side.training is None else side.training.seconds


def _time(side: Side) -> str:
    return numbers.seconds(_seconds(side))


def _parity_row(side: Side) -> ParityRow:
    assert side.export is not None
    parity, agreement = side.export.parity, side.evaluation.torch_agreement
    return ParityRow(
        side=side_name(side),
        stored=f"{_agreement(parity.top1_agreement, parity.images)} of {numbers.whole(parity.images)}",
        files=numbers.whole(parity.files) if parity.files else "none on disk",
        proof=(
            "not compared"
            if agreement is None
            else f"{_agreement(agreement.top1_agreement, agreement.images)} of {numbers.whole(agreement.images)}"
        ),
        difference=f"{parity.max_logit_difference:.2g}",
        passed="passed" if parity.passed else "failed",
    )


def _agreement(share: float, images: int) -> str:
    """Percent with enough digits that 100 means all."""
    text = numbers.percent(share, 2)
    return "100 %" if round(share * images) == images else "under 100 %" if text == "100.00 %" else text
