"""One comparison: train baseline and candidate, quantize, measure the files, and say whether the small one may ship."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from econet.data.dataset import Dataset
from econet.data.listing import write_listing
from econet.errors import UserError
from econet.files import folder_lock
from econet.images.preprocess import Pixels
from econet.jobs import judge
from econet.jobs.benchmark import benchmark_artifacts
from econet.jobs.check import RECORD as CHECK
from econet.jobs.comparison_ledger import comparison_ledger
from econet.jobs.data_health import data_health, summary
from econet.jobs.evaluate import evaluate_artifacts
from econet.jobs.options import CompareOptions, check_compare_options
from econet.jobs.run_data import LISTING, check_same_data, data_config, load
from econet.jobs.sides import Artifact, line_up, training_of
from econet.jobs.trained_sides import Story, train_and_export
from econet.jobs.where_they_looked import where_they_looked
from econet.measurement.accuracy import Predictions, read_predictions
from econet.report.answers import predictions_path
from econet.report.page import write_page
from econet.report.pictures import WhereTheyLooked, write_pictures, wrong_alone
from econet.runs import provenance
from econet.runs.artifact_records import Benchmark, Evaluation, Export
from econet.runs.beside import beside
from econet.runs.check_records import Check
from econet.runs.comparison_records import Comparison, ComparisonConfig, ComparisonSeconds, Side
from econet.runs.record import begun_record, read_record, write_record
from econet.statistics.intervals import margin_for_yes, provable_margin
from econet.training.progress import Progress
from econet.version import __version__

CONFIG = "config.json"
RECORD = "comparison.json"
PAGE = "page.html"


def compare_once(folder: Path, options: CompareOptions, progress: Progress, *, resume: bool) -> Comparison:
    """One comparison with one seed in `folder`; with `resume` it goes on, as recorded, at its first unfinished step.

    All that was asked is checked before anything is written or trained. Raises UserError, and ParityBroken where a
    file does not answer as its network does.
    """
    check_compare_options(options)
    recorded = _recorded(folder, resume)
    dataset = load(options.data)
    if recorded is None and resume:
        progress.note(f"{folder} holds no comparison yet: starting afresh")
    if recorded is not None:
        check_same_data(recorded.data, dataset, folder)
        _tell_differences(recorded, options, progress)
    config = recorded or _asked(options, dataset)
    lineup = line_up(config, dataset)
    with folder_lock(folder), _nothing_left_where_nothing_was_trained(folder):
        if recorded is None:
            _recorded(folder, resume=False)  # once more, now that no other process can begin here
            _begin(folder, config, dataset)
        if (folder / RECORD).exists():
            progress.note(f"{folder} holds a finished comparison: nothing left to do")
        else:
            story = Story(folder, dataset, config, progress, warnings=list(dataset.warnings))
            progress.note(_before_training(config, dataset))
            health = _looked_over(story, options)
            comparison = _judged(story, *_measured(story, train_and_export(story, lineup)), health)
            write_record(folder / RECORD, comparison)
        if not (folder / PAGE).exists():
            write_page(folder)
    return read_record(folder / RECORD, Comparison)


@contextmanager
def _nothing_left_where_nothing_was_trained(folder: Path) -> Generator[None]:
    """Where the user must mend something before the first training began, the next try is a first one again."""
    begun_before = (folder / CONFIG).exists()
    try:
        yield
    except UserError:
        if not begun_before and not any(folder.glob(f"*/{CONFIG}")):
            (folder / CONFIG).unlink(missing_ok=True)
            (folder / LISTING).unlink(missing_ok=True)
            (folder / CHECK).unlink(missing_ok=True)
        raise


def _looked_over(story: Story, options: CompareOptions) -> Check | None:
    """The quick part of `check`, before anything is trained; what voids the comparison is a warning on its page."""
    with story.step(f"looking for {story.config.proof} pictures in training"):
        health = data_health(story.folder, options.data, story.dataset, story.config.proof, story.progress)
    for reason in health.void if health else ():
        story.warnings.append(f"this comparison proves little: {reason}")
        story.progress.note(f"warning: {story.warnings[-1]}")
    return health


def _before_training(config: ComparisonConfig, dataset: Dataset) -> str:
    """The smallest margin that this split can prove, told before hours are spent."""
    images = len(dataset.test if config.proof == "test" else dataset.validation)
    able = config.provable_margin
    text = f"{images} {config.proof} images can prove a margin of {100 * able:.2f} points at best"
    if able > config.margin:
        text += f"; you asked for {100 * config.margin:.2f}, so the answer can hardly be yes (--margin {able:.3f})"
    return text


def _recorded(folder: Path, resume: bool) -> ComparisonConfig | None:
    return begun_record(folder / CONFIG, ComparisonConfig, "a comparison", resume=resume)


def _tell_differences(recorded: ComparisonConfig, options: CompareOptions, progress: Progress) -> None:
    """A comparison goes on as it began: say where something else is asked now."""
    for name in ("baseline", "candidate", "teacher", "width", "time_s", "epochs", "margin", "proof", "seed"):
        before, now = getattr(recorded, name), getattr(options, name)
        if before != now:
            progress.note(f"going on with {name} {before}, as the comparison began, not with {now}")


def _asked(options: CompareOptions, dataset: Dataset) -> ComparisonConfig:
    """What is asked, as a record."""
    proof_images = len(dataset.test if options.proof == "test" else dataset.validation)
    return ComparisonConfig(
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
        batch_size=options.batch_size,
        optimizer=options.optimizer,
        schedule=options.schedule,
        lr=options.lr,
        deterministic=options.deterministic,
        device=options.device,
        threads=options.threads,
        seed=options.seed,
        seeds=options.seeds,
        folds=options.folds,
    )


def _begin(folder: Path, config: ComparisonConfig, dataset: Dataset) -> None:
    """Write the listing of the photos, then `config.json`: with it the folder is a comparison."""
    if dataset.listing:
        write_listing(folder / LISTING, dataset)
    write_record(folder / CONFIG, config)


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
    sidecar = beside(artifact.path, "export.json")
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


def _looked(
    story: Story, artifacts: Sequence[Path], pixels: Pixels, answers: Sequence[Predictions]
) -> WhereTheyLooked | None:
    """Where both sides looked in the pictures that only the candidate gets wrong; None where there are none."""
    baseline, candidate = answers
    errors = wrong_alone(candidate, baseline)
    if not errors:
        return None
    with story.step("asking both files where they looked"):
        return where_they_looked(artifacts[0], artifacts[1], pixels[np.array(errors)])


def _judged(story: Story, sides: list[Side], rounds: dict[str, tuple[float, ...]], health: Check | None) -> Comparison:
    """Pair the two files, choose the pictures, and put everything into the record."""
    large, small = judge.pair(sides)
    answers = [read_predictions(predictions_path(story.folder / side.artifact)) for side in (large, small)]
    found = judge.difference(*answers)
    images = story.dataset.test if story.config.proof == "test" else story.dataset.validation
    looked = _looked(story, [story.folder / side.artifact for side in (large, small)], images.pixels, answers)
    write_pictures(story.folder, images.pixels, *answers, looked=looked)
    both_int8 = judge.same_precision(sides)
    verdict, reason = judge.reason(found, story.config.margin)
    config = story.config
    story.warnings += judge.warnings(sides, rounds)
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
        ledger=comparison_ledger(story.folder, sides, config.data.classes),
        repeats=(),
        seconds=ComparisonSeconds(training=story.training_s, total=round(sum(step.seconds for step in story.steps), 3)),
        test_reads=max(side.evaluation.test_reads for side in sides),
        warnings=tuple(story.warnings),
        check=None if health is None else summary(health, config.proof, *answers),
    )
