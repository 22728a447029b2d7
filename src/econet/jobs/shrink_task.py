"""What every process of one budget search knows: its folder, what was asked and fixed, the subject, the images."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path

import torch
from msgspec import structs

from econet.compression.fitted_cut import Cutter
from econet.data.dataset import Dataset
from econet.errors import UserError
from econet.images.preprocess import Preprocess
from econet.jobs.budgets import score
from econet.jobs.file_cost import Scales
from econet.jobs.options import DataOptions, TrainOptions
from econet.jobs.run_data import load, seen_by, split_as
from econet.jobs.turns import Turns
from econet.models.architecture import Architecture, from_data, to_data
from econet.models.network import Network
from econet.models.space import FOUND, SUBJECT, Pruning, Space
from econet.runs.folder import Run, open_run
from econet.runs.record import read_record
from econet.runs.shrink_records import FileCost, SearchPlan, ShrinkConfig, TrialPoint
from econet.statistics.streams import stream_seed
from econet.training.warm_start import take_leading
from econet.training.weights import trained_network

CONFIG = "config.json"
PLAN = "search.json"
YARDSTICK = "yardstick.onnx"
POINT = "point.json"
TRIALS, FINALISTS, FINAL, BASELINE = "trials", "finalists", "final", "baseline"
# Weights that were learned before need a gentler rate than fresh ones.
WARM_RATE = 0.3
# Photos may also be taken at these shares of their side; under this many pixels there is little left to see.
_SIDE_SHARES = (1.0, 0.75, 0.5)
_SMALLEST_SIDE = 32


@dataclass
class Task:
    """One search, as the coordinator and each worker see it."""

    folder: Path
    config: ShrinkConfig
    plan: SearchPlan
    subject: Run
    turns: Turns
    data_dir: Path | None = None
    _datasets: dict[int, Dataset] = field(default_factory=dict[int, Dataset])

    @cached_property
    def cutter(self) -> Cutter | None:
        """As `cutter_for`, made once."""
        return cutter_for(self.subject)

    @property
    def scales(self) -> Scales:
        """What files are weighed with."""
        return Scales(self.config.budgets, self.folder / YARDSTICK, self.plan.yardstick_ms, self.turns)

    @cached_property
    def space(self) -> Space:
        """The networks that may be chosen."""
        data = self.config.data
        return space_for(data.preprocess, len(data.classes), self.plan.sides, self.cutter)

    def dataset(self, side: int | None = None) -> Dataset:
        """The images as the subject takes them, or at another side."""
        own = self.config.data.preprocess.image_size[0]
        side = side or own
        if side not in self._datasets:
            asked = DataOptions(self.config.data.source, data_dir=self.data_dir, skip_bad=self.config.skip_bad)
            options = split_as(asked, self.config.data)
            self._datasets[side] = load(options if side == own else replace(options, image_size=side))
        return self._datasets[side]

    def give(self, dataset: Dataset) -> None:
        """Images that this process has loaded already."""
        self._datasets[dataset.preprocess.image_size[0]] = dataset

    def network(self, architecture: Architecture) -> Network:
        """An untrained network; a scaled subject begins with the subject's most important channels."""
        torch.manual_seed(stream_seed(self.config.seed, "initialisation"))
        network = Network(architecture)
        if architecture.name == FOUND:
            return network
        if self.cutter is None:
            return network
        try:
            return self.cutter.fitted(architecture)
        except UserError:  # none of its channels can leave, yet the first ones are a start
            take_leading(network, self.subject.weights_path)
            return network

    def preprocess(self, architecture: Architecture) -> Preprocess:
        """How `architecture` takes pictures."""
        return seen_by(self.dataset(architecture.input[1]), to_data(architecture)).preprocess

    def training(self, architecture: Architecture, **length: int | float | Path | None) -> TrainOptions:
        """How `architecture` is trained, for `epochs` or `time_s`, from the run `start` where one is given."""
        config = self.config
        options = TrainOptions(
            model=architecture.name,
            batch_size=config.batch_size,
            augment=config.augment,
            teacher=self._teacher(architecture),
            seed=config.seed,
            deterministic=config.deterministic,
        )
        if architecture.name != FOUND:
            own = self.subject.config.training
            options = replace(
                options,
                optimizer=own.optimizer,
                lr=WARM_RATE * own.lr,
                weight_decay=own.weight_decay,
                label_smoothing=own.label_smoothing,
                ema=own.ema,
            )
        return replace(options, **length)  # pyright: ignore[reportArgumentType]

    def score(self, accuracy: float, cost: FileCost) -> float:
        """What the search maximises."""
        return score(accuracy, cost.bytes, self.config.budgets, self.plan.subject_bytes)

    def within_drop(self, accuracy: float) -> bool:
        """Whether `accuracy` on validation is within the accepted drop from the subject's, or none was stated."""
        allowed = self.config.budgets.max_drop
        return allowed is None or self.plan.subject_accuracy - accuracy <= allowed

    def home(self, stage: str, number: int) -> Path:
        """The run folder of a trial or finalist."""
        return self.folder / stage / f"{number:04d}"

    def _teacher(self, architecture: Architecture) -> Path | None:
        """Who teaches: nobody where pictures of another side are taken than the teacher was trained on."""
        if self.config.teacher == "none":
            return None
        teacher = self.subject if self.config.teacher == "subject" else Run(self.folder / self.config.teacher)
        same = tuple(teacher.config.data.preprocess.image_size) == architecture.input[1:]
        return teacher.folder if same else None


