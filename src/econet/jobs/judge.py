"""The judgement: the paired difference of two files, the ratios of their cost, and the verdict with its reason."""

from econet.jobs.ledger_steps import slower_in_int8
from econet.measurement.accuracy import Predictions, paired
from econet.measurement.latency import latency_ratio
from econet.measurement.losses import difference_of
from econet.runs.comparison_records import Ratios, Side, Verdict
from econet.runs.difference import Difference
from econet.statistics.intervals import verdict


def pair(sides: list[Side]) -> tuple[Side, Side]:
    """The two files the verdict is about: baseline fp32 and candidate int8, else what each side has."""
    return _find(sides, "baseline", "fp32"), _find(sides, "candidate", "int8")


def same_precision(sides: list[Side]) -> tuple[Side, Side] | None:
    """Baseline and candidate both in int8, where both exist."""
    found = [_find(sides, role, "int8") for role in ("baseline", "candidate")]
    return (found[0], found[1]) if all(side.precision == "int8" for side in found) else None


def difference(baseline: Predictions, candidate: Predictions) -> Difference:
    """Candidate minus baseline on the same images with Tango's 95 % score interval."""
    return difference_of(*paired(baseline, candidate))


def ratios(baseline: Side, candidate: Side, rounds: dict[str, tuple[float, ...]]) -> Ratios:
    """Candidate over baseline. `rounds` holds each artifact's latency in every interleaved round, by its path."""
    small, large = candidate.benchmark, baseline.benchmark
    latency, low, high = latency_ratio(rounds[candidate.artifact], rounds[baseline.artifact])
    return Ratios(
        macs=None if not small.macs or not large.macs else small.macs / large.macs,
        parameters=small.parameters / large.parameters,
        bytes=small.bytes / large.bytes,
        latency=latency,
        latency_range=(low, high),
        cpu=small.cpu_s_per_1000 / large.cpu_s_per_1000,
    )


def reason(found: Difference, margin: float) -> tuple[Verdict, str]:
    """The verdict at `margin` and one sentence that tells why."""
    answer = verdict(found.interval, margin)
    low, high = (100 * end for end in found.interval)
    where = {
        "yes": "lies wholly above",
        "no": "lies wholly below",
        "undecided": "reaches across",
    }[answer]
    return answer, (
        f"the 95 % interval of the difference, {low:+.2f} to {high:+.2f} points on {found.images} images, "
        f"{where} the margin of -{100 * margin:.2f} points"
    )


def warnings(sides: list[Side], rounds: dict[str, tuple[float, ...]]) -> list[str]:
    """What a reader must know: an unfair length, a side that was still improving, a file slower than it looks."""
    found: list[str] = []
    baseline, candidate = pair(sides)
    teacher = next((side for side in sides if side.role == "teacher"), None)
    if baseline.training is not None and candidate.training is not None:
        rest = candidate.training.seconds + (teacher.training.seconds if teacher and teacher.training else 0)
        if baseline.training.seconds < rest:
            found.append(
                f"the baseline trained {baseline.training.seconds:.0f} s, less than the {rest:.0f} s of the other side"
            )
    for side in (baseline, candidate):
        if side.training is not None and side.training.still_improving:
            found.append(
                f"the {side.role} was still improving when its training ended; more time may change the answer"
            )
    found += _slower_in_int8(sides, rounds)
    engines = [f"{side.benchmark.runtime.name} {side.benchmark.runtime.version}" for side in (baseline, candidate)]
    if engines[0] != engines[1]:
        found.append(
            f"the baseline ran in {engines[0]} and the candidate in {engines[1]}: their times compare two runtimes too"
        )
    found += [
        f"{side.role} {side.precision}: {text}"
        for side in sides
        if side.export is not None
        for text in side.export.warnings
    ]
    return found


def _slower_in_int8(sides: list[Side], rounds: dict[str, tuple[float, ...]]) -> list[str]:
    """Where 8 bits did not bring time: int8 files that were slower than the float file of the same network."""
    found: list[str] = []
    for side in sides:
        same = next((each for each in sides if (each.role, each.precision) == (side.role, "fp32")), None)
        if side.precision == "int8" and same is not None:
            ratio = latency_ratio(rounds[side.artifact], rounds[same.artifact])
            slower = slower_in_int8(side.name, ratio)
            found += [] if slower is None else [slower]
    return found


def _find(sides: list[Side], role: str, precision: str) -> Side:
    mine = [side for side in sides if side.role == role]
    return next((side for side in mine if side.precision == precision), mine[0])
