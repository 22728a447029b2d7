"""`ledger`: which step from the large network to the file that ships cost what, and what would have helped."""

from dataclasses import dataclass
from pathlib import Path

from econet.compression.remedies import PLAIN, Way
from econet.compression.sensitivity import Score
from econet.data.dataset import Dataset
from econet.deployment.metadata import Metadata
from econet.errors import UserError
from econet.files import folder_lock, sha256_of
from econet.jobs.benchmark import benchmark_artifacts
from econet.jobs.evaluate import Split, answers_path, evaluate_artifacts, record_path
from econet.jobs.export import export_run, write_proven
from econet.jobs.ledger_layers import int8_layers, pruned_layers
from econet.jobs.ledger_steps import Entry, slower_in_int8, steps_of
from econet.jobs.lineage import kind_of, lineage, named, own_teacher
from econet.jobs.networks import is_quantized, quantized_network
from econet.jobs.options import PARITY_DROP, check_range
from econet.jobs.remedies import remedies_of, tried_ways
from econet.jobs.run_data import check_same_data, load_again, seen_by
from econet.jobs.scoring import scoring, validation_images
from econet.measurement.accuracy import read_predictions
from econet.measurement.latency import latency_ratio
from econet.measurement.losses import loss_between
from econet.report.ledger import sentences
from econet.runs import provenance
from econet.runs.artifact_records import Evaluation
from econet.runs.comparison_records import Comparison
from econet.runs.folder import Run, open_run
from econet.runs.ledger_records import Kind, LayerCost, Ledger, LedgerData, Remedy
from econet.runs.record import read_record, write_record
from econet.training.progress import Progress
from econet.version import __version__

RECORD = "ledger.json"
COMPARISON = "comparison.json"
# Validation images on which single layers are changed.
_LAYER_IMAGES = 1000


