"""Progress on a terminal: a bar for each long step."""

import time
from typing import TextIO

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from econet.cli.lines import begun
from econet.cli.terminal import text_console
from econet.report import numbers
from econet.runs.records import Epoch

# Drawn by the training thread itself: a drawing thread would take turns with it.
_SECONDS_BETWEEN_DRAWINGS = 0.2


class Bars:
    """A listener that draws a bar with epoch, loss, validation accuracy, images/s and time left on `stream`."""

    def __init__(self, stream: TextIO) -> None:
        self._console = text_console(stream)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._drawn = 0.0

    def note(self, text: str) -> None:
        """The text as a line above the bar."""
        self._console.print(text)

    def begin(self, title: str, steps: int, done: int) -> None:
        """Draw an empty bar, or one that goes on."""
        self.end()
        self._console.print(f"{title}: {begun(steps, done)}", style="bold")
        self._bar = Progress(
            BarColumn(bar_width=None),
            *(TextColumn("{task.fields[" + name + "]}") for name in ("epoch", "loss", "validation", "rate")),
            TimeRemainingColumn(compact=True),
            console=self._console,
            auto_refresh=False,
            expand=True,
        )
        self._task = self._bar.add_task("", total=steps, completed=done, epoch="", loss="", validation="", rate="")
        self._bar.start()

    def advance(self, step: int, loss: float, images_per_s: float) -> None:
        """Move the bar, a few times a second."""
        now = time.monotonic()
        if self._bar is None or now - self._drawn < _SECONDS_BETWEEN_DRAWINGS:
            return
        self._drawn = now
        rate = f"{numbers.whole(images_per_s)} images/s"
        self._bar.update(self._task, completed=step, refresh=True, loss=f"loss {loss:.3f}", rate=rate)

    def epoch(self, line: Epoch, epochs: int) -> None:
        """Show the epoch and its validation accuracy beside the bar."""
        if self._bar is not None:
            self._bar.update(
                self._task,
                completed=line.step,
                refresh=True,
                epoch=f"epoch {line.epoch}/{epochs}",
                loss=f"loss {line.loss:.3f}",
                validation=f"val {numbers.percent(line.validation_accuracy)}",
                rate=f"{numbers.whole(line.images_per_s)} images/s",
            )

    def end(self) -> None:
        """Leave the bar as it is and give the cursor back."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
