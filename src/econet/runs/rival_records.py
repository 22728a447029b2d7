"""The schemas of the rivals' race: its plan (`rivals.json`), one training's outcome, one seed's published result."""

from econet.runs.artifact_records import Benchmark, Evaluation, Export
from econet.runs.choices import Augment, OptimizerName
from econet.runs.recipe_records import Versions
from econet.runs.record import SCHEMA, Record
from econet.runs.records import DataConfig, Finished, MachineChoices, Plan, TrainingConfig


class RivalAsked(Record, frozen=True, kw_only=True):
    """What all networks of a race have in common.

    `rates` are the learning rates each network tries for `trial_s` seconds; the best of them on validation trains for
    `time_s`. Both are seconds of a free core. `teacher` is a run's folder, as seen from the race's.
    """

    data: str
    networks: tuple[str, ...]
    time_s: float
    trial_s: float
    rates: tuple[float, ...]
    optimizer: OptimizerName
    weight_decay: float
    augment: Augment
    teacher: str | None


class RivalPace(Record, frozen=True, kw_only=True):
    """How fast one network learns on one core, and how many steps therefore fit the time.

    `rounds` are the images per second of CPU time in each round of measuring, the networks in turn; the median counts.
    `core_share` is CPU time over the clock's while measuring: 1 on a core that was free.
    """

    machine: MachineChoices
    rounds: tuple[float, ...]
    images_per_s: float
    core_share: float
    trial: Plan
    whole: Plan


class RivalsConfig(Record, frozen=True, kw_only=True):
    """`rivals.json`: what was asked of a race and, for each network, its pace; fixed when the race begins."""

    schema: int = SCHEMA
    created: str
    command: str
    econet: str
    data: DataConfig
    asked: RivalAsked
    paces: dict[str, RivalPace]


class RivalTrial(Record, frozen=True, kw_only=True):
    """What came of one training at one rate; a `fault` where it came to nothing. `seconds` are the clock's."""

    lr: float
    validation_accuracy: float | None
    seconds: float
    fault: str | None = None


class RivalResult(Record, frozen=True, kw_only=True):
    """One network, one seed: how it was trained, and its files' records, without predictions.

    `timed` is when the files of the whole race were timed, all of them interleaved; None before that. The timings of
    two results compare where it is the same.
    """

    schema: int = SCHEMA
    network: str
    seed: int
    git: str | None
    versions: Versions
    started: str
    asked: RivalAsked
    teacher: str | None
    pace: RivalPace
    trials: tuple[RivalTrial, ...]
    settings: TrainingConfig
    training: Finished
    exports: tuple[Export, ...]
    evaluations: tuple[Evaluation, ...]
    timed: str | None = None
    benchmarks: tuple[Benchmark, ...] = ()
    warnings: tuple[str, ...] = ()
