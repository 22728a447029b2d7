"""The end of a search: the chosen file is proven on what chose nothing, or the nearest point is told."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from econet.errors import UserError
from econet.jobs import judge
from econet.jobs.benchmark import benchmark_artifacts
from econet.jobs.budgets import cost_name, limits, value_of
from econet.jobs.evaluate import answers_path, evaluate_artifacts, record_path
from econet.jobs.export import sidecar
from econet.jobs.shrink_task import YARDSTICK, Task
from econet.measurement.accuracy import read_predictions
from econet.measurement.quiet_latency import BUSY, fresh_latencies
from econet.models.space import Named, chosen
from econet.report.shrink_page import NAMES, front_of, write_shrink_page, written
from econet.runs import provenance
from econet.runs.artifact_records import Benchmark, Evaluation, Export
from econet.runs.folder import Run
from econet.runs.record import read_record, write_record
from econet.runs.shrink_records import (
    FreshLatency,
    Kept,
    Proof,
    Reachable,
    Shrink,
    ShrinkConfig,
    TrialPoint,
)
from econet.training.progress import Progress

RECORD = "shrink.json"


def proven(task: Task, point: TrialPoint, run: Run, progress: Progress) -> Proof:
    """Every budget held against the file itself; accuracy read once, paired with the subject's on the same images."""
    if point.cost is None:
        raise ValueError("a final network without a file")
    budgets, precision = task.config.budgets, point.cost.precision
    path, subject = run.artifact(precision), task.subject.artifact("fp32")
    side = point.side
    mine = _evaluated(path, run, task, side, progress)
    _evaluated(subject, task.subject, task, None, progress)
    difference = judge.difference(*(read_predictions(answers_path(each)) for each in (subject, path)))
    benchmark = benchmark_artifacts([(path, run), (subject, task.subject)])[0][0]
    latency = _fresh(task, path, subject)
    drop = task.plan.subject_accuracy - (point.accuracy or 0.0)
    verdict, reason = None, f"{_points(difference.candidate_minus_baseline)} points on {difference.images} images"
    if budgets.max_drop is not None:
        verdict, reason = judge.reason(difference, budgets.max_drop)
    return Proof(
        run=provenance.relative_to(run.folder, task.folder),
        artifact=provenance.relative_to(path, task.folder),
        network=point.network,
        precision=precision,
        export=read_record(sidecar(path), Export),
        evaluation=mine,
        benchmark=benchmark,
        latency=latency,
        budgets=_held(task, benchmark, latency),
        drop_validation=drop,
        difference=difference,
        verdict=verdict,
        reason=reason,
    )


def _evaluated(path: Path, run: Run, task: Task, side: int | None, progress: Progress) -> Evaluation:
    """The file's evaluation on the proof's images. What was read once, by whichever process, is not read again."""
    split = task.config.proof
    if record_path(path).exists() and answers_path(path).exists():
        known = read_record(record_path(path), Evaluation)
        if known.data.split == split and known.data.fingerprint == task.dataset(side).fingerprint:
            return known
    return evaluate_artifacts([(path, run)], task.dataset(side), split, progress)[0]


def _fresh(task: Task, path: Path, subject: Path) -> FreshLatency:
    mine, theirs, yardstick = fresh_latencies([path, subject, task.folder / YARDSTICK])
    return FreshLatency(processes_ms=mine, median_ms=statistics.median(mine), subject_ms=theirs, yardstick_ms=yardstick)


def _held(task: Task, benchmark: Benchmark, latency: FreshLatency) -> tuple[Kept, ...]:
    found = {
        "latency_ms": latency.median_ms,
        "bytes": benchmark.bytes,
        "macs": benchmark.macs,
        "energy_mj": benchmark.energy_mj,
    }
    held: list[Kept] = []
    for name, allowed in limits(task.config.budgets).items():
        value = found[name]
        if value is not None:
            held.append(Kept(name=name, allowed=allowed, found=value, kept=value <= allowed))
    return tuple(held)


def nearest_of(task: Task, points: Sequence[TrialPoint]) -> Reachable:
    """Where no point keeps the budgets: the one that exceeds them least, weighed, and the least of each cost seen.

    Raises UserError where points kept them, but none could be trained.
    """
    broken = [point for point in points if point.over]
    if len(broken) < len(points) or not broken:
        raise _nothing_trained(points)
    point = min(broken, key=lambda each: max(each.over.values()))
    if point.cost is None:
        architecture = chosen(task.space, Named(point.point))
        network, preprocess = task.network(architecture), task.preprocess(architecture)
        cost, over = task.scales.weighed_untrained(network, preprocess, task.config.data.classes, architecture.name)
        point = replace(point, cost=cost, over=over)
    return Reachable(nearest=point, least=_least([*points, point]))


