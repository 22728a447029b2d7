"""`explain`: where a network looked for its answer to a picture, or two networks side by side. No torch for a file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from econet.deployment.predictor import softmax
from econet.errors import UserError, unknown_name
from econet.explanation import agreement, places
from econet.explanation.enlarged import enlarged
from econet.explanation.evidence import against_random
from econet.explanation.hiding import blurred
from econet.explanation.occlusion import answers_needed, occlusion_map
from econet.explanation.question import Map, Question
from econet.explanation.random_masks import masks_within, random_mask_map
from econet.images.preprocess import Pixels
from econet.jobs.explain_subject import Alike, Subject, check_gradcam, open_subject
from econet.jobs.options import check_range
from econet.report.explained import Explained, Pictured
from econet.runs import provenance
from econet.runs.choices import ExplainMethod
from econet.runs.explanation_records import (
    ClassAnswer,
    ExplainedImage,
    ExplainedSubject,
    Explanation,
    Explanations,
    MapAgreement,
    MapEvidence,
    PictureMap,
)
from econet.training.progress import Progress
from econet.version import __version__

TOP = 3
MOST_MASKS = 100_000
MOST_NEIGHBOURS = 50


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """What is asked of every picture.

    `method` None: Grad-CAM of networks in runs, random masks of anything else. `label` None: the class that the first
    subject answers. `masks` None: as many as the network's MACs allow in about a second. `evidence` tests every map.
    """

    method: ExplainMethod | None = None
    label: str | None = None
    masks: int | None = None
    neighbours: int | None = None
    evidence: bool = False
    data_dir: Path | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Looked:
    """A subject's map of one picture."""

    subject: Subject
    seen: Pixels
    found: Map
    explanation: Explanation


def explain(subjects: Sequence[Path], images: Sequence[Path], options: ExplainOptions, progress: Progress) -> Explained:
    """Explain the answers of one or two subjects, files or run folders, to `images`.

    Two are asked for the same class and by the same method, so that their maps can be held against each other.
    Raises UserError where a subject cannot be opened or has no Grad-CAM, a class is unknown, a picture cannot be read.
    """
    check_range("--masks", options.masks, 10, MOST_MASKS)
    check_range("--neighbours", options.neighbours, 1, MOST_NEIGHBOURS)
    opened = [open_subject(path) for path in subjects]
    _check_classes(opened, options.label)
    resolved = replace(options, method=options.method or _usual_method(opened))
    if resolved.method == "grad-cam":
        for subject in opened:
            check_gradcam(subject)
    forgotten = [_forgotten(each, resolved) for each in opened]
    found: list[list[Looked]] = []
    for number, image in enumerate(images, 1):
        found.append(_looked(opened, forgotten, image, resolved))
        if len(images) > 1:
            progress.note(f"{number} of {len(images)} explained")
    near = _near(opened[0], [each[0].seen for each in found], resolved, progress)
    entries = [_image(*each) for each in zip(images, found, near, strict=True)]
    record = Explanations(
        created=provenance.now(),
        command=provenance.command(),
        econet=__version__,
        seed=options.seed,
        subjects=tuple(_subject(each) for each in opened),
        images=tuple(entries),
    )
    return Explained(record, tuple(_pictured(*each) for each in zip(found, near, strict=True)))


def explain_map(subject: Subject, seen: Pixels, label: int, options: ExplainOptions) -> tuple[Map, PictureMap]:
    """The map [h, w] of a picture that `subject` sees, for class number `label`, and its record.

    `options.method` must be settled.
    """
    question = Question(subject.answer, seen, blurred(seen), label)
    masks = options.masks or masks_within(subject.macs)
    cells = None
    match options.method:
        case "grad-cam":
            from econet.jobs.explain_network import gradcam

            activation = gradcam(subject, seen, label)
            found, cells, asked = activation.found, activation.places, 1
        case "occlusion":
            found, asked = occlusion_map(question), answers_needed(*seen.shape[:2])
        case "masks":
            found, asked = random_mask_map(question, masks=masks, seed=options.seed), masks
        case None:
            raise ValueError("no method was settled")
    # Gradients have no scale of their own: only exact equality says nothing.
    flat = places.is_flat(found, 0.0) if options.method == "grad-cam" else places.is_flat(found)
    return found, PictureMap(
        method=options.method,
        about=subject.classes[label],
        probability=float(softmax(subject.answer(seen[None]))[0, label]),
        score="logit" if options.method == "grad-cam" else "log-probability",
        asked=asked,
        places=cells,
        flat=flat,
        place=None if flat else places.place_of(found),
        grid=tuple(tuple(round(value, 6) for value in row) for row in places.grid_of(found).tolist()),
    )


def _usual_method(subjects: Sequence[Subject]) -> ExplainMethod:
    """Grad-CAM where every subject is a run, so that a run that has none is refused and not passed over."""
    return "masks" if any(subject.kind == "file" for subject in subjects) else "grad-cam"


