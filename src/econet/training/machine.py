"""What this machine likes: threads and number type, measured for about a second when a run begins."""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from statistics import fmean, median

import torch
from torch import nn

from econet.errors import UserError
from econet.measurement.machine import describe_machine
from econet.runs.records import MachineChoices
from econet.training import parallel

Step = Callable[[], object]
Clock = Callable[[], float]
Precision = str

TRIAL_SECONDS = 0.35
PLAN_SECONDS = 2.0
WARMUP_STEPS = 2


def resolve_device(asked: str) -> torch.device:
    """`auto` takes the GPU where there is one. Raises UserError where CUDA is asked for and absent."""
    if asked == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda is not possible here", "torch finds no CUDA device", "--device cpu")
    if asked == "auto":
        asked = "cuda" if torch.cuda.is_available() else "cpu"
    if asked == "cuda":
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def placed(network: nn.Module, device: torch.device) -> nn.Module:
    """The network on `device`, its weights in channels-last layout: what convolutions here run fastest on."""
    return network.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Run the matrix products inside in bf16, or leave everything in float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def choose(
    device: torch.device,
    asked_threads: int | None,
    deterministic: bool,
    batch_size: int,
    trial: Callable[[Precision, bool], Step],
    clock: Clock = time.perf_counter,
) -> MachineChoices:
    """Measure every sensible combination and keep the fastest, whose rate is then measured for longer.

    `trial(precision, compiled)` gives one training step on `batch_size` images as a function. With `deterministic`, or
    several processes, nothing is measured: two commands must then make the same choice. `clock` gives seconds; by
    `time.process_time` what other processes take of a busy core does not count, where the step runs on one thread.
    """
    threads = asked_threads or (1 if parallel.processes() > 1 else describe_machine().cores)
    if deterministic or parallel.processes() > 1:
        precision = "fp32" if device.type == "cpu" else "bf16"
        return _record(device, threads, precision, False, deterministic, {})
    measured: dict[str, float] = {}
    options: dict[str, tuple[int, Precision, bool]] = {}
    for count in sorted({threads} if asked_threads or device.type == "cuda" else {1, threads}):
        for precision in ("fp32", "bf16"):
            compilations = (False, True) if device.type == "cuda" and precision == "bf16" else (False,)
            for compiled in compilations:
                name = f"{count} thread{'s' * (count > 1)} {precision}{' compiled' * compiled}"
                torch.set_num_threads(count)
                measured[name] = batch_size / median(_times(trial(precision, compiled), TRIAL_SECONDS, clock))
                options[name] = (count, precision, compiled)
    best = max(measured, key=lambda name: measured[name])
    count, precision, compiled = options[best]
    torch.set_num_threads(count)
    # A plan by time needs what the choice gives on average over more than a moment.
    measured[best] = batch_size / fmean(_times(trial(precision, compiled), PLAN_SECONDS, clock))
    return _record(device, count, precision, compiled, deterministic, measured)


def _times(step: Step, seconds: float, clock: Clock) -> list[float]:
    """Seconds of each step, taken for about `seconds` after a warm-up."""
    for _ in range(WARMUP_STEPS):
        step()
    times: list[float] = []
    began = clock()
    while not times or clock() - began < seconds:
        start = clock()
        step()
        times.append(clock() - start)
    return times


def apply(choices: MachineChoices) -> None:
    """Set this process to what was chosen. A resume calls it with the recorded choices."""
    torch.set_num_threads(choices.threads)
    torch.use_deterministic_algorithms(choices.deterministic)


def _record(
    device: torch.device,
    threads: int,
    precision: str,
    compiled: bool,
    deterministic: bool,
    measured: dict[str, float],
) -> MachineChoices:
    return MachineChoices(
        device="cuda" if device.type == "cuda" else "cpu",
        threads=threads,
        precision="bf16" if precision == "bf16" else "fp32",
        compile=compiled,
        processes=parallel.processes(),
        deterministic=deterministic,
        measured_images_per_s={name: round(rate, 1) for name, rate in measured.items()},
        cpu=describe_machine().cpu,
        capability=torch.backends.cpu.get_cpu_capability(),
    )
