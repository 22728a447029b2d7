"""EcoNet beside the rivals: every network trained for the same time of one core, then all their files timed together.

Time is made equal before anything is trained. On one core, in turns, each network takes real steps, counted in CPU
time, so that a neighbour's work is not put down to it; from that follow the steps that fit the time, and these are
trained whatever the clock says. What follows may then run on busy cores, two at a time, and stay fair.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import torch

from econet.data.dataset import Dataset
from econet.errors import UserError
from econet.files import folder_lock
from econet.jobs.benchmark import benchmark_artifacts
from econet.jobs.options import TrainOptions, check_range, check_train_options
from econet.jobs.rival_training import (
    CONFIG,
    RESULT,
    TRIAL_SEED,
    WORKERS_LOCK,
    Race,
    files,
    images,
    open_race,
    options_for,
    published_path,
)
from econet.jobs.run_data import data_config, seen_by
from econet.jobs.teaching import teachers_of
from econet.jobs.train import resolved
from econet.jobs.trial import measured_choices
from econet.jobs.turns import alone
from econet.jobs.workers import run_workers
from econet.models import catalog
from econet.runs import provenance
from econet.runs.choices import Augment, OptimizerName
from econet.runs.folder import Run
from econet.runs.record import read_record, write_record
from econet.runs.records import MachineChoices, Plan
from econet.runs.rival_records import RivalAsked, RivalPace, RivalResult, RivalsConfig
from econet.statistics.streams import stream_seed
from econet.training.allocator import keep_large_blocks
from econet.training.defaults import DECAY, RATE
from econet.training.plan import planned
from econet.training.progress import Progress
from econet.version import __version__

OURS = "econet"
NETWORKS = (
    OURS,
    "alexnet_small",
    "lenet5",
    "vgg_small",
    "resnet8",
    "resnet20",
    "squeezenet",
    "mobilenet_v2:x0.5",
    "shufflenet_v2:x0.5",
    "efficientnet_lite0",
)
# A trial's share of the time that the network itself is given.
TRIAL_SHARE = 1 / 6
# From one rate that is tried to the next.
RATE_STEP = 3.0
PACE_ROUNDS = 3
WORKER = "econet.jobs.rival_training"


@dataclass(frozen=True, slots=True)
class RaceOptions:
    """What a race is asked to be; all of it is the same for every network."""

    data: str = "cifar10"
    networks: tuple[str, ...] = NETWORKS
    time_s: float = 900.0
    rates: int = 3
    optimizer: OptimizerName = "muon"
    augment: Augment = "light"
    teacher: Path | None = None
    data_dir: Path | None = None


def race(
    home: Path,
    options: RaceOptions,
    progress: Progress,
    *,
    only: Sequence[str] = (),
    seeds: int = 1,
    workers: int = 1,
    record: bool = False,
) -> list[RivalResult]:
    """Train the networks of the race in `home`, or those of `only`, for their first `seeds` seeds; time all its files.

    It goes on wherever it was stopped. `workers` trainings run at once, each on one thread. With `record` each result
    is kept among the published ones as soon as it is there, whatever it says.
    Raises UserError where something else was asked of the race in `home`, or a network cannot be trained.
    """
    _check(options, only, seeds, workers)
    with folder_lock(home):
        with alone(home / WORKERS_LOCK):  # workers of a race whose process was killed end by themselves
            begun = _begun(home, options, progress)
        networks = [name for name in begun.config.asked.networks if not only or name in only]
        _train_all(begun, networks, range(seeds), workers, options.data_dir, record, progress)
        return _timed(begun, progress, record=record)


def _check(options: RaceOptions, only: Sequence[str], seeds: int, workers: int) -> None:
    check_range("--seeds", seeds, 1, 100)
    check_range("--workers", workers, 1, 1024)
    check_range("--rates", options.rates, 1, 20)
    check_train_options(TrainOptions(time_s=options.time_s, optimizer=options.optimizer, augment=options.augment))
    for name in (*options.networks, *only):
        if name not in catalog.CATALOG:
            raise catalog.unknown_model(name)
    for name in only:
        if name not in options.networks:
            raise UserError(
                f"{name} takes no part in the race", f"it is of {', '.join(options.networks)}", "--only one"
            )


def asked_of(options: RaceOptions, home: Path) -> RivalAsked:
    """The options as a record: the rates lie evenly on a logarithmic scale around the optimizer's usual one."""
    usual, middle = RATE[options.optimizer], (options.rates - 1) / 2
    return RivalAsked(
        data=options.data,
        networks=options.networks,
        time_s=options.time_s,
        trial_s=options.time_s * TRIAL_SHARE,
        rates=tuple(float(f"{usual * RATE_STEP ** (number - middle):.2g}") for number in range(options.rates)),
        optimizer=options.optimizer,
        weight_decay=DECAY[options.optimizer],
        augment=options.augment,
        teacher=None if options.teacher is None else provenance.relative_to(options.teacher, home),
    )


def _begun(home: Path, options: RaceOptions, progress: Progress) -> Race:
    """The race in `home`; where there is none, every network's pace is measured and with it the lengths fixed."""
    asked = asked_of(options, home)
    if (home / CONFIG).exists():
        found = open_race(home, options.data_dir)
        before, now = msgspec.to_builtins(found.config.asked), msgspec.to_builtins(asked)
        changed = [f"{name} was {before[name]}, not {now[name]}" for name in now if before[name] != now[name]]
        if changed:
            raise UserError(f"{home} holds a race with other settings", "; ".join(changed), "--out NEW")
        return found
    dataset = images(options.data, options.data_dir)
    paces = paces_of(home, asked, dataset, progress)
    config = RivalsConfig(
        created=provenance.now(),
        command=provenance.command(),
        econet=__version__,
        data=data_config(dataset),
        asked=asked,
        paces=paces,
    )
    write_record(home / CONFIG, config)
    return Race(home, config, dataset)


