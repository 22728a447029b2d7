"""Who is asked to explain an answer: a file, a run's network, or a run of hand-crafted features, all in one shape."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from econet.deployment.artifact_file import open_artifact
from econet.deployment.predictor import Predictor, stored_picture
from econet.errors import UserError
from econet.explanation.question import Answer
from econet.images.preprocess import Pixels, Preprocess, cropped
from econet.runs.artifact_records import Precision
from econet.runs.explanation_records import AlikePicture
from econet.runs.folder import Run, open_run
from econet.runs.handcrafted_records import HandcraftedConfig

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Subject:
    """A network by its answers; `network` is there where it lies in a run and torch has it open.

    `forgotten(seed)` gives the same subject with ever more random weights, from the last layer on, in the end with no
    others; None where they cannot be reached.
    """

    path: Path
    name: str
    kind: Literal["file", "network", "hand-crafted"]
    precision: Precision
    classes: tuple[str, ...]
    preprocess: Preprocess
    answer: Answer
    macs: int | None
    forgotten: "Callable[[int], Iterator[Subject]] | None" = None
    network: "nn.Module | None" = None

    def seen(self, picture: Path | str | Pixels) -> Pixels:
        """What it sees of a picture: uint8 [h, w, C] at the input's size. Raises UserError where that is none."""
        stored = stored_picture(picture, self.preprocess, self.path)
        return cropped(stored[None], self.preprocess)[0]


@dataclass(frozen=True, slots=True)
class Alike:
    """A training picture, uint8 [h, w, C] as the network sees it, and its record."""

    pixels: Pixels
    record: AlikePicture


def open_subject(path: Path) -> Subject:
    """The file or the finished run at `path`; of a file torch has no part. Raises UserError where it is neither."""
    if not path.is_dir():
        return _file(path)
    run = open_run(path)
    if isinstance(run.recorded, HandcraftedConfig):
        return _handcrafted(run, run.recorded)
    from econet.jobs.explain_network import network_subject

    return network_subject(run)


def check_gradcam(subject: Subject) -> None:
    """Raises UserError, naming the subject, where it has no layers whose gradients could be taken."""
    if subject.kind == "file":
        why = "a file gives answers and no gradients"
    elif subject.kind == "hand-crafted":
        why = f"{subject.name} is no network: it has no layer with places, and no gradients"
    elif subject.precision == "int8":
        why = "a quantized run computes its file's operators one by one, and has no layers to watch"
    else:
        return
    raise UserError(f"{subject.path} has no Grad-CAM", why, "--method masks, which asks for answers alone")


def _file(path: Path) -> Subject:
    predictor = Predictor(path)
    subject = Subject(
        path=path,
        name=predictor.name,
        kind="file",
        precision=predictor.precision,
        classes=predictor.classes,
        preprocess=predictor.preprocess,
        answer=predictor.input_logits,
        macs=macs_of(path),
    )
    if path.suffix != ".onnx":
        return subject
    return replace(subject, forgotten=partial(_forgotten, subject))


def _forgotten(subject: Subject, seed: int) -> Iterator[Subject]:
    from econet.explanation.randomised_file import forgetful_files

    for _, answer in forgetful_files(subject.path, seed=seed):
        yield replace(subject, answer=answer, forgotten=None)


def macs_of(path: Path) -> int | None:
    """The MACs of the file at `path`; None where they cannot be counted."""
    try:
        return open_artifact(path).macs()
    except UserError:
        return None


def _handcrafted(run: Run, config: HandcraftedConfig) -> Subject:
    from econet.jobs.handcrafted import model_of

    return Subject(
        path=run.folder,
        name=config.model,
        kind="hand-crafted",
        precision="fp32",
        classes=config.data.classes,
        preprocess=config.data.preprocess,
        answer=model_of(run).logits,
        macs=None,
    )
