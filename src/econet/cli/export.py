"""`econet export`: the file that ships, and the proof that it gives the same answers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from econet.cli import options
from econet.cli.ending import DONE, NO
from econet.cli.terminal import Terminal
from econet.runs.choices import Format

FORMATS: tuple[Format, ...] = ("onnx", "litert", "openvino", "executorch", "c")

if TYPE_CHECKING:
    from econet.runs.artifact_records import Export


@options.command(example="econet export runs/shirts --int8")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@options.together(
    click.option(
        "--to",
        type=options.Named("format", *FORMATS),
        default="onnx",
        show_default=True,
        help="File format: of ONNX Runtime, LiteRT, OpenVINO, ExecuTorch, or a C array of LiteRT's.",
    ),
    click.option("--int8", is_flag=True, help="Static 8-bit quantization, calibrated on training images."),
    click.option(
        "--parity-drop",
        type=float,
        default=0.02,
        show_default=True,
        metavar="F",
        help="Largest loss of validation accuracy that int8 may bring.",
    ),
    click.option(
        "--prove-in",
        type=options.Named("runtime", "openvino"),
        help="Prove the ONNX file in this runtime too.",
    ),
    options.data_dir_option,
)
def export(terminal: Terminal, *, run: Path, **asked: Any) -> int:
    """Write the file that ships and prove its answers.

    The file needs no torch; its answers are compared with the network's on validation images. Exit code 1 where they
    differ: the file is then kept beside its place as *.failed.*. A quantized run gives its int8 file. Formats other
    than ONNX have a sidecar, FILE.json, with classes and preprocessing, and need their extra installed.
    """
    from econet.jobs.options import check_range
    from econet.runs.folder import open_run

    check_range("--parity-drop", asked["parity_drop"], 0, 1)
    opened = open_run(run)

    from econet.deployment.parity import ParityBroken
    from econet.jobs.export_target import export_as

    try:
        exported = export_as(opened, progress=terminal.progress(), **asked)
    except ParityBroken as broken:
        reason = str(broken)
        terminal.result({"passed": False, "reason": reason}, human=lambda: [f"parity is broken: {reason}"])
        if asked["int8"] and "quantized" not in opened.config.architecture:
            terminal.note(f"next: econet quantize {run}, where 8 bits cost the network its answers")
        return NO

    path = run / exported.file
    terminal.result(exported, human=lambda: _screen(exported, path))
    terminal.note(f"next: {_following(exported, run, path)}")
    return DONE


def _screen(exported: "Export", path: Path) -> list[str]:
    """The file, its proofs, the accuracy before and after, and what there is to warn of."""
    from econet.report import numbers

    parity, accuracy = exported.parity, exported.accuracy_validation
    return [
        f"{path}: {exported.format}, {exported.precision}, {numbers.file_size(exported.bytes)}",
        f"parity holds: {numbers.percent(parity.top1_agreement, 2)} same answers "
        f"on {parity.images:,} stored images and {parity.files:,} files",
        *(
            f"in {each.runtime} {each.version} too: {numbers.percent(each.parity.top1_agreement, 2)} same answers"
            for each in exported.proven_in
        ),
        f"validation accuracy {numbers.percent(accuracy.artifact, 2)}, before export "
        f"{numbers.percent(accuracy.network, 2)}",
        *(f"warning: {warning}" for warning in exported.warnings),
    ]


def _following(exported: "Export", run: Path, path: Path) -> str:
    """The command to type next: the remedy where static int8 cost much."""
    if any("econet quantize" in warning for warning in exported.warnings):
        return f"econet quantize {run}"
    if exported.format == "c":
        return f"compile {path} into your program and include its header"
    return f"econet evaluate {run}, or econet predict {path} IMAGE"
