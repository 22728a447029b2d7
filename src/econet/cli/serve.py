"""`econet serve`: a page on this machine to try networks in."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.targets import artifact
from econet.cli.terminal import Terminal, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from econet.serving.networks import Network


@options.command(example="econet serve fashion-mnist-econet-76k --open")
@click.argument("files", metavar="FILE|RUN|ZOO...", nargs=-1, required=True)
@click.option(
    "--port",
    type=click.IntRange(min=0, max=65535),
    metavar="N",
    help="Port on this machine; 0: any [default: the first free one from 8000].",
)
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
@options.data_dir_option
def serve(
    terminal: Terminal, *, files: tuple[str, ...], port: int | None, open_page: bool, data_dir: Path | None
) -> int:
    """Try networks in a page on this machine.

    Upload, paste, photograph or draw a picture; every network answers side by side. The page is reached from this
    machine alone and needs no internet. Ctrl-C stops it. Needs no torch.
    """
    paths = [artifact(each) for each in files]

    from econet.serving.networks import open_networks
    from econet.serving.server import serve as run

    networks = open_networks(paths)

    def ready(url: str) -> None:
        record = {"url": url, "networks": [{"name": each.name, "file": str(each.path)} for each in networks]}
        terminal.result(record, human=lambda: _shown(networks, url))
        terminal.note("Ctrl-C stops it")
        if open_page:
            import webbrowser

            webbrowser.open(url)

    run(networks, port=port, data_dir=data_dir, ready=ready)
    terminal.note("stopped")
    return DONE


def _shown(networks: "list[Network]", url: str) -> "list[RenderableType]":
    from econet.report import numbers
    from econet.serving.description import accuracy_of

    rows = [[each.name, numbers.file_size(each.bytes), accuracy_of(each)] for each in networks]
    return [table(["Network", "File", "Accuracy"], rows), url]
