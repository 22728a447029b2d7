"""`econet explain`: where a network looked for its answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.targets import target
from econet.cli.terminal import Terminal
from econet.errors import UserError
from econet.runs.choices import ExplainMethod

if TYPE_CHECKING:
    from rich.console import RenderableType

    from econet.runs.explanation_records import ExplainedImage, Explanations

# What the name of a second subject ends with; pictures end otherwise.
_ARTIFACTS = (".onnx", ".tflite", ".xml", ".pte")


@options.command(example="econet explain runs/shirts/model.onnx runs/shirts/model.int8.onnx photo.jpg --out why")
@click.argument("subject", metavar="FILE|RUN|ZOO")
@click.argument("words", metavar="[FILE|RUN|ZOO] IMAGE...", nargs=-1, required=True)
@options.together(
    click.option(
        "--method",
        type=options.Named("method", *get_args(ExplainMethod)),
        help="How to find out [default: masks for files, grad-cam for runs].",
    ),
    click.option("--class", "label", metavar="NAME", help="The class to ask about [default: the answer given]."),
    click.option("--masks", type=int, metavar="N", help="Random masks a picture [default: about a second's worth]."),
    click.option("--neighbours", type=int, metavar="N", help="Show the N training pictures a run finds most alike."),
    click.option("--evidence", is_flag=True, help="Test every map: deletion, insertion, random weights."),
    options.path_option("--out", "Write explanation.html, explanation.json and maps.npz there."),
    options.data_dir_option,
    options.seed_option,
)
def explain(terminal: Terminal, *, subject: str, words: tuple[str, ...], out: Path | None, **asked: Any) -> int:
    """Show where a network looked for its answer.

    Of a file by its answers alone, without torch: random masks or occlusion; of a run by Grad-CAM too. A second FILE,
    RUN or ZOO before the pictures is held against the first: the same class, both answers, and how far both looked at
    the same places.
    """
    subjects, images = [target(subject)], [*words]
    if _is_subject(images[0]):
        subjects.append(target(images.pop(0)))
    if not images:
        raise UserError("IMAGE is missing", "two networks were named, and no picture", "econet explain --help")

    from econet.jobs.explain import ExplainOptions
    from econet.jobs.explain import explain as job
    from econet.report import explanation_words

    settings = options.settings(ExplainOptions, asked)
    explained = job(subjects, [Path(each) for each in images], settings, terminal.progress())
    record = explained.record
    terminal.result(record, human=lambda: _screen(record, plain=not _draws_blocks(terminal)))
    said = explanation_words.summary(record)
    if said is not None:
        terminal.note(said)
    if out is not None:
        from econet.report.explanation_page import write_explanation

        terminal.note(f"page: {write_explanation(out, explained)}")
    return DONE


def _is_subject(word: str) -> bool:
    """Whether a word names a file, a run or a shipped artifact rather than a picture."""
    from econet.deployment import zoo

    path = Path(word)
    if path.exists():
        return path.is_dir() or path.suffix in _ARTIFACTS
    return path.suffix in _ARTIFACTS or word in zoo.zoo_names()


def _draws_blocks(terminal: Terminal) -> bool:
    """Whether the output can hold block characters."""
    try:
        "░▒▓█".encode(terminal.out.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _screen(record: "Explanations", *, plain: bool) -> "Sequence[RenderableType]":
    from rich.text import Text

    from econet.report.explanation_page import subject_names

    lines: list[str] = []
    names = subject_names(record)
    for image in record.images:
        lines += [*_picture(image, names, plain=plain), ""]
    return [Text(line) for line in lines[:-1]]


def _picture(image: "ExplainedImage", names: Sequence[str], *, plain: bool) -> list[str]:
    """One picture as lines: the answers, where they come from, and the maps side by side."""
    from econet.report import explanation_words as words
    from econet.report import numbers

    lines = [numbers.shown(image.image)]
    for name, each in zip(names, image.explanations, strict=True):
        whose = f"{numbers.shown(name)}: " if len(names) > 1 else ""
        lines.append(f"  {whose}{words.answers(each)}")
        lines.append(f"    looked at: {words.place(each.map)}, for {numbers.shown(each.map.about)}")
        lines.append(f"    ({words.how(each.map)})")
        if each.evidence is not None:
            lines.append(f"    {words.evidence(each.evidence)}")
    if image.agreement is not None:
        lines.append(f"  together: {words.agreement(image.agreement)}")
    if image.neighbours is not None:
        lines.append(f"  most alike: {', '.join(numbers.shown(each.label) for each in image.neighbours)}")
    maps = [words.blocks(each.map, plain=plain) for each in image.explanations]
    return [*lines, *(f"  |{'|   |'.join(row)}|" for row in zip(*maps, strict=True))]