def _check_classes(subjects: Sequence[Subject], label: str | None) -> None:
    for subject in subjects:
        if label is not None and label not in subject.classes:
            raise unknown_name("class", label, subject.classes)
    if len(subjects) == 2 and set(subjects[0].classes) != set(subjects[1].classes):
        strange = sorted(set(subjects[0].classes) ^ set(subjects[1].classes))
        raise UserError(
            f"{subjects[0].path} and {subjects[1].path} cannot be held against each other",
            f"their classes differ: {', '.join(strange[:5])}",
            "two networks for the same classes, or one at a time",
        )


def _forgotten(subject: Subject, options: ExplainOptions) -> Subject | None:
    """The subject with random weights, where maps are to be tested and its weights can be reached."""
    if not options.evidence or subject.forgotten is None:
        return None
    *_, nothing_left = subject.forgotten(options.seed)
    return nothing_left


def _looked(
    subjects: Sequence[Subject], forgotten: Sequence[Subject | None], image: Path, options: ExplainOptions
) -> list[Looked]:
    """Every subject's map of one picture, for the class asked for or else for the first one's answer."""
    label = options.label
    looked: list[Looked] = []
    for subject, without in zip(subjects, forgotten, strict=True):
        seen = subject.seen(image)
        probabilities = softmax(subject.answer(seen[None]))[0]
        order = np.argsort(-probabilities, kind="stable")[:TOP].tolist()
        label = subject.classes[order[0]] if label is None else label
        number = subject.classes.index(label)
        found, record = explain_map(subject, seen, number, options)
        explanation = Explanation(
            answers=tuple(
                ClassAnswer(label=subject.classes[each], probability=float(probabilities[each])) for each in order
            ),
            map=record,
            evidence=_evidence(subject, without, seen, number, found, options) if options.evidence else None,
        )
        looked.append(Looked(subject, seen, found, explanation))
    return looked


def _evidence(
    subject: Subject, without: Subject | None, seen: Pixels, label: int, found: Map, options: ExplainOptions
) -> MapEvidence:
    """Whether the map is true of this picture, and whether it would be the same had the network learned nothing."""
    areas = against_random(Question(subject.answer, seen, blurred(seen), label), found, seed=options.seed)
    forgotten = None
    if without is not None:
        forgotten = agreement.rank_correlation(found, explain_map(without, seen, label, options)[0])
    return MapEvidence(
        deletion=areas.found.deletion,
        insertion=areas.found.insertion,
        random_deletion=areas.random.deletion,
        random_insertion=areas.random.insertion,
        forgotten=forgotten,
    )


def _near(
    subject: Subject, seen: Sequence[Pixels], options: ExplainOptions, progress: Progress
) -> Sequence[Sequence[Alike] | None]:
    """The training pictures nearest to each one, where they were asked for."""
    if options.neighbours is None:
        return [None] * len(seen)
    if subject.kind != "network" or subject.precision == "int8":
        raise UserError(
            f"--neighbours needs the run of a network; {subject.path} is none",
            "pictures are alike by the values of the last hidden layer, which are not to be had there; by the answers "
            "alone all pictures of one sure class would be the same",
            "the run that it was made from, or leave --neighbours out",
        )
    from econet.jobs.explain_neighbours import nearest_pictures

    return nearest_pictures(subject, seen, options.neighbours, options.data_dir, progress)


def _image(image: Path, looked: Sequence[Looked], near: Sequence[Alike] | None) -> ExplainedImage:
    return ExplainedImage(
        image=str(image),
        explanations=tuple(each.explanation for each in looked),
        agreement=_agreement(*looked) if len(looked) == 2 else None,
        neighbours=None if near is None else tuple(each.record for each in near),
    )


def _pictured(looked: Sequence[Looked], near: Sequence[Alike] | None) -> Pictured:
    pixels = tuple(each.pixels for each in near or ())
    return Pictured(tuple(each.seen for each in looked), tuple(each.found for each in looked), pixels)


def _agreement(first: Looked, second: Looked) -> MapAgreement:
    """Both maps at the size of the larger one; a flat map agrees with nothing."""
    answers = [each.explanation.answers[0].label for each in (first, second)]
    flat = any(each.explanation.map.flat for each in (first, second))
    size = max(first.found.shape, second.found.shape, key=lambda shape: shape[0] * shape[1])
    maps = [enlarged(each.found, *size) for each in (first, second)]
    return MapAgreement(
        same_answer=answers[0] == answers[1],
        rank_correlation=None if flat else agreement.rank_correlation(*maps),
        top_overlap=None if flat else agreement.top_overlap(*maps),
    )


def _subject(subject: Subject) -> ExplainedSubject:
    return ExplainedSubject(
        path=str(subject.path),
        name=subject.name,
        kind=subject.kind,
        precision=subject.precision,
        macs=subject.macs,
    )
