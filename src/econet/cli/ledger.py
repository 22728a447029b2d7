"""`econet ledger`: which step cost what."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.options import Named
from econet.cli.terminal import Terminal, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from econet.runs.ledger_records import Ledger

# A terminal of 80 columns has room for these; the page shows all.
_SHOWN = ("Step", "Points", "95 % interval", "File", "Time")


@options.command(example="econet ledger runs/shirts")
@click.argument("targets", metavar="RUN|COMPARISON", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--proof", type=Named("proof", "test", "validation"), default="test", show_default=True, help="Which images tell."
)
@click.option("--images", type=int, metavar="N", help="So many validation images to choose by instead of all.")
@options.data_dir_option
def ledger(
    terminal: Terminal, *, targets: tuple[Path, ...], proof: str, images: int | None, data_dir: Path | None
) -> int:
    """Show which step cost what.

    From the large network over every step to the 8-bit file: accuracy lost with its interval, answers changed,
    calibration, bytes, computation and time, and the layer that cost most. Ways to make the 8-bit file are tried on
    validation images. A run brings the runs it was made from; several runs are steps in the order given. Written as
    ledger.json, and on the page of a comparison.
    """
    from econet.jobs.ledger import ledger as job

    path, record = job(
        targets,
        terminal.progress(),
        proof=cast("Literal['test', 'validation']", proof),
        images=images,
        data_dir=data_dir,
    )
    terminal.result(record, human=lambda: _screen(record))
    terminal.note(f"record: {path}")
    return DONE


def _screen(record: "Ledger") -> "list[RenderableType]":
    """Both tables and what they come to."""
    from econet.report.ledger import HEADINGS, REMEDY_HEADINGS, remedy_rows, step_rows, whole_row

    rows = [*step_rows(record.steps), whole_row(record.steps, record.whole)]
    shown = [HEADINGS.index(heading) for heading in _SHOWN]
    return [
        f"what each step cost on {record.data.images:,} {record.data.split} images, {record.data.name}",
        "",
        table(_SHOWN, [[row[index] for index in shown] for row in rows], left=1),
        "",
        f"ways to 8 bits on {record.data.validation_images:,} validation images",
        "",
        table(REMEDY_HEADINGS, remedy_rows(record.remedies), left=1),
        "",
        *record.sentences,
        *(f"warning: {warning}" for warning in record.warnings),
    ]
