"""What this machine likes for one training: whole steps on a copy of the network, with real images, nothing kept."""

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import torch
from msgspec import structs
from torch import nn

from econet.data.dataset import Dataset, Images
from econet.jobs.options import TrainOptions
from econet.runs.records import MachineChoices, TrainingConfig
from econet.training import machine
from econet.training.averaging import Average
from econet.training.hint import hint_for
from econet.training.lessons import Lessons
from econet.training.optimizers import Optimizers
from econet.training.parallel import Sharing
from econet.training.shortage import shortage_told
from econet.training.step import learn
from econet.training.teachers import Teachers

ASKING_TRIALS = 3


def measured_choices(
    network: nn.Module,
    teacher: Teachers | None,
    dataset: Dataset,
    training: TrainingConfig,
    options: TrainOptions,
    clock: machine.Clock = time.perf_counter,
) -> MachineChoices:
    """Let the machine choose by whole steps; a teacher whose answers are kept takes no part in them.

    Raises UserError where a step needs more memory than there is.
    """
    device = machine.resolve_device(options.device)
    sample = _first_batch(dataset, training)
    chosen = torch.arange(len(sample.train))
    asked = None if training.teacher is None or training.teacher.views else _placed(teacher, device)
    lessons = Lessons(sample, training, options.seed, Sharing(device), asked)

    def trial(precision: str, compiled: bool) -> Callable[[], object]:
        trainee = machine.placed(copy.deepcopy(network), device).train()
        average = Average(trainee, training.ema)
        optimizers = Optimizers(trainee, structs.replace(training, lr=1e-6))
        forward = torch.compile(trainee) if compiled else trainee
        hint = hint_for(trainee, asked, training, options.seed, device)
        if hint is not None and compiled:
            hint.compile()

        def step() -> object:
            lesson = lessons.of(chosen, 0, 0.0)
            loss, _ = learn(
                forward,
                lesson.teacher,
                lesson.images,
                lesson.labels,
                training,
                precision,
                mixed=lesson.mixed,
                hint=hint,
            )
            optimizers.step(1.0)
            average.update(0)
            if hint is not None:
                hint.step(1.0)
            return loss.item()

        return step

    shortage = shortage_told(
        network,
        asked,
        training,
        dataset.preprocess,
        "fp32",
        device,
        go_on="the same command",
    )
    with shortage:
        return machine.choose(device, options.threads, options.deterministic, training.batch_size, trial, clock)


def measured_asking(
    teacher: Teachers | None, dataset: Dataset, training: TrainingConfig, choices: MachineChoices
) -> float:
    """Seconds the teacher takes to answer about one view of all training images; 0 where no plan needs to know."""
    if teacher is None or training.teacher is None or not training.teacher.views or training.time_s is None:
        return 0.0
    machine.apply(choices)
    device = machine.resolve_device(choices.device)
    sample = _first_batch(dataset, training)
    lessons = Lessons(sample, training, 0, Sharing(device), _placed(teacher, device))
    chosen = torch.arange(len(sample.train))
    times: list[float] = []
    for number in range(ASKING_TRIALS):
        started = time.perf_counter()
        lesson = lessons.of(chosen, number, 0.0)
        with torch.no_grad(), machine.autocast(device, choices.precision):
            answers = lesson.teacher(lesson.images) if lesson.teacher else lesson.images
        answers.sum().item()  # waits for the device
        times.append(time.perf_counter() - started)
    return median(times) * len(dataset.train) / len(chosen)


def _first_batch(dataset: Dataset, training: TrainingConfig) -> Dataset:
    """The data set with no more training images than one batch, in memory."""
    count = training.batch_size
    return replace(dataset, train=Images(dataset.train.pixels[:count], dataset.train.labels[:count]))


def _placed(teacher: Teachers | None, device: torch.device) -> Teachers | None:
    """A copy of the teacher on `device`, asked and never changed."""
    if teacher is None:
        return None
    copied = copy.deepcopy(teacher)
    machine.placed(copied, device).eval()
    return copied
