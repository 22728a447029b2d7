"""What a person can ask of a budget search, checked before anything is done."""

from dataclasses import dataclass, field
from pathlib import Path

from econet.errors import UserError
from econet.jobs.budgets import check_budgets
from econet.jobs.options import DataOptions, Proof, TrainOptions, check_range, check_train_options
from econet.runs.choices import Augment
from econet.runs.shrink_records import Budgets

TRIALS = 30
TEACHERS = ("subject", "none")


@dataclass(frozen=True, slots=True)
class ShrinkOptions:
    """A search: of a finished `run`, or of `data`, whose `baseline` is then trained first.

    `time_s` is all training together, the baseline's included; `epochs` is the final training's and the baseline's.
    `teacher` is `subject` (the run, or the baseline), `none`, or a run folder. `workers` processes of one thread
    search at once, by default one a core; `threads` are those of the baseline's and the final training.
    """

    run: Path | None = None
    data: DataOptions | None = None
    data_dir: Path | None = None
    skip_bad: bool = False
    baseline: str = "alexnet_small"
    teacher: str = "subject"
    budgets: Budgets = field(default_factory=Budgets)
    trials: int = TRIALS
    time_s: float | None = None
    epochs: int | None = None
    workers: int | None = None
    augment: Augment | None = None
    batch_size: int | None = None
    proof: Proof = "test"
    deterministic: bool = False
    threads: int | None = None
    seed: int = 0


def check_shrink_options(options: ShrinkOptions) -> None:
    """Raises UserError for contradicting budgets, values out of range, and a search of nothing."""
    if (options.run is None) == (options.data is None):
        raise UserError("what is to be shrunk?", "a run and data were both named, or neither", "a run folder, or DATA")
    check_budgets(options.budgets)
    check_range("--trials", options.trials, 1, 10_000)
    check_range("--workers", options.workers, 1, 1024)
    check_train_options(
        TrainOptions(
            epochs=options.epochs,
            time_s=options.time_s,
            batch_size=options.batch_size,
            augment=options.augment,
            deterministic=options.deterministic,
            threads=options.threads,
            seed=options.seed,
        )
    )
    if options.epochs is None and options.time_s is None:
        raise UserError("how long may the search train?", "neither a time nor epochs were given", "--time 30m")
    if options.teacher not in TEACHERS and not Path(options.teacher).is_dir():
        raise UserError(
            f"--teacher {options.teacher} is not a run",
            "there is no such folder",
            "a run folder, none, or leave it out: what is shrunk then teaches",
        )
