"""`econet predict`: what a picture shows, by a file alone."""

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.targets import artifact
from econet.cli.terminal import Terminal, table
from econet.errors import UserError


@options.command(example="econet predict runs/shirts/model.int8.onnx photo.jpg")
@click.argument("file", metavar="FILE|RUN|ZOO")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, metavar="N", help="Classes to show.")
def predict(terminal: Terminal, *, file: str, images: tuple[str, ...], top: int) -> int:
    """Tell what pictures show, by a file alone.

    Prints the likeliest classes of each IMAGE with their probabilities. Needs no torch.
    """
    path = artifact(file)

    from econet.deployment.predictor import Predictor
    from econet.images.decode import DecodeError
    from econet.report import numbers

    predictor = Predictor(path)
    answers: list[dict[str, object]] = []
    rows: list[list[str]] = []
    for image in images:
        try:
            predictions = predictor.predict(image, top=top)
        except DecodeError as error:
            raise UserError(f"cannot read {image}", error.reason, "a picture file such as JPEG or PNG") from error
        answers.append({"image": image, "predictions": predictions})
        rows += [
            [numbers.shown(image) if rank == 0 else "", numbers.shown(each.label), numbers.percent(each.probability)]
            for rank, each in enumerate(predictions)
        ]
    record = {"file": str(path), "images": answers}
    terminal.result(record, human=lambda: [table(["Image", "Class", "Probability"], rows, left=2)])
    return DONE
