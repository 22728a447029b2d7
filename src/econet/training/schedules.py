"""Learning-rate schedules: a factor of the peak rate for every step, known before training begins."""

import math

from econet.runs.choices import ScheduleName
from econet.runs.records import STEP_MARKS

WARMUP_SHARE = 0.2
COSINE_WARMUP_SHARE = 0.05
PLATEAU_PATIENCE = 3
PLATEAU_LOWERINGS = 3
DIVISOR = 10.0


def factor(
    schedule: ScheduleName,
    step: int,
    steps: int,
    lowerings: int = 0,
    marks: tuple[float, ...] = STEP_MARKS,
) -> float:
    """Factor of the peak learning rate at `step` of `steps` (0-based).

    one-cycle: linear up over the first fifth, linear down to zero (Smith 2018, "Super-convergence").
    cosine: linear up over the first twentieth, then half a cosine to zero (Loshchilov and Hutter 2017).
    steps: divided by ten at each of `marks`, shares of the training. plateau: divided by ten once for each of
    `lowerings`, which the loop counts when validation error stops improving (Krizhevsky et al. 2012, section 5).
    """
    progress = (step + 1) / (steps + 1)
    match schedule:
        case "one-cycle":
            return min(progress / WARMUP_SHARE, (1 - progress) / (1 - WARMUP_SHARE))
        case "cosine":
            if progress < COSINE_WARMUP_SHARE:
                return progress / COSINE_WARMUP_SHARE
            return (1 + math.cos(math.pi * (progress - COSINE_WARMUP_SHARE) / (1 - COSINE_WARMUP_SHARE))) / 2
        case "steps":
            return DIVISOR ** -sum(progress >= mark for mark in marks)
        case "plateau":
            return DIVISOR**-lowerings


class Plateau:
    """Counts how often the rate was lowered because validation accuracy stopped improving."""

    def __init__(self, lowerings: int = 0, best: float = -1.0, waited: int = 0) -> None:
        self.lowerings = lowerings
        self.best = best
        self.waited = waited

    def see(self, accuracy: float) -> None:
        """Take an epoch's validation accuracy; after three epochs without a new best the rate is lowered."""
        if accuracy > self.best:
            self.best, self.waited = accuracy, 0
            return
        self.waited += 1
        if self.waited >= PLATEAU_PATIENCE and self.lowerings < PLATEAU_LOWERINGS:
            self.lowerings, self.waited = self.lowerings + 1, 0
