"""`econet show`: a run in one screen, or in figures."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.terminal import Terminal
from econet.errors import UserError

if TYPE_CHECKING:
    from econet.report.figures import Alike, Figures
    from econet.runs.folder import Run

COMPARISON = "comparison.json"


@options.command(example="econet show runs/shirts")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("images", metavar="[IMAGE...]", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--figures", is_flag=True, help="Draw its first filters, answers and nearest pictures into RUN/figures.html."
)
@options.data_dir_option
def show(terminal: Terminal, *, run: Path, images: tuple[Path, ...], figures: bool, data_dir: Path | None) -> int:
    """Show a run in one screen, or in figures.

    Its data, network, plan, machine, history and files; of a comparison's folder the table and the verdict. With
    --figures, which needs torch and the run's data, the pictures shown are each IMAGE, or eight test images.
    """
    if figures:
        return _figures(terminal, run, images, data_dir)
    if images:
        raise UserError(
            f"{images[0]} was given without --figures",
            "pictures are shown among the figures of a run",
            f"econet show {run} --figures {images[0]}",
        )
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


def _figures(terminal: Terminal, folder: Path, images: tuple[Path, ...], data_dir: Path | None) -> int:
    from econet.report.figures_page import colour_words, purity_words, write_figures
    from econet.runs.folder import open_run

    if (folder / COMPARISON).is_file():
        raise UserError(
            f"{folder} is a comparison", "figures are those of one network", f"econet show {folder}/baseline --figures"
        )
    opened = open_run(folder)

    from econet.jobs.figures import run_figures

    made = run_figures(opened, images, terminal.progress(), data_dir=data_dir)
    page = write_figures(folder, made)
    said = [text for text in (colour_words(made), purity_words(made)) if text]
    terminal.result(_figures_record(made, page), human=lambda: [*said, f"page: {page}"])
    return DONE


def _figures_record(figures: "Figures", page: Path) -> dict[str, Any]:
    """The figures' numbers; the pictures lie in the page alone."""
    names = figures.classes
    return {
        "page": str(page),
        "columns": [
            {
                "filters": len(column.filters),
                "colourfulness": None if column.colourfulness is None else float(column.colourfulness.mean()),
            }
            for column in figures.columns
        ],
        "p_value": figures.p_value,
        "purity": {"hidden": figures.purity("by_hidden"), "pixels": figures.purity("by_pixels")},
        "images": [
            {
                "image": shown.name,
                "class": None if shown.truth is None else names[shown.truth],
                "predictions": [{"label": names[label], "probability": share} for label, share in shown.top],
                "nearest_hidden": _near(shown.by_hidden, names),
                "nearest_pixels": _near(shown.by_pixels, names),
            }
            for shown in figures.shown
        ],
    }


def _near(found: "tuple[Alike, ...]", names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"class": names[each.label], "distance": each.distance, "position": each.position} for each in found]


def _record(run: "Run") -> dict[str, Any]:
    from econet.cli.run_screen import records_of

    return {
        "folder": str(run.folder),
        "config": run.recorded,
        "finished": run.finished if run.is_finished else None,
        "history": run.history,
        "artifacts": [{"file": path.name, "bytes": path.stat().st_size} | records_of(path) for path in run.artifacts()],
    }
