"""`econet predict`: what a picture shows, by a file alone."""

from typing import TYPE_CHECKING

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.targets import artifact
from econet.cli.terminal import Terminal, table
from econet.errors import UserError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from econet.deployment.predictor import Answer


@options.command(example="econet predict runs/shirts/model.int8.onnx photo.jpg")
@click.argument("file", metavar="FILE|RUN|ZOO")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, metavar="N", help="Classes to show.")
@click.option(
    "--coverage",
    type=float,
    metavar="F",
    help="Give the set of classes that holds the right one with this probability, 0.5 to 0.99.",
)
def predict(terminal: Terminal, *, file: str, images: tuple[str, ...], top: int, coverage: float | None) -> int:
    """Tell what pictures show, by a file alone.

    Prints the likeliest classes of each IMAGE with their probabilities, and says so where a picture looks unlike those
    of training. Needs no torch.
    """
    path = artifact(file)

    from econet.deployment.predictor import Predictor
    from econet.images.decode import DecodeError

    predictor = Predictor(path)
    answers: list[Answer] = []
    for image in images:
        try:
            answers.append(predictor.answer(image, top=top, coverage=coverage))
        except DecodeError as error:
            raise UserError(f"cannot read {image}", error.reason, "a picture file such as JPEG or PNG") from error
    record = {
        "file": str(path),
        "coverage": coverage,
        "images": [_recorded(image, answer) for image, answer in zip(images, answers, strict=True)],
    }
    terminal.result(record, human=lambda: _shown(images, answers, coverage))
    return DONE


def _recorded(image: str, answer: "Answer") -> dict[str, object]:
    return {
        "image": image,
        "predictions": answer.predictions,
        "none_of_these": answer.none_of_these,
        "covering": answer.covering,
    }


def _shown(images: tuple[str, ...], answers: "list[Answer]", coverage: float | None) -> "list[RenderableType]":
    from econet.report import numbers

    rows: list[list[str]] = []
    notes: list[RenderableType] = []
    for image, answer in zip(images, answers, strict=True):
        rows += [
            [numbers.shown(image) if rank == 0 else "", numbers.shown(each.label), numbers.percent(each.probability)]
            for rank, each in enumerate(answer.predictions)
        ]
        if answer.none_of_these:
            notes.append(f"{numbers.shown(image)}: none of these (looks unlike the training pictures)")
        if answer.covering is not None and coverage is not None:
            names = ", ".join(numbers.shown(each.label) for each in answer.covering) or "no class is likely enough"
            notes.append(f"{numbers.shown(image)}: with {numbers.percent(coverage)} coverage {names}")
    return [table(["Image", "Class", "Probability"], rows, left=2), *notes]
