"""The clock of an epoch: seconds counted, checkpoints written when they are due, requests to stop obeyed."""

import time
from collections.abc import Callable

import torch

from econet.training import parallel
from econet.training.checkpoint import Counters
from econet.training.interruption import Interrupted, Request


class Watch:
    """Begins to count when it is made. `save` writes the checkpoint; `every` says how many seconds apart."""

    def __init__(
        self,
        counters: Counters,
        request: Request,
        device: torch.device,
        save: Callable[[], None],
        every: Callable[[], float],
    ) -> None:
        self._counters, self._request, self._device = counters, request, device
        self._save, self._every = save, every
        self._started = self._saved = self._now = time.perf_counter()
        self._before = counters.seconds

    def count(self) -> None:
        """Read the clock and bring the counted seconds up to date."""
        self._now = time.perf_counter()
        self._counters.seconds = self._before + self._now - self._started

    def look(self) -> None:
        """Save where it was time at the last count, or a signal came in any process; raises Interrupted for one."""
        # Together: where the processes share the network, they also save together, when the one that writes says so.
        due = parallel.rank() == 0 and self._now - self._saved > self._every()
        stop, due = parallel.largest((self._request.number or 0, due), self._device)
        if due or stop:
            self._save()
            self._saved = time.perf_counter()
        if stop:
            parallel.wait_for_all()  # whoever leaves first takes the others along: not before it is saved
            raise Interrupted(stop)
