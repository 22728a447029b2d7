"""The four figures under the answer: accuracy, computation, file size, time per image."""

from dataclasses import dataclass

from econet.report import numbers, words
from econet.runs.comparison_records import Comparison, Side


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: what it is, the candidate's and the baseline's value, and how they compare in words."""

    name: str
    explanation: str
    candidate: str
    baseline: str
    compared: str
    wrong_way: bool
    note: str = ""


def four_figures(comparison: Comparison) -> list[Figure]:
    """Candidate against baseline in four figures; a ratio that goes the wrong way is marked."""
    baseline, candidate = words.proof_sides(comparison)
    return [
        _accuracy(comparison, baseline, candidate),
        _computation(comparison, baseline, candidate),
        _file_size(comparison, baseline, candidate),
        _time(comparison, baseline, candidate),
    ]


def ratio_words(comparison: Comparison) -> list[str]:
    """Candidate int8 against baseline int8, in words; empty where there is no such baseline."""
    ratios = comparison.ratios_same_precision
    if ratios is None:
        return []
    said = [] if ratios.macs is None else [f"computation {numbers.factor(ratios.macs, 'less', 'more')}"]
    return [
        *said,
        f"file {numbers.factor(ratios.bytes, 'smaller', 'larger')}",
        f"time {numbers.factor(ratios.latency, 'faster', 'slower')}",
    ]


def _accuracy(comparison: Comparison, baseline: Side, candidate: Side) -> Figure:
    difference = comparison.difference
    digits = numbers.difference_digits(difference.interval, comparison.margin)
    gap = numbers.points(difference.candidate_minus_baseline, digits)
    return Figure(
        name="Accuracy",
        explanation=f"right answers on {numbers.whole(difference.images)} {words.pictures(comparison)}",
        candidate=words.accuracy(candidate),
        baseline=words.accuracy(baseline),
        compared="the same" if float(gap) == 0 else f"{gap} points",
        wrong_way=comparison.verdict == "no",
    )


def _computation(comparison: Comparison, baseline: Side, candidate: Side) -> Figure:
    ratio = comparison.ratios.macs
    return Figure(
        name="Computation",
        explanation="multiply-adds (MACs) for one picture",
        candidate=_count(candidate.benchmark.macs),
        baseline=_count(baseline.benchmark.macs),
        compared="not counted" if ratio is None else numbers.factor(ratio, "less", "more"),
        wrong_way=ratio is not None and ratio > 1,
    )


def _file_size(comparison: Comparison, baseline: Side, candidate: Side) -> Figure:
    ratio = comparison.ratios.bytes
    return Figure(
        name="File size",
        explanation="of what ships; 1 KB = 1,000 bytes",
        candidate=numbers.file_size(candidate.benchmark.bytes),
        baseline=numbers.file_size(baseline.benchmark.bytes),
        compared=numbers.factor(ratio, "smaller", "larger"),
        wrong_way=ratio > 1,
    )


def _time(comparison: Comparison, baseline: Side, candidate: Side) -> Figure:
    ratio = comparison.ratios.latency
    low, high = sorted(1 / end if ratio < 1 else end for end in comparison.ratios.latency_range)
    threads = candidate.benchmark.runtime.threads
    return Figure(
        name="Time per image",
        explanation=f"median on {threads} thread{'' if threads == 1 else 's'} of this machine",
        candidate=numbers.per_image(candidate.benchmark.latency_ms.p50),
        baseline=numbers.per_image(baseline.benchmark.latency_ms.p50),
        compared=numbers.factor(ratio, "faster", "slower"),
        wrong_way=ratio > 1,
        note=f"{numbers.significant(low, 2)}x to {numbers.significant(high, 2)}x in the rounds",
    )


def _count(macs: int | None) -> str:
    return "not counted" if macs is None else numbers.magnitude(macs)
