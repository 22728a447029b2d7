"""`econet`: the entry of the terminal. A command's file is imported when it is called."""

import importlib
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from econet.cli.ending import ending, termination_raises
from econet.cli.terminal import Terminal
from econet.errors import unknown_name
from econet.version import __version__

# Each is a file of this room that holds a click command of the same name.
COMMANDS = (
    "compare",
    "train",
    "shrink",
    "evaluate",
    "benchmark",
    "export",
    "predict",
    "prove",
    "explain",
    "serve",
    "prune",
    "quantize",
    "sensitivity",
    "ledger",
    "show",
    "zoo",
    "recipe",
    "reproduce",
    "check",
)


class LazyGroup(click.Group):
    """A group whose commands are imported by name, when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command of that name. Raises UserError with the nearest names where there is none."""
        if cmd_name not in COMMANDS:
            raise unknown_name("command", cmd_name, COMMANDS)
        return getattr(importlib.import_module(f"econet.cli.{cmd_name}"), cmd_name)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExample:\n  econet compare fashion-mnist",
)
@click.version_option(__version__, message="econet %(version)s")
def econet() -> None:
    """The smallest network file that is still as good as an AlexNet-style baseline, and the proof of it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; without `arguments` those of the process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    terminal = Terminal(words)
    try:
        with termination_raises(), econet.make_context("econet", words, obj=terminal) as context:
            code = econet.invoke(context)
            terminal.out.flush()
            return code
    except BaseException as error:
        with suppress(BrokenPipeError):
            return ending(error, terminal)
        return ending(BrokenPipeError(), terminal)
    finally:
        _close_quietly()


def _close_quietly() -> None:
    """Flush both streams; one that takes no more is pointed nowhere, so that Python's exit is silent."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
