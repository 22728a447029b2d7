"""What training tells while it runs; the terminal, a notebook or nobody listens."""

from typing import Protocol

from econet.runs.records import Epoch


class Progress(Protocol):
    """A listener of a long step."""

    def note(self, text: str) -> None:
        """A line worth keeping: a choice that was measured, a warning."""
        ...

    def begin(self, title: str, steps: int, done: int) -> None:
        """A long step begins at `done` of `steps`."""
        ...

    def advance(self, step: int, loss: float, images_per_s: float) -> None:
        """`step` steps are done."""
        ...

    def epoch(self, line: Epoch, epochs: int) -> None:
        """An epoch of `epochs` ended."""
        ...

    def end(self) -> None:
        """The long step is over."""
        ...


class Silent:
    """A listener that says nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def begin(self, title: str, steps: int, done: int) -> None:
        """Nothing."""

    def advance(self, step: int, loss: float, images_per_s: float) -> None:
        """Nothing."""

    def epoch(self, line: Epoch, epochs: int) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""
