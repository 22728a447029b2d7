"""Before a search: which budgets no file can keep, the yardstick, and how the time is shared out."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from econet.errors import UserError
from econet.files import write_whole
from econet.images.preprocess import Preprocess
from econet.jobs.budgets import MEASURED_AIM, cost_name
from econet.jobs.file_cost import Scales, write_untrained
from econet.jobs.shrink_task import YARDSTICK
from econet.jobs.turns import Turns
from econet.measurement.quiet_latency import quiet_yardstick
from econet.models.architecture import Architecture
from econet.models.network import Network
from econet.models.space import Named, Space, chosen, in_words, smallest, starting_points
from econet.runs.folder import Run
from econet.runs.shrink_records import Budgets, FileCost, Reachable, SearchPlan, ShrinkConfig, TrialPoint

# Of all time: the baseline's share where one is trained, then of the rest what trials and finalists get.
BASELINE_SHARE = 0.3
TRIAL_SHARE = 0.4
FINALIST_SHARE = 0.2
FINALISTS = 3
MOST_TRIAL_EPOCHS = 10
MOST_FINALIST_EPOCHS = 40
# With epochs given, trials train a ninth of them and finalists a third: successive halving by threes.
HALVING = 3


@dataclass(frozen=True, slots=True)
class Least:
    """The least networks of the space and what their files cost."""

    networks: tuple[Architecture, ...]
    costs: tuple[FileCost, ...]

    def of(self, name: str) -> float:
        """The least of one cost."""
        return min(getattr(cost, name) for cost in self.costs)


def write_yardstick(folder: Path, space: Space, preprocess: Preprocess, classes: tuple[str, ...]) -> None:
    """A file that every latency of this search is measured beside; untrained, it is not for answering."""
    architecture = chosen(Space(space.channels, space.sides, space.classes), Named(starting_points(space)[-1]))
    with tempfile.TemporaryDirectory() as temporary:
        paths = write_untrained(Network(architecture), preprocess, classes, "yardstick", Path(temporary))
        write_whole(folder / YARDSTICK, paths["fp32"].read_bytes())


def least_files(space: Space, preprocess: Preprocess, classes: tuple[str, ...], scales: Scales) -> Least:
    """Weigh the least networks of the space at the pictures' smallest side."""
    networks = tuple(smallest(space))
    costs: list[FileCost] = []
    for network in networks:
        sized = preprocess
        if tuple(preprocess.image_size) != network.input[1:]:
            sized = replace(preprocess, image_size=network.input[1:], resize_size=network.input[1:])
        costs.append(scales.weighed_untrained(Network(network), sized, classes, network.name)[0])
    return Least(networks, tuple(costs))


def check_possible(least: Least, budgets: Budgets) -> None:
    """Raises UserError for bytes or MACs that no file of the family can have."""
    smallest_kb, smallest_macs = least.of("bytes") / 1000, int(least.of("macs"))
    if budgets.max_kb is not None and budgets.max_kb < smallest_kb:
        raise UserError(
            f"--max-kb {budgets.max_kb:g} cannot be kept",
            f"the smallest file a search here can give has {smallest_kb:.2f} KB: every layer has its description in it",
            f"--max-kb {_rounded_up(smallest_kb)}",
        )
    if budgets.max_macs is not None and budgets.max_macs < smallest_macs:
        raise UserError(
            f"--max-macs {budgets.max_macs:,} cannot be kept",
            f"the smallest network a search here can give takes {smallest_macs:,}",
            f"--max-macs {smallest_macs}",
        )


def too_slow(least: Least, budgets: Budgets) -> Reachable | None:
    """The nearest point where even the fastest of the least files takes longer than the latency budget; else None."""
    if budgets.max_latency_ms is None or least.of("latency_ms") <= budgets.max_latency_ms * MEASURED_AIM:
        return None
    number = min(range(len(least.costs)), key=lambda each: least.costs[each].latency_ms or 0.0)
    cost, network = least.costs[number], least.networks[number]
    over = (cost.latency_ms or 0.0) / (budgets.max_latency_ms * MEASURED_AIM) - 1
    nearest = TrialPoint(
        number=0,
        stage="trial",
        outcome="over budget",
        point={},
        network=in_words(network),
        side=network.input[1],
        cost=cost,
        over={"latency_ms": over},
        accuracy=None,
        epochs=0,
        seconds=0.0,
    )
    return Reachable(nearest=nearest, least={name: least.of(name) for name in ("latency_ms", "bytes", "macs")})


def _rounded_up(value: float) -> str:
    return f"{-(-value * 10 // 1) / 10:g}"


def scales_before(folder: Path, budgets: Budgets, turns: Turns) -> tuple[Scales, float]:
    """Scales with a yardstick that was measured now, and that measurement (ms)."""
    yardstick_ms = quiet_yardstick(folder / YARDSTICK)
    return Scales(budgets, folder / YARDSTICK, yardstick_ms, turns), yardstick_ms


def plan_for(
    config: ShrinkConfig,
    subject: Run,
    subject_accuracy: float,
    sides: tuple[int, ...],
    yardstick_ms: float,
    workers: int,
) -> SearchPlan:
    """How long trials and finalists train. By time: from the seconds that the subject's own epochs took."""
    finalists = min(FINALISTS, max(1, config.trials // 3))
    seconds = None
    if config.epochs is not None:
        trial, finalist = max(1, config.epochs // HALVING**2), max(1, config.epochs // HALVING)
    else:
        left = time_left(config)
        finished = subject.finished
        an_epoch = max(finished.seconds / max(finished.epochs, 1), 1e-3)
        seconds = TRIAL_SHARE * left
        trial = _within(seconds * workers / config.trials / an_epoch, MOST_TRIAL_EPOCHS)
        at_once = min(workers, finalists)
        finalist = _within(FINALIST_SHARE * left * at_once / finalists / an_epoch, MOST_FINALIST_EPOCHS)
    return SearchPlan(
        cost=cost_name(config.budgets),
        sides=sides,
        yardstick_ms=yardstick_ms,
        subject_accuracy=subject_accuracy,
        subject_bytes=subject.artifact("fp32").stat().st_size,
        trial_epochs=trial,
        finalist_epochs=finalist,
        trial_seconds=seconds,
        finalists=finalists,
    )


def time_left(config: ShrinkConfig) -> float:
    """Seconds for everything but the baseline. Raises ValueError where the length was given in epochs."""
    if config.time_s is None:
        raise ValueError("the search has a length in epochs")
    return config.time_s * (1 - BASELINE_SHARE) if config.baseline is not None else config.time_s


def final_length(config: ShrinkConfig, finalist: Run) -> dict[str, int | float]:
    """How long the chosen network trains in the end: what is left of the time, but one whole pass at least."""
    if config.epochs is not None:
        return {"epochs": config.epochs}
    seconds = (1 - TRIAL_SHARE - FINALIST_SHARE) * time_left(config)
    finished = finalist.finished
    if seconds < 3 * finished.seconds / max(finished.epochs, 1):
        return {"epochs": 1}
    return {"time_s": seconds}


def _within(value: float, most: int) -> int:
    return min(max(1, int(value)), most)