@dataclass(frozen=True, slots=True)
class File:
    """A file in the order of the story, with the run it stands for where it has one."""

    kind: Kind
    name: str
    path: Path
    run: Run | None
    layers: tuple[LayerCost, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """What a ledger is about: its folder, the runs in their order, and a file before them that has no run."""

    folder: Path
    runs: tuple[Run, ...]
    before: Path | None = None


def ledger(
    targets: tuple[Path, ...],
    progress: Progress,
    *,
    proof: Split = "test",
    images: int | None = None,
    data_dir: Path | None = None,
    dataset: Dataset | None = None,
) -> tuple[Path, Ledger]:
    """Write the ledger of a comparison, of a run with all it was made from, or of several runs in their order.

    The int8 file of the last run is the best of several ways, chosen on validation `images` (all of them, or so many).
    Files that were evaluated on the `proof` images before are not read again. Returns the record and its path.
    Raises UserError where runs are not finished, belong to different data, or no run is among the targets.
    """
    check_range("--images", images, 1, 10_000_000)
    subject = _subject(targets)
    last = subject.runs[-1]
    dataset = load_again(last.config.data, data_dir=data_dir) if dataset is None else dataset
    for run in subject.runs:
        check_same_data(run.config.data, dataset, run.folder)
    with folder_lock(subject.folder):
        files, remedies, chose = _files(subject, dataset, images, progress)
        record = _record(subject, files, remedies, dataset, proof, chose, progress)
        path = subject.folder / RECORD
        write_record(path, record)
    if (subject.folder / COMPARISON).is_file():
        from econet.report.page import write_page

        write_page(subject.folder)
    return path, record


# Who takes part


def _subject(targets: tuple[Path, ...]) -> Subject:
    """The runs of the story. One run brings what it was made from, and before that its teacher."""
    target, *more = targets
    if more:
        runs = tuple(open_run(target) for target in targets)
        for run in runs:
            run.config  # noqa: B018 - raises where one is of no network
            run.finished  # noqa: B018 - raises where one is not finished
        return Subject(runs[-1].folder, runs)
    if (target / COMPARISON).is_file():
        return _of_comparison(target)
    runs = lineage(open_run(target))
    teacher = own_teacher(runs[0])
    same = teacher is not None and teacher.config.data.fingerprint == runs[0].config.data.fingerprint
    return Subject(target, (teacher, *runs) if teacher is not None and same else tuple(runs))


def _of_comparison(folder: Path) -> Subject:
    """The baseline, then the candidate with all it was made from. Raises UserError where the candidate is a file."""
    comparison = read_record(folder / COMPARISON, Comparison)
    baseline = next(side for side in comparison.sides if side.role == "baseline")
    candidate = next(side for side in comparison.sides if side.role == "candidate")
    if candidate.run is None:
        raise UserError(
            f"the candidate of {folder} has no steps",
            f"it was given as the file {candidate.artifact}",
            "a comparison with --candidate NAME or RUN",
        )
    runs = tuple(lineage(open_run(folder / candidate.run)))
    if baseline.run is None:
        return Subject(folder, runs, folder / baseline.artifact)
    return Subject(folder, (open_run(folder / baseline.run), *runs))


# The files


def _files(
    subject: Subject, dataset: Dataset, images: int | None, progress: Progress
) -> tuple[list[File], tuple[Remedy, ...], int]:
    """Every file of the story, exported where it was not, the remedies, and how many images chose among them."""
    seen = seen_by(dataset, subject.runs[-1].config.architecture)
    chosen = validation_images(seen, images)
    fewer = min(len(chosen), _LAYER_IMAGES)
    few = scoring(validation_images(seen, fewer), seen.preprocess)
    files = [] if subject.before is None else [File("trained", subject.before.name, subject.before, None)]
    for place, run in enumerate(subject.runs):
        export_run(run, dataset, int8=is_quantized(run), parity_drop=PARITY_DROP, progress=progress)
        path = run.artifact("int8" if is_quantized(run) else "fp32")
        before = subject.runs[place - 1] if place else None
        files.append(File(kind_of(run), named(run), path, run, _layers(run, before, dataset, fewer, progress)))
    remedies, last = _in_int8(subject, dataset, scoring(chosen, seen.preprocess), few, progress)
    return [*files, *last], remedies, len(chosen)


def _layers(run: Run, before: Run | None, dataset: Dataset, images: int, progress: Progress) -> tuple[LayerCost, ...]:
    """Which layers a run cost most in, against the run before, on so many validation images.

    Empty where it is another network altogether.
    """
    kind = kind_of(run)
    if before is None or kind not in ("pruned", "quantized"):
        return ()
    progress.note(f"{run.folder}: what each layer cost")
    dataset = seen_by(dataset, run.config.architecture)  # a cut may have put an offset in the mean image's place
    score = scoring(validation_images(dataset, images), dataset.preprocess)
    if kind == "pruned":
        return pruned_layers(run, before, dataset, score)
    return int8_layers(quantized_network(run), before, score, trained_on=True)


def _in_int8(
    subject: Subject, dataset: Dataset, score: Score, few: Score, progress: Progress
) -> tuple[tuple[Remedy, ...], list[File]]:
    """The remedies, and the static int8 file of the last run unless that run is quantized itself."""
    last = subject.runs[-1]
    quantized = last if is_quantized(last) else None
    origin = last if quantized is None else subject.runs[-2] if len(subject.runs) > 1 else lineage(last)[0]
    seen = seen_by(dataset, origin.config.architecture)
    tried = tried_ways(origin, seen, score, progress)
    remedies = remedies_of(tried, origin, quantized, score)
    if quantized is not None:
        return remedies, []
    best = max(tried, key=lambda each: each.rank).way
    path = _int8_file(origin, best, dataset, progress)
    layers = int8_layers(best.network, origin, few)
    return remedies, [File("int8", f"8 bits, {best.name}", path, origin, layers)]


def _int8_file(run: Run, best: Way, dataset: Dataset, progress: Progress) -> Path:
    """The file of the best way; that of the plain one is the int8 file that the run has anyway."""
    path = run.artifact("int8")
    export_run(run, dataset, int8=True, parity_drop=1.0, progress=progress)
    if best.name == PLAIN:
        return path
    path = path.with_name("model.int8.remedied.onnx")
    seen = seen_by(dataset, run.config.architecture)
    config = run.config
    metadata = Metadata(
        name=config.model, classes=config.data.classes, preprocess=config.data.preprocess, precision="int8"
    )
    write_proven(path, best.network.file(metadata), best.network, seen, PARITY_DROP, (), progress)
    progress.note(f"{path}: {best.name}")
    return path


# The record


def _record(
    subject: Subject,
    files: list[File],
    remedies: tuple[Remedy, ...],
    dataset: Dataset,
    proof: Split,
    chose: int,
    progress: Progress,
) -> Ledger:
    """Evaluate and time the files, and put every step into the record."""
    evaluations = [_evaluated(file, dataset, proof, progress) for file in files]
    benchmarks, rounds = benchmark_artifacts([(file.path, file.run) for file in files])
    entries = [
        Entry(
            kind=file.kind,
            name=file.name,
            file=provenance.relative_to(file.path, subject.folder),
            predictions=read_predictions(answers_path(file.path)),
            benchmark=benchmark,
            layers=file.layers,
        )
        for file, benchmark in zip(files, benchmarks, strict=True)
    ]
    steps = steps_of(entries, dataset.classes)
    whole = loss_between(entries[0].predictions, entries[-1].predictions, dataset.classes)
    slower = slower_in_int8(subject.runs[-1].config.model, latency_ratio(rounds[-1], rounds[-2]))
    return Ledger(
        created=provenance.now(),
        command=provenance.command(),
        econet=__version__,
        data=LedgerData(
            name=dataset.name,
            fingerprint=dataset.fingerprint,
            split=proof,
            images=whole.difference.images,
            validation_images=chose,
        ),
        steps=steps,
        whole=whole,
        remedies=remedies,
        test_reads=max(each.test_reads for each in evaluations),
        sentences=sentences(steps, whole, remedies),
        warnings=() if slower is None else (slower,),
    )


def _evaluated(file: File, dataset: Dataset, proof: Split, progress: Progress) -> Evaluation:
    """The evaluation of a file on the proof's images: the one that lies beside it and is of this very file, or anew."""
    record, answers = record_path(file.path), answers_path(file.path)
    if record.exists() and answers.exists() and record.stat().st_mtime_ns >= file.path.stat().st_mtime_ns:
        known = read_record(record, Evaluation)
        same = (known.data.split, known.data.fingerprint) == (proof, dataset.fingerprint)
        if same and known.predictions_sha256 == sha256_of(answers):
            return known
    progress.note(f"evaluating {file.path} on the {proof} images")
    return evaluate_artifacts([(file.path, file.run)], dataset, proof, progress)[0]
