"""Progress without a terminal: one plain line an epoch, no control codes."""

from typing import TextIO

from econet.report import numbers
from econet.runs.records import Epoch


class Lines:
    """A listener that writes plain lines to `stream`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def note(self, text: str) -> None:
        """The text as a line."""
        print(text, file=self._stream, flush=True)

    def begin(self, title: str, steps: int, done: int) -> None:
        """The step's title, and how far it is when it goes on."""
        self.note(f"{title}: {begun(steps, done)}")

    def advance(self, step: int, loss: float, images_per_s: float) -> None:
        """Nothing: a line a step would be a flood."""

    def epoch(self, line: Epoch, epochs: int) -> None:
        """The epoch as a line."""
        self.note(f"  {epoch_line(line, epochs)}")

    def end(self) -> None:
        """Nothing."""


def begun(steps: int, done: int) -> str:
    """How long a step is, and where it goes on."""
    length = f"{numbers.whole(steps)} steps"
    return f"{length}, going on at {numbers.whole(done)}" if done else length


def epoch_line(line: Epoch, epochs: int) -> str:
    """What an epoch brought, in one line of plain text."""
    width = len(str(epochs))
    return (
        f"epoch {line.epoch:{width}}/{epochs}  loss {line.loss:.3f}  train {numbers.percent(line.train_accuracy)}  "
        f"validation {numbers.percent(line.validation_accuracy)}  {numbers.whole(line.images_per_s)} images/s  "
        f"{numbers.seconds(line.seconds)}"
    )