def paces_of(home: Path, asked: RivalAsked, dataset: Dataset, progress: Progress) -> dict[str, RivalPace]:
    """Every network's pace on one core: measured in rounds, in each round all networks in turn.

    Raises UserError where the time is too short for a few steps of the slowest.
    """
    keep_large_blocks()
    found: dict[str, list[tuple[MachineChoices, float]]] = {name: [] for name in asked.networks}
    for number in range(PACE_ROUNDS):
        progress.note(f"measuring the pace of {len(found)} networks, round {number + 1} of {PACE_ROUNDS}")
        for name, rounds in found.items():
            rounds.append(_choices(home, asked, name, dataset))
    return {name: _pace(home, asked, name, dataset, rounds) for name, rounds in found.items()}


def _choices(home: Path, asked: RivalAsked, network: str, dataset: Dataset) -> tuple[MachineChoices, float]:
    """What the machine likes for one network by CPU time, and the share of a core that was had meanwhile."""
    torch.manual_seed(stream_seed(TRIAL_SEED, "initialisation"))
    preprocess = dataset.preprocess
    shape = (preprocess.channels, *preprocess.image_size)
    architecture = catalog.architecture(network, shape, len(dataset.classes))
    options = options_for(home, asked, network, asked.rates[0], TRIAL_SEED, "whole")
    training = resolved(options, network, len(dataset.train), home)
    teacher = None if training.teacher is None else teachers_of(training.teacher, data_config(dataset), home)
    began, cpu = time.perf_counter(), time.process_time()
    seen = seen_by(dataset, architecture)
    choices = measured_choices(catalog.network(architecture), teacher, seen, training, options, clock=time.process_time)
    return choices, (time.process_time() - cpu) / (time.perf_counter() - began)


def _pace(
    home: Path, asked: RivalAsked, network: str, dataset: Dataset, rounds: Sequence[tuple[MachineChoices, float]]
) -> RivalPace:
    """The round with the median rate, and the plans that follow from it."""
    rates = [max(choices.measured_images_per_s.values()) for choices, _ in rounds]
    middle = sorted(range(len(rates)), key=rates.__getitem__)[len(rates) // 2]

    def plan(seconds: float) -> Plan:
        options = replace(options_for(home, asked, network, asked.rates[0], TRIAL_SEED, "whole"), time_s=seconds)
        training = resolved(options, network, len(dataset.train), home)
        return planned(training, len(dataset.train), len(dataset.validation), rates[middle], whole_pass=False)

    return RivalPace(
        machine=rounds[middle][0],
        rounds=tuple(rates),
        images_per_s=rates[middle],
        core_share=round(statistics.median(share for _, share in rounds), 3),
        trial=plan(asked.trial_s),
        whole=plan(asked.time_s),
    )


def _train_all(
    begun: Race,
    networks: Sequence[str],
    seeds: Sequence[int],
    workers: int,
    data_dir: Path | None,
    record: bool,
    progress: Progress,
) -> None:
    """First every trial that is missing, then every whole training; one process each."""
    more = [] if data_dir is None else ["--data-dir", str(data_dir)]
    rates = begun.config.asked.rates
    trials = [
        [str(begun.home), name, "--lr", f"{lr:g}", *more]
        for name in networks
        for lr in rates
        if not begun.trial_path(name, lr).exists()
    ]
    kept = ["--record"] if record else []
    whole = [
        [str(begun.home), name, "--seed", str(seed), *more, *kept]
        for seed in seeds
        for name in networks
        if not begun.result_path(name, seed).exists()
    ]
    for kind, words in (("trials", trials), ("whole trainings", whole)):
        progress.note(f"{len(words)} {kind} to run, {workers} at a time")
        run_workers(WORKER, words, workers, progress.note)


def _timed(begun: Race, progress: Progress, *, record: bool) -> list[RivalResult]:
    """Time the files of every result of the race, all interleaved in this process, and keep that in each result."""
    results = results_in(begun)
    runs = [Run(begun.result_path(each.network, each.seed).parent / f"lr-{each.settings.lr:g}") for each in results]
    targets = [(path, run) for run in runs for path in files(run)]
    progress.note(f"timing {len(targets)} files of {len(results)} trainings, interleaved")
    benchmarks, _ = benchmark_artifacts(targets)
    now = provenance.now()
    timed = [
        msgspec.structs.replace(each, timed=now, benchmarks=tuple(benchmarks[2 * number : 2 * number + 2]))
        for number, each in enumerate(results)
    ]
    for each in timed:
        write_record(begun.result_path(each.network, each.seed), each)
        if record:
            write_record(published_path(each.network, each.seed), each)
    return timed


def results_in(begun: Race) -> list[RivalResult]:
    """Every result of a race so far, in the order of its networks, then by seed."""
    names = begun.config.asked.networks
    found = [read_record(path, RivalResult) for name in names for path in begun.folder(name).glob(f"seed-*/{RESULT}")]
    return sorted(found, key=lambda each: (names.index(each.network), each.seed))


def published(folder: Path) -> list[RivalResult]:
    """Every result committed in `folder`, by network in the order of the race, then by seed."""
    found = [read_record(path, RivalResult) for path in folder.glob("*/seed-*.json")]
    return sorted(found, key=lambda each: (each.asked.networks.index(each.network), each.network, each.seed))
