"""`econet show`: a run in one screen."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.terminal import Terminal

if TYPE_CHECKING:
    from econet.runs.folder import Run

COMPARISON = "comparison.json"


@options.command(example="econet show runs/shirts")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
def show(terminal: Terminal, *, run: Path) -> int:
    """Show a run in one screen.

    Its data, network, plan, machine, history and files; of a comparison's folder the table and the verdict.
    """
    if (run / COMPARISON).is_file():
        from econet.cli.compare import present
        from econet.runs.comparison_records import Comparison
        from econet.runs.record import read_record

        present(terminal, run, read_record(run / COMPARISON, Comparison))
        return DONE

    from econet.cli.run_screen import screen
    from econet.runs.folder import open_run

    opened = open_run(run)
    terminal.result(_record(opened), human=lambda: screen(opened))
    return DONE


def _record(run: "Run") -> dict[str, Any]:
    from econet.cli.run_screen import records_of

    return {
        "folder": str(run.folder),
        "config": run.config,
        "finished": run.finished if run.is_finished else None,
        "history": run.history,
        "artifacts": [{"file": path.name, "bytes": path.stat().st_size} | records_of(path) for path in run.artifacts()],
    }
