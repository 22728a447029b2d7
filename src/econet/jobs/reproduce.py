"""`reproduce`: the 2012 paper's claims as experiments, resumable seed by seed, several one-thread trainings at once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np

from econet.claims.catalog import claim_named
from econet.claims.claim import Arm, Claim, Scale
from econet.claims.effects import Measured, labelled, measured
from econet.claims.scales import FULL
from econet.errors import UserError
from econet.jobs.arm_run import ENSEMBLE, HOME, ArmRun, finished_outcome, read_answers
from econet.jobs.options import check_range
from econet.jobs.recipes import recipes_folder
from econet.measurement.machine import describe_machine
from econet.runs.claim_records import ClaimRecord, Label, Outcome, Ran
from econet.runs.folder import Run
from econet.runs.record import write_record
from econet.training.interruption import Interrupted
from econet.training.progress import Progress

SEEDS = 5
# Rates are searched on a seed that no result comes from.
SEARCH_SEED = 1000
QUOTED: Label = "not run here (needs ImageNet)"
_STOPPED = {128 + signal.SIGINT: signal.SIGINT, 128 + signal.SIGTERM: signal.SIGTERM}


def result_path(name: str) -> Path:
    """Where the committed result of a claim lies."""
    return recipes_folder() / "results" / "claims" / name / "claim.json"


def reproduce(
    names: Sequence[str],
    progress: Progress,
    *,
    seeds: int = SEEDS,
    workers: int | None = None,
    data: str | None = None,
    data_dir: Path | None = None,
    record: bool = False,
) -> list[ClaimRecord]:
    """Run each claim for its first `seeds` seeds, or go on with it, and write its `claim.json`.

    `data` is a folder with ImageNet: the claims then run at the paper's own size. `workers` trainings run at once, by
    default one a core. With `record` the results are kept among the published ones, whatever they say.
    Raises UserError for an unknown claim and where a training cannot be run, Interrupted after a signal.
    """
    check_range("--seeds", seeds, 1, 1000)
    check_range("--workers", workers, 1, 1024)
    claims = [at_size(claim_named(name), data) for name in names]
    records: list[ClaimRecord] = []
    for claim in claims:
        wanted = _trainings(claim, range(seeds), data_dir, workers, progress)
        result = _record(claim, wanted)
        write_record(HOME / "results" / f"{claim.name}.json", result)
        if record:
            write_record(result_path(claim.name), result)
        records.append(result)
    return records


def at_size(claim: Claim, data: str | None) -> Claim:
    """The claim as it is, or at the published network's own size on the folder `data`."""
    if data is None or claim.scale is None:
        return claim
    if not claim.full_size:
        raise UserError(
            f"{claim.name} has no experiment on a folder",
            "the paper made it on CIFAR-10, or readers asked for it at that size",
            "leave --data out",
        )
    return replace(claim, scale=replace(FULL, name=f"full-{Path(data).name}", data=data))


def _trainings(
    claim: Claim, seeds: Iterable[int], data_dir: Path | None, workers: int | None, progress: Progress
) -> dict[str, list[ArmRun]]:
    """Every arm's trainings, all done: `{arm: [one a seed]}`."""
    if claim.scale is None:
        return {}
    rates = {arm.name: _searched(claim, claim.scale, arm, data_dir, workers, progress) for arm in claim.arms}
    wanted = {
        arm.name: [ArmRun(claim.scale, arm, seed, rates[arm.name], data_dir) for seed in seeds] for arm in claim.arms
    }
    _do(claim, [run for runs in wanted.values() for run in runs], workers, progress)
    return wanted


def _searched(
    claim: Claim, scale: Scale, arm: Arm, data_dir: Path | None, workers: int | None, progress: Progress
) -> float | None:
    """The rate of `arm.rates` whose measure is best on the search's own seed; None where the arm searches none."""
    if not arm.rates:
        return None
    trials = [ArmRun(scale, arm, SEARCH_SEED, rate, data_dir) for rate in arm.rates]
    _do(claim, trials, workers, progress)
    found = [(_outcome(trial).measures.get(claim.measure), trial.lr) for trial in trials]
    told = [(value, rate) for value, rate in found if value is not None]
    if not told:
        raise UserError(f"no rate trains {arm.name}", f"all of {arm.rates} diverged or learned nothing", "other rates")
    best = min(told)
    progress.note(f"{claim.name}: {arm.name} is best at a rate of {best[1]:g} ({best[0]:.2f} on a seed of its own)")
    return best[1]


def _do(claim: Claim, runs: Sequence[ArmRun], workers: int | None, progress: Progress) -> None:
    """Run what is not done yet, each in a process of its own on one thread."""
    waiting = [run for run in runs if finished_outcome(run) is None]
    if not waiting:
        return
    count = workers or describe_machine().cores
    progress.note(f"{claim.name}: {len(waiting)} of {len(runs)} trainings to run, {count} at a time")
    processes: list[subprocess.Popen[str]] = []
    with ThreadPoolExecutor(count) as pool:
        tasks = {pool.submit(_spawned, claim, run, processes): run for run in waiting}
        try:
            for task in as_completed(tasks):
                task.result()
                outcome, run = _outcome(tasks[task]), tasks[task]
                value = outcome.measures.get(claim.measure)
                told = f"{claim.measure} {value:.4f}" if value is not None else outcome.stopped_by
                progress.note(f"{claim.name}: {run.arm.name}, seed {run.seed}: {told} ({outcome.seconds:.0f} s)")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.send_signal(signal.SIGTERM)
            raise


