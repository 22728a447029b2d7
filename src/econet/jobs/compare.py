"""One comparison: train baseline and candidate, quantize, measure the files, and say whether the small one may ship."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from econet.data.dataset import Dataset
from econet.data.listing import write_listing
from econet.errors import UserError
from econet.files import folder_lock
from econet.jobs import judge
from econet.jobs.benchmark import benchmark_artifacts
from econet.jobs.evaluate import evaluate_artifacts
from econet.jobs.export import export_run
from econet.jobs.options import CompareOptions, TrainOptions, check_compare_options
from econet.jobs.run_data import LISTING, check_same_data, data_config, load
from econet.jobs.sides import (
    Artifact,
    Contender,
    artifact_of_file,
    artifacts_of,
    contender,
    macs_of,
    training_of,
    width_within,
)
from econet.jobs.train import train
from econet.measurement.accuracy import read_predictions
from econet.report.answers import predictions_path
from econet.report.page import write_page
from econet.report.pictures import write_pictures
from econet.runs import provenance
from econet.runs.artifact_records import Benchmark, Evaluation, Export
from econet.runs.comparison_records import (
    Comparison,
    ComparisonConfig,
    ComparisonSeconds,
    Side,
    Step,
)
from econet.runs.folder import Run
from econet.runs.record import read_record, write_record
from econet.statistics.intervals import margin_for_yes, provable_margin
from econet.training.progress import Progress
from econet.version import __version__

RECORD = "comparison.json"
CONFIG = "config.json"
# The candidate may cost this share of the baseline's computation, unless --width says otherwise.
MACS_SHARE = 0.1
# Of the half that is not the baseline's, a teacher of its own takes this share.
TEACHER_SHARE = 0.6
PARITY_DROP = 0.02


@dataclass
class Story:
    """What one comparison has at hand while it goes on."""

    folder: Path
    options: CompareOptions
    dataset: Dataset
    config: ComparisonConfig
    progress: Progress
    steps: list[Step] = field(default_factory=list[Step])
    warnings: list[str] = field(default_factory=list[str])

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        """Tell and time one step."""
        self.progress.note(name)
        began = time.monotonic()
        yield
        self.steps.append(Step(name=name, seconds=round(time.monotonic() - began, 3)))


def compare_once(folder: Path, options: CompareOptions, progress: Progress, *, resume: bool) -> Comparison:
    """One comparison with one seed in `folder`; with `resume` it goes on at its first unfinished step."""
    check_compare_options(options)
    sides = (contender("baseline", options.baseline), contender("candidate", options.candidate))
    with folder_lock(folder):
        dataset = load(replace(options.data, seed=options.seed))
        config = _config(folder, options, dataset, resume)
        if (folder / RECORD).exists():
            progress.note(f"{folder} holds a finished comparison: nothing left to do")
            return read_record(folder / RECORD, Comparison)
        story = Story(folder, options, dataset, config, progress, warnings=list(dataset.warnings))
        progress.note(_before_training(config, dataset))
        artifacts = _trained(story, *sides)
        measured = _measured(story, artifacts)
        comparison = _judged(story, *measured)
        write_record(folder / RECORD, comparison)
        write_page(folder)
    return comparison


def _before_training(config: ComparisonConfig, dataset: Dataset) -> str:
    """The smallest margin that this split can prove, told before hours are spent."""
    images = len(dataset.test if config.proof == "test" else dataset.validation)
    able = config.provable_margin
    text = f"{images} {config.proof} images can prove a margin of {100 * able:.2f} points at best"
    if able > config.margin:
        text += f"; you asked for {100 * config.margin:.2f}, so the answer can hardly be yes (--margin {able:.3f})"
    return text


def _config(folder: Path, options: CompareOptions, dataset: Dataset, resume: bool) -> ComparisonConfig:
    """Write the comparison's `config.json`, or read it and check that the same is asked."""
    path = folder / CONFIG
    if path.exists():
        if not resume:
            raise UserError(
                f"{folder} holds a comparison already", "it has a config.json", "--resume to go on, or --out NEW"
            )
        recorded = read_record(path, ComparisonConfig)
        check_same_data(recorded.data, dataset, folder)
        return recorded
    proof_images = len(dataset.test if options.proof == "test" else dataset.validation)
    config = ComparisonConfig(
        created=provenance.now(),
        command=provenance.command(),
        econet=__version__,
        data=data_config(dataset),
        baseline=options.baseline,
        candidate=options.candidate,
        teacher=options.teacher,
        width=options.width,
        time_s=options.time_s,
        epochs=options.epochs,
        margin=options.margin,
        provable_margin=provable_margin(proof_images),
        proof=options.proof,
        augment=options.augment or "light",
        deterministic=options.deterministic,
        device=options.device,
        threads=options.threads,
        seed=options.seed,
        seeds=options.seeds,
    )
    if dataset.listing:
        write_listing(folder / LISTING, dataset)
    write_record(path, config)
    return config


