"""`econet prune`: a narrower network out of a trained one, proven and trained on."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.folders import output_folder, resume_command
from econet.cli.options import Named
from econet.cli.terminal import Terminal, table
from econet.errors import UserError
from econet.jobs.options import PruneOptions, TrainOptions, check_prune_options
from econet.runs.choices import Importance

if TYPE_CHECKING:
    from rich.console import RenderableType

    from econet.runs.folder import Run


@options.command(example="econet prune runs/shirts --ratio 0.5 --epochs 10")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@options.together(
    click.option("--ratio", type=float, metavar="R", help="Share of the MACs to take away, 0 to 1."),
    click.option(
        "--keep",
        type=options.LayerWidth(),
        multiple=True,
        metavar="LAYER=N",
        help="Leave a layer N channels, whatever the ratio; without --ratio the others stay whole. Repeatable.",
    ),
    click.option(
        "--importance",
        type=Named("importance", *get_args(Importance)),
        default="magnitude",
        show_default=True,
        help="What tells the channels that may go: size of weights, slope of the loss, scale of batch norm.",
    ),
    click.option(
        "--iterations",
        type=int,
        default=1,
        show_default=True,
        metavar="N",
        help="Cut and train on in N steps, each with its own --epochs.",
    ),
    click.option("--drop-lrn", is_flag=True, help="Put constants in the place of local response normalisation first."),
    click.option("--drop-mean", is_flag=True, help="Put one offset in the place of the mean image first."),
    click.option("--dropout", type=float, metavar="F", help="Dropout from then on [default: as the run has it]."),
    options.parent_teacher_option,
    options.lesson_options,
    options.match_features_option,
)
@options.length_options
@options.folder_options
@options.training_options
@options.mixing_options
@options.regularisation_options
@options.data_dir_option
def prune(
    terminal: Terminal,
    *,
    run: Path,
    ratio: float | None,
    keep: tuple[tuple[str, int], ...],
    teachers: tuple[Path, ...],
    out: Path | None,
    resume: bool,
    **asked: Any,
) -> int:
    """Remove channels from a trained network and train it on.

    The result is a run of its own. What is removed is really gone, and proven to be the right thing; layers that
    cannot be cut stay, and are named. With --epochs 0 the network is cut and not trained.
    """
    from econet.runs.folder import open_run

    if ratio is None and not keep:
        raise UserError("--ratio R is missing", "it is the share of the MACs to take away", "--ratio 0.5")
    asked |= {"ratio": ratio or 0.0, "keep": dict(keep)} | options.length(asked)
    named = options.named_teachers(teachers)
    teacher = "none" if named is None else named or "parent"
    wanted = options.settings(PruneOptions, asked, teacher=teacher, tuning=options.settings(TrainOptions, asked))
    check_prune_options(wanted)
    origin = open_run(run)
    config = origin.config
    folder = output_folder(out, resume=resume, data=config.data.name, model=f"{config.model}-pruned")
    terminal.resume = resume_command(terminal.words, folder)
    terminal.note(f"writing {folder}")

    from econet.jobs.prune import prune as job
    from econet.jobs.run_data import load_again

    dataset = load_again(config.data, data_dir=asked["data_dir"])
    made = job(origin, folder, dataset, wanted, terminal.progress(), resume=resume)
    terminal.resume = None
    terminal.result(
        {"folder": str(folder), "config": made.config, "pruning": made.pruning, "finished": made.finished},
        human=lambda: _screen(origin, made),
    )
    terminal.note(f"next: econet export {folder} --int8")
    return DONE


def _screen(origin: "Run", made: "Run") -> "list[RenderableType]":
    """The widths layer by layer, what went, and the accuracy before and after."""
    from econet.report import numbers

    record = made.pruning
    rows = [[each.layer, str(each.before), str(each.after)] for each in record.layers if each.before != each.after]
    pairs = zip(("MACs", "parameters", "bytes"), ("macs", "parameters", "bytes"), strict=True)
    gone = [
        f"{numbers.percent(getattr(record.removed, name))} of the {words} "
        f"({getattr(record.origin_sizes, name):,} -> {getattr(record.after, name):,})"
        for words, name in pairs
    ]
    accuracies = [numbers.percent(each.finished.validation_accuracy) for each in (origin, made)]
    return [
        table(["Layer", "Channels", "Now"], rows),
        "",
        f"gone: {', '.join(gone)}",
        *(f"{each.layer} keeps {each.channels} of {each.of} channels: {each.reason}" for each in record.held),
        f"proof: the same answers as with those channels at zero, to {record.proof.max_difference:.1e} of the largest "
        f"({record.proof.number_type}, {record.proof.images} images)",
        f"{made.folder}: validation accuracy {accuracies[1]}, before {accuracies[0]}",
    ]