def write_outcome(
    folder: Path,
    config: ShrinkConfig,
    task: Task | None,
    points: Sequence[TrialPoint],
    *,
    proof: Proof | None = None,
    reachable: Reachable | None = None,
    warnings: Sequence[str] = (),
) -> Shrink:
    """Write `shrink.json`, the front as `front.csv` and `front.svg`, and the page; returns the record."""
    subject = None if task is None else task.subject
    reference = None if proof is None or subject is None else subject.artifact("fp32")
    evaluation = None if reference is None else read_record(record_path(reference), Evaluation)
    told = [*warnings, *_warnings(task, proof)]
    kept, reason = _answer(config, proof, reachable)
    cost = cost_name(config.budgets)
    record = Shrink(
        created=config.created,
        command=config.command,
        econet=config.econet,
        seed=config.seed,
        data=config.data,
        subject=config.subject,
        subject_name=config.baseline or (subject.config.model if subject is not None else config.subject),
        subject_evaluation=evaluation,
        subject_benchmark=None
        if reference is None
        else read_record(reference.with_name(f"{reference.stem}.benchmark.json"), Benchmark),
        subject_accuracy=None if task is None else task.plan.subject_accuracy,
        budgets=config.budgets,
        cost=cost,
        points=tuple(points),
        front=front_of(points, cost),
        proof=proof,
        reachable=reachable,
        kept=kept,
        reason=reason,
        seconds=round(sum(point.seconds for point in points), 3),
        test_reads=0 if proof is None else proof.evaluation.test_reads,
        warnings=tuple(told),
    )
    write_record(folder / RECORD, record)
    write_shrink_page(folder, record)
    return record


def _answer(config: ShrinkConfig, proof: Proof | None, reachable: Reachable | None) -> tuple[bool, str]:
    """Whether every stated budget is kept, and one sentence that tells why."""
    if proof is None:
        if reachable is None:
            raise ValueError("neither a proof nor a nearest point")
        return False, _too_much(config, reachable)
    broken = [each for each in proof.budgets if not each.kept]
    kept = not broken and proof.verdict in (None, "yes")
    said = [
        f"{NAMES[each.name]} {written(each.name, each.found)}, allowed {written(each.name, each.allowed)}"
        for each in broken or proof.budgets
    ]
    return kept, "; ".join([*said, proof.reason])


def _too_much(config: ShrinkConfig, reachable: Reachable) -> str:
    nearest, limit = reachable.nearest, limits(config.budgets)
    worst = max(limit, key=lambda name: nearest.over.get(name, 0.0))
    value = None if nearest.cost is None else value_of(nearest.cost, worst)
    return (
        f"no network of the search keeps all budgets: the nearest has {NAMES[worst]} {written(worst, value or 0)}, "
        f"allowed {written(worst, limit[worst])}"
    )


def _warnings(task: Task | None, proof: Proof | None) -> list[str]:
    if task is None or proof is None:
        return []
    found: list[str] = [f"{proof.artifact}: {text}" for text in proof.export.warnings]
    slowness = statistics.median(proof.latency.yardstick_ms) / task.plan.yardstick_ms
    if slowness > BUSY:
        found.append(
            f"the machine was busy at the proof: the yardstick took {slowness:.2f} times its quiet time, "
            "so the file may be faster than was found"
        )
    return found


def _least(points: Sequence[TrialPoint]) -> dict[str, float]:
    costs = [point.cost for point in points if point.cost is not None]
    found: dict[str, float] = {}
    for name in NAMES:
        values = [value for cost in costs if (value := getattr(cost, name)) is not None]
        if values:
            found[name] = min(values)
    return found


def _nothing_trained(points: Sequence[TrialPoint]) -> UserError:
    faults = [point.fault for point in points if point.fault]
    return UserError(
        "no network of the search could be trained",
        faults[0] if faults else "none came to the end of its trial",
        "a longer --time, more --trials, or another --batch-size",
    )


def _points(fraction: float) -> str:
    return f"{100 * fraction:+.2f}"