def _spawned(claim: Claim, run: ArmRun, processes: list[subprocess.Popen[str]]) -> None:
    """Train one arm in a process of its own. Raises UserError with what it said, or Interrupted."""
    words = [sys.executable, "-m", "econet", "reproduce", claim.name, "--arm", run.arm.name, "--seed", str(run.seed)]
    words += ["--quiet"] if run.lr is None else ["--lr", f"{run.lr:g}", "--quiet"]
    words += [] if run.data_dir is None else ["--data-dir", str(run.data_dir)]
    words += ["--data", run.scale.data] if run.scale.name.startswith("full") else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    processes.append(process)
    _, said = process.communicate()
    if process.returncode in _STOPPED:
        raise Interrupted(_STOPPED[process.returncode])
    if process.returncode:
        raise UserError(
            f"{run.arm.name} of {claim.name}, seed {run.seed}, could not be trained",
            said.strip() or f"its process ended with {process.returncode}",
            f"econet reproduce {claim.name} --arm {run.arm.name} --seed {run.seed}, which shows all of it",
        )


def _outcome(run: ArmRun) -> Outcome:
    found = finished_outcome(run)
    if found is None:
        raise UserError(f"{run.folder} has no outcome", "its training did not come to an end", "reproduce it again")
    return found


def _record(claim: Claim, wanted: dict[str, list[ArmRun]]) -> ClaimRecord:
    """The claim's record from the outcomes of its trainings."""
    outcomes = {name: [_outcome(run) for run in runs] for name, runs in wanted.items()}
    values = _values(claim, wanted, outcomes)
    found = _effect(claim, values)
    label: Label = QUOTED if not wanted else "inconclusive"
    if found is not None:
        label = labelled(found, claim.unit, lower_is_better=claim.better == "lower", said=claim.said.value)
    return ClaimRecord(
        claim=claim.name,
        title=claim.title,
        paper=claim.said,
        scaled_down=claim.scale is not None and not claim.scale.name.startswith("full"),
        beyond_paper=claim.beyond_paper,
        ran=_ran(claim, wanted, outcomes),
        measure=claim.measure if claim.second_measure is None else f"{claim.measure} and {claim.second_measure}",
        values=values,
        effect=None if found is None else found.effect,
        interval=None if found is None else found.interval,
        detectable_effect=None if found is None else found.detectable,
        unit=claim.unit,
        label=label,
        stopped_by="; ".join(sorted({each.stopped_by for group in outcomes.values() for each in group})),
        notes=claim.notes,
    )


def _values(
    claim: Claim, wanted: dict[str, list[ArmRun]], outcomes: dict[str, list[Outcome]]
) -> dict[str, tuple[float, ...]]:
    """Each arm's measure a seed; with a second measure, both of the one arm. Empty where one is missing."""
    if any(not outcome.measures for group in outcomes.values() for outcome in group):
        return {}
    values = {name: tuple(each.measures[claim.measure] for each in group) for name, group in outcomes.items()}
    if claim.second_measure is None or not wanted:
        return values
    name = claim.arms[0].name
    if claim.second_measure == ENSEMBLE:
        together = _ensemble_error(wanted[name])
        second = tuple(together for _ in wanted[name])
    else:
        second = tuple(each.measures[claim.second_measure] for each in outcomes[name])
    return {claim.measure: values[name], claim.second_measure: second}


def _ensemble_error(runs: Sequence[ArmRun]) -> float:
    """Error of the seeds' averaged probabilities."""
    answers = [read_answers(run) for run in runs]
    mean = np.mean([probabilities for probabilities, _ in answers], axis=0)
    return float((mean.argmax(1) != answers[0][1]).mean())


def _effect(claim: Claim, values: dict[str, tuple[float, ...]]) -> Measured | None:
    sides = list(values.values())
    if len(sides) < 2 or len(sides[0]) < 3:
        return None
    return measured(sides[0], sides[-1], claim.unit)


def _ran(claim: Claim, wanted: dict[str, list[ArmRun]], outcomes: dict[str, list[Outcome]]) -> Ran | None:
    if claim.scale is None or not wanted:
        return None
    every = [outcome for group in outcomes.values() for outcome in group]
    rates = {name: runs[0].lr for name, runs in wanted.items()}
    return Ran(
        data=claim.scale.data,
        network=claim.scale.model,
        epochs=round(fmean(outcome.epochs for outcome in every)),
        seconds=round(sum(outcome.seconds for outcome in every), 1),
        seeds=tuple(run.seed for run in next(iter(wanted.values()))),
        arms=tuple(name if rates[name] is None else f"{name} at {rates[name]:g}" for name in wanted),
        machine=describe_machine().cpu,
        improving=sum(_improving(Run(each.folder)) for runs in wanted.values() for each in runs),
    )


def _improving(run: Run) -> bool:
    """Whether a training still gained where its plan ended; one that reached its target had no plan to end."""
    return run.is_finished and run.finished.still_improving
