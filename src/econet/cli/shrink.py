"""`econet shrink`: the smallest file within a stated budget."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from econet.cli import options
from econet.cli.ending import DONE, NO
from econet.cli.folders import again, output_folder, resume_command
from econet.cli.terminal import Terminal, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from econet.jobs.shrink_options import ShrinkOptions
    from econet.runs.shrink_records import Shrink


@options.command(example="econet shrink runs/shirts --max-latency-ms 0.2 --max-drop 0.01 --time 1h")
@click.argument("target", metavar="RUN|DATA")
@options.together(
    click.option("--max-latency-ms", type=float, metavar="F", help="Time of one picture: p50, batch 1, one thread."),
    click.option("--max-kb", type=float, metavar="F", help="Size of the file; 1 KB is 1,000 bytes."),
    click.option("--max-macs", type=int, metavar="N", help="Multiply-accumulates of one picture."),
    click.option("--max-drop", type=float, metavar="F", help="Accuracy you accept to lose; proven on test images."),
    click.option("--max-energy-mj", type=float, metavar="F", help="Energy of one picture, where it can be measured."),
    click.option("--trials", type=int, default=30, show_default=True, metavar="N", help="Networks to train and try."),
    click.option("--workers", type=int, metavar="N", help="Trainings at once, one thread each [default: one a core]."),
    click.option(
        "--baseline", default="alexnet_small", show_default=True, metavar="NAME", help="With DATA: what is shrunk."
    ),
    click.option(
        "--teacher",
        default="subject",
        show_default=True,
        metavar="RUN|subject|none",
        help="Who teaches what is found; the subject is what is shrunk.",
    ),
    click.option(
        "--proof",
        type=options.Named("proof", "test", "validation"),
        default="test",
        show_default=True,
        help="Images the loss is proven on; validation while you develop.",
    ),
    click.option("--open", "open_page", is_flag=True, help="Open the page in the browser."),
)
@options.length_options
@options.folder_options
@options.together(
    click.option("--batch-size", type=int, metavar="N", help="Images in a step [default: the network's own]."),
    options.augment_option,
    click.option("--deterministic", is_flag=True, help="Train with fixed choices. Needs --epochs."),
    options.threads_option,
    options.seed_option,
)
@options.data_options
def shrink(terminal: Terminal, *, target: str, out: Path | None, resume: bool, open_page: bool, **asked: Any) -> int:
    """Find the network that keeps a budget.

    RUN is a trained network that must get cheaper; for DATA a baseline is trained first. Networks are searched whose
    files keep the budget, the best are trained, and the file is proven. Exit code 1 where a budget is not kept: what
    comes nearest is told.
    """
    from econet.jobs.shrink_options import check_shrink_options

    folder = output_folder(out, resume=resume, data=target, model="shrink")
    asked |= options.length(asked)
    wanted = _wanted(target, asked)
    check_shrink_options(wanted)
    terminal.resume = resume_command(terminal.words, folder)
    terminal.note(f"writing {folder}")

    from econet.jobs.shrink import shrink as job

    record = job(folder, wanted, terminal.progress(), resume=resume)
    terminal.resume = None
    _present(terminal, folder, record)
    if open_page:
        import webbrowser

        webbrowser.open((folder / "page.html").resolve().as_uri())
    return DONE if record.kept else NO


def _wanted(target: str, asked: dict[str, Any]) -> "ShrinkOptions":
    """The options record: a folder that holds a run is shrunk itself, anything else is data."""
    from econet.jobs.options import DataOptions
    from econet.jobs.shrink_options import ShrinkOptions
    from econet.runs.folder import Run
    from econet.runs.shrink_records import Budgets

    names = ("max_latency_ms", "max_kb", "max_macs", "max_drop", "max_energy_mj")
    budgets = Budgets(**{name: asked[name] for name in names})
    if Run(Path(target)).exists:
        return options.settings(ShrinkOptions, asked, run=Path(target), budgets=budgets)
    data = options.settings(DataOptions, asked, source=target)
    return options.settings(ShrinkOptions, asked, data=data, budgets=budgets)


def _present(terminal: Terminal, folder: Path, record: "Shrink") -> None:
    """The front as a table, the answer as a sentence, where the page lies, and what to type next."""
    import msgspec

    page = folder / "page.html"
    shown = msgspec.to_builtins(record) | {"folder": str(folder), "page": str(page)}
    terminal.result(shown, human=lambda: _parts(record))
    terminal.note(f"page: {page}")
    if record.kept and record.proof is not None:
        terminal.note(f"next: econet predict {folder / record.proof.artifact} IMAGE")
    else:
        terminal.note(f"next: {_another_try(terminal, record)}")


def _parts(record: "Shrink") -> "list[RenderableType]":
    from rich.text import Text

    from econet.report import shrink_page

    parts: list[RenderableType] = []
    rows = shrink_page.front_rows(record)
    if rows:
        headings = ["Network", shrink_page.NAMES[record.cost], "File", "MACs", "Validation", "Epochs", "Trained on"]
        parts += ["", table(headings, rows)]
    if record.proof is not None and record.proof.budgets:
        held = [
            [
                shrink_page.NAMES[each.name],
                shrink_page.written(each.name, each.allowed),
                shrink_page.written(each.name, each.found),
                "kept" if each.kept else "broken",
            ]
            for each in record.proof.budgets
        ]
        parts += ["", table(["Budget", "Allowed", "Found", "Answer"], held)]
    answer = Text.assemble(
        (shrink_page.headline(record), "bold green" if record.kept else "bold red"), f". {shrink_page.detail(record)}"
    )
    return [*parts, "", answer, *(Text(f"warning: {warning}") for warning in record.warnings)]


def _another_try(terminal: Terminal, record: "Shrink") -> str:
    """The command that promises most: the least budget that would have been kept, or more time."""
    done = ("--out=", "--resume", "--json")
    if record.reachable is not None:
        options_of = {"latency_ms": "--max-latency-ms", "bytes": "--max-kb", "macs": "--max-macs"}
        over, cost = record.reachable.nearest.over, record.reachable.nearest.cost
        more = [word for name in over if name in options_of for word in (options_of[name], _met_by(name, cost))]
        return again(terminal.words, without=(*(f"{option}=" for option in more[::2]), *done), more=more)
    return again(terminal.words, without=("--time=", "--epochs=", *done), more=("--time", "2h"))


def _met_by(name: str, cost: Any) -> str:
    """A budget that a file of this cost keeps with the search's own margin."""
    value = float(getattr(cost, name, 0) or 0)
    if name == "macs":
        return str(round(value))
    return f"{1.15 * value / (1000 if name == 'bytes' else 1):.3g}"
