"""`econet sensitivity`: which layer costs how much when it is quantized or pruned."""

from pathlib import Path

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.terminal import Terminal, table


@options.command(example="econet sensitivity runs/shirts --images 1000")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--images", type=int, metavar="N", help="So many validation images instead of all.")
@options.data_dir_option
def sensitivity(terminal: Terminal, *, run: Path, images: int | None, data_dir: Path | None) -> int:
    """Show which layer costs how much.

    When quantized or pruned: every layer with weights is put into 8 bits alone, left in float while all others are in
    8 bits, and loses a quarter, half and three quarters of its channels. Written as sensitivity.json, .csv and .svg.
    """
    from econet.runs.folder import open_run

    opened = open_run(run)
    opened.config  # noqa: B018 - raises where the run is of no network

    from econet.jobs.sensitivity import FIGURE
    from econet.jobs.sensitivity import sensitivity as job
    from econet.report import numbers
    from econet.report.sensitivity import table_rows

    record = job(opened, terminal.progress(), images=images, data_dir=data_dir)
    headings, rows = table_rows(record)
    accuracy = numbers.percent(record.unchanged.accuracy, 2), numbers.percent(record.int8.accuracy, 2)
    terminal.result(
        record,
        human=lambda: [
            f"{run}: {accuracy[0]} of {record.data.images:,} validation images in float, {accuracy[1]} in int8",
            "",
            table(headings, rows, left=2),
            "",
            record.sentence,
        ],
    )
    terminal.note(f"figure: {run / FIGURE}")
    return DONE
