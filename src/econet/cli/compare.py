"""`econet compare`: may the small network ship in place of the baseline?"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from econet.cli import options
from econet.cli.ending import DONE, NO
from econet.cli.folders import again, output_folder, resume_command
from econet.cli.terminal import Terminal
from econet.jobs.options import CompareOptions, DataOptions, check_compare_options

if TYPE_CHECKING:
    from econet.runs.comparison_records import Comparison

PAGE = "page.html"


@options.command(example="econet compare fashion-mnist --time 5m --open")
@click.argument("data", metavar="DATA")
@options.together(
    click.option(
        "--baseline", default="alexnet_small", show_default=True, metavar="NAME|RUN|FILE", help="The large side."
    ),
    click.option("--candidate", default="econet", show_default=True, metavar="NAME|RUN|FILE", help="The small side."),
    click.option(
        "--teacher",
        default="baseline",
        show_default=True,
        metavar="RUN|NAME|none",
        help="Who teaches the candidate.",
    ),
    click.option(
        "--margin", type=float, default=0.01, show_default=True, metavar="F", help="Accuracy you accept to lose."
    ),
    click.option(
        "--proof",
        type=options.Named("proof", "test", "validation"),
        default="test",
        show_default=True,
        help="Images the verdict is about; validation while you develop.",
    ),
    click.option("--seeds", type=int, default=1, show_default=True, metavar="N", help="Repeat with N seeds."),
    click.option("--folds", type=int, metavar="K", help="Deal the pictures into K parts; each is proof once."),
    click.option("--open", "open_page", is_flag=True, help="Open the page in the browser."),
    click.option(
        "--width",
        type=float,
        metavar="F",
        help="Candidate's width [default: econet's, a tenth of the baseline's MACs].",
    ),
)
@options.length_options
@options.folder_options
@options.training_options
@options.data_options
def compare(terminal: Terminal, *, data: str, out: Path | None, resume: bool, open_page: bool, **asked: Any) -> int:
    """Tell whether a small network may ship in place of a baseline.

    Trains both on DATA, compresses the small one, measures the files and draws a page. DATA is fashion-mnist, cifar10,
    cifar100 or a folder of class folders. Exit code 0 for yes, 1 for no or undecided.
    """
    folder = output_folder(out, resume=resume, data=data, model="compare")
    asked |= options.length(asked)
    asked["data"] = options.settings(DataOptions, asked, source=data)
    wanted = options.settings(CompareOptions, asked)
    check_compare_options(wanted)
    terminal.resume = resume_command(terminal.words, folder)
    terminal.note(f"writing {folder}")

    from econet.jobs.repeats import compare as job

    comparison = job(folder, wanted, terminal.progress(), resume=resume)
    terminal.resume = None
    page = folder / PAGE
    present(terminal, folder, comparison)
    if comparison.verdict != "yes" and comparison.seconds.training > 0:
        terminal.note(f"next: {_another_try(terminal, asked, comparison)}")
    if open_page and page.exists() and terminal.is_first:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
    return DONE if comparison.verdict == "yes" else NO


def present(terminal: Terminal, folder: Path, comparison: "Comparison") -> None:
    """Print the table of sides, the verdict as a sentence and where the page lies."""
    import msgspec

    from econet.cli.verdict import verdict_parts
    from econet.report import words

    page = folder / PAGE
    record = msgspec.to_builtins(comparison) | {"folder": str(folder), "page": str(page) if page.exists() else None}
    terminal.result(record, human=lambda: verdict_parts(comparison))
    if page.exists():
        terminal.note(f"page: {page}")
    if comparison.verdict == "yes":
        _, candidate = words.proof_sides(comparison)
        terminal.note(f"next: econet predict {folder / candidate.artifact} IMAGE")


def _another_try(terminal: Terminal, asked: dict[str, Any], comparison: "Comparison") -> str:
    """The command that promises most: a wider candidate where it had stopped improving, else a longer training."""
    from econet.report import words

    _, candidate = words.proof_sides(comparison)
    done = ("--out=", "--resume", "--json")
    stopped = candidate.training is not None and not candidate.training.still_improving
    if stopped and asked["candidate"].partition(":")[0] == "econet":
        wider = f"{2 * (asked['width'] or 1):g}"
        return again(terminal.words, without=("--width=", *done), more=("--width", wider))
    return again(terminal.words, without=("--time=", "--epochs=", *done), more=_twice(asked))


def _twice(asked: dict[str, Any]) -> tuple[str, str]:
    if asked["epochs"] is not None:
        return "--epochs", str(2 * asked["epochs"])
    return "--time", f"{2 * asked['time_s']:g}s"
