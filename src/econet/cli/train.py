"""`econet train`: one network, one run folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.folders import output_folder, resume_command
from econet.cli.options import Named, Switch
from econet.cli.terminal import Terminal
from econet.errors import UserError
from econet.jobs.options import USUAL_MODEL, DataOptions, TrainOptions, check_train_options
from econet.runs.choices import ColourNoise, ColourReading

if TYPE_CHECKING:
    from econet.data.dataset import Dataset


@options.command(example="econet train cifar10 --model alexnet_small --epochs 20")
@click.argument("data", metavar="DATA", required=False)
@options.together(
    click.option(
        "--model",
        metavar="NAME",
        help="Catalog name, or package.module:function, whose code is run [default: econet, or that of --from].",
    ),
    options.distillation_options,
    click.option(
        "--from",
        "start",
        type=click.Path(path_type=Path),
        metavar="RUN|ZOO",
        help="Start from the weights of a run or a shipped artifact.",
    ),
    click.option(
        "--thaw",
        type=float,
        metavar="F",
        help="Share of training in which the last layer learns alone, with --from; 1: always [default: 0.25 where it "
        "is new].",
    ),
    click.option(
        "--self-supervised",
        is_flag=True,
        help="Read no labels: learn how pictures are turned, as a start for --from. DATA may be a folder of pictures.",
    ),
    click.option("--width", type=float, metavar="F", help="Width of the network [default: the model's own]."),
    click.option(
        "--switch",
        "switches",
        type=Switch(),
        multiple=True,
        metavar="NAME=VALUE",
        help="A switch of the model, such as lrn=false; may be given several times.",
    ),
)
@options.length_options
@options.folder_options
@options.training_options_by_size
@options.together(
    click.option(
        "--bias-lr", type=float, metavar="F", help="Rate of the biases, which no schedule moves [default: as --lr]."
    ),
    click.option(
        "--colour-noise",
        type=Named("reading", *get_args(ColourReading)),
        help="Noise along the pixels' principal colours [default: none].",
    ),
    options.mixing_options,
    options.regularisation_options,
    click.option("--tune", type=int, metavar="N", help="First search rate, decay, smoothing, augmentation: N trials."),
    click.option("--patience", type=int, metavar="N", help="Stop after N epochs no better on half of validation."),
)
@options.data_options
def train(terminal: Terminal, *, data: str | None, out: Path | None, resume: bool, **asked: Any) -> int:
    """Train one network and keep all of it in a run folder.

    DATA is fashion-mnist, cifar10, cifar100, imagenet or a folder of class folders; with --resume it may be left out.
    """
    named = asked["model"] or (asked["start"].name if asked["start"] else USUAL_MODEL)
    folder = output_folder(out, resume=resume, data=data or "", model=named)
    asked |= options.length(asked)
    asked["switches"] = dict(asked["switches"])
    asked["teacher"] = asked["teacher"] or None
    if asked["colour_noise"] is not None:
        asked["colour_noise"] = ColourNoise(reading=asked["colour_noise"])
    wanted = options.settings(TrainOptions, asked)
    check_train_options(wanted)
    if data is None and not resume:
        raise UserError("DATA is missing", "`econet train` needs images to learn from", "econet train fashion-mnist")
    terminal.resume = resume_command(terminal.words, folder)
    terminal.note(f"writing {folder}")

    from econet.jobs.run_data import load
    from econet.jobs.train import train as job

    dataset = _recorded(folder, asked) if data is None else load(_wanted_data(data, asked))
    wanted = _tuned(terminal, folder, dataset, wanted, asked["tune"])
    run = job(folder, dataset, wanted, terminal.progress(), resume=resume)
    terminal.resume = None

    from econet.report import numbers

    finished, unlabelled = run.finished, run.recorded.data.unlabelled
    what = "turned pictures told right on validation" if unlabelled else "validation accuracy"
    terminal.result(
        {"folder": str(folder), "config": run.recorded, "finished": finished},
        human=lambda: [
            f"{folder}: {what} {numbers.percent(finished.validation_accuracy)} "
            f"after {finished.epochs} epochs in {numbers.seconds(finished.seconds)}"
            + (", still improving" if finished.still_improving else "")
        ],
    )
    following = "evaluate {}" if "handcrafted" in run.recorded.architecture else "export {} --int8"
    terminal.note(f"next: econet {('train DATA --from {}' if unlabelled else following).format(folder)}")
    return DONE


def _wanted_data(data: str, asked: dict[str, Any]) -> DataOptions:
    return options.settings(DataOptions, asked, source=data, unlabelled=asked["self_supervised"])


def _tuned(
    terminal: Terminal, folder: Path, dataset: "Dataset", wanted: TrainOptions, trials: int | None
) -> TrainOptions:
    """What to train with: as asked, or the best of `trials` settings; a run that began keeps its own."""
    from econet.runs.folder import Run

    if trials is None or Run(folder).exists:
        return wanted
    from econet.jobs.tune import tune

    return tune(folder, dataset, wanted, trials, terminal.progress())


def _recorded(folder: Path, asked: dict[str, Any]) -> "Dataset":
    from econet.jobs.run_data import load_recorded
    from econet.runs.folder import open_run

    return load_recorded(open_run(folder).recorded.data, data_dir=asked["data_dir"], skip_bad=asked["skip_bad"])
