"""`econet evaluate`: how good a file is on images it never learned from."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.targets import target as find_target
from econet.cli.terminal import Terminal, table
from econet.jobs.options import DataOptions

if TYPE_CHECKING:
    from rich.console import RenderableType

    from econet.runs.artifact_records import Evaluation

_CLASSES_SHOWN = 12
_CONFUSIONS_SHOWN = 5


@options.command(example="econet evaluate runs/shirts --data fashion-mnist")
@click.argument("target", metavar="RUN|FILE|ZOO")
@options.together(
    click.option("--data", metavar="DATA", help="Images to read [default: those the run was made with]."),
    click.option(
        "--split",
        type=options.Named("split", "test", "validation"),
        default="test",
        show_default=True,
        help="Which part of them. Each read of the test images is counted.",
    ),
    options.data_dir_option,
    click.option("--download", is_flag=True, help="Fetch a known data set that is not on this machine."),
    click.option("--skip-bad", is_flag=True, help="Set files that cannot be decoded aside and go on."),
)
def evaluate(
    terminal: Terminal,
    *,
    target: str,
    data: str | None,
    split: str,
    data_dir: Path | None,
    download: bool,
    skip_bad: bool,
) -> int:
    """Measure accuracy on images the network never learned from.

    For every file of a run, or for one file: accuracy with its interval, each class, calibration, confusions.
    """
    found = find_target(target)
    asked = None if data is None else DataOptions(data, data_dir=data_dir, download=download, skip_bad=skip_bad)

    from econet.jobs.evaluate import evaluate as job

    part = "test" if split == "test" else "validation"
    evaluations = job(found, asked, part, terminal.progress(), data_dir=data_dir)
    terminal.result({"evaluations": evaluations}, human=lambda: _shown(evaluations))
    return DONE


def _shown(evaluations: "list[Evaluation]") -> "list[RenderableType]":
    first = evaluations[0].data
    read = f"{first.images:,} {first.split} images of {first.name}"
    reads = max(evaluation.test_reads for evaluation in evaluations)
    if first.split == "test":
        read += f", test read {reads}"
    return [read, "", _summary(evaluations), "", _classes(evaluations), "", *_confusions(evaluations[-1])]


def _summary(evaluations: "list[Evaluation]") -> "RenderableType":
    from econet.report import numbers

    rows: list[list[str]] = []
    for each in evaluations:
        digits = numbers.digits_for(each.accuracy_interval)
        low, high = (numbers.percent(end, digits) for end in each.accuracy_interval)
        top5 = "" if each.top5_accuracy is None else numbers.percent(each.top5_accuracy, digits)
        agreement = each.torch_agreement
        torch = "" if agreement is None else numbers.percent(agreement.top1_agreement, 2)
        accuracy = numbers.percent(each.accuracy, digits)
        rows.append(
            [
                each.subject,
                each.precision,
                accuracy,
                f"{low} to {high}",
                top5,
                f"{each.nll:.3f}",
                f"{each.ece:.3f}",
                torch,
            ]
        )
    headings = ["File", "", "Accuracy", "95 % interval", "Top 5", "NLL", "ECE", "As torch"]
    return table(headings, rows, left=2)


def _classes(evaluations: "list[Evaluation]") -> "RenderableType":
    """Accuracy of each class, the worst by the last file first."""
    from econet.report import numbers

    def cell(evaluation: "Evaluation", index: int) -> str:
        accuracy = evaluation.per_class[index].accuracy
        return "no image" if accuracy is None else numbers.percent(accuracy)

    last = evaluations[-1].per_class
    order = sorted(range(len(last)), key=lambda index: (last[index].accuracy is None, last[index].accuracy))
    rows = [
        [numbers.shown(last[index].name), f"{last[index].images:,}", *(cell(each, index) for each in evaluations)]
        for index in order[:_CLASSES_SHOWN]
    ]
    heading = "Class" if len(order) <= _CLASSES_SHOWN else f"The {_CLASSES_SHOWN} worst of {len(order)} classes"
    return table([heading, "Images", *(each.precision for each in evaluations)], rows)


def _confusions(evaluation: "Evaluation") -> list[str]:
    """The commonest mistakes, as lines."""
    from econet.report import numbers

    names = [each.name for each in evaluation.per_class]
    mistakes = sorted(
        (
            (count, truth, predicted)
            for truth, row in enumerate(evaluation.confusion)
            for predicted, count in enumerate(row)
            if truth != predicted and count
        ),
        reverse=True,
    )[:_CONFUSIONS_SHOWN]
    return [
        f"{count:5,} times {numbers.shown(names[truth])} was taken for {numbers.shown(names[predicted])}"
        for count, truth, predicted in mistakes
    ]
