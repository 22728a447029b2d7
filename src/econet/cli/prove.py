"""`econet prove`: whether a file, and what runs it, still answer as when it was exported."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from econet.cli import options
from econet.cli.ending import DONE, NO
from econet.cli.targets import artifact
from econet.cli.terminal import Terminal, table
from econet.errors import UserError
from econet.runs.choices import RuntimeName

if TYPE_CHECKING:
    from rich.console import RenderableType

    from econet.runs.proof_records import Check, Replay

_FILE = click.Path(path_type=Path)


@options.command(example="econet prove model.int8.onnx --runtime openvino")
@click.argument("file", metavar="FILE|RUN|ZOO")
@options.together(
    click.option("--proof", type=_FILE, metavar="FILE", help="The proof [default: FILE's, *.proof.npz beside it]."),
    options.proof_runtime_option,
    click.option(
        "--answers",
        type=_FILE,
        metavar="FILE",
        help="Prove another program: its answers to the proof's photos, a .csv of logits or an .npz.",
    ),
    click.option("--photos", type=_FILE, metavar="FOLDER", help="Write the proof's photos there, and prove nothing."),
)
def prove(
    terminal: Terminal,
    *,
    file: str,
    proof: Path | None,
    runtime: RuntimeName | None,
    answers: Path | None,
    photos: Path | None,
) -> int:
    """Replay the proof that `export` wrote beside a file.

    Run it where the file will live: it decodes the proof's photos, resizes them and runs the file, and says what
    differs and why. Exit code 1 where anything does. Needs no torch.
    """
    path = artifact(file)

    from econet.jobs.prove import prove as job
    from econet.jobs.prove import unpack_photos

    if photos is not None:
        if answers is not None:
            raise UserError("--photos does not go with --answers", "it writes photos and proves nothing", "one of them")
        written = [str(each) for each in unpack_photos(_proof_of(path, proof), photos)]
        terminal.result({"photos": written}, human=lambda: written)
        return DONE
    replay = job(path, proof=proof, runtime=runtime, answers=answers)
    terminal.result(replay, human=lambda: _shown(replay))
    return DONE if replay.passed else NO


def _proof_of(path: Path, proof: Path | None) -> Path:
    from econet.deployment.proof.proof_file import proof_path

    return proof or proof_path(path)


def _shown(replay: "Replay") -> "list[RenderableType]":
    rows = [[check.stage, _compared(check), "as proven" if check.passed else "DIFFERS"] for check in replay.checks]
    parts: list[RenderableType] = [table(["Stage", "Compared", "Result"], rows, left=3)]
    if replay.passed:
        return [*parts, f"proven: {replay.subject} answers as when it was exported ({replay.runtime})"]
    for finding in replay.findings:
        parts.append(f"not proven: {finding.what}")
        if finding.photos:
            parts.append(f"  seen on: {', '.join(finding.photos)}")
        parts.append(f"  try: {finding.remedy}")
    return parts


def _compared(check: "Check") -> str:
    if check.largest_difference is None:
        return "digest and metadata" if check.stage == "file" else f"{check.photos} photos, not finite"
    unit = "logits" if check.stage in ("runtime", "answers") else "gray levels"
    return f"{check.photos} photos, up to {check.largest_difference:.3g} {unit}"
