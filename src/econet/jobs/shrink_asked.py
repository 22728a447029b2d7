"""What a budget search was asked: checked against what is there, and kept as its `config.json`."""

from pathlib import Path

from econet.data.dataset import Dataset
from econet.data.listing import write_listing
from econet.errors import UserError
from econet.jobs.run_data import LISTING, check_same_data, data_config, load, load_again
from econet.jobs.shrink_options import ShrinkOptions
from econet.jobs.shrink_task import BASELINE, CONFIG
from econet.models import catalog
from econet.runs import provenance
from econet.runs.folder import open_run
from econet.runs.record import write_record
from econet.runs.shrink_records import ShrinkConfig
from econet.training.progress import Progress
from econet.training.weights import teacher_for
from econet.version import __version__


def asked_config(folder: Path, options: ShrinkOptions) -> tuple[ShrinkConfig, Dataset]:
    """What is asked, as a record, and the images."""
    if options.run is not None:
        run = open_run(options.run)
        run.finished  # noqa: B018 - raises where training did not come to its end
        catalog.network(run.config.architecture)  # raises where it cannot be built again
        dataset = load_again(run.config.data, data_dir=options.data_dir, skip_bad=options.skip_bad)
        check_same_data(run.config.data, dataset, run.folder)
        subject, baseline = provenance.relative_to(options.run, folder), None
    elif options.data is not None:
        dataset = load(options.data)
        if options.baseline in catalog.HANDCRAFTED:
            raise catalog.unknown_model(options.baseline)
        shape = (dataset.preprocess.channels, *dataset.preprocess.image_size)
        catalog.architecture(options.baseline, shape, len(dataset.classes))
        subject, baseline = BASELINE, options.baseline
    else:
        raise ValueError("checked before: a run or data")
    named = options.teacher not in ("subject", "none")
    teacher = provenance.relative_to(Path(options.teacher), folder) if named else options.teacher
    if named:
        teacher_for(data_config(dataset), open_run(Path(options.teacher)))  # raises where it cannot teach these data
    return ShrinkConfig(
        created=provenance.now(),
        command=provenance.command(),
        econet=__version__,
        data=data_config(dataset),
        subject=subject,
        baseline=baseline,
        teacher=teacher,
        budgets=options.budgets,
        trials=options.trials,
        time_s=options.time_s,
        epochs=options.epochs,
        augment=options.augment or "light",
        batch_size=options.batch_size,
        proof=options.proof,
        deterministic=options.deterministic,
        skip_bad=options.skip_bad,
        seed=options.seed,
    ), dataset


def begun_config(
    folder: Path, recorded: ShrinkConfig, options: ShrinkOptions, progress: Progress
) -> tuple[ShrinkConfig, Dataset]:
    """A search goes on as it began: its record, and its images loaded again."""
    dataset = load_again(recorded.data, data_dir=options.data_dir, skip_bad=recorded.skip_bad)
    check_same_data(recorded.data, dataset, folder)
    for name in ("budgets", "trials", "time_s", "epochs", "seed"):
        before, now = getattr(recorded, name), getattr(options, name)
        if before != now:
            progress.note(f"going on with {name} {before}, as the search began, not with {now}")
    return recorded, dataset


def check_length(config: ShrinkConfig, dataset: Dataset) -> None:
    """Raises UserError where a time is to be planned for pictures that are decoded while training."""
    if config.time_s is not None and dataset.statistics is not None:
        raise UserError(
            f"{dataset.name} cannot be searched by --time",
            "its pictures stay on disk, and how fast they can be read is not known before they are",
            "--epochs N",
        )


def begin(folder: Path, config: ShrinkConfig, dataset: Dataset) -> None:
    """Write the listing of the photos, then `config.json`: with it the folder is a search."""
    if dataset.listing:
        write_listing(folder / LISTING, dataset)
    write_record(folder / CONFIG, config)
