"""`econet evaluate`: how good a file, or several together, are on images they never learned from."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.folders import output_folder
from econet.cli.targets import target as find_target
from econet.cli.terminal import Terminal, table
from econet.errors import UserError
from econet.jobs.options import DataOptions

if TYPE_CHECKING:
    from rich.console import RenderableType

    from econet.runs.artifact_records import Ensemble, Evaluation
    from econet.runs.confidence_records import ConfidenceFound

    Parts = list[RenderableType]

_CLASSES_SHOWN = 12
_CONFUSIONS_SHOWN = 5


@options.command(example="econet evaluate runs/shirts --data fashion-mnist")
@click.argument("targets", metavar="RUN|FILE|ZOO...", nargs=-1, required=True)
@options.together(
    click.option("--data", metavar="DATA", help="Images to read [default: those the run was made with]."),
    click.option(
        "--split",
        type=options.Named("split", "test", "validation"),
        default="test",
        show_default=True,
        help="Which part of them. Each read of the test images is counted.",
    ),
    click.option(
        "--views",
        type=options.Named("views", "centre", "ten"),
        default="centre",
        show_default=True,
        help="One view of a picture, or ten whose probabilities are averaged: corners, centre, mirrored.",
    ),
    click.option(
        "--ensemble",
        type=options.Named("ensemble", "equal", "tuned"),
        help="Average the probabilities of several: with equal weights, or with weights tuned on validation.",
    ),
    options.runtime_option,
    click.option(
        "--other",
        metavar="DATA",
        multiple=True,
        help="Pictures of another source: how many are noticed as none of the classes (may be repeated).",
    ),
    options.path_option("--out", "Where an ensemble's record is written [default: runs/<data>-ensemble-<time>]."),
    options.data_dir_option,
    options.download_option,
    options.skip_bad_option,
)
def evaluate(terminal: Terminal, *, targets: tuple[str, ...], data: str | None, **asked: Any) -> int:
    """Measure accuracy on images the network never learned from.

    For every file of a run, or for one file: accuracy with its interval, each class, calibration, confusions. Several
    are measured one after the other, or with --ensemble together. Records lie beside the file: model.evaluation.json,
    and with --runtime openvino model.openvino.evaluation.json.
    """
    found = [find_target(word) for word in targets]
    images = None if data is None else options.settings(DataOptions, asked, source=data)
    if asked["ensemble"] is not None:
        return _together(terminal, found, images, asked)
    if asked["out"] is not None:
        raise UserError("--out was given without --ensemble", "records lie beside their files", "leave --out away")

    from econet.jobs.evaluate import evaluate as job

    progress = terminal.progress()
    how = {name: asked[name] for name in ("data_dir", "views", "runtime")}
    how["others"] = [options.settings(DataOptions, asked, source=other) for other in asked["other"]]
    done = [job(path, images, asked["split"], progress, **how) for path in found]
    terminal.result({"evaluations": _records(targets, done)}, human=lambda: _each_shown(targets, done))
    return DONE


def _together(terminal: Terminal, targets: list[Path], images: DataOptions | None, asked: dict[str, Any]) -> int:
    """Evaluate the average of several, in a folder of its own. Each is asked in its format's own runtime."""
    if asked["runtime"] is not None:
        raise UserError(
            "--runtime was given with --ensemble", "its members answer in their own runtimes", "leave --runtime out"
        )
    if asked["other"]:
        raise UserError(
            "--other was given with --ensemble", "each file tells for itself what it does not know", "leave one out"
        )
    from econet.jobs.ensemble import Asked, evaluate_ensemble, source_of

    folder = output_folder(asked["out"], resume=False, data=source_of(targets, images), model="ensemble")
    terminal.note(f"writing {folder}")
    wanted = Asked(asked["split"], asked["views"], asked["ensemble"])
    one = evaluate_ensemble(targets, images, wanted, folder, terminal.progress(), data_dir=asked["data_dir"])
    terminal.result({"evaluations": [one], "folder": str(folder)}, human=lambda: _shown([one]))
    return DONE


def _records(targets: Sequence[str], done: "list[list[Evaluation]]") -> list[dict[str, Any]]:
    """The records in order, each with what was named to get it."""
    import msgspec

    pairs = zip(targets, done, strict=True)
    return [{"target": word, **msgspec.to_builtins(each)} for word, evaluations in pairs for each in evaluations]


def _each_shown(targets: Sequence[str], done: "list[list[Evaluation]]") -> "Parts":
    """One target at length; of several the figures alone, under the name of each."""
    if len(done) == 1:
        return _shown(done[0])
    parts: Parts = []
    for word, evaluations in zip(targets, done, strict=True):
        parts += [f"{word}: {_read(evaluations)}", "", _summary(evaluations), ""]
    return parts[:-1]


def _shown(evaluations: "list[Evaluation]") -> "Parts":
    parts: Parts = [_read(evaluations), "", _summary(evaluations), ""]
    for each in evaluations:
        if each.ensemble is not None:
            parts += [*_members(each.ensemble), ""]
        if each.accuracy_ties_shared not in (None, each.accuracy):
            parts += [_ties(each), ""]
        if each.confidence is not None:
            parts += [*_sureness(each, each.confidence), ""]
    return [*parts, _classes(evaluations), "", *_confusions(evaluations[-1])]


def _read(evaluations: "list[Evaluation]") -> str:
    """Which images were read, how, and how often before."""
    first = evaluations[0]
    read = f"{first.data.images:,} {first.data.split} images of {first.data.name}"
    if first.views == "ten":
        read += ", ten views of each"
    if first.data.split == "test":
        read += f", test read {max(evaluation.test_reads for evaluation in evaluations)}"
    return read


def _ties(evaluation: "Evaluation") -> str:
    from econet.report import numbers

    shared = numbers.percent(evaluation.accuracy_ties_shared or 0.0, 2)
    return (
        f"{evaluation.subject}: some images have several most probable classes; shared among them, {shared} are right"
    )


def _sureness(evaluation: "Evaluation", found: "ConfidenceFound") -> list[str]:
    """What the file's confidence was worth on these images."""
    from econet.report import numbers

    lines = [
        f"{evaluation.subject}: calibration error {evaluation.ece:.3f} at its temperature of {found.temperature:g}, "
        f"{found.ece_before:.3f} without; {numbers.percent(found.false_alarms)} are taken for none of these "
        f"(stated: {numbers.percent(found.false_alarms_stated)})"
    ]
    for each in found.coverage:
        low, high = (numbers.percent(end) for end in each.interval)
        lines.append(
            f"  sets of {numbers.percent(each.stated)} coverage hold the right class on "
            f"{numbers.percent(each.covered)} (expected {low} to {high}), {each.mean_classes:.2f} classes each"
        )
    for other in found.foreign:
        lines.append(
            f"  of {other.images:,} pictures of {numbers.shown(other.name)} {numbers.percent(other.noticed)} are "
            f"noticed as none of these; area under the ROC curve {other.auroc:.3f}"
        )
    return lines


def _members(ensemble: "Ensemble") -> "Parts":
    """The members with their weights, and what the weights were found by."""
    from econet.report import numbers

    rows = [[each.file, f"{each.weight:.2f}", numbers.percent(each.accuracy, 2)] for each in ensemble.members]
    shown: Parts = [table(["Member", "Weight", "Alone"], rows)]
    search = ensemble.search
    if search is not None:
        tuned, equal = (numbers.percent(share, 2) for share in (search.accuracy, search.accuracy_equal))
        shown += ["", f"weights found on {search.images:,} validation images: {tuned} there, with equal ones {equal}"]
    return shown


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
