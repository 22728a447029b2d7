"""What `import econet` offers: data, training, evaluation, export and comparison as plain functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from econet.data.dataset import Dataset
from econet.errors import unknown_name
from econet.images.views import Views
from econet.jobs.duration import parse_duration
from econet.jobs.evaluate import Split
from econet.jobs.evaluate import evaluate as evaluate_in
from econet.jobs.export_target import export_as
from econet.jobs.ledger import ledger as ledger_of
from econet.jobs.options import (
    PARITY_DROP,
    CompareOptions,
    DataOptions,
    PruneOptions,
    QuantizeOptions,
    TrainOptions,
    check_prune_options,
)
from econet.jobs.prune import prune as prune_in
from econet.jobs.quantize import quantize as quantize_in
from econet.jobs.repeats import compare as compare_in
from econet.jobs.run_data import load, load_again
from econet.jobs.sensitivity import sensitivity as sensitivity_in
from econet.jobs.train import train as train_in
from econet.report import shrink_page, words
from econet.report.table import COLUMNS, rows
from econet.runs import comparison_records, shrink_records
from econet.runs.artifact_records import Evaluation
from econet.runs.choices import Format, Importance, RuntimeName
from econet.runs.folder import Run, open_run
from econet.runs.ledger_records import Ledger
from econet.runs.sensitivity_records import Sensitivity
from econet.runs.shrink_records import Budgets
from econet.training.progress import Progress, Silent

if TYPE_CHECKING:
    from torch import nn

USUAL_TIME = "5m"
Teacher = Run | Path | str


def load_data(source: str, **options: Any) -> Dataset:
    """The data set `source`: `fashion-mnist`, `cifar10`, `cifar100` or a folder. Options as in DataOptions."""
    return load(DataOptions(source, **options))


def train(
    data: Dataset | str,
    model: "str | nn.Module | None" = None,
    *,
    time: str | None = None,
    epochs: int | None = None,
    out: Path | str | None = None,
    teacher: Teacher | Sequence[Teacher] | None = None,
    start: Run | Path | str | None = None,
    tune: int | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Run:
    """Train a catalog model, or your own network, and return its finished run.

    `time` reads as in the terminal ("90s", "5m"); without it and without `epochs` training takes five minutes. `start`
    is a run or a name in the zoo whose weights are begun with; without it and without a `model` econet is trained.
    Several teachers teach together. With `tune` so many settings of rate, decay, smoothing and augmentation are tried
    on validation first. Other options as in TrainOptions. Raises UserError where something can be put right.
    """
    dataset = load_data(data) if isinstance(data, str) else data
    named = model if model is None or isinstance(model, str) else type(model).__name__
    options.setdefault("augment", None)
    asked = TrainOptions(
        model=named,
        epochs=epochs,
        time_s=_seconds(time, epochs),
        teacher=_folders_of(teacher),
        start=_folder_of(start),
        **options,
    )
    folder = Path(out) if out is not None else _new_folder(dataset.name, named or "network")
    module = None if isinstance(model, str) else model
    if tune is not None and not Run(folder).exists:
        from econet.jobs.tune import tune as tune_in

        asked = tune_in(folder, dataset, asked, tune, progress or Silent(), module=module)
    return train_in(folder, dataset, asked, progress or Silent(), module=module, resume=resume)


def evaluate(
    target: Run | Path | str,
    data: str | None = None,
    *,
    split: Split = "test",
    views: Views = "centre",
    runtime: RuntimeName | None = None,
    others: Sequence[str] = (),
    data_dir: Path | None = None,
    progress: Progress | None = None,
) -> list[Evaluation]:
    """Measure every file of a run, or one file, on images that chose nothing, and keep the records beside them.

    Without `data` those that the run was made with. Each read of the test images is counted in the record. `runtime`
    answers in place of the format's own: "onnxruntime", "openvino", "litert" or "executorch". Of the pictures of
    `others`, data that the network never learned from, is measured how many are noticed as none of its classes.
    Raises UserError where something can be put right.
    """
    choices = (("split", split, Split), ("views", views, Views), ("runtime", runtime, RuntimeName))
    for kind, word, known in ((kind, word, get_args(choice)) for kind, word, choice in choices):
        if word is not None and word not in known:
            raise unknown_name(kind, word, known)
    path = target.folder if isinstance(target, Run) else Path(target)
    asked = None if data is None else DataOptions(data, data_dir=data_dir)
    foreign = [DataOptions(each, data_dir=data_dir) for each in others]
    return evaluate_in(
        path, asked, split, progress or Silent(), data_dir=data_dir, views=views, runtime=runtime, others=foreign
    )


def export(
    run: Run | Path | str,
    *,
    to: Format = "onnx",
    int8: bool = False,
    module: "nn.Module | None" = None,
    data: Dataset | None = None,
) -> Path:
    """Export a finished run; the file's parity with the network is proven first. Returns the artifact's path.

    `to` is a format: "onnx", "litert", "openvino", "executorch" or "c". `module` and `data` are for a run of your own
    network object. Raises ParityBroken where the file differs.
    """
    if to not in get_args(Format):
        raise unknown_name("format", to, get_args(Format))
    found = run if isinstance(run, Run) else Run(Path(run))
    record = export_as(found, to=to, int8=int8, parity_drop=PARITY_DROP, progress=Silent(), module=module, dataset=data)
    return found.folder / record.file


def prune(
    run: Run | Path | str,
    *,
    ratio: float = 0.0,
    keep: Mapping[str, int] | None = None,
    importance: Importance = "magnitude",
    iterations: int = 1,
    drop_lrn: bool = False,
    drop_mean: bool = False,
    dropout: float | None = None,
    time: str | None = None,
    epochs: int | None = None,
    out: Path | str | None = None,
    teacher: Teacher | Sequence[Teacher] = "parent",
    module: "nn.Module | None" = None,
    data: Dataset | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Run:
    """Take `ratio` of a finished run's MACs away, train what is left on, and return the new run.

    `keep` gives layers so many channels by name, such as {"layers.1.conv": 48}, whatever the ratio. `teacher` is a run
    or several, "none", or "parent": the run itself teaches. `module` and `data` are for a run of your own network
    object, which is not changed. `epochs=0` cuts alone. Other options as in TrainOptions. Raises UserError where
    something can be put right.
    """
    found = _opened(run)
    config = found.config
    asked = PruneOptions(
        ratio=ratio,
        keep=keep or {},
        importance=importance,
        iterations=iterations,
        drop_lrn=drop_lrn,
        drop_mean=drop_mean,
        dropout=dropout,
        teacher=teacher if isinstance(teacher, str) else _folders_of(teacher) or "none",
        tuning=TrainOptions(epochs=epochs, time_s=_seconds(time, epochs), **options),
    )
    check_prune_options(asked)
    dataset = data if data is not None else load_again(config.data)
    folder = Path(out) if out is not None else _new_folder(config.data.name, f"{config.model}-pruned")
    return prune_in(found, folder, dataset, asked, progress or Silent(), module=module, resume=resume)


def quantize(
    run: Run | Path | str,
    *,
    out: Path | str | None = None,
    teacher: Teacher | Sequence[Teacher] | None = None,
    time: str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    module: "nn.Module | None" = None,
    data: Dataset | None = None,
    **options: Any,
) -> Run:
    """Train a finished run on with fake quantization, in a run of its own whose `export` gives the int8 file.

    `teacher` is a run or several, "none", or left out: the run itself teaches. Other options as in QuantizeOptions.
    `module` and `data` are for a run of your own network object. Raises UserError where something can be put right.
    """
    parent = _opened(run)
    config = parent.config
    taught = teacher != "none"
    asked = QuantizeOptions(
        time_s=None if time is None else parse_duration(time, "time"),
        teacher=_folders_of(teacher) if taught else None,
        taught=taught,
        **options,
    )
    folder = Path(out) if out is not None else _new_folder(config.data.name, f"{config.model}-quantized")
    dataset = data if data is not None else load_again(config.data)
    return quantize_in(folder, parent, dataset, asked, progress or Silent(), module=module, resume=resume)


def sensitivity(
    run: Run | Path | str,
    *,
    images: int | None = None,
    progress: Progress | None = None,
    module: "nn.Module | None" = None,
    data: Dataset | None = None,
) -> Sensitivity:
    """Measure which layer of a finished run costs how much when it is quantized or pruned; its record.

    The record, a table and a figure are written in the run's folder. `module` and `data` are for a run of your own
    network object. Raises UserError where something can be put right.
    """
    found = _opened(run)
    return sensitivity_in(found, progress or Silent(), images=images, dataset=data, module=module)


def ledger(
    *runs: Run | Path | str,
    proof: Split = "test",
    images: int | None = None,
    progress: Progress | None = None,
    data: Dataset | None = None,
) -> Ledger:
    """What each step from the first network to the 8-bit file cost: of a comparison, of a run, or of several runs.

    The record is written into the last one's folder. Raises UserError where something can be put right.
    """
    folders = tuple(run.folder if isinstance(run, Run) else Path(run) for run in runs)
    return ledger_of(folders, progress or Silent(), proof=proof, images=images, dataset=data)[1]


def compare(
    data: str,
    *,
    time: str | None = None,
    epochs: int | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> "Comparison":
    """Train baseline and candidate on `data` and say whether the small one may ship.

    Options as in CompareOptions and DataOptions. Raises UserError where something can be put right.
    """
    folder = Path(out) if out is not None else _new_folder(data, "compare")
    of_data = {field.name for field in fields(DataOptions)} & options.keys() - {"seed"}
    images = DataOptions(data, **{name: options.pop(name) for name in of_data})
    asked = CompareOptions(images, time_s=_seconds(time, epochs), epochs=epochs, **options)
    return Comparison(folder, compare_in(folder, asked, progress or Silent(), resume=resume))


def shrink(
    target: Run | Path | str,
    *,
    max_latency_ms: float | None = None,
    max_kb: float | None = None,
    max_macs: int | None = None,
    max_drop: float | None = None,
    max_energy_mj: float | None = None,
    time: str | None = None,
    epochs: int | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> "Shrunk":
    """Find, train and prove a network whose file keeps the budgets, cheaper than a run or than a baseline on data.

    `target` is a run, its folder, or data. Options as in ShrinkOptions and, for data, DataOptions. Raises UserError
    where something can be put right.
    """
    from econet.jobs.shrink import shrink as shrink_in
    from econet.jobs.shrink_options import ShrinkOptions

    path = target.folder if isinstance(target, Run) else Path(target)
    budgets = Budgets(
        max_latency_ms=max_latency_ms,
        max_kb=max_kb,
        max_macs=max_macs,
        max_energy_mj=max_energy_mj,
        max_drop=max_drop,
    )
    if Run(path).exists:
        what: dict[str, Any] = {"run": path}
    else:
        both = {"seed", "data_dir", "skip_bad"}
        of_data = {field.name for field in fields(DataOptions)} & options.keys()
        images = {name: options[name] if name in both else options.pop(name) for name in of_data}
        what = {"data": DataOptions(str(target), **images)}
    asked = ShrinkOptions(budgets=budgets, time_s=_seconds(time, epochs), epochs=epochs, **what, **options)
    folder = Path(out) if out is not None else _new_folder(str(path), "shrink")
    return Shrunk(folder, shrink_in(folder, asked, progress or Silent(), resume=resume))


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A finished search within a budget: its folder and its record."""

    folder: Path
    record: shrink_records.Shrink

    @property
    def kept(self) -> bool:
        """Whether every stated budget is kept."""
        return self.record.kept

    @property
    def artifact(self) -> Path | None:
        """The file that is handed over; None where the budget cannot be reached."""
        return None if self.record.proof is None else self.folder / self.record.proof.artifact

    @property
    def page(self) -> Path:
        """The page that tells it."""
        return self.folder / "page.html"

    def __str__(self) -> str:
        return f"{shrink_page.headline(self.record)}. {shrink_page.detail(self.record)}"

    def _repr_html_(self) -> str:
        from markupsafe import escape

        return f"<p>{escape(str(self))}</p>"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A finished comparison: its folder and its record."""

    folder: Path
    record: comparison_records.Comparison

    @property
    def verdict(self) -> str:
        """yes, no or undecided."""
        return self.record.verdict

    @property
    def page(self) -> Path:
        """The page that tells it."""
        return self.folder / "page.html"

    def table(self) -> list[dict[str, str]]:
        """The sides, a row each, as the page words them."""
        return [
            {"side": f"{row.role} {row.precision}", "network": row.name}
            | {column.heading: cell.text for column, cell in zip(COLUMNS, row.cells, strict=True)}
            for row in rows(self.record.sides)
        ]

    def __str__(self) -> str:
        return words.verdict_sentence(self.record)

    def _repr_html_(self) -> str:
        from markupsafe import escape

        table = self.table()
        head = "".join(f"<th>{escape(name)}</th>" for name in table[0])
        body = "".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row.values()) + "</tr>" for row in table)
        return f"<p>{escape(str(self))}</p><table><tr>{head}</tr>{body}</table>"


def _seconds(time: str | None, epochs: int | None) -> float | None:
    if time is None and epochs is not None:
        return None
    return parse_duration(time or USUAL_TIME, "time")


def _opened(run: Run | Path | str) -> Run:
    return open_run(run.folder if isinstance(run, Run) else Path(run))


def _folder_of(run: Run | Path | str | None) -> Path | None:
    return run.folder if isinstance(run, Run) else None if run is None else Path(run)


def _folders_of(teacher: Teacher | Sequence[Teacher] | None) -> tuple[Path, ...] | None:
    if teacher is None:
        return None
    several = [teacher] if isinstance(teacher, Run | Path | str) else teacher
    return tuple(each.folder if isinstance(each, Run) else Path(each) for each in several)


def _new_folder(data: str, model: str) -> Path:
    return Path("runs") / f"{Path(data).name}-{model}-{datetime.now():%Y%m%d-%H%M%S}"
