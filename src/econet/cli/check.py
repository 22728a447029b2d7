"""`econet check`: what is wrong with a data set, before it misleads."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from econet.cli import options
from econet.cli.ending import DONE, NO
from econet.cli.folders import output_folder, resume_command
from econet.cli.terminal import Terminal, table

if TYPE_CHECKING:
    from econet.runs.check_records import Check


@options.command(example="econet check photos/ --time 5m --open")
@click.argument("data", metavar="DATA")
@options.together(
    click.option("--quick", is_flag=True, help="Leave the labels out: seconds instead of minutes, and no torch."),
    click.option("--open", "open_page", is_flag=True, help="Open the page in the browser."),
)
@options.length_options
@options.folder_options
@options.together(
    options.deterministic_option,
    options.device_option,
    options.threads_option,
    options.seed_option,
)
@options.data_options
def check(
    terminal: Terminal, *, data: str, out: Path | None, resume: bool, quick: bool, open_page: bool, **asked: Any
) -> int:
    """Look a data set over before it misleads.

    Finds pictures that are twice in DATA, in two splits or under two labels; labels that are likely wrong; classes
    missing from a split; odd sizes and unreadable files; and tells the smallest loss of accuracy the test split can
    show. Writes a page and findings.csv. Exit code 1 where a comparison would be void: a class has no picture in a
    split, a test picture is in training pixel for pixel, or more than 5 % of the test pictures have a near duplicate
    there.
    """
    folder = output_folder(out, resume=resume, data=data, model="check")
    if not quick:
        asked |= options.length(asked)
    terminal.resume = resume_command(terminal.words, folder)
    terminal.note(f"writing {folder}")

    from econet.jobs.check import CheckOptions
    from econet.jobs.check import check as job
    from econet.jobs.options import DataOptions, TrainOptions

    wanted = CheckOptions(
        data=options.settings(DataOptions, asked, source=data),
        training=None if quick else options.settings(TrainOptions, asked),
    )
    record = job(folder, wanted, terminal.progress(), resume=resume)
    terminal.resume = None
    _present(terminal, folder, record)
    if open_page:
        import webbrowser

        webbrowser.open((folder / "page.html").resolve().as_uri())
    return NO if record.void else DONE


def _present(terminal: Terminal, folder: Path, record: "Check") -> None:
    """The counts of each split, what was found, and where it lies."""
    import msgspec

    from econet.report.check_page import PAGE, TABLE, headline, said

    shown = msgspec.to_builtins(record) | {"folder": str(folder), "page": str(folder / PAGE)}
    rows = [
        [
            each.split,
            f"{each.images:,}",
            str(len(each.per_class) - len(each.missing)),
            f"{each.imbalance:.1f}" if each.imbalance else "",
        ]
        for each in record.splits
    ]
    terminal.result(
        shown,
        human=lambda: [
            table(["Split", "Pictures", "Classes", "Largest over smallest class"], rows),
            "",
            f"{headline(record)}.",
            *(f"- {sentence}" for sentence in said(record)),
            *(f"warning: {warning}" for warning in record.warnings),
        ],
    )
    terminal.note(f"page: {folder / PAGE}")
    terminal.note(f"findings: {folder / TABLE}")
    terminal.note(f"next: {_following(record, folder)}")


def _following(record: "Check", folder: Path) -> str:
    """What to type next."""
    if record.void or record.findings:
        return f"look at {folder / 'page.html'}, mend what {folder / 'findings.csv'} lists, then check again"
    return f"econet compare {record.data.source}"
