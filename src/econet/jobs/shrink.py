"""`shrink`: the smallest file within a stated budget, searched, trained and proven."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from econet.data.dataset import Dataset
from econet.errors import UserError
from econet.files import folder_lock
from econet.jobs import shrink_plan as planning
from econet.jobs.export import export_run
from econet.jobs.options import PARITY_DROP, TrainOptions
from econet.jobs.search import mend_journal, open_study, queue_lost
from econet.jobs.shrink_asked import asked_config, begin, begun_config, check_length
from econet.jobs.shrink_further import further, line_of
from econet.jobs.shrink_options import ShrinkOptions, check_shrink_options
from econet.jobs.shrink_proof import nearest_of, proven, write_outcome
from econet.jobs.shrink_task import (
    BASELINE,
    CONFIG,
    FINAL,
    FINALISTS,
    PLAN,
    YARDSTICK,
    Task,
    cutter_for,
    open_task,
    read_point,
    sides_for,
    space_for,
)
from econet.jobs.shrink_trial import points_of
from econet.jobs.shrink_worker import WORKERS_LOCK
from econet.jobs.train import train
from econet.jobs.turns import Turns, alone
from econet.jobs.workers import run_workers
from econet.measurement.machine import describe_machine
from econet.models.space import starting_points
from econet.runs.folder import Run, open_run
from econet.runs.record import begun_record, read_record, write_record
from econet.runs.shrink_records import Budgets, Reachable, Shrink, ShrinkConfig, TrialPoint
from econet.training.progress import Progress

RECORD = "shrink.json"
WORKER = "econet.jobs.shrink_worker"


@dataclass
class Story:
    """What the coordinating process of one search has at hand."""

    folder: Path
    config: ShrinkConfig
    dataset: Dataset
    data_dir: Path | None
    workers: int
    threads: int | None
    progress: Progress
    turns: Turns
    warnings: list[str] = field(default_factory=list[str])


def shrink(folder: Path, options: ShrinkOptions, progress: Progress, *, resume: bool = False) -> Shrink:
    """Search, train and prove the file that keeps the budgets of `options`, or tell what can be reached instead.

    Everything lies in `folder`; with `resume` a search goes on, as it began, with what was finished. All that was
    asked is checked before anything is trained. Raises UserError; Interrupted after a signal.
    """
    check_shrink_options(options)
    recorded = begun_record(folder / CONFIG, ShrinkConfig, "a search", resume=resume)
    if recorded is None and resume:
        progress.note(f"{folder} holds no search yet: starting afresh")
    config, dataset = (
        asked_config(folder, options) if recorded is None else begun_config(folder, recorded, options, progress)
    )
    check_length(config, dataset)
    with folder_lock(folder):
        if (folder / RECORD).exists():
            progress.note(f"{folder} holds a finished search: nothing left to do")
            return read_record(folder / RECORD, Shrink)
        with alone(folder / WORKERS_LOCK):  # workers of a coordinator that died have ended now
            mend_journal(folder)
        workers = options.workers or describe_machine().cores
        with Turns(folder) as turns:
            story = Story(
                folder=folder,
                config=config,
                dataset=dataset,
                data_dir=options.data_dir,
                workers=workers,
                threads=options.threads,
                progress=progress,
                turns=turns,
                warnings=list(dataset.warnings),
            )
            return _told(story)


def _told(story: Story) -> Shrink:
    """The whole search from its present state to its record and page."""
    task = _prepared(story)
    if isinstance(task, Reachable):
        return write_outcome(story.folder, story.config, None, (), reachable=task, warnings=story.warnings)
    points = _searched(story, task)
    fit = [point for point in points if point.outcome == "trained" and not point.over]
    if not fit:
        reachable = nearest_of(task, points)
        return write_outcome(story.folder, story.config, task, points, reachable=reachable, warnings=story.warnings)
    finalists = _finalists(story, task, fit)
    final, run = _final(story, task, finalists)
    every = (*points, *(each for each in finalists if each != final), final)
    story.progress.note(f"proving {run.folder}")
    proof = proven(task, final, run, story.progress)
    return write_outcome(story.folder, story.config, task, every, proof=proof, warnings=story.warnings)


# Before the search


def _prepared(story: Story) -> Task | Reachable:
    """The plan, made or read again; the point nearest to a latency that nothing here can reach."""
    folder, config, dataset = story.folder, story.config, story.dataset
    if not (folder / PLAN).exists():
        subject = open_run(folder / config.subject) if config.baseline is None else None
        sides = sides_for(dataset)
        cutter = None if subject is None else cutter_for(subject)
        space = space_for(dataset.preprocess, len(dataset.classes), sides, cutter)
        if not (folder / YARDSTICK).exists():
            planning.write_yardstick(folder, space, dataset.preprocess, dataset.classes)
        scales, yardstick_ms = planning.scales_before(folder, config.budgets, story.turns)
        least = planning.least_files(space, dataset.preprocess, dataset.classes, scales)
        _check_possible(folder, least, config.budgets)
        if not (folder / CONFIG).exists():
            begin(folder, config, dataset)
        unreachable = planning.too_slow(least, config.budgets)
        if unreachable is not None:
            return unreachable
        subject = subject or _baseline(story)
        export = export_run(subject, dataset, int8=False, parity_drop=PARITY_DROP, progress=story.progress)
        accuracy = export.accuracy_validation.artifact
        plan = planning.plan_for(config, subject, accuracy, sides, yardstick_ms, story.workers)
        write_record(folder / PLAN, plan)
    task = open_task(folder, story.data_dir, story.turns)
    task.give(dataset)
    return task


def _check_possible(folder: Path, least: planning.Least, budgets: Budgets) -> None:
    """As `check_possible`; where it raises nothing was begun yet, so nothing is left behind."""
    try:
        planning.check_possible(least, budgets)
    except UserError:
        if not (folder / CONFIG).exists():
            with suppress(OSError):
                (folder / YARDSTICK).unlink()
        raise


def _baseline(story: Story) -> Run:
    """The baseline of DATA, trained first."""
    config, folder = story.config, story.folder / BASELINE
    asked = TrainOptions(
        model=config.baseline or "",
        epochs=config.epochs,
        time_s=None if config.time_s is None else planning.BASELINE_SHARE * config.time_s,
        batch_size=config.batch_size,
        augment=config.augment,
        deterministic=config.deterministic,
        threads=story.threads,
        seed=config.seed,
    )
    story.progress.note(f"training the baseline, {config.baseline}")
    return train(folder, story.dataset, asked, story.progress, resume=Run(folder).exists)


# The search


def _words(story: Story, seed: int) -> list[str]:
    where = [] if story.data_dir is None else ["--data-dir", str(story.data_dir)]
    return [str(story.folder), str(seed), "--workers", str(story.workers), *where]


def _searched(story: Story, task: Task) -> tuple[TrialPoint, ...]:
    """Every point that the workers tried, the finished ones of an earlier process among them."""
    config, plan = story.config, task.plan
    study = open_study(story.folder, config.seed)
    lost = queue_lost(study)
    if lost:
        story.progress.note(f"{len(lost)} trials were running when the search was stopped: queued again")
    if not study.get_trials(deepcopy=False):
        for point in starting_points(task.space):
            study.enqueue_trial(point)
    if not (story.folder / FINALISTS).exists():
        story.progress.note(
            f"searching: up to {config.trials} networks of {plan.trial_epochs} epochs each, "
            f"{story.workers} at a time; the subject has {plan.subject_accuracy:.2%} on validation"
        )
        # A worker's chance differs from its neighbours' and from what it was before a resume.
        begun = len(study.get_trials(deepcopy=False))
        seeds = [config.seed + 1000 * number + begun for number in range(story.workers)]
        run_workers(WORKER, [_words(story, seed) for seed in seeds], story.workers, story.progress.note)
    return tuple(points_of(open_study(story.folder, config.seed)))


def _finalists(story: Story, task: Task, fit: list[TrialPoint]) -> list[TrialPoint]:
    """The best few of the trials, trained further by the workers."""
    chosen = sorted(fit, key=lambda point: _score(task, point), reverse=True)[: task.plan.finalists]
    waiting = [point for point in chosen if read_point(task.home(FINALISTS, point.number)) is None]
    if waiting:
        story.progress.note(f"training the best {len(chosen)} for {task.plan.finalist_epochs} epochs more")
    words = [[*_words(story, story.config.seed), "--finalist", str(point.number)] for point in waiting]
    run_workers(WORKER, words, story.workers, story.progress.note)
    found = (read_point(task.home(FINALISTS, point.number)) for point in chosen)
    return [point for point in found if point is not None]


def _final(story: Story, task: Task, finalists: list[TrialPoint]) -> tuple[TrialPoint, Run]:
    """The network that is handed over, trained to the end of the time, and the run whose file it is.

    Should the last training have made it worse on validation, or its file too costly (where int8 no longer answers as
    the network does, fp32 alone is left), the finalist itself is handed over.
    """
    best = min(finalists, key=lambda point: (_excess(point), -_worth(task, point)))
    start, run = Run(task.home(FINALISTS, best.number)), Run(story.folder / FINAL)
    story.progress.note(f"training {best.network} to the end")
    length = planning.final_length(story.config, start)
    final = further(task, best, start, run, story.progress, stage="final", threads=story.threads, **length)
    story.progress.note(line_of(final))
    worse = (_excess(final), -(final.accuracy or 0.0)) > (_excess(best), -(best.accuracy or 0.0))
    return (best, start) if worse else (final, run)


def _excess(point: TrialPoint) -> float:
    return max(point.over.values(), default=0.0)


def _score(task: Task, point: TrialPoint) -> float:
    if point.cost is None or point.accuracy is None:
        return float("-inf")
    return task.score(point.accuracy, point.cost)


def _worth(task: Task, point: TrialPoint) -> float:
    """What a finalist is chosen by: the score, and where a drop was stated whether it is within it already."""
    accuracy = point.accuracy or 0.0
    return _score(task, point) - (0.0 if task.within_drop(accuracy) else 1 - accuracy)