def open_task(folder: Path, data_dir: Path | None, turns: Turns) -> Task:
    """The search in `folder`, whose plan is made. Raises UserError where a record is missing or wrong."""
    config = read_record(folder / CONFIG, ShrinkConfig)
    plan = read_record(folder / PLAN, SearchPlan)
    return Task(folder, config, plan, open_run(folder / config.subject), turns, data_dir)


def cutter_for(subject: Run) -> Cutter | None:
    """What cuts the finished `subject`; None where it is no network of the catalog's layers."""
    whole = trained_network(subject)
    if not isinstance(whole, Network):
        return None
    if whole.architecture.name == FOUND:  # by an earlier search; here it is what there was before
        whole.architecture = structs.replace(whole.architecture, name=SUBJECT)
    return Cutter(whole)


def space_for(preprocess: Preprocess, classes: int, sides: tuple[int, ...], cutter: Cutter | None) -> Space:
    """The space of networks for these pictures; to it belongs what the subject's `cutter` can make."""
    if cutter is None:
        return Space(preprocess.channels, sides, classes)
    return Space(preprocess.channels, sides, classes, cutter.architecture, pruning_of(cutter))


def pruning_of(cutter: Cutter) -> Pruning | None:
    """The subject pruned, down to as few MACs as can be; None where no twentieth of them can go."""

    @cache
    def pruned(percent: int) -> Architecture:
        return cutter.pruned(1 - percent / 100)

    for percent in range(5, 100, 5):
        with suppress(UserError):
            pruned(percent)
            return Pruning(percent, pruned)
    return None


def sides_for(dataset: Dataset) -> tuple[int, ...]:
    """The sides at which these pictures may be taken: their own, and for photos smaller ones."""
    preprocess = dataset.preprocess
    side = preprocess.image_size[0]
    if preprocess.resize == "none" or preprocess.crop != "none" or dataset.statistics is not None:
        return (side,)
    sizes = (8 * round(side * share / 8) for share in _SIDE_SHARES[1:])
    return (side, *(size for size in sizes if _SMALLEST_SIDE <= size < side))


def architecture_of(run: Run) -> Architecture:
    """The recorded architecture of a run of a search."""
    return from_data(run.config.architecture)


def read_point(folder: Path) -> TrialPoint | None:
    """A finalist's or the final network's point, where it came to its end."""
    return read_record(folder / POINT, TrialPoint) if (folder / POINT).exists() else None
