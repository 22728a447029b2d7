"""A comparison in one screen: the table of sides and the verdict."""

from typing import TYPE_CHECKING

from rich.text import Text

from econet.cli.terminal import table
from econet.report import words
from econet.report.table import COLUMNS, rows
from econet.runs.comparison_records import Comparison

if TYPE_CHECKING:
    from rich.console import RenderableType

# A terminal of 80 columns has room for these; the page shows all.
_SHOWN = ("Accuracy", "Parameters", "MACs", "File", "Time")
_COLOUR = {"yes": "bold green", "no": "bold red", "undecided": "bold yellow"}


def verdict_parts(comparison: Comparison) -> "list[RenderableType]":
    """The table of sides, best figures stressed, the verdict as a sentence, and the warnings."""
    columns = [index for index, column in enumerate(COLUMNS) if column.heading in _SHOWN]
    sides = rows(comparison.sides)
    cells = [
        [f"{side.role} {side.precision}", side.name, *(side.cells[index].text for index in columns)] for side in sides
    ]
    best = [(i, 2 + j) for i, side in enumerate(sides) for j, index in enumerate(columns) if side.cells[index].best]
    headings = ["Side", "Network", *(COLUMNS[index].heading for index in columns)]
    sentence, headline = words.verdict_sentence(comparison), words.headline(comparison)
    answer = Text.assemble((headline, _COLOUR[comparison.verdict]), sentence.removeprefix(headline))
    warnings = [Text(f"warning: {warning}") for warning in comparison.warnings]
    return ["", table(headings, cells, left=2, bold=best), "", answer, *warnings]