def _trained(story: Story, baseline: Contender, candidate: Contender) -> list[Artifact]:
    """Train what is to be trained, baseline first, and export every side; the files in the order of the table."""
    large = _train_side(story, baseline, _share(story, "baseline"), None)
    teacher = _teacher(story, large) if candidate.model is not None else None
    input_macs = None if candidate.model is None else macs_of(large, story.dataset)
    width = story.config.width
    if candidate.model is not None and width is None and input_macs is not None:
        width = width_within(candidate.model, int(input_macs * MACS_SHARE), story.dataset)
    time_s = _candidate_time(story, large)
    small = _train_side(story, candidate, time_s, teacher, width)
    artifacts: list[Artifact] = []
    for side in (large, small):
        artifacts += _exported(story, side)
    if teacher is not None and (large.run is None or teacher.folder != large.run.folder):
        artifacts += _exported(story, Contender("teacher", run=teacher))
    return artifacts


def _share(story: Story, role: str) -> float | None:
    """Seconds of the budget a side is planned for: half to the baseline; a teacher of its own shares the rest."""
    budget = story.config.time_s
    if budget is None:
        return None
    if role == "baseline":
        return budget / 2
    return budget / 2 * TEACHER_SHARE


def _candidate_time(story: Story, baseline: Contender) -> float | None:
    """What is left for the candidate: never more than the baseline really had, less a teacher of its own."""
    budget = story.config.time_s
    if budget is None:
        return None
    half = budget / 2
    if baseline.run is not None and baseline.model is not None:
        half = min(half, baseline.run.finished.seconds)
    own_teacher = Run(story.folder / "teacher")
    return half - (own_teacher.finished.seconds if own_teacher.is_finished else 0)


def _teacher(story: Story, baseline: Contender) -> Run | None:
    """The teacher's finished run: the baseline's, one trained here, one trained before, or none."""
    asked = story.config.teacher
    if asked == "none":
        return None
    if asked == "baseline":
        if baseline.run is None:
            story.warnings.append("the baseline was given as a file, which cannot teach: the candidate had no teacher")
        return baseline.run
    return _train_side(story, contender("teacher", asked), _share(story, "teacher"), None).run


def _train_side(
    story: Story, side: Contender, time_s: float | None, teacher: Run | None, width: float | None = None
) -> Contender:
    """The side with its finished run: trained in `<role>/` where it is a model, untouched where it is not."""
    if side.model is None:
        return side
    options = story.options
    folder = story.folder / side.role
    asked = TrainOptions(
        model=side.model,
        width=width,
        epochs=story.config.epochs,
        time_s=time_s,
        batch_size=options.batch_size,
        optimizer=options.optimizer,
        schedule=options.schedule,
        lr=options.lr,
        augment=story.config.augment,
        teacher=None if teacher is None else teacher.folder,
        seed=story.config.seed,
        deterministic=story.config.deterministic,
        device=story.config.device,
        threads=story.config.threads,
    )
    taught = f", taught by {teacher.config.model}" if teacher is not None else ""
    with story.step(f"training the {side.role}, {side.model}{taught}"):
        run = train(folder, story.dataset, asked, story.progress, resume=Run(folder).exists)
    return replace(side, run=run)


