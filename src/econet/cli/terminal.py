"""The two streams of a command: results on standard output, all else on standard error."""

import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from econet.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from econet.training.progress import Progress

# Without a terminal a row of a table is one line, however long.
_NO_WRAPPING = 1_000_000


class Terminal:
    """What a command prints to.

    `words` is what was typed behind `econet`; `resume`, while something is unfinished, the command that finishes it.
    """

    def __init__(self, words: Sequence[str] = (), out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.words = tuple(words)
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self.as_json = False
        self.quiet = False
        self.resume: str | None = None
        # Of several processes training together (torchrun), the first one speaks for all.
        self.is_first = os.environ.get("RANK", "0") == "0"

    def note(self, text: str) -> None:
        """A line beside the result, on standard error."""
        if not self.quiet and self.is_first:
            print(text, file=self.err, flush=True)

    def error(self, error: UserError) -> None:
        """An error the user can mend, on standard error."""
        print(error, file=self.err, flush=True)

    def result(self, record: object, *, human: "Callable[[], Sequence[RenderableType]]") -> None:
        """The result on standard output: `record` as one JSON object, or what `human` returns, one below another."""
        if not self.is_first:
            return
        if self.as_json:
            import msgspec

            self.out.write(msgspec.json.format(msgspec.json.encode(record), indent=2).decode() + "\n")
        elif is_interactive(self.out):
            for part in human():
                text_console(self.out).print(part)
        else:
            self.out.write(plain(human()))
        self.out.flush()

    def progress(self) -> "Progress":
        """A listener for long steps: nothing when quiet, bars on a terminal, else a plain line an epoch."""
        if self.quiet or not self.is_first:
            from econet.training.progress import Silent

            return Silent()
        if is_interactive(self.err):
            from econet.cli.bars import Bars

            return Bars(self.err)
        from econet.cli.lines import Lines

        return Lines(self.err)


def text_console(stream: TextIO, width: int | None = None) -> "Console":
    """A rich console that takes every text as it is, and wraps at `width`, else at the terminal's."""
    from rich.console import Console

    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def plain(parts: "Sequence[RenderableType]") -> str:
    """The parts as plain lines that are never wrapped, for a file or another program."""
    written = io.StringIO()
    console = text_console(written, _NO_WRAPPING)
    for part in parts:
        console.print(part)
    return "".join(line.rstrip() + "\n" for line in written.getvalue().splitlines())


def is_interactive(stream: TextIO) -> bool:
    """Whether a person with a capable terminal reads `stream`."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1, bold: Sequence[Any] = ()
) -> "Table":
    """A table of plain texts; the first `left` columns are set left, the others, figures, right.

    `bold` holds the (row, column) of cells to stress.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    result = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column, heading in enumerate(headings):
        result.add_column(Text(heading), justify="left" if column < left else "right", overflow="fold")
    for i, row in enumerate(rows):
        result.add_row(*(Text(cell, style="bold" if (i, j) in bold else "") for j, cell in enumerate(row)))
    return result
