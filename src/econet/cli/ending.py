"""How a command ends: what is said, and the exit code.

0 done, and yes; 1 done, and the answer is no; 2 the user can put it right; 70 a bug; 128 + n stopped by signal n.
"""

import errno
import signal
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

import click

from econet.cli.terminal import Terminal
from econet.errors import UserError, is_out_of_memory
from econet.training.interruption import Interrupted

DONE = 0
NO = 1
MEND = 2
BUG = 70
_SIGNALLED = 128
# Which extra of the package brings a module that only some commands need.
_EXTRA_OF = {"torch": "train", "onnxscript": "train", "optuna": "search", "uvicorn": "demo", "starlette": "demo"}


class Terminated(BaseException):
    """SIGTERM outside the training loop, which has its own way to stop."""


@contextmanager
def termination_raises() -> Generator[None]:
    """While this lasts SIGTERM raises Terminated, so that files and locks are let go in order."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def ending(error: BaseException, terminal: Terminal) -> int:
    """Say on standard error why a command ended with `error`, and return its exit code."""
    mendable = as_user_error(error)
    if mendable is not None:
        terminal.error(mendable)
        return MEND
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.exceptions.NoArgsIsHelpError():
            print(error.format_message(), file=terminal.err)
            return MEND
        case Interrupted():
            return _stopped(error.number, terminal)
        case KeyboardInterrupt() | click.Abort():
            return _stopped(signal.SIGINT, terminal)
        case Terminated():
            return _stopped(signal.SIGTERM, terminal)
        case BrokenPipeError():
            return _SIGNALLED + signal.SIGPIPE
        case _ if _is_broken_parity(error):
            print(f"parity is broken: {error}", file=terminal.err)
            return NO
        case _:
            return _bug(error, terminal)


def as_user_error(error: BaseException) -> UserError | None:
    """The error in the shape of a UserError where the user can mend it; None where not."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, click.UsageError) and not isinstance(error, click.exceptions.NoArgsIsHelpError):
        return _usage(error)
    if is_out_of_memory(error):
        return UserError(
            "out of memory",
            str(error).split("\n")[0] or "the system gave no more",
            "a smaller --batch-size or --image-size, or close other programs",
        )
    if isinstance(error, ModuleNotFoundError) and error.name in _EXTRA_OF:
        return UserError(
            f"{error.name} is not installed",
            "this command needs it; predictions and measurements of files do without",
            f'pip install "econet[{_EXTRA_OF[error.name]}]"',
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" for {error.filename}" if error.filename else ""
        return UserError(
            f"no room on the disk{where}",
            error.strerror or str(error),
            "free some space, or choose another folder with --out; what was written before is unharmed",
        )
    return None


def _is_broken_parity(error: BaseException) -> bool:
    """Whether a job on its way exported a file that answers otherwise; the class is looked up only now, for speed."""
    from econet.deployment.parity import ParityBroken

    return isinstance(error, ParityBroken)


def _usage(error: click.UsageError) -> UserError:
    """A slip on the command line, in the one shape of errors."""
    context = error.ctx
    path = context.command_path if context is not None else "econet"
    help_command = f"{path} --help"
    if isinstance(error, click.NoSuchOption):
        near = " or ".join(error.possibilities or ())
        remedy = f"did you mean {near}?" if near else help_command
        return UserError(f"unknown option {error.option_name}", f"`{path}` has no such option", remedy)
    if isinstance(error, click.MissingParameter):
        name = error.param.make_metavar(context) if error.param is not None and context is not None else "an argument"
        return UserError(f"{name} is missing", f"`{path}` needs it", help_command)
    if isinstance(error, click.BadParameter) and error.param is not None and context is not None:
        hint = error.param.get_error_hint(context)
        return UserError(f"wrong value for {hint}", _clause(error.message), help_command)
    return UserError(f"`{path}` was not understood", _clause(error.message), help_command)


def _clause(message: str) -> str:
    text = message.strip().rstrip(".")
    return text[:1].lower() + text[1:]


def _stopped(number: int, terminal: Terminal) -> int:
    print("stopped", file=terminal.err)
    if terminal.resume is not None and terminal.is_first:
        print(f"go on with: {terminal.resume}", file=terminal.err)
    return _SIGNALLED + number


def _bug(error: BaseException, terminal: Terminal) -> int:
    print("".join(traceback.format_exception(error)), end="", file=terminal.err)
    print("this is a bug in EcoNet: please report it with the lines above", file=terminal.err)
    return BUG