def _exported(story: Story, side: Contender) -> list[Artifact]:
    """The files of a side, each exported and proven equal where it is not there yet."""
    if side.file is not None:
        return [artifact_of_file(side.role, side.file)]
    if side.run is None:
        raise ValueError(f"the {side.role} has neither a run nor a file")
    artifacts = artifacts_of(side.role, side.run)
    with story.step(f"exporting the {side.role}"):
        for artifact in artifacts:
            export_run(
                side.run,
                story.dataset,
                int8=artifact.precision == "int8",
                parity_drop=PARITY_DROP,
                progress=story.progress,
            )
    return artifacts


def _measured(story: Story, artifacts: list[Artifact]) -> tuple[list[Side], dict[str, tuple[float, ...]]]:
    """Evaluate every file on the same images, then time them interleaved in one run."""
    with story.step(f"evaluating {len(artifacts)} files on the {story.config.proof} images"):
        evaluations = evaluate_artifacts(
            [(artifact.path, artifact.run) for artifact in artifacts], story.dataset, story.config.proof, story.progress
        )
    with story.step("timing the files, interleaved"):
        benchmarks, rounds = benchmark_artifacts([(artifact.path, artifact.run) for artifact in artifacts])
    sides = [
        _side(story.folder, artifact, evaluation, benchmark)
        for artifact, evaluation, benchmark in zip(artifacts, evaluations, benchmarks, strict=True)
    ]
    return sides, {side.artifact: each for side, each in zip(sides, rounds, strict=True)}


def _side(folder: Path, artifact: Artifact, evaluation: Evaluation, benchmark: Benchmark) -> Side:
    """One row of the record; paths are as seen from the comparison's folder."""
    sidecar = artifact.path.with_name(f"{artifact.path.stem}.export.json")
    return Side(
        role=artifact.role,
        precision=artifact.precision,
        name=artifact.name,
        run=None if artifact.run is None else provenance.relative_to(artifact.run.folder, folder),
        artifact=provenance.relative_to(artifact.path, folder),
        evaluation=evaluation,
        benchmark=benchmark,
        export=read_record(sidecar, Export) if sidecar.exists() else None,
        training=training_of(artifact),
    )


def _judged(story: Story, sides: list[Side], rounds: dict[str, tuple[float, ...]]) -> Comparison:
    """Pair the two files, choose the pictures, and put everything into the record."""
    large, small = judge.pair(sides)
    answers = [read_predictions(predictions_path(story.folder / side.artifact)) for side in (large, small)]
    found = judge.difference(*answers)
    images = story.dataset.test if story.config.proof == "test" else story.dataset.validation
    write_pictures(story.folder, images.pixels, *answers)
    both_int8 = judge.same_precision(sides)
    verdict, reason = judge.reason(found, story.config.margin)
    config = story.config
    story.warnings += judge.warnings(sides)
    training = {side.run: side.training.seconds for side in sides if side.training is not None}
    return Comparison(
        created=config.created,
        command=config.command,
        econet=config.econet,
        seed=config.seed,
        data=config.data,
        proof=config.proof,
        margin=config.margin,
        provable_margin=config.provable_margin,
        margin_for_yes=margin_for_yes(found.interval),
        sides=tuple(sides),
        difference=found,
        ratios=judge.ratios(large, small, rounds),
        ratios_same_precision=None if both_int8 is None else judge.ratios(*both_int8, rounds),
        verdict=verdict,
        reason=reason,
        steps=tuple(story.steps),
        repeats=(),
        seconds=ComparisonSeconds(
            training=sum(training.values()), total=round(sum(step.seconds for step in story.steps), 3)
        ),
        test_reads=max(side.evaluation.test_reads for side in sides),
        warnings=tuple(story.warnings),
    )
