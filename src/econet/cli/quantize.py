"""`econet quantize`: training goes on with fake quantization, until 8 bits cost next to nothing."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.folders import output_folder, resume_command
from econet.cli.options import Named
from econet.cli.terminal import Terminal
from econet.errors import UserError
from econet.jobs.options import QUANTIZE_EPOCHS, QUANTIZE_LR, QuantizeOptions, check_range
from econet.runs.choices import Augment

if TYPE_CHECKING:
    from econet.runs.folder import Run


@options.command(example="econet quantize runs/shirts --epochs 5")
@click.argument("run", metavar="RUN", required=False, type=click.Path(path_type=Path))
@options.together(
    click.option("--time", "time_s", type=options.Duration(), metavar="90s|5m|2h", help="Time to train."),
    click.option("--epochs", type=int, metavar="N", help=f"Passes over the training images [{QUANTIZE_EPOCHS}]."),
    click.option(
        "--lr", type=float, default=QUANTIZE_LR, show_default=True, metavar="F", help="Highest learning rate."
    ),
    click.option("--batch-size", type=int, metavar="N", help="Images in a step [default: the run's own]."),
    click.option("--augment", type=Named("augment", *get_args(Augment)), help="Variation [default: the run's own]."),
    options.mixing_options,
    options.parent_teacher_option,
    options.lesson_options,
    options.deterministic_option,
    options.device_option,
    options.threads_option,
    options.seed_option,
    options.data_dir_option,
)
@options.folder_options
def quantize(
    terminal: Terminal, *, run: Path | None, teachers: tuple[Path, ...], out: Path | None, resume: bool, **asked: Any
) -> int:
    """Train a run on with 8-bit rounding.

    The result is a run folder of its own, for networks that lose too much by `econet export --int8`. It is exported,
    evaluated and measured like any other; its file gives the very answers it was trained for. With --resume RUN may
    be left out.
    """
    check_range("--lr", asked["lr"], 1e-9, 100)
    parent = _parent(run, out, resume=resume)
    named = options.named_teachers(teachers)
    wanted = options.settings(QuantizeOptions, asked, teacher=named or None, taught=named is not None)
    config = parent.config
    folder = output_folder(out, resume=resume, data=config.data.name, model=f"{config.model}-quantized")
    terminal.resume = resume_command(terminal.words, folder)
    terminal.note(f"writing {folder}")

    from econet.jobs.quantize import quantize as job
    from econet.jobs.run_data import load_again

    dataset = load_again(config.data, data_dir=asked["data_dir"])
    made = job(folder, parent, dataset, wanted, terminal.progress(), resume=resume)
    terminal.resume = None

    from econet.report import numbers

    finished, before = made.finished, parent.finished
    terminal.result(
        {"folder": str(folder), "config": made.config, "finished": finished},
        human=lambda: [
            f"{folder}: validation accuracy with 8 bits {numbers.percent(finished.validation_accuracy, 2)} after "
            f"{finished.epochs} epochs in {numbers.seconds(finished.seconds)}, {parent.folder} in float "
            f"{numbers.percent(before.validation_accuracy, 2)}",
            *(f"warning: {warning}" for warning in made.config.warnings),
        ],
    )
    terminal.note(f"next: econet export {folder}")
    return DONE


def _parent(named: Path | None, out: Path | None, *, resume: bool) -> "Run":
    """The run to quantize: named, or the recorded parent of the one that is resumed."""
    from econet.runs.folder import open_run

    if named is not None:
        return open_run(named)
    if not resume or out is None:
        raise UserError("RUN is missing", "`econet quantize` goes on from a trained run", "econet quantize runs/shirts")

    from econet.jobs.quantize import parent_of

    return parent_of(open_run(out))
